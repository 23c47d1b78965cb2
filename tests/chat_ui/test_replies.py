"""Short answers are offered where the agent asks in words, and never in the place of a card."""

import pytest

from chat_ui.languages import words_in
from chat_ui.replies import replies_to

EN, DE = words_in("en"), words_in("de")


def messages(answer: str, *, has_card: bool = False) -> list[str]:
    return [reply.message for reply in replies_to(answer, EN, has_card=has_card)]


@pytest.mark.parametrize(
    ("answer", "sent"),
    [
        ("Want me to turn on porch light and close garage?",
         ["Yes", "Just turn on porch light", "Just close garage", "No"]),
        ("It gets dark at 17:40. Shall I lock the back door?", ["Yes", "No"]),
        ("Do you want me to turn off A, B and C?", ["Yes", "No"]),
        ("Which one should I lock: the back door lock or the front door lock?",
         ["the back door lock", "the front door lock"]),
        ("Did you mean Desk Lamp, Hall Lamp or Attic Lamp?", ["Desk Lamp", "Hall Lamp", "Attic Lamp"]),
        ("Soll ich das Licht anmachen?", ["Ja", "Nein"]),
        ("¿Quieres que cierre la puerta?", ["Sí", "No"]),
    ],
)  # fmt: skip
def test_a_question_in_words_gets_its_short_answers(answer: str, sent: list[str]) -> None:
    assert messages(answer) == sent


@pytest.mark.parametrize(
    "answer",
    [
        "The back door is locked.",
        "Which room are you in?",
        "Shall I? I did it already.",
        "What else?",
        "",
        "Which one: " + ", ".join(f"lamp {n}" for n in range(9)) + "?",
        "Did you mean " + "a very long name that goes on and on and on and never comes to an end" * 2 + "?",
    ],
)
def test_other_answers_get_none(answer: str) -> None:
    assert messages(answer) == []


def test_a_question_with_a_card_is_answered_on_the_card() -> None:
    assert messages("Unlock the front door? Shall I?", has_card=True) == []


def test_a_button_speaks_to_the_person_and_sends_what_the_agent_understands() -> None:
    offered = replies_to("Want me to lock up?", DE, has_card=False)

    assert [(r.label, r.message) for r in offered] == [("Ja", "Yes"), ("Nein", "No")]
