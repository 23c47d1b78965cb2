"""The chat's own sentences: status of the home, starters, titles of steps."""

from typing import Any

import pytest

from chat_ui.words import home_status, step_title, suggestions


def device(name: str, type_: str = "sensor", battery: int | None = None, available: bool = True, **state: Any) -> Any:
    return {"id": name.lower(), "name": name, "type": type_, "state": state, "battery_pct": battery,
            "available": available}  # fmt: skip


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
        ([device("Garage", "garage_door", cover="opening")], "notice", "Garage is open."),
        ([device("Kitchen", "smoke", smoke=True), device("Front", "lock", lock="unlocked")], "alarm",
         "Kitchen reports smoke."),
        ([device("Lamp", "light", on=True)], "good", "Everything is quiet."),
        ([device("Blind", "cover", cover="open")], "good", "Everything is quiet."),
        ([], "notice", "No devices yet. They appear here as soon as they report."),
    ],
)  # fmt: skip
def test_the_first_line_says_how_the_home_is(devices: list[Any], tone: str, text: str) -> None:
    status = home_status(devices)

    assert (status.tone, status.text) == (tone, text)


def test_a_home_with_a_silent_lock_is_not_called_secure() -> None:
    status = home_status([device("Front", "lock", lock="locked", available=False)])

    assert status.text != "Your home is secure."
    assert status.details == ("Front does not answer",)


def test_low_batteries_are_named_below_the_line() -> None:
    home = [device("Front", "lock", battery=20, lock="locked"), device("Door", "contact", battery=21, open=False)]

    assert home_status(home).details == ("Front: battery at 20 %",)


def test_many_open_things_are_counted() -> None:
    assert home_status([device(f"W{n}", "contact", open=True) for n in range(5)]).text == "5 things are open."


def test_starters_fit_the_home() -> None:
    john = [device("Back Door Lock", "lock", lock="unlocked"), device("Garage", "garage_door", cover="closed"),
            device("Thermostat", "thermostat", temperature_c=21.0)]  # fmt: skip
    sarah = [device("Hall", "light", on=True), device("Front", "lock", lock="locked")]

    assert [s.message for s in suggestions(john)] == [
        "Is everything locked?", "Lock the back door", "Is the garage door closed?", "What is the temperature inside?",
    ]  # fmt: skip
    assert [s.message for s in suggestions(sarah)][:2] == ["Is everything locked?", "Turn off all the lights"]
    assert [len(suggestions(home)) for home in (john, sarah, [])] == [4, 4, 4]


@pytest.mark.parametrize(
    ("tool", "arguments", "status", "title"),
    [
        ("get_home_summary", {}, None, "Looking at your home"),
        ("get_home_summary", {}, "ok", "Looked at your home"),
        ("get_device_state", {"device_id": "front_door_lock"}, "ok", "Checked front door lock"),
        ("control_device", {"device_id": "back_door_lock", "command": "lock"}, None, "Lock back door lock …"),
        ("control_device", {"device_id": "back_door_lock", "command": "lock"}, "ok", "Lock back door lock · done"),
        ("control_device", {"device_id": "door", "command": "unlock"}, "asked", "Unlock door · waits for your yes"),
        ("control_device", {"device_id": "door", "command": "unlock"}, "refused", "Unlock door · refused"),
        ("a_new_tool", None, "error", "A new tool · did not work"),
        ("", {"command": 5}, None, "Working"),
    ],
)
def test_a_tool_call_has_a_readable_title(tool: str, arguments: Any, status: str | None, title: str) -> None:
    assert step_title(tool, arguments, status) == title
