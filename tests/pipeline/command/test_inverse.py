"""Doing and undoing: for every kind of device, what comes back is what was, or it is named as lost."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeguard.commands import commands_of, resolve_command
from homeguard.errors import InvalidInput
from homeguard.model import Command, Device, Value
from homeguard.vocabulary import CAPABILITIES, COLORS, DEVICE_TYPES, HVAC_MODES
from pipeline.command import inverse as under_test
from pipeline.command.inverse import Change, inverse, merged
from pipeline.command.waiting import matches

AT = datetime(2026, 3, 1, tzinfo=UTC)
CONFIG = {"levels": {"intensity_pct": {"min": 0, "max": 100}}, "options": {"scent": ["pine", "rose"]}}
NUMBERS = st.integers(0, 100)
PARAMETERS = {
    "brightness_pct": NUMBERS, "hue": st.integers(0, 360), "saturation_pct": NUMBERS,
    "kelvin": st.integers(2000, 6500), "position_pct": NUMBERS, "tilt_pct": NUMBERS, "value": st.integers(10, 30),
    "unit": st.just("C"), "hvac_mode": st.sampled_from(HVAC_MODES), "speed_pct": NUMBERS,
    "target_humidity_pct": NUMBERS, "volume_pct": NUMBERS, "mode": st.sampled_from(("home", "away", "night")),
    "duration_s": st.integers(1, 60),
}  # fmt: skip
BEFORE = {
    "on": st.booleans(), "brightness_pct": NUMBERS, "hue": st.integers(0, 360), "saturation_pct": NUMBERS,
    "color_temperature_k": st.integers(2000, 6500), "lock": st.sampled_from(("locked", "unlocked", "jammed")),
    "position_pct": NUMBERS, "tilt_pct": NUMBERS, "target_c": st.integers(10, 30),
    "hvac_mode": st.sampled_from(HVAC_MODES), "fan_mode": st.sampled_from(("auto", "high")), "preset": st.just("eco"),
    "speed_pct": NUMBERS, "target_humidity_pct": NUMBERS, "recording": st.booleans(), "streaming": st.booleans(),
    "arm_state": st.sampled_from(("disarmed", "armed_home", "armed_away", "pending")),
    "playback": st.sampled_from(("playing", "paused", "idle")), "volume_pct": NUMBERS, "muted": st.booleans(),
    "source": st.sampled_from(("radio", "tv")), "title": st.just("a song"), "intensity_pct": NUMBERS,
    "scent": st.sampled_from(("pine", "rose")),
    "activity": st.sampled_from(("cleaning", "docked", "paused", "idle", "error")),
}  # fmt: skip
EXTRA = {"light": ("color",), "diffuser": ("level", "option"), "media_player": (), "camera": ("on_off",)}


def made(kind: str) -> Device:
    capabilities = (*DEVICE_TYPES[kind].capabilities, *EXTRA.get(kind, ()))
    config = CONFIG if "level" in capabilities else {}
    return Device(home_id="h", id="d", name="It", type=kind, capabilities=capabilities, config=config)


COMMANDED = sorted(kind for kind in DEVICE_TYPES if commands_of(made(kind)))


@st.composite
def done(draw: st.DrawFn) -> tuple[Device, dict[str, Value], list[Command]]:
    """A device, how it was (some of it unknown), and the commands that it then carried out."""
    device = made(draw(st.sampled_from(COMMANDED)))
    names = [n for c in device.capabilities for n in CAPABILITIES[c].attributes if n in BEFORE]
    names += list(CONFIG["levels"]) + list(CONFIG["options"]) if device.config else []
    state: dict[str, Value] = {n: draw(BEFORE[n]) for n in sorted(set(names)) if draw(st.integers(0, 5))}
    if "position_pct" in state:
        state["cover"] = "closed" if state["position_pct"] == 0 else "open"
    first, commands = dict(state), []
    for at in range(draw(st.integers(1, 4))):
        command = draw(st.sampled_from(sorted(commands_of(device))))
        parameters = draw(parameters_of(device, command))
        try:
            becomes = resolve_command(device, command, parameters, "C")
        except InvalidInput:
            continue
        before = {n: state[n] for n in becomes if n in state}
        commands.append(
            Command(
                id=str(at), home_id="h", device_id="d", command=command, parameters=parameters, set=becomes,
                before=before, tier=1, caller="person", user_id="u", cause="request:1", requested_at=AT,
                not_after=AT, outcome=draw(st.sampled_from(("confirmed", "confirmed", "sent"))),
            )
        )  # fmt: skip
        state.update(becomes)
    return device, first, commands


def parameters_of(device: Device, command: str) -> st.SearchStrategy[dict[str, Any]]:
    if command == "set_level":
        return st.fixed_dictionaries({"name": st.just("intensity_pct"), "value": NUMBERS})
    if command == "set_option":
        return st.fixed_dictionaries({"name": st.just("scent"), "option": st.sampled_from(("pine", "rose"))})
    if command == "set_color":
        colors = st.fixed_dictionaries({"name": st.sampled_from(sorted(COLORS))})
        return colors | st.fixed_dictionaries({"hue": st.integers(0, 360), "saturation_pct": NUMBERS})
    if command == "set_speed":
        return st.fixed_dictionaries({"speed_pct": NUMBERS})
    slots = commands_of(device)[command][1].parameters
    return st.fixed_dictionaries({n: PARAMETERS.get(n, st.just("auto")) for n in slots})


def after_undoing(device: Device, change: Change) -> tuple[dict[str, Value], tuple[str, ...]]:
    way = inverse(device, change)
    state = dict(change.set)
    for command, parameters in way.steps:
        state.update(resolve_command(device, command, parameters, "C"))
    return state, way.lost


def check(device: Device, first: dict[str, Value], commands: list[Command]) -> None:
    for change in merged(commands):
        state, lost = after_undoing(device, change)
        for name in change.set:
            assert name in lost or (name in first and matches({name: first[name]}, state)), (name, change, state)
        settable = {"on", "lock", "brightness_pct", "target_c", "hvac_mode", "volume_pct", "muted", "position_pct"}
        told = {n for n in change.set if n in settable and n in change.before and first[n] != "jammed"}
        assert not told & set(lost), (told, lost, change)


@settings(max_examples=600, deadline=None)
@given(done())
def test_what_was_done_and_undone_is_as_before_or_named_as_lost(world):
    check(*world)


def test_one_that_forgets_the_order_is_caught(monkeypatch):
    """Whether a lamp is on comes last: what sets its brightness turns it on."""
    monkeypatch.setattr(under_test, "_WAYS", tuple(reversed(under_test._WAYS)))
    lamp = made("light")
    told = Command(
        id="1", home_id="h", device_id="d", command="set_brightness", parameters={"brightness_pct": 80},
        set={"brightness_pct": 80, "on": True}, before={"brightness_pct": 40, "on": False}, tier=1, caller="person",
        user_id="u", cause="c", requested_at=AT, not_after=AT, outcome="confirmed",
    )  # fmt: skip
    with pytest.raises(AssertionError):
        check(lamp, {"brightness_pct": 40, "on": False}, [told])


def test_what_is_not_known_is_lost_and_the_rest_comes_back():
    lamp = made("light")
    change = Change(device_id="d", before={"on": False}, set={"brightness_pct": 80, "on": True})
    way = inverse(lamp, change)
    assert (way.steps, way.lost) == ((("turn_off", {}),), ("brightness_pct",))


def test_failed_and_refused_commands_changed_nothing():
    def told(outcome: Any) -> Command:
        return Command(
            id="1", home_id="h", device_id="d", command="lock", parameters={}, set={"lock": "locked"},
            before={"lock": "unlocked"}, tier=1, caller="person", user_id="u", cause="c", requested_at=AT,
            not_after=AT, outcome=outcome,
        )  # fmt: skip

    assert merged([told("failed"), told("refused"), told("pending")]) == []
    assert [c.is_certain for c in merged([told("confirmed"), told("sent")])] == [False]
