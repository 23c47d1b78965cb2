"""Records that could not be processed: what became of them, and sending them on their way once more."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from homeguard.ports.log import DEAD_LETTERS, RETRIES, Log, NewRecord, Record

#: What the processor wrote beside the record's own headers.
_OF_DEATH: Final = frozenset(("reason", "group", "topic", "offset", "died_at"))
#: Header: how often it was sent on its way again.
_RETRIED: Final = "retried"

_BATCH: Final = 200
_WAIT_S: Final = 0.5
#: A log that several processes share may take so long to give this one its part.
_PATIENCE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter: `group` could not do the record at `offset` (`partition/offset`) of `topic` because of `reason`.

    `size` is of its value in bytes, `retries` how often it was sent again before, `died_at` ISO 8601 as written.
    """

    died_at: str
    group: str
    topic: str
    offset: str
    key: str
    reason: str
    size: int
    retries: int
    is_waiting: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """`letters` do not wait any more: so many records were `sent` to their topics (one that died in several groups goes
    once), and `unreadable` letters do not say where they came from."""

    letters: int

    sent: int
    unreadable: int


class DeadLetters:
    """The dead letters of a log. Each is sent again once, unless it dies again: then there is a new one.

    `letters` is the log where they lie, `front` the one that takes records in.
    """

    def __init__(self, letters: Log, front: Log) -> None:
        self._letters = letters
        self._front = front
        #: Read and not yet committed, oldest first.
        self._taken: list[Record] = []
        self._one_at_a_time = asyncio.Lock()

    async def list(self, limit: int) -> list[Letter]:
        """The last `limit`, newest last."""
        async with self._one_at_a_time:
            await self._take(1)
            lag = await self._letters.lag(RETRIES)
            found = await self._letters.tail(DEAD_LETTERS, limit=limit)
            first: dict[int, int] = {}
            for record in self._taken:
                first.setdefault(record.partition, record.offset)
        return [_letter(record, is_waiting=_waits(record, first, lag > len(self._taken))) for record in found]

    async def retry(self, limit: int | None = None) -> Retried:
        """Send the oldest that wait, at most `limit`, back to the topics they came from; None: all that wait now."""
        letters = sent = unreadable = 0
        async with self._one_at_a_time:
            await self._take(1)
            # one that dies again at once must not keep this going
            waiting = await self._letters.lag(RETRIES) if self._taken else 0
            left = waiting if limit is None else min(limit, waiting)
            while left > 0:
                await self._take(min(left, _BATCH))
                batch = self._taken[: min(left, _BATCH)]
                if not batch:
                    break
                readable = [record for record in batch if record.headers.get("topic")]
                again = {(r.headers["topic"], r.key, r.value): _again(r) for r in readable}
                await self._front.append(list(again.values()))
                await self._letters.commit(RETRIES, batch)
                del self._taken[: len(batch)]
                left -= len(batch)
                letters += len(batch)
                sent += len(again)
                unreadable += len(batch) - len(readable)
        return Retried(letters=letters, sent=sent, unreadable=unreadable)

    async def _take(self, count: int) -> None:
        """Have `count` of those that wait at hand, or all when there are fewer."""
        until = asyncio.get_running_loop().time() + _PATIENCE_S
        wait_s = 0.0
        while (missing := count - len(self._taken)) > 0:
            found = await self._letters.read(RETRIES, [DEAD_LETTERS], limit=missing, wait_s=wait_s)
            self._taken += found
            if not found and (
                await self._letters.lag(RETRIES) <= len(self._taken) or asyncio.get_running_loop().time() > until
            ):
                return
            wait_s = _WAIT_S


def _waits(record: Record, first: Mapping[int, int], are_more: bool) -> bool:
    """What lies behind the first that waits in its partition waits too; a partition that was not looked into may."""
    if record.partition in first:
        return record.offset >= first[record.partition]
    return are_more


def _letter(record: Record, *, is_waiting: bool) -> Letter:
    said = record.headers
    return Letter(
        died_at=said.get("died_at", ""), group=said.get("group", ""), topic=said.get("topic", ""),
        offset=said.get("offset", ""), key=record.key, reason=said.get("reason", ""), size=len(record.value),
        retries=_retries(said), is_waiting=is_waiting,
    )  # fmt: skip


def _again(record: Record) -> NewRecord:
    kept = {name: value for name, value in record.headers.items() if name not in _OF_DEATH}
    return NewRecord(
        topic=record.headers["topic"], key=record.key, value=record.value,
        headers={**kept, _RETRIED: str(_retries(record.headers) + 1)},
    )  # fmt: skip


def _retries(headers: Mapping[str, str]) -> int:
    said = headers.get(_RETRIED, "")
    return int(said) if said.isdecimal() else 0
