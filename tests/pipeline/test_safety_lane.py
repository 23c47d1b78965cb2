"""Alarms wait behind nothing: by the order of the work, whatever the speed of the machine."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
import pytest_asyncio
from pipeline_fakes import NOW, device, event, furnish

from homeguard.model import Event
from homeguard.ports.log import EVENTS, HEARTBEATS
from pipeline.envelope import encode
from pipeline.handlers.alerts import RaiseAlerts
from pipeline.handlers.live_state import KeepLiveState
from pipeline.handlers.subscribers import TellSubscribers
from pipeline.intake.intake import Intake
from pipeline.processor import Processor
from pipeline.topics import REFLEX, SAFETY, TOPICS_OF, is_ordinary, is_urgent

#: Ordinary records that wait; several times what one batch takes.
BACKLOG = 5_000
SECOND = timedelta(seconds=1)


class Handled:
    """Behind the other handlers: the ids of what they are through with, of all groups, in order."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def __call__(self, batch) -> None:
        self.ids += [got.event_id for _, got in batch]


class House:
    """Handlers that the groups share, over the real stores."""

    def __init__(self, stores, clock, clocks) -> None:
        self.stores, self.clock = stores, clock
        self.handled = Handled()
        self.alerts = RaiseAlerts(
            alerts=stores.alerts, outbox=stores.outbox, users=stores.users, devices=stores.devices, feed=stores.feed,
            intake=Intake(log=stores.log, devices=stores.devices, clock=clock, clocks=clocks),
            clock=clock, clocks=clocks, bank=None,
        )  # fmt: skip
        self.handlers = [KeepLiveState(stores.live), TellSubscribers(stores.feed, clocks), self.alerts, self.handled]

    async def wait(self, *events: Event) -> None:
        await self.stores.log.append([encode(e) for e in events])

    def group(self, name: str, **options) -> Processor:
        topics = TOPICS_OF[name]
        return Processor(
            self.stores.log, name, topics, self.handlers, self.clock, flush=self.stores.live.flush, **options
        )

    def two_lanes(self) -> list[Processor]:
        return [self.group(REFLEX, takes=is_ordinary), self.group(SAFETY, takes=is_urgent)]

    def one_lane(self) -> list[Processor]:
        """The mutant: all wait in one line."""
        return [self.group(REFLEX)]

    async def run(self, processors: Sequence[Processor]) -> None:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for processor in processors:
                tasks.create_task(processor.run(stop))
            async with asyncio.timeout(60):
                for processor in processors:
                    await processor.caught_up()
            stop.set()

    async def raised(self) -> Mapping[str, str]:
        """Alert kind and device -> severity."""
        found = await self.stores.alerts.query("h1", start=NOW - 999 * SECOND, end=NOW + 999 * SECOND, limit=100)
        return {f"{alert.kind} {alert.device_id}": alert.severity for alert in found}


@pytest_asyncio.fixture
async def house(stores, clock, clocks):
    await furnish(
        stores, device("smoke_kitchen", "smoke"), device("bedroom_motion", "motion"), device("window", "glass_break")
    )
    return House(stores, clock, clocks)


async def before_the_alarm(house: House, processors: Sequence[Processor]) -> int:
    """How many of the ordinary events that came first were handled before the alert was raised."""
    await house.wait(*(event("motion_detected", "bedroom_motion", event_id=f"m{i}") for i in range(BACKLOG)))
    await house.wait(event("smoke_detected", "smoke_kitchen", event_id="smoke", lane="safety"))
    await house.run(processors)
    assert await house.raised() == {"smoke smoke_kitchen": "critical"}
    assert sorted(house.handled.ids) == sorted([*(f"m{i}" for i in range(BACKLOG)), "smoke"])
    return house.handled.ids.index("smoke")


async def test_an_alarm_is_raised_long_before_all_that_waited_is_done(house):
    assert await before_the_alarm(house, house.two_lanes()) < BACKLOG // 2


async def test_the_mutant_with_one_line_for_all_is_found(house):
    assert await before_the_alarm(house, house.one_lane()) == BACKLOG


async def test_a_group_that_is_through_raises_the_next_alarm_before_anything_ordinary(house):
    ordinary, urgent = house.two_lanes()
    await house.wait(*(event("motion_detected", "bedroom_motion", event_id=f"m{i}") for i in range(BACKLOG)))
    await house.run([urgent])
    await house.wait(event("smoke_detected", "smoke_kitchen", event_id="smoke", lane="safety"))
    await house.run([urgent])
    assert house.handled.ids == ["smoke"]
    await house.run([ordinary])
    assert len(house.handled.ids) == BACKLOG + 1


def smoke(number: int, is_there: bool) -> Event:
    """The n-th state report of the smoke detector, in the lane that the intake gives it."""
    return event(
        "heartbeat", "smoke_kitchen", at=NOW + number * SECOND, event_id=f"s{number}", payload={"smoke": is_there},
        lane="safety" if is_there else "bulk",
    )  # fmt: skip


@pytest.mark.parametrize("urgent_first", [True, False])
async def test_the_same_alerts_are_raised_whichever_lane_is_ahead(house, urgent_first):
    said = [smoke(0, False), smoke(1, True), smoke(2, True), smoke(3, False), smoke(4, True), smoke(5, True)]
    await house.wait(*said)
    ordinary, urgent = house.two_lanes()
    for processor in (urgent, ordinary) if urgent_first else (ordinary, urgent):
        await house.run([processor])

    found = await house.stores.alerts.query("h1", start=NOW - SECOND, end=NOW + 99 * SECOND, limit=100)
    assert sorted(alert.event_ids for alert in found) == [("s1",), ("s4",)]
    state = await house.stores.live.get("h1", "smoke_kitchen")
    assert state.attributes == {"smoke": True}
    assert state.last_seen_at == NOW + 5 * SECOND


@pytest.mark.parametrize("urgent_first", [True, False])
async def test_two_lanes_tell_one_corroborated_story_whichever_is_ahead(house, urgent_first):
    await house.stores.users.set_mode("h1", "away", "armed_away")
    await house.wait(
        event("glass_break", "window", at=NOW, event_id="glass", payload={"intensity": 0.2}, lane="safety"),
        # the home was armed just now: the intake does not know it yet
        event("motion_detected", "bedroom_motion", at=NOW + SECOND, event_id="moved"),
    )
    ordinary, urgent = house.two_lanes()
    for processor in (urgent, ordinary) if urgent_first else (ordinary, urgent):
        await house.run([processor])

    assert sorted((await house.raised()).values()) == ["critical", "high"]
    told = await house.stores.outbox.query("h1", start=NOW - SECOND, end=NOW + 99 * SECOND, limit=100)
    assert sorted((n.cause, n.recipient) for n in told) == [
        ("glass", "u1"), ("glass", "u2"), ("moved", "u1"), ("moved", "u2"),
    ]  # fmt: skip
    assert {n.priority for n in told} == {"high", "critical"}


async def test_two_lanes_that_run_into_each_other_corroborate_each_other(house):
    await house.stores.users.set_mode("h1", "away", "armed_away")
    await house.wait(
        event("glass_break", "window", at=NOW, event_id="glass", payload={"intensity": 0.2}, lane="safety"),
        event("motion_detected", "bedroom_motion", at=NOW, event_id="moved"),
    )
    await house.run(house.two_lanes())

    assert "critical" in (await house.raised()).values()


async def test_watchers_see_each_event_once_and_a_late_one_changes_nothing(house):
    seen: list[tuple[str, object]] = []
    ready, both = asyncio.Event(), asyncio.Event()

    async def watch() -> None:
        async with house.stores.feed.subscribe("h1") as items:
            ready.set()
            async for item in items:
                if item.kind == "device_event":
                    seen.append((str(item.data["event_id"]), item.data["state"]))
                    if len(seen) == 2:
                        both.set()

    watching = asyncio.create_task(watch())
    await ready.wait()
    await house.wait(
        event("state_changed", "smoke_kitchen", at=NOW, event_id="before", payload={"smoke": False}),
        event("smoke_detected", "smoke_kitchen", at=NOW + SECOND, event_id="smoke", lane="safety"),
    )
    ordinary, urgent = house.two_lanes()
    await house.run([urgent])
    await house.run([ordinary])
    async with asyncio.timeout(5):
        await both.wait()
    watching.cancel()

    assert seen == [("smoke", {"smoke": True}), ("before", {})]


def test_the_two_lanes_share_their_topics_and_leave_nothing_over():
    assert TOPICS_OF[SAFETY] == TOPICS_OF[REFLEX] == (EVENTS, HEARTBEATS)
