"""Bits that rot, files that are cut off, zeroed or gone: found at the start and mended, or without any effect; never
served as if nothing had happened, and never begun anew in silence."""

import asyncio
import os
import random
import re
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from homeguard.clock import SystemClock
from homeguard.errors import StartRefused
from homeguard.identity.keys import local_key
from homeguard.model import Event, Member, Message
from homeguard.ports.log import EVENTS
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.backup import BACKUPS, stamp, take
from homeguard.stores.sqlite.incidents import Incident, incidents_of
from homeguard.stores.sqlite.offsets import load_offsets
from homeguard.stores.sqlite.open import open_embedded, schemas
from homeguard.stores.sqlite.recovery import Folder
from pipeline.envelope import decode, encode
from pipeline.handlers.events import StoreEvents
from pipeline.handlers.live_state import KeepLiveState
from pipeline.handlers.observed import Heard
from scenarios.homes import load_home

LONG = os.environ.get("HOMEGUARD_LONG") == "1"
#: Damages of each file.
EACH = 200 if LONG else 5
SEED = 20261121
WAYS = ("flip", "cut", "zero", "gone")
SEGMENT = f"log/{0:020}.log"
#: What a process leaves when it is killed, and when it ends well.
KILLED = (
    "home.db", "home.db-wal", "home.db-shm", "home.db-sums", "events.db", "events.db-wal", "events.db-sums",
    SEGMENT, "log/seen", "log/groups/record.json", "log/groups/reflex.json", "condition.json",
    "local.key", "lock",
)  # fmt: skip
ENDED = ("home.db", "home.db-sums", "events.db", "events.db-sums", "checkpoints.db", "mqtt-session", SEGMENT)

_HOME_TABLES = ("users", "homes", "members", "devices", "threads", "messages")
CLOCK = SystemClock()


@dataclass(slots=True)
class Content:
    """All that can be read of a folder. `home`, `events` and `turns` are rows; `logged` the log's event ids."""

    home: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    events: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    readings: int = 0
    turns: list[tuple[Any, ...]] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    states: list[tuple[Any, ...]] = field(default_factory=list)
    key: bytes = b""


@dataclass(slots=True)
class Made:
    """Two folders and what is in them; `at_backup` is what `home.db` held when it was backed up."""

    killed: Path
    ended: Path
    truth: Content
    at_backup: Content


async def process(stores: Stores) -> None:
    """What `record` and `reflex` do with what they have not read yet."""
    for group, handler in (("record", StoreEvents(stores.events)), ("reflex", KeepLiveState(stores.live))):
        while records := await stores.log.read(group, [EVENTS], limit=500, wait_s=0):
            await handler([Heard((record, decode(record))) for record in records])
            await stores.live.flush()
            await stores.log.commit(group, records)


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(connection.execute(sql))
    finally:
        connection.close()


async def content(folder: Path, stores: Stores) -> Content:
    """As a person sees it, after all that waits in the log was processed."""
    await process(stores)
    found = Content(key=(folder / "local.key").read_bytes() if (folder / "local.key").exists() else b"")
    for table in _HOME_TABLES:
        found.home[table] = sorted(rows(folder / "home.db", f"SELECT * FROM {table}"), key=repr)
    found.states = sorted(rows(folder / "home.db", "SELECT home_id, device_id, body FROM live_states"))
    told = rows(folder / "events.db", "SELECT event_id, home_id, event_type, at, payload FROM events")
    found.events = {row[0]: row[1:] for row in told}
    assert len(told) == len(found.events)
    if (folder / "checkpoints.db").exists():
        found.turns = rows(folder / "checkpoints.db", "SELECT * FROM turns ORDER BY id")
    found.logged = [decode(record).event_id for record in await stores.log.tail(EVENTS, limit=10_000)]
    return found


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Stores]:
    async with open_embedded(folder, CLOCK, folder=Folder(folder, CLOCK, schemas())) as stores:
        yield stores


async def make(base: Path) -> Made:
    """A folder that lived: a home, events, a backup, more of both; copied as a kill leaves it, and after its end."""
    folder, killed, ended = base / "folder", base / "killed", base / "ended"
    chance = random.Random(SEED)
    made = load_home("john", CLOCK.now())
    folder.mkdir()
    local_key(folder)
    (folder / "mqtt-session").write_text("homeguard-0123456789abcdef")

    async def live(stores: Stores, first: int, count: int) -> None:
        now = CLOCK.now() - timedelta(minutes=5)
        device = next(d for d in made.devices if d.type == "thermostat")
        for number in range(first, first + count, 20):
            events = [
                Event(
                    home_id=made.home.id, event_id=f"e-{n}", event_type="state_changed",
                    at=now + timedelta(milliseconds=n), received_at=now, device_id=device.id,
                    payload={"temperature_f": 60 + n % 17, "note": chance.randbytes(30).hex()}, source="rest",
                )
                for n in range(number, number + 20)
            ]  # fmt: skip
            await stores.log.append([encode(event) for event in events])
            await stores.conversations.append(
                made.home.id,
                [
                    Message(
                        home_id=made.home.id, user_id=made.owner.id, thread_id="t", id=f"l-{number}", turn_id="",
                        role="user", text=chance.randbytes(40).hex(), at=now + timedelta(milliseconds=number),
                    )
                ],
            )  # fmt: skip
            await process(stores)

    async with opened(folder) as stores:
        await stores.users.put_user(made.owner, "-")
        await stores.users.put_home(made.home)
        await stores.users.put_member(Member(home_id=made.home.id, user_id=made.owner.id, role="owner"))
        await stores.devices.put(made.devices)
        await live(stores, 0, 400)
    turns = apsw.Connection(str(folder / "checkpoints.db"))
    turns.execute("CREATE TABLE turns (id INTEGER PRIMARY KEY, body TEXT)")
    turns.executemany("INSERT INTO turns (body) VALUES (?)", [(chance.randbytes(600).hex(),) for _ in range(20)])
    turns.close()
    # a part lies in the files themselves, a part in their journals
    async with opened(folder) as stores:
        await live(stores, 400, 100)
        for name in ("home", "events"):
            await until_saved(folder, 500)
            take(
                folder, folder / BACKUPS / f"{name}-{stamp(CLOCK.now())}", [f"{name}.db"], version="t", now=CLOCK.now()
            )
        at_backup = await content(folder, stores)
        await live(stores, 500, 200)
        await until_saved(folder, 700)
        shutil.copytree(folder, killed)
        truth = await content(folder, stores)
    shutil.copytree(folder, ended)
    return Made(killed, ended, truth, at_backup)


async def until_saved(folder: Path, offset: int) -> None:
    """The groups' positions reach their files within a second."""
    async with asyncio.timeout(10):
        while set(load_offsets(folder / "log" / "groups").values()) != {offset}:  # noqa: ASYNC110 - files are polled
            await asyncio.sleep(0.05)


def damage(path: Path, way: str, chance: random.Random) -> str:
    """What was done, as words."""
    data = bytearray(path.read_bytes())
    if way == "gone" or not data:
        path.unlink()
        return "gone"
    at = chance.randrange(len(data))
    if way == "row":
        at = chance.choice([found.start() for found in re.finditer(rb"[0-9a-f]{80}", data)])
    if way in ("flip", "row"):
        data[at] ^= 1 << chance.randrange(8)
    elif way == "cut":
        data = data[:at]
    else:
        length = min(chance.choice((1, 512, 4096)), len(data) - at)
        data[at : at + length] = bytes(length)
    kept = path.stat()
    path.write_bytes(data)
    # no program wrote there: the file is as old as before
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    return f"{way} at {at} of {path.stat().st_size}"


def judge(truth: Content, at_backup: Content, found: Content, told: list[Incident]) -> str:
    """`same`, `told`, or a sentence that says what is wrong."""
    if found == truth:
        return "told" if told else "same"
    if not told:
        return f"wrong, and nothing was told: {_difference(truth, found)}"
    parts = {incident.part for incident in told}
    losses = {incident.part for incident in told if incident.is_loss}
    if not found.home["users"] or not found.home["devices"] or not found.events:
        return f"begun empty: {sorted(parts)}"
    if found.home != truth.home and not ("home.db" in parts and _is_between(at_backup.home, found.home, truth.home)):
        return f"another home: {_difference(truth, found)}, told of {sorted(parts)}"
    if any(truth.events.get(i) != row for i, row in found.events.items()):
        return "events that never were"
    if found.events != truth.events and "log" not in losses:
        return f"{len(truth.events) - len(found.events)} events lost, told of {sorted(parts)}"
    if found.turns != truth.turns and "checkpoints.db" not in losses:
        return "turns lost"
    if found.key != truth.key and "local.key" not in parts:
        return "another key"
    return "told"


def _is_between(first: dict[str, Any], found: dict[str, Any], last: dict[str, Any]) -> bool:
    """Nothing of the backup is lost, and nothing is there that never was."""
    return all(
        set(map(repr, first[t])) <= set(map(repr, found[t])) <= set(map(repr, last[t])) or t == "threads"
        for t in _HOME_TABLES
    )


def _difference(truth: Content, found: Content) -> str:
    return ", ".join(n for n in Content.__slots__ if getattr(truth, n) != getattr(found, n))


async def outcome(made: Made, source: Path, name: str, way: str, chance: random.Random, work: Path) -> tuple[str, str]:
    """(What was done, what came of it)."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(source, work)
    done = damage(work / name, way, chance)
    left = (work / name).read_bytes() if (work / name).exists() else None
    try:
        async with opened(work) as stores:
            found = await content(work, stores)
    except StartRefused as error:
        now = (work / name).read_bytes() if (work / name).exists() else None
        return done, "refused" if now == left and name in error.message else f"refused, unclear or changed: {error}"
    return done, judge(made.truth, made.at_backup, found, incidents_of(work))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return asyncio.run(make(tmp_path_factory.mktemp("corruption")))


@pytest.mark.timeout(3600 if LONG else 60)
@pytest.mark.parametrize("name", [*(f"killed/{n}" for n in KILLED), *(f"ended/{n}" for n in ENDED)])
async def test_a_damaged_file_is_found_and_mended_or_makes_no_difference(
    made: Made, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(f"{SEED}/{name}")
    state, _, file = name.partition("/")
    source = made.killed if state == "killed" else made.ended
    came: Counter[str] = Counter()
    for number in range(EACH):
        way = WAYS[number % len(WAYS)] if number % 16 < 4 else WAYS[number % 3]
        done, outcome_ = await outcome(made, source, file, way, chance, tmp_path / "work")
        assert outcome_ in ("same", "told", "refused"), f"{name}, {done}: {outcome_}"
        came[outcome_] += 1
    if LONG:
        with capsys.disabled():
            print(f"\n{name:32} {EACH} damages: {dict(came)}")


def begins_anew(folder: Folder) -> None:
    """The planted defect: what is damaged or gone is made new, and nobody is told."""
    for name in ("home.db", "events.db"):
        if folder._judging.fault_of(name):
            for path in folder.data_dir.glob(f"{name}*"):
                path.unlink()


def looks_at_nothing(folder: Folder) -> None:
    """The planted defect: files are opened as they are."""
    for path in folder.data_dir.glob("*.db-sums"):
        path.unlink()


@pytest.mark.parametrize(("mutant", "ways"), [(begins_anew, ("gone", "zero")), (looks_at_nothing, ("row",))])
async def test_a_start_that_says_nothing_of_damage_is_caught(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: Any, ways: tuple[str, ...]
) -> None:
    monkeypatch.setattr(Folder, "mend", mutant)
    monkeypatch.setattr(Folder, "check", lambda *_: asyncio.sleep(0))
    chance = random.Random(SEED)
    for way in ways * 30:
        try:
            _, found = await outcome(made, made.ended, "home.db", way, chance, tmp_path / "work")
        except (apsw.Error, ValueError, KeyError, TypeError, AssertionError):
            continue  # it was so bad that it could not even be read
        if found not in ("same", "told", "refused"):
            return
    raise AssertionError(f"{len(ways) * 30} damages show nothing of it")


async def test_without_a_backup_and_without_a_log_it_refuses_to_start_and_says_what_to_do(
    made: Made, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    shutil.copytree(made.ended, work)
    shutil.rmtree(work / BACKUPS)
    data = bytearray((work / "home.db").read_bytes())
    data[4096:4128] = bytes(32)
    (work / "home.db").write_bytes(data)
    for _ in range(2):
        with pytest.raises(StartRefused, match=r"homeguard restore.*--accept-loss"):
            async with opened(work):
                pass
    assert (work / "home.db").read_bytes() == data
    assert not (work / "quarantine").exists()

    (work / "accept-loss").touch()
    async with opened(work) as stores:
        found = await content(work, stores)
    assert (found.home["users"], found.events) == ([], made.truth.events)
    [told] = incidents_of(work)
    assert told.is_loss
    assert (Path(told.quarantine) / "home.db").read_bytes() == data
    assert not (work / "accept-loss").exists()


async def test_what_was_mended_is_told_once_and_the_next_start_is_quiet(made: Made, tmp_path: Path) -> None:
    work = tmp_path / "work"
    shutil.copytree(made.killed, work)
    (work / "events.db").unlink()
    for _ in range(3):
        async with opened(work) as stores:
            assert (await content(work, stores)).events == made.truth.events
    [told] = incidents_of(work)
    assert (told.part, told.is_loss) == ("events.db", True)
