"""Large bodies wait for a turn, and a refusal is not hurried: turning work away must not eat the time to do it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from homeguard.clock import Clock
from homeguard.errors import Overloaded

#: A body of one event up to this size is judged at once, so an alarm by itself waits for nobody's batch.
SMALL_BYTES: Final = 16 * 1024
#: So is a batch of a few.
FEW_BYTES: Final = 2 * 1024
BUSY: Final = "HomeGuard has more to do than it can: send this again later"
#: Bodies judged at the same time: they share one processor, and a second one only fills the first one's waits.
_PLACES: Final = 2
#: Bodies that wait for that, and for how long.
_LINE: Final = 32
_WAIT_S: Final = 2.0
#: Of large bodies, read or being read: at so many bytes no new one is begun, at twice as many none goes on.
_HELD_BYTES: Final = 32 * 1024 * 1024
#: Seconds of judging before everybody else has a turn.
_SLICE_S: Final = 0.002
#: While there is enough to do, a place stays empty so many times as long as it was used, and no longer than a second.
_REST: Final = 4.0
_LONGEST_REST_S: Final = 1.0
#: Refusals told a second, as many at once as `_BURST`; one waits for that no longer than `_LONGEST_S`.
_TOLD_PER_S: Final = 100.0
_BURST: Final = 20
_LONGEST_S: Final = 2.0


class Turns:
    """Who is judged when: two bodies at a time, a bounded line behind them, and everybody else is refused unread.

    A body that is refused whole was not judged, so an alarm in it is not lost but has to come again; a body in line is
    always judged, under the worst load as well, so those that come again get their turn.
    """

    def __init__(self, clock: Clock, *, places: int = _PLACES, line: int = _LINE, wait_s: float = _WAIT_S) -> None:
        self._clock = clock
        self._places = asyncio.Semaphore(places)
        self._line = line
        self._wait_s = wait_s
        self._waiting = 0
        self._held_bytes = 0
        self._told_until = 0.0
        #: Bodies that were refused before they were judged.
        self.refused = 0

    @property
    def held_bytes(self) -> int:
        """Of large bodies in memory that are not in the log yet."""
        return self._held_bytes

    def begin(self) -> None:
        """A large body is about to be read. Raises Overloaded: there is no room for it, or too many wait already."""
        if self._waiting >= self._line or self._held_bytes > _HELD_BYTES:
            raise self._refusal()

    def hold(self, count: int) -> None:
        """So many more bytes of a large body were read. Raises Overloaded: there is no room; they do not count."""
        if self._held_bytes + count > 2 * _HELD_BYTES:
            raise self._refusal()
        self._held_bytes += count

    def let_go(self, count: int) -> None:
        """So many bytes are needed no more."""
        self._held_bytes -= count

    @asynccontextmanager
    async def turn(self, *, is_busy: Callable[[], bool]) -> AsyncIterator[None]:
        """Within it a body is judged. `is_busy`: there is enough to do already, so the next one has to wait a while.

        Raises:
            Overloaded: the line is full, or the turn did not come in time.
        """
        await self._take()
        is_sparing = is_busy()
        begun = self._clock.monotonic()
        try:
            yield
        finally:
            rest_s = min(_REST * (self._clock.monotonic() - begun), _LONGEST_REST_S) if is_sparing else 0.0
            if rest_s > 0:
                asyncio.get_running_loop().call_later(rest_s, self._places.release)
            else:
                self._places.release()

    async def hesitate(self) -> None:
        """Returns when a refusal may be told. Senders who do not wait as they are told to would otherwise keep the
        processor busy with refusals; one who comes alone notices nothing."""
        now = self._clock.monotonic()
        at = max(self._told_until, now - _BURST / _TOLD_PER_S) + 1 / _TOLD_PER_S
        self._told_until = min(at, now + _LONGEST_S)
        if self._told_until > now:
            await self._clock.sleep(self._told_until - now)

    async def _take(self) -> None:
        if self._waiting >= self._line:
            raise self._refusal()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._places.acquire()
        except TimeoutError as error:
            raise self._refusal() from error
        finally:
            self._waiting -= 1

    def _refusal(self) -> Overloaded:
        self.refused += 1
        return Overloaded(BUSY, retry_after_s=3)


class Pace:
    """Of one who judges many: after some milliseconds everybody else has a turn, so that an alarm waits no longer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.monotonic()

    async def give_way(self) -> None:
        if self._clock.monotonic() - self._since >= _SLICE_S:
            await asyncio.sleep(0)
            self._since = self._clock.monotonic()


def needs_turn(body: bytes, *, ndjson: bool) -> bool:
    """It is more than one event of ordinary size, or a few."""
    if len(body) <= FEW_BYTES:
        return False
    return ndjson or len(body) > SMALL_BYTES or body.lstrip()[:1] != b"{"
