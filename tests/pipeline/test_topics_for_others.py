"""What HomeGuard tells others in topics of their own: scores of what is strange, and the messages that went out."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from homeguard.clock import HomeClocks, SystemClock
from homeguard.errors import StorageFull, StoreUnavailable
from homeguard.model import Device, Event, Notice
from homeguard.ports.log import ANOMALIES, EVENTS, NOTIFICATIONS
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.open import open_embedded
from pipeline.delivery import Delivery
from pipeline.detectors.bank import SeriesBank
from pipeline.envelope import decode
from pipeline.handlers.scoring import StoreAnomalies
from pipeline.intake.intake import Intake
from pipeline.topics import RECORD, REFLEX, TOPICS_OF

AT = datetime(2026, 7, 15, 14, 32, tzinfo=UTC)


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    async with open_embedded(tmp_path, SystemClock()) as opened:
        lamp = Device(home_id="h", id="lamp", name="Lamp", type="sensor", capabilities=("climate",))
        await opened.devices.put([lamp])
        yield opened


def intake_of(stores: Stores) -> Intake:
    clock = SystemClock()
    return Intake(log=stores.log, devices=stores.devices, clock=clock, clocks=HomeClocks(clock))


async def told(stores: Stores, topic: str) -> list[Event]:
    return [decode(record) for record in await stores.log.tail(topic, limit=100)]


def notice(notice_id: str) -> Notice:
    return Notice(
        id=notice_id, home_id="h", at=AT, channel="app", recipient="anna", priority="critical", title="Glass break",
        text="Back window", cause="e",
    )  # fmt: skip


class ForgetfulOutbox:
    """The outbox of a process that dies before it can note what went out."""

    def __init__(self, outbox: Any) -> None:
        self._outbox = outbox

    async def undelivered(self) -> list[Notice]:
        found: list[Notice] = await self._outbox.undelivered()
        return found

    async def delivered(self, home_id: str, notice_id: str, at: datetime) -> None:
        raise StoreUnavailable("the power went")


async def test_a_message_that_goes_out_twice_is_told_twice_under_one_id(stores: Stores) -> None:
    intake, clock = intake_of(stores), SystemClock()
    await stores.outbox.put([notice("1"), notice("2")])
    dying: Any = ForgetfulOutbox(stores.outbox)
    with pytest.raises(StoreUnavailable):
        await Delivery(outbox=dying, feed=stores.feed, clock=clock, submit=intake.submit).deliver()
    again = Delivery(outbox=stores.outbox, feed=stores.feed, clock=clock, submit=intake.submit)

    assert (await again.deliver(), await again.deliver()) == (2, 0)

    events = await told(stores, NOTIFICATIONS)
    assert [e.payload["notice_id"] for e in events] == ["1", "2", "1", "2"]
    assert len({e.event_id for e in events}) == 2
    assert (events[0].user_id, events[0].payload["title"], events[0].cause) == ("anna", "Glass break", "e")


async def test_a_log_that_is_full_keeps_no_message_from_its_person(stores: Stores) -> None:
    async def full(events: Sequence[Event]) -> None:
        raise StorageFull("no room")

    await stores.outbox.put([notice("1")])

    assert await Delivery(outbox=stores.outbox, feed=stores.feed, clock=SystemClock(), submit=full).deliver() == 1
    assert await stores.outbox.undelivered() == []


async def test_the_score_of_what_is_strange_is_told_and_of_the_ordinary_is_not(stores: Stores) -> None:
    intake = intake_of(stores)
    values = [*(20.0 + n % 3 / 10 for n in range(60)), 60.0]
    events = [
        Event(home_id="h", event_id=f"e{n}", event_type="telemetry", at=AT + timedelta(minutes=n), received_at=AT,
              device_id="lamp", payload={"temperature_c": value})
        for n, value in enumerate(values)
    ]  # fmt: skip
    await intake.submit(events)
    batch = [(r, decode(r)) for r in await stores.log.read(RECORD, [EVENTS], limit=100, wait_s=0)]
    await StoreAnomalies(stores.anomalies, SeriesBank(), intake.submit)(batch)
    [scored] = await told(stores, ANOMALIES)
    assert (scored.cause, scored.device_id, scored.payload["value"]) == ("e60", "lamp", 60.0)
    assert scored.payload["z"] > 4
    stored = await stores.anomalies.query("h", start=AT, end=AT + timedelta(days=1))
    assert [a.id for a in stored] == [scored.payload["anomaly_id"]]

    await StoreAnomalies(stores.anomalies, SeriesBank(), intake.submit)(batch)

    assert [e.event_id for e in await told(stores, ANOMALIES)] == [scored.event_id] * 2


async def test_no_group_of_ours_reads_them_or_waits_for_them(stores: Stores) -> None:
    await stores.outbox.put([notice("1")])
    for group in (REFLEX, RECORD):
        assert await stores.log.read(group, TOPICS_OF[group], limit=10, wait_s=0) == []

    await Delivery(
        outbox=stores.outbox, feed=stores.feed, clock=SystemClock(), submit=intake_of(stores).submit
    ).deliver()

    for group in (REFLEX, RECORD):
        assert await stores.log.read(group, TOPICS_OF[group], limit=10, wait_s=0) == []
        assert await stores.log.lag(group) == 0
