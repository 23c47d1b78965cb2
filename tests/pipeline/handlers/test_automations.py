"""Automations that really fire: from the event through the gate to the device's own report, once."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from pipeline_fakes import NOW, device, event, furnish

from homeguard.automation import parse
from homeguard.clock import HomeClocks, SystemClock
from homeguard.effects import fingerprint, resolve
from homeguard.ports.log import COMMANDS
from homeguard.stores.sqlite.open import open_embedded
from pipeline.command.execution import Execution
from pipeline.command.service import CommandService
from pipeline.command.waiting import Reports
from pipeline.drivers.simulated import SimulatedDriver
from pipeline.envelope import decode
from pipeline.handlers.automation_runs import RunAutomations
from pipeline.handlers.automations import MAX_RUNS, DecideAutomations
from pipeline.handlers.events import StoreEvents
from pipeline.handlers.live_state import KeepLiveState
from pipeline.handlers.subscribers import TellSubscribers
from pipeline.intake.intake import Intake
from pipeline.processor import Processor
from pipeline.topics import AUTOMATE, RECORD, REFLEX, TOPICS_OF

LIGHT_ON = {"type": "device_command", "device_id": "lamp", "command": "turn_on"}
UNLOCK = {"type": "device_command", "device_id": "front_door_lock", "command": "unlock"}
SAY = {"type": "notification", "message": "Somebody is in the hall"}


def rule(rule_id="a1", *, now=NOW, **changes):
    body = {
        "name": "Hall light",
        "trigger": {"type": "device_event", "device_id": "hall_motion", "event_type": "motion_detected"},
        "actions": [LIGHT_ON, SAY],
        **changes,
    }
    return parse(body, home_id="h1", automation_id=rule_id, created_by="u1", now=now)


class System:
    """The data plane and the one way to act, put together as one process does."""

    def __init__(self, stores, clock, standing=None) -> None:
        self.stores, self.clock, self.clocks = stores, clock, HomeClocks(clock)
        s = stores
        self.intake = Intake(log=s.log, devices=s.devices, clock=clock, clocks=self.clocks)
        self.reports = Reports(feed=s.feed, live=s.live)
        execution = Execution(
            drivers={"simulated": SimulatedDriver(self.intake, clock, self.clocks)}, journal=s.journal, feed=s.feed,
            intake=self.intake, reports=self.reports, clock=clock, confirm_timeout_s=5.0,
        )  # fmt: skip
        self.commands = CommandService(
            users=s.users, devices=s.devices, live=s.live, feed=s.feed, journal=s.journal,
            confirmations=s.confirmations, audit=s.audit, execution=execution, acts={}, clock=clock,
        )  # fmt: skip
        decide = DecideAutomations(
            automations=s.automations, live=s.live, users=s.users, intake=self.intake, clock=clock, clocks=self.clocks
        )
        run = RunAutomations(
            automations=s.automations, commands=self.commands, outbox=s.outbox, users=s.users, feed=s.feed,
            intake=self.intake, clock=clock, clocks=self.clocks, standing=standing,
        )  # fmt: skip
        handlers = {
            REFLEX: [KeepLiveState(s.live), TellSubscribers(s.feed, self.clocks), decide],
            AUTOMATE: [run],
            RECORD: [StoreEvents(s.events)],
        }
        self.processors = {g: Processor(s.log, g, TOPICS_OF[g], h, clock) for g, h in handlers.items()}

    async def settle(self) -> None:
        """What was appended is decided, what was decided is carried out, what came of it is stored."""
        for group in (REFLEX, AUTOMATE, REFLEX, RECORD):
            async with asyncio.timeout(20):
                await self.processors[group].caught_up()

    async def events(self, event_type):
        page = await self.stores.events.query("h1", event_types=[event_type])
        return list(reversed(page.items))


@asynccontextmanager
async def running(stores, clock, standing=None):
    system, stop, ready = System(stores, clock, standing), asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(system.reports.run(ready))
        await ready.wait()
        for processor in system.processors.values():
            group.create_task(processor.run(stop))
        try:
            yield system
        finally:
            stop.set()
            watch.cancel()


@pytest.fixture
async def real(tmp_path):
    """Stores on the system's clock: commands expire by it."""
    clock = SystemClock()
    async with open_embedded(tmp_path / "home", clock) as stores:
        binding = {"driver": "simulated"}
        await furnish(
            stores,
            device("hall_motion", "motion"),
            device("lamp", "light", binding=binding),
            device("front_door_lock", "lock", binding=binding),
        )
        yield stores, clock


async def test_an_event_turns_the_light_on_through_the_gate_and_tells_the_people(real):
    stores, clock = real
    await stores.automations.put(rule())
    async with running(stores, clock) as system:
        await system.intake.submit([event("motion_detected", "hall_motion", at=clock.now(), event_id="m1")])
        await system.settle()

        assert (await stores.live.get("h1", "lamp")).attributes == {"on": True}
        (command,) = await stores.journal.commands("h1", since=NOW - timedelta(days=9999))
        assert (command.outcome, command.caller, command.cause, command.user_id) == (
            "confirmed", "automation", "m1", "u1",
        )  # fmt: skip
        (ran,) = await system.events("automation_ran")
        assert [a["outcome"] for a in ran.payload["actions"]] == ["confirmed", "sent"]
        assert ran.cause == "m1"
        notices = await stores.outbox.query("h1", start=clock.now() - timedelta(hours=1), end=clock.now())
        assert {(n.recipient, n.text, n.priority) for n in notices} == {
            ("u1", "Somebody is in the hall", "normal"),
            ("u2", "Somebody is in the hall", "normal"),
        }


async def test_an_automation_never_unlocks_without_a_persons_yes(real):
    stores, clock = real
    await stores.automations.put(rule(actions=[UNLOCK]))
    async with running(stores, clock) as system:
        await system.intake.submit([event("motion_detected", "hall_motion", at=clock.now())])
        await system.settle()

        (ran,) = await system.events("automation_ran")
        assert [a["outcome"] for a in ran.payload["actions"]] == ["refused"]
        assert await stores.live.get("h1", "front_door_lock") is None


@pytest.mark.parametrize(("seconds_ago", "outcome"), [(0, "confirmed"), (60, "refused")])
async def test_a_standing_yes_opens_the_door_at_once_or_not_at_all(real, seconds_ago, outcome):
    stores, clock = real
    await stores.automations.put(rule(actions=[UNLOCK]))
    lock = await stores.devices.get("h1", "front_door_lock")
    yes = fingerprint(resolve(lock, None, "unlock", {}, "metric"))

    async def standing(_):
        return frozenset((yes,))

    async with running(stores, clock, standing) as system:
        heard_at = clock.now() - timedelta(seconds=seconds_ago)
        await system.intake.submit([event("motion_detected", "hall_motion", at=clock.now(), received_at=heard_at)])
        await system.settle()

        (ran,) = await system.events("automation_ran")
        assert [a["outcome"] for a in ran.payload["actions"]] == [outcome]


async def test_one_action_that_cannot_be_carried_out_does_not_stop_the_others(real):
    stores, clock = real
    gone = {"type": "device_command", "device_id": "gone", "command": "turn_on"}
    await stores.automations.put(rule(actions=[gone, LIGHT_ON]))
    async with running(stores, clock) as system:
        await system.intake.submit([event("motion_detected", "hall_motion", at=clock.now())])
        await system.settle()

        (ran,) = await system.events("automation_ran")
        assert [a["outcome"] for a in ran.payload["actions"]] == ["failed", "confirmed"]
        assert ran.payload["actions"][0]["reason"] == "this home has no device 'gone'"


async def test_replaying_every_group_from_the_start_does_nothing_twice(real):
    stores, clock = real
    await stores.automations.put(rule())
    async with running(stores, clock) as system:
        await system.intake.submit([event("motion_detected", "hall_motion", at=clock.now(), event_id="m1")])
        await system.settle()
    before = (
        await stores.journal.commands("h1", since=NOW - timedelta(days=9999)),
        await stores.outbox.query("h1", start=clock.now() - timedelta(hours=1), end=clock.now()),
    )
    count = await stores.events.count("h1")
    for group in (REFLEX, AUTOMATE, RECORD):
        await stores.log.seek(group, None)
    async with running(stores, clock) as system:
        await system.settle()

    assert before == (
        await stores.journal.commands("h1", since=NOW - timedelta(days=9999)),
        await stores.outbox.query("h1", start=clock.now() - timedelta(hours=1), end=clock.now()),
    )
    assert await stores.events.count("h1") == count


@pytest.mark.parametrize("change", ["deleted", "disabled", "changed"])
async def test_what_changed_between_deciding_and_running_does_not_run(real, change):
    stores, clock = real
    await stores.automations.put(rule())
    system = System(stores, clock)
    await system.intake.submit([event("motion_detected", "hall_motion", at=clock.now())])
    batch = [(r, decode(r)) for r in await stores.log.read("g", TOPICS_OF[REFLEX], limit=10, wait_s=1)]
    await system.processors[REFLEX]._handlers[-1](batch)
    if change == "deleted":
        await stores.automations.delete("h1", "a1")
    else:
        await stores.automations.put(rule(enabled=False) if change == "disabled" else rule(actions=[UNLOCK]))
    decided = [(r, decode(r)) for r in await stores.log.read("c", [COMMANDS], limit=10, wait_s=1)]
    await system.processors[AUTOMATE]._handlers[0](decided)

    assert len(decided) == 1
    assert await stores.journal.commands("h1", since=NOW - timedelta(days=9999)) == []
    assert await stores.outbox.undelivered() == []


@pytest.fixture
async def decide(stores, clock, clocks):
    await furnish(stores, device("hall_motion", "motion"), device("lamp", "light"))
    intake = Intake(log=stores.log, devices=stores.devices, clock=clock, clocks=clocks)
    handler = DecideAutomations(
        automations=stores.automations, live=stores.live, users=stores.users, intake=intake, clock=clock, clocks=clocks
    )

    async def decided(*events):
        await intake.submit(events)
        records = await stores.log.read("decide", TOPICS_OF[REFLEX], limit=1000, wait_s=0.01)
        await handler([(r, decode(r)) for r in records])
        return [decode(r) for r in await stores.log.read("decided", [COMMANDS], limit=1000, wait_s=0.01)]

    return decided


async def test_the_past_sets_no_automation_off(decide, stores):
    await stores.automations.put(rule())

    assert await decide(
        event("motion_detected", "hall_motion", at=NOW - timedelta(minutes=16)),
        event("motion_detected", "hall_motion", event_id="r", source="replay"),
    ) == []  # fmt: skip


async def test_a_time_range_is_in_the_homes_zone(decide, stores, clock):
    night = [{"type": "time_range", "start": "22:00", "end": "06:00"}]
    await stores.automations.put(rule(conditions=night))

    fired = []
    for hour in (1, 2, 9, 10):  # 21:00, 22:00, 05:00 and 06:00 in New York, in summer time since 8 March
        clock.at = NOW.replace(hour=hour)
        fired.append(len(await decide(event("motion_detected", "hall_motion", at=clock.at))))

    assert fired == [0, 1, 1, 0]


async def test_a_rule_that_feeds_itself_is_held_back(decide, stores, clock):
    await stores.automations.put(rule())
    events = [event("motion_detected", "hall_motion", event_id=f"m{i}") for i in range(MAX_RUNS + 20)]

    assert len(await decide(*events)) == MAX_RUNS
    clock.advance(timedelta(seconds=61))
    assert len(await decide(event("motion_detected", "hall_motion", event_id="later"))) == 1


async def test_rules_of_one_home_never_see_another_homes_events(decide, stores):
    await stores.automations.put(rule())

    assert await decide(event("motion_detected", "hall_motion", home_id="h2")) == []


async def test_a_forged_decision_from_outside_is_not_run(real):
    stores, clock = real
    await stores.automations.put(rule())
    system = System(stores, clock)
    forged = event(
        "command_requested",
        at=clock.now(),
        source="http",
        trust="device",
        payload={"automation_id": "a1", "version": ""},
    )
    await system.intake.submit([forged])
    decided = [(r, decode(r)) for r in await stores.log.read("c", [COMMANDS], limit=10, wait_s=1)]
    await system.processors[AUTOMATE]._handlers[0](decided)

    assert await stores.journal.commands("h1", since=NOW - timedelta(days=9999)) == []
