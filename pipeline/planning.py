"""Gives every rule that goes by the clock its next time in what is written down."""

import logging
from datetime import datetime

from homeguard.automation import is_timed
from homeguard.clock import Clock
from homeguard.errors import InvalidInput
from homeguard.model import Automation, Home
from homeguard.occurrences import next_after
from homeguard.ports.automations import AutomationStore
from homeguard.ports.schedules import Schedule, Schedules
from pipeline.due import made_from

log = logging.getLogger("homeguard.schedule")


class Planning:
    """Safe to repeat: what is right stays as it is. What is written is by the system's clock, which is a home's own
    unless a story is told there."""

    def __init__(self, *, schedules: Schedules, automations: AutomationStore, clock: Clock) -> None:
        self._schedules = schedules
        self._automations = automations
        self._clock = clock

    async def plan(self, home: Home) -> None:
        """Those that have no time yet, or whose time is worked out from something else, or later than it should be: a
        clock that ran ahead. What is gone or switched off goes."""
        rules = {a.id: a for a in await self._automations.of_home(home.id) if a.enabled and is_timed(a)}
        known = {s.id: s for s in await self._schedules.of_home(home.id, kind="rule")}
        for gone in known.keys() - rules.keys():
            await self._schedules.delete(home.id, gone)
        for rule in rules.values():
            before, wanted = known.get(rule.id), self._wanted(rule, home)
            if wanted is None:
                if before is not None:
                    await self._schedules.delete(home.id, rule.id)
            elif before is None or not _is_right(before, wanted):
                await self._schedules.put(wanted)

    def _wanted(self, rule: Automation, home: Home) -> Schedule | None:
        now = self._clock.now()
        due_at = first(rule, now, home)
        if due_at is None:
            return None
        return Schedule(
            home_id=home.id, id=rule.id, kind="rule", due_at=due_at, user_id=rule.created_by,
            made_from=made_from(rule, home), created_at=now,
        )  # fmt: skip


def first(rule: Automation, now: datetime, home: Home) -> datetime | None:
    """Its next time, None when it has none. Of what is to happen once the time, also when it is over: that is made up,
    or noted."""
    if rule.trigger["type"] == "once":
        return datetime.fromisoformat(str(rule.trigger["at"]))
    try:
        return next_after(rule.trigger, now, home)
    except InvalidInput as error:
        log.warning("automation %s of home %s: %s", rule.id, home.id, error.message)
        return None


def _is_right(before: Schedule, wanted: Schedule) -> bool:
    """One that is due, or (`due_at` None) over, is."""
    assert wanted.due_at is not None
    return before.made_from == wanted.made_from and (before.due_at is None or before.due_at <= wanted.due_at)
