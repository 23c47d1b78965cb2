"""No "done" that the journal does not bear out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.evidence.check import checked
from agent.evidence.claims import claims_done
from agent.evidence.outcomes import say_outcomes


def command(device: str, name: str, outcome: str, reason: str = "") -> dict[str, str]:
    return {"command_id": f"id-{device}", "device": device, "command": name, "outcome": outcome, "reason": reason}


CLAIMS = [
    "Done!", "✅ Front door locked", "I've locked the front door.", "I have just turned off the lights.", "All set.",
    "The heating has been lowered.", "The lights have been turned off.", "The garage door is now closed.",
    "I successfully disarmed the alarm.", "We've set the thermostat to 70.",
]  # fmt: skip
NOT_CLAIMS = [
    "The front door lock is locked.", "Is the front door locked?", "The thermostat measured 70°F.",
    "I could not reach the lamp.", "Two lights are on.", "I can lock the front door if you want.",
]  # fmt: skip


@pytest.mark.parametrize("text", CLAIMS)
def test_a_claim_is_recognised(text: str) -> None:
    assert claims_done(text)


@pytest.mark.parametrize("text", NOT_CLAIMS)
def test_a_reading_is_not_a_claim(text: str) -> None:
    assert not claims_done(text)


@pytest.mark.parametrize("text", CLAIMS)
@pytest.mark.parametrize("outcome", ["sent", "failed", "refused", "denied", "expired"])
def test_a_claim_without_a_confirmed_command_is_replaced_by_what_happened(text: str, outcome: str) -> None:
    said, evidence = checked(text, [command("Front door lock", "lock", outcome)])

    assert not claims_done(said)
    assert "Front door lock" in said
    assert evidence == []


@pytest.mark.parametrize("text", CLAIMS)
def test_a_claim_with_nothing_done_at_all_is_cut(text: str) -> None:
    assert checked(text, [])[0] == "Nothing was changed."


def test_a_claim_that_is_true_stands_with_its_evidence() -> None:
    text = "I've locked the Front door lock."

    assert checked(text, [command("Front door lock", "lock", "confirmed")]) == (text, ["id-Front door lock"])


def test_each_claim_stands_or_falls_by_the_device_that_it_names() -> None:
    text = "I've locked the Front door lock. I've turned off the Lamp."
    commands = [command("Front door lock", "lock", "confirmed"), command("Lamp", "turn_off", "failed", "no answer")]

    said, evidence = checked(text, commands)

    assert said.startswith("I've locked the Front door lock.")
    assert "I've turned off" not in said
    assert "Lamp: 'turn off' failed: no answer." in said
    assert evidence == ["id-Front door lock"]


def test_what_was_not_confirmed_is_said_even_when_the_text_is_silent() -> None:
    said, _ = checked("Anything else?", [command("Lamp", "turn_off", "sent")])

    assert "Lamp" in said
    assert "not confirmed" in said


def test_the_same_outcome_is_not_told_twice() -> None:
    text = "I sent that to the lamp, but it has not confirmed it yet."

    assert checked(text, [command("Lamp", "turn_off", "sent")])[0] == text


@given(
    claims=st.lists(st.sampled_from(CLAIMS), min_size=1, max_size=4),
    outcomes=st.lists(st.sampled_from(["sent", "failed", "refused", "denied"]), max_size=4),
)
def test_no_mixture_of_claims_survives_when_nothing_was_confirmed(claims: list[str], outcomes: list[str]) -> None:
    commands = [command(f"Lamp {i}", "turn_on", outcome) for i, outcome in enumerate(outcomes)]
    said, evidence = checked(" ".join(claims), commands)

    assert not claims_done(said)
    assert evidence == []
    assert all(f"Lamp {i}" in said for i in range(len(outcomes)))


def test_outcomes_are_said_by_what_they_are() -> None:
    commands = [command("A", "lock", "confirmed"), command("B", "turn_on", "sent"), command("C", "open", "denied")]

    assert say_outcomes(commands) == (
        "A is locked. I sent 'turn on' to B, but it has not confirmed it. C stays as it is: you said no."
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"device": "Thermostat", "command": "set_temperature", "parameters": {"value": 70.0, "unit": "F"},
          "set": {"target_c": 21.1}}, "Thermostat is set to 70°F."),
        ({"device": "Lamp", "command": "set_brightness", "set": {"brightness_pct": 20.0, "on": True}},
         "Lamp is at 20% brightness."),
        ({"command": "add_to_list", "data": {"list": "shopping", "added": ["milk", "eggs"]}},
         '"milk" and "eggs" are on the shopping list.'),
        ({"command": "set_timer", "data": {"label": "tea"}}, 'The timer "tea" is set.'),
        ({"command": "set_timer", "data": {"label": ""}}, "The timer is set."),
        ({"command": "create_automation", "data": {"name": "Evening"}}, 'The rule "Evening" is set up.'),
        ({"command": "set_mode", "set": {"mode": "away"}}, "The home is in away mode."),
        ({"device": "Lamp", "command": "set_color", "set": {"hue": 1}}, "Lamp: set color, confirmed."),
        ({"command": "remember"}, "The home: remember, confirmed."),
    ],
)  # fmt: skip
def test_what_was_confirmed_is_said_with_its_value(row: dict[str, Any], said: str) -> None:
    assert say_outcomes([{**row, "outcome": "confirmed"}]) == said
    assert say_outcomes([{**row, "outcome": "failed"}]) != said
