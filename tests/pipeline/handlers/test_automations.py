"""Automations that really fire: from the event through the gate to the device's own report, once."""

import asyncio
from datetime import timedelta

import pytest
from pipeline_fakes import NOW, device, event, furnish
from rules_at_work import LIGHT_ON, SAY, UNLOCK, System, rule, running

from homeguard.clock import SystemClock
from homeguard.effects import fingerprint, resolve
from homeguard.ports.log import COMMANDS
from homeguard.stores.sqlite.open import open_embedded
from pipeline.envelope import decode
from pipeline.handlers.automation_runs import concerns
from pipeline.handlers.automations import MAX_RUNS, DecideAutomations
from pipeline.intake.intake import Intake
from pipeline.topics import AUTOMATE, RECORD, REFLEX, TOPICS_OF


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
        (decided,) = await system.events("command_requested")
        assert (command.outcome, command.caller, command.cause, command.user_id) == (
            "confirmed", "automation", decided.event_id, "u1",
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


async def test_a_device_that_does_not_answer_holds_up_no_other_rule(real):
    stores, clock = real
    await stores.devices.put([device("dead_lamp", "light", binding={"driver": "dead"})])
    await stores.automations.put(rule("a1", actions=[{**LIGHT_ON, "device_id": "dead_lamp"}]))
    door = {"type": "device_event", "device_id": "hall_motion", "event_type": "motion_stopped"}
    await stores.automations.put(rule("a2", trigger=door))
    async with running(stores, clock) as system, asyncio.timeout(20):
        try:
            await system.intake.submit([event("motion_detected", "hall_motion", at=clock.now(), event_id="m1")])
            await system.dead.asked.wait()
            await system.intake.submit([event("motion_stopped", "hall_motion", at=clock.now(), event_id="m2")])
            while not (lamp := await stores.live.get("h1", "lamp")):  # noqa: ASYNC110 - a state tells nobody
                await asyncio.sleep(0.01)
            assert lamp.attributes == {"on": True}
            assert await stores.log.lag(AUTOMATE) > 0
        finally:
            system.dead.released.set()
        await system.settle()
        assert await stores.log.lag(AUTOMATE) == 0
        commands = await stores.journal.commands("h1", since=NOW - timedelta(days=9999))

    assert {c.device_id: c.outcome for c in commands} == {"dead_lamp": "failed", "lamp": "confirmed"}


async def test_what_a_decision_concerns_are_its_devices_or_the_rule_itself(decide, stores):
    await stores.automations.put(rule("a1", actions=[LIGHT_ON, SAY, LIGHT_ON]))
    await stores.automations.put(rule("a2", actions=[SAY]))

    decided = await decide(event("motion_detected", "hall_motion"))

    assert sorted(map(concerns, decided)) == [["h1/a2"], ["h1/lamp"]]
    assert concerns(event("command_requested", payload={"automation_id": "a3"})) == ["h1/a3"]


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
