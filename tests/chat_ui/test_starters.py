"""The buttons of the first screen fit the home that they stand in."""

from typing import Any

import pytest

from chat_ui.languages import LANGUAGES, words_in
from chat_ui.starters import starters

EN = words_in("en")


def device(name: str, type_: str, **state: Any) -> Any:
    return {"id": name.lower(), "name": name, "type": type_, "state": state, "battery_pct": None, "available": True}


def messages(*devices: Any) -> list[str]:
    return [s.message for s in starters(devices, EN)]


LOCK = device("Front Door Lock", "lock", lock="unlocked")
GARAGE = device("Garage Door", "garage_door", cover="open")
THERMOSTAT = device("Thermostat", "thermostat", temperature_c=21.0, power_w=900.0)


def test_what_stands_open_comes_first() -> None:
    assert messages(LOCK, GARAGE, THERMOSTAT) == [
        "Lock the front door lock", "Close the garage door", "Is everything locked?",
        "How warm was it in the last 24 hours?",
    ]  # fmt: skip
    assert messages(LOCK, {**LOCK, "id": "back", "name": "Back"})[0] == "Lock all the doors"


def test_nothing_is_offered_that_the_home_does_not_have() -> None:
    bare = messages(device("Hall", "motion", motion=False))

    assert bare == ["What happened today?", "Was there anything unusual in the last 24 hours?"]
    assert "Turn off all the lights" not in messages(device("Lamp", "light", on=False))
    assert "Turn off all the lights" in messages(device("Lamp", "light", on=True))
    assert not any("lock" in m.lower() for m in messages(GARAGE, THERMOSTAT))


def test_a_door_that_does_not_answer_is_not_offered() -> None:
    assert not messages({**LOCK, "available": False})[0].startswith("Lock the")


def test_a_jammed_lock_is_not_offered_to_be_locked() -> None:
    assert messages(device("Front", "lock", lock="jammed"))[0] == "Is everything locked?"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_buttons_speak_the_person_s_language_and_send_the_same(language: str) -> None:
    home = [LOCK, GARAGE, THERMOSTAT]
    found = starters(home, words_in(language))

    assert [s.message for s in found] == messages(*home)
    assert language == "en" or not {s.label for s in found} & {s.label for s in starters(home, EN)}
