"""Many rows in one statement, and the writer that keeps writes together: as if each had come alone."""

import asyncio

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeguard.errors import StoreUnavailable
from homeguard.stores.sqlite import anomalies, events, readings
from homeguard.stores.sqlite.database import open_database
from homeguard.stores.sqlite.many_rows import SIZES, ManyRows

KEPT_PREPARED = 16_384
TABLE = ["CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, n INTEGER) STRICT"]
ROWS = st.lists(st.tuples(st.integers(0, 400), st.none() | st.text(), st.none() | st.integers(-9, 9)), max_size=400)


def filled(rows, conflict: str) -> tuple[int, list[tuple]]:
    connection = apsw.Connection(":memory:")
    connection.execute(TABLE[0])
    changed = ManyRows("INSERT INTO t (id, x, n)", 3, conflict).put(connection, [cell for row in rows for cell in row])
    return changed, connection.execute("SELECT id, x, n FROM t ORDER BY id").fetchall()


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_the_first_row_of_a_key_stays_and_the_new_ones_are_counted(rows):
    first = {}
    for id_, *rest in rows:
        first.setdefault(id_, (id_, *rest))

    assert filled(rows, "ON CONFLICT (id) DO NOTHING") == (len(first), [first[id_] for id_ in sorted(first)])


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_rows_are_taken_in_their_order(rows):
    last = {id_: (id_, *rest) for id_, *rest in rows}

    conflict = "ON CONFLICT (id) DO UPDATE SET x = excluded.x, n = excluded.n"
    assert filled(rows, conflict) == (len(rows), [last[id_] for id_ in sorted(last)])


@pytest.mark.parametrize("count", [0, *(n + d for n in (*SIZES, 2 * SIZES[-1]) for d in (-1, 0, 1))])
def test_any_number_of_rows_fits(count):
    rows = [(n, f"x{n}", None) for n in range(count)]

    assert filled(rows, "ON CONFLICT (id) DO NOTHING") == (count, rows)


def test_the_statements_are_short_enough_to_stay_prepared():
    every = [events._PUT, anomalies._PUT, readings._PUT, readings._ADD_MINUTES, readings._ADD_HOURS]

    assert max(len(sql) for rows in every for _, sql in rows._statements) < KEPT_PREPARED


async def test_a_write_beside_one_that_fails_is_done_and_told_once(tmp_path):
    told: list[int] = []

    def put(id_: int):
        return lambda c: (c.execute("INSERT INTO t (id) VALUES (?)", (id_,)), id_)[1]

    async with open_database(tmp_path / "x.db", TABLE) as database:
        done = await asyncio.gather(
            *(database.write(put(n % 40), then=told.append) for n in range(80)), return_exceptions=True
        )
        assert [d for d in done if isinstance(d, int)] == list(range(40)) == sorted(told)
        assert [id_ for (id_,) in await database.rows("SELECT id FROM t ORDER BY id")] == list(range(40))


async def test_what_waits_when_a_file_is_closed_is_done_or_refused_and_never_left(tmp_path):
    async with open_database(tmp_path / "x.db", TABLE) as database:
        asked = [asyncio.ensure_future(database.rows("SELECT 1")) for _ in range(200)]
        asked += [asyncio.ensure_future(database.change("INSERT INTO t DEFAULT VALUES")) for _ in range(200)]
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        answers = await asyncio.gather(*asked, return_exceptions=True)

    assert all(a in ([(1,)], 1) or isinstance(a, StoreUnavailable) for a in answers)
    async with open_database(tmp_path / "x.db", TABLE) as database:
        assert await database.rows("SELECT count(*) FROM t") == [(answers[200:].count(1),)]
