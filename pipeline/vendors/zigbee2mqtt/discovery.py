"""`bridge/devices` -> our devices: what each thing is, what it can do, and the key to every property."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from homeguard.model import Device, Hardware, Json
from pipeline.vendors.names import clean_name
from pipeline.vendors.zigbee2mqtt.exposes import Feature, flatten
from pipeline.vendors.zigbee2mqtt.keys import Keys, detector_key, measured_key, specific_keys

VENDOR: Final = "zigbee2mqtt"
_IEEE: Final = re.compile(r"0x[0-9a-fA-F]{1,24}")
#: Shown on each device of a hardware; everything else that belongs to no gang stands on the first.
_SHARED: Final = ("battery_pct", "battery_low", "link_quality", "temperature_c", "humidity_pct", "pressure_hpa",
                  "illuminance_lx", "co2_ppm", "pm25_ugm3", "voc_ppb")  # fmt: skip
_GANG_NAMES: Final = {f"l{n}": str(n) for n in range(1, 10)}
_MAX_DEVICES: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """`devices` in the bridge's order; `problems` are sentences about entries that could not be read;
    `names` are all friendly names on the network, also of what is ignored (coordinator, disabled, not interviewed)."""

    devices: tuple[Device, ...]
    problems: tuple[str, ...]
    names: frozenset[str]


def discover(payload: object, *, home_id: str, base: str) -> Discovery:
    """Every usable device of a `bridge/devices` payload; never raises for what the payload holds."""
    if not isinstance(payload, list):
        return Discovery(devices=(), problems=("bridge/devices is not a list",), names=frozenset())
    devices: dict[str, Device] = {}
    problems: list[str] = []
    names: set[str] = set()
    for index, entry in enumerate(payload[:_MAX_DEVICES]):
        if not isinstance(entry, Mapping):
            problems.append(f"entry {index} is not an object")
            continue
        if isinstance(entry.get("friendly_name"), str):
            names.add(entry["friendly_name"])
        if entry.get("type") == "Coordinator" or entry.get("disabled") is True:
            continue
        if entry.get("interview_completed") is False or entry.get("interview_state", "SUCCESSFUL") not in (
            "SUCCESSFUL",
            None,
        ):
            continue
        address, friendly = entry.get("ieee_address"), entry.get("friendly_name")
        if not isinstance(address, str) or not _IEEE.fullmatch(address):
            problems.append(f"entry {index} has no ieee_address")
        elif not isinstance(friendly, str) or not friendly.strip() or len(friendly) > 200 or set(friendly) & set("+#"):
            problems.append(f"{address} has no usable friendly_name")
        elif not isinstance(entry.get("definition"), Mapping):
            problems.append(f"{address} has no definition: the bridge does not support it")
        else:
            for device in _devices_of(entry, address.lower(), friendly, home_id, base):
                devices.setdefault(device.id, device)
    return Discovery(devices=tuple(devices.values()), problems=tuple(problems), names=frozenset(names))


def _devices_of(entry: Mapping[str, Any], address: str, friendly: str, home_id: str, base: str) -> list[Device]:
    definition: Mapping[str, Any] = entry["definition"]
    description = f"{definition.get('description', '')} {definition.get('model', '')}"[:300]
    features = flatten(definition.get("exposes"))
    gangs = _gangs(features)
    hardware = Hardware(
        id=address,
        vendor=clean_name(definition.get("vendor") or entry.get("manufacturer")),
        model=clean_name(definition.get("model") or entry.get("model_id")),
        firmware=clean_name(entry.get("software_build_id")),
    )
    area, _, last = friendly.rpartition("/")
    made = []
    for position, gang in enumerate(gangs):
        keys = _keys_of(features, gang, gangs, is_first=position == 0)
        kind = _type_of(keys, description, friendly)
        keys.settle(kind)
        name = clean_name(friendly, address)
        spoken = clean_name(last.replace("_", " "))
        if len(gangs) > 1:
            label = _GANG_NAMES.get(gang, gang.replace("_", " "))
            name, spoken = clean_name(f"{name} {label}"), clean_name(f"{spoken} {label}")
        config: dict[str, Json] = dict(keys.config)
        if kind == "contact":
            config["placement"] = _placement(f"{friendly} {description}")
        made.append(
            Device(
                home_id=home_id,
                id=f"{address}_{gang}" if len(gangs) > 1 else address,
                name=name,
                type=kind,
                capabilities=keys.capabilities(kind),
                area=clean_name(area.replace("/", " ").replace("_", " ")),
                aliases=(spoken,) if spoken and spoken != name else (),
                hardware=hardware,
                config=config,
                binding={"driver": "mqtt", "vendor": VENDOR, "base": base, "topic": friendly,
                         "vendor_name": name, "vendor_alias": spoken, "keys": dict(keys.entries)},
            )
        )  # fmt: skip
    return made


def _gangs(features: list[Feature]) -> list[str]:
    """The endpoints that carry something to control, in order; `[""]` when the hardware is one device."""
    found = dict.fromkeys(f.endpoint for f in features if f.group and f.endpoint and f.name in ("state", "position"))
    return list(found) if len(found) > 1 else [""]


def _keys_of(features: list[Feature], gang: str, gangs: list[str], *, is_first: bool) -> Keys:
    keys = Keys()
    for feature in features:
        own = gang in ("", feature.endpoint)
        belongs_elsewhere = not own and feature.endpoint in gangs
        if belongs_elsewhere:
            continue
        if feature.group:
            if own or is_first:
                specific_keys(keys, feature)
            continue
        key = detector_key(feature) or measured_key(feature)
        if key is None:
            continue
        attribute = str(key["attribute"])
        if own or is_first or attribute in _SHARED:
            # A second value of the same name (an endpoint's own thermometer) must not shadow the first.
            if attribute in keys.entries and feature.endpoint:
                key = {**key, "attribute": f"{attribute}_{feature.endpoint}"}
            keys.add(key, feature)
    return keys


#: The first that the device reports decides, when it has nothing to control.
_DETECTORS: Final = ("smoke", "co", "gas", "water_leak", "glass_break", "motion", "open", "vibration")
_PURPOSE: Final = {"smoke": "smoke", "co": "co", "gas": "gas", "water_leak": "water_leak",
                   "glass_break": "glass_break", "open": "contact", "vibration": "vibration"}  # fmt: skip


def _type_of(keys: Keys, description: str, friendly: str) -> str:
    has, text = keys.entries, f"{description} {friendly}".lower()
    groups = keys.groups
    if "lock" in groups:
        return "lock"
    if "climate" in groups:
        return "air_conditioner" if re.search(r"air.?condition|split unit|mini.?split", text) else "thermostat"
    if "cover" in groups:
        return "garage_door" if "garage" in text else "gate" if re.search(r"\bgate\b", text) else "cover"
    if "fan" in groups:
        return "air_purifier" if "purifier" in text else "fan"
    if "light" in groups:
        return "light"
    if "siren" in keys.entries and not ("smoke" in has and "smoke" in description.lower()):
        return "siren"
    if "switch" in groups:
        if re.search(r"\bvalve\b|irrigation|sprinkler|watering", description.lower()):
            return "sprinkler" if "sprinkler" in text else "valve"
        if "siren" in description.lower():
            return "siren"
        return "plug" if re.search(r"plug|outlet|socket", description.lower()) else "switch"
    for attribute in _DETECTORS:
        if attribute == "motion" and ("motion" in has or "occupancy" in has):
            is_presence = "motion" not in has or re.search(r"presence|occupancy sensor|radar|mmwave", text)
            return "presence" if is_presence else "motion"
        if attribute in has and attribute in _PURPOSE:
            return _PURPOSE[attribute]
    if "action" in has:
        return "button"
    if any(a.startswith(("power_w", "energy_kwh")) for a in has):
        return "meter"
    return "sensor"


def _placement(text: str) -> str:
    words = text.lower()
    for word in ("garage", "gate", "window"):
        # A sensor sold for doors and windows says nothing about where this one hangs.
        if word in words.replace("door/window", "").replace("door and window", "").replace("window/door", ""):
            return word
    return "door"
