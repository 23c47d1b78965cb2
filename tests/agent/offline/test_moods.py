"""What is told and what is ordered."""

from collections.abc import Callable

import pytest

from agent.models.offline.frames import frame
from agent.models.offline.home import Home, home_from
from agent.models.offline.moods import declared
from agent.models.offline.told_before import without_story
from agent.models.offline.words import tokens
from evals.virtual_home import VirtualHome

Homes = Callable[[str], VirtualHome]


def sarahs(homes: Homes) -> Home:
    return home_from([homes("sarah").summary()])


@pytest.mark.parametrize(
    "told",
    [
        "I turned the hallway light off myself already",
        "my wife turned the thermostat down to 60",
        "she always turns the hallway light off",
        "I was going to turn on the porch light",
        "I can turn off the hallway light myself",
        "I love it when you turn on the porch light",
        "you should have turned off the porch light",
        "nobody turned off the porch light",
        "Alexa used to turn off the porch light for me",
        "turn off the lights, said the teacher",
        "the thermostat was set to ninety",
        "the babysitter lowered the thermostat to 64",
        "my ex would open the windows and turn up the heat",
        "I left the porch light on",
    ],
)
def test_what_has_another_subject_or_is_past_is_told(told: str, homes: Homes) -> None:
    home = sarahs(homes)
    assert declared(frame(tokens(told), home.devices, home.places))


@pytest.mark.parametrize(
    "ordered",
    [
        "turn off the porch light",
        "I want the porch light turned off",
        "I'd like you to turn off the porch light",
        "I have to turn off the porch light",
        "you can turn off the porch light",
        "can I turn the porch light off",
        "make sure you lock the front door",
        "keep the front door locked",
        "porch light off",
        "when I open the door turn on the light",
    ],
)
def test_an_order_a_request_and_a_wish_are_not_told(ordered: str, homes: Homes) -> None:
    home = sarahs(homes)
    assert not declared(frame(tokens(ordered), home.devices, home.places))


@pytest.mark.parametrize(
    ("said", "wanted", "spoken_of"),
    [
        ("He left the front door open, so please lock it.", "lock it", ["front_door"]),
        ("She said she'd turn off the porch light, she didn't. Turn it off.", "turn it off", ["porch_light"]),
        ("I'm wiped out; hallway light off, thanks.", "hallway light off , thanks", []),
    ],
)
def test_an_order_behind_a_story_is_heard(said: str, wanted: str, spoken_of: list[str], homes: Homes) -> None:
    words, devices = without_story(tokens(said), sarahs(homes))
    assert (" ".join(words), [d.id for d in devices]) == (wanted, spoken_of)


@pytest.mark.parametrize(
    "said",
    [
        "Nobody needs the lights on, except in the hallway. Switch them all off.",
        "If the door is open, lock it.",
        "There is a burglar. Lock the doors.",
        "Turn on the hallway light. Turn off the porch light.",
        "Is the porch light on? Turn it off.",
    ],
)
def test_what_bears_on_an_order_stays_with_it(said: str, homes: Homes) -> None:
    assert without_story(tokens(said), sarahs(homes))[0] == tokens(said)
