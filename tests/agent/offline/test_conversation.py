"""What a person hears to ordinary questions: short, exact, and never more than what is known."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.models.offline.planner import OfflinePlanner
from agent.models.offline.rule_times import conditions_of
from agent.models.offline.words import tokens
from agent.models.protocol import Prompt, Said, ToolResult
from evals.virtual_home import VirtualHome, say

NOW = datetime(2026, 11, 21, 18, 30, tzinfo=UTC)


def answered(home: VirtualHome, words: str, *outputs: Mapping[str, Any], error: str = "") -> str:
    """The answer when the home's summary and then these results come back."""
    page = ToolResult(call_id="home1", name="get_home_summary", status="ok", output=home.summary())
    messages = [Said(role="user", text=words), Said(role="tool", results=(page,))]

    def step() -> Any:
        return OfflinePlanner().step(
            Prompt(
                system="", messages=tuple(messages), tools=(), now=NOW, time_zone="America/New_York", unit_system="us"
            )
        )

    first = step()
    given = list(outputs) or [{}] * len(first.calls)
    results = [
        ToolResult(call_id=c.id, name=c.name, status="error" if error else "ok", output=o, error=error)
        for c, o in zip(first.calls, given, strict=True)
    ]
    messages.append(Said(role="tool", results=tuple(results)))
    return str(step().text) if first.calls else str(first.text)


def event(at: str, device_id: str, kind: str, **payload: Any) -> dict[str, Any]:
    return {"event_id": at, "at": at, "device_id": device_id, "device": "", "event_type": kind, "payload": payload}


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2026-11-21T18:28:00Z", "Somebody seems to be: the living room motion sensor saw motion 2 minutes ago"),
        ("2026-11-21T18:00:00Z", "Somebody was there 30 minutes ago: the living room motion sensor saw motion at 1:00"),
        ("2026-11-21T10:00:00Z", "I can't tell for sure. The last motion was at 5:00 AM"),
    ],
)
def test_who_is_home_is_told_from_the_last_motion(at: str, said: str, homes: Callable[[str], VirtualHome]) -> None:
    output = {"events": [event(at, "living_room_motion", "motion_detected")]}
    assert answered(homes("john"), "is anyone home?", output).startswith(said)


def test_without_any_motion_nobody_claims_an_empty_house(homes: Callable[[str], VirtualHome]) -> None:
    said = answered(homes("john"), "is anyone home?", {"events": []})
    assert said == "I can't tell: no motion was seen in the last 24 hours."


@pytest.mark.parametrize(
    ("home", "words", "said"),
    [
        ("john", "how many devices do I have?", "You have 5 devices: front door lock, back door lock,"),
        ("john", "how many locks do I have", "You have 2 locks: front door lock and back door lock."),
        ("john", "do I have a camera?", "No, there is no camera in this home."),
        ("john", "which lights are on?", "There are no lights in this home."),
        ("john", "what's open?", "Nothing is open: the garage door is closed."),
        ("john", "is the garage door locked?", "I can't tell whether the garage door is locked"),
        ("john", "unlock the back door", "The back door lock is unlocked already."),
        ("john", "disarm the alarm", "The house is in home mode already, and the alarm is off."),
        ("john", "call the police", "I can't call for help."),
        ("john", "who are you", "I'm HomeGuard, the assistant of this home."),
        ("john", "goodbye", "Goodbye."),
        ("sarah", "close the front door", "The front door has only a sensor"),
        ("john", "hold on", "Okay, I won't do anything."),
    ],
)
async def test_an_ordinary_sentence_gets_a_plain_answer_and_no_command(
    home: str, words: str, said: str, talk: Any
) -> None:
    turn, _ = await talk(home, words)
    assert turn.answer.startswith(said)
    assert list(turn.commands) == []


async def test_what_is_not_unlocked_yet_is_still_unlocked(talk: Any) -> None:
    turn, _ = await talk("john", "unlock both doors")
    assert [c["device_id"] for c in turn.commands] == ["front_door_lock"]
    assert "The back door lock is unlocked already." in turn.answer


async def test_a_door_with_only_a_lock_cannot_be_told_open_or_closed(homes: Callable[[str], VirtualHome]) -> None:
    turn, _ = await say(homes("john"), "is the front door closed?", now=NOW)
    assert turn.answer == "There is no sensor on the front door that tells whether it is closed; its lock is locked."


def test_the_same_thing_several_times_is_one_item_and_echoes_are_none(homes: Callable[[str], VirtualHome]) -> None:
    quiet = ("heartbeat", "telemetry", "state_changed", "command_result", "mode_changed", "motion_stopped")
    rows = [event("2026-11-21T18:20:00Z", "thermostat", kind) for kind in quiet]
    rows += [event(f"2026-11-21T17:{m:02d}:00Z", "living_room_motion", "motion_detected") for m in range(30, 0, -1)]
    rows += [
        event("2026-11-21T16:00:00Z", "garage_door", "garage_closed"),
        event("2026-11-21T15:50:00Z", "garage_door", "garage_open"),
    ]
    assert answered(homes("john"), "what happened today?", {"events": rows}) == (
        "The living room motion sensor saw motion 30 times, most recently at 12:30 PM; "
        "the garage door was opened and closed, most recently at 11:00 AM."
    )


def test_at_most_five_items_are_told(homes: Callable[[str], VirtualHome]) -> None:
    ids = [d for d in homes("sarah").devices if d != "porch_light"][:8]
    rows = [event(f"2026-11-21T16:{50 - i}:00Z", d, "device_offline") for i, d in enumerate(ids)]
    said = answered(homes("sarah"), "what happened today?", {"events": rows})
    assert said.count("went offline") == 5
    assert said.endswith("There were 3 more things: ask about a device or a time.")


def test_what_was_just_done_comes_from_the_journal(homes: Callable[[str], VirtualHome]) -> None:
    mine = {"command": "lock", "set": {"lock": "locked"}, "outcome": "confirmed", "caller": "agent"}
    rows = [
        event("2026-11-21T18:29:00Z", "front_door_lock", "command_result", **mine),
        event("2026-11-21T18:29:00Z", "back_door_lock", "command_result", **mine),
        event("2026-11-21T15:00:00Z", "garage_door", "command_result", **{**mine, "command": "close"}),
        event("2026-11-21T18:29:30Z", "thermostat", "command_result", **{**mine, "caller": "rest"}),
    ]
    said = answered(homes("john"), "what did you just do?", {"events": rows}, {"events": []})
    assert said == "My last act was at 1:29 PM: lock the back door lock and the front door lock."


def test_an_error_is_told_without_its_code_and_its_bounds(homes: Callable[[str], VirtualHome]) -> None:
    error = "OUT_OF_RANGE: Thermostat takes 45 to 95 °F (field: parameters.value; allowed: 44.99996 to 95.0)"
    said = answered(homes("john"), "set the thermostat to 120", error=error)
    assert said == "I could not set the thermostat to 120°F: the thermostat takes 45 to 95°F."


@pytest.mark.parametrize(
    ("home", "words", "trigger", "does"),
    [
        (
            "john",
            "when motion is detected in the living room between 10pm and 6am, notify me",
            {
                "event_type": "motion_detected",
                "device_id": "living_room_motion",
                "conditions": {"time_range": {"start": "22:00", "end": "06:00"}},
            },
            "notification",
        ),
        (
            "john",
            "when the front door is unlocked at night, tell me",
            {
                "event_type": "door_unlocked",
                "device_id": "front_door_lock",
                "conditions": {"time_range": {"start": "22:00", "end": "06:00"}},
            },
            "notification",
        ),
        (
            "john",
            "if the garage opens while we're away, notify me",
            {"event_type": "garage_open", "device_id": "garage_door", "conditions": {"mode": ["away", "vacation"]}},
            "notification",
        ),
        (
            "sarah",
            "when motion is detected in the hallway at night turn on the porch light",
            {
                "event_type": "motion_detected",
                "device_id": "hallway_motion",
                "conditions": {"time_range": {"start": "22:00", "end": "06:00"}},
            },
            "porch_light",
        ),
        (
            "sarah",
            "alert me if the front door opens",
            {"event_type": "door_open", "device_id": "front_door"},
            "notification",
        ),
        (
            "john",
            "when the back door is unlocked lock it",
            {"event_type": "door_unlocked", "device_id": "back_door_lock"},
            "back_door_lock",
        ),
    ],
)
async def test_a_rule_holds_its_trigger_its_hours_and_its_action(
    home: str, words: str, trigger: Mapping[str, Any], does: str, talk: Any
) -> None:
    _, lived = await talk(home, words)
    name, arguments = lived.calls[-1]
    assert name == "create_automation"
    assert arguments["trigger"] == {"type": "device_event", **trigger}
    assert [a.get("device_id", a["type"]) for a in arguments["actions"]] == [does]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("when the back door opens, notify me", "There is no sensor on the back door"),
        ("when the front door is unlocked, turn on the porch light", 'I can\'t find "porch light" in this home.'),
        ("notify me when the garage is left open", "I can't watch how long something lasts."),
        (
            "every night at 10 set the house to away mode",
            "I can't change the mode of the house by the clock or by a rule.",
        ),
        ("when the moon is full, notify me", "I don't know that trigger."),
    ],
)
async def test_a_rule_that_cannot_be_kept_is_refused_with_its_reason(words: str, said: str, talk: Any) -> None:
    turn, lived = await talk("john", words)
    assert turn.answer.startswith(said)
    assert "create_automation" not in [name for name, _ in lived.calls]


async def test_asking_whether_something_is_so_makes_no_rule(talk: Any) -> None:
    turn, lived = await talk("john", "tell me if the front door is locked")
    assert turn.answer == "Yes, the front door lock is locked."
    assert "create_automation" not in [name for name, _ in lived.calls]


@pytest.mark.parametrize(
    ("words", "hours"),
    [
        ("between 10pm and 6am", ("22:00", "06:00")),
        ("from 10 to 6 am", ("22:00", "06:00")),
        ("between 9 and 11 am", ("09:00", "11:00")),
        ("between 22:30 and 05:15", ("22:30", "05:15")),
        ("after 9pm", ("21:00", "06:00")),
        ("before 7", ("00:00", "07:00")),
        ("between 11 pm and noon", ("23:00", "12:00")),
    ],
)
def test_hours_are_read_as_people_say_them(words: str, hours: tuple[str, str]) -> None:
    held = conditions_of([*tokens("when the garage opens"), *tokens(words)])
    assert held.conditions == {"time_range": {"start": hours[0], "end": hours[1]}}
    assert held.words == ("when", "the", "garage", "opens")


@pytest.mark.parametrize(
    ("words", "off"),
    [
        ("Can you turn off the lights, with the exception of the porch light?", ["hallway_light", "living_room_light"]),
        ("Leave the porch light on and switch off the rest.", ["hallway_light", "living_room_light"]),
        ("Turn off all the lights, not Bob's.", []),
    ],
)
async def test_what_is_left_out_is_never_touched(words: str, off: list[str], talk: Any) -> None:
    turn, _ = await talk("sarah", words)
    assert sorted(c["device_id"] for c in turn.commands) == off


@pytest.mark.parametrize(
    "words",
    ["Today at 6, how warm was the house?", "Unlock the front door, right?", "The back door isn't locked, is it?"],
)
async def test_a_time_and_a_tag_at_the_end_ask_and_never_act(words: str, talk: Any) -> None:
    turn, lived = await talk("john", words)
    assert list(turn.commands) == []
    assert not [name for name, _ in lived.calls if name.startswith("control")]


async def test_a_goodnight_before_a_request_loses_no_part_of_it(talk: Any) -> None:
    turn, lived = await talk("john", "Good night, lock everything")
    assert {c["device_id"] for c in turn.commands} == {"front_door_lock", "back_door_lock"}
    assert ("set_home_mode", {"mode": "sleep"}) in lived.calls
