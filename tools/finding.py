"""Finding devices by words, room or kind, and the index of a home: what a model reads instead of the whole home."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from homeguard.commands import commands_of
from homeguard.kinds import name_words
from homeguard.model import Device, LiveState, Value
from homeguard.targets import resolve
from tools.context import ToolContext, the_home
from tools.shapes import SHAPE
from tools.text import bounded, clean

MAX_FOUND: Final = 50
_MAX_AREAS: Final = 100
_MAX_STATE: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaLine:
    __pydantic_config__: ClassVar = SHAPE
    area: str
    """A room or other part of the home; empty for devices that have none"""
    floor: str
    types: Mapping[str, int]
    """How many devices of each type are there"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDevice:
    __pydantic_config__: ClassVar = SHAPE
    device_id: str
    name: str
    type: str
    area: str
    online: bool
    state: Mapping[str, Value]
    """Last known attributes, the unit in the name"""
    commands: tuple[str, ...]
    """What control_device takes for it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDevices:
    __pydantic_config__: ClassVar = SHAPE
    total: int
    """How many devices fit; in an index: how many there are"""
    devices: tuple[FoundDevice, ...]
    """The best first; empty in an index"""
    areas: tuple[AreaLine, ...]
    """Only in an index: when nothing was asked for, or nothing fits"""
    truncated: bool
    """There are more than were returned: say more exactly what is meant"""


async def find_devices(
    context: ToolContext, *, query: str = "", area: str = "", type: str = "", limit: int = 20
) -> FoundDevices:
    """The devices that fit all that was given, at most `limit` (1..50); the home's index when nothing was.

    Raises:
        InvalidInput: `limit` is not a number.
    """
    limit = bounded(limit, 1, MAX_FOUND, "limit")
    home = await the_home(context)
    devices = sorted(await context.devices.of_home(home.id), key=lambda d: (d.name, d.id))
    if not (query.strip() or area.strip() or type.strip()):
        return _index(devices)
    fitting = [d for d in devices if _is_there(d, area) and _is_kind(d, type)]
    if query.strip():
        fitting = _by_words(query, fitting)
    if not fitting:
        return _index(devices)
    states = await context.live.all(home.id)
    return FoundDevices(
        total=len(fitting),
        devices=tuple(_found(d, states.get(d.id)) for d in fitting[:limit]),
        areas=(),
        truncated=len(fitting) > limit,
    )


def _is_there(device: Device, area: str) -> bool:
    wanted = name_words(area)
    return not wanted or wanted in (name_words(device.area), name_words(device.floor))


def _is_kind(device: Device, kind: str) -> bool:
    return not kind.strip() or device.type == kind.strip().casefold().replace(" ", "_")


def _by_words(query: str, devices: Sequence[Device]) -> list[Device]:
    """What the phrase names, as it would be understood in a command; else those that share most of its words."""
    named = resolve(query, devices, areas={d.area for d in devices}, floors={d.floor for d in devices})
    exact = [*named.devices, *named.ambiguous, *named.suggestions]
    if exact:
        return exact
    words = set(name_words(query))
    shared = {d.id: len(words & _words_of(d)) for d in devices}
    return sorted((d for d in devices if shared[d.id]), key=lambda d: -shared[d.id])


def _words_of(device: Device) -> set[str]:
    names = (device.name, *device.aliases, device.area, device.floor, device.type.replace("_", " "))
    return {w for name in names if name for w in name_words(name)}


def _index(devices: Sequence[Device]) -> FoundDevices:
    places = Counter((d.area, d.floor, d.type) for d in devices)
    areas = sorted({(a, f) for a, f, _ in places})
    lines = tuple(
        AreaLine(
            area=clean(area, 80),
            floor=clean(floor, 80),
            types={kind: n for (a, f, kind), n in sorted(places.items()) if (a, f) == (area, floor)},
        )
        for area, floor in areas[:_MAX_AREAS]
    )
    return FoundDevices(total=len(devices), devices=(), areas=lines, truncated=len(areas) > _MAX_AREAS)


def _found(device: Device, state: LiveState | None) -> FoundDevice:
    attributes = state.attributes if state is not None else {}
    return FoundDevice(
        device_id=device.id,
        name=clean(device.name),
        type=device.type,
        area=clean(device.area, 80),
        online=state is not None and state.available,
        state={clean(k, 64): clean(v) if isinstance(v, str) else v for k, v in sorted(attributes.items())[:_MAX_STATE]},
        commands=tuple(sorted(commands_of(device))),
    )
