"""What stands below an answer: what was done for it, what came of it, and why."""

import json
from typing import Any

from chat_ui.deeds import Deeds, commands_of, deed_props
from chat_ui.languages import words_in

EN = words_in("en")
ARGUMENTS = {"device_id": "back", "command": "lock"}
LOCKED = {"device_id": "back", "device": "Back door", "command": "lock", "outcome": "confirmed", "reason": ""}
CARD = {
    "id": "c", "turn_id": "t", "state": "open", "tier": 3, "decided_by": "", "outcome": [],
    "effects": [{"device_id": "front", "device_name": "Front door", "command": "unlock"}],
}  # fmt: skip


def turn(said: str = "Lock the back door", *commands: Any) -> Deeds:
    deeds = Deeds(said=said)
    deeds.started({"id": "c1", "tool": "get_home_summary", "arguments": {}})
    deeds.ended({"id": "c1", "tool": "get_home_summary", "status": "ok", "result": {"doors": 2}})
    for command in commands:
        deeds.came(command)
    return deeds


def rows(deeds: Deeds, cards: Any = None, me: str = "") -> list[tuple[str, str, str, str]]:
    return [(r["text"], r["said"], r["look"], r["why"]) for r in deed_props(deeds, cards or {}, EN, me=me)["rows"]]


def test_a_confirmed_command_says_what_was_asked() -> None:
    assert rows(turn("Lock the back door", LOCKED)) == [
        ("Looked at your home", "", "done", ""),
        ("Lock Back door", "confirmed", "done", "You asked: “Lock the back door”"),
    ]


def test_an_outcome_is_never_better_than_it_was() -> None:
    looks = {
        o: rows(turn("", {**LOCKED, "outcome": o, "reason": "the door is open"}))[1][1:3]
        for o in ("confirmed", "sent", "failed", "refused", "never heard of")
    }

    assert looks == {
        "confirmed": ("confirmed", "done"), "sent": ("sent, not confirmed", "unsure"),
        "failed": ("failed: the door is open", "wrong"), "refused": ("refused: the door is open", "wrong"),
        "never heard of": ("never heard of", "unsure"),
    }  # fmt: skip


def test_what_waits_for_a_card_says_that_words_are_not_enough() -> None:
    deeds = turn("Unlock the front door")
    call = {"id": "c2", "tool": "control_device", "arguments": {"device_id": "front", "command": "unlock"}}
    deeds.started(call)
    deeds.ended({**call, "status": "asked"})

    [_, (text, said, look, why)] = rows(deeds, {"c": CARD})

    assert (text, said, look) == ("Unlock Front door", "waits for the card", "waiting")
    assert "words are not enough" in why


def test_a_pressed_card_is_part_of_why() -> None:
    outcome = {"device_id": "front", "device": "Front door", "outcome": "confirmed"}
    pressed = {**CARD, "state": "approved", "decided_by": "u1", "outcome": [outcome]}
    deeds = turn("Unlock it", *commands_of(pressed))

    assert rows(deeds, {"c": pressed}, me="u1")[1:] == [
        ("Unlock Front door", "confirmed", "done", "You asked: “Unlock it” You pressed the card."),
    ]
    assert rows(deeds, {"c": pressed}, me="u2")[1][3].endswith("Someone else of your home pressed the card.")


def test_a_declined_or_forgotten_card_did_nothing() -> None:
    assert rows(turn(), {"c": {**CARD, "state": "denied"}})[1][1:3] == ("declined", "over")
    assert rows(turn(), {"c": {**CARD, "state": "expired"}})[1][1:3] == ("nobody confirmed it in time", "over")


def test_a_call_that_was_refused_stands_there_even_without_a_command() -> None:
    deeds = turn()
    deeds.started({"id": "c2", "tool": "control_device", "arguments": ARGUMENTS})
    deeds.ended({"id": "c2", "tool": "control_device", "status": "refused"})

    assert rows(deeds)[1] == ("Lock back", "refused", "wrong", "")


def test_while_it_works_it_says_at_what() -> None:
    deeds = Deeds()
    deeds.started({"id": "c", "tool": "get_anomalies", "arguments": {}})
    assert (deed_props(deeds, {}, EN)["running"], deed_props(deeds, {}, EN)["head"]) == (
        True, "Looking for anything unusual",
    )  # fmt: skip

    deeds.ended({"id": "c", "tool": "get_anomalies", "status": "ok"})
    assert (deed_props(deeds, {}, EN)["running"], deed_props(deeds, {}, EN)["head"]) == (False, "How I know this")
    assert deed_props(turn("", LOCKED), {}, EN)["head"] == "What I did and why"


def test_a_tool_that_is_not_known_here_keeps_its_name() -> None:
    deeds = Deeds()
    deeds.ended({"id": "c", "tool": "a_new_tool", "status": "error"})

    assert rows(deeds) == [("A new tool", "did not work", "wrong", "")]


def test_the_raw_calls_are_one_level_deeper_and_bounded() -> None:
    shown = deed_props(turn(), {}, EN)["rows"][0]["raw"]
    assert json.loads(shown) == {"tool": "get_home_summary", "arguments": {}, "result": {"doors": 2}}

    deeds = Deeds()
    deeds.ended({"id": "c", "tool": "get_recent_events", "status": "ok", "result": "x" * 100_000})
    assert len(deed_props(deeds, {}, EN)["rows"][0]["raw"]) < 5_000


def test_what_is_told_again_replaces_what_was_told() -> None:
    deeds = turn("", {**LOCKED, "outcome": "sent"}, LOCKED)

    assert [row[1] for row in rows(deeds)][1:] == ["confirmed"]
