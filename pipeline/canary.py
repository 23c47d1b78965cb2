"""The canary: an event of our own that goes through the whole chain, so that a chain that stands still is noticed."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from homeguard.clock import Clock
from homeguard.errors import HomeGuardError, StorageFull
from homeguard.ids import new_id
from homeguard.model import Event, Lane, Notice, Priority
from homeguard.ports.live_state import Live, LiveFeed
from homeguard.ports.outbox import Outbox
from homeguard.ports.users import UserStore

log = logging.getLogger("homeguard.canary")

#: No home of anyone: nobody who watches a home sees a canary.
NOWHERE: Final = ""
KIND: Final = "canary"
#: In the order of the way: taken by the log, then seen behind the last handler of each group.
INTAKE: Final = "intake"
STAGES: Final = (INTAKE, "safety", "reflex", "record")
#: Every stage must have been passed this soon, or people are warned.
WITHIN_S: Final = 10.0
#: No stage may go without a canary for so many periods.
PERIODS: Final = 3
#: Canaries that may still come: one that was overtaken by nothing for longer is given up.
_KEPT: Final = 64


class Submit(Protocol):
    """The intake, as far as a canary needs it."""

    async def submit(self, events: Sequence[Event]) -> None: ...


@dataclass(slots=True)
class _Flight:
    sent_at: float
    missing: set[str] = field(default_factory=lambda: set(STAGES))


class Canary:
    """Sends one every `every_s` and hears of it, stage by stage, over the feed.

    `processed`: group -> records that it has done since the start. A group that moves is alive, however far behind its
    canaries are: a restart would only add to its load. `excused`: stages that wait for an engine that is away, which a
    restart does not mend. `warn` is told once the stages that one did not pass in time; again only after one has come
    through. `every_s` 0 switches it off: then all is well.
    """

    def __init__(
        self,
        *,
        intake: Submit,
        feed: LiveFeed,
        clock: Clock,
        every_s: float,
        within_s: float = WITHIN_S,
        processed: Callable[[], Mapping[str, int]] = dict,
        excused: Callable[[], Collection[str]] = tuple,
        warn: Callable[[frozenset[str]], Awaitable[None]] | None = None,
    ) -> None:
        self._intake = intake
        self._feed = feed
        self._clock = clock
        self._every_s = every_s
        self._within_s = within_s
        self._processed = processed
        self._excused = excused
        self._warn = warn
        self._flights: dict[str, _Flight] = {}
        self._late: frozenset[str] = frozenset()
        self._has_warned = False
        now = clock.monotonic()
        #: When each stage last showed that it moves.
        self._moved_at: dict[str, float] = dict.fromkeys(STAGES, now)
        self._counts: Mapping[str, int] = {}
        self._passed_s = math.nan

    async def run(self) -> None:
        """Until it is cancelled."""
        if not self._every_s:
            return
        async with self._feed.subscribe(NOWHERE, limit=4 * _KEPT) as items, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(items), name="canary listener")
            while True:
                await self._send()
                await self._clock.sleep(min(self._within_s, self._every_s))
                await self._look()
                await self._clock.sleep(max(0.0, self._every_s - self._within_s))

    @property
    def stuck(self) -> frozenset[str]:
        """The stages that have not moved for three periods; empty while all is well."""
        if not self._every_s:
            return frozenset()
        self._count()
        oldest = self._clock.monotonic() - PERIODS * self._every_s
        return self._to_blame(stage for stage, moved_at in self._moved_at.items() if moved_at < oldest)

    def health(self) -> Mapping[str, Any]:
        """For `/ready`: a canary that is late is told, and tolerated until a stage is stuck."""
        told: dict[str, Any] = {"ok": True, "every_s": self._every_s}
        if not math.isnan(self._passed_s):
            told["passed_ms"] = round(self._passed_s * 1000, 1)
        stuck = self.stuck
        missing = stuck or self._late
        if missing:
            reason = f"no canary came through {_in_order(missing)}"
            told |= {"ok": False, "tolerated": not stuck, "missing": _in_order(missing).split(", "), "reason": reason}
        return told

    async def _send(self) -> None:
        name = new_id()
        flight = self._flights[name] = _Flight(self._clock.monotonic())
        while len(self._flights) > _KEPT:
            del self._flights[next(iter(self._flights))]
        try:
            async with asyncio.timeout(self._within_s):
                await self._intake.submit([self._bird(name, "safety"), self._bird(name, "bulk")])
        except StorageFull as error:
            # people are warned of it; but a restart makes no room
            log.warning("the log does not take the canary: %s", error)
            for stage in STAGES:
                self._moved(stage)
        except (HomeGuardError, TimeoutError) as error:
            log.warning("the log does not take the canary: %s", error)
        except Exception:  # whatever stands in its way, the next one is sent
            log.exception("the canary cannot be sent")
        else:
            flight.missing.discard(INTAKE)
            self._moved(INTAKE)

    def _bird(self, name: str, lane: Lane) -> Event:
        now = self._clock.now()
        return Event(
            home_id=NOWHERE, event_id=f"{name}-{lane}", event_type="canary", at=now, received_at=now,
            payload={"canary": name}, trust="core", lane=lane,
        )  # fmt: skip

    async def _listen(self, items: AsyncIterator[Live]) -> None:
        async for item in items:
            if item.kind == KIND:
                self._saw(str(item.data.get("canary")), str(item.data.get("stage")))

    def _saw(self, name: str, stage: str) -> None:
        flight = self._flights.get(name)
        if flight is None or stage not in flight.missing:
            return
        flight.missing.discard(stage)
        self._moved(stage)
        if not flight.missing:
            self._passed_s = self._clock.monotonic() - flight.sent_at
            for older in [n for n, f in self._flights.items() if f.sent_at <= flight.sent_at]:
                del self._flights[older]

    def _moved(self, stage: str) -> None:
        self._moved_at[stage] = self._clock.monotonic()

    def _count(self) -> None:
        for stage in self._excused():
            # what waited may take as long as ever once it need not any more
            self._moved(stage)
        counts = dict(self._processed())
        for group, count in counts.items():
            if group in self._moved_at and count != self._counts.get(group, 0):
                self._moved(group)
        self._counts = counts

    async def _look(self) -> None:
        """Whether what was sent in time came through; warns once when it did not."""
        self._count()
        due = self._clock.monotonic() - self._within_s
        waiting = [flight for flight in self._flights.values() if flight.sent_at <= due]
        self._late = self._to_blame(stage for flight in waiting for stage in flight.missing)
        if not waiting:
            self._has_warned = False
        elif self._late and not self._has_warned:
            self._has_warned = True
            log.error("no canary came through %s within %g s", _in_order(self._late), self._within_s)
            if self._warn is not None:
                await self._tell(self._late)

    def _to_blame(self, missing: Iterable[str]) -> frozenset[str]:
        """Without those that only wait for the stage before them, or for an engine."""
        found = frozenset(missing)
        return frozenset((INTAKE,)) if INTAKE in found else found - frozenset(self._excused())

    async def _tell(self, late: frozenset[str]) -> None:
        assert self._warn is not None
        try:
            async with asyncio.timeout(self._within_s):
                await self._warn(late)
        except Exception as error:  # the one that warns may need what stands still
            log.warning("nobody could be warned: %s", error)


class WarnOwners:
    """Tells the owner of each home that HomeGuard itself does not keep up."""

    def __init__(self, users: UserStore, outbox: Outbox, clock: Clock) -> None:
        self._users = users
        self._outbox = outbox
        self._clock = clock

    async def __call__(self, late: frozenset[str]) -> None:
        """`late`: the stages that no canary came through."""
        at = self._clock.now()
        title, text, priority = _TOLD_OF_RECORD if late == {"record"} else _TOLD_OF_REFLEX
        notices = [
            Notice(
                id=new_id(), home_id=home.id, at=at, channel="app", recipient=member.user_id, priority=priority,
                title=title, text=f"{text} It waits for: {_in_order(late)}.",
            )
            for home in await self._users.homes()
            for member in await self._users.members(home.id)
            if member.role == "owner"
        ]  # fmt: skip
        await self._outbox.put(notices)


_TOLD_OF_REFLEX: Final[tuple[str, str, Priority]] = (
    "HomeGuard reacts late", "A test event of HomeGuard's own did not get through in time: alarms may be late.", "high",
)  # fmt: skip
_TOLD_OF_RECORD: Final[tuple[str, str, Priority]] = (
    "HomeGuard stores late", "Alarms work, but what happens is not stored yet: the history is behind.", "normal",
)  # fmt: skip


def _in_order(stages: frozenset[str]) -> str:
    return ", ".join(stage for stage in STAGES if stage in stages)
