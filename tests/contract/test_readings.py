"""Readings and their rollups."""

import asyncio
import math
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from homeguard.errors import InvalidInput
from homeguard.model import Reading, Window

PORTS = ("readings",)

AT = datetime(2026, 3, 1, 22, 59, 30, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS, SECOND = timedelta(milliseconds=1), timedelta(seconds=1)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SERIES = ("h1", "d1", "temperature_c")


def reading(number: int, value: float = 20.0, at: datetime = AT, **changes) -> Reading:
    return replace(
        Reading(
            home_id="h1", device_id="d1", metric="temperature_c", value=value, unit="°C", at=at,
            event_id=f"e{number:03}",
        ),
        **changes,
    )  # fmt: skip


def recomputed(readings: list[Reading], every: timedelta) -> list[Window]:
    slots = defaultdict(list)
    for r in readings:
        slots[(r.at - EPOCH) // every].append(r.value)
    return [
        Window(
            start=EPOCH + slot * every, count=len(v), average=pytest.approx(sum(v) / len(v)), minimum=min(v),
            maximum=max(v),
        )
        for slot, v in sorted(slots.items())
    ]  # fmt: skip


async def test_readings_are_read_as_they_were_stored_oldest_first(stores):
    late, odd = reading(2, 19.5, AT - HOUR, is_simulated=True), reading(3, 68, AT + MINUTE, unit="°F")
    assert await stores.readings.append([reading(1), late, odd, reading(1)]) == 3
    assert await stores.readings.append([reading(1, 99.0)]) == 0

    assert await stores.readings.raw(*SERIES, start=AT - DAY, end=AT + DAY) == [late, reading(1), odd]
    assert await stores.readings.raw(*SERIES, start=AT - HOUR, end=AT) == [late]
    assert await stores.readings.raw(*SERIES, start=AT - DAY, end=AT + DAY, limit=2) == [reading(1), odd]


async def test_the_latest_reading_lies_before_the_moment(stores):
    await stores.readings.append([reading(n, n, AT + n * MINUTE) for n in range(3)])

    assert await stores.readings.latest(*SERIES, before=AT + 2 * MINUTE) == reading(1, 1, AT + MINUTE)
    assert await stores.readings.latest(*SERIES, before=AT) is None


async def test_another_home_device_or_metric_is_another_series(stores):
    others = [
        reading(1, 1, home_id="h2"),
        reading(1, 2, device_id="d2"),
        reading(1, 3, metric="humidity_pct", unit="%"),
    ]
    assert await stores.readings.append([reading(1), *others]) == 4
    span = {"start": AT - DAY, "end": AT + DAY}

    assert await stores.readings.raw("h2", "d1", "temperature_c", **span) == [others[0]]
    assert [w.average for w in await stores.readings.windows("h2", "d1", "temperature_c", **span, every=DAY)] == [1]
    assert await stores.readings.raw("h3", "d1", "temperature_c", **span) == []
    assert await stores.readings.latest("h3", "d1", "temperature_c", before=AT + DAY) is None
    assert await stores.readings.windows("h3", "d1", "temperature_c", **span, every=HOUR) == []
    assert await stores.readings.metrics("h1") == [
        ("d1", "humidity_pct", "%"),
        ("d1", "temperature_c", "°C"),
        ("d2", "temperature_c", "°C"),
    ]
    assert await stores.readings.metrics("h3") == []


async def test_windows_are_widened_to_whole_ones_and_empty_ones_left_out(stores):
    await stores.readings.append(
        [reading(1, 10, AT), reading(2, 20, AT + 20 * timedelta(seconds=1)), reading(3, 30, AT + 5 * MINUTE)]
    )

    found = await stores.readings.windows(
        *SERIES, start=AT + timedelta(seconds=1), end=AT + 4 * MINUTE + timedelta(seconds=1), every=MINUTE
    )
    hours = await stores.readings.windows(*SERIES, start=AT, end=AT + MINUTE, every=HOUR)

    start = AT.replace(second=0)
    assert found == [Window(start=start, count=2, average=15, minimum=10, maximum=20)]
    assert hours == [
        Window(start=start.replace(minute=0), count=2, average=15, minimum=10, maximum=20),
        Window(start=start + MINUTE, count=1, average=30, minimum=30, maximum=30),
    ]
    assert await stores.readings.windows(*SERIES, start=AT, end=AT, every=MINUTE) == []


@pytest.mark.parametrize("every", [timedelta(), timedelta(seconds=30), timedelta(seconds=90), -MINUTE])
async def test_windows_of_broken_minutes_are_refused(stores, every):
    with pytest.raises(InvalidInput):
        await stores.readings.windows(*SERIES, start=AT, end=AT + DAY, every=every)


async def test_concurrent_repeats_count_once_in_the_rollups(stores):
    batch = [reading(n, n, AT + n * timedelta(seconds=7)) for n in range(30)]

    counts = await asyncio.gather(*(stores.readings.append(batch) for _ in range(10)))

    assert sum(counts) == 30
    assert await stores.readings.windows(*SERIES, start=AT, end=AT + DAY, every=MINUTE) == recomputed(batch, MINUTE)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(
        st.lists(
            st.tuples(st.integers(0, 5), st.integers(-3 * 3600, 30 * 3600), st.floats(-1e6, 1e6, allow_nan=False)),
            max_size=12,
        ),
        max_size=6,
    ),
    every=st.sampled_from([MINUTE, 7 * MINUTE, HOUR, 90 * MINUTE, 6 * HOUR, DAY]),
)
async def test_rollups_equal_what_the_raw_readings_give_whatever_comes_late_or_twice(opener, batches, every):
    async with opener() as stores:
        device = f"d{len(await stores.readings.metrics('h1'))}"
        for batch in batches:
            await stores.readings.append(
                [reading(n, value, AT + timedelta(seconds=s), device_id=device) for n, s, value in batch]
            )
        span = {"start": AT - 2 * DAY, "end": AT + 3 * DAY}
        raw = await stores.readings.raw("h1", device, "temperature_c", **span)

        first_of_each = {}
        for n, s, value in (item for batch in batches for item in batch):
            first_of_each.setdefault((s, n), value)
        assert [(r.at, r.event_id, r.value) for r in raw] == [
            (AT + timedelta(seconds=s), f"e{n:03}", v) for (s, n), v in sorted(first_of_each.items())
        ]
        assert await stores.readings.windows("h1", device, "temperature_c", **span, every=every) == recomputed(
            raw, every
        )


async def test_readings_and_rollups_survive_a_reopen(opener):
    async with opener() as stores:
        await stores.readings.append([reading(1, 10), reading(2, 20, AT + MINUTE)])
    async with opener() as stores:
        assert await stores.readings.append([reading(2, 20, AT + MINUTE), reading(3, 30, AT + 2 * MINUTE)]) == 1
        assert await stores.readings.windows(*SERIES, start=AT, end=AT + DAY, every=DAY) == [
            Window(start=AT.replace(hour=0, minute=0, second=0), count=3, average=20, minimum=10, maximum=30)
        ]


async def test_nothing_appended_is_nothing_stored(stores):
    assert await stores.readings.append([]) == 0
    assert await stores.readings.metrics("h1") == []
    assert await stores.readings.latest(*SERIES, before=AT) is None
    assert await stores.readings.raw(*SERIES, start=AT - DAY, end=AT) == []


async def test_a_long_batch_is_stored_whole_and_counts_what_was_new(stores):
    batch = [reading(n % 1000, n, AT + n * SECOND, device_id=f"d{n % 7}") for n in range(12_000)]
    assert await stores.readings.append(batch[4_900:5_100]) == 200

    assert await stores.readings.append(batch) == 11_800

    windows = [
        await stores.readings.windows("h1", f"d{d}", "temperature_c", start=AT, end=AT + DAY, every=MINUTE)
        for d in range(7)
    ]
    assert windows == [recomputed([r for r in batch if r.device_id == f"d{d}"], MINUTE) for d in range(7)]


async def test_readings_of_one_moment_are_all_kept_in_the_order_of_their_ids(stores):
    given = [reading(3, 3), reading(1, 1), reading(2, 2)]
    odd = [reading(0, 4, event_id="E9"), reading(0, 5, event_id="a-b"), reading(0, 6, event_id="é")]
    assert await stores.readings.append([*given, *odd]) == 6

    found = await stores.readings.raw(*SERIES, start=AT, end=AT + MS)

    assert [r.event_id for r in found] == ["E9", "a-b", "e001", "e002", "e003", "é"]
    assert await stores.readings.raw(*SERIES, start=AT, end=AT + MS, limit=2) == found[-2:]
    assert await stores.readings.latest(*SERIES, before=AT + MS) == found[-1]


async def test_one_event_at_two_moments_is_two_readings(stores):
    assert await stores.readings.append([reading(1, 1), reading(1, 2, AT + MS)]) == 2
    assert [r.value for r in await stores.readings.raw(*SERIES, start=AT, end=AT + MINUTE)] == [1, 2]


async def test_of_two_with_one_key_in_a_batch_the_first_stays(stores):
    assert await stores.readings.append([reading(2, 5, AT + MINUTE), reading(1, 7), reading(1, 1), reading(1, 9)]) == 2
    assert await stores.readings.raw(*SERIES, start=AT, end=AT + MS) == [reading(1, 7)]
    assert [w.maximum for w in await stores.readings.windows(*SERIES, start=AT, end=AT + MS, every=MINUTE)] == [7]


async def test_a_metric_has_the_unit_of_the_reading_that_came_first(stores):
    await stores.readings.append([reading(2, unit="°F"), reading(1, at=AT - DAY, unit="°C")])
    await stores.readings.append([reading(3, at=AT - 2 * DAY, unit="K")])

    assert await stores.readings.metrics("h1") == [("d1", "temperature_c", "°F")]
    assert [r.unit for r in await stores.readings.raw(*SERIES, start=AT - 3 * DAY, end=AT + DAY)] == ["K", "°C", "°F"]


async def test_a_span_begins_with_its_start_and_ends_before_its_end(stores):
    await stores.readings.append([reading(n, n, AT + n * MS) for n in range(5)])

    assert [r.value for r in await stores.readings.raw(*SERIES, start=AT + MS, end=AT + 3 * MS)] == [1, 2]
    assert await stores.readings.raw(*SERIES, start=AT + MS, end=AT + MS) == []
    assert await stores.readings.raw(*SERIES, start=AT + 3 * MS, end=AT + MS) == []
    assert await stores.readings.windows(*SERIES, start=AT + DAY, end=AT, every=MINUTE) == []


@pytest.mark.parametrize("limit", [1, 7, 25, 40])
async def test_pages_from_the_newest_back_give_every_reading_once(stores, limit):
    batch = [reading(n, n, AT + n * 11 * HOUR) for n in range(25)]
    await stores.readings.append(random.Random(limit).sample(batch, len(batch)))
    end, pages = AT + 30 * DAY, []
    while page := await stores.readings.raw(*SERIES, start=AT - DAY, end=end, limit=limit):
        pages.append(page)
        end = page[0].at

    assert [r for page in reversed(pages) for r in page] == batch
    assert len(pages) == math.ceil(25 / limit)


async def test_ten_thousand_are_the_most_unless_more_are_asked_for(stores):
    await stores.readings.append([reading(n, n, AT + n * MS) for n in range(10_002)])
    span = {"start": AT, "end": AT + MINUTE}

    assert [r.value for r in await stores.readings.raw(*SERIES, **span)] == list(range(2, 10_002))
    assert len(await stores.readings.raw(*SERIES, **span, limit=20_000)) == 10_002


async def test_a_moment_is_the_same_in_every_time_zone(stores):
    kolkata, chatham = timezone(timedelta(hours=5, minutes=30)), ZoneInfo("Pacific/Chatham")
    assert await stores.readings.append([reading(1, at=AT.astimezone(kolkata))]) == 1
    assert await stores.readings.append([reading(1, at=AT.astimezone(chatham)), reading(1)]) == 0

    start, end = AT.astimezone(chatham), (AT + MS).astimezone(kolkata)
    found = await stores.readings.raw(*SERIES, start=start, end=end)
    windows = await stores.readings.windows(*SERIES, start=start, end=end, every=DAY)

    assert found == [reading(1)]
    assert await stores.readings.latest(*SERIES, before=end) == reading(1)
    assert [w.start for w in windows] == [AT.replace(hour=0, minute=0, second=0)]
    assert [m.utcoffset() for m in (found[0].at, windows[0].start)] == [timedelta(), timedelta()]


@pytest.mark.parametrize("every", [MINUTE, 7 * MINUTE, HOUR, 90 * MINUTE, 5 * HOUR, DAY, 5 * DAY, 7 * DAY, 400 * DAY])
async def test_a_border_belongs_to_the_window_that_it_begins(stores, every):
    border = EPOCH + (AT - EPOCH) // every * every
    batch = [
        reading(1, 1, border - every), reading(2, 2, border - MS), reading(3, 3, border),
        reading(4, 4, border + every - MS), reading(5, 5, border + every),
    ]  # fmt: skip
    await stores.readings.append(batch)

    found = await stores.readings.windows(*SERIES, start=border - MS, end=border + MS, every=every)

    assert [(w.start, w.minimum, w.maximum) for w in found] == [(border - every, 1, 2), (border, 3, 4)]
    ends = await stores.readings.windows(*SERIES, start=border - every, end=border, every=every)
    assert [w.start for w in ends] == [border - every]


@pytest.mark.parametrize("days", [10_000, 4_000_000, 999_999_999])
async def test_a_window_longer_than_history_holds_all_of_it(stores, days):
    await stores.readings.append([reading(n, n, EPOCH + n * 365 * DAY) for n in range(2)])
    found = await stores.readings.windows(
        *SERIES, start=EPOCH + DAY, end=EPOCH + 2 * DAY, every=timedelta(days=days)
    )  # fmt: skip
    assert found == [Window(start=EPOCH, count=2, average=0.5, minimum=0, maximum=1)]


async def test_windows_do_not_follow_the_summer_time_of_who_asks(stores):
    berlin = ZoneInfo("Europe/Berlin")
    start, end = datetime(2026, 3, 28, 12, tzinfo=berlin), datetime(2026, 3, 30, 12, tzinfo=berlin)
    batch = [reading(n, n, datetime(2026, 3, 28, tzinfo=UTC) + n * 30 * MINUTE) for n in range(144)]
    await stores.readings.append(batch)

    days = await stores.readings.windows(*SERIES, start=start, end=end, every=DAY)
    hours = await stores.readings.windows(*SERIES, start=start, end=end, every=HOUR)

    assert [(w.start.day, w.start.hour, w.count) for w in days] == [(28, 0, 48), (29, 0, 48), (30, 0, 48)]
    assert hours == recomputed([r for r in batch if start <= r.at < end], HOUR)
    assert len(hours) == 47


@pytest.mark.parametrize(
    "at",
    [
        EPOCH, datetime(1999, 12, 31, 23, 59, 59, 999_000, UTC), AT - 400 * DAY, AT - 91 * DAY, AT - 8 * DAY,
        AT + 23 * HOUR, AT + 40 * DAY,
    ],
    ids=lambda at: at.date().isoformat(),
)  # fmt: skip
async def test_a_reading_of_any_time_is_counted_at_once(stores, at):
    await stores.readings.append([reading(1, 10)])
    assert await stores.readings.append([reading(2, 30, at)]) == 1
    assert await stores.readings.append([reading(2, 31, at), reading(3, 20, at)]) == 1

    assert await stores.readings.raw(*SERIES, start=at, end=at + MS) == [reading(2, 30, at), reading(3, 20, at)]
    assert await stores.readings.latest(*SERIES, before=at + MS) == reading(3, 20, at)
    for every in (MINUTE, HOUR, DAY):
        assert await stores.readings.windows(*SERIES, start=at, end=at + MS, every=every) == [
            Window(start=EPOCH + (at - EPOCH) // every * every, count=2, average=25, minimum=20, maximum=30)
        ]


async def test_the_latest_is_found_however_long_ago_it_was(stores):
    given = [reading(1, 1, AT - 2000 * DAY), reading(2, 2, AT - 30 * DAY), reading(3, 3, AT), reading(4, 4, AT + HOUR)]
    await stores.readings.append(given[::-1])

    moments = [r.at for r in given]
    assert [await stores.readings.latest(*SERIES, before=at) for at in moments] == [None, *given[:3]]
    assert [await stores.readings.latest(*SERIES, before=at + MS) for at in moments] == given
    assert await stores.readings.latest(*SERIES, before=AT + 3000 * DAY) == given[3]


async def test_windows_of_every_length_hold_the_same_readings(stores):
    noise = random.Random(7)
    batch = [reading(n, noise.uniform(-40, 60), AT + noise.randrange(30 * 86_400_000) * MS) for n in range(900)]
    for first in range(0, len(batch), 250):
        await stores.readings.append(batch[first : first + 300])
    span = {"start": AT, "end": AT + 30 * DAY}

    for every in (MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY):
        assert await stores.readings.windows(*SERIES, **span, every=every) == recomputed(batch, every)


async def test_numbers_come_back_as_they_are(stores):
    values = [0.0, -0.5, 1 / 3, 5e-324, 1.7976931348623157e308, -273.15, 68, 2**53]
    await stores.readings.append([reading(n, v, AT + n * MS, is_simulated=n % 2 == 1) for n, v in enumerate(values)])

    found = await stores.readings.raw(*SERIES, start=AT, end=AT + MINUTE)

    assert [r.value for r in found] == values
    assert [r.is_simulated for r in found] == [False, True] * 4


async def test_a_number_that_nobody_measured_does_not_stop_those_after_it(stores):
    huge = [1.7e308, 1.7e308, -1.7e308, -1.7e308, -1.7e308]
    for n, value in enumerate(huge):
        await stores.readings.append([reading(n, value, AT + n * MS)])
    assert await stores.readings.append([reading(9, v, AT + DAY + n * MS) for n, v in enumerate(huge)]) == 5
    assert await stores.readings.append([reading(8, 20, AT + SECOND)]) == 1

    for every in (MINUTE, HOUR, DAY, 4 * DAY):
        for window in await stores.readings.windows(*SERIES, start=AT, end=AT + 2 * DAY, every=every):
            assert math.isfinite(window.average)
            assert (window.minimum, window.maximum) == (-1.7e308, 1.7e308)
    assert await stores.readings.latest(*SERIES, before=AT + MINUTE) == reading(8, 20, AT + SECOND)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
async def test_what_is_no_number_is_refused_with_its_batch(stores, value):
    with pytest.raises(InvalidInput):
        await stores.readings.append([reading(1), reading(2, value, AT + MS)])
    assert await stores.readings.raw(*SERIES, start=AT, end=AT + DAY) == []
    assert await stores.readings.metrics("h1") == []


@pytest.mark.parametrize(
    "name", ["x" * 300, "Müllers Küche 🚪", "a'; DROP TABLE x; --", "100%_$1", "{}", "../up", "a b", '"quoted"', "e\\1"]
)
async def test_names_are_only_names(stores, name):
    odd = reading(1, home_id=name, device_id=name, metric=name, unit=name, event_id=name)
    assert await stores.readings.append([odd, reading(1)]) == 2
    assert await stores.readings.append([odd]) == 0

    assert await stores.readings.raw(name, name, name, start=AT, end=AT + MS) == [odd]
    assert [w.count for w in await stores.readings.windows(name, name, name, start=AT, end=AT + MS, every=DAY)] == [1]
    assert await stores.readings.metrics(name) == [(name, name, name)]


async def test_metrics_are_sorted_by_code_points_and_know_upper_from_lower_case(stores):
    names = ["é", "b", "Z", "a10", "A", "a", "a-b", "ab", "a2", "_", "ß", "🚪"]
    await stores.readings.append([reading(1, device_id=device, metric=m) for device in names for m in ("b", "B")])

    expected = [(device, m, "°C") for device in sorted(names) for m in ("B", "b")]
    assert await stores.readings.metrics("h1") == expected


async def test_homes_with_devices_of_one_name_share_nothing(stores):
    homes = ["h1", "H1", "h1 ", "h11", "h"]
    batch = [reading(n, n, AT + n * MINUTE, home_id=h) for n, h in enumerate(homes)]
    assert await stores.readings.append(batch) == 5
    assert await stores.readings.append([replace(r, value=99.0) for r in batch[:1]]) == 0

    for n, home in enumerate(homes):
        assert await stores.readings.raw(home, *SERIES[1:], start=AT, end=AT + DAY) == [batch[n]]
        assert await stores.readings.latest(home, *SERIES[1:], before=AT + DAY) == batch[n]
        found = await stores.readings.windows(home, *SERIES[1:], start=AT, end=AT + DAY, every=HOUR)
        assert [(w.count, w.average) for w in found] == [(1, n)]
        assert await stores.readings.metrics(home) == [("d1", "temperature_c", "°C")]


async def test_batches_that_overlap_in_any_order_neither_block_nor_count_twice(stores):
    every = [reading(n, n, AT + n % 20 * 7 * SECOND, device_id=f"d{n % 5}") for n in range(200)]

    async def writer(seed: int) -> int:
        noise = random.Random(seed)
        return sum([await stores.readings.append(noise.sample(every, 120)) for _ in range(4)])

    counts = await asyncio.gather(*(writer(seed) for seed in range(8)))
    last = await stores.readings.append(every)

    assert sum(counts) + last == 200
    for d in range(5):
        assert await stores.readings.windows(
            "h1", f"d{d}", "temperature_c", start=AT, end=AT + DAY, every=MINUTE
        ) == recomputed([r for r in every if r.device_id == f"d{d}"], MINUTE)


async def test_who_reads_while_others_append_sees_whole_batches(stores):
    """Ten readings a batch, all in one minute: a window never holds a part of one."""
    batches = [[reading(b * 10 + n, n, AT + n * SECOND) for n in range(10)] for b in range(12)]
    seen = []

    async def look() -> None:
        while not seen or seen[-1] < 120:
            found = await stores.readings.windows(*SERIES, start=AT, end=AT + SECOND, every=MINUTE)
            seen.append(found[0].count if found else 0)

    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(look())
        for batch in batches:
            tasks.create_task(stores.readings.append(batch))

    assert seen == sorted(seen)
    assert {count % 10 for count in seen} == {0}


async def test_what_was_late_and_what_was_first_survives_a_reopen(opener):
    old = reading(7, 7, AT - 500 * DAY)
    async with opener() as stores:
        await stores.readings.append([reading(1, 10, unit="°F"), old])
    async with opener() as stores:
        assert await stores.readings.append([old, reading(1, 11), reading(2, 12, AT + HOUR)]) == 1
        assert await stores.readings.metrics("h1") == [("d1", "temperature_c", "°F")]
        assert await stores.readings.latest(*SERIES, before=AT - DAY) == old
        assert await stores.readings.raw(*SERIES, start=AT - DAY, end=AT + DAY) == [
            reading(1, 10, unit="°F"), reading(2, 12, AT + HOUR)
        ]  # fmt: skip
