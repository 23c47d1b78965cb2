"""What a plan on the page says, and how it follows the answers to its questions."""

from typing import Any

import pytest

from chat_ui.languages import words_in
from chat_ui.plans import advanced, merged, plan_props, steps_of

EN = words_in("en")


def step(device: str, command: str, state: str, card: str = "", **more: Any) -> dict[str, Any]:
    return {"id": f"call-{device}", "device_id": device, "command": command, "text": f"{command} {device}",
            "tier": 3 if card else 1, "state": state, "reason": "", "confirmation_id": card, **more}  # fmt: skip


def said(steps: Any) -> list[str]:
    return [s["said"] for s in plan_props("t", steps, EN)["steps"]]


@pytest.mark.parametrize(
    ("state", "reason", "words", "look"),
    [
        ("confirmed", "", "confirmed", "done"),
        ("sent", "it did not answer yet", "sent, not confirmed", "unsure"),
        ("failed", "it did not answer", "failed: it did not answer", "wrong"),
        ("refused", "guests only look", "refused: guests only look", "wrong"),
        ("yes", "", "waits for your yes", "waiting"),
        ("card", "", "waits for the card", "waiting"),
        ("denied", "", "declined", "over"),
        ("expired", "", "nobody confirmed it in time", "over"),
        ("never heard of", "", "never heard of", "unsure"),
    ],
)
def test_a_step_says_how_far_it_is_and_never_more(state: str, reason: str, words: str, look: str) -> None:
    props = plan_props("t", [step("garage", "close", state, reason=reason), step("lamp", "lock", "confirmed")], EN)

    assert (props["steps"][0]["said"], props["steps"][0]["look"]) == (words, look)
    assert props["head"] == ("2 of 2 confirmed" if state == "confirmed" else "1 of 2 confirmed")


def test_the_answer_to_a_question_goes_to_its_steps_alone() -> None:
    plan = [step("lamp", "lock", "confirmed"), step("front", "unlock", "card", "c1"),
            step("back", "unlock", "card", "c1"), step("garage", "close", "yes", "c2")]  # fmt: skip
    outcome = [{"device_id": "back", "command": "unlock", "outcome": "failed", "reason": "jammed"},
               {"device_id": "front", "command": "unlock", "outcome": "confirmed", "reason": ""}]  # fmt: skip

    pressed = advanced(plan, {"id": "c1", "state": "approved", "outcome": outcome})
    begun = advanced(plan, {"id": "c1", "state": "approved", "outcome": []})
    over = advanced(pressed, {"id": "c2", "state": "expired", "outcome": []})

    assert advanced(plan, {"id": "c1", "state": "open", "outcome": []}) == plan
    assert said(begun) == ["confirmed", "under way", "under way", "waits for your yes"]
    assert said(pressed) == ["confirmed", "confirmed", "failed: jammed", "waits for your yes"]
    assert said(over) == ["confirmed", "confirmed", "failed: jammed", "nobody confirmed it in time"]


def test_a_later_part_of_a_plan_is_added_and_what_is_told_again_replaces() -> None:
    first = merged([], [step("lamp", "lock", "confirmed"), step("garage", "close", "yes", "c")])
    again = merged(first, [step("garage", "close", "confirmed", "c"), step("front", "lock", "sent")])

    assert said(again) == ["confirmed", "confirmed", "sent, not confirmed"]


def test_a_plan_of_before_is_told_by_what_was_done_and_asked() -> None:
    done = [{"device_id": "back", "device": "Back door lock", "command": "lock", "outcome": "confirmed"}]
    effects = [{"device_id": "garage", "device_name": "Garage door", "command": "close"},
               {"device_id": "back", "device_name": "Back door lock", "command": "lock"}]  # fmt: skip
    card = {"id": "c", "tier": 2, "state": "open", "effects": effects, "outcome": []}

    found = steps_of(done, [card])

    assert [s["shown"] for s in plan_props("t", found, EN)["steps"]] == ["Lock Back door lock", "Close Garage door"]
    assert said(found) == ["confirmed", "waits for your yes"]
    assert said(steps_of(done, [card], tainted=True)) == ["confirmed", "waits for the card"]
    assert said(steps_of(done, [{**card, "state": "denied"}])) == ["confirmed", "declined"]
    assert steps_of(done, []) == []
