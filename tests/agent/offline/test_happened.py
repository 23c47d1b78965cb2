"""Who, what, why and when, with a time: asked of the whole system, in a home with two days of events."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from deploy.eval_world import World
from deploy.one_process import open_homeguard
from homeguard.ids import new_id
from homeguard.model import Event, Principal
from homeguard.settings import Settings

NEW_YORK: Final = ZoneInfo("America/New_York")
_AWAY, _HOME = {"mode": "away", "arm_state": "armed_away"}, {"mode": "home", "arm_state": "disarmed"}
#: Days ago, hour, minute, device, kind, payload.
EVENTS: Final = (
    (2, 9, 0, "", "mode_changed", _AWAY), (2, 17, 0, "", "mode_changed", _HOME),
    (2, 17, 0, "", "arm_state_changed", {"arm_state": "disarmed"}),
    (1, 18, 0, "front_door_lock", "door_locked", {"lock": "locked", "method": "manual"}),
    (1, 22, 0, "", "mode_changed", _AWAY), (1, 22, 0, "", "arm_state_changed", {"arm_state": "armed_away"}),
    (0, 2, 10, "front_door_lock", "door_unlocked", {"lock": "unlocked", "method": "keypad"}),
    (0, 2, 11, "front_door_lock", "door_locked", {"lock": "locked", "method": "manual"}),
    (0, 3, 2, "porch_light", "state_changed", {"on": True}),
    (0, 3, 5, "hallway_motion", "motion_detected", {"motion": True}),
    (0, 6, 30, "porch_light", "state_changed", {"on": False}),
    (0, 6, 45, "", "mode_changed", _HOME), (0, 6, 45, "", "arm_state_changed", {"arm_state": "disarmed"}),
    (0, 8, 15, "garage_door", "garage_open", {"position_pct": 100, "cover": "open"}),
    (0, 8, 20, "garage_door", "garage_closed", {"position_pct": 0, "cover": "closed"}),
    (0, 9, 0, "living_room_motion", "motion_detected", {"motion": True}),
    (0, 13, 0, "garage_door", "garage_open", {"position_pct": 100, "cover": "open"}),
    (0, 13, 4, "garage_door", "garage_closed", {"position_pct": 0, "cover": "closed"}),
)  # fmt: skip
#: The question, what its answer begins with, and whether it goes on with the cause as far as that is known.
ASKED: Final = (
    ("Who unlocked the front door last night?", "The front door lock was unlocked at 2:10 AM.", True),
    ("Who opened the garage this morning?", "The garage door was opened at 8:15 AM.", True),
    ("Who locked the back door yesterday?", 'I can\'t find "back door" in this home.', False),
    ("Who turned off the porch light at 3?",
     "The porch light was not turned off around 3:00 PM or around 3:00 AM.", False),
    ("Who set the alarm last night?", "The alarm was armed yesterday at 10:00 PM.", True),
    ("Who disarmed the alarm on Monday?", "The alarm was disarmed on Mon ", True),
    ("Who put the house in away mode yesterday?", "The house went to away mode yesterday at 10:00 PM.", True),
    ("What happened at the front door last night?", "The front door lock was unlocked once and locked twice", False),
    ("What happened at 3 last night?", "The hallway motion sensor saw motion at 3:05 AM.", False),
    ("What did the garage do since noon?", "The garage door was opened and closed, most recently at 1:04 PM.", False),
    ("What went on in the living room this morning?", "The living room motion sensor saw motion at 9:00 AM.", False),
    ("What changed the mode yesterday?", "The house went to away mode yesterday at 10:00 PM.", True),
    ("Why was the front door unlocked last night?", "The front door lock was unlocked at 2:10 AM.", True),
    ("Why did the porch light go on at 3 in the morning?", "The porch light was turned on at 3:02 AM.", True),
    ("Why was the garage open this morning?", "The garage door was opened at 8:15 AM.", True),
    ("Why is the alarm on since noon?", "The alarm was not armed since 12:00.", False),
    ("Why did the mode change yesterday?", "The house went to away mode yesterday at 10:00 PM.", True),
    ("When was the front door unlocked last night?", "The front door lock was unlocked at 2:10 AM.", False),
    ("When did the garage close this morning?", "The garage door was closed at 8:20 AM.", False),
    ("When was the alarm armed yesterday?", "The alarm was armed yesterday at 10:00 PM.", False),
    ("When did the porch light come on last night?", "The porch light was turned on at 3:02 AM.", False),
    ("When did the house go into away mode on Monday?", "The house went to away mode on Mon ", False),
    ("Who came home since noon?", "Nobody was seen to come home since 12:00.", False),
    ("Did the garage open at 3?", "No, the garage door was not opened around 3:00 PM or around 3:00 AM.", False),
    ("Was the front door locked at 3 in the morning?", "Yes: the front door lock was locked then, since 2:11 AM.",
     False),
    ("When did the alarm go off last night?", "No, there were no alerts last night.", False),
    ("Who left the garage open this morning?", "The garage door was opened at 8:15 AM.", True),
    ("Was the garage closed at noon?", "Yes: the garage door was closed then, since 8:20 AM.", False),
    ("Did anybody turn on the porch light at 3 am?", "Yes: the porch light was turned on at 3:02 AM.", False),
)  # fmt: skip


def a_wednesday_afternoon() -> datetime:
    """The next one, at half past three in the home."""
    now = datetime.now(UTC).astimezone(NEW_YORK)
    day = now + timedelta(days=(2 - now.weekday()) % 7 or 7)
    return day.replace(hour=15, minute=30, second=0, microsecond=0)


@pytest.mark.timeout(180)
async def test_questions_with_a_time_are_answered_from_what_happened_then(tmp_path: Path) -> None:
    now, world = a_wednesday_afternoon(), World()
    world.ahead = now.astimezone(UTC) - datetime.now(UTC)
    settings = Settings(data_dir=tmp_path / "data", demo=True, simulator=False, demo_history_days=0, rate_limits=False)
    told, wrong = {}, {}
    async with open_homeguard(settings, stop=asyncio.Event(), serve=False, seams=world.seams()) as running:
        assert running.demo is not None
        home_id = running.demo.homes[1].home.id
        await running.plane.caught_up()
        await running.stores.events.append([_event(home_id, now, *row) for row in EVENTS])
        sarah = Principal(home_id=home_id, user_id=home_id, role="owner", caller="person", name="Sarah")
        for words, begins, explained in ASKED:
            told[words] = await _answer(running, sarah, words)
            if not told[words].startswith(begins) or ("What made it so" in told[words]) != explained:
                wrong[words] = told[words]
        commands = await running.stores.journal.commands(home_id, since=datetime.now(UTC) - timedelta(days=1))
    assert wrong == {}
    assert commands == []


def _event(
    home_id: str, now: datetime, days: int, hour: int, minute: int, device_id: str, kind: str, payload: dict[str, Any]
) -> Event:
    at = (now - timedelta(days=days)).replace(hour=hour, minute=minute).astimezone(UTC)
    return Event(
        home_id=home_id, event_id=new_id(), event_type=kind, at=at, received_at=at, device_id=device_id, payload=payload
    )


async def _answer(running: Any, who: Principal, words: str) -> str:
    answer = ""
    async for event in running.agent.stream(who, words, new_thread=True):
        if event.name == "answer":
            answer = str(event.data["text"])
    return answer
