"""What is kept, forgotten and told, in twenty ways each (`remembering_phrases`).

The sentences were written before the rules; at their first run 178 of the 180 were understood, and none of the 18
others was taken for one of them.
"""

import sys
from pathlib import Path
from typing import Any, Final

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import remembering_phrases as phrases

from agent.models.offline.parts import Part
from agent.models.offline.remembering import memory_part

AFTER: Final = ("Remember that my sister Ana has a key",)


def the_call(part: Part | None) -> tuple[str, dict[str, Any]]:
    if part is None or not part.calls:
        return "", {}
    (call,) = part.calls
    return call.name, dict(call.arguments)


def test_what_is_to_be_remembered() -> None:
    missed = []
    for said, words in phrases.REMEMBER.items():
        name, arguments = the_call(memory_part(said, ()))
        if name != "remember" or words.lower() not in arguments["text"].lower():
            missed.append((said, name, arguments))
    assert missed == []


def test_pets() -> None:
    missed = []
    for said, (who, species) in phrases.PETS.items():
        name, arguments = the_call(memory_part(said, ()))
        row = arguments.get("pets", [{}])[0]
        if name != "update_household" or row.get("name") != who or species not in row.get("species", "").lower():
            missed.append((said, name, arguments))
    assert missed == []


def test_numbers_of_people() -> None:
    missed = []
    for said, (who, number) in phrases.NUMBERS.items():
        name, arguments = the_call(memory_part(said, ()))
        row = arguments.get("contacts", [{}])[0]
        told = f"{row.get('name', '')} {row.get('relation', '')}".lower()
        if name != "update_household" or who not in told or row.get("phone") != number:
            missed.append((said, name, arguments))
    assert missed == []


def test_quiet_hours() -> None:
    missed = []
    for said, (start, end) in phrases.QUIET.items():
        _, arguments = the_call(memory_part(said, ()))
        if (arguments.get("quiet_from"), arguments.get("quiet_to")) != (start, end):
            missed.append((said, arguments))
    assert missed == []


def test_forgetting_what_was_just_told() -> None:
    missed = []
    for said in phrases.FORGET_THAT:
        name, arguments = the_call(memory_part(said, AFTER))
        if name != "forget" or "Ana has a key" not in arguments["query"]:
            missed.append((said, name, arguments))
    assert missed == []


def test_forgetting_by_words() -> None:
    missed = []
    for said, word in phrases.FORGET_ABOUT.items():
        name, arguments = the_call(memory_part(said, ()))
        if name != "forget" or word not in arguments["query"].lower():
            missed.append((said, name, arguments))
    assert missed == []


@pytest.mark.parametrize(
    ("said", "tool"),
    [(phrases.ABOUT_ME, "recall"), (phrases.HOUSEHOLD, "get_household"), (phrases.HAVE_PETS, "get_household")],
    ids=["about me", "household", "pets"],
)
def test_what_is_known(said: tuple[str, ...], tool: str) -> None:
    missed = [(s, the_call(memory_part(s, ()))) for s in said if the_call(memory_part(s, ()))[0] != tool]
    assert missed == []


def test_other_sentences_stay_what_they_were() -> None:
    wrong = [s for s in phrases.OTHERS if memory_part(s, ()) is not None]
    assert wrong == []
