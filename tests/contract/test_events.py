"""Events, anomalies and alerts."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeguard.errors import InvalidInput
from homeguard.model import Alert, Anomaly, Event, Metadata

PORTS = ("events", "anomalies", "alerts")

AT = datetime(2026, 3, 1, 23, 59, 58, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
MILLISECOND, MICROSECOND = timedelta(milliseconds=1), timedelta(microseconds=1)
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
#: One of each kind of question: of the home, of a device, of types, of a device and types.
SHAPES = [
    {},
    {"device_id": "d1"},
    {"event_types": ["door_open", "motion"]},
    {"device_id": "d1", "event_types": ["door_open", "motion"]},
]


def event(
    number: int, *, home_id: str = "h1", device_id: str = "d1", kind: str = "door_open", at: datetime = AT
) -> Event:
    return Event(
        home_id=home_id, event_id=f"e{number:03}", event_type=kind, at=at, received_at=at + SECOND, device_id=device_id,
        payload={"n": number, "deep": {"list": [1, 2.5, None, True, "é"]}},
        metadata=Metadata(firmware_version="1.0", signal_strength=-40, is_simulated=True), source="http",
        trust="third_party", lane="bulk", cause="c", traceparent="t", user_id="u",
    )  # fmt: skip


def place(event: Event) -> tuple[timedelta, str]:
    """Newest first, equal times by id."""
    return AT - event.at, event.event_id


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
    assert await pages(stores, limit=limit, **query) == sorted(wanted, key=place)


async def test_new_events_do_not_disturb_a_cursor(stores):
    await stores.events.append([event(n) for n in range(4)])
    page = await stores.events.query("h1", limit=2)

    await stores.events.append([event(9, at=AT + SECOND), msgspec.structs.replace(event(0), event_id="e0005")])

    assert (await stores.events.query("h1", limit=2, cursor=page.next_cursor)).items == (event(2), event(3))


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


@pytest.mark.parametrize("query", SHAPES)
async def test_ten_minutes_past_midnight_the_last_day_holds_yesterdays_events(stores, query):
    now = MIDNIGHT + timedelta(minutes=10)
    events = [event(n, at=now - age) for n, age in enumerate([5 * SECOND, HOUR, 23 * HOUR, DAY, DAY + MILLISECOND])]
    await stores.events.append(events)

    page = await stores.events.query("h1", start=now - DAY, end=now, **query)

    assert page.items == tuple(events[:4])


@pytest.mark.parametrize("limit", [1, 4, 100])
@pytest.mark.parametrize("query", SHAPES)
async def test_the_past_is_walked_over_days_without_events(stores, query, limit):
    days = [0, 1, 4, 5, 6, 40, 41, 300, 3000]
    wanted = [event(n, at=AT - day * DAY, kind=["door_open", "motion"][n % 2]) for n, day in enumerate(days)]
    others = [
        event(50 + n, at=AT - n * 7 * DAY, device_id="d2", kind=["telemetry", "heartbeat"][n % 2]) for n in range(9)
    ]
    await stores.events.append([*wanted, *others])

    found = await pages(stores, limit=limit, **query)

    assert found == sorted(wanted if query else wanted + others, key=place)


@pytest.mark.parametrize("limit", [200, 1000])
async def test_years_of_days_are_walked_to_their_first(stores, limit):
    events = [event(n, at=AT - n * DAY) for n in range(450)]
    await stores.events.append(events)

    found = await pages(stores, limit=limit, event_types=["door_open", "never"])

    assert found == events


@pytest.mark.parametrize("query", SHAPES)
async def test_midnight_belongs_to_the_day_that_begins(stores, query):
    before, at, after = (event(n, at=MIDNIGHT + n * MILLISECOND) for n in (-1, 0, 1))
    await stores.events.append([after, before, at])

    assert (await stores.events.query("h1", start=MIDNIGHT, **query)).items == (after, at)
    assert (await stores.events.query("h1", end=MIDNIGHT, **query)).items == (before,)
    assert (
        await stores.events.query("h1", start=MIDNIGHT - MILLISECOND, end=MIDNIGHT + MILLISECOND, **query)
    ).items == (
        at,
        before,
    )


async def test_bounds_may_be_finer_than_events(stores):
    await stores.events.append([event(1)])

    async def found(**span) -> int:
        return len((await stores.events.query("h1", **span)).items)

    assert await found(start=AT + MICROSECOND) == 0
    assert await found(start=AT - MICROSECOND) == 1
    assert await found(end=AT + MICROSECOND) == 1
    assert await found(end=AT - MICROSECOND) == 0
    assert await found(start=AT, end=AT + MICROSECOND) == 1


@pytest.mark.parametrize("hours", [-11, 5.5, 14])
async def test_a_moment_is_the_same_in_every_time_zone(stores, hours):
    zone = timezone(timedelta(hours=hours))
    told = msgspec.structs.replace(event(1, at=AT.astimezone(zone)), received_at=(AT + SECOND).astimezone(zone))
    await stores.events.append([told, event(2, at=AT + SECOND)])

    page = await stores.events.query("h1", start=AT.astimezone(zone), end=(AT + SECOND).astimezone(zone))

    assert page.items == (event(1),)
    assert page.items[0].at.utcoffset() == timedelta()
    assert (await stores.events.get("h1", "e001")).received_at.utcoffset() == timedelta()


@pytest.mark.parametrize(
    "at", [datetime(1970, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, 23, 59, 59, 123000, tzinfo=UTC)]
)
async def test_an_event_of_any_year_is_kept_to_the_millisecond(stores, at):
    far = event(1, at=at)
    await stores.events.append([far, event(2)])

    assert await stores.events.get("h1", "e001") == far
    assert far in (await stores.events.query("h1")).items
    assert (await stores.events.query("h1", start=at, end=at + MILLISECOND)).items == (far,)
    assert (await stores.events.latest("h1", ["d1"])) == {"d1": max(far, event(2), key=lambda e: e.at)}


@pytest.mark.parametrize(
    "span", [{"start": AT, "end": AT}, {"start": AT + HOUR, "end": AT}, {"start": AT + 40 * DAY, "end": AT - 40 * DAY}]
)
async def test_a_span_without_length_holds_nothing(stores, span):
    await stores.events.append([event(1), event(2, at=AT + SECOND)])

    page = await stores.events.query("h1", **span)

    assert page.items == ()
    assert page.next_cursor is None


@pytest.mark.parametrize("limit", [0, -5])
async def test_the_least_that_can_be_asked_for_is_one(stores, limit):
    await stores.events.append([event(1), event(2, at=AT + SECOND)])
    await stores.anomalies.append([anomaly(1), anomaly(2)])
    await stores.alerts.raise_([alert(1), alert(2)])
    span = {"start": AT, "end": AT + DAY}

    assert (await stores.events.query("h1", limit=limit)).items == (event(2, at=AT + SECOND),)
    assert await stores.anomalies.query("h1", **span, limit=limit) == [anomaly(2)]
    assert await stores.alerts.query("h1", **span, limit=limit) == [alert(2)]


async def test_a_full_last_page_is_the_last(stores):
    await stores.events.append([event(n) for n in range(4)])

    first = await stores.events.query("h1", limit=2)
    last = await stores.events.query("h1", limit=2, cursor=first.next_cursor)

    assert len(last.items) == 2
    assert last.next_cursor is None


async def test_a_type_that_is_named_twice_counts_once(stores):
    await stores.events.append([event(1), event(2, kind="motion")])

    page = await stores.events.query("h1", event_types=["motion", "door_open", "motion"])

    assert page.items == (event(1), event(2, kind="motion"))


async def test_events_of_one_moment_come_by_id_letter_by_letter(stores):
    ids = ["Z", "a", "B", "é", "~", "日", "a1", "a 1", "😀", "/"]
    events = [msgspec.structs.replace(event(0), event_id=id_) for id_ in ids]
    await stores.events.append(events)

    assert [e.event_id for e in await pages(stores, limit=3)] == sorted(ids)


@pytest.mark.parametrize("again", [event(1, at=AT + 2 * DAY), event(1, device_id="d2"), event(1, kind="motion")])
async def test_what_else_comes_under_a_known_id_is_not_stored(stores, again):
    await stores.events.append([event(1)])

    assert await stores.events.append([again, event(2)]) == 1

    assert await stores.events.get("h1", "e001") == event(1)
    assert (await stores.events.query("h1")).items == (event(1), event(2))
    assert (await stores.events.query("h1", start=AT + DAY)).items == ()
    assert (await stores.events.query("h1", device_id="d2")).items == ()
    assert (await stores.events.query("h1", event_types=["motion"])).items == ()
    assert await stores.events.latest("h1", ["d1", "d2"]) == {"d1": event(1)}


async def test_the_first_of_two_with_one_id_in_a_batch_is_stored(stores):
    assert await stores.events.append([event(1), event(1, device_id="d2", at=AT + SECOND)]) == 1

    assert (await stores.events.query("h1")).items == (event(1),)


async def test_a_payload_comes_back_as_it_was_sent(stores):
    payload = {
        "": None, "large": "x" * 60_000, "empty": {}, "list": [[], [{}], -0.5, 1e300, 2**53], "true": True, "é": "日\n",
        "'; DROP TABLE events; --": '"',
    }  # fmt: skip
    odd = msgspec.structs.replace(event(1), payload=payload, metadata=Metadata(firmware_version="", signal_strength=0))
    await stores.events.append([odd])

    assert await stores.events.get("h1", "e001") == odd
    assert (await stores.events.query("h1", device_id="d1")).items == (odd,)
    assert (await stores.events.query("h1", event_types=["door_open"])).items == (odd,)


async def test_an_event_of_the_home_itself_is_no_devices(stores):
    whole = msgspec.structs.replace(event(1, kind="mode_changed"), device_id="")
    await stores.events.append([whole, event(2)])

    assert (await stores.events.query("h1")).items == (whole, event(2))
    assert (await stores.events.query("h1", event_types=["mode_changed"])).items == (whole,)
    assert (await stores.events.query("h1", device_id="d1")).items == (event(2),)
    assert await stores.events.latest("h1", ["", "d1"]) == {"d1": event(2)}


@pytest.mark.parametrize("query", SHAPES)
async def test_a_home_meets_nothing_of_its_neighbours(stores, query):
    mine, theirs = [event(n) for n in range(3)], [event(n, home_id="h2", at=AT + n * SECOND) for n in range(3, 9)]
    await stores.events.append([*theirs[:3], *mine, *theirs[3:]])
    cursor = (await stores.events.query("h2", limit=4, **query)).next_cursor

    assert (await stores.events.query("h1", **query)).items == tuple(mine)
    assert (await stores.events.query("h1", cursor=cursor, **query)).items == tuple(mine)
    assert (await stores.events.query("h3", cursor=cursor, **query)).items == ()
    assert await stores.events.count("h1") == 3
    assert await stores.events.latest("h3", ["d1"]) == {}


async def test_ids_that_run_together_are_still_two_homes_or_two_devices(stores):
    one = event(1, home_id="a", device_id="bc")
    other = event(1, home_id="ab", device_id="c")
    await stores.events.append([one, other])

    assert (await stores.events.query("a", device_id="bc")).items == (one,)
    assert (await stores.events.query("ab", device_id="c")).items == (other,)
    assert (await stores.events.query("a", device_id="c")).items == ()


async def test_a_cursor_goes_on_in_another_question(stores):
    events = [event(n, device_id=f"d{n % 2}", at=AT + n * SECOND) for n in range(8)]
    await stores.events.append(events)
    cursor = (await stores.events.query("h1", limit=3)).next_cursor

    page = await stores.events.query("h1", device_id="d1", start=AT + SECOND, end=AT + 4 * SECOND, cursor=cursor)
    below = await stores.events.query("h1", start=AT + 6 * SECOND, cursor=cursor)
    above = await stores.events.query("h1", end=AT + 2 * SECOND, cursor=cursor)

    assert page.items == (events[3], events[1])
    assert below.items == ()
    assert above.items == (events[1], events[0])


async def test_a_cursor_outlives_a_reopen(opener):
    async with opener() as stores:
        await stores.events.append([event(n) for n in range(4)])
        cursor = (await stores.events.query("h1", limit=3)).next_cursor
    async with opener() as stores:
        assert (await stores.events.query("h1", cursor=cursor)).items == (event(3),)


async def test_the_count_follows_what_is_appended_late_and_twice(stores):
    await stores.events.append([event(n, at=AT - n * DAY) for n in range(20)])
    assert await stores.events.count("h1") == 20
    assert await stores.events.count("h1") == 20

    await stores.events.append([event(50, at=AT - 7 * DAY), event(7, at=AT - 7 * DAY), event(51, at=AT - 30 * DAY)])

    assert await stores.events.count("h1") == 22


async def test_the_latest_event_is_the_first_of_its_device_whatever_comes_late(stores):
    long_ago = event(9, device_id="attic", at=AT - 80 * DAY)
    await stores.events.append([event(2), event(1), long_ago])
    await stores.events.append([event(3, at=AT - DAY)])

    latest = await stores.events.latest("h1", ["d1", "attic", "d1"])

    assert latest == {"d1": event(1), "attic": long_ago}
    for device_id, newest in latest.items():
        assert (await stores.events.query("h1", device_id=device_id, limit=1)).items == (newest,)
    assert await stores.events.latest("h1", []) == {}


async def test_batches_that_overlap_store_each_event_once(stores):
    counts = await asyncio.gather(
        *(stores.events.append([event(n, at=AT + n * HOUR) for n in range(k, k + 10)]) for k in range(0, 30, 3))
    )

    assert sum(counts) == 37
    assert await stores.events.count("h1") == 37
    assert len(await pages(stores, limit=10)) == 37


async def test_pages_read_while_events_arrive_never_repeat(stores):
    events = [event(n, at=AT - n * HOUR) for n in range(60)]
    await stores.events.append(events[::2])

    _, found = await asyncio.gather(stores.events.append(events[1::2]), pages(stores, limit=5))

    assert found == sorted(set_of := {e.event_id: e for e in found}.values(), key=place)
    assert {e.event_id for e in events[::2]} <= {e.event_id for e in set_of}


_TYPES = ("motion", "door_open", "telemetry")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    told=st.lists(
        st.tuples(st.integers(0, 15), st.integers(0, 4), st.integers(0, 2), st.sampled_from((0, 1, 3600, 86_398))),
        max_size=25,
    ),
    device=st.sampled_from(("", "d0", "d1")),
    kinds=st.lists(st.sampled_from(_TYPES), max_size=3),
    span=st.tuples(st.integers(0, 5), st.integers(0, 7)),
    limit=st.integers(1, 6),
)
async def test_every_question_is_answered_as_by_looking_at_each_event(stores, told, device, kinds, span, limit):
    home = f"h-{uuid4().hex}"
    events = {}
    for number, day, kind, second in told:
        new = event(
            number, home_id=home, device_id=f"d{number % 2}", kind=_TYPES[kind], at=AT + day * DAY + second * SECOND
        )
        events.setdefault(new.event_id, new)
        await stores.events.append([new])
    start, end = AT + span[0] * DAY, AT + span[1] * DAY
    wanted = [
        e
        for e in events.values()
        if start <= e.at < end and (not device or e.device_id == device) and e.event_type in (kinds or [e.event_type])
    ]

    found, cursor = [], None
    while True:
        page = await stores.events.query(
            home, start=start, end=end, device_id=device, event_types=kinds, limit=limit, cursor=cursor
        )
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break

    assert found == sorted(wanted, key=place)
    assert await stores.events.count(home) == len(events)


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


async def test_anomalies_of_one_moment_come_by_id(stores):
    odd = [anomaly(n, id=id_, at=AT, device_id="d0") for n, id_ in enumerate(["b", "a", "Z", "c"])]
    await stores.anomalies.append(odd)
    span = {"start": AT, "end": AT + SECOND}

    for query in ({}, {"device_id": "d0"}):
        assert [a.id for a in await stores.anomalies.query("h1", **span, **query)] == ["Z", "a", "b", "c"]
        assert [a.id for a in await stores.anomalies.query("h1", **span, **query, limit=2)] == ["Z", "a"]


async def test_anomalies_are_found_over_midnight_and_long_pauses(stores):
    odd = [anomaly(n, id=f"a{n:02}", device_id="d0", at=AT - n * n * DAY) for n in range(12)]
    await stores.anomalies.append(odd)

    assert await stores.anomalies.query("h1", start=AT - 365 * DAY, end=AT + SECOND) == odd
    assert await stores.anomalies.query("h1", start=AT - 4 * DAY, end=AT, device_id="d0") == odd[1:3]
    assert await stores.anomalies.query("h1", start=AT - 365 * DAY, end=AT + SECOND, device_id="d0", limit=5) == odd[:5]
    assert await stores.anomalies.query("h1", start=AT + SECOND, end=AT - DAY) == []


async def test_a_known_anomaly_is_not_stored_under_another_time_or_device(stores):
    await stores.anomalies.append([anomaly(1)])

    assert await stores.anomalies.append([anomaly(1, at=AT + DAY), anomaly(1, device_id="d9")]) == 0

    span = {"start": AT - DAY, "end": AT + 2 * DAY}
    assert await stores.anomalies.query("h1", **span) == [anomaly(1)]
    assert await stores.anomalies.query("h1", **span, device_id="d9") == []


async def test_many_detectors_at_once_store_each_anomaly_once(stores):
    counts = await asyncio.gather(*(stores.anomalies.append([anomaly(n) for n in range(8)]) for _ in range(10)))

    assert sum(counts) == 8
    assert len(await stores.anomalies.query("h1", start=AT, end=AT + DAY)) == 8


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


async def test_of_many_who_raise_one_alert_at_once_one_is_first(stores):
    answers = await asyncio.gather(*(stores.alerts.raise_([alert(1, text=f"by {n}"), alert(2)]) for n in range(10)))

    raised = [a for answer in answers for a in answer]
    assert sorted(a.id for a in raised) == ["a1", "a2"]
    first = next(a for a in raised if a.id == "a1")
    assert await stores.alerts.query("h1", start=AT, end=AT + DAY) == [alert(2), first]


async def test_an_alert_that_is_raised_again_later_keeps_its_time(stores):
    await stores.alerts.raise_([alert(1)])

    assert await stores.alerts.raise_([alert(1, at=AT + 3 * DAY)]) == []

    assert await stores.alerts.query("h1", start=AT - DAY, end=AT + 9 * DAY) == [alert(1)]


async def test_alerts_are_found_newest_first_over_many_days_and_equal_times_by_id(stores):
    raised = [alert(n, id=f"a{n}", at=AT - (n // 2) * 20 * DAY, event_ids=(), device_id="") for n in range(8)]
    await stores.alerts.raise_(raised[::-1])

    assert await stores.alerts.query("h1", start=AT - 365 * DAY, end=AT + SECOND) == raised
    assert await stores.alerts.query("h1", start=AT - 365 * DAY, end=AT + SECOND, limit=3) == raised[:3]
    assert await stores.alerts.query("h1", start=AT - 40 * DAY, end=AT) == raised[2:6]


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
