"""What a card and an alert say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chat_ui.cards import alert_props, card_props, element_id
from chat_ui.languages import words_in

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
EN, DE = words_in("en"), words_in("de")


def card(**more: Any) -> dict[str, Any]:
    effect = {"device_id": "front_door_lock", "device_name": "Front Door Lock", "command": "unlock", "set": {}}
    return {
        "id": "c1", "text": "Unlock the front door?", "detail": "", "effects": [effect], "state": "open",
        "expires_at": (NOW + timedelta(seconds=90)).isoformat(), "decided_by": None, "outcome": [],
    } | more  # fmt: skip


@pytest.mark.parametrize(
    ("commands", "yes", "no"),
    [
        (["unlock"], "Unlock", "Keep locked"),
        (["open"], "Open", "Keep closed"),
        (["disarm"], "Disarm", "Keep armed"),
        (["unlock", "unlock"], "Unlock all 2", "Keep locked"),
        (["unlock", "disarm"], "Approve", "Don't do it"),
        (["never_heard_of"], "Approve", "Don't do it"),
        ([], "Approve", "Don't do it"),
    ],
)
def test_the_buttons_say_what_they_do(commands: list[str], yes: str, no: str) -> None:
    props = card_props(card(effects=[{"device_name": "A", "command": c} for c in commands]), NOW, EN)

    assert (props["yes"], props["no"]) == (yes, no)


def test_an_open_card_counts_down_and_is_expired_at_its_end() -> None:
    assert (card_props(card(), NOW, EN)["state"], card_props(card(), NOW, EN)["left_s"]) == ("open", 90)
    later = card_props(card(), NOW + timedelta(seconds=90), EN)
    assert (later["state"], later["result"]) == ("expired", "This question has expired. Nothing was changed.")


def test_a_card_with_several_effects_lists_them() -> None:
    effects = [{"device_name": "Front Door", "command": "unlock"}, {"device_id": "panel", "command": "disarm"}]

    assert card_props(card(effects=effects), NOW, EN)["effects"] == ["Unlock Front Door", "Disarm panel"]


@pytest.mark.parametrize("device", ["Front Door Lock", {"name": "Front Door Lock"}])
def test_a_decided_card_says_who_decided_and_what_came_of_it(device: Any) -> None:
    outcome = [{"device": device, "device_id": "d", "outcome": "failed", "reason": "the lock is jammed"}]
    props = card_props(card(state="approved", decided_by={"name": "John"}, outcome=outcome), NOW, EN)

    assert props["result"] == "Approved by John"
    assert props["outcome"] == [
        {"device": "Front Door Lock", "said": "failed: the lock is jammed", "outcome": "failed"}
    ]


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("u1", "Declined by you. Nothing was changed."),
        ("u2", "Declined by someone else of your home. Nothing was changed."),
        ("", "Declined. Nothing was changed."),
    ],
)
def test_a_card_says_you_to_who_pressed_it(by: str, said: str) -> None:
    assert card_props(card(state="denied", decided_by=by), NOW, EN, me="u1")["result"] == said


def test_a_card_keeps_its_element_so_that_it_changes_in_place() -> None:
    assert element_id("c1") == element_id("c1")
    assert element_id("c1") != element_id("c2")


def test_a_card_of_an_unknown_shape_still_shows() -> None:
    props = card_props({"id": "c1"}, NOW, EN)

    assert (props["text"], props["state"], props["yes"]) == ("May I do this?", "expired", "Approve")


def test_a_card_says_how_it_is_now_and_who_may_press() -> None:
    effect = {"device_name": "Front Door Lock", "command": "unlock", "before": {"lock": "locked"}}
    props = card_props(card(effects=[effect], pin_required=True), NOW, EN)

    assert props["before"] == "Now: Front Door Lock is locked."
    assert props["who"] == "You, or the owner of the home, may press, with the home's PIN."


def test_a_card_in_another_language_is_ours_only_where_all_of_the_effect_is_known() -> None:
    effect = {"device_name": "Front Door Lock", "command": "unlock", "parameters": {}}
    usual = "Asked by the assistant. Nothing happens until you press."

    known = card_props(card(effects=[effect], detail=usual), NOW, DE)
    assert known["text"] == "Front Door Lock aufschließen?"
    assert known["detail"].startswith("Der Assistent fragt.")
    for unknown in ({**effect, "command": "melt"}, {**effect, "parameters": {"speed": 3}}, {"command": "unlock"}):
        assert card_props(card(effects=[unknown]), NOW, DE)["text"] == "Unlock the front door?"
    app = "Asked by the app 'desk'. Nothing happens until you press."
    assert card_props(card(detail=app), NOW, DE)["detail"] == app


def test_an_alert_says_what_where_how_bad_and_what_to_do() -> None:
    alert = {"id": "a", "severity": "CRITICAL", "kind": "water_leak", "title": "Leak", "text": "Water",
             "device_id": "kitchen_leak", "at": "t"}  # fmt: skip
    home = {"time_zone": "America/New_York", "unit_system": "us"}
    props = alert_props({**alert, "at": "2026-01-05T12:05:00Z"}, home, EN)

    assert (props["level"], props["severity"], props["device"]) == ("high", "critical", "kitchen leak")
    assert (props["at"], alert_props(alert, home, EN)["at"]) == ("7:05 AM", "")
    assert alert_props(alert, home, EN, device="Leak sensor")["device"] == "Leak sensor"
    assert (props["title"], props["text"]) == ("Leak", "Water")
    assert props["help"].startswith("Shut the main water valve")
    assert alert_props({**alert, "kind": "never heard of"}, {}, EN)["help"] == ""
    assert alert_props(alert, {}, DE)["severity"] == "kritisch"
