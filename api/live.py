"""What just happened, for those who watch: which channel it belongs to, how it looks, and when a stream ends."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from typing import Final

from api.access import Caller, still_holds
from api.deps import ApiDeps
from api.errors import encode
from homeguard.errors import InvalidInput, NotSignedIn
from homeguard.ports.live_state import Live

CHANNELS: Final = ("events", "devices", "agent", "alerts")
#: Kind -> the channels that carry it. `session` and `gap` reach everyone.
_CARRIED: Final[Mapping[str, frozenset[str]]] = {
    "device_event": frozenset(("events", "devices")),
    "command": frozenset(("devices",)),
    "mode": frozenset(("devices",)),
    "alert": frozenset(("alerts", "events")),
    "notice": frozenset(("alerts",)),
    "confirmation": frozenset(("agent",)),
    "agent_response": frozenset(("agent",)),
}
#: How far a reader may fall behind before it gets one `gap` instead.
QUEUE: Final = 256
_KEPT_FRAMES: Final = 256


def is_wanted(item: Live, channels: frozenset[str]) -> bool:
    """Does somebody who listens to these channels get it?"""
    carried = _CARRIED.get(item.kind)
    return carried is None or bool(carried & channels)


def read_channels(names: Iterable[object]) -> frozenset[str]:
    """Raises InvalidInput: there is no channel of that name."""
    found = frozenset(n for n in names if isinstance(n, str) and n in CHANNELS)
    if not found or found != frozenset(names):
        raise InvalidInput(f"channels are {', '.join(CHANNELS)}", field="channels", allowed=list(CHANNELS))
    return found


class Frames:
    """Each item as JSON text, encoded once for all who get it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[Live, str]] = OrderedDict()

    def text(self, item: Live) -> str:
        """`{"type", ...}`: the item's data; its kind is the type unless the data says one."""
        kept = self._kept.get(id(item))
        if kept is not None:
            return kept[1]
        text = encode({"type": item.kind, **item.data}).decode()
        # The item is kept with its text, so its id stays its own.
        self._kept[id(item)] = (item, text)
        if len(self._kept) > _KEPT_FRAMES:
            self._kept.popitem(last=False)
        return text


async def follow(caller: Caller, deps: ApiDeps) -> AsyncGenerator[Live | None, None]:
    """What happens in the caller's home and concerns them, until the session ends.

    The first item is None, once nothing that happens from then on can be missed.

    Raises:
        NotSignedIn: the session was revoked or is over; noticed at once when it happens here, else within
            `deps.recheck_s`.
    """
    me = caller.principal
    async with deps.feed.subscribe(me.home_id, user_id=me.user_id, limit=QUEUE) as items:
        ahead = _Ahead(items)
        reading = asyncio.create_task(ahead.read())
        yield None
        now = asyncio.get_running_loop().time
        checked_at = now()
        try:
            while True:
                # by the clock, not by silence: a busy home must not keep a revoked caller
                if now() - checked_at >= deps.recheck_s:
                    if not await still_holds(caller, deps):
                        raise NotSignedIn("the session is over: sign in again")
                    checked_at = now()
                if not ahead.items:
                    if ahead.has_ended:
                        return
                    ahead.arrived.clear()
                    await _set_within(ahead.arrived, deps.recheck_s)
                    continue
                item = ahead.take()
                if item.user_id in ("", me.user_id):
                    yield item
                    if item.kind == "session" and item.data.get("session_id") == me.session_id != "":
                        raise NotSignedIn("the session is over: sign in again")
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


class _Ahead:
    """A few items read ahead of their reader by one task, instead of a task and a timer for each."""

    _MOST: Final = 64

    def __init__(self, source: AsyncIterator[Live]) -> None:
        self._source = source
        self._room = asyncio.Event()
        self._failure: Exception | None = None
        self.items: deque[Live] = deque()
        self.arrived = asyncio.Event()
        self._ended = False

    async def read(self) -> None:
        try:
            async for item in self._source:
                self.items.append(item)
                self.arrived.set()
                while len(self.items) >= self._MOST:
                    self._room.clear()
                    await self._room.wait()
        except Exception as error:  # the reader is told
            self._failure = error
        finally:
            self._ended = True
            self.arrived.set()

    def take(self) -> Live:
        self._room.set()
        return self.items.popleft()

    @property
    def has_ended(self) -> bool:
        """Raises what the source failed with."""
        if self._failure is not None:
            raise self._failure
        return self._ended


async def _set_within(event: asyncio.Event, limit_s: float) -> bool:
    try:
        async with asyncio.timeout(limit_s):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def publish_revocation(deps: ApiDeps, user_id: str, session_id: str) -> None:
    """Tell every stream of that person, in each of their homes, that a session is over."""
    data = {"type": "session", "session_id": session_id, "revoked": True}
    homes = [m.home_id for m in await deps.users.homes_of(user_id)]
    await deps.feed.publish([Live(home_id=h, kind="session", data=data, user_id=user_id) for h in homes])
