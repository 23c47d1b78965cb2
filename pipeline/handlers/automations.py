"""Reflex: decides which automations an event sets off, and writes that down for the group that carries them out.

Carrying out waits for devices, and their answers come through the reflex group: so it may not wait there.
"""

import logging
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Final

from homeguard.automation import evaluate, version_hash
from homeguard.clock import Clock, HomeClocks, iso
from homeguard.ids import derived_id
from homeguard.model import Automation, Event, Home, LiveState, Metadata
from homeguard.ports.automations import AutomationStore
from homeguard.ports.live_state import LiveStateStore
from homeguard.ports.users import UserStore
from pipeline.envelope import OneMoment, sets_off_reflexes
from pipeline.handlers.alerts import Submit
from pipeline.handlers.observed import local_time
from pipeline.processor import Batch

log = logging.getLogger("homeguard.automations")

#: Runs of one automation within the window; more is a rule that feeds itself.
MAX_RUNS: Final = 30
RUNS_WINDOW_S: Final = 60.0


class DecideAutomations:
    """Submits one `command_requested` an automation that an event sets off; its id follows from the two."""

    def __init__(
        self,
        *,
        automations: AutomationStore,
        live: LiveStateStore,
        users: UserStore,
        intake: Submit,
        clock: Clock,
        clocks: HomeClocks,
    ) -> None:
        self._automations = automations
        self._live = live
        self._users = users
        self._intake = intake
        self._clock = clock
        self._clocks = clocks
        self._runs: defaultdict[str, deque[float]] = defaultdict(deque)

    async def __call__(self, batch: Batch) -> None:
        by_home: defaultdict[str, list[Event]] = defaultdict(list)
        now = OneMoment(self._clocks)
        for _, event in batch:
            if sets_off_reflexes(event, now(event.home_id)):
                by_home[event.home_id].append(event)
        decided: list[Event] = []
        for home_id, events in by_home.items():
            rules = [a for a in await self._automations.of_home(home_id) if a.enabled]
            types = {a.trigger.get("event_type") for a in rules}
            waited_for = [e for e in events if e.event_type in types]
            home = await self._users.home(home_id) if waited_for else None
            if home is not None:
                states = await self._live.all(home_id)
                decided += self._decide(home, rules, waited_for, states)
        if decided:
            await self._intake.submit(decided)

    def _decide(
        self, home: Home, rules: list[Automation], events: list[Event], states: Mapping[str, LiveState]
    ) -> list[Event]:
        decided = []
        for event in events:
            local = local_time(event.at, home.time_zone)
            for automation in rules:
                try:
                    fires = evaluate(automation, event, states, home, local)
                except (KeyError, TypeError):
                    log.warning("automation %s has a shape that cannot be judged", automation.id)
                    continue
                if fires and self._may_run(automation.id):
                    decided.append(self._intent(automation, event))
        return decided

    def _may_run(self, automation_id: str) -> bool:
        runs, now = self._runs[automation_id], self._clock.monotonic()
        while runs and now - runs[0] > RUNS_WINDOW_S:
            runs.popleft()
        if len(runs) >= MAX_RUNS:
            log.warning("automation %s ran %d times within a minute and is held back", automation_id, MAX_RUNS)
            return False
        runs.append(now)
        return True

    def _intent(self, automation: Automation, event: Event) -> Event:
        return Event(
            home_id=event.home_id,
            event_id=derived_id("automation", event.home_id, event.event_id, automation.id),
            event_type="command_requested",
            at=event.at,
            received_at=self._clock.now(),
            payload={
                "automation_id": automation.id,
                "version": version_hash(automation),
                "name": automation.name,
                "event_id": event.event_id,
                "event_type": event.event_type,
                "device_id": event.device_id,
                "heard_at": iso(event.received_at),
            },
            metadata=Metadata(is_simulated=event.metadata.is_simulated),
            trust="core",
            cause=event.event_id,
        )
