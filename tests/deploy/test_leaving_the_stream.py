"""A folder whose records went to Kafka, started without it again."""

import asyncio
from datetime import timedelta
from pathlib import Path

from deploy.one_process import open_homeguard
from homeguard.clock import SystemClock
from homeguard.model import Event, Metadata
from homeguard.ports.log import EVENTS
from homeguard.settings import Settings
from homeguard.stores.sqlite.log import open_log
from homeguard.stores.sqlite.open import open_embedded
from pipeline.envelope import encode
from pipeline.shipper import SHIP
from pipeline.topics import RECORD


def event(number: int) -> Event:
    at = SystemClock().now()
    return Event(
        home_id="h1", event_id=f"e{number}", event_type="motion_detected", at=at, received_at=at, device_id="m1",
        payload={}, metadata=Metadata(), source="http", trust="device",
    )  # fmt: skip


async def shipped(folder: Path, *groups: str) -> None:
    """Records that these groups of the folder's log are behind, and that no store has."""
    async with open_embedded(folder, SystemClock()) as stores:
        await stores.log.append([encode(event(n)) for n in range(3)])
        for group in groups:
            await stores.log.commit(group, await stores.log.read(group, [EVENTS], limit=100, wait_s=0))


async def recorded(folder: Path) -> int:
    settings = Settings(data_dir=folder, demo=False, simulator=False)
    async with open_homeguard(settings, stop=asyncio.Event(), models=[], serve=False) as running:
        async with asyncio.timeout(30):
            await running.plane.caught_up()
        return await running.stores.events.count("h1")


async def test_what_was_shipped_and_not_recorded_there_is_recorded_here(tmp_path: Path):
    await shipped(tmp_path, SHIP, RECORD)
    assert await recorded(tmp_path) == 3
    assert await recorded(tmp_path) == 3


async def test_a_folder_that_never_shipped_reads_nothing_twice(tmp_path: Path):
    await shipped(tmp_path, RECORD)
    assert await recorded(tmp_path) == 0


async def test_old_files_of_the_log_wait_for_no_stream_any_more(tmp_path: Path):
    async with open_embedded(tmp_path, SystemClock()):
        pass
    async with open_log(tmp_path / "log", SystemClock(), segment_size=200) as log:
        for number in range(4):
            await log.append([encode(event(number))])
        await log.commit(SHIP, await log.read(SHIP, [EVENTS], limit=1, wait_s=0))
    await recorded(tmp_path)
    async with open_log(tmp_path / "log", SystemClock()) as log:
        assert await log.trim(SystemClock().now() + timedelta(seconds=1)) > 2
