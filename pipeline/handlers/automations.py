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
from homeguard.ports.log import COMMANDS
from homeguard.ports.users import UserStore
from homeguard.triggers import event_type_of
from pipeline.handlers.alerts import Submit
from pipeline.handlers.before_mend import BeforeMend
from pipeline.handlers.observed import Lateness, local_time
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
        before_mend: BeforeMend | None = None,
    ) -> None:
        """`before_mend` knows what was decided on already: it is read again because a backup took the place of
        `home.db`, and who remembers what was carried out is just that file."""
        self._before_mend = before_mend
        self._automations = automations
        self._live = live
        self._users = users
        self._intake = intake
        self._clock = clock
        self._clocks = clocks
        self._runs: defaultdict[str, deque[float]] = defaultdict(deque)
        #: What the log had before is read again after a crash, as often as it takes: it counted when it came.
        self._began_at = clock.now()

    async def __call__(self, batch: Batch) -> None:
        rules_of: dict[str, list[Automation]] = {}
        types_of: dict[str, frozenset[object]] = {}
        for home_id in {event.home_id: None for _, event in batch}:
            rules = [a for a in await self._automations.of_home(home_id) if a.enabled and event_type_of(a.trigger)]
            if rules:
                rules_of[home_id] = rules
                types_of[home_id] = frozenset(event_type_of(a.trigger) for a in rules)
        if not rules_of:
            return
        judge = Lateness(self._clocks)
        waited_for: defaultdict[str, list[Event]] = defaultdict(list)
        earlier = {event.event_id for record, event in batch if record.appended_at < self._began_at}
        for record, event in batch:
            if event.event_type not in types_of.get(event.home_id, ()) or not judge.sets_off(event):
                continue
            if self._before_mend is None or not self._before_mend.was_decided(record):
                waited_for[event.home_id].append(event)
        decided: list[Event] = []
        for home_id, events in waited_for.items():
            home = await self._users.home(home_id)
            if home is not None:
                decided += self._decide(home, rules_of[home_id], events, await self._live.all(home_id), earlier)
        if self._before_mend is not None and decided:
            decided = await self._not_in_the_log(self._before_mend, decided, batch)
        if decided:
            await self._intake.submit(decided)

    async def _not_in_the_log(self, before_mend: BeforeMend, decided: list[Event], batch: Batch) -> list[Event]:
        """Without the decisions that were made before a backup took the place of `home.db`, and not committed."""
        records = {event.event_id: record for record, event in batch if before_mend.concerns(record)}
        new = []
        for intent in decided:
            record = records.get(intent.cause)
            if record is None or not await before_mend.has(intent.event_id, COMMANDS, since=record, otherwise=True):
                new.append(intent)
        return new

    def _decide(
        self,
        home: Home,
        rules: list[Automation],
        events: list[Event],
        states: Mapping[str, LiveState],
        earlier: set[str],
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
                if fires and (event.event_id in earlier or self._may_run(automation.id)):
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
                "acts_on": [str(a.get("device_id")) for a in automation.actions if a.get("type") == "device_command"],
                "heard_at": iso(event.received_at),
                "event_cause": event.cause,
                "trust": event.trust,
                "by": str(event.payload.get("by") or "") if event.trust == "core" else "",
            },
            metadata=Metadata(is_simulated=event.metadata.is_simulated),
            trust="core",
            cause=event.event_id,
        )
