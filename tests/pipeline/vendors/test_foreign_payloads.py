"""Messages of real bridges: every device is found with its maker and model, and no message upsets anything."""

import json
from typing import Any

from homeguard.vocabulary import DEVICE_TYPES
from pipeline.vendors.zigbee2mqtt.discovery import discover
from pipeline.vendors.zigbee2mqtt.report import observe
from pipeline.vendors.zigbee2mqtt.topics import classify, read_availability, read_state


def _bridges(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["kind"] == "bridge_devices"]


def test_every_device_of_a_real_bridge_is_found_with_vendor_and_model(foreign_payloads: list[dict[str, Any]]) -> None:
    assert _bridges(foreign_payloads)
    for row in _bridges(foreign_payloads):
        found = discover(row["payload"], home_id="h", base="zigbee2mqtt")
        wanted = {(d["vendor"], d["model"]) for d in row["expect"]["devices"]}
        assert {(d.hardware.vendor, d.hardware.model) for d in found.devices if d.hardware} == wanted
        assert {d.type for d in found.devices} <= set(DEVICE_TYPES)
        assert found.problems == ()


def test_no_real_message_upsets_the_reader(foreign_payloads: list[dict[str, Any]]) -> None:
    devices = [d for row in _bridges(foreign_payloads) for d in discover(row["payload"], home_id="h", base="z").devices]
    read = 0
    for row in foreign_payloads:
        body = row["payload"] if isinstance(row["payload"], str) else json.dumps(row["payload"])
        topic = classify(row["topic"], "zigbee2mqtt")
        try:
            if topic is not None and topic.kind == "availability":
                read_availability(body.encode())
                read += 1
                continue
            payload = read_state(body.encode())
        except ValueError as error:
            assert str(error)  # noqa: PT017 - the reason is the point
            continue
        read += 1
        for device in devices:
            attributes, _ = observe(device, payload, None)
            assert all(isinstance(v, bool | int | float | str) for v in attributes.values())
    assert read > len(foreign_payloads) / 2
