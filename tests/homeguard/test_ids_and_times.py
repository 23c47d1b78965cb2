"""Ids that are made many at once, and the one form in which times are written."""

import time
from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from homeguard.clock import iso, parse_time
from homeguard.ids import FreshIds, new_id


def test_fresh_ids_are_what_single_ones_are_and_none_comes_twice():
    fresh = FreshIds()
    before = time.time_ns() // 1_000_000
    ids = [fresh() for _ in range(2_000)]
    after = time.time_ns() // 1_000_000

    assert len(set(ids)) == 2_000
    for text in [*ids, new_id()]:
        read = UUID(text)
        assert (str(read), read.version, read.variant) == (text, 7, RFC_4122)
    moments = [UUID(text).int >> 80 for text in ids]
    assert moments == sorted(moments)
    assert before <= moments[0] <= moments[-1] <= after


def test_two_sources_of_ids_do_not_make_the_same():
    one, two = FreshIds(), FreshIds()

    assert not {one() for _ in range(500)} & {two() for _ in range(500)}


@given(
    at=st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9998, 12, 30)),
    hours=st.sampled_from([0, -5, 5.5, 14]),
    micros=st.sampled_from([None, 0, 1, 999, 1_000, 120_000, 999_999]),
)
def test_a_time_is_written_in_utc_with_milliseconds(at, hours, micros):
    zone = timezone(timedelta(hours=hours)) if hours else UTC
    at = at.replace(tzinfo=zone, microsecond=at.microsecond if micros is None else micros)

    text = iso(at)

    assert text == at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert parse_time(text) == at.replace(microsecond=at.microsecond // 1000 * 1000)
