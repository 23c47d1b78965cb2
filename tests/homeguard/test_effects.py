"""From a request to one absolute effect, and to the words that a person reads before they press."""

from typing import Any

import pytest

from homeguard.effects import describe, fingerprint, question, resolve
from homeguard.errors import InvalidInput
from homeguard.model import Device, Effect, LiveState
from homeguard.vocabulary import DEVICE_TYPES


def device(kind: str) -> Device:
    return Device(home_id="h", id=kind, name=kind.capitalize(), type=kind, capabilities=DEVICE_TYPES[kind].capabilities)


def made(kind: str, command: str, now: dict[str, Any] | None = None, **parameters: Any) -> Effect:
    state = LiveState(home_id="h", device_id=kind, attributes=now) if now is not None else None
    return resolve(device(kind), state, command, parameters, "us")


@pytest.mark.parametrize(
    ("kind", "now", "command"),
    [
        ("light", {"on": True}, "turn_off"),
        ("light", {"on": False}, "turn_on"),
        ("lock", {"lock": "locked"}, "unlock"),
        ("lock", {"lock": "jammed"}, "lock"),
        ("cover", {"cover": "closed"}, "open"),
        ("garage_door", {"cover": "opening"}, "close"),
    ],
)
def test_a_toggle_becomes_the_command_that_it_means(kind: str, now: dict[str, Any], command: str) -> None:
    assert made(kind, "toggle", now) == made(kind, command, now)


@pytest.mark.parametrize(
    ("kind", "now", "says"),
    [
        ("lock", {}, "the state of Lock is not known: say unlock or lock"),
        ("lock", None, "the state of Lock is not known: say unlock or lock"),
        ("thermostat", {"target_c": 20}, "Thermostat cannot be toggled; it takes set_fan_mode"),
        ("motion", {}, "Motion cannot be toggled; it takes "),
    ],
)
def test_a_toggle_is_never_guessed(kind: str, now: dict[str, Any] | None, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        made(kind, "toggle", now)
    assert refused.value.message.startswith(says)
    assert refused.value.details["field"] == "command"


def test_what_it_was_before_is_kept_where_it_is_known() -> None:
    assert made("garage_door", "close", {"cover": "open", "position_pct": 80, "tilt_pct": 3}).before == {
        "cover": "open", "position_pct": 80,
    }  # fmt: skip
    assert made("garage_door", "close").before == {}


def test_a_fingerprint_tells_effects_apart_and_forgets_how_it_was_before() -> None:
    opened = made("garage_door", "open", {"position_pct": 0})
    others = [
        made("gate", "open"), made("garage_door", "close"), made("garage_door", "set_position", position_pct=100),
        made("garage_door", "set_position", position_pct=99), Effect(kind="create_automation", contains=(opened,)),
        Effect(kind="create_automation", contains=(opened, opened)), Effect(kind="create_automation"),
    ]  # fmt: skip
    assert len({fingerprint(e) for e in (opened, *others)}) == 8
    assert fingerprint(made("garage_door", "open", {"position_pct": 40})) == fingerprint(opened)


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (made("lock", "unlock"), "Unlock Lock"),
        (made("thermostat", "set_temperature", value=72), "Set Thermostat to 72°F"),
        (made("alarm_panel", "arm", mode="home"), "Arm Alarm_panel (home)"),
        (made("gate", "set_position", position_pct=1), "Move Gate to 1%"),
        (made("light", "set_brightness", brightness_pct=9), "Set Light to 9% brightness"),
        (made("vacuum", "locate"), "Locate Vacuum"),
        (made("light", "turn_on"), "Turn on Light"),
        (made("thermostat", "set_preset", preset="eco"), "Set preset Thermostat: eco"),
        (Effect(kind="device", device_name="X", command="do_this"), "Do this X"),
        (
            Effect(kind="set_mode", parameters={"mode": "home"}, set={"arm_state": "disarmed"}),
            "Switch the home to home mode (disarmed)",
        ),
        (Effect(kind="set_mode", parameters={"mode": "party"}), "Switch the home to party mode"),
        (
            Effect(kind="create_automation", parameters={"name": "N"}, contains=(made("lock", "unlock"),)),
            "Create the automation 'N', which would: Unlock Lock",
        ),
        (
            Effect(kind="create_automation", parameters={"name": "N"}),
            "Create the automation 'N', which would: Send a message",
        ),
        (Effect(kind="delete_automation", parameters={"name": "N" * 200}), f"Delete the automation '{'N' * 80}'"),
        (Effect(kind="delete_automation", parameters={"id": "a1"}), "Delete the automation 'a1'"),
        (Effect(kind="delete_device", device_name="Siren"), "Remove the device Siren"),
        (Effect(kind="delete_device", parameters={"id": "d1"}), "Remove the device d1"),
        (Effect(kind="create_permission", parameters={"says": "open for Ana"}), "From now on: open for Ana"),
        (Effect(kind="revoke_permission", parameters={"name": "Ana"}), "Take back the permission 'Ana'"),
        (Effect(kind="change_role"), "Change role"),
    ],
)
def test_a_question_is_made_of_the_effect(effect: Effect, words: str) -> None:
    assert describe(effect, "us") == words
    assert question(effect, "us") == f"{words}?"
