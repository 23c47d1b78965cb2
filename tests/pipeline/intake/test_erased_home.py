"""A home that is being erased has no device any more, and what our own rooms say of it is dropped."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from homeguard.clock import HomeClocks, SystemClock
from homeguard.errors import DeviceNotFound
from homeguard.model import Device, Event
from homeguard.stores.sqlite.open import open_embedded
from pipeline.intake.intake import Intake, Origin

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def sent(**fields: Any) -> bytes:
    return json.dumps({"device_id": "bell", "event_type": "doorbell_pressed", "payload": {}, **fields}).encode()


def said(home_id: str) -> Event:
    return Event(home_id=home_id, event_id="e1", event_type="doorbell_pressed", at=AT, received_at=AT, device_id="bell")


async def test_nothing_comes_in_for_an_erased_home_and_the_next_home_is_heard_as_before(tmp_path: Path) -> None:
    async with open_embedded(tmp_path, SystemClock()) as stores:
        bells = [Device(home_id=h, id="bell", name="Bell", type="doorbell", capabilities=()) for h in ("h1", "h2")]
        await stores.devices.put(bells)
        clock = SystemClock()
        intake = Intake(log=stores.log, devices=stores.devices, clock=clock, clocks=HomeClocks(clock))
        origin = Origin(home_id="h1", source="http", may_create_devices=True)
        assert (await intake.receive(sent(), origin)).accepted == 1

        intake.close_home("h1")

        leaves = json.dumps({"event_type": "geofence_leaving", "payload": {}}).encode()
        for body in (sent(), sent(device_id="new"), leaves):
            with pytest.raises(DeviceNotFound):
                await intake.receive(body, origin)
        receipt = await intake.receive(b"[" + sent() + b"," + sent() + b"]", origin)
        assert (receipt.accepted, [r.code for r in receipt.rejected]) == (0, ["DEVICE_NOT_FOUND"] * 2)
        assert len(await intake.receive_each([(origin, sent()), (origin, sent())])) == 2
        await intake.submit([said("h1"), said("h2")])
        assert (await intake.receive(sent(), Origin(home_id="h2", source="http"))).accepted == 1

        records = await stores.log.read("test", ["device.events"], limit=100, wait_s=0)
        assert [record.key for record in records] == ["h1/bell", "h2/bell", "h2/bell"]
