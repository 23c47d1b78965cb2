"""One open stream: what it has still to be sent, bounded in messages and bytes, and why it ends."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from api.access import Caller
from api.errors import encode
from api.live import CHANNELS
from homeguard.ports.live_state import Live

#: How far a reader may fall behind before it gets one `gap` instead.
MESSAGES: Final = 256
BYTES: Final = 1 << 20


class FrameWriter(Protocol):
    """A connection that takes several WebSocket frames in one piece."""

    def push(self, frames: bytes) -> bool:
        """Write them now; False, and nothing is written, when the connection does not take them now."""
        ...

    async def write(self, frames: bytes) -> None:
        """Write them once the connection takes them."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """One item, encoded once for all who get it: `text` is its JSON, `frame` the same as a WebSocket text frame.

    `stands_for` is 1, or what a gap says is missing.
    """

    kind: str
    user_id: str
    session_id: str
    text: bytes
    frame: bytes
    stands_for: int = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Items that were ready together, and their frames in one piece. `is_last`: the reader's session ends with it."""

    items: Sequence[Told]
    frames: bytes
    is_last: bool = False


def told(item: Live) -> Told:
    """`{"type", ...}`: the item's data; its kind is the type unless the data says one."""
    text = encode({"type": item.kind, **item.data})
    session_id = str(item.data.get("session_id", "")) if item.kind == "session" else ""
    missed = item.data.get("missed") if item.kind == "gap" else 1
    return Told(item.kind, item.user_id, session_id, text, frame_of(text), missed if isinstance(missed, int) else 1)


def frame_of(text: bytes) -> bytes:
    """A WebSocket text frame from a server, which masks nothing."""
    size = len(text)
    if size < 126:
        return bytes((0x81, size)) + text
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + text
    return b"\x81\x7f" + size.to_bytes(8, "big") + text


def batch_of(items: Sequence[Told], *, is_last: bool = False) -> Batch:
    return Batch(items, b"".join([item.frame for item in items]), is_last)


class Reader:
    """Filled by the hub with `put`; emptied by its connection with `take`, after `ready` was waited for.

    With a `writer`, what comes while nothing waits is written at once, without a task that must wake up for it.
    """

    def __init__(
        self, caller: Caller, channels: frozenset[str] = frozenset(CHANNELS), writer: FrameWriter | None = None
    ) -> None:
        self.caller = caller
        self.channels = channels
        self._writer = writer
        self._waiting: deque[Batch] = deque()
        self._messages = 0
        self._bytes = 0
        self._missed = 0
        self._is_writing = False
        self._ended_by: Exception | None = None
        #: Set while there is something to take, or the stream has ended.
        self.ready = asyncio.Event()

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages and bytes that wait."""
        return self._messages, self._bytes

    def put(self, batch: Batch) -> None:
        if self._ended_by is not None:
            return
        is_idle = not (self._waiting or self._is_writing or batch.is_last)
        if is_idle and self._writer is not None and self._writer.push(batch.frames):
            return
        if self._messages + len(batch.items) > MESSAGES or self._bytes + len(batch.frames) > BYTES:
            batch = self._fall_behind(batch)
        self._waiting.append(batch)
        self._messages += len(batch.items)
        self._bytes += len(batch.frames)
        self.ready.set()

    def end(self, error: Exception) -> None:
        """Nothing more comes: what waits is still sent, then `take` raises this."""
        if self._ended_by is None:
            self._ended_by = error
            self.ready.set()

    def take(self) -> Batch:
        """The next batch that waits, behind the gap if there was one; the reader counts as writing until `written`.

        Raises:
            what it was ended with, when nothing waits any more.
        """
        if not self._waiting:
            assert self._ended_by is not None, "nothing waits"
            raise self._ended_by
        batch = self._waiting.popleft()
        self._messages -= len(batch.items)
        self._bytes -= len(batch.frames)
        self._is_writing = True
        if self._missed:
            gap = told(Live(home_id="", kind="gap", data={"missed": self._missed}))
            self._missed = 0
            batch = Batch([gap, *batch.items], gap.frame + batch.frames, batch.is_last)
        return batch

    def written(self) -> None:
        """What was taken has gone to the connection."""
        self._is_writing = False
        if not self._waiting and self._ended_by is None:
            self.ready.clear()

    def _fall_behind(self, batch: Batch) -> Batch:
        """Give up all that was not read, and of the batch what is too much: its newest are kept."""
        first, size = len(batch.items), 0
        while first > max(0, len(batch.items) - MESSAGES) and size + len(batch.items[first - 1].frame) <= BYTES:
            first -= 1
            size += len(batch.items[first].frame)
        dropped = [item for waiting in self._waiting for item in waiting.items]
        self._missed += sum(item.stands_for for item in (*dropped, *batch.items[:first]))
        self._waiting.clear()
        self._messages = self._bytes = 0
        return batch_of(batch.items[first:], is_last=batch.is_last)
