"""Events, anomalies and alerts."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from homeguard.errors import InvalidInput
from homeguard.model import Alert, Anomaly, Event, Metadata

PORTS = ("events", "anomalies", "alerts")

AT = datetime(2026, 3, 1, 23, 59, 58, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def event(
    number: int, *, home_id: str = "h1", device_id: str = "d1", kind: str = "door_open", at: datetime = AT
) -> Event:
    return Event(
        home_id=home_id, event_id=f"e{number:03}", event_type=kind, at=at, received_at=at + SECOND, device_id=device_id,
        payload={"n": number, "deep": {"list": [1, 2.5, None, True, "é"]}},
        metadata=Metadata(firmware_version="1.0", signal_strength=-40, is_simulated=True), source="http",
        trust="third_party", lane="bulk", cause="c", traceparent="t", user_id="u",
    )  # fmt: skip


async def pages(stores, **query) -> list[Event]:
    """Everything, page by page; every page but the last is full."""
    found, cursor = [], None
    while True:
        page = await stores.events.query("h1", cursor=cursor, **query)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.items) == query["limit"]


async def test_an_event_is_read_as_it_was_stored(stores):
    bare = Event(home_id="h1", event_id="x", event_type="heartbeat", at=AT, received_at=AT)
    assert await stores.events.append([event(1), bare]) == 2

    assert await stores.events.get("h1", "e001") == event(1)
    assert await stores.events.get("h1", "x") == bare
    assert await stores.events.get("h1", "none") is None


async def test_an_event_is_stored_once(stores):
    assert await stores.events.append([event(1), event(2), event(1)]) == 2
    assert await stores.events.append([event(2), event(3)]) == 1
    assert await stores.events.append([]) == 0

    assert await stores.events.count("h1") == 3


async def test_the_same_event_id_in_another_home_is_another_event(stores):
    await stores.events.append([event(1), event(1, home_id="h2", kind="smoke_detected")])

    assert (await stores.events.query("h1")).items == (event(1),)
    assert (await stores.events.query("h1", event_types=["smoke_detected"])).items == ()
    assert await stores.events.get("h2", "e001") == event(1, home_id="h2", kind="smoke_detected")
    assert await stores.events.get("h3", "e001") is None
    assert await stores.events.count("h3") == 0


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    "query", [{}, {"device_id": "d0"}, {"event_types": ["k0", "k2"]}, {"device_id": "d1", "event_types": ["k1", "k2"]}]
)
async def test_pages_join_without_gap_or_repeat_over_equal_times_and_midnight(stores, limit, query):
    events = [
        event(n, device_id=f"d{n % 2}", kind=f"k{n % 3}", at=AT + (n // 5) * SECOND) for n in range(24)
    ]  # five of each moment, across midnight
    await stores.events.append(events[::2] + events[1::2])

    wanted = [
        e
        for e in events
        if e.device_id == query.get("device_id", e.device_id)
        and e.event_type in query.get("event_types", [e.event_type])
    ]
    assert await pages(stores, limit=limit, **query) == sorted(wanted, key=lambda e: (e.at, e.event_id), reverse=True)


async def test_new_events_do_not_disturb_a_cursor(stores):
    await stores.events.append([event(n) for n in range(4)])
    page = await stores.events.query("h1", limit=2)

    await stores.events.append([event(9, at=AT + SECOND), event(5)])

    assert (await stores.events.query("h1", limit=2, cursor=page.next_cursor)).items == (event(1), event(0))


async def test_a_span_holds_its_start_and_not_its_end(stores):
    await stores.events.append([event(n, at=AT + n * SECOND) for n in range(5)])

    page = await stores.events.query("h1", start=AT + SECOND, end=AT + 3 * SECOND)

    assert [e.event_id for e in page.items] == ["e002", "e001"]
    assert page.next_cursor is None
    first = await stores.events.query("h1", start=AT + SECOND, end=AT + 3 * SECOND, limit=1)
    rest = await stores.events.query("h1", start=AT + SECOND, end=AT + 3 * SECOND, limit=1, cursor=first.next_cursor)
    assert [e.event_id for e in (*first.items, *rest.items)] == ["e002", "e001"]


async def test_a_page_has_at_most_a_thousand_events(stores):
    await stores.events.append([event(n) for n in range(1001)])

    page = await stores.events.query("h1", limit=5000)

    assert len(page.items) == 1000
    assert page.next_cursor is not None


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "W10", "é", "WzEsMl0", "WzFlMzAsICJhIl0", "[1,2]"])
async def test_a_cursor_that_is_not_ours_is_refused(stores, cursor):
    with pytest.raises(InvalidInput) as caught:
        await stores.events.query("h1", cursor=cursor)

    assert caught.value.details["field"] == "cursor"


async def test_a_cursor_can_stand_in_an_address(stores):
    await stores.events.append([event(n, at=AT + n * SECOND) for n in range(40)])
    cursor, alphabet = None, set()
    for _ in range(39):
        cursor = (await stores.events.query("h1", limit=1, cursor=cursor)).next_cursor
        alphabet |= set(cursor)

    assert all(c.isascii() and (c.isalnum() or c in "-_") for c in alphabet)


async def test_many_writers_at_once_store_each_event_once(stores):
    counts = await asyncio.gather(*(stores.events.append([event(n) for n in range(20)]) for _ in range(20)))

    assert sum(counts) == 20
    assert await stores.events.count("h1") == 20


def anomaly(number: int, **changes) -> Anomaly:
    return replace(
        Anomaly(
            id=f"a{number}", home_id="h1", device_id=f"d{number % 2}", at=AT + number * SECOND, kind="spike", score=0.9,
            severity="high", explanation="odd", event_id="e", metric="m", value=1.5, expected_low=0.0,
            expected_high=1.0,
        ),
        **changes,
    )  # fmt: skip


async def test_anomalies_are_stored_once_and_read_newest_first_within_home_device_and_span(stores):
    bare = anomaly(3, value=None, expected_low=None, expected_high=None)
    assert await stores.anomalies.append([anomaly(0), anomaly(1), anomaly(2), bare, anomaly(1)]) == 4
    assert await stores.anomalies.append([anomaly(1, home_id="h2")]) == 1
    span = {"start": AT, "end": AT + 3 * SECOND}

    assert await stores.anomalies.query("h1", **span) == [anomaly(2), anomaly(1), anomaly(0)]
    assert await stores.anomalies.query("h1", **span, device_id="d0") == [anomaly(2), anomaly(0)]
    assert await stores.anomalies.query("h1", **span, limit=1) == [anomaly(2)]
    assert await stores.anomalies.query("h1", start=AT + 3 * SECOND, end=AT + 4 * SECOND) == [bare]
    assert await stores.anomalies.query("h3", **span) == []


def alert(number: int, **changes) -> Alert:
    return replace(
        Alert(
            id=f"a{number}", home_id="h1", at=AT + number * SECOND, kind="intrusion", severity="critical", title="t",
            text="x", device_id="d", event_ids=("e1", "e2"), is_simulated=True,
        ),
        **changes,
    )  # fmt: skip


async def test_an_alert_is_raised_once(stores):
    assert await stores.alerts.raise_([alert(1), alert(2), alert(1)]) == [alert(1), alert(2)]
    assert await stores.alerts.raise_([alert(2, text="again"), alert(3)]) == [alert(3)]
    assert await stores.alerts.raise_([alert(1, home_id="h2")]) == [alert(1, home_id="h2")]

    assert await stores.alerts.query("h1", start=AT, end=AT + 3 * SECOND) == [alert(2), alert(1)]
    assert await stores.alerts.query("h1", start=AT, end=AT + 9 * SECOND, limit=1) == [alert(3)]
    assert await stores.alerts.query("h3", start=AT, end=AT + 9 * SECOND) == []


async def test_events_anomalies_and_alerts_survive_a_reopen(opener):
    async with opener() as stores:
        await stores.events.append([event(1)])
        await stores.anomalies.append([anomaly(1)])
        await stores.alerts.raise_([alert(1)])
    async with opener() as stores:
        assert await stores.events.append([event(1)]) == 0
        assert (await stores.events.query("h1")).items == (event(1),)
        assert await stores.anomalies.append([anomaly(1)]) == 0
        assert await stores.alerts.raise_([alert(1)]) == []


async def test_the_latest_event_of_each_device_is_its_newest_and_no_one_elses(stores):
    old, new = event(1, device_id="lamp"), event(2, device_id="lamp", at=AT + SECOND)
    door, other = event(3, device_id="door"), event(4, device_id="lamp", at=AT + 9 * SECOND, home_id="h2")
    await stores.events.append([new, old, door, other])

    latest = await stores.events.latest("h1", ["lamp", "door", "silent"])

    assert latest == {"lamp": new, "door": door}
