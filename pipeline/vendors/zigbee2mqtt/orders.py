"""A command of ours -> what Zigbee2MQTT is told: `<base>/<friendly name>/set` and a JSON object."""

import json
from collections.abc import Mapping
from typing import Any

from homeguard.model import Command, Device, Json, Value
from pipeline.vendors.zigbee2mqtt import values


def order(device: Device, command: Command) -> tuple[str, bytes]:
    """Topic and payload that make the device's attributes what `command.set` says.

    Raises:
        ValueError: this device has no property for it.
    """
    binding = device.binding
    raw_keys = binding.get("keys")
    keys: Mapping[str, Any] = raw_keys if isinstance(raw_keys, Mapping) else {}
    topic = f"{binding.get('base')}/{binding.get('topic')}/set"
    payload = _payload(keys, command)
    if not payload:
        raise ValueError(f"{device.name} has no property that {command.command} could set")
    return topic, json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def _payload(keys: Mapping[str, Any], command: Command) -> dict[str, Json]:
    wanted = dict(command.set)
    cover = keys.get("cover")
    if isinstance(cover, Mapping) and command.command in ("open", "close", "stop") and cover.get("settable"):
        return {str(cover["property"]): command.command.upper()}
    if "cover" in wanted and "position_pct" in keys:
        wanted.pop("cover")
    elif "cover" in wanted and isinstance(cover, Mapping):
        raise ValueError("it only opens, closes and stops")
    siren = keys.get("on")
    if isinstance(siren, Mapping) and siren.get("codec") == "warning":
        return {str(siren["property"]): _warning(on=wanted.get("on") is True)}
    payload: dict[str, Json] = {}
    if {"hue", "saturation_pct"} & set(wanted):
        payload.update(_color(keys, wanted))
    for name, value in wanted.items():
        if name in ("hue", "saturation_pct"):
            continue
        key = _key_for(keys, name, command)
        if key is None:
            if name == "on":
                continue  # a fan without a switch of its own starts with its speed
            raise ValueError(f"it has no property for {name}")
        payload[str(key["property"])] = values.write(key, value)
    return payload


def _key_for(keys: Mapping[str, Any], name: str, command: Command) -> Mapping[str, Any] | None:
    if name == "target_c" and "cool_target_c" in keys and command.before.get("hvac_mode") == "cool":
        name = "cool_target_c"
    if name == "speed_pct" and "speed_pct" not in keys and "speed" in keys:
        return {**keys["speed"], "attribute": "speed_pct", "codec": "speed_pct"}
    key = keys.get(name)
    return key if isinstance(key, Mapping) else None


def _color(keys: Mapping[str, Any], wanted: Mapping[str, Value]) -> dict[str, Json]:
    key = keys.get("hue")
    if not isinstance(key, Mapping) or not key.get("settable"):
        raise ValueError("it has no colours")
    return {str(key["property"]): {"hue": wanted.get("hue", 0), "saturation": wanted.get("saturation_pct", 100)}}


def _warning(*, on: bool) -> dict[str, Json]:
    """A siren that is told a composite: it ends by itself, so that a lost `off` does not leave it howling."""
    if not on:
        return {"mode": "stop", "level": "low", "strobe": False, "duration": 0}
    return {"mode": "burglar", "level": "high", "strobe": True, "duration": 180}
