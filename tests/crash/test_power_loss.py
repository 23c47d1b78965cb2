"""The power goes at any moment: of what the disk may then hold, the home opens with everything that it acknowledged.

A real instance works under a recorder of its calls. From the journal, images of the folder are made for random moments,
each with all that was synced and a random part of the rest, torn at sectors; each is opened, caught up and judged.
"""

import asyncio
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw
import pytest
from ledger import Ledger, faults, is_loss
from nursing import Died, Nursery, furnish, nursery
from power import Disk
from recording import Entry, read_journal, switched_on
from tables import table
from visitor import PLAIN, Visitor, arrived, found_in

from deploy.data_plane import open_data_plane
from homeguard.clock import HomeClocks, SystemClock
from homeguard.errors import HomeGuardError
from homeguard.identity.keys import local_key
from homeguard.ports.stores import Stores
from homeguard.runtime import open_stores
from homeguard.settings import load
from homeguard.stores.sqlite.incidents import incidents_of

LONG = os.environ.get("HOMEGUARD_LONG") == "1"
IMAGES, SEED = (1_000 if LONG else 100), 20261121
#: Images of a folder's first seconds.
FIRST_IMAGES: Final = 400 if LONG else 30
#: Images of one recording: several recordings differ in more than the moment.
PER_RECORDING: Final = 50
#: One image in so many is opened by the whole program, over HTTP.
WHOLE_EVERY: Final = 25
#: Images that are opened side by side: each waits more than it works.
AT_ONCE: Final = 6
LOAD_S: Final = 2.0


@pytest.fixture
def images(tmp_path: Path) -> Iterator[Path]:
    """Where images lie: in memory where there is room, because opening one waits for its disk again and again."""
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30 else tmp_path
    with tempfile.TemporaryDirectory(dir=where, prefix="homeguard-images-") as folder:
        yield Path(folder)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run: what the folder was before, what was done to it, and what its clients were promised when."""

    at_start: Path
    entries: Sequence[Entry]
    ledger: Ledger
    home_id: str

    def moment(self, chance: random.Random) -> int:
        """Anywhere in the run, or right behind an acknowledgement or a call."""
        first, last = self.entries[0].begun, self.entries[-1].ended
        return chance.choice(
            (
                chance.randint(first, last),
                chance.choice(sorted(self.ledger.when.values())),
                chance.choice(self.entries).ended,
            )
        )


async def recorded(folder: Path, recorder: str, chance: random.Random, *mutants: str, lie: str = "") -> Recorded:
    """Start, load from several sides, an orderly end: all of it recorded, on a folder that was used before."""
    visitor = Visitor(Ledger())
    home_id = await furnish(folder / "data")
    at_start, journal = folder / "before", folder / "journal"
    shutil.copytree(folder / "data", at_start)
    with nursery(folder, *mutants, preload=recorder) as server:
        await server.start(env=switched_on(server.data, journal=journal, lie=lie))
        async with server.client() as http, asyncio.TaskGroup() as tasks:
            for size in (1, 1, chance.randrange(2, 60)):
                tasks.create_task(visitor.tell(http, size))
            tasks.create_task(visitor.order(http))
            tasks.create_task(visitor.alarm(http))
            await asyncio.sleep(LOAD_S)  # the length of the recording, where the machine is quick
            async with asyncio.timeout(60):
                while len(visitor.ledger.acknowledged) <= 50 or not visitor.ledger.answers:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.02)
            assert await server.end(signal.SIGTERM) == 0
    return Recorded(at_start, list(read_journal(journal)), visitor.ledger, home_id)


@asynccontextmanager
async def opened(data: Path) -> AsyncIterator[Stores]:
    """The stores and the data plane of a folder, caught up: what a start does before its doors."""
    clock = SystemClock()
    settings = load({"data_dir": data, "demo": False, "simulator": False})
    local_key(data)
    async with (
        open_stores(settings, clock) as found,
        asyncio.TaskGroup() as tasks,
        open_data_plane(settings, found, clock, HomeClocks(clock), tasks) as plane,
        asyncio.timeout(60),
    ):
        await plane.caught_up()
        yield found.stores


async def wrong_with(image: Path, ledger: Ledger, home_id: str) -> list[str]:
    """What of these promises the image breaks when it is opened."""
    try:
        async with opened(image) as stores:
            broken = faults(ledger, await found_in(stores, home_id))
            broken += [
                f"no outcome in the journal: {key}"
                for key, answer in ledger.answers.items()
                if (kept := await stores.journal.command(home_id, answer["command_id"])) is None
                or kept.outcome != answer["outcome"]
            ]
            await stores.audit.verify()
            if await _is_stale(stores, home_id):
                broken.append("how a device is does not follow from its last event")
    except HomeGuardError as error:
        return [f"corrupt: {error.code} {error.message}"]
    return broken + _corrupt(image)


async def _is_stale(stores: Stores, home_id: str) -> bool:
    newest = (await stores.events.query(home_id, device_id=PLAIN, limit=100)).items
    of_last = {e.event_type for e in newest if e.at == newest[0].at}
    if len(of_last) != 1:
        return False  # told within one millisecond: either may be the last
    state = await stores.live.get(home_id, PLAIN)
    return state is None or state.attributes.get("motion") is not (of_last == {"motion_detected"})


def _corrupt(image: Path) -> list[str]:
    broken = []
    for path in sorted(image.glob("*.db")):
        # not only to read: a journal may have to be rolled back
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        said = connection.pragma("quick_check")
        connection.close()
        if said != "ok":
            broken.append(f"corrupt: {path.name}: {said}")
    put_aside = [path for path in image.glob("quarantine/*/*") if path.suffix != ".log" or not _ends_in_doubt(image)]
    return broken + [f"corrupt: {path.name} was put aside" for path in put_aside]


def _ends_in_doubt(image: Path) -> bool:
    """The unsynced end of the log holds a later append whole and an earlier one in parts: it is kept aside and told,
    because a damaged file could look like this. What was acknowledged is in the log all the same."""
    told = [incident.text for incident in incidents_of(image)]
    return told != [] and all(text.startswith("the log ended in what was not whole") for text in told)


async def wrong_with_the_whole(server: Nursery, image: Path, run: Recorded, ledger: Ledger) -> list[str]:
    """As `wrong_with`, by the real program: the same orders again must be the same commands, carried out once."""
    again = Visitor(ledger)
    try:
        await server.start(image)
    except Died as died:
        return [f"corrupt: it does not start: {died}"]
    before = dict(ledger.answers)
    async with server.client() as http:
        ledger.orders_again = list(before)
        await again.settle(http)
        ids = await arrived(http, ledger)
    broken = [f"answered otherwise: {key}" for key, answer in before.items() if answer != ledger.answers[key]]
    broken += [f"stored {n} times: {i}" for i, n in Counter(ids).items() if n > 1]
    assert await server.end(signal.SIGTERM) == 0
    return broken + await wrong_with(image, ledger, run.home_id)


async def judged(folder: Path, run: Recorded, images: int, chance: random.Random, server: Nursery) -> list[str]:
    """What was wrong with so many images of this run, each fault behind the number of its image."""
    disk, room, whole, broken = Disk(run.at_start, run.entries), asyncio.Semaphore(AT_ONCE), asyncio.Lock(), []

    async def judge(number: int, at: int, seed: int) -> None:
        async with room, whole if number % WHOLE_EVERY == 0 else nullcontext():
            image, ledger = folder / f"image-{number}", run.ledger.until(at)
            disk.after_power_loss(at, random.Random(seed), image)
            if number % WHOLE_EVERY == 0:
                found = await wrong_with_the_whole(server, image, run, ledger)
            else:
                found = await wrong_with(image, ledger, run.home_id)
            broken.extend(f"{number}: {fault}" for fault in found)
            if not found:
                shutil.rmtree(image)

    async with asyncio.TaskGroup() as tasks:
        for number in range(images):
            tasks.create_task(judge(number, run.moment(chance), chance.getrandbits(32)))
    return broken


@pytest.mark.timeout(3600 if LONG else 420)
async def test_whatever_the_disk_holds_after_a_power_loss_nothing_acknowledged_is_missing(
    tmp_path: Path, images: Path, recorder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, broken = [], []
    (tmp_path / "whole").mkdir()
    with nursery(tmp_path / "whole") as server:
        for number in range(IMAGES // PER_RECORDING):
            chance, folder = random.Random(SEED + number), tmp_path / f"run-{number}"
            run = await recorded(folder, recorder, chance)
            assert len(run.ledger.acknowledged) > 50
            assert run.ledger.answers
            assert run.ledger.alarms
            began = time.monotonic()
            found = await judged(images, run, PER_RECORDING, chance, server)
            lost, corrupt = sum(is_loss(f.partition(": ")[2]) for f in found), sum("corrupt" in f for f in found)
            rows.append(
                (
                    number, PER_RECORDING, len(run.entries), len(run.ledger.acknowledged), len(run.ledger.answers),
                    lost, corrupt, len(found) - lost - corrupt, f"{time.monotonic() - began:.0f}",
                )
            )  # fmt: skip
            broken += found
    if LONG:
        with capsys.disabled():
            print(table("run,images,calls,events,commands,lost,corrupt,doubled,s", rows))
    assert broken == []


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("lie", "mutant", "sign"),
    [
        ("log/0*.log", "", "lost: "), ("home.db*", "", "no outcome in the journal"), ("events.db*", "", "lost: "),
        ("", "acknowledges_before_the_disk", "lost: "), ("", "commits_before_the_store", "lost: "),
    ],
)  # fmt: skip
async def test_the_same_images_find_a_disk_that_lies_and_a_program_that_is_too_quick(
    tmp_path: Path, images: Path, recorder: str, lie: str, mutant: str, sign: str
) -> None:
    chance = random.Random(SEED)
    run = await recorded(tmp_path / "run", recorder, chance, *filter(None, [mutant]), lie=lie)
    disk, broken = Disk(run.at_start, run.entries), list[str]()
    for number in range(40):
        at, image = run.moment(chance), images / f"image-{number}"
        disk.after_power_loss(at, chance, image)
        with suppress(Exception):  # what a lying disk leaves may break anything
            broken += await wrong_with(image, run.ledger.until(at), run.home_id)
        if any(fault.startswith(sign) for fault in broken):
            return
    raise AssertionError(f"40 images show nothing of it: {broken[:5]}")


async def test_images_hold_what_was_synced_and_parts_of_the_rest(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / "old").write_bytes(b"o" * 1024)

    def call(kind: str, at: int, file: int = 1, path: str = "new", **more: object) -> Entry:
        plain = {"other": "", "offset": 0, "data": b"", "is_new": False, "is_folder": False}
        return Entry(call=kind, begun=at, ended=at + 1, file=file, path=path, **{**plain, **more})  # type: ignore[arg-type]

    entries = [
        call("open", 10, is_new=True), call("write", 20, data=b"a" * 1024), call("sync", 30),
        call("write", 40, data=b"b" * 1024, offset=1024), call("open", 50, 2, "", is_folder=True),
        call("sync", 60, 2, ""), call("rename", 70, 0, "new", other="newer"),
        call("open", 80, 3, "old"), call("write", 90, 3, "old", data=b"n" * 1024),
    ]  # fmt: skip
    disk = Disk(tmp_path / "before", entries)
    seen: dict[int, set[tuple[str, ...]]] = {}
    contents: set[bytes] = set()
    for at in (5, 25, 35, 65, 75, 95):
        for seed in range(60):
            image = tmp_path / f"{at}-{seed}"
            disk.after_power_loss(at, random.Random(seed), image)
            seen.setdefault(at, set()).add(tuple(sorted(p.name for p in image.iterdir())))
            if at == 65:
                contents.add((image / "new").read_bytes())
            if at == 95:
                assert set((image / "old").read_bytes()) <= set(b"on")
    assert seen[5] == {("old",)}
    assert seen[35] == {("old",), ("new", "old")}
    assert seen[65] == {("new", "old")}
    assert seen[75] == {("new", "old"), ("newer", "old")}
    assert all(found.startswith(b"a" * 1024) for found in contents)
    wholes = {b"a" * 1024, b"a" * 1024 + b"b" * 1024, b"a" * 1024 + bytes(512) + b"b" * 512}
    assert wholes <= contents


@pytest.mark.timeout(1800 if LONG else 240)
async def test_a_power_loss_in_the_first_seconds_of_a_folder_leaves_one_that_opens(
    tmp_path: Path, images: Path, recorder: str
) -> None:
    (tmp_path / "before").mkdir()
    chance, journal = random.Random(SEED), tmp_path / "journal"
    with nursery(tmp_path, preload=recorder) as server:
        await server.start(env=switched_on(server.data, journal=journal))
        assert await server.end(signal.SIGTERM) == 0
    entries = list(read_journal(journal))
    # before its log is there, a folder has nothing that could be lost
    early = next(n for n, entry in enumerate(entries) if entry.path.startswith("log/0")) + 10
    disk, wrong, room = Disk(tmp_path / "before", entries), list[str](), asyncio.Semaphore(AT_ONCE)

    async def judge(number: int) -> None:
        async with room:
            image = images / f"image-{number}"
            disk.after_power_loss(chance.choice(entries[:early] if number % 2 else entries).ended, chance, image)
            try:
                async with opened(image) as stores:
                    assert await stores.users.homes() == []
            except HomeGuardError as error:
                wrong.append(f"{number}: {error.message}")
            wrong.extend(f"{number}: told: {incident.text}" for incident in incidents_of(image))
            wrong.extend(f"{number}: {fault}" for fault in _corrupt(image))
            shutil.rmtree(image)

    async with asyncio.TaskGroup() as tasks:
        for number in range(FIRST_IMAGES):
            tasks.create_task(judge(number))
    assert wrong == []
