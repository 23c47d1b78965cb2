"""Rules that go by the clock, delays and timers, from the time that comes to the lamp that burns: once, in any case."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pipeline_fakes import ManualClock, device, event, furnish
from rules_at_work import LIGHT_ON, SAY, UNLOCK, rule, running

from homeguard.effects import fingerprint, resolve
from homeguard.errors import StoreUnavailable
from homeguard.model import Event
from homeguard.ports.live_state import StateChange
from homeguard.ports.log import COMMANDS, EVENTS
from homeguard.ports.schedules import Schedule
from homeguard.stores.sqlite.open import open_embedded
from pipeline.due import made_from
from pipeline.handlers.before_mend import BeforeMend
from pipeline.schedule import LONGEST_WAIT_S

ZONE = ZoneInfo("America/New_York")
START = datetime(2026, 5, 1, 6, 0, tzinfo=ZONE)  # a Friday
AT_SEVEN = {"type": "time", "at": "07:00"}
LIGHT_OFF = {"type": "device_command", "device_id": "lamp", "command": "turn_off"}
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


class WallClock(ManualClock):
    """Set by hand; who waits waits really."""

    def monotonic(self):
        return time.monotonic()

    async def sleep(self, delay_s):
        await asyncio.sleep(delay_s)


@pytest.fixture
async def home(tmp_path):
    clock = WallClock(START.astimezone(UTC))
    async with open_embedded(tmp_path / "home", clock) as stores:
        binding = {"driver": "simulated"}
        await furnish(
            stores,
            device("hall_motion", "motion"),
            device("lamp", "light", binding=binding),
            device("front_door_lock", "lock", binding=binding),
        )
        known = await stores.users.home("h1")
        await stores.users.put_home(replace(known, time_zone="America/New_York", latitude=40.7128, longitude=-74.006))
        yield stores, clock


def by_clock(rule_id="a1", trigger=AT_SEVEN, actions=(LIGHT_ON,), **changes):
    return rule(rule_id, trigger=trigger, actions=list(actions), **changes)


async def come(system, to) -> float:
    """It becomes that time, and what is due is done; how long nothing will be."""
    system.clock.at = (to if isinstance(to, datetime) else system.clock.at + to).astimezone(UTC)
    wait_s = await system.scheduler.round()
    await system.settle()
    return wait_s


async def told(system):
    """The commands to devices, in order."""
    return [f"{c.device_id} {c.command}" for c in system.sent]


async def ran(system):
    return [[a.get("outcome") for a in e.payload["actions"]] for e in await system.events("automation_ran")]


async def test_every_morning_it_runs_once_and_waits_till_the_next(home):
    stores, clock = home
    await stores.automations.put(by_clock())
    async with running(stores, clock) as system:
        assert await come(system, START) == LONGEST_WAIT_S
        assert await told(system) == []
        assert await come(system, START + HOUR - 10 * SECOND) == pytest.approx(10, abs=0.01)

        await come(system, START + HOUR)
        await come(system, SECOND)
        await come(system, MINUTE)

        assert await told(system) == ["lamp turn_on"]
        (decided,) = await system.events("command_requested")
        assert decided.payload["due_at"] == "2026-05-01T11:00:00.000Z"
        assert decided.payload["schedule"] == "at 07:00"
        assert decided.cause == "schedule:a1@2026-05-01T11:00:00.000Z"
        (done,) = await system.events("automation_ran")
        assert (done.cause, done.payload["actions"][0]["outcome"]) == (decided.cause, "confirmed")
        (kept,) = await stores.schedules.of_home("h1")
        assert kept.due_at == (START + 25 * HOUR).astimezone(UTC)


async def test_a_run_that_was_slept_through_is_made_up_for_five_minutes_and_then_noted(home):
    stores, clock = home
    await stores.automations.put(by_clock())
    async with running(stores, clock) as system:
        await come(system, START)
        await come(system, START + HOUR + 4 * MINUTE)
        assert await told(system) == ["lamp turn_on"]

        await come(system, START + 25 * HOUR + 6 * MINUTE)

        assert await told(system) == ["lamp turn_on"]
        missed = (await system.events("automation_ran"))[-1]
        assert missed.payload["missed"] == 1
        assert missed.payload["actions"] == [
            {"outcome": "refused", "reason": "HomeGuard was not running when this was due"}
        ]


async def test_after_three_days_off_the_last_one_is_run_and_no_burst(home):
    stores, clock = home
    await stores.automations.put(by_clock())
    async with running(stores, clock) as system:
        await come(system, START)
        await come(system, START + 73 * HOUR + MINUTE)

        assert await told(system) == ["lamp turn_on"]
        noted = {e.payload.get("missed") for e in await system.events("automation_ran")}
        assert noted == {3, None}


async def test_what_is_to_happen_once_happens_and_is_gone(home):
    stores, clock = home
    await stores.automations.put(by_clock(trigger={"type": "once", "at": (START + 10 * MINUTE).isoformat()}))
    async with running(stores, clock) as system:
        await come(system, START)
        assert await told(system) == []
        await come(system, START + 10 * MINUTE)
        await come(system, MINUTE)

        assert await told(system) == ["lamp turn_on"]
        assert await stores.automations.of_home("h1") == []
        assert await stores.schedules.of_home("h1") == []
        assert await ran(system) == [["confirmed"]]


async def test_once_is_made_up_for_a_quarter_of_an_hour_and_then_its_person_hears_that_it_was_not_done(home):
    stores, clock = home
    at = START + 10 * MINUTE
    await stores.automations.put(by_clock("early", trigger={"type": "once", "at": at.isoformat()}))
    await stores.automations.put(by_clock("late", trigger={"type": "once", "at": (at - 6 * MINUTE).isoformat()}))
    async with running(stores, clock) as system:
        await come(system, START)
        await come(system, at + 14 * MINUTE)

        assert await told(system) == ["lamp turn_on"]
        assert await stores.automations.of_home("h1") == []
        assert sorted(await ran(system)) == [["confirmed"], ["refused"]]
        (notice,) = await stores.outbox.undelivered()
        assert (notice.recipient, notice.title) == ("u1", "Not done: Hall light")
        assert "due on Fri 1 May at 06:04" in notice.text


async def test_conditions_are_judged_at_the_time(home):
    stores, clock = home
    dark = {"type": "sun", "after": "sunset", "before": "sunrise"}
    await stores.automations.put(by_clock("weekend", conditions=[{"type": "days", "days": ["weekend"]}]))
    await stores.automations.put(by_clock("dark", actions=[LIGHT_OFF], conditions=[dark]))
    once = {"type": "once", "at": (START + HOUR).isoformat()}
    await stores.automations.put(by_clock("away", trigger=once, conditions=[{"type": "mode", "mode": "away"}]))
    async with running(stores, clock) as system:
        await come(system, START)
        await come(system, START + HOUR)  # a bright Friday morning, with people at home

        assert await told(system) == []
        assert [e.payload["actions"][0]["reason"] for e in await system.events("automation_ran")] == [
            "its conditions did not hold then"
        ]
        assert [a.id for a in await stores.automations.of_home("h1")] == ["dark", "weekend"]

        await come(system, START + 25 * HOUR)
        assert await told(system) == ["lamp turn_on"]


async def test_twice_a_year_the_clocks_change_and_each_day_has_its_one_run(home):
    stores, clock = home
    await stores.automations.put(by_clock(trigger={"type": "time", "at": "02:30"}))
    async with running(stores, clock) as system:
        await come(system, datetime(2026, 3, 8, 1, 0, tzinfo=ZONE))
        await come(system, datetime(2026, 3, 8, 3, 0, tzinfo=ZONE))
        assert await told(system) == ["lamp turn_on"]
        await come(system, datetime(2026, 10, 31, 3, 0, tzinfo=ZONE))
        before = len(system.sent)
        for minutes in range(0, 300, 10):
            await come(system, datetime(2026, 11, 1, 4, 0, tzinfo=UTC) + minutes * MINUTE)
        assert len(system.sent) == before + 1


async def test_a_step_back_of_the_clock_neither_doubles_nor_loses_one(home):
    stores, clock = home
    await stores.automations.put(by_clock())
    async with running(stores, clock) as system:
        await come(system, START)
        await come(system, START + HOUR)
        await come(system, START + HOUR - 30 * MINUTE)
        await come(system, START + HOUR)
        assert await told(system) == ["lamp turn_on"]

        await come(system, START + timedelta(days=365))  # a clock that runs wild, and is put right
        count = len(system.sent)
        await come(system, START + 24 * HOUR)
        await come(system, START + 25 * HOUR)
        assert len(system.sent) == count + 1


async def test_a_changed_zone_moves_what_comes(home):
    stores, clock = home
    await stores.automations.put(by_clock())
    async with running(stores, clock) as system:
        await come(system, START)
        known = await stores.users.home("h1")
        await stores.users.put_home(replace(known, time_zone="America/Los_Angeles"))
        await come(system, START + HOUR)
        assert await told(system) == []
        await come(system, MINUTE)
        await come(system, START + 4 * HOUR)
        assert await told(system) == ["lamp turn_on"]


@pytest.mark.parametrize("change", ["off", "gone", "other"])
async def test_what_was_changed_when_it_was_due_does_not_run(home, change):
    stores, clock = home
    await stores.automations.put(by_clock())
    async with running(stores, clock) as system:
        await come(system, START)
        if change == "off":
            await stores.automations.put(by_clock(enabled=False))
        elif change == "gone":
            await stores.automations.delete("h1", "a1")
        else:
            await stores.automations.put(by_clock(trigger={"type": "time", "at": "09:00"}))
        await come(system, START + HOUR)
        assert await told(system) == []
        await come(system, SECOND)
        left = [s.due_at for s in await stores.schedules.of_home("h1")]
        assert left == ([(START + 3 * HOUR).astimezone(UTC)] if change == "other" else [])


async def test_two_processes_run_it_once(home):
    stores, clock = home
    for n in range(20):
        await stores.automations.put(by_clock(f"a{n}"))
    async with running(stores, clock) as system:
        both = [system.scheduler_of(name, is_shared=True) for name in ("one", "two")]
        await asyncio.gather(*(s.round() for s in both))
        clock.at = (START + HOUR).astimezone(UTC)
        await asyncio.gather(*(s.round() for s in both))
        await asyncio.gather(*(s.round() for s in both))
        await system.settle()

        assert len(await system.events("command_requested")) == 20
        assert len(system.sent) == 20


async def test_decided_again_after_a_crash_it_is_done_once(home, monkeypatch):
    """The append went through, the next time was not written: the same decision comes twice."""
    stores, clock = home
    await stores.automations.put(by_clock(actions=[LIGHT_ON, SAY]))
    async with running(stores, clock) as system:
        await come(system, START)
        move = stores.schedules.move

        async def torn(moves):
            raise StoreUnavailable("killed here")

        monkeypatch.setattr(stores.schedules, "move", torn)
        with pytest.raises(StoreUnavailable):
            await come(system, START + HOUR)
        monkeypatch.setattr(stores.schedules, "move", move)
        await come(system, SECOND)

        assert await told(system) == ["lamp turn_on"]
        assert len(await stores.outbox.undelivered()) == 2  # one for each member
        assert await ran(system) == [["confirmed", "sent"]]


async def test_a_door_opens_by_the_clock_only_with_a_yes_that_is_fresh(home):
    stores, clock = home
    door = await stores.devices.get("h1", "front_door_lock")
    yes = frozenset((fingerprint(resolve(door, None, "unlock", {}, "si")),))

    async def standing(automation):
        return yes if automation.approved else frozenset()

    approved = replace(by_clock("yes", actions=[UNLOCK]), approved=tuple(yes))
    await stores.automations.put(approved)
    await stores.automations.put(by_clock("no", actions=[UNLOCK], trigger={"type": "time", "at": "06:30"}))
    async with running(stores, clock, standing=standing) as system:
        await come(system, START)
        await come(system, START + 30 * MINUTE)
        assert await ran(system) == [["refused"]]
        await come(system, START + HOUR + 2 * SECOND)
        assert await told(system) == ["front_door_lock unlock"]
        await come(system, START + 25 * HOUR + 11 * SECOND)  # made up, and too late for a door
        assert await told(system) == ["front_door_lock unlock"]
        assert (await ran(system))[-1] == ["refused"]


async def test_behind_a_delay_it_goes_on_after_a_restart_too(tmp_path):
    clock = WallClock(START.astimezone(UTC))
    wait = {"type": "delay", "seconds": 600}
    trigger = {"type": "device_event", "device_id": "hall_motion", "event_type": "motion_detected"}
    async with open_embedded(tmp_path / "home", clock) as stores:
        await furnish(stores, device("hall_motion", "motion"), device("lamp", "light", binding={"driver": "simulated"}))
        await stores.automations.put(rule(trigger=trigger, actions=[LIGHT_ON, wait, LIGHT_OFF, SAY]))
        async with running(stores, clock) as system:
            await system.intake.submit([event("motion_detected", "hall_motion", at=clock.now(), event_id="m1")])
            await system.settle()
            assert await told(system) == ["lamp turn_on"]
            assert await ran(system) == [["confirmed", "confirmed"]]
    async with open_embedded(tmp_path / "home", clock) as stores, running(stores, clock) as system:
        await come(system, 9 * MINUTE)
        assert await told(system) == []
        await come(system, MINUTE)
        await come(system, MINUTE)

        assert await told(system) == ["lamp turn_off"]
        assert await ran(system) == [["confirmed", "confirmed"], ["confirmed", "sent"]]
        assert [e.cause for e in await system.events("automation_ran")] == ["m1", "m1"]
        assert await stores.schedules.of_home("h1") == []


async def test_a_new_run_begins_the_wait_anew(home):
    stores, clock = home
    wait = {"type": "delay", "seconds": 600}
    await stores.automations.put(rule(actions=[LIGHT_ON, wait, LIGHT_OFF]))
    async with running(stores, clock) as system:

        async def motion(number):
            await system.intake.submit([event("motion_detected", "hall_motion", at=clock.now(), event_id=f"m{number}")])
            await system.settle()

        await motion(1)
        await come(system, 6 * MINUTE)
        await motion(2)
        await come(system, 6 * MINUTE)
        assert await told(system) == ["lamp turn_on", "lamp turn_on"]
        await come(system, 4 * MINUTE)
        assert await told(system) == ["lamp turn_on", "lamp turn_on", "lamp turn_off"]
        assert await stores.schedules.of_home("h1") == []


async def test_a_rule_that_was_deleted_does_not_go_on_behind_its_delay(home):
    stores, clock = home
    await stores.automations.put(by_clock(actions=[LIGHT_ON, {"type": "delay", "seconds": 60}, LIGHT_OFF]))
    async with running(stores, clock) as system:
        await come(system, START)
        await come(system, START + HOUR)
        await stores.automations.delete("h1", "a1")
        await come(system, MINUTE)
        assert await told(system) == ["lamp turn_on"]


async def test_what_an_assistant_set_off_opens_no_door_behind_a_delay_either(home):
    stores, clock = home
    door = await stores.devices.get("h1", "front_door_lock")
    yes = frozenset((fingerprint(resolve(door, None, "unlock", {}, "si")),))

    async def standing(automation):
        return yes

    trigger = {"type": "home_state", "mode": "home"}
    wait = {"type": "delay", "seconds": 300}
    await stores.automations.put(replace(rule(trigger=trigger, actions=[wait, UNLOCK]), approved=tuple(yes)))

    def mode_changed(by, number):
        return Event(
            home_id="h1", event_id=f"mode{number}", event_type="mode_changed", at=clock.now(), received_at=clock.now(),
            payload={"mode": "home", "arm_state": "disarmed", "by": by}, trust="core",
        )  # fmt: skip

    async with running(stores, clock, standing=standing) as system:
        await system.intake.submit([mode_changed("agent", 1)])
        await system.settle()
        await come(system, 5 * MINUTE)
        assert await told(system) == []
        await system.intake.submit([mode_changed("person", 2)])
        await system.settle()
        await come(system, 5 * MINUTE)
        assert await told(system) == ["front_door_lock unlock"]


async def test_when_the_home_becomes_empty_and_not_when_it_stays_so(home):
    stores, clock = home
    await stores.automations.put(by_clock(trigger={"type": "home_state", "mode": ["away", "vacation"]}))
    async with running(stores, clock) as system:
        for number, mode in enumerate(("sleep", "away")):
            await system.intake.submit(
                [
                    Event(
                        home_id="h1", event_id=f"m{number}", event_type="mode_changed", at=clock.now(),
                        received_at=clock.now(), payload={"mode": mode, "arm_state": "armed_away"}, trust="core",
                    )
                ]
            )  # fmt: skip
        await system.settle()
        assert await told(system) == ["lamp turn_on"]


async def test_a_home_with_a_time_of_its_own_goes_by_it_and_what_is_written_stays(home):
    stores, clock = home
    await stores.automations.put(by_clock())
    async with running(stores, clock) as system:
        await come(system, START)
        (kept,) = await stores.schedules.of_home("h1")
        system.clocks.set("h1", datetime(2026, 12, 24, 6, 59, 50, tzinfo=ZONE))
        assert await come(system, SECOND) == pytest.approx(9, abs=0.01)
        assert await told(system) == []
        await come(system, 10 * SECOND)
        await come(system, SECOND)
        assert await told(system) == ["lamp turn_on"]
        system.clocks.set("h1", datetime(2026, 12, 24, 23, 0, tzinfo=ZONE))
        await come(system, SECOND)
        system.clocks.reset("h1")

        assert await stores.schedules.of_home("h1") == [kept]
        await come(system, START + HOUR)
        assert await told(system) == ["lamp turn_on"] * 2


def timer(id_="t1", *, due, label="pasta", user="u2", **changed):
    return Schedule(
        home_id="h1", id=id_, kind="timer", due_at=due.astimezone(UTC), user_id=user,
        detail={"label": label, "seconds": 600, "by": "agent", "cause": "t/c"}, **changed,
    )  # fmt: skip


async def test_a_timer_rings_for_its_person_once(home):
    stores, clock = home
    await stores.schedules.put(timer(due=START + 10 * MINUTE))
    async with running(stores, clock) as system:
        await come(system, START + 10 * MINUTE)
        await come(system, MINUTE)

        (notice,) = await stores.outbox.undelivered()
        assert (notice.recipient, notice.title, notice.text, notice.priority) == (
            "u2", "pasta", "Your timer 'pasta' is over.", "high",
        )  # fmt: skip
        (rung,) = await system.events("timer_finished")
        assert (rung.user_id, rung.payload["label"], rung.payload["by"], rung.cause) == ("u2", "pasta", "agent", "t/c")
        assert await stores.schedules.of_home("h1") == []


async def test_a_timer_that_ended_while_nothing_ran_rings_late_and_says_so(home):
    stores, clock = home
    await stores.schedules.put(timer(due=START, label=""))
    async with running(stores, clock) as system:
        await come(system, START + 3 * HOUR)

        (notice,) = await stores.outbox.undelivered()
        assert notice.title == "Timer"
        assert notice.text == ("Your timer is over. It was due 3 hours ago; HomeGuard was not running then.")


async def test_one_that_cannot_be_read_does_not_hold_up_the_others(home):
    stores, clock = home
    broken = Schedule(home_id="h1", id="broken", kind="rest", due_at=clock.now(), detail={"x": 1})
    await stores.schedules.put(broken)
    await stores.schedules.put(timer(due=START))
    known = await stores.users.home("h1")
    await stores.users.put_home(replace(known, latitude=None, longitude=None))
    sunset = by_clock(trigger={"type": "sun", "event": "sunset"})
    await stores.automations.put(sunset)
    nowhere = made_from(sunset, replace(known, latitude=None, longitude=None))
    await stores.schedules.put(Schedule(home_id="h1", id="a1", kind="rule", due_at=clock.now(), made_from=nowhere))
    async with running(stores, clock) as system:
        await come(system, START + SECOND)

        assert len(await stores.outbox.undelivered()) == 1
        assert await stores.schedules.of_home("h1") == []


async def test_it_wakes_when_something_is_set_for_sooner(home):
    stores, clock = home
    waits, changed, rung = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Waiting(WallClock):
        async def sleep(self, delay_s):
            waits.set()
            await asyncio.sleep(delay_s)

    async def deliver():
        rung.set()

    async with running(stores, Waiting(clock.at)) as system:
        going = asyncio.create_task(system.scheduler_of("here", changed=changed, deliver=deliver).run())
        async with asyncio.timeout(20):
            await waits.wait()
            await stores.schedules.put(timer(due=START))
            changed.set()
            await rung.wait()
        going.cancel()


async def test_live_states_count_in_its_conditions(home):
    stores, clock = home
    open_ = {"type": "device_state", "device_id": "lamp", "attribute": "on", "value": False}
    await stores.automations.put(by_clock(conditions=[open_]))
    async with running(stores, clock) as system:
        await come(system, START)
        await come(system, START + HOUR)
        assert await told(system) == []
        await stores.live.apply(
            [StateChange(home_id="h1", device_id="lamp", at=clock.now(), sequence=1, attributes={"on": False},
                         available=True)]
        )  # fmt: skip
        await come(system, START + 25 * HOUR)
        assert await told(system) == ["lamp turn_on"]


async def test_an_event_at_night_with_a_state_that_fits_acts_across_midnight_and_not_else(home):
    stores, clock = home
    night = [
        {"type": "time_range", "start": "22:00", "end": "06:00"},
        {"type": "device_state", "device_id": "front_door_lock", "attribute": "lock", "value": "locked"},
    ]
    await stores.automations.put(rule(conditions=night, actions=[LIGHT_ON]))

    async def motion(system, local, lock):
        clock.at = datetime.fromisoformat(local).replace(tzinfo=ZONE).astimezone(UTC)
        await stores.live.apply(
            [
                StateChange(
                    home_id="h1", device_id="front_door_lock", at=clock.now(), sequence=1, attributes={"lock": lock},
                    available=True,
                )
            ]
        )  # fmt: skip
        before = len(system.sent)
        await system.intake.submit([event("motion_detected", "hall_motion", at=clock.now(), event_id=local)])
        await system.settle()
        return len(system.sent) - before

    async with running(stores, clock) as system:
        assert await motion(system, "2026-05-01T21:59", "locked") == 0
        assert await motion(system, "2026-05-01T22:00", "locked") == 1
        assert await motion(system, "2026-05-01T23:00", "unlocked") == 0
        assert await motion(system, "2026-05-02T05:59", "locked") == 1
        assert await motion(system, "2026-05-02T06:00", "locked") == 0
        assert (await stores.live.get("h1", "lamp")).attributes == {"on": True}
        assert await ran(system) == [["confirmed"], ["confirmed"]]


async def test_what_a_backup_brings_back_is_known_by_the_log_and_neither_done_again_nor_told_as_missed(home):
    stores, clock = home
    once = by_clock(trigger={"type": "once", "at": (START + MINUTE).isoformat()})
    await stores.automations.put(once)
    await stores.schedules.put(timer(due=START + MINUTE))
    async with running(stores, clock) as system:
        await come(system, START)
        kept = await stores.schedules.of_home("h1")
        await come(system, START + MINUTE)
        assert len(await stores.outbox.undelivered()) == 1
        before = [len(await stores.log.tail(topic, limit=100)) for topic in (COMMANDS, EVENTS)]

        mended = BeforeMend(stores.log, clock.now() + SECOND, {})
        system.scheduler = system.scheduler_of("here", before_mend=mended)
        for later in (2 * MINUTE, 20 * MINUTE):
            await stores.automations.put(once)
            for row in kept:
                await stores.schedules.put(row)
            await come(system, START + MINUTE + later)
            await come(system, SECOND)
            assert await stores.automations.of_home("h1") == []

        assert [len(await stores.log.tail(topic, limit=100)) for topic in (COMMANDS, EVENTS)] == before
        assert len(await stores.outbox.undelivered()) == 1
        assert await stores.schedules.of_home("h1") == []
