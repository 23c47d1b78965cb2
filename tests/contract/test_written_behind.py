"""Live state of the embedded stores: everyone reads it at once, and what was flushed is there after a crash."""

import shutil
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from homeguard.errors import StorageFull
from homeguard.ports.live_state import StateChange
from homeguard.stores.sqlite.database import open_database
from homeguard.stores.sqlite.live_state import SqliteLiveStates
from homeguard.stores.sqlite.open import migrations, open_embedded

PORTS = ("live",)
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def change(device_id: str, second: int, **attributes) -> StateChange:
    return StateChange(
        home_id="h1", device_id=device_id, at=AT + second * SECOND, sequence=second, attributes=attributes
    )


@pytest.fixture
def data(tmp_path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@asynccontextmanager
async def states_in(folder: Path):
    """The live states of that folder and their database."""
    async with open_database(folder / "home.db", migrations("home")) as database:
        live = SqliteLiveStates(database)
        await live.load()
        yield live, database


async def after_a_crash(folder: Path, elsewhere: Path) -> dict:
    """What another process finds in the files as they are now: device -> attributes."""
    shutil.copytree(folder, elsewhere)
    async with states_in(elsewhere) as (live, _):
        return {device_id: dict(state.attributes) for device_id, state in (await live.all("h1")).items()}


async def test_what_was_applied_is_read_at_once_and_kept_by_the_next_flush(data, tmp_path):
    async with states_in(data) as (live, _):
        await live.apply([change("lamp", 0, on=True), change("fan", 1, on=False)])
        assert (await live.get("h1", "lamp")).attributes == {"on": True}
        assert await after_a_crash(data, tmp_path / "before") == {}
        await live.flush()
        await live.apply([change("lamp", 2, on=False)])
        found = await after_a_crash(data, tmp_path / "behind")

    assert found == {"lamp": {"on": True}, "fan": {"on": False}}


async def test_many_changes_of_many_devices_are_written_once_for_each_device(data, tmp_path):
    async with states_in(data) as (live, database):
        rows = await database.write(lambda c: c.total_changes())
        for second in range(20):
            await live.apply([change(f"d{n}", second, level=second) for n in range(123)])
        await live.flush()
        assert await database.write(lambda c: c.total_changes()) - rows == 123
        await live.flush()
        assert await database.write(lambda c: c.total_changes()) - rows == 123
        found = await after_a_crash(data, tmp_path / "crash")

    assert found == {f"d{n}": {"level": 19} for n in range(123)}


async def test_a_flush_that_fails_stays_due_with_what_came_meanwhile(data, tmp_path, monkeypatch):
    async with states_in(data) as (live, database):
        write = database.write

        async def full(*args, **kwargs):
            await live.apply([change("fan", 5, on=True)])
            raise StorageFull("the disk is full")

        await live.apply([change("lamp", 0, on=True), change("fan", 1, on=False)])
        monkeypatch.setattr(database, "write", full)
        with pytest.raises(StorageFull):
            await live.flush()
        monkeypatch.setattr(database, "write", write)
        assert (await live.get("h1", "fan")).attributes == {"on": True}
        await live.flush()
        found = await after_a_crash(data, tmp_path / "crash")

    assert found == {"lamp": {"on": True}, "fan": {"on": True}}


async def test_what_was_forgotten_does_not_come_back_with_a_flush(data, tmp_path):
    async with states_in(data) as (live, _):
        await live.apply([change("lamp", 0, on=True)])
        await live.flush()
        await live.apply([change("lamp", 1, on=False)])
        await live.forget("h1", "lamp")
        await live.flush()
        assert await live.all("h1") == {}
        assert await after_a_crash(data, tmp_path / "crash") == {}


async def test_what_cannot_be_written_is_refused_as_a_whole(data, tmp_path):
    async with states_in(data) as (live, _):
        with pytest.raises(UnicodeEncodeError):
            await live.apply([change("lamp", 0, on=True), change("fan", 1, name="\ud800")])
        assert await live.all("h1") == {}
        await live.flush()
        assert await after_a_crash(data, tmp_path / "crash") == {}


async def test_stores_that_are_closed_have_written_everything(tmp_path, clock):
    async with open_embedded(tmp_path, clock) as stores:
        await stores.live.apply([change("lamp", 0, on=True)])
    async with open_embedded(tmp_path, clock) as stores:
        assert (await stores.live.get("h1", "lamp")).attributes == {"on": True}


async def test_what_shows_is_the_same_step_by_step_and_read_back(data, tmp_path):
    """Taken over from what showed before, or worked out anew from the file: no difference."""
    said = [
        change("lamp", 1, on=True, level=5), change("lamp", 2, on=True, level=5), change("lamp", 3, on=False),
        change("lamp", 2, on=True), change("lamp", 4, on=False, level=6), change("lamp", 1, level=7),
        change("lamp", 9, color="red"), change("lamp", 5, on=True),
        *(change("lamp", 10 + n, on=True) for n in range(9)), change("lamp", 8, on=False), change("lamp", 20, on=1),
    ]  # fmt: skip
    async with states_in(data) as (live, _):
        for number, one in enumerate(said):
            before = await live.get("h1", "lamp")
            shown = await live.apply([one])
            now = await live.get("h1", "lamp")
            assert shown == ([] if now == before else [now])
            await live.flush()
            shutil.copytree(data, tmp_path / f"step{number}")
            async with states_in(tmp_path / f"step{number}") as (again, _):
                assert await again.get("h1", "lamp") == now
                assert list((await again.get("h1", "lamp")).attributes) == list(now.attributes)
