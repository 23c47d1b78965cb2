"""Does things at their time: rules that go by the clock, what waits behind a delay, people's timers.

A rule's times are by the home's clock, delays and timers by the system's. What is due is written down (`Schedules`) and
taken by one process. A run is decided as an event decides one: it is appended to the log for the group that carries it
out, under an id that follows from the rule and the time, and only then is the next time written. A crash in between
decides again under the same id, and nothing is done twice.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from homeguard.automation import conditions_hold, is_timed, version_hash
from homeguard.causes import schedule_cause
from homeguard.clock import CORRECTION, Clock, HomeClocks, iso, pause
from homeguard.errors import HomeGuardError, InvalidInput, Overloaded, StoreUnavailable
from homeguard.ids import derived_id
from homeguard.model import Automation, Event, Home, Json
from homeguard.occurrences import next_after, zone
from homeguard.ports.automations import AutomationStore
from homeguard.ports.live_state import LiveStateStore
from homeguard.ports.log import COMMANDS, EVENTS
from homeguard.ports.schedules import Schedule, Schedules
from homeguard.ports.users import UserStore
from homeguard.triggers import told
from pipeline.due import ONCE_GRACE, Due, decision_id, due_now, grace_of, made_from
from pipeline.handlers.alerts import Submit
from pipeline.handlers.before_mend import BeforeMend
from pipeline.planning import Planning
from pipeline.ringing import Ringing, ring_id

log = logging.getLogger("homeguard.schedule")

#: What one process takes at a time, and for how long nobody else does.
TAKEN: Final = 500
LEASE: Final = timedelta(seconds=30)
#: The longest wait: a clock that was set, or a machine that slept, is noticed by then.
LONGEST_WAIT_S: Final = 30.0
#: The same where other processes make rules and set timers too.
LONGEST_WAIT_SHARED_S: Final = 2.0
#: How long it is waited after something failed, or when what is due is another's.
AGAIN_S: Final = 1.0
#: Other processes' rules are looked at this often.
PLAN_EVERY_S: Final = 60.0
#: So long a rule that another process made may be unknown here.
NEW: Final = timedelta(minutes=2)
MISSED: Final = "HomeGuard was not running when this was due"
NOT_NOW: Final = "its conditions did not hold then"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What comes of one that was due: what is appended, what it is then (None: gone), and a rule that is over without
    having been run."""

    events: list[Event] = field(default_factory=list)
    then: Schedule | None = None
    over: Automation | None = None


class Scheduler:
    """`by` names this process among those that share `schedules`; it is the same after a restart."""

    def __init__(
        self,
        *,
        schedules: Schedules,
        automations: AutomationStore,
        live: LiveStateStore,
        users: UserStore,
        intake: Submit,
        ringing: Ringing,
        clock: Clock,
        clocks: HomeClocks,
        by: str,
        changed: asyncio.Event | None = None,
        is_shared: bool = False,
        before_mend: BeforeMend | None = None,
    ) -> None:
        """`changed` is set by who made something due earlier than was known. `before_mend` knows what was decided
        already: rows that a backup brought back are due again."""
        self._before_mend = before_mend
        self._planning = Planning(schedules=schedules, automations=automations, clock=clock)
        self._schedules = schedules
        self._automations = automations
        self._live = live
        self._users = users
        self._intake = intake
        self._ringing = ringing
        self._clock = clock
        self._clocks = clocks
        self._by = by
        self._is_shared = is_shared
        self._changed = changed or asyncio.Event()
        #: Homes whose rules are to be looked at; None: all.
        self._unplanned: set[str] | None = None
        #: How far the rules of a home with a time of its own have come, by that time.
        self._walked: dict[str, datetime] = {}
        self._latest = clock.now()
        clocks.watch(self._changed.set)

    async def run(self) -> None:
        """Until cancelled. What a store does not take now is tried again."""
        planned_at = self._clock.monotonic()
        while True:
            self._changed.clear()
            try:
                if self._is_shared and self._clock.monotonic() - planned_at >= PLAN_EVERY_S:
                    self._unplanned = None
                if self._unplanned is None:
                    planned_at = self._clock.monotonic()
                wait_s = await self.round()
            except HomeGuardError as error:
                log.warning("what is due waits: %s", error.message)
                wait_s = AGAIN_S
            except Exception:  # whatever it is, the next one is due all the same
                log.exception("schedules")
                wait_s = AGAIN_S
            if wait_s > 0:
                await pause(self._clock, wait_s, self._changed)

    async def round(self) -> float:
        """Do what is due; returns how long nothing will be, in seconds.

        Raises:
            StoreUnavailable: something could not be read or written; what was done is not done twice.
        """
        now = self._clock.now()
        if now < self._latest - CORRECTION:
            self._unplanned = None  # what was worked out by a clock that ran ahead may lie too late
        self._latest = now
        await self._plan()
        apart = self._clocks.shifted()
        waits = [await self._walk(home_id) for home_id in sorted(apart)]
        self._walked = {home_id: at for home_id, at in self._walked.items() if home_id in apart}
        following = await self._schedules.next_due(without_rules=apart)
        if following is not None and following <= now:
            taken = await self._schedules.take(
                now, by=self._by, now=now, until=now + LEASE, without_rules=apart, limit=TAKEN
            )
            # what is due and not to be had is another's
            return 0.0 if await self._do(taken) else AGAIN_S
        if following is not None:
            waits.append((following - now).total_seconds())
        return min([LONGEST_WAIT_SHARED_S if self._is_shared else LONGEST_WAIT_S, *waits])

    async def _plan(self) -> None:
        wanted, self._unplanned = self._unplanned, set()
        try:
            for home in await self._users.homes():
                if wanted is None or home.id in wanted:
                    await self._planning.plan(home)
        except BaseException:
            self._unplanned = None
            raise

    # -- what is due ---------------------------------------------------------------------------------------------------

    async def _do(self, taken: Sequence[Schedule]) -> int:
        """All decisions of one take in one append, then their next times in one transaction; returns how many there
        were."""
        done = [await self._one(schedule) for schedule in taken]
        events = [event for one in done for event in one.events]
        if events:
            await self._intake.submit(events)
        moves = [(schedule, one.then) for schedule, one in zip(taken, done, strict=True) if one.then is not schedule]
        await self._schedules.move(moves)
        for one in done:
            if one.over is not None:
                await self._end(one.over)
        return len(moves)

    async def _one(self, schedule: Schedule) -> "_Done":
        try:
            match schedule.kind:
                case "rule":
                    return await self._rule(schedule)
                case "rest":
                    is_done = await self._was_decided(schedule.made_from, COMMANDS, schedule.due_at)
                    return _Done() if is_done else _Done(events=[self._rest(schedule)])
                case "timer":
                    is_done = await self._was_decided(ring_id(schedule), EVENTS, schedule.due_at)
                    return _Done() if is_done else _Done(events=await self._ringing.ring(schedule))
        except (StoreUnavailable, Overloaded):
            raise
        except Exception:  # one that cannot be read does not hold up the others
            log.exception("schedule %s of home %s", schedule.id, schedule.home_id)
        return _Done()

    async def _rule(self, schedule: Schedule) -> "_Done":
        home = await self._users.home(schedule.home_id)
        rule = await self._automations.get(schedule.home_id, schedule.id)
        if rule is None and self._is_shared and self._is_new(schedule):
            return _Done(then=schedule)  # another process made it a moment ago
        if home is None or rule is None or not rule.enabled or not is_timed(rule) or schedule.due_at is None:
            return _Done()
        if schedule.made_from != made_from(rule, home):
            if self._unplanned is not None:
                self._unplanned.add(home.id)
            self._changed.set()
            return _Done()
        now = self._clocks.now(home.id)
        due = due_now(rule, schedule.due_at, now, home)
        is_last = rule.trigger["type"] == "once"
        events = [self._missed(rule, home, due)] if due.missed else []
        is_run = False
        if await self._was_decided(decision_id(rule, due.run_at or schedule.due_at), COMMANDS, schedule.due_at):
            events = []
        elif due.run_at is not None:
            event = await self._run(rule, home, due.run_at, now)
            is_run = event is not None and event.event_type == "command_requested"
            events += [event] if event is not None else []
        elif is_last:
            await self._ringing.tell_missed(rule, schedule.due_at, home)
        # what happens once is held until the rule is gone, so that it is known to be over
        then = replace(schedule, due_at=due.then) if due.then is not None or is_last else None
        return _Done(events=events, then=then, over=rule if is_last and not is_run else None)

    async def _was_decided(self, event_id: str, topic: str, due_at: datetime | None) -> bool:
        if self._before_mend is None or due_at is None:
            return False
        return await self._before_mend.has_since(event_id, topic, due_at)

    def _is_new(self, schedule: Schedule) -> bool:
        return schedule.created_at is not None and self._clock.now() - schedule.created_at < NEW

    async def _run(self, rule: Automation, home: Home, due_at: datetime, now: datetime) -> Event | None:
        """The decision to run it; None, or for what happens once a note, when its conditions do not hold."""
        states = await self._live.all(home.id) if rule.conditions else {}
        decided = self._decided(rule, home, due_at, now)
        if conditions_hold(rule, states, home, now.astimezone(zone(home))):
            return decided
        return self._noted(decided, NOT_NOW) if rule.trigger["type"] == "once" else None

    def _decided(self, rule: Automation, home: Home, due_at: datetime, now: datetime) -> Event:
        cause = schedule_cause(rule.id, due_at)
        # how late it is counts by the system's clock: a yes that was given beforehand is for its moment
        heard_at = self._clock.now() - (now - due_at)
        payload: dict[str, Json] = {
            "automation_id": rule.id,
            "version": version_hash(rule),
            "name": rule.name,
            "event_id": "",
            "event_type": "schedule",
            "device_id": "",
            "acts_on": [str(a.get("device_id")) for a in rule.actions if a.get("type") == "device_command"],
            "heard_at": iso(heard_at),
            "event_cause": "",
            "trust": "core",
            "by": "",
            "due_at": iso(due_at),
            "schedule": told(rule.trigger, home),
        }
        return Event(
            home_id=home.id,
            event_id=decision_id(rule, due_at),
            event_type="command_requested",
            at=now,
            received_at=self._clock.now(),
            payload=payload,
            trust="core",
            cause=cause,
        )

    def _missed(self, rule: Automation, home: Home, due: Due) -> Event:
        """What was missed, as one outcome of the rule."""
        assert due.missed_since is not None
        decided = self._decided(rule, home, due.missed_since, self._clocks.now(home.id))
        times = f" ({due.missed} times)" if due.missed > 1 else ""
        return self._noted(decided, f"{MISSED}{times}", missed=due.missed)

    def _noted(self, decided: Event, reason: str, *, missed: int = 0) -> Event:
        """In the place of the outcome that a run would have had: under the same id, so that one of them counts."""
        outcome: dict[str, Json] = {"outcome": "refused", "reason": reason}
        payload: dict[str, Json] = {**decided.payload, "missed": missed, "actions": [outcome]}
        return Event(
            home_id=decided.home_id, event_id=derived_id("automation_ran", decided.event_id),
            event_type="automation_ran", at=decided.at, received_at=decided.received_at, payload=payload, trust="core",
            cause=decided.cause,
        )  # fmt: skip

    def _rest(self, schedule: Schedule) -> Event:
        """The decision to go on behind a delay; one that comes too late is noted by who carries it out."""
        now, due_at = self._clock.now(), schedule.due_at
        assert due_at is not None
        home_now = self._clocks.now(schedule.home_id)
        detail = schedule.detail
        is_late = now - due_at > ONCE_GRACE
        return Event(
            home_id=schedule.home_id,
            event_id=schedule.made_from,
            event_type="command_requested",
            at=home_now - (now - due_at) if is_late else home_now,
            received_at=now,
            payload={**detail["payload"], "heard_at": iso(due_at)},  # type: ignore[dict-item]
            trust="core",
            cause=str(detail["cause"]),
        )

    async def _end(self, rule: Automation) -> None:
        """What was to happen once, and will not. A store that is away lets it stay: it is not run again."""
        try:
            await self._automations.delete(rule.home_id, rule.id)
            await self._schedules.delete(rule.home_id, rule.id)
        except HomeGuardError as error:
            log.warning("automation %s is over and stays: %s", rule.id, error.message)

    # -- homes with a time of their own --------------------------------------------------------------------------------

    async def _walk(self, home_id: str) -> float:
        """Run the rules of a home whose clock was set, by that clock, and leave what is written alone; returns how long
        nothing will be due there. What the clock passed over when it was set is not run."""
        home = await self._users.home(home_id)
        if home is None:
            return LONGEST_WAIT_S
        now = self._clocks.now(home_id)
        since = self._walked.get(home_id, now)
        begin = since if since <= now else now
        events: list[Event] = []
        waits = [LONGEST_WAIT_S]
        for rule in await self._automations.of_home(home_id):
            if not rule.enabled or not is_timed(rule):
                continue
            at = self._after(rule, begin - timedelta(microseconds=1), home)
            while at is not None and at < now - grace_of(rule):
                at = self._after(rule, max(at, now - grace_of(rule) - timedelta(microseconds=1)), home)
            if at is not None and at <= now:
                event = await self._run(rule, home, at, now)
                events += [event] if event is not None else []
                at = self._after(rule, now, home)
            if at is not None:
                waits.append((at - now).total_seconds())
        if events:
            await self._intake.submit(events)
        self._walked[home_id] = now + timedelta(microseconds=1)
        return max(min(waits), 0.001)

    def _after(self, rule: Automation, after: datetime, home: Home) -> datetime | None:
        try:
            return next_after(rule.trigger, after, home)
        except InvalidInput:
            return None
