"""The demo homes: read from YAML, checked against the vocabulary, told through the intake at first start."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from homeguard.commands import attributes_of, checked
from homeguard.errors import InvalidInput, NotFound
from homeguard.ids import derived_id
from homeguard.model import Attributes, Device, Event, Hardware, Home, Metadata, User, Value
from homeguard.vocabulary import CAPABILITIES, DEVICE_TYPES

NAMES: Final = ("john", "sarah")
_KEYS: Final = frozenset(
    ("id", "name", "type", "area", "floor", "capabilities", "aliases", "config", "hardware", "initial",
     "battery_30_days_ago")
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoHome:
    """A home, the person who owns it (their id is the home's), its devices and how these are at first start.

    `batteries` holds, by device, what a battery had thirty days ago. `doors_move`: somebody goes in and out.
    """

    home: Home
    owner: User
    devices: tuple[Device, ...]
    initial: Mapping[str, Attributes]
    batteries: Mapping[str, float]
    doors_move: bool


def load_home(name: str, now: datetime) -> DemoHome:
    """One of the homes beside this file; `now` is when its devices and its owner came to be.

    Raises:
        NotFound: there is no such home.
        InvalidInput: the file says something that the vocabulary does not know.
    """
    source = resources.files("scenarios") / "homes" / f"{name}.yaml"
    if not source.is_file():
        raise NotFound(f"there is no demo home '{name}'")
    return read_home(yaml.safe_load(source.read_text(encoding="utf-8")), now)


def load_homes(now: datetime) -> list[DemoHome]:
    """All of them, in the order of `NAMES`."""
    return [load_home(name, now) for name in NAMES]


def read_home(document: object, now: datetime) -> DemoHome:
    """A home from its document. Raises InvalidInput naming the place of what is wrong."""
    top = _mapping(document, "the document")
    person, about = _mapping(top.get("person"), "person"), _mapping(top.get("home"), "home")
    email = _text(person, "email", "person").lower()
    home_id = derived_id("user", email)
    zone = _text(about, "time_zone", "home")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvalidInput(f"home.time_zone: there is no zone '{zone}'", field="home.time_zone") from error
    if about.get("unit_system") not in ("us", "si"):
        raise InvalidInput("home.unit_system is us or si", field="home.unit_system")
    devices: list[Device] = []
    initial: dict[str, Attributes] = {}
    batteries: dict[str, float] = {}
    for index, entry in enumerate(top.get("devices") or ()):
        where = f"devices[{index}]"
        item = _mapping(entry, where)
        device = read_device(item, home_id, where, now)
        if device.id in initial:
            raise InvalidInput(f"{where}: '{device.id}' is there twice", field=where)
        devices.append(device)
        initial[device.id] = read_initial(device, item.get("initial") or {}, where)
        if "battery_30_days_ago" in item:
            batteries[device.id] = float(item["battery_30_days_ago"])
    return DemoHome(
        home=Home(
            id=home_id,
            name=_text(about, "name", "home"),
            time_zone=zone,
            unit_system=about["unit_system"],
            latitude=_degrees(about, "latitude"),
            longitude=_degrees(about, "longitude"),
        ),
        owner=User(id=home_id, email=email, name=_text(person, "name", "person"), created_at=now),
        devices=tuple(devices),
        initial=initial,
        batteries=batteries,
        doors_move=top.get("doors_move") is True,
    )


def _degrees(about: Mapping[str, Any], name: str) -> float | None:
    return float(about[name]) if name in about else None


def read_device(item: Mapping[str, Any], home_id: str, where: str, now: datetime) -> Device:
    """One simulated device. Raises InvalidInput for an unknown key, type or capability."""
    unknown = sorted(set(item) - _KEYS)
    if unknown:
        raise InvalidInput(f"{where} has an unknown key '{unknown[0]}'", field=where)
    device_id, kind = _text(item, "id", where), _text(item, "type", where)
    if kind not in DEVICE_TYPES:
        raise InvalidInput(f"{where}: there is no device type '{kind}'", field=f"{where}.type")
    capabilities = tuple(item.get("capabilities") or DEVICE_TYPES[kind].capabilities)
    for capability in capabilities:
        if capability not in CAPABILITIES:
            raise InvalidInput(f"{where}: there is no capability '{capability}'", field=f"{where}.capabilities")
    hardware = item.get("hardware")
    return Device(
        home_id=home_id,
        id=device_id,
        name=str(item.get("name") or device_id.replace("_", " ").capitalize()),
        type=kind,
        capabilities=capabilities,
        area=str(item.get("area") or ""),
        floor=str(item.get("floor") or ""),
        aliases=tuple(str(a) for a in item.get("aliases") or ()),
        hardware=Hardware(**hardware) if isinstance(hardware, Mapping) else None,
        config=dict(item.get("config") or {}),
        binding={"driver": "simulated"},
        is_simulated=True,
        created_at=now,
    )


def initial_events(demo: DemoHome, now: datetime) -> list[Event]:
    """How the devices are at first start, as their own reports; the ids are the same whenever it is asked."""
    return [
        Event(
            home_id=demo.home.id,
            event_id=derived_id("initial", demo.home.id, device.id),
            event_type="state_changed",
            at=now,
            received_at=now,
            device_id=device.id,
            payload=dict(demo.initial[device.id]),
            metadata=Metadata(is_simulated=True),
            source="simulator",
        )
        for device in demo.devices
    ]


def read_initial(device: Device, given: object, where: str) -> dict[str, Value]:
    """Attributes checked against what the device has. Raises InvalidInput."""
    slots = attributes_of(device)
    found: dict[str, Value] = {}
    for name, value in _mapping(given, f"{where}.initial").items():
        slot = slots.get(name)
        if slot is None:
            raise InvalidInput(f"{where}.initial: {device.type} has no '{name}'", field=f"{where}.initial.{name}")
        found[name] = checked(name, value, slot, f"{where}.initial.{name}")
    return found


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{where} is a mapping", field=where)
    return value


def _text(item: Mapping[str, Any], key: str, where: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(f"{where}.{key} is a text", field=f"{where}.{key}")
    return value.strip()
