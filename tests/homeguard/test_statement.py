"""Whose words stand for a T2 effect, and whose do not."""

import pytest

from homeguard.effects import resolve
from homeguard.model import Device, Effect
from homeguard.statement import names_effect
from homeguard.vocabulary import DEVICE_TYPES


def device(device_id: str, kind: str) -> Device:
    name = device_id.replace("_", " ").capitalize()
    return Device(home_id="h", id=device_id, name=name, type=kind, capabilities=DEVICE_TYPES[kind].capabilities)


GARAGE, HEATER, THERMOSTAT = (
    device("garage_door", "garage_door"),
    device("hall_heater", "heater"),
    device("t", "thermostat"),
)
CLOSE = resolve(GARAGE, None, "close", {}, "us")
HEAT = resolve(HEATER, None, "turn_on", {}, "us")
HOT = resolve(THERMOSTAT, None, "set_temperature", {"value": 85}, "us")
LAMP = Effect(kind="device", device_id="lamp", device_name="Porch light", device_type="light", command="turn_on")
RULE = Effect(kind="create_automation", contains=(LAMP,))
TELL = Effect(kind="create_automation")


@pytest.mark.parametrize(
    ("words", "effect", "thing"),
    [
        ("close the garage door", CLOSE, GARAGE),
        ("Please shut the garage.", CLOSE, GARAGE),
        ("turn on the hall heater now", HEAT, HEATER),
        ("set the thermostat to 85", HOT, THERMOSTAT),
        ("make the temperature 85 degrees", HOT, THERMOSTAT),
        ("when it gets dark turn on the porch light", RULE, None),
        ("if the door opens, let me know", TELL, None),
    ],
)
def test_words_that_name_the_verb_the_target_and_the_value_stand_for_it(
    words: str, effect: Effect, thing: Device | None
) -> None:
    assert names_effect(words, effect, thing)


@pytest.mark.parametrize(
    ("words", "effect", "thing"),
    [
        ("don't close the garage door", CLOSE, GARAGE),
        ("is the garage door closed", CLOSE, GARAGE),
        ("did you close the garage", CLOSE, GARAGE),
        ("close the window", CLOSE, GARAGE),
        ("open the garage door", CLOSE, GARAGE),
        ("thanks", CLOSE, GARAGE),
        ("set the thermostat to 72", HOT, THERMOSTAT),
        ("it is cold", HEAT, HEATER),
        ("turn on the porch light", RULE, None),
        ("when it gets dark turn on the hall lamp", RULE, None),
        ("would you turn on the porch light when it gets dark?", RULE, None),
        ("if the door opens, lock it", TELL, None),
    ],
)
def test_other_words_do_not(words: str, effect: Effect, thing: Device | None) -> None:
    assert not names_effect(words, effect, thing)


LEFT, RIGHT = device("garage_door_left", "garage_door"), device("garage_door_right", "garage_door")
VALVE = device("main_valve", "valve")
OPEN_WATER = resolve(VALVE, None, "open", {}, "us")


@pytest.mark.parametrize(
    ("words", "effect", "thing", "wanted"),
    [
        # the verb belongs to the part of the sentence that names the target
        ("open the window and close the valve", OPEN_WATER, VALVE, False),
        ("close the window and open the valve", OPEN_WATER, VALVE, True),
        ("turn on the lamp and the hall heater", HEAT, HEATER, True),
        ("turn the hall heater off and the lamp on", HEAT, HEATER, False),
        # not now
        ("open the valve at 5", OPEN_WATER, VALVE, False),
        ("turn on the hall heater in ten minutes", HEAT, HEATER, False),
        ("when I come home open the valve", OPEN_WATER, VALVE, False),
        # a word for a kind names a device only where there is one of the kind
        ("close the garage", resolve(LEFT, None, "close", {}, "us"), LEFT, False),
        ("close the garage door right", resolve(LEFT, None, "close", {}, "us"), LEFT, False),
        ("close the garage door right", resolve(RIGHT, None, "close", {}, "us"), RIGHT, True),
        ("close the garage door left and open the valve", OPEN_WATER, VALVE, True),
    ],
)
def test_words_name_one_thing_in_one_part_of_a_sentence_and_now(
    words: str, effect: Effect, thing: Device, wanted: bool
) -> None:
    assert names_effect(words, effect, thing, [LEFT, RIGHT, VALVE, HEATER]) is wanted
