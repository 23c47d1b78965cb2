"""Events, anomalies and readings: the last good answers while the engine is away, within bounds, and said so."""

from datetime import timedelta

import pytest

from homeguard.errors import StoreUnavailable
from homeguard.model import Anomaly, Event, Reading
from homeguard.staleness import collect
from homeguard.stores.guarded import answers
from homeguard.stores.guarded.answers import weigh
from homeguard.stores.guarded.events import GuardedAnomalies, GuardedEvents
from homeguard.stores.guarded.readings import GuardedReadings

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def events(rig) -> GuardedEvents:
    return GuardedEvents(rig.engine, rig.clock)


@pytest.fixture
def anomalies(rig) -> GuardedAnomalies:
    return GuardedAnomalies(rig.engine, rig.clock)


@pytest.fixture
def readings(rig) -> GuardedReadings:
    return GuardedReadings(rig.engine, rig.clock)


def event(rig, number: int, home_id: str = "h1") -> Event:
    at = rig.clock.began - number * MINUTE
    return Event(home_id=home_id, event_id=f"e{number}", event_type="motion", at=at, received_at=at, device_id="d")


def reading(rig, number: int) -> Reading:
    at = rig.clock.began - number * MINUTE
    return Reading(
        home_id="h1", device_id="d", metric="temperature", value=20.0 + number, unit="C", at=at, event_id=f"e{number}"
    )


def anomaly(rig, number: int) -> Anomaly:
    return Anomaly(
        id=f"a{number}", home_id="h1", device_id="d", at=rig.clock.began - number * MINUTE, kind="z", score=0.9,
        severity="high", explanation="", event_id=f"e{number}",
    )  # fmt: skip


async def ask_everything(rig, events, anomalies, readings):
    start, end = rig.clock.began - DAY, rig.clock.began + MINUTE
    span = {"start": start, "end": end}
    return [
        await events.query("h1"), await events.query("h1", **span, device_id="d", event_types=["motion"], limit=2),
        await events.get("h1", "e1"), await events.get("h1", "nobody's"), await events.latest("h1", ["d"]),
        await events.count("h1"), await anomalies.query("h1", **span),
        await readings.raw("h1", "d", "temperature", **span),
        await readings.latest("h1", "d", "temperature", before=end),
        await readings.windows("h1", "d", "temperature", **span, every=5 * MINUTE), await readings.metrics("h1"),
    ]  # fmt: skip


async def fill(rig, events, anomalies, readings):
    assert await events.append([event(rig, n) for n in range(5)]) == 5
    assert await anomalies.append([anomaly(rig, 1)]) == 1
    assert await readings.append([reading(rig, n) for n in range(5)]) == 5


async def test_the_same_questions_have_the_same_answers_while_the_engine_is_away(rig, events, anomalies, readings):
    await fill(rig, events, anomalies, readings)
    asked_at = rig.clock.now()
    with collect() as stale:
        before = await ask_everything(rig, events, anomalies, readings)
    assert stale == {}
    assert None in before
    await rig.go_away()
    with collect() as stale:
        assert await ask_everything(rig, events, anomalies, readings) == before
    assert stale == dict.fromkeys(("events", "anomalies", "readings"), asked_at)


async def test_nothing_is_written_while_it_is_away(rig, events, anomalies, readings):
    await rig.go_away()
    for write in (
        events.append([event(rig, 1)]), anomalies.append([anomaly(rig, 1)]), readings.append([reading(rig, 1)])
    ):  # fmt: skip
        with pytest.raises(StoreUnavailable):
            await write


@pytest.mark.parametrize(
    "other",
    [
        lambda e, began: e.query("h2"),
        lambda e, began: e.query("h1", limit=99),
        lambda e, began: e.query("h1", device_id="d"),
        lambda e, began: e.query("h1", start=began - 2 * DAY),
        lambda e, began: e.get("h2", "e1"),
        lambda e, began: e.latest("h1", ["d", "x"]),
        lambda e, began: e.count("h2"),
    ],
)
async def test_another_question_has_no_answer(rig, events, anomalies, readings, other):
    await fill(rig, events, anomalies, readings)
    await ask_everything(rig, events, anomalies, readings)
    await rig.go_away()
    with pytest.raises(StoreUnavailable):
        await other(events, rig.clock.began)


async def test_the_last_day_asked_a_while_later_has_the_answer_of_then_without_what_is_too_old(rig, events, readings):
    for number in (1, 60 * 24 - 5, 60 * 24 - 20):
        await events.append([event(rig, number)])
        await readings.append([reading(rig, number)])

    async def last_day():
        now = rig.clock.now()
        page = await events.query("h1", start=now - DAY, end=now)
        found = await readings.raw("h1", "d", "temperature", start=now - DAY, end=now)
        return [e.event_id for e in page.items], [r.event_id for r in found]

    assert await last_day() == (["e1", "e1420", "e1435"], ["e1435", "e1420", "e1"])
    await rig.go_away()
    await rig.clock.advance(600)
    with collect() as stale:
        assert await last_day() == (["e1", "e1420"], ["e1420", "e1"])
    assert stale == {"events": rig.clock.began, "readings": rig.clock.began}


async def test_windows_that_end_before_the_span_are_left_out_of_an_older_answer(rig, readings):
    await readings.append([reading(rig, n) for n in (2, 30)])

    async def last_half_hour():
        now = rig.clock.now()
        span = {"start": now - 31 * MINUTE, "end": now}
        return [w.count for w in await readings.windows("h1", "d", "temperature", **span, every=5 * MINUTE)]

    assert await last_half_hour() == [1, 1]
    await rig.go_away()
    await rig.clock.advance(600)
    assert await last_half_hour() == [1]


async def test_an_answer_is_forgotten_after_an_hour(rig, events):
    await events.count("h1")
    await rig.go_away()
    await rig.clock.advance(3_500 - rig.clock.elapsed)
    assert await events.count("h1") == 0
    await rig.clock.advance(101)
    with pytest.raises(StoreUnavailable):
        await events.count("h1")


async def test_what_the_caller_does_to_an_answer_does_not_change_it(rig, events, anomalies, readings):
    await fill(rig, events, anomalies, readings)
    found = await readings.metrics("h1")
    found.clear()
    (await events.latest("h1", ["d"])).clear()
    await rig.go_away()
    assert await readings.metrics("h1") == [("d", "temperature", "C")]
    assert list(await events.latest("h1", ["d"])) == ["d"]


async def test_the_oldest_answers_go_when_there_are_too_many(rig, events, monkeypatch):
    assert (answers.ANSWERS, answers.BYTES) == (500, 16 * 1024 * 1024)
    monkeypatch.setattr(answers, "ANSWERS", 3)
    for home_id in ("h1", "h2", "h3", "h1", "h4"):
        await events.count(home_id)
    await rig.go_away()
    with pytest.raises(StoreUnavailable):
        await events.count("h2")
    assert [await events.count(home_id) for home_id in ("h1", "h3", "h4")] == [0, 0, 0]


async def test_the_oldest_answers_go_when_they_are_too_large(rig, events, monkeypatch):
    await events.append([event(rig, n) for n in range(20)])
    size = weigh(await events.query("h1"))
    monkeypatch.setattr(answers, "BYTES", 5 * size)
    for limit in range(20, 27):
        await events.query("h1", limit=limit)
    monkeypatch.setattr(answers, "BYTES", 3 * size)
    await events.query("h1", limit=27)
    await rig.go_away()
    with pytest.raises(StoreUnavailable):
        await events.query("h1", limit=21)
    with pytest.raises(StoreUnavailable):
        # It alone took more than a fourth of the room.
        await events.query("h1", limit=27)


def test_a_weight_grows_with_what_is_held():
    assert weigh("x" * 1000) > weigh("x")
    assert weigh({"a": ["x" * 100] * 10}) > weigh({"a": ["x" * 100]})
    long = ["x" * 100] * 10_000
    assert 1_000_000 < weigh(long) < 3_000_000
