"""Zigbee2MQTT's words and ours: what is found, what its reports say, what it is told."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeguard.commands import resolve_command
from homeguard.model import Command, Device
from pipeline.vendors.names import clean_name
from pipeline.vendors.zigbee2mqtt.discovery import discover
from pipeline.vendors.zigbee2mqtt.orders import order
from pipeline.vendors.zigbee2mqtt.report import attributes_of, observe
from pipeline.vendors.zigbee2mqtt.topics import Topic, classify, read_availability, read_state


def binary(
    name: str, prop: str = "", *, on: Any = True, off: Any = False, access: int = 1, **more: Any
) -> dict[str, Any]:
    return {
        "type": "binary",
        "name": name,
        "property": prop or name,
        "access": access,
        "value_on": on,
        "value_off": off,
        **more,
    }


def numeric(
    name: str, unit: str = "", *, low: Any = None, high: Any = None, access: int = 1, **more: Any
) -> dict[str, Any]:
    entry = {"type": "numeric", "name": name, "property": name, "access": access, **more}
    if unit:
        entry["unit"] = unit
    if low is not None:
        entry |= {"value_min": low, "value_max": high}
    return entry


def enum(name: str, *values: str, access: int = 1, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": name, "property": name, "access": access, "values": list(values), **more}


def group(kind: str, *features: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": kind, "features": list(features), **more}


def state(prop: str = "state", on: str = "ON", off: str = "OFF") -> dict[str, Any]:
    return binary("state", prop, on=on, off=off, access=7)


def entry(address: str, friendly: str, description: str, *exposes: Any, **more: Any) -> dict[str, Any]:
    return {
        "ieee_address": address,
        "type": "EndDevice",
        "friendly_name": friendly,
        "disabled": False,
        "interview_completed": True,
        "supported": True,
        "definition": {"vendor": "Acme", "model": "T-1", "description": description, "exposes": list(exposes)},
        **more,
    }


NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
BATTERY = numeric("battery", "%", low=0, high=100)
COLOR_LAMP = group(
    "light",
    state(),
    numeric("brightness", low=0, high=254, access=7),
    numeric("color_temp", "mired", low=150, high=500, access=7),
    {
        "type": "composite",
        "name": "color_hs",
        "property": "color",
        "access": 7,
        "features": [numeric("hue", access=7), numeric("saturation", access=7)],
    },
)
TRV = group(
    "climate",
    numeric("occupied_heating_setpoint", "°C", low=5, high=30, access=7),
    numeric("local_temperature", "°C"),
    enum("system_mode", "off", "heat", "auto", access=7),
    enum("running_state", "idle", "heat"),
)
BLIND = group("cover", enum("state", "OPEN", "CLOSE", "STOP", access=3), numeric("position", low=0, high=100, access=7))
DEADBOLT = group("lock", state(on="LOCK", off="UNLOCK"), enum("lock_state", "not_fully_locked", "locked", "unlocked"))


def found(*entries: Any) -> list[Device]:
    return list(discover(list(entries), home_id="h1", base="z").devices)


def one(description: str, *exposes: Any, friendly: str = "thing") -> Device:
    [device] = found(entry("0x0a01", friendly, description, *exposes))
    return device


@pytest.mark.parametrize(
    ("description", "exposes", "kind", "capabilities", "report", "attributes"),
    [
        (
            "Bulb",
            [COLOR_LAMP],
            "light",
            {"on_off", "brightness", "color"},
            {
                "state": "ON",
                "brightness": 127,
                "color_mode": "color_temp",
                "color_temp": 250,
                "color": {"hue": 9, "saturation": 9},
            },
            {"on": True, "brightness_pct": 50, "color_temperature_k": 4000},
        ),
        (
            "Bulb",
            [COLOR_LAMP],
            "light",
            {"color"},
            {"state": "OFF", "color_mode": "hs", "color_temp": 250, "color": {"hue": 240, "saturation": 80}},
            {"on": False, "hue": 240, "saturation_pct": 80},
        ),
        (
            "Bulb",
            [COLOR_LAMP],
            "light",
            {"color"},
            {"color_mode": "xy", "color": {"x": 0.64, "y": 0.33}},
            {"hue": 0, "saturation_pct": 100},
        ),
        (
            "Smart plug",
            [
                group("switch", state()),
                numeric("power", "W"),
                numeric("voltage", "V"),
                numeric("current", "mA"),
                numeric("energy", "kWh"),
            ],
            "plug",
            {"on_off", "power"},
            {"state": "ON", "power": 61.4, "voltage": 231, "current": 266, "energy": 3.25},
            {"on": True, "power_w": 61.4, "voltage_v": 231, "current_a": 0.266, "energy_kwh": 3.25},
        ),
        ("Wall relay", [group("switch", state())], "switch", {"on_off"}, {"state": "off"}, {"on": False}),
        (
            "Deadbolt",
            [DEADBOLT, BATTERY],
            "lock",
            {"lock", "battery"},
            {"state": "LOCK", "lock_state": "locked", "battery": 61},
            {"lock": "locked", "battery_pct": 61},
        ),
        (
            "Deadbolt",
            [DEADBOLT],
            "lock",
            {"lock"},
            {"state": "LOCK", "lock_state": "not_fully_locked"},
            {"lock": "jammed"},
        ),
        (
            "Roller blind",
            [BLIND],
            "cover",
            {"position"},
            {"position": 35, "state": "OPEN"},
            {"position_pct": 35, "cover": "open"},
        ),
        (
            "Curtain motor",
            [group("cover", enum("state", "OPEN", "CLOSE", "STOP", access=3))],
            "cover",
            {"position"},
            {"state": "CLOSE"},
            {"position_pct": 0, "cover": "closed"},
        ),
        (
            "Garage door opener",
            [BLIND],
            "garage_door",
            {"position"},
            {"position": 0},
            {"position_pct": 0, "cover": "closed"},
        ),
        (
            "Radiator valve",
            [TRV, BATTERY],
            "thermostat",
            {"thermostat", "climate", "battery"},
            {
                "occupied_heating_setpoint": 21.5,
                "local_temperature": 19.8,
                "system_mode": "heat",
                "running_state": "idle",
            },
            {"target_c": 21.5, "temperature_c": 19.8, "hvac_mode": "heat", "hvac_action": "idle"},
        ),
        (
            "Air conditioner controller",
            [
                group(
                    "climate",
                    numeric("occupied_cooling_setpoint", "°C", low=16, high=30, access=7),
                    enum("system_mode", "off", "cool", "fan_only", access=7),
                )
            ],
            "air_conditioner",
            {"thermostat"},
            {"occupied_cooling_setpoint": 24, "system_mode": "cool"},
            {"target_c": 24, "hvac_mode": "cool"},
        ),
        (
            "Contact sensor",
            [binary("contact", on=False, off=True), BATTERY, numeric("voltage", "mV")],
            "contact",
            {"contact", "battery"},
            {"contact": False, "battery": 88, "voltage": 2985},
            {"open": True, "battery_pct": 88, "voltage_v": 2.985},
        ),
        (
            "Motion sensor",
            [binary("occupancy"), numeric("illuminance", "lx")],
            "motion",
            {"motion", "climate"},
            {"occupancy": True, "illuminance": 140},
            {"motion": True, "illuminance_lx": 140},
        ),
        (
            "Radar presence sensor",
            [binary("presence")],
            "presence",
            {"occupancy"},
            {"presence": True},
            {"occupancy": True},
        ),
        (
            "Smoke alarm",
            [binary("smoke"), binary("battery_low")],
            "smoke",
            {"smoke", "battery"},
            {"smoke": True, "battery_low": False},
            {"smoke": True, "battery_low": False},
        ),
        ("CO alarm", [binary("carbon_monoxide")], "co", {"co"}, {"carbon_monoxide": True}, {"co": True}),
        ("Gas alarm", [binary("gas")], "gas", {"gas"}, {"gas": False}, {"gas": False}),
        (
            "Leak sensor",
            [binary("water_leak"), binary("tamper")],
            "water_leak",
            {"water_leak", "tamper"},
            {"water_leak": True, "tamper": False},
            {"water_leak": True, "tamper": False},
        ),
        (
            "Vibration sensor",
            [binary("vibration")],
            "vibration",
            {"vibration"},
            {"vibration": True},
            {"vibration": True},
        ),
        (
            "Climate sensor",
            [numeric("temperature", "°C"), numeric("humidity", "%"), numeric("pressure", "kPa")],
            "sensor",
            {"climate"},
            {"temperature": "21.30", "humidity": 44, "pressure": 101.3, "linkquality": 90},
            {"temperature_c": 21.3, "humidity_pct": 44, "pressure_hpa": 1013, "link_quality": 90},
        ),
        (
            "Greenhouse probe",
            [numeric("temperature", "°F")],
            "sensor",
            {"climate"},
            {"temperature": 50},
            {"temperature_c": 10},
        ),
        (
            "Air monitor",
            [
                numeric("co2", "ppm"),
                numeric("pm25", "µg/m³"),
                numeric("voc", "µg/m³"),
                numeric("formaldehyde", "mg/m³"),
            ],
            "sensor",
            {"climate"},
            {"co2": 610, "pm25": 7, "voc": 120, "formaldehyde": 0.02},
            {"co2_ppm": 610, "pm25_ugm3": 7, "voc_ugm3": 120, "formaldehyde_mgm3": 0.02},
        ),
        (
            "Ceiling fan",
            [group("fan", state("fan_state"), enum("mode", "low", "medium", "high", "auto", access=7))],
            "fan",
            {"on_off", "fan"},
            {"fan_state": "ON", "mode": "medium"},
            {"on": True, "speed": "medium", "speed_pct": 67},
        ),
        (
            "Outdoor siren",
            [{"type": "composite", "name": "warning", "property": "warning", "access": 2, "features": []}, BATTERY],
            "siren",
            {"on_off", "battery"},
            {"battery": 40},
            {"battery_pct": 40},
        ),
        (
            "Alarm siren",
            [binary("alarm", on="ON", off="OFF", access=7)],
            "siren",
            {"on_off"},
            {"alarm": "ON"},
            {"on": True},
        ),
        (
            "Smart water valve",
            [group("switch", state())],
            "valve",
            {"position"},
            {"state": "ON"},
            {"position_pct": 100, "cover": "open"},
        ),
        (
            "Three phase meter",
            [numeric("power_phase_b", "kW"), numeric("voltage_phase_c", "V"), numeric("ac_frequency", "Hz")],
            "meter",
            {"power"},
            {"power_phase_b": 1.5, "voltage_phase_c": 229, "ac_frequency": 50},
            {"power_w_b": 1500, "voltage_v_c": 229, "frequency_hz": 50},
        ),
        (
            "Dimmer with a child lock",
            [
                group("light", state(), numeric("brightness", low=0, high=1000, access=7)),
                binary("child_lock", on="LOCK", off="UNLOCK", access=7),
            ],
            "light",
            {"option"},
            {"brightness": 250, "child_lock": "LOCK"},
            {"brightness_pct": 25, "child_lock": "on"},
        ),
    ],
)
def test_each_kind_of_device_is_found_and_its_report_read(
    description: str,
    exposes: list[Any],
    kind: str,
    capabilities: set[str],
    report: dict[str, Any],
    attributes: dict[str, Any],
) -> None:
    device = one(description, *exposes)
    assert device.type == kind
    assert capabilities <= set(device.capabilities)
    assert attributes_of(device, report) == attributes


def _command(device: Device, name: str, /, before: dict[str, Any] | None = None, **parameters: Any) -> Command:
    return Command(
        id="c1",
        home_id="h1",
        device_id=device.id,
        command=name,
        parameters=parameters,
        before=before or {},
        set=resolve_command(device, name, parameters),
        tier=1,
        caller="person",
        user_id="u",
        cause="",
        requested_at=NOW,
        not_after=NOW,
    )


@pytest.mark.parametrize(
    ("description", "exposes", "command", "parameters", "told"),
    [
        ("Bulb", [COLOR_LAMP], "turn_on", {}, {"state": "ON"}),
        ("Bulb", [COLOR_LAMP], "set_brightness", {"brightness_pct": 40}, {"state": "ON", "brightness": 102}),
        (
            "Bulb",
            [COLOR_LAMP],
            "set_color",
            {"name": "blue"},
            {"state": "ON", "color": {"hue": 240, "saturation": 100}},
        ),
        ("Bulb", [COLOR_LAMP], "set_color_temperature", {"kelvin": 4000}, {"state": "ON", "color_temp": 250}),
        ("Deadbolt", [DEADBOLT], "lock", {}, {"state": "LOCK"}),
        ("Deadbolt", [DEADBOLT], "unlock", {}, {"state": "UNLOCK"}),
        ("Roller blind", [BLIND], "open", {}, {"state": "OPEN"}),
        ("Roller blind", [BLIND], "stop", {}, {"state": "STOP"}),
        ("Roller blind", [BLIND], "set_position", {"position_pct": 30}, {"position": 30}),
        ("Radiator valve", [TRV], "set_temperature", {"value": 20.5, "unit": "C"}, {"occupied_heating_setpoint": 20.5}),
        ("Radiator valve", [TRV], "set_hvac_mode", {"hvac_mode": "auto"}, {"system_mode": "auto"}),
        ("Smart water valve", [group("switch", state())], "close", {}, {"state": "OFF"}),
        (
            "Ceiling fan",
            [group("fan", state("fan_state"), enum("mode", "low", "high", access=7))],
            "set_speed",
            {"speed_pct": 50},
            {"mode": "low", "fan_state": "ON"},
        ),
        ("Alarm siren", [binary("alarm", on="ON", off="OFF", access=7)], "turn_off", {}, {"alarm": "OFF"}),
        (
            "Sensor",
            [binary("occupancy"), numeric("occupancy_timeout", "s", low=0, high=600, access=7)],
            "set_level",
            {"name": "occupancy_timeout_s", "value": 90},
            {"occupancy_timeout": 90},
        ),
        (
            "Relay",
            [group("switch", state()), enum("power_on_behavior", "off", "on", access=7)],
            "set_option",
            {"name": "power_on_behavior", "option": "off"},
            {"power_on_behavior": "off"},
        ),
    ],
)
def test_a_command_says_what_the_bridge_understands_and_its_echo_confirms_it(
    description: str, exposes: list[Any], command: str, parameters: dict[str, Any], told: dict[str, Any]
) -> None:
    device = one(description, *exposes, friendly="hall/thing")
    sent = _command(device, command, **parameters)
    topic, payload = order(device, sent)
    assert topic == "z/hall/thing/set"
    assert json.loads(payload) == told
    if command != "stop":
        echoed = attributes_of(device, {**json.loads(payload), "color_mode": "hs" if "color" in told else None})
        for name in set(sent.set) & set(echoed):
            wanted = sent.set[name]
            assert echoed[name] == (pytest.approx(wanted, abs=20) if name == "speed_pct" else wanted)


def test_what_a_device_cannot_do_is_an_error_before_anything_is_sent() -> None:
    white = one("Bulb", group("light", state(), numeric("color_temp", "mired", low=150, high=500, access=7)))
    with pytest.raises(ValueError, match="no colours"):
        order(white, _command(white, "set_color", name="red"))


def test_a_two_gang_switch_is_two_devices_of_one_hardware() -> None:
    left, right = found(
        entry(
            "0x0B02",
            "Stairs",
            "Dual relay",
            group("switch", state("state_l1"), endpoint="l1"),
            group("switch", state("state_l2"), endpoint="l2"),
            numeric("power", "W"),
            numeric("linkquality"),
        )
    )
    assert (left.id, right.id) == ("0x0b02_l1", "0x0b02_l2")
    assert left.hardware == right.hardware
    assert (left.name, right.name) == ("Stairs 1", "Stairs 2")
    report = {"state_l1": "ON", "state_l2": "OFF", "power": 12, "linkquality": 80}
    assert attributes_of(left, report) == {"on": True, "power_w": 12, "link_quality": 80}
    assert attributes_of(right, report) == {"on": False, "link_quality": 80}
    assert json.loads(order(right, _command(right, "turn_on"))[1]) == {"state_l2": "ON"}


def test_what_is_not_ready_or_not_readable_is_left_out_with_a_reason() -> None:
    result = discover(
        [
            {"ieee_address": "0x01", "type": "Coordinator", "friendly_name": "Coordinator"},
            entry("0x02", "off", "Plug", group("switch", state()), disabled=True),
            entry("0x03", "young", "Plug", group("switch", state()), interview_completed=False),
            entry("0x04", "unknown", "x") | {"definition": None},
            entry("nonsense", "bad", "x"),
            7,
            entry("0x05", "a/#", "x"),
            entry("0x06", "good", "Plug", group("switch", state()), "rubbish", {"type": "light", "features": 3}),
        ],
        home_id="h1",
        base="z",
    )
    assert [d.id for d in result.devices] == ["0x06"]
    assert len(result.problems) == 4
    assert {"Coordinator", "off", "young"} <= result.names


def test_a_rename_keeps_the_id_and_changes_the_name() -> None:
    before, after = (
        one("Plug", group("switch", state()), friendly="old"),
        one("Plug", group("switch", state()), friendly="new"),
    )
    assert before.id == after.id
    assert (before.name, after.name) == ("old", "new")


def test_names_are_one_clean_line() -> None:
    device = one("Plug", group("switch", state()), friendly="Cafe\u0301\u202e \x07lamp" + "x" * 150)
    assert device.name.startswith("Café lampx")
    assert len(device.name) == 100
    assert clean_name("\u200f\x00", "fallback") == "fallback"


def test_only_a_change_is_news() -> None:
    door = one("Contact", binary("contact", on=False, off=True), BATTERY)
    known, first = observe(door, {"contact": False, "battery": 90}, None)
    assert [o.event_type for o in first] == ["door_open", "telemetry"]
    _, second = observe(door, {"contact": False, "battery": 89}, known)
    assert [(o.event_type, o.payload) for o in second] == [("telemetry", {"metrics": {"battery_pct": 89}})]
    _, third = observe(door, {"contact": True}, known)
    assert [o.event_type for o in third] == ["door_closed"]


def test_a_motion_sensor_that_reports_again_with_nothing_else_new_was_triggered_again() -> None:
    motion = one("Motion", binary("occupancy"), numeric("temperature", "°C"))
    known, _ = observe(motion, {"occupancy": True, "temperature": 20}, {"motion": False, "temperature_c": 20})
    assert [o.event_type for o in observe(motion, {"occupancy": True, "temperature": 20}, known)[1]] == [
        "motion_detected",
        "telemetry",
    ]
    assert [o.event_type for o in observe(motion, {"occupancy": True, "temperature": 21}, known)[1]] == ["telemetry"]


def test_a_retained_state_raises_only_dangers() -> None:
    door = one("Window sensor", binary("contact", on=False, off=True), friendly="kitchen window")
    assert [o.event_type for o in observe(door, {"contact": False}, None, is_retained=True)[1]] == ["state_changed"]
    assert [o.event_type for o in observe(door, {"contact": False}, None)[1]] == ["window_open"]
    smoke = one("Smoke", binary("smoke"))
    assert [o.event_type for o in observe(smoke, {"smoke": True}, None, is_retained=True)[1]] == ["smoke_detected"]


def test_a_press_is_an_event_and_no_state() -> None:
    button = one("Remote", enum("action", "single", "double"), BATTERY)
    assert button.type == "button"
    attributes, seen = observe(button, {"action": "double"}, {})
    assert attributes == {}
    assert [(o.event_type, o.payload) for o in seen] == [("button_pressed", {"action": "double"})]
    assert observe(button, {"action": ""}, {})[1] == []


@pytest.mark.parametrize(
    ("topic", "what"),
    [
        ("z/bridge/devices", Topic("devices")),
        ("z/bridge/logging", Topic("bridge_other")),
        ("z/bridge/state", Topic("bridge_state")),
        ("z/a/b/availability", Topic("availability", "a/b")),
        ("z/a/b", Topic("state", "a/b")),
        ("z/lamp/set", Topic("echo", "lamp")),
        ("z/lamp/set/state", Topic("echo", "lamp")),
        ("y/lamp", None),
        ("z", None),
    ],
)
def test_topics_are_told_apart(topic: str, what: Topic | None) -> None:
    assert classify(topic, "z") == what


@pytest.mark.parametrize(
    ("body", "is_online"),
    [(b"online", True), (b"Offline", False), (b'{"state":"online"}', True), (b'{"state": "Offline"}', False)],
)
def test_availability_comes_in_two_forms(body: bytes, is_online: bool) -> None:
    assert read_availability(body) is is_online


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b"null",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b"\xff\xfe",
        b'{"a":"\\ud800"}',
        b'{"a":"\\u0000"}',
        b"[" * 100_000,
        b'{"a":' * 50 + b"1" + b"}" * 50,
        b'{"x":"' + b"y" * 70_000 + b'"}',
    ],
)
def test_a_malformed_state_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w+"):
        read_state(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "features",
                    "exposes",
                    "definition",
                    "property",
                    "name",
                    "access",
                    "values",
                    "ieee_address",
                    "state",
                    "friendly_name",
                    "value_on",
                    "endpoint",
                    "unit",
                    "color",
                    "position",
                    "occupancy",
                    "contact",
                    "action",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    exposes=JSON,
    report=st.dictionaries(st.sampled_from(["state", "brightness", "color", "occupancy", "battery", "action"]), JSON),
)
def test_no_definition_and_no_report_can_upset_it(exposes: Any, report: dict[str, Any]) -> None:
    devices = found(entry("0x0a", "odd", "thing", exposes, COLOR_LAMP, binary("occupancy"), BATTERY), exposes)
    for device in devices:
        attributes, _ = observe(device, report, None)
        assert all(isinstance(v, bool | int | float | str) for v in attributes.values())
