"""The two demo homes in memory, and a way to talk to the planner in them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from evals.formats.turn import TurnResult
from evals.virtual_home import VirtualHome, say
from homeguard.model import Device

NOW = datetime(2026, 11, 21, 18, 30, tzinfo=UTC)
LOCK, COVER = ("lock", "battery"), ("position",)
HEAT = ("thermostat", "climate")
LAMP = ("on_off", "brightness", "color")


def _device(device_id: str, name: str, kind: str, capabilities: tuple[str, ...], area: str, **config: Any) -> Device:
    return Device(
        home_id="demo", id=device_id, name=name, type=kind, capabilities=capabilities, area=area, config=config
    )


JOHN = {
    "front_door_lock": (_device("front_door_lock", "Front Door Lock", "lock", LOCK, "Entrance"),
    {"lock": "locked", "battery_pct": 87}),
    "back_door_lock": (_device("back_door_lock", "Back Door Lock", "lock", LOCK, "Back Hall"),
    {"lock": "unlocked", "battery_pct": 54}),
    "living_room_motion": (_device("living_room_motion", "Living Room Motion", "motion", ("motion",), "Living Room"),
    {"motion": False}),
    "thermostat": (
        _device("thermostat", "Thermostat", "thermostat", HEAT, "Hallway", ranges={"target_c": [7.2, 35]}),
        {"target_c": 21.1, "temperature_c": 20.8, "humidity_pct": 44, "hvac_mode": "auto"},
    ),
    "garage_door": (_device("garage_door", "Garage Door", "garage_door", COVER, "Garage"),
    {"position_pct": 0, "cover": "closed"}),
}  # fmt: skip
SARAH = {
    "front_door_lock": JOHN["front_door_lock"],
    "front_door": (_device("front_door", "Front Door", "contact", ("contact",), "Entrance", placement="door"),
    {"open": False}),
    "garage_door": JOHN["garage_door"],
    "living_room_motion": JOHN["living_room_motion"],
    "hallway_motion": (_device("hallway_motion", "Hallway Motion", "motion", ("motion",), "Hallway"), {"motion": True}),
    "doorbell": (_device("doorbell", "Doorbell", "doorbell", ("camera", "motion"), "Entrance"), {"motion": False}),
    "driveway_camera": (_device("driveway_camera", "Driveway Camera", "camera", ("camera", "motion"), "Driveway"),
    {"on": True}),
    "thermostat": JOHN["thermostat"],
    "smoke_kitchen": (_device("smoke_kitchen", "Kitchen Smoke Detector", "smoke", ("smoke", "battery"), "Kitchen"),
    {"smoke": False, "battery_pct": 92}),
    "porch_light": (_device("porch_light", "Porch Light", "light", LAMP, "Porch"), {"on": True, "brightness_pct": 100}),
    "living_room_light": (_device("living_room_light", "Living Room Light", "light", LAMP, "Living Room"),
    {"on": True, "brightness_pct": 60}),
    "hallway_light": (_device("hallway_light", "Hallway Light", "light", LAMP, "Hallway"),
    {"on": True, "brightness_pct": 100}),
}  # fmt: skip
READINGS = {
    "get_recent_events": {
        "events": [
            {
                "event_id": "e1", "at": "2026-11-21T04:42:00Z", "device_id": "front_door_lock",
                "device": "Front Door Lock",
                "event_type": "door_unlocked", "payload": {},
            }
        ]
    },
    "get_device_history": {
        "value_at": {"value": 20.5, "at": "2026-11-21T10:00:00Z"},
        "windows": [{"start": "2026-11-20T05:00:00Z", "average": 20.0, "minimum": 18.0, "maximum": 22.0, "count": 288}],
    },
    "create_automation": {"id": "a1"},
}  # fmt: skip
Talk = Callable[..., Awaitable[tuple[TurnResult, VirtualHome]]]


@pytest.fixture
def homes() -> Callable[[str], VirtualHome]:
    """A demo home as at first start."""

    def build(name: str) -> VirtualHome:
        rows = JOHN if name == "john" else SARAH
        return VirtualHome(
            [d for d, _ in rows.values()],
            {i: s for i, (_, s) in rows.items()},
            unit_system="us",
            time_zone="America/New_York",
            outputs=READINGS,
        )

    return build


@pytest.fixture
def talk(homes: Callable[[str], VirtualHome]) -> Talk:
    """Says sentences one after another in a demo home; the last turn and its home come back."""

    async def speak(name: str, *sentences: str) -> tuple[TurnResult, VirtualHome]:
        history: list[Any] = []
        home = homes(name)
        turn = TurnResult(answer="")
        for sentence in sentences:
            home = homes(name)
            turn, history = await say(home, sentence, now=NOW, history=history)
        return turn, home

    return speak
