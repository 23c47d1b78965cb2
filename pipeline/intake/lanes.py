"""How urgent what comes in is: alarms before the rest, and before the rest is refused."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from homeguard.clock import Clock
from homeguard.errors import HomeGuardError
from homeguard.mode import alarm_of
from homeguard.model import ArmState, Home, HomeMode, Lane
from homeguard.observations import attributes_from
from homeguard.vocabulary import EVENT_OF_TRUE, EVENT_TYPES, REPORTS

#: So old may be what is known of a home's arm state. It decides on urgency only: whether it is an alarm is judged
#: later, by the state as it is then.
LOOK_EVERY_S: Final = 1.0
#: Homes of which that is kept; the one that was looked up first goes first.
MAX_HOMES: Final = 1_000
#: How long an event waits for that answer.
_LOOK_LIMIT_S: Final = 0.25

#: What HomeGuard tells of an alarm is as urgent as the alarm.
_TOLD: Final = frozenset(("alert_raised", "incident_opened"))


@dataclass(frozen=True, slots=True)
class Lanes:
    """The lanes of one home in one state: of each event type, and the attributes that are urgent when they are true."""

    of_type: Mapping[str, Lane]
    attributes: frozenset[str]

    def lane(self, event_type: str, payload: Mapping[str, Any]) -> Lane:
        """Of one event; its type is one of ours."""
        lane = self.of_type[event_type]
        if event_type in REPORTS and lane != "safety" and self._names_one(payload):
            said = attributes_from(event_type, payload)
            if any(said.get(name) is True for name in self.attributes):
                return "safety"
        return lane

    def _names_one(self, payload: Mapping[str, Any]) -> bool:
        """Most reports are numbers: translating them all would cost more than everything else here."""
        if not self.attributes.isdisjoint(payload):
            return True
        return any(isinstance(part, dict) and not self.attributes.isdisjoint(part) for part in payload.values())


@lru_cache(maxsize=64)
def lanes_in(arm_state: ArmState, mode: HomeMode) -> Lanes:
    """The lanes while a home is in that state."""

    def is_urgent(event_type: str) -> bool:
        # A contact may be a door or a window: only its device tells, and that is not looked up here.
        types = (event_type, "window_open") if event_type == "door_open" else (event_type,)
        return event_type in _TOLD or any(alarm_of(one, arm_state, mode) is not None for one in types)

    return Lanes(
        of_type={name: "safety" if is_urgent(name) else spec.lane for name, spec in EVENT_TYPES.items()},
        attributes=frozenset(name for name, stands_for in EVENT_OF_TRUE.items() if is_urgent(stands_for)),
    )


class HomeLanes:
    """The lanes of each home as it is now, a second old at most; a home that cannot be looked up counts as left and
    armed, so that nothing urgent is taken for less."""

    def __init__(self, home_of: Callable[[str], Awaitable[Home | None]] | None, clock: Clock) -> None:
        """`home_of=None`: no home is ever armed."""
        self._home_of = home_of
        self._clock = clock
        self._known: dict[str, tuple[float, Lanes]] = {}

    async def of(self, home_id: str) -> Lanes:
        known, now = self._known.get(home_id), self._clock.monotonic()
        if known is not None and now - known[0] < LOOK_EVERY_S:
            return known[1]
        found = await self._look(home_id)
        while len(self._known) >= MAX_HOMES and home_id not in self._known:
            del self._known[next(iter(self._known))]
        self._known[home_id] = (now, found)
        return found

    async def _look(self, home_id: str) -> Lanes:
        if self._home_of is None:
            return lanes_in("disarmed", "home")
        try:
            async with asyncio.timeout(_LOOK_LIMIT_S):
                home = await self._home_of(home_id)
        except (HomeGuardError, TimeoutError):
            return lanes_in("armed_away", "away")
        return lanes_in(home.arm_state, home.mode) if home is not None else lanes_in("disarmed", "home")
