"""What only the embedded stores promise: files, full disks, damage, one owner of a folder."""

import asyncio
import errno
import json
import os
import subprocess
import sys
import threading
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest

from homeguard.errors import Conflict, Overloaded, StartRefused, StorageFull, StoreUnavailable
from homeguard.model import Device, Home
from homeguard.ports.log import COMMANDS, EVENTS, RETRIES, NewRecord
from homeguard.stores.sqlite.audit import verify_file
from homeguard.stores.sqlite.database import open_database
from homeguard.stores.sqlite.lock import Holder, hold, holder
from homeguard.stores.sqlite.log import open_log
from homeguard.stores.sqlite.open import migrations, open_embedded
from homeguard.stores.sqlite.page_sums import sums_path

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
TABLE = ["CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT) STRICT"]


def put(id_: int, x: str = "x"):
    return lambda c: c.execute("INSERT INTO t VALUES (?, ?)", (id_, x)).fetchall()


async def ids(database) -> list[int]:
    return [id_ for (id_,) in await database.rows("SELECT id FROM t ORDER BY id")]


def record(number: int, size: int = 10) -> NewRecord:
    return NewRecord(topic=EVENTS, key="h/d", value=f"{number:010}".encode().ljust(size, b"."))


async def numbers(log, group: str = "g", limit: int = 100_000) -> list[int]:
    found = []
    while records := await log.read(group, [EVENTS], limit=limit, wait_s=0):
        found += [int(r.value[:10]) for r in records]
    return found


# --- a database file


async def test_a_write_that_fails_undoes_itself_and_not_its_neighbours(tmp_path):
    def half(c):
        c.execute("INSERT INTO t VALUES (50, 'half')")
        raise ValueError("in the middle")

    async with open_database(tmp_path / "x.db", TABLE) as database:
        done = await asyncio.gather(
            *(database.write(half if n == 3 else put(n)) for n in range(6)),
            database.write(put(2)),
            return_exceptions=True,
        )

        assert [type(d) for d in done] == [list, list, list, ValueError, list, list, Conflict]
        assert await ids(database) == [0, 1, 2, 4, 5]


async def test_a_full_file_is_told_and_leaves_nothing_half_written(tmp_path):
    async with open_database(tmp_path / "x.db", TABLE) as database:
        await database.write(put(1))
        await database.change("PRAGMA max_page_count = 4")
        done = await asyncio.gather(
            database.write(put(2)),
            database.write(put(3, "x" * 100_000)),
            database.write(put(4)),
            return_exceptions=True,
        )
        assert any(isinstance(d, StorageFull) and isinstance(d.__cause__, apsw.FullError) for d in done)
        assert await ids(database) == [1, *(n for n, d in zip((2, 3, 4), done, strict=True) if d == [])]

        await database.change("PRAGMA max_page_count = 100000")
        await database.write(put(9))
        assert (await ids(database))[-1] == 9


async def test_what_cannot_wait_is_refused_and_not_taken(tmp_path):
    async with open_database(tmp_path / "x.db", TABLE, queue_limit=5) as database:
        done = await asyncio.gather(*(database.write(put(n)) for n in range(500)), return_exceptions=True)

        taken = [n for n, d in enumerate(done) if d == []]
        assert len(taken) >= 5
        assert {type(d) for n, d in enumerate(done) if n not in taken} == {Overloaded}
        assert await ids(database) == taken


async def test_a_reader_cannot_write_and_an_error_is_ours(tmp_path):
    async with open_database(tmp_path / "x.db", TABLE) as database:
        with pytest.raises(StoreUnavailable) as caught:
            await database.read(put(1))

        assert isinstance(caught.value.__cause__, apsw.ReadOnlyError)
        assert await database.check() == []
    with pytest.raises(StoreUnavailable):
        await database.write(put(1))
    with pytest.raises(StoreUnavailable):
        await ids(database)


async def test_migrations_run_once_and_a_newer_file_is_refused(tmp_path):
    path = tmp_path / "x.db"
    async with open_database(path, TABLE) as database:
        await database.write(put(1))
    async with open_database(path, [*TABLE, "ALTER TABLE t ADD COLUMN y TEXT; CREATE INDEX t_y ON t (y)"]) as database:
        assert await database.rows("SELECT id, x, y FROM t") == [(1, "x", None)]
    with pytest.raises(StartRefused, match="newer HomeGuard"):
        async with open_database(path, TABLE):
            pass


async def test_a_broken_migration_leaves_the_file_as_it_was(tmp_path):
    with pytest.raises(StoreUnavailable):
        async with open_database(tmp_path / "x.db", [*TABLE, "CREATE TABLE u (id INTEGER); nonsense"]):
            pass
    async with open_database(tmp_path / "x.db", TABLE) as database:
        assert await database.rows("SELECT name FROM sqlite_schema") == [("t",)]


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "x.db").write_bytes(b"no database at all, but long enough to be read as one" * 100)

    with pytest.raises(StartRefused, match=r"x\.db"):
        async with open_database(tmp_path / "x.db", TABLE):
            pass


async def test_commits_are_full_and_in_the_wal(tmp_path, clock):
    async with open_embedded(tmp_path, clock):
        pass
    for name in ("home", "events"):
        async with open_database(tmp_path / f"{name}.db", migrations(name)) as database:
            assert await database.write(lambda c: (c.pragma("journal_mode"), c.pragma("synchronous"))) == ("wal", 2)
            assert await database.write(lambda c: c.pragma("foreign_keys")) == 1


async def test_every_event_query_walks_an_index(tmp_path, clock):
    """By the plan of the statements that the store runs: no scan of the table, no sort of more than equal times."""
    async with open_embedded(tmp_path, clock) as stores:
        database = stores.events._database
        seen: list[str] = []
        both = threading.Barrier(2)

        def watch(c):
            c.trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: seen.append(event["sql"]))
            both.wait(10)

        await asyncio.gather(database.read(watch), database.read(watch))
        await asyncio.gather(
            *(
                stores.events.query("h", **q)
                for q in (
                    {},
                    {"device_id": "d"},
                    {"event_types": ["a", "b"]},
                    {"device_id": "d", "event_types": ["a"]},
                )
            )
        )
        queries = {sql for sql in seen if "FROM events" in sql}
        assert len(queries) == 4
        for sql in queries:
            plan = [
                row[3]
                for row in await database.rows(
                    "EXPLAIN QUERY PLAN " + sql,
                    dict.fromkeys(("home", "type", "device", "start", "end", "below", "below_id", "limit"), 1)
                    | {"types": "[]"},
                )
            ]
            assert any("USING INDEX events_by_" in step or "USING COVERING INDEX events_by_" in step for step in plan)
            assert not any(step.startswith("SCAN events") or step == "USE TEMP B-TREE FOR ORDER BY" for step in plan)


# --- the audit


@pytest.mark.parametrize(
    ("damage", "row"),
    [
        ("UPDATE audit SET decision = 'refuse' WHERE home_id = 'h1' AND seq = 2", 2),
        ("UPDATE audit SET at = at + 1 WHERE home_id = 'h1' AND seq = 3", 3),
        ("DELETE FROM audit WHERE home_id = 'h1' AND seq = 1", 1),
        ("DELETE FROM audit WHERE home_id = 'h1' AND seq = 4", 4),
        ("DELETE FROM audit", 1),
        (
            "UPDATE audit SET seq = -2 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3;"
            "UPDATE audit SET seq = 3 WHERE seq = -2",
            2,
        ),
    ],
)
async def test_a_changed_dropped_or_moved_row_of_the_audit_is_named(tmp_path, clock, damage, row):
    async with open_embedded(tmp_path, clock) as stores:
        for number in range(4):
            await stores.audit.write(
                "h1", at=AT, actor="a", action=f"{number}", decision="allow", rule="r", detail={"n": number}
            )
        assert await stores.audit.verify() == 4
        assert verify_file(tmp_path / "home.db") == 4
    connection = apsw.Connection(str(tmp_path / "home.db"))
    connection.execute(damage)
    connection.close()
    # who can change the file can remove its sums as well
    sums_path(tmp_path / "home.db").unlink()

    async with open_embedded(tmp_path, clock) as stores:
        with pytest.raises(Conflict) as caught:
            await stores.audit.verify()

    assert (caught.value.details["home_id"], caught.value.details["seq"]) == ("h1", row)
    with pytest.raises(Conflict):
        verify_file(tmp_path / "home.db")


# --- the log's files


async def test_a_group_that_fell_behind_reads_from_the_files_what_left_memory(tmp_path, clock):
    async with open_log(tmp_path, clock, segment_size=200_000) as log:
        for start in range(0, 30_000, 500):
            await log.append([record(n) for n in range(start, start + 500)])
        assert len(list(tmp_path.glob("*.log"))) > 5

        assert await numbers(log, "slow", limit=333) == list(range(30_000))
    async with open_log(tmp_path, clock, segment_size=200_000) as log:
        assert await numbers(log, "again") == list(range(30_000))


async def test_a_record_larger_than_a_chunk_is_read_whole(tmp_path, clock):
    async with open_log(tmp_path, clock) as log:
        await log.append([record(1, 3_000_000), record(2)])
    async with open_log(tmp_path, clock) as log:
        records = await log.read("g", [EVENTS], limit=10, wait_s=0)
        assert [len(r.value) for r in records] + [
            len(r.value) for r in await log.read("g", [EVENTS], limit=10, wait_s=0)
        ] == [3_000_000, 10]


async def test_old_files_go_when_every_group_has_passed_them(tmp_path, clock):
    start = clock.now()
    async with open_log(tmp_path, clock, segment_size=10_000) as log:
        for day in range(10):
            clock.at = start + timedelta(days=day)
            for n in range(10):
                await log.append([record(day * 10 + n, 1000)])
        files = len(list(tmp_path.glob("*.log")))
        await log.lag("slow")
        records = await log.read("g", [EVENTS], limit=1000, wait_s=0)
        await log.commit("g", records)
        assert await log.trim(start + timedelta(days=5)) == 0

        await log.commit("slow", records[:90])
        gone = await log.trim(start + timedelta(days=5))

        assert 0 < gone < files
        assert len(list(tmp_path.glob("*.log"))) == files - gone
        kept = await numbers(log, "new")
        assert kept == list(range(kept[0], 100))
        assert 30 <= kept[0] <= 50
        await log.seek("g", start)
        assert (await numbers(log, "g"))[0] == kept[0]
    async with open_log(tmp_path, clock, segment_size=10_000) as log:
        assert await numbers(log, "newer") == kept


async def test_the_group_of_retries_keeps_no_file_back_and_reads_on_where_they_begin(tmp_path, clock):
    start = clock.now()
    async with open_log(tmp_path, clock, segment_size=10_000) as log:
        await log.append([record(0, 1000)])
        assert await numbers(log, RETRIES) == [0]
        for day in range(1, 6):
            clock.at = start + timedelta(days=day)
            for n in range(10):
                await log.append([record(day * 10 + n, 1000)])
        await log.commit("g", await log.read("g", [EVENTS], limit=1000, wait_s=0))

        assert await log.trim(start + timedelta(days=4)) > 0
        kept = await numbers(log, "new")
        assert kept[0] > 10

        assert await numbers(log, RETRIES) == [n for n in kept if n > 0]
        assert await log.lag(RETRIES) == len(kept)
    async with open_log(tmp_path, clock, segment_size=10_000) as log:
        assert await numbers(log, RETRIES) == kept


async def test_the_tail_is_read_back_through_the_files_for_what_memory_has_not(tmp_path, clock):
    async with open_log(tmp_path, clock, segment_size=10_000) as log:
        for n in range(60):
            await log.append([record(n, 1000), NewRecord(topic=COMMANDS, key="h/d", value=b"c")])
    async with open_log(tmp_path, clock, segment_size=10_000) as log:
        assert len(list(tmp_path.glob("*.log"))) > 4
        await log.append([record(60, 1000)])

        for limit in (1, 2, 25, 61, 500):
            found = await log.tail(EVENTS, limit=limit)
            assert [int(r.value[:10]) for r in found] == list(range(61))[-limit:]
        assert len(await log.tail(COMMANDS, limit=500)) == 60


async def test_a_damaged_record_that_is_still_to_be_read_is_told_and_all_others_are_read(tmp_path, clock):
    async with open_log(tmp_path, clock, segment_size=5_000) as log:
        for n in range(20):
            await log.append([record(n, 1000)])
    first = min(tmp_path.glob("*.log"))
    data = bytearray(first.read_bytes())
    data[1500] ^= 1
    first.write_bytes(data)

    async with open_log(tmp_path, clock) as log:
        [damage] = log.damage
        assert (damage.is_loss, damage.records, damage.offset, damage.path) == (True, 1, 1, first)
        assert damage.put_aside.read_bytes() == data
        await log.append([record(20)])
        assert await numbers(log) == [0, *range(2, 21)]
    async with open_log(tmp_path, clock) as log:
        assert log.damage == ()


async def test_a_damaged_record_that_everyone_has_passed_is_found_when_it_is_read(tmp_path, clock):
    async with open_log(tmp_path, clock, segment_size=5_000) as log:
        for n in range(20):
            await log.append([record(n, 1000)])
        await log.commit("g", await log.read("g", [EVENTS], limit=100, wait_s=0))
    first = min(tmp_path.glob("*.log"))
    data = bytearray(first.read_bytes())
    data[1500] ^= 1
    first.write_bytes(data)

    async with open_log(tmp_path, clock) as log:
        await log.append([record(20)])
        assert await numbers(log) == [20]
        await log.seek("g", None)
        with pytest.raises(StoreUnavailable, match=str(first)):
            await numbers(log)


@pytest.mark.parametrize("number", [0, 1, -1])
async def test_a_missing_file_is_told_and_all_others_are_read(tmp_path, clock, number):
    async with open_log(tmp_path, clock, segment_size=5_000) as log:
        assert await log.read("g", [EVENTS], limit=1, wait_s=0) == []
        for n in range(20):
            await log.append([record(n, 1000)])
    segments = sorted(tmp_path.glob("*.log"))
    gone = segments[number]
    first = int(gone.stem)
    count = 5 if number >= 0 else 20 - first
    gone.unlink()

    async with open_log(tmp_path, clock) as log:
        assert [(d.is_loss, d.records, d.offset) for d in log.damage] == [(True, count, first)]
        await log.append([record(20)])
        assert await all_numbers(log) == [n for n in range(21) if not first <= n < first + count]


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from homeguard.clock import SystemClock
from homeguard.errors import StorageFull
from homeguard.model import Device, Home
from homeguard.ports.log import EVENTS, NewRecord
from homeguard.stores.sqlite.log import open_log

def records(number, size):
    return [NewRecord(topic=EVENTS, key="h/d", value=f"{number + i:010}".encode().ljust(size, b".")) for i in range(3)]

async def main():
    async with open_log(Path(sys.argv[1]), SystemClock()) as log:
        await log.append(records(0, 1000))
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
        try:
            await log.append(records(3, 4000))
        except StorageFull as error:
            print("full", type(error.__cause__).__name__)
        await log.append(records(3, 1000))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await log.append(records(6, 4000))
        print([int(r.value[:10]) for r in await log.read("g", [EVENTS], limit=99, wait_s=0)])

asyncio.run(main())
"""


async def test_a_full_disk_takes_nothing_of_an_append_and_the_log_goes_on(tmp_path, clock):
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=30, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip

    assert ran.stdout.splitlines() == ["full OSError", str(list(range(9)))]
    async with open_log(tmp_path, clock) as log:
        assert await numbers(log) == list(range(9))


async def test_an_append_is_not_acknowledged_and_not_read_before_its_sync(tmp_path, clock, monkeypatch):
    reached, go_on, sync = threading.Event(), threading.Event(), os.fdatasync

    def held_back(fd: int) -> None:
        reached.set()
        assert go_on.wait(20)
        sync(fd)

    async with open_log(tmp_path, clock) as log:
        monkeypatch.setattr(os, "fdatasync", held_back)
        appending = asyncio.ensure_future(log.append([record(1)]))
        await asyncio.to_thread(reached.wait, 20)
        assert await numbers(log) == []
        assert not appending.done()

        go_on.set()
        await appending
        assert await numbers(log) == [1]


async def test_after_a_failed_sync_the_log_goes_on_behind_what_is_surely_on_disk(tmp_path, clock, monkeypatch):
    def fails(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    async def until_taken(number):
        async with asyncio.timeout(10):
            while True:
                try:
                    await log.append([record(number)])
                except StoreUnavailable:
                    await asyncio.sleep(0.02)
                else:
                    return

    async with open_log(tmp_path, clock) as log:
        await log.append([record(1)])
        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", fails)
            for _ in range(3):
                with pytest.raises(StoreUnavailable):
                    await log.append([record(2)])
        await until_taken(3)
        await log.append([record(4)])
        assert await all_numbers(log) == [1, 3, 4]
    async with open_log(tmp_path, clock) as log:
        assert log.damage == ()
        await log.append([record(5)])
        assert await all_numbers(log, "new") == [1, 3, 4, 5]


async def all_numbers(log, group="g"):
    """What a group has yet to read, through as many files as it lies in."""
    found = []
    while some := await log.read(group, [EVENTS], limit=100, wait_s=0):
        found += [int(r.value[:10]) for r in some]
    return found


async def test_who_waits_for_a_disk_that_does_not_answer_is_told_and_the_log_goes_on(tmp_path, clock, monkeypatch):
    go_on, sync = threading.Event(), os.fdatasync

    def held_back(fd: int) -> None:
        assert go_on.wait(20)
        sync(fd)

    async with open_log(tmp_path, clock) as log:
        with monkeypatch.context() as stuck:
            stuck.setattr(os, "fdatasync", held_back)
            stuck.setattr("homeguard.stores.sqlite.log.ANSWER_LIMIT_S", 0.01)
            done = await asyncio.gather(log.append([record(1)]), log.append([record(2)]), return_exceptions=True)
            assert [type(d) for d in done] == [StoreUnavailable, StoreUnavailable]
            assert await numbers(log) == []
            go_on.set()
        await log.append([record(3)])
        assert await numbers(log, "new") == [1, 2, 3]


async def test_a_caller_that_is_cancelled_leaves_memory_and_file_the_same(tmp_path, clock):
    lamp = Device(home_id="h1", id="lamp", name="Lamp", type="light", capabilities=("on_off",))
    async with open_embedded(tmp_path, clock) as stores:
        putting = asyncio.ensure_future(stores.devices.put([lamp]))
        await asyncio.sleep(0)
        putting.cancel()
        await asyncio.gather(putting, return_exceptions=True)
        await stores.users.put_home(Home(id="h1", name="One"))  # commits behind it
        known = await stores.devices.of_home("h1")
    async with open_embedded(tmp_path, clock) as stores:
        assert await stores.devices.of_home("h1") == known == [lamp]


async def test_too_much_in_front_of_the_disk_is_refused_and_not_taken(tmp_path, clock):
    async with open_log(tmp_path, clock) as log:
        done = await asyncio.gather(*(log.append([record(n, 8_000_000)]) for n in range(12)), return_exceptions=True)
        taken = [n for n, d in enumerate(done) if d is None]
        assert {type(d) for n, d in enumerate(done) if n not in taken} == {Overloaded}
        await log.append([record(99)])
        assert await numbers(log) == [*taken, 99]


# --- the folder


def test_a_folder_has_one_holder_who_says_where_it_answers(tmp_path):
    assert holder(tmp_path / "data") is None
    with hold(tmp_path / "data") as held:
        assert holder(tmp_path / "data") == Holder(os.getpid())
        held.announce("http://127.0.0.1:8000")
        assert holder(tmp_path / "data") == Holder(os.getpid(), "http://127.0.0.1:8000")
        assert [json.loads(line) for line in (tmp_path / "data" / "lock").read_text().splitlines()] == [
            {"pid": os.getpid()},
            {"address": "http://127.0.0.1:8000"},
        ]
        with pytest.raises(StartRefused, match=f"already in use by process {os.getpid()}"), hold(tmp_path / "data"):
            pass
        assert holder(tmp_path / "data") is not None
    assert holder(tmp_path / "data") is None


async def test_stores_are_opened_once_at_a_time_and_with_the_callers_hold(tmp_path, clock):
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_embedded(tmp_path, clock))
        with pytest.raises(StartRefused, match="already in use by process"):
            await stack.enter_async_context(open_embedded(tmp_path, clock))
    with hold(tmp_path) as held:
        async with open_embedded(tmp_path, clock, held=held) as stores:
            assert await stores.users.users() == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StartRefused, match="cannot be used"), hold(tmp_path / "file" / "data"):
        pass
