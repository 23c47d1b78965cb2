"""A recorded sensor log through the intake: devices from the file's fields, times moved so that the last is now."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from homeguard.clock import Clock, SystemClock, iso
from homeguard.errors import InvalidInput
from homeguard.ids import derived_id
from homeguard.model import Device, Event, Home
from homeguard.ports.devices import DeviceStore
from homeguard.vocabulary import EVENT_TYPES
from pipeline.intake.intake import Intake
from pipeline.vendors.names import clean_name
from scenarios.recorded import Line, device_of, read_line

_BATCH: Final = 500
_MAX_LINE: Final = 64 * 1024
_MAX_LINES: Final = 5_000_000
#: How long a replay waits for what was told before it to be worked off.
_ROOM_LIMIT_S: Final = 60.0
_MAX_REFUSED: Final = 20
_MAX_AHEAD: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySummary:
    """What came of a file. `rejected` counts all refused lines, `reasons` are the first twenty (`line 7: ...`).

    `first` and `last` are the times of the stored events after they were moved.
    """

    events: int
    by_type: Mapping[str, int]
    devices_created: int
    devices: int
    rejected: int
    reasons: tuple[str, ...]
    first: datetime | None
    last: datetime | None


async def replay(
    path: Path,
    home: Home,
    *,
    intake: Intake,
    devices: DeviceStore,
    speed: float = math.inf,
    keep_times: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    clock: Clock | None = None,
) -> ReplaySummary:
    """Read a JSONL file of `{"ts", "device_id", "name", "area", "kind", "state"}` and tell it in order of time.

    `speed` is recorded seconds a second (`math.inf`: as fast as it goes); `on_progress(done, all)` after each batch.
    The same file at the same times is stored once.

    Raises:
        InvalidInput: the file cannot be read, or holds no line that can.
        Overloaded, StorageFull, StoreUnavailable: the log did not take it.
    """
    clock = clock or SystemClock()
    now = clock.now()
    loop = asyncio.get_running_loop()
    lines, refused = await loop.run_in_executor(None, _read, path, ZoneInfo(home.time_zone))
    if not lines:
        raise InvalidInput(f"{path.name} holds no readable line" + (f"; {refused[0]}" if refused else ""), field="file")
    shift = timedelta() if keep_times else now - lines[-1].at
    if lines[-1].at + shift > now + _MAX_AHEAD:
        raise InvalidInput(f"{path.name} ends more than a day ahead of now", field="file")
    created = await _create_devices(lines, home.id, intake, devices, now)
    counts: Counter[str] = Counter()
    began, start = clock.monotonic(), lines[0].at
    batch: list[Event] = []
    for number, line in enumerate(lines, start=1):
        due = began + (line.at - start).total_seconds() / speed
        if due > clock.monotonic() and not math.isinf(speed):
            await intake.submit(batch)
            batch = []
            if on_progress is not None:
                on_progress(number - 1, len(lines))
            await clock.sleep(due - clock.monotonic())
        batch.append(_event(line, home.id, line.at + shift, clock.now()))
        counts[line.event_type] += 1
        if len(batch) >= _BATCH or number == len(lines):
            await intake.room(_ROOM_LIMIT_S)
            await intake.submit(batch)
            batch = []
            if on_progress is not None:
                on_progress(number, len(lines))
    return ReplaySummary(
        events=len(lines),
        by_type=dict(counts.most_common()),
        devices_created=created,
        devices=len({line.device_id for line in lines}),
        rejected=len(refused),
        reasons=tuple(refused[:_MAX_REFUSED]),
        first=lines[0].at + shift,
        last=lines[-1].at + shift,
    )


def _read(path: Path, zone: ZoneInfo) -> tuple[list[Line], list[str]]:
    """Lines in order of time (equal times in the order of the file), and a sentence for each that was refused."""
    lines: list[Line] = []
    refused: list[str] = []
    decoder = msgspec.json.Decoder()
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if not raw.strip():
                    continue
                if number > _MAX_LINES:
                    raise InvalidInput(f"{path.name} has more than {_MAX_LINES} lines", field="file")
                try:
                    if len(raw) > _MAX_LINE:
                        raise ValueError("the line is longer than 64 KB")  # noqa: TRY301 - one place says why
                    lines.append(read_line(decoder.decode(raw), zone))
                except (ValueError, msgspec.DecodeError, RecursionError) as error:
                    refused.append(f"line {number}: {error}")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", field="file") from error
    return sorted(lines, key=lambda line: line.at), refused


async def _create_devices(lines: list[Line], home_id: str, intake: Intake, store: DeviceStore, now: datetime) -> int:
    known = {device.id for device in await store.of_home(home_id)}
    fresh: dict[str, Device] = {}
    for line in lines:
        if line.device_id not in known and line.device_id not in fresh:
            name = clean_name(line.name, line.device_id)
            fresh[line.device_id] = device_of(line, home_id, name, clean_name(line.area), now)
    if fresh:
        await store.put(list(fresh.values()))
        intake.forget_devices(home_id)
    return len(fresh)


def _event(line: Line, home_id: str, at: datetime, now: datetime) -> Event:
    return Event(
        home_id=home_id,
        event_id=derived_id(
            "replay", home_id, line.device_id, line.event_type, iso(at), str(sorted(line.payload.items()))
        ),
        event_type=line.event_type,
        at=at,
        received_at=now,
        device_id=line.device_id,
        payload=line.payload,
        source="replay",
        lane=EVENT_TYPES[line.event_type].lane,
    )
