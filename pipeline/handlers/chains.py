"""What is behind a run of an automation: one run may set off the next, and an assistant's act must set off no door."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from homeguard.clock import Clock
from homeguard.model import Event
from homeguard.ports.journal import Journal

#: Automations that set each other off in a row; the next one is held back.
MAX_DEPTH: Final = 5
#: A device's word within this time after a command to it is taken for what came of the command.
WINDOW: Final = timedelta(seconds=60)
#: Commanded devices that are remembered; the oldest goes first.
_REMEMBERED: Final = 10_000
_LOOKED_AT: Final = 50
_PROGRAMS: Final = frozenset(("agent", "client"))


@dataclass(frozen=True, slots=True)
class Origin:
    """`depth`: this run's place in its chain, 1 for the first. `is_genuine`: a device or a person began it, so what a
    person approved with the automation counts; what an assistant, a client or a third party set off opens nothing."""

    depth: int
    is_genuine: bool


class Chains:
    """Remembers, in this process, which run commanded which device; the journal has who else did."""

    def __init__(self, journal: Journal | None, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._commanded: OrderedDict[tuple[str, str], tuple[float, Origin]] = OrderedDict()

    async def behind(self, decided: Event) -> Origin:
        """Where this run stands."""
        before = self._before(decided)
        return Origin(before.depth + 1 if before is not None else 1, await self._is_genuine(decided, before))

    def note(self, decided: Event, device_id: str, origin: Origin) -> None:
        """This run is about to command that device."""
        key = (decided.home_id, device_id)
        self._commanded[key] = (self._clock.monotonic(), origin)
        self._commanded.move_to_end(key)
        while len(self._commanded) > _REMEMBERED:
            self._commanded.popitem(last=False)

    def _before(self, decided: Event) -> Origin | None:
        known = self._commanded.get((decided.home_id, str(decided.payload.get("device_id") or "")))
        if known is None or self._clock.monotonic() - known[0] > WINDOW.total_seconds():
            return None
        return known[1]

    async def _is_genuine(self, decided: Event, before: Origin | None) -> bool:
        payload = decided.payload
        if payload.get("trust") == "third_party" or payload.get("by") in _PROGRAMS:
            return False
        device_id = str(payload.get("device_id") or "")
        if self._journal is None or not device_id:
            return before is None or before.is_genuine
        since = self._clock.now() - WINDOW
        commands = await self._journal.commands(decided.home_id, since=since, device_id=device_id, limit=_LOOKED_AT)
        caused = await self._journal.command(decided.home_id, str(payload.get("event_cause") or ""))
        callers = {c.caller for c in [*commands, *([caused] if caused is not None else [])] if c.outcome != "failed"}
        if callers & _PROGRAMS or len(commands) == _LOOKED_AT:
            return False
        # a run that this process does not remember: who began it is not known any more
        return before.is_genuine if before is not None else "automation" not in callers
