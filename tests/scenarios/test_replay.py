"""A recorded log becomes devices and events; what cannot be read is counted and named."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from homeguard.clock import parse_time
from homeguard.errors import InvalidInput
from scenarios.replay import ReplaySummary, replay


def line(ts: str, device: str, kind: str, state: Any, **more: Any) -> dict[str, Any]:
    return {"ts": ts, "device_id": device, "name": device.replace("_", " "), "area": "Attic", "kind": kind,
            "state": state, **more}  # fmt: skip


LINES = [
    line("2025-01-10T08:00:00", "attic_door", "contact", "on"),
    line("2025-01-10T08:00:30", "attic_window", "window", "closed"),
    line("2025-01-10T08:01:00", "attic_pir", "motion", True),
    line("2025-01-10T08:02:00", "guest_bed", "pressure", "on"),
    line("2025-01-10T08:03:00", "tap", "water", "on"),
    line("2025-01-10T08:04:00", "toaster", "power", "off"),
    line("2025-01-10T08:05:00", "wall_switch", "switch", 1),
    line("2025-01-10T08:06:00", "probe", "temperature", "18.5"),
    line("2025-01-10T08:10:00", "attic_door", "contact", "off"),
]


async def played(world: Any, tmp_path: Path, lines: Sequence[Any], **more: Any) -> ReplaySummary:
    file = tmp_path / "log.jsonl"
    file.write_text("\n".join(text if isinstance(text, str) else json.dumps(text) for text in lines), encoding="utf-8")
    return await replay(
        file, world.john.home, intake=world.intake, devices=world.stores.devices, clock=world.clock, **more
    )


async def test_every_kind_of_line_becomes_its_event(world: Any, tmp_path: Path) -> None:
    summary = await played(world, tmp_path, LINES)
    events = world.log.events("replay")
    assert [(e["device_id"], e["event_type"], e["payload"]) for e in events] == [
        ("attic_door", "door_open", {}),
        ("attic_window", "window_closed", {}),
        ("attic_pir", "motion_detected", {}),
        ("guest_bed", "state_changed", {"occupancy": True}),
        ("tap", "state_changed", {"water_flow": True}),
        ("toaster", "state_changed", {"on": False}),
        ("wall_switch", "state_changed", {"on": True}),
        ("probe", "telemetry", {"metrics": {"temperature_c": 18.5}}),
        ("attic_door", "door_closed", {}),
    ]
    assert (summary.events, summary.devices_created, summary.rejected) == (9, 8, 0)
    assert summary.by_type["state_changed"] == 4


async def test_the_last_is_now_and_the_distances_stay(world: Any, tmp_path: Path) -> None:
    summary = await played(world, tmp_path, LINES)
    assert summary.last == world.clock.now()
    assert summary.first == world.clock.now() - timedelta(minutes=10)


async def test_kept_times_are_local_ones_of_the_home(world: Any, tmp_path: Path) -> None:
    await played(world, tmp_path, LINES, keep_times=True)
    first = world.log.events("replay")[0]
    assert parse_time(first["timestamp"]) == datetime(2025, 1, 10, 13, 0, tzinfo=UTC)


async def test_devices_come_from_the_fields_and_are_not_controllable(world: Any, tmp_path: Path) -> None:
    await played(world, tmp_path, LINES)
    found = {d.id: d for d in await world.stores.devices.of_home(world.john.home.id)}
    door, bed = found["attic_door"], found["guest_bed"]
    assert (door.type, door.name, door.area, door.config["placement"]) == ("contact", "attic door", "Attic", "door")
    assert (bed.type, bed.capabilities, bed.is_simulated) == ("presence", ("occupancy",), False)
    assert found["wall_switch"].capabilities == ()


async def test_the_same_file_at_the_same_times_is_the_same_events(world: Any, tmp_path: Path) -> None:
    await played(world, tmp_path, LINES, keep_times=True)
    again = await played(world, tmp_path, LINES, keep_times=True)
    ids = [e["event_id"] for e in world.log.events("replay")]
    assert ids[:9] == ids[9:]
    assert again.devices_created == 0


async def test_what_cannot_be_read_is_named_and_the_rest_goes_on(world: Any, tmp_path: Path) -> None:
    stamp = "2025-01-10T08:00:00"
    bad = [
        "{",
        "7",
        {"device_id": "x", "state": "on"},
        line("never", "x", "motion", "on"),
        line(stamp, "x y\n", "motion", "on"),
        line(stamp, "x", "motion", None),
        line(stamp, "x", "motion", [1]),
        line(stamp, "x", "temperature", "nan"),
    ]
    summary = await played(world, tmp_path, [*bad, *LINES])
    assert (summary.events, summary.rejected) == (9, len(bad))
    assert summary.reasons[0].startswith("line 1:")
    with pytest.raises(InvalidInput, match="no readable line"):
        await played(world, tmp_path, bad)
    with pytest.raises(InvalidInput, match="cannot be read"):
        await replay(tmp_path / "absent.jsonl", world.john.home, intake=world.intake, devices=world.stores.devices)


async def test_at_a_speed_it_takes_its_time(world: Any, tmp_path: Path) -> None:
    progress: list[int] = []
    task = asyncio.create_task(
        played(world, tmp_path, LINES, speed=60.0, on_progress=lambda done, _: progress.append(done))
    )
    async with asyncio.timeout(10):
        while not world.log.events("replay"):  # noqa: ASYNC110 - the file is read on another thread
            await asyncio.sleep(0.01)
    await world.clock.advance(5)
    assert len(world.log.events("replay")) < 9
    await world.clock.advance(5)
    assert (await task).events == 9
    assert progress[-1] == 9
