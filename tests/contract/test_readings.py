"""Readings and their rollups."""

import asyncio
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeguard.errors import InvalidInput
from homeguard.model import Reading, Window

PORTS = ("readings",)

AT = datetime(2026, 3, 1, 22, 59, 30, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
