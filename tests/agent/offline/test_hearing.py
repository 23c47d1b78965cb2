"""What is misspelt, said in other words or in another language still reaches what was meant, and only that."""

from typing import Any

import pytest

from agent.models.offline.languages import in_english, language_of


@pytest.mark.parametrize(
    ("words", "device", "command"),
    [
        ("swich off teh porhc ligt", "porch_light", "turn_off"),
        ("hallwaylight off pls", "hallway_light", "turn_off"),
        ("put the lounge lamp off", "living_room_light", "turn_off"),
        ("would you ever be a star and put the porch light off for your old dad", "porch_light", "turn_off"),
        ("mach das Licht im Flur aus", "hallway_light", "turn_off"),
        ("apaga la luz del porche, por favor", "porch_light", "turn_off"),
        ("peux-tu éteindre la lumière du salon ?", "living_room_light", "turn_off"),
    ],
)
async def test_the_device_that_was_meant_is_reached(words: str, device: str, command: str, talk: Any) -> None:
    turn, _ = await talk("sarah", words)
    assert [(c["device_id"], c["command"]) for c in turn.commands] == [(device, command)]


@pytest.mark.parametrize(
    "words",
    [
        "turn off the sauna light", "turn off the light in the attic", "turn off the kids room light",
        "my novel is called Turn Off the Porch Light", "suppose I told you to turn off the porch light, would you?",
        "what would happen if I turned off the porch light", "Turn off the porch light. Wait, no, leave it.",
    ],
)  # fmt: skip
async def test_what_is_not_there_or_not_wanted_changes_nothing(words: str, talk: Any) -> None:
    turn, _ = await talk("sarah", words)
    assert not turn.commands
    assert turn.answer


async def test_a_slip_in_what_takes_a_card_names_it_on_the_card(talk: Any) -> None:
    turn, _ = await talk("john", "unlok the frnt door")
    assert [(c["device_id"], c["command"]) for c in turn.commands] == [("front_door_lock", "unlock")]


@pytest.mark.parametrize(
    ("said", "english"),
    [
        ("Schalte bitte die Lampen im Wohnzimmer ein", "turn on please the lights in the living room"),
        ("Ist die Haustür abgeschlossen?", "is the front door locked ?"),
        ("¿Qué puertas están abiertas?", "what doors are open ?"),
        ("Verrouille la porte d'entrée", "lock the front door"),
    ],
)
def test_a_sentence_is_put_into_english_word_by_word(said: str, english: str) -> None:
    language = language_of(said)
    assert language is not None
    assert in_english(said, language) == english


@pytest.mark.parametrize("said", ["lock the door", "no", "a bit more", "is the garage open?", "die", "ok"])
def test_english_stays_english(said: str) -> None:
    assert language_of(said) is None
