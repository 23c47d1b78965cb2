"""What is noted of a database's pages stays true, whatever its writer, its readers and kills do in whatever order; and
a file that is sound in itself is not given up for an older one."""

import asyncio
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from homeguard.clock import SystemClock
from homeguard.errors import HomeGuardError, StartRefused
from homeguard.stores.sqlite import database as databases
from homeguard.stores.sqlite.backup import BACKUPS, stamp, take
from homeguard.stores.sqlite.database import Database, open_database
from homeguard.stores.sqlite.incidents import incidents_of
from homeguard.stores.sqlite.open import open_embedded, schemas
from homeguard.stores.sqlite.page_sums import Damage, PageSums, damage_of, journal_path
from homeguard.stores.sqlite.recovery import Folder

LONG = os.environ.get("HOMEGUARD_LONG") == "1"
SEEDS, STEPS = (300 if LONG else 4), 60
SCHEMA = ("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)",)
SOUND = Damage()


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints are as frequent as if thousands of pages had been written in between."""
    monkeypatch.setattr(databases, "CHECKPOINT_PAGES", 20)
    monkeypatch.setattr(databases, "RESTART_PAGES", 120)


def put(number: int, size: int) -> Callable[[apsw.Connection], None]:
    def run(connection: apsw.Connection) -> None:
        connection.execute("INSERT OR REPLACE INTO t VALUES (?, randomblob(?))", (number, size))

    return run


def nothing(connection: apsw.Connection) -> None:
    connection.execute("DELETE FROM t WHERE id = -1")


def fails(connection: apsw.Connection) -> None:
    put(1, 9_000)(connection)
    raise HomeGuardError("not this one")


@contextmanager
def reading(path: Path) -> Iterator[apsw.Connection]:
    """Another connection in the middle of a read."""
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM t").fetchall()
        yield connection


def image(folder: Path, into: Path) -> Path:
    """What a kill leaves at this moment; the database in it."""
    into.mkdir()
    for tail in ("", "-wal", "-sums"):
        if (folder / f"x.db{tail}").exists():
            shutil.copy(folder / f"x.db{tail}", into)
    return into / "x.db"


class Life:
    """One database that is written, read, killed and ended at random; `wrong` is what was told of it without reason."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder, self.chance = folder, chance
        self.images, self.wrong, self.checkpoints = 0, list[str](), 0
        self._readers: list[apsw.Connection] = []

    def look(self, when: str) -> Path:
        self.images += 1
        left = image(self.folder, self.folder.with_name(f"image-{self.images}"))
        found = damage_of(left)
        if found.journal or found.pages:
            self.wrong.append(f"{when}: {found.journal}{found.pages}")
        return left

    async def live(self) -> None:
        for _ in range(5):
            async with open_database(self.folder / "x.db", SCHEMA) as database:
                for _ in range(STEPS):
                    await self.step(database)
                with database._moving:
                    left = self.look("killed")
                self.leave()
            if self.chance.random() < 0.5:
                self.folder = left.parent
            self.look("ended")

    async def step(self, database: Database) -> None:
        match self.chance.choice(("put", "put", "put", "nothing", "nothing", "fails", "read", "leave", "verify")):
            case "put":
                size = self.chance.choice((10, 3_000, 30_000, 100_000))
                await database.write(put(self.chance.randrange(30), size))
            case "nothing":
                await database.write(nothing)
            case "fails":
                with pytest.raises(HomeGuardError):
                    await database.write(fails)
            case "read" if len(self._readers) < 3:
                connection = apsw.Connection(str(database.path), flags=apsw.SQLITE_OPEN_READONLY)
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM t").fetchall()
                self._readers.append(connection)
            case "leave":
                self.leave()
            case "verify":
                self.wrong += [f"verify: page {page}" for page in await database.verify()]

    def leave(self) -> None:
        while self._readers:
            self._readers.pop().close()


async def lived(folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> Life:
    (folder / "data").mkdir(parents=True)
    life = Life(folder / "data", random.Random(seed))

    class Watched(PageSums):
        """A kill may come right before and right behind what is noted of a checkpoint."""

        def moved(self, frames: int) -> None:
            life.checkpoints += 1
            if life.checkpoints % 4 == 0:
                life.look("before the sums of a checkpoint")
            super().moved(frames)
            if life.checkpoints % 4 == 1:
                life.look("behind the sums of a checkpoint")

    monkeypatch.setattr(databases, "PageSums", Watched)
    await life.live()
    return life


@pytest.mark.timeout(1800 if LONG else 60)
async def test_no_order_of_writes_reads_checkpoints_and_kills_makes_a_sound_file_look_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images = checkpoints = 0
    for seed in range(SEEDS):
        life = await lived(tmp_path / str(seed), seed, monkeypatch)
        assert life.wrong == [], seed
        shutil.rmtree(tmp_path / str(seed))
        images, checkpoints = images + life.images, checkpoints + life.checkpoints
    assert checkpoints > 10 * SEEDS
    if LONG:
        with capsys.disabled():
            print(f"\n{SEEDS} lives, {checkpoints} checkpoints, {images} images: none looked damaged")


async def test_the_same_lives_find_sums_that_take_a_journal_for_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = PageSums.note

    def note(self: PageSums, frames: int) -> None:
        really(self, frames)
        self._is_generation_sure = True

    def look(self: PageSums) -> None:
        if not self._is_generation_sure:
            looks(self)

    looks = PageSums._look
    monkeypatch.setattr(PageSums, "note", note)
    monkeypatch.setattr(PageSums, "_look", look)
    for seed in range(12):
        if (await lived(tmp_path / str(seed), seed, monkeypatch)).wrong:
            return
    raise AssertionError("12 lives show nothing of it")


async def test_a_write_that_changes_nothing_right_behind_a_checkpoint_does_not_hide_that_the_journal_begins_anew(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.db"
    async with open_database(path, SCHEMA) as database:
        await database.write(put(1, 400_000))
        await database.write(nothing)
        for number in range(2, 8):
            await database.write(put(number, 3_000))
        assert await database.verify() == []

    assert not journal_path(path).exists()
    assert damage_of(path) == SOUND
    async with open_database(path, SCHEMA) as database:
        assert await database.verify() == []


async def test_a_reader_that_leaves_while_the_file_is_closed_leaves_the_journal_as_it_was_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, really = tmp_path / "x.db", PageSums.close

    def close(self: PageSums, *, is_moved: bool) -> None:
        assert not is_moved
        reader.close()
        really(self, is_moved=is_moved)

    monkeypatch.setattr(PageSums, "close", close)
    async with open_database(path, SCHEMA) as database:
        await database.write(put(1, 3_000))
        with reading(path) as reader:
            await database.write(put(2, 3_000))
            await asyncio.to_thread(database._close)

    assert damage_of(path) == SOUND
    monkeypatch.undo()
    async with open_database(path, SCHEMA) as database:
        assert await database.rows("SELECT id FROM t") == [(1,), (2,)]


LOOKS_IN = """
import contextlib, sqlite3, sys
with contextlib.closing(sqlite3.connect(sys.argv[1])) as connection:
    print(*connection.execute("SELECT count(*) FROM t").fetchone())
"""


async def test_another_program_that_looks_into_the_open_file_takes_no_journal_away(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with open_database(path, SCHEMA) as database:
        await database.write(put(1, 3_000))
        assert await database.verify() == []
        looked = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", LOOKS_IN, str(path)], capture_output=True, timeout=30, check=True
        )
        assert looked.stdout == b"1\n"
        assert journal_path(path).exists()


async def test_sums_that_were_given_up_judge_nothing(tmp_path: Path) -> None:
    async with open_database(tmp_path / "x.db", SCHEMA) as database:
        await database.write(put(1, 400_000))
        assert database._sums is not None
        with database._moving:
            database._sums._give_up(OSError(28, "no room"))
        for number in range(1, 4):
            await database.write(put(number, 400_000))
        assert await database.verify() == []
    assert damage_of(tmp_path / "x.db") == SOUND


# --- whole folders


CLOCK = SystemClock()


async def say(folder: Path, *words: str) -> None:
    """Words that are kept in `home.db`, each as a row."""
    async with open_embedded(folder, CLOCK) as stores:
        for word in words:
            await stores.audit.write("h", at=CLOCK.now(), actor="a", action=word, decision="allow", rule="r", detail={})


def said(folder: Path) -> list[str]:
    with closing(apsw.Connection(str(folder / "home.db"), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        return [str(row[0]) for row in connection.execute("SELECT action FROM audit ORDER BY seq")]


def with_another_letter(path: Path, old: bytes, new: bytes) -> None:
    kept, data = path.stat(), path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))


async def start(folder: Path) -> list[str]:
    """What a start finds and tells."""
    async with open_embedded(folder, CLOCK, folder=Folder(folder, CLOCK, schemas())):
        return [incident.text for incident in incidents_of(folder)]


@pytest.mark.parametrize("age", [timedelta(seconds=5), timedelta(hours=1)])
async def test_a_row_that_is_not_what_was_written_gives_way_to_a_backup_only_when_that_lacks_little(
    tmp_path: Path, age: timedelta
) -> None:
    await say(tmp_path, "the-first-word")
    made_at = CLOCK.now() - age
    take(tmp_path, tmp_path / BACKUPS / f"home-{stamp(made_at)}", ["home.db"], version="t", now=made_at)
    await say(tmp_path, "the-second-word")
    with_another_letter(tmp_path / "home.db", b"the-first-word", b"the-first-ward")

    [told] = await start(tmp_path)

    is_old = age > timedelta(minutes=2)
    assert said(tmp_path) == (["the-first-ward", "the-second-word"] if is_old else ["the-first-word"])
    assert ("was kept" if is_old else "is in its place") in told
    assert await start(tmp_path) == [told]


async def test_a_journal_that_another_program_moved_into_the_file_after_a_kill_is_no_loss(tmp_path: Path) -> None:
    folder, killed = tmp_path / "data", tmp_path / "killed"
    await say(folder, "one")
    take(folder, folder / BACKUPS / f"home-{stamp(CLOCK.now())}", ["home.db"], version="t", now=CLOCK.now())
    async with open_embedded(folder, CLOCK) as stores:
        await stores.audit.write("h", at=CLOCK.now(), actor="a", action="two", decision="allow", rule="r", detail={})
        shutil.copytree(folder, killed)
    with closing(apsw.Connection(str(killed / "home.db"))) as looked:
        assert looked.execute("SELECT count(*) FROM audit").get == 2
    assert not journal_path(killed / "home.db").exists()

    [told] = await start(killed)

    assert said(killed) == ["one", "two"]
    assert "gone" in told
    assert "was kept" in told
    assert not (killed / "quarantine").exists()


async def test_a_first_start_that_is_cut_off_before_its_log_is_not_told_as_a_loss(tmp_path: Path) -> None:
    Folder(tmp_path, CLOCK, schemas()).mend()
    assert (tmp_path / "condition.json").exists()
    assert not (tmp_path / "log").exists()

    assert await start(tmp_path) == []

    shutil.rmtree(tmp_path / "log")
    [told] = await start(tmp_path)
    assert "the log is gone" in told


async def test_a_database_whose_making_was_cut_off_by_the_power_is_made_again_and_one_that_was_zeroed_is_not(
    tmp_path: Path,
) -> None:
    Folder(tmp_path, CLOCK, schemas()).mend()
    (tmp_path / "events.db").write_bytes(bytes(512) + b"\1" * 3584)
    assert await start(tmp_path) == []

    await say(tmp_path, "one")
    shutil.rmtree(tmp_path / "log")
    (tmp_path / "events.db").write_bytes(bytes(4096))
    with pytest.raises(StartRefused, match="no database any more"):
        await start(tmp_path)


@pytest.mark.parametrize("is_backed_up", [True, False])
async def test_the_session_of_the_broker_is_put_right_or_put_aside_and_told(tmp_path: Path, is_backed_up: bool) -> None:
    session = tmp_path / "mqtt-session"
    await say(tmp_path, "one")
    session.write_text('{"session": "s1", "round": 7, "half": 1}')
    await say(tmp_path, "two")
    if is_backed_up:
        take(tmp_path, tmp_path / BACKUPS / f"home-{stamp(CLOCK.now())}", ["home.db"], version="t", now=CLOCK.now())
    session.write_text('{"session": "s1", "round": 3, "half": 1}')

    [told] = await start(tmp_path)

    assert "mqtt-session was not as it was left" in told
    assert session.exists() is is_backed_up
    assert not is_backed_up or '"round": 7' in session.read_text()
    [aside] = (tmp_path / "quarantine").glob("*/mqtt-session")
    assert '"round": 3' in aside.read_text()
    assert await start(tmp_path) == [told]
