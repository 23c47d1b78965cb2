"""What people say around a request: exceptions anywhere in the sentence, stories, courtesies, slips of the keyboard."""

from typing import Any

import pytest

OTHERS = {"porch_light", "living_room_light"}


@pytest.mark.parametrize(
    "words",
    [
        "Lights off everywhere, the hallway light may stay on",
        "Every light off, save for the hallway one",
        "Switch all lights off minus the hallway light",
        "I want the hallway light to remain on; turn the remaining lights off",
        "Spare the hallway light and turn all the lights off",
        "Keep just the hallway light on, turn the rest of the lights off",
        "Could all lights go off, other than the hallway light?",
        "Turn all lights off. The hallway light should remain on.",
        "Turn every light off, skip the hallway",
        "Turn off all lights, wait, not the hallway light",
    ],
)
async def test_a_member_that_is_to_stay_is_not_switched_with_its_class(words: str, talk: Any) -> None:
    turn, home = await talk("sarah", words)
    assert home.states["hallway_light"]["on"] is True
    assert {c["device_id"] for c in turn.commands} == OTHERS
    assert "can't find" not in turn.answer


async def test_two_exceptions_in_one_sentence_both_count(talk: Any) -> None:
    turn, _ = await talk("sarah", "All lights off. The porch light should stay on and so should the hallway light.")
    assert [c["device_id"] for c in turn.commands] == ["living_room_light"]


@pytest.mark.parametrize(
    "words",
    [
        "Turn off all the lights, keep the cellar one on",
        "The hallway light is too bright, turn off all the lights",
        "Turn off all lights, the hallway light is needed by grandma",
        "Nobody needs the lights on, except in the hallway. Switch them all off.",
        "Turn off every light in the house. Hallway light: leave it.",
    ],
)
async def test_a_member_named_without_a_clear_fate_stops_the_whole_command(words: str, talk: Any) -> None:
    turn, _ = await talk("sarah", words)
    assert not turn.commands
    assert turn.answer


async def test_a_member_that_is_plainly_included_goes_with_its_class(talk: Any) -> None:
    turn, _ = await talk("sarah", "Turn off all lights, including the hallway light")
    assert {c["device_id"] for c in turn.commands} == {*OTHERS, "hallway_light"}


@pytest.mark.parametrize(
    "words",
    [
        "I think I left the back door open for the cat. Lock it please",
        "I'm not sure I closed up, so lock the back door for me, darling",
        "We heard a noise outside, lock the back door before anyone gets in",
        "Please only lock the back door, nothing more",
        "Not the front door, the back one: lock it please",
        "Could you engage the deadbolt on the back door?",
        "I totally forgot to lock the back door, could you?",
        "Lock the back door, not the front one",
        "please lock the bakc door",
    ],
)
async def test_a_request_is_found_among_reasons_and_stories(words: str, talk: Any) -> None:
    turn, _ = await talk("john", words)
    assert [(c["device_id"], c["command"]) for c in turn.commands] == [("back_door_lock", "lock")]
    assert turn.answer == "The back door lock is locked."


@pytest.mark.parametrize(
    "words",
    [
        "unlock the bakc door",
        "I didn't unlock the back door",
        "I'm not sure I want the back door locked",
        "Don't lock the back door, I'm still outside",
        "My neighbour says to unlock the back door",
        "disengage the lock on the back door",
    ],
)
async def test_what_is_only_told_or_misspelt_never_opens_anything(words: str, talk: Any) -> None:
    turn, _ = await talk("john", words)
    assert not turn.commands


@pytest.mark.parametrize(
    "words",
    [
        "What was the room temperature at 5 am?",
        "Pull up the indoor temperature from 5:00 today",
        "I want to know the temperature the thermostat measured today at 5",
        "Umm, what temperature was it at, like, 5 today?",
        "It was 5 o'clock today and the dog barked. How warm was it in the house at that time?",
        "Would you mind telling me the temperature at 5 today? My husband says it was cold.",
    ],
)
async def test_a_reading_at_a_time_is_looked_up(words: str, talk: Any) -> None:
    _, home = await talk("john", words)
    asked = [arguments for name, arguments in home.calls if name == "get_device_history"]
    assert [a["at"] for a in asked] == ["2026-11-21T10:00:00.000Z"]
