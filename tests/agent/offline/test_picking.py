"""After "which one?": the second one, the front one, both, neither, in the words that people say."""

from typing import Any

import pytest

FRONT, BACK = "front_door_lock", "back_door_lock"


@pytest.mark.parametrize(
    ("answer", "locked"),
    [
        ("the second one", [FRONT]), ("the first", [BACK]), ("the last one", [FRONT]), ("number two", [FRONT]),
        ("2", [FRONT]), ("the latter", [FRONT]), ("the former", [BACK]), ("the front one", [FRONT]), ("back", [BACK]),
        ("the one in the back hall", [BACK]), ("just the back door", [BACK]), ("yes, the second", [FRONT]),
        ("I meant the front one", [FRONT]), ("lock the second one please", [FRONT]), ("not the front one", [BACK]),
        ("both", [BACK, FRONT]), ("both of them please", [BACK, FRONT]), ("all of them", [BACK, FRONT]),
        ("neither", []), ("none of them", []), ("never mind", []), ("no thanks", []),
    ],
)  # fmt: skip
async def test_a_short_answer_picks_among_what_was_offered(answer: str, locked: list[str], talk: Any) -> None:
    asked, _ = await talk("john", "lock the door")
    assert asked.answer == "Which one should I lock: the back door lock or the front door lock?"
    turn, _ = await talk("john", "lock the door", answer)
    assert [c["device_id"] for c in turn.commands] == locked
    assert {c["command"] for c in turn.commands} <= {"lock"}
    assert turn.answer if locked else turn.answer == "Okay, I won't do anything."


async def test_the_third_of_two_is_asked_again(talk: Any) -> None:
    turn, _ = await talk("john", "lock the door", "the third one")
    assert turn.answer == "I named only 2: the back door lock or the front door lock. Which one?"
    turn, _ = await talk("john", "lock the door", "the third one", "then the second")
    assert [c["device_id"] for c in turn.commands] == [FRONT]


@pytest.mark.parametrize(
    ("said", "commands"),
    [
        (("lock the door", "set it to 70"), [("thermostat", "set_temperature")]),
        (("lock the door", "how warm is it?", "the second one"), []),
        (("the second one",), []),
        (("lock the door", "the second one", "both"), []),
    ],
)
async def test_an_offer_is_over_with_the_next_sentence(
    said: tuple[str, ...], commands: list[tuple[str, str]], talk: Any
) -> None:
    turn, _ = await talk("john", *said)
    assert [(c["device_id"], c["command"]) for c in turn.commands] == commands


async def test_what_was_picked_is_what_it_means_afterwards(talk: Any) -> None:
    turn, _ = await talk("john", "lock the door", "the second one", "unlock it")
    assert [(c["device_id"], c["command"]) for c in turn.commands] == [(FRONT, "unlock")]


@pytest.mark.parametrize(
    ("room", "answer", "told"),
    [
        ("hallway", "the second one", "The hallway motion sensor is reporting motion."),
        ("living room", "the light", "The living room light is on at 60%."),
        ("living room", "both", "The living room light is on at 60%; the living room motion sensor is reporting"),
    ],
)
async def test_a_name_that_several_have_is_picked_in_the_same_way(room: str, answer: str, told: str, talk: Any) -> None:
    turn, _ = await talk("sarah", room, answer)
    assert turn.answer.startswith(told)
    assert list(turn.commands) == []
