"""What follows from an event, over the real stores: live state, watchers, alerts, messages, and what is kept."""

import asyncio
import cProfile
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import pytest_asyncio
from pipeline_fakes import NOW, device, event, furnish, simulated

from homeguard.model import Alert
from homeguard.ports.live_state import Live
from homeguard.ports.log import ALERTS, EVENTS
from pipeline.detectors.bank import SeriesBank
from pipeline.envelope import decode, encode
from pipeline.handlers.alerts import RaiseAlerts, in_stories
from pipeline.handlers.events import StoreEvents
from pipeline.handlers.live_state import KeepLiveState
from pipeline.handlers.notices import TellBatteryLow
from pipeline.handlers.readings import StoreReadings
from pipeline.handlers.scoring import StoreAnomalies
from pipeline.handlers.subscribers import TellSubscribers
from pipeline.intake.intake import Intake
from pipeline.topics import RECORD, REFLEX, TOPICS_OF

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class Home:
    """A furnished home whose groups are run by hand: `say` appends events and hands them to the handlers."""

    def __init__(self, stores, clock, clocks) -> None:
        self.stores, self.clock, self.clocks = stores, clock, clocks
        self.intake = Intake(log=stores.log, devices=stores.devices, clock=clock, clocks=clocks)
        self.restart()

    def restart(self, outbox=None) -> None:
        s = self.stores
        self.alerts = RaiseAlerts(
            alerts=s.alerts, outbox=outbox or s.outbox, users=s.users, devices=s.devices, feed=s.feed,
            intake=self.intake, clock=self.clock, clocks=self.clocks, bank=SeriesBank(),
        )  # fmt: skip
        self.reflex = [
            KeepLiveState(s.live),
            TellSubscribers(s.feed, self.clocks),
            self.alerts,
            TellBatteryLow(outbox=s.outbox, users=s.users, devices=s.devices, feed=s.feed, clocks=self.clocks),
        ]
        self.record = [StoreEvents(s.events), StoreReadings(s.readings), StoreAnomalies(s.anomalies, SeriesBank())]

    async def say(self, *events):
        await self.intake.submit(events)
        return await self.run()

    async def run(self):
        for group, handlers in ((REFLEX, self.reflex), (RECORD, self.record)):
            records = await self.stores.log.read(group, TOPICS_OF[group], limit=1000, wait_s=0.01)
            batch = [(record, decode(record)) for record in records]
            for handler in handlers:
                await handler(batch)
            if group == REFLEX:
                reflexes = batch
        return reflexes

    async def alerts_of(self):
        found = await self.stores.alerts.query("h1", start=NOW - MINUTE * 600, end=NOW + MINUTE * 600)
        return sorted(found, key=lambda a: (a.at, a.id))

    async def notices_of(self):
        found = await self.stores.outbox.query("h1", start=NOW - MINUTE * 6000, end=NOW + MINUTE * 6000)
        return sorted(found, key=lambda n: (n.at, n.recipient))


@pytest_asyncio.fixture
async def home(stores, clock, clocks):
    await furnish(
        stores,
        device("back_window_sensor", "glass_break", name="Back window sensor", area="Bedroom"),
        device("bedroom_motion", "motion"),
        device("back_door", "contact"),
        device("side_window", "contact", config={"placement": "window"}),
        device("climate", "sensor"),
        device("smoke_kitchen", "smoke"),
        device("front_door_lock", "lock"),
    )
    return Home(stores, clock, clocks)


@asynccontextmanager
async def watching(stores):
    """A list that fills with what is published; the feed is in order, so a last word says that all has come."""
    heard, ready = [], asyncio.Event()

    async def listen():
        async with stores.feed.subscribe("h1", limit=1000) as items:
            ready.set()
            async for item in items:
                if item.kind == "end":
                    return
                heard.append(item)

    async with asyncio.TaskGroup() as group:
        group.create_task(listen())
        await ready.wait()
        yield heard
        await stores.feed.publish([Live(home_id="h1", kind="end", data={})])


def temperatures(*values, start=NOW - 30 * MINUTE):
    return [
        event("telemetry", "climate", at=start + i * SECOND, event_id=f"t{i}", payload={"metrics": {"temperature": v}})
        for i, v in enumerate(values)
    ]


# -- live state and watchers


async def test_live_state_follows_the_devices_clock_and_availability_their_words(home):
    await home.say(
        event("door_open", "back_door", at=NOW),
        event("door_closed", "back_door", at=NOW - 5 * MINUTE),
        event("door_locked", "front_door_lock", at=NOW - 3 * MINUTE * 60),
        event("device_offline", "bedroom_motion", at=NOW),
    )
    states = await home.stores.live.all("h1")

    assert states["back_door"].attributes == {"open": True}
    assert states["front_door_lock"].attributes["lock"] == "locked"
    assert states["front_door_lock"].available
    assert not states["bedroom_motion"].available
    await home.say(event("heartbeat", "bedroom_motion", at=NOW + SECOND, payload={"battery": 81}))
    state = await home.stores.live.get("h1", "bedroom_motion")
    assert (state.available, state.attributes) == (True, {"battery_pct": 81})


async def test_what_homeguard_writes_about_a_device_is_not_the_devices_word(home):
    await home.say(event("command_result", "back_door", source="core", trust="core", payload={"open": True}))

    assert await home.stores.live.get("h1", "back_door") is None


async def test_watchers_hear_each_event_once_with_what_it_changed(home):
    async with watching(home.stores) as heard:
        await home.say(
            event("door_open", "back_door", at=NOW, payload={"method": "hand"}, cause="c1", metadata=simulated()),
            event("door_open", "back_door", at=NOW + SECOND),
            event("heartbeat", "climate", at=NOW, payload={"battery": 50}),
            event("heartbeat", "climate", at=NOW + SECOND, payload={"battery": 50}),
            event("mode_changed", source="core", trust="core"),
        )

    assert [(i.kind, i.data["event_type"], i.data["state"]) for i in heard] == [
        ("device_event", "door_open", {"open": True}),
        ("device_event", "door_open", {}),
        ("device_event", "heartbeat", {"battery_pct": 50}),
    ]
    assert heard[0].data == {
        "type": "device_event",
        "device_id": "back_door",
        "event_type": "door_open",
        "timestamp": "2026-03-10T12:00:00.000Z",
        "data": {"method": "hand"},
        "state": {"open": True},
        "event_id": "door_open/back_door/2026-03-10T12:00:00+00:00",
        "cause": "c1",
        "is_simulated": True,
    }


async def test_late_events_are_no_news_unless_they_answer_somebody(home):
    async with watching(home.stores) as heard:
        await home.say(
            event("door_open", "back_door", at=NOW - 16 * MINUTE),
            event("door_locked", "front_door_lock", at=NOW - 16 * MINUTE, cause="command"),
            event("door_closed", "back_door", at=NOW - 14 * MINUTE),
        )

    assert [i.data["event_type"] for i in heard] == ["door_locked", "door_closed"]


# -- alerts


async def test_a_break_in_is_one_story_with_an_alert_each_and_two_messages_at_most(home):
    await home.stores.users.set_mode("h1", "away", "armed_away")
    async with watching(home.stores) as heard:
        await home.say(
            event("glass_break", "back_window_sensor", at=NOW, payload={"intensity": 0.3}),
            event("motion_detected", "bedroom_motion", at=NOW + 2 * SECOND),
            event("door_open", "back_door", at=NOW + 8 * SECOND),
            event("motion_stopped", "bedroom_motion", at=NOW + 10 * SECOND),
        )

    alerts = await home.alerts_of()
    assert [(a.kind, a.severity, a.device_id) for a in alerts] == [
        ("glass_break", "high", "back_window_sensor"),
        ("motion", "critical", "bedroom_motion"),
        ("door_open", "critical", "back_door"),
    ]
    assert alerts[0].title == "Glass break: Back window sensor"
    assert alerts[0].text == "Glass break reported by Back window sensor in the bedroom at 08:00:00."
    notices = await home.notices_of()
    assert [(n.recipient, n.priority, n.channel) for n in notices] == [
        ("u1", "high", "app"), ("u2", "high", "app"), ("u1", "critical", "app"), ("u2", "critical", "app"),
    ]  # fmt: skip
    shown = [i.data for i in heard if i.kind == "alert"]
    assert [d["id"] for d in shown] == [a.id for a in alerts]
    assert shown[0]["event_ids"] == ["glass_break/back_window_sensor/2026-03-10T12:00:00+00:00"]
    raised = await home.stores.log.read("test", [ALERTS], limit=10, wait_s=1)
    assert [decode(r).payload["alert_id"] for r in raised] == [a.id for a in alerts]


async def test_running_a_batch_again_after_a_crash_adds_nothing(home):
    await home.stores.users.set_mode("h1", "away", "armed_away")
    batch = await home.say(
        event("glass_break", "back_window_sensor", at=NOW, payload={"intensity": 0.3}),
        event("motion_detected", "bedroom_motion", at=NOW + 2 * SECOND),
        event("battery_low", "front_door_lock", at=NOW, payload={"battery": 15}),
        *temperatures(*[21.0] * 12, 40.0),
    )
    before = (await home.alerts_of(), await home.notices_of())
    home.restart()
    async with watching(home.stores) as heard:
        for handler in home.reflex:
            await handler(batch)

    assert (await home.alerts_of(), await home.notices_of()) == before
    assert [i for i in heard if i.kind == "alert"] == []


class PowerLoss:
    """An outbox of a machine that goes dark before it writes."""

    async def put(self, notices):
        raise OSError("power loss")


async def test_a_crash_between_the_alert_and_its_message_still_tells(home):
    home.restart(outbox=PowerLoss())
    with pytest.raises(OSError, match="power loss"):
        await home.say(event("smoke_detected", "smoke_kitchen"))
    assert len(await home.alerts_of()) == 1
    assert await home.notices_of() == []

    home.restart()
    await home.stores.log.seek(REFLEX, None)
    await home.run()

    assert len(await home.alerts_of()) == 1
    assert [n.recipient for n in await home.notices_of()] == ["u1", "u2"]


@pytest.mark.parametrize(
    "event_type",
    [
        "glass_break", "smoke_detected", "heat_anomaly", "co_detected", "gas_detected", "water_leak_detected",
        "tamper_detected",
    ],
)  # fmt: skip
async def test_what_is_always_dangerous_alerts_in_a_disarmed_home(home, event_type):
    await home.say(event(event_type, "climate", metadata=simulated()))

    (alert,) = await home.alerts_of()
    assert alert.is_simulated
    assert alert.severity in ("high", "critical")


async def test_doors_and_motion_are_nothing_in_a_disarmed_home(home):
    await home.say(event("door_open", "back_door"), event("motion_detected", "bedroom_motion"))

    assert await home.alerts_of() == []


@pytest.mark.parametrize("fields", [{"source": "replay"}, {"at": NOW - 16 * MINUTE}])
async def test_the_past_is_kept_and_sets_nothing_off(home, fields):
    await home.say(
        event("smoke_detected", "smoke_kitchen", **fields),
        event("battery_low", "front_door_lock", **fields, payload={"battery": 3}),
    )

    assert await home.alerts_of() == []
    assert await home.notices_of() == []
    assert await home.stores.events.count("h1") == 2
    assert (await home.stores.live.get("h1", "smoke_kitchen")).attributes["smoke"] is True


async def test_late_is_judged_by_the_homes_clock(home):
    home.clocks.set("h1", NOW - timedelta(days=30))
    await home.say(event("smoke_detected", "smoke_kitchen", at=NOW - timedelta(days=30)))

    assert await home.alerts_of() == []
    found = await home.stores.alerts.query("h1", start=NOW - timedelta(days=31), end=NOW)
    assert [a.kind for a in found] == ["smoke"]


async def test_a_report_of_a_whole_state_alerts_when_something_becomes_true(home):
    await home.stores.users.set_mode("h1", "sleep", "armed_night")
    for i, (smoke, is_open) in enumerate([(False, False), (True, True), (True, True), (False, False)]):
        at = NOW + i * SECOND
        await home.say(
            event("state_changed", "smoke_kitchen", at=at, payload={"smoke": smoke}),
            event("state_changed", "side_window", at=at, payload={"open": is_open}),
        )

    assert sorted((a.kind, a.device_id) for a in await home.alerts_of()) == [
        ("smoke", "smoke_kitchen"), ("window_open", "side_window"),
    ]  # fmt: skip


async def test_a_strange_reading_alerts_once_at_its_onset_and_is_kept_as_anomalies(home):
    await home.say(*temperatures(*[21.0] * 12, start=NOW))
    assert await home.alerts_of() == []
    await home.say(*temperatures(35.0, 36.0, start=NOW + MINUTE))

    (alert,) = await home.alerts_of()
    assert (alert.kind, alert.severity, alert.device_id) == ("reading_anomaly", "high", "climate")
    assert alert.text == "Climate reads 35°C for temperature; usual is 19.5°C to 22.5°C."
    assert {n.priority for n in await home.notices_of()} == {"high"}
    anomalies = await home.stores.anomalies.query("h1", start=NOW, end=NOW + 9 * MINUTE)
    assert [a.value for a in anomalies] == [36.0, 35.0]


async def test_late_readings_are_stored_and_scored_but_alert_nobody(home):
    old = NOW - timedelta(days=2)
    await home.say(*temperatures(*[21.0] * 12, 35.0, start=old))

    assert await home.alerts_of() == []
    stored = await home.stores.readings.raw("h1", "climate", "temperature_c", start=old, end=NOW)
    assert [r.value for r in stored] == [21.0] * 12 + [35.0]
    assert {r.unit for r in stored} == {"°C"}
    assert len(await home.stores.anomalies.query("h1", start=old, end=NOW)) == 1


def alert(kind, second, device_id="a", severity="high"):
    return Alert(
        id=f"{kind}/{second}/{device_id}", home_id="h1", at=NOW + second * SECOND, kind=kind, severity=severity,
        title="", text="", device_id=device_id,
    )  # fmt: skip


def test_stories_end_after_a_minute_and_only_escalation_is_told_again():
    line = [
        alert("motion", 0),
        alert("motion", 30),
        alert("door_open", 80, "b"),
        alert("motion", 100),
        alert("smoke", 100, severity="critical"),
        alert("motion", 200),
    ]
    told = [(a.kind, a.severity, is_told) for a, is_told in in_stories(line, [])]

    assert told == [
        ("motion", "high", True),
        ("motion", "high", False),
        ("door_open", "critical", True),
        ("motion", "critical", False),
        ("smoke", "critical", True),
        ("motion", "high", True),
    ]
    judged = [a for a, _ in in_stories(line, [])]
    assert in_stories(line[3:], judged) == in_stories(line, [])[3:]


def test_an_alarm_in_a_storm_is_judged_without_comparing_all_with_all():
    storm = [alert("smoke", n / 20, f"d{n % 50}", "critical") for n in range(1_000)]
    profile = cProfile.Profile()

    [(judged, is_told)] = profile.runcall(in_stories, [alert("smoke", 51, "new", "critical")], storm)

    assert (judged.severity, is_told) == ("critical", False)
    assert sum(entry.callcount for entry in profile.getstats()) < 20 * len(storm)


# -- messages


async def test_a_low_battery_is_told_once_a_day(home):
    hour = timedelta(hours=1)
    for hours in (0, 1, 23, 25):
        home.clock.at = NOW + hours * hour
        await home.say(event("battery_low", "front_door_lock", at=home.clock.at, payload={"battery": 15}))

    notices = await home.notices_of()
    assert [(n.at, n.recipient) for n in notices] == [
        (NOW, "u1"), (NOW, "u2"), (NOW + 25 * hour, "u1"), (NOW + 25 * hour, "u2"),
    ]  # fmt: skip
    assert (notices[0].title, notices[0].priority) == ("Battery low: Front Door Lock", "normal")
    assert notices[0].text == "Front Door Lock has 15% left. Replace its batteries soon."


# -- what is kept


async def test_every_event_is_kept_as_it_was_sent_also_what_nobody_understands(home):
    odd = event("telemetry", "climate", event_id="odd", payload={"metrics": "none today", "x": [1, {"y": None}]})
    await home.say(odd, event("heartbeat", "climate", event_id="beat"), event("canary", event_id="bird"))

    assert await home.stores.events.get("h1", "odd") == odd
    assert await home.stores.events.get("h1", "beat") is not None
    assert await home.stores.events.get("h1", "bird") is None
    assert encode(odd).topic == EVENTS
