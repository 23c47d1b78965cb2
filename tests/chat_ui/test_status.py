"""What the chat says of a home before it is asked, and how it follows what happens there."""

from typing import Any

import pytest

from chat_ui.facts import changed, facts_of
from chat_ui.languages import words_in
from chat_ui.status import home_card, opening

EN = words_in("en")
HOME = {"name": "Maple Street", "mode": "home", "arm_state": "disarmed", "unit_system": "us"}


def device(name: str, type_: str = "sensor", battery: int | None = None, available: bool = True, **state: Any) -> Any:
    return {"id": name.lower(), "name": name, "type": type_, "state": state, "battery_pct": battery,
            "available": available}  # fmt: skip


def said(*devices: Any, language: str = "en") -> tuple[str, str]:
    told = opening(facts_of(devices), words_in(language))
    return told.tone, told.text


def rows(*devices: Any, **home: Any) -> dict[str, str]:
    return {row["label"]: row["value"] for row in home_card(facts_of(devices), HOME | home, EN)["rows"]}


@pytest.mark.parametrize(
    ("devices", "tone", "text"),
    [
        ([device("Front", "lock", lock="locked"), device("Garage", "garage_door", cover="closed")], "good",
         "Your home is secure."),
        ([device("Front", "lock", lock="unlocked")], "notice", "Front is unlocked."),
        ([device("Front", "lock", lock="unlocked"), device("Back", "lock", lock="unlocked")], "notice",
         "Front and Back are unlocked."),
        ([device("Front", "lock", lock="jammed"), device("Window", "contact", open=True)], "notice",
         "Front is jammed and Window is open."),
        ([device("Front", "lock", lock="a_new_word")], "notice", "Front is not locked."),
        ([device("Garage", "garage_door", cover="opening")], "notice", "Garage is open."),
        ([device("Kitchen", "smoke", smoke=True), device("Front", "lock", lock="unlocked")], "alarm",
         "Kitchen reports smoke. Front is unlocked."),
        ([device("Lamp", "light", on=True)], "good", "Everything is quiet."),
        ([device("Blind", "cover", cover="open")], "good", "Everything is quiet."),
        ([], "notice", "No devices yet. They appear here as soon as they report."),
    ],
)  # fmt: skip
def test_the_agent_opens_with_how_the_home_is(devices: list[Any], tone: str, text: str) -> None:
    assert said(*devices) == (tone, text)


def test_a_low_battery_is_part_of_the_opening() -> None:
    home = [device("Front door lock", "lock", battery=15, lock="locked"), device("Door", "contact", 21, open=False)]

    assert said(*home) == ("good", "Your home is secure. Front door lock battery at 15%: replace it soon.")
    assert (
        said(*home, language="de")[1]
        == "Dein Zuhause ist sicher. Batterie von Front door lock bei 15 %: bald wechseln."
    )


def test_a_home_with_a_silent_lock_is_not_called_secure() -> None:
    assert said(device("Front", "lock", lock="locked", available=False)) == (
        "notice", "Everything is quiet. Front does not answer.",
    )  # fmt: skip


def test_many_open_things_are_counted() -> None:
    assert said(*(device(f"W{n}", "contact", open=True) for n in range(5)))[1] == "5 things are open."


def test_the_card_says_what_matters_now() -> None:
    home = [
        device("Front", "lock", 18, lock="locked"),
        device("Thermostat", "thermostat", temperature_c=22.0, target_c=21.0),
        device("Lamp", "light", on=True), device("Desk", "light", on=False), device("Shed", available=False),
    ]  # fmt: skip

    assert rows(*home) == {
        "Doors and locks": "All locked and closed", "Guard": "At home · Alarm off",
        "Inside": "72\u00a0°F · set to 70\u00a0°F", "Lights": "1 light on", "Battery low": "Front · 18\u00a0%",
        "Not answering": "Shed",
    }  # fmt: skip
    assert rows(*home, unit_system="si")["Inside"] == "22.0\u00a0°C · set to 21.0\u00a0°C"


def test_the_card_names_what_is_open_and_what_alarms() -> None:
    open_ = [device("Front", "lock", lock="unlocked"), device("Garage", "garage_door", cover="open")]
    leak = device("Sink", "water", water_leak=True)
    card = home_card(facts_of([leak, *open_]), HOME | {"arm_state": "triggered"}, EN)

    assert rows(*open_)["Doors and locks"] == "Front is unlocked · Garage is open"
    assert (card["tone"], card["short"]) == ("alarm", "Alarm · Alarm!")
    assert home_card(facts_of(open_), HOME, EN)["short"] == "2 things open"
    assert [row["tone"] for row in card["rows"]] == ["alarm", "notice", "alarm"]


def test_an_empty_home_has_a_card_without_rows_of_nothing() -> None:
    assert rows(mode="", arm_state="") == {}


def test_the_home_is_followed_by_what_devices_say() -> None:
    known = {"front": device("Front", "lock", lock="locked")}
    opened = changed(known, {"device_id": "front", "event_type": "door_unlocked", "state": {"lock": "unlocked"}})
    away = changed(known, {"device_id": "front", "event_type": "device_offline", "state": {}})

    assert opened is not None
    assert away is not None
    assert said(*opened.values())[1] == "Front is unlocked."
    assert said(*away.values())[1] == "Everything is quiet. Front does not answer."
    assert known["front"]["state"] == {"lock": "locked"}


def test_what_changes_nothing_that_is_shown_is_not_told() -> None:
    known = {"front": device("Front", "lock", lock="locked")}

    assert changed(known, {"device_id": "front", "event_type": "heartbeat", "state": {"uptime_s": 5}}) is None
    assert changed(known, {"device_id": "front", "event_type": "door_locked", "state": {"lock": "locked"}}) is None
    with pytest.raises(KeyError):
        changed(known, {"device_id": "new", "event_type": "heartbeat", "state": {}})
