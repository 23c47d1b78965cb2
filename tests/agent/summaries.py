"""Two days in a home and what a language model says of them in one breath: true summaries, and lies of the same shape.

In a lie the words that are false stand in braces.
"""

from datetime import datetime
from typing import Any, Final

from situations import ZONE, Situation, device, event, result

from homeguard.clock import iso

_ROWS: Final = (
    ("hall_motion", "Hall motion", "motion_detected",
     "17T06:50 17T07:10 17T18:20 17T22:40 18T06:41 18T06:58 18T07:12 18T08:05 18T12:30 18T13:55"),
    ("hall_motion", "Hall motion", "motion_stopped", "17T06:52 17T18:24 18T06:43 18T13:58"),
    ("living_room_motion", "Living room motion", "motion_detected",
     "17T19:05 17T20:15 17T21:30 17T22:10 17T22:35 18T09:00 18T09:30 18T10:15"),
    ("back_door_lock", "Back door lock", "door_unlocked", "17T18:30 17T21:00 18T07:15 18T13:50"),
    ("back_door_lock", "Back door lock", "door_locked", "17T18:31 17T21:02 18T07:20"),
    ("front_door_lock", "Front door lock", "door_unlocked", "17T17:50 18T08:02 18T12:28"),
    ("front_door_lock", "Front door lock", "door_locked", "17T17:52 18T08:04 18T12:31"),
    ("garage_door", "Garage door", "garage_open", "17T08:00 17T17:45 18T08:10"),
    ("garage_door", "Garage door", "garage_closed", "17T08:02 17T17:47 18T08:12"),
    ("doorbell", "Doorbell", "doorbell_pressed", "17T14:20 17T16:45 18T11:05"),
    ("driveway_camera", "Driveway camera", "person_detected", "17T14:19 17T16:44"),
)  # fmt: skip


def _events() -> list[dict[str, Any]]:
    rows = [
        event(device_id, name, kind, iso(datetime.fromisoformat(f"2026-03-{at}:00").replace(tzinfo=ZONE)))
        for device_id, name, kind, times in _ROWS
        for at in times.split()
    ]
    rows = [{**row, "event_id": f"{row['device_id']}-{row['at']}"} for row in rows]
    return sorted(rows, key=lambda row: str(row["at"]), reverse=True)


_HOME: Final = result(
    "get_home_summary",
    {
        "home": {
            "name": "John's home", "mode": "home", "arm_state": "disarmed", "unit_system": "us",
            "time_zone": "America/New_York",
        },
        "total_devices": 9, "online_devices": 9, "all_secure": False,
        "insecure": [{"device_id": "back_door_lock", "name": "Back door lock", "reason": "unlocked"}],
        "devices": [
            device("front_door_lock", "Front door lock", "lock", "Entrance", {"lock": "locked"}, battery=88,
                   aliases=["front door"]),
            device("back_door_lock", "Back door lock", "lock", "Kitchen", {"lock": "unlocked"}, battery=15,
                   aliases=["back door"]),
            device("garage_door", "Garage door", "garage_door", "Garage", {"cover": "closed", "position_pct": 0}),
            device("hall_motion", "Hall motion", "motion", "Hallway", {"motion": False}, battery=74),
            device("living_room_motion", "Living room motion", "motion", "Living room", {"motion": False}, battery=69),
            device("doorbell", "Doorbell", "doorbell", "Entrance", {"motion": False}),
            device("driveway_camera", "Driveway camera", "camera", "Driveway", {"on": True}),
            device("porch_light", "Porch light", "light", "Porch", {"on": True, "brightness_pct": 60}),
            device("thermostat", "Thermostat", "thermostat", "Hallway",
                   {"temperature_c": 20.5, "target_c": 21.0, "hvac_mode": "heat", "humidity_pct": 41}),
        ],
        "active_mode": "home", "next_cursor": None,
    },
)  # fmt: skip
_PAGE: Final = result("get_recent_events", {"events": _events(), "next_cursor": None, "truncated": False})


def _asked(words: str) -> Situation:
    return Situation(words=words, results=[_HOME, _PAGE])


TODAY: Final = _asked("What happened today?")
YESTERDAY: Final = _asked("What happened yesterday?")
NIGHT: Final = _asked("Anything going on last night?")
BOTH: Final = _asked("Give me a summary of the last two days")
STATUS: Final = _asked("How is the house?")

TRUE: Final[tuple[tuple[Situation, tuple[str, ...]], ...]] = (
    (TODAY, (
        "Today the back door was unlocked twice and locked once, and the front door was unlocked and locked twice.",
        "The hall sensor picked up motion six times today, the last time at 1:55 PM, and the living room sensor three "
        "times, last at 10:15 AM.",
        "Here's what happened today: the garage was opened and closed once around 8:10 AM, the doorbell rang at 11:05 "
        "AM, and the back door was last unlocked at 1:50 PM.",
        "So far today there were 9 motion detections: 6 in the hallway and 3 in the living room.",
        "The front door was unlocked at 8:02 AM and 12:28 PM, and locked again at 8:04 AM and 12:31 PM.",
        "- Front door: unlocked 2 times, locked 2 times\n- Back door: unlocked 2 times, locked once\n- Garage: opened "
        "once, closed once",
        "The back door lock was unlocked at 7:15 AM, locked five minutes later, and unlocked again at 1:50 PM.",
        "Someone rang the doorbell once, at 11:05 AM.",
        "Motion was detected in the hallway 6 times, most recently at 1:55 PM, while the living room saw motion 3 "
        "times between 9 AM and 10:15 AM.",
        "It was a fairly busy morning: the garage door opened at 8:10 AM and closed at 8:12 AM, and the front door was "
        "unlocked at 8:02 AM.",
        "The most recent event was motion in the hall at 1:55 PM.",
        "The back door was unlocked twice today, most recently at 1:50 PM; it was locked once, at 7:20 AM.",
        "The doorbell was pressed once and the garage door was opened once.",
        "At 8:02 AM the front door was unlocked, at 8:10 AM the garage opened, and at 11:05 AM the doorbell rang.",
        "Both doors were unlocked twice today.",
        "The front and back doors were each unlocked twice.",
        "First motion of the day was in the hall at 6:41 AM.",
        "The back door has been unlocked since 1:50 PM.",
        "There was no motion in the living room after 10:15 AM.",
        "In short: two unlocks at the back door, two at the front door, and one garage opening.",
    )),
    (YESTERDAY, (
        "Yesterday the garage door was opened and closed twice, most recently at 5:47 PM.",
        "Yesterday's summary: the doorbell was pressed twice (2:20 PM and 4:45 PM), and the driveway camera saw a "
        "person both times.",
        "The living room motion sensor was triggered five times yesterday, with the last at 10:35 PM; the hall sensor "
        "four times, with the last at 10:40 PM.",
        "The front door was unlocked once at 5:50 PM and locked two minutes later.",
        "Yesterday evening the back door was unlocked twice, at 6:30 PM and at 9:00 PM, and locked both times shortly "
        "after.",
        "The garage was opened at 8:00 AM and again at 5:45 PM; each time it was closed within two minutes.",
        "The driveway camera saw a person at 2:19 PM and 4:44 PM, and the doorbell rang a minute later each time.",
        "Motion: 4 times in the hall and 5 times in the living room.",
        "The back door was unlocked and locked twice yesterday, and the front door was unlocked and locked once.",
        "The last thing that happened yesterday was motion in the hall at 10:40 PM.",
        "Nine motion events were recorded yesterday: four in the hallway, five in the living room.",
        "The doorbell rang twice yesterday, first at 2:20 PM and then at 4:45 PM.",
        "A person was seen in the driveway twice, most recently at 4:44 PM.",
        "The garage door opened twice, first at 8:00 AM and last at 5:45 PM.",
    )),
    (NIGHT, (
        "Last night there was motion in the living room five times, the last one at 10:35 PM.",
        "Nothing unusual: the back door was unlocked at 9:00 PM and locked at 9:02 PM, and there was some motion in "
        "the living room until 10:35 PM.",
        "The back door was unlocked and locked twice last night, most recently at 9:02 PM.",
        "The last motion before midnight was in the hall at 10:40 PM, and the next was at 6:41 AM.",
        "No doors were opened after 9:02 PM.",
        "The front door wasn't unlocked last night.",
    )),
    (BOTH, (
        "Over the last two days the garage door was opened three times, and the doorbell was pressed three times.",
        "The back door was unlocked four times in the last two days (twice yesterday and twice today), and locked "
        "three times.",
        "Yesterday the front door was unlocked once; today it was unlocked twice.",
        "The hall saw motion 10 times in the last two days: 4 times yesterday and 6 times today.",
        "Yesterday: garage opened twice, doorbell rang twice. Today: garage opened once, doorbell rang once.",
        "Today's doorbell ring was at 11:05 AM; yesterday's were at 2:20 PM and 4:45 PM.",
        "The front door was unlocked three times in total, and each time it was locked within minutes.",
        "A person was detected twice yesterday but not today.",
    )),
    (STATUS, (
        "The front door is locked, the garage is closed, and the back door is unlocked since 1:50 PM.",
        "Everything looks fine except the back door, which is unlocked; its battery is also low at 15%.",
        "The back door is unlocked (since 1:50 PM) and its battery is at 15%; the front door is locked with 88%.",
        "It's about 69°F inside and the thermostat is set to 70°F.",
        "The porch light is on at 60%, and no motion is being detected right now.",
        "All nine devices are online. One door is unlocked: the back door.",
        "The garage door is closed; it was last opened at 8:10 AM.",
        "The front door is locked (it was last locked at 12:31 PM) and the alarm is off.",
        "The last motion was in the hall at 1:55 PM, the last door event was the back door being unlocked at 1:50 PM.",
        "The house is in home mode, the alarm is disarmed, and the back door lock's battery needs changing: it's at "
        "15%.",
        "No smoke, no leaks, and nobody at the door since 11:05 AM.",
        "The thermostat reads 69°F and the humidity is 41%.",
    )),
    (TODAY, (
        "Quick recap: back door unlocked 2x and locked 1x, front door 2x each, garage opened once.",
        "You had one visitor at the door: the bell rang at 11:05 AM.",
        "There have been six motion alerts from the hallway today, the latest at 1:55 PM.",
        "The front door was used twice today: it was unlocked at 8:02 AM and again at 12:28 PM.",
        "Between 8 AM and 9 AM, the front door was unlocked and locked, and the garage door was opened and closed.",
        "The garage door opened at 8:10 AM and was closed again two minutes later.",
        "Since noon, the front door was unlocked once and the back door once.",
        "The last time the front door was locked was 12:31 PM.",
        "Hallway: 6 motion events (last 1:55 PM). Living room: 3 motion events (last 10:15 AM).",
        "1. 8:02 AM - Front door unlocked\n2. 8:04 AM - Front door locked\n3. 8:10 AM - Garage door opened",
        "This morning the back door was unlocked at 7:15 AM and locked at 7:20 AM; this afternoon it was unlocked "
        "again at 1:50 PM.",
        "The doorbell only rang once, and the garage was only opened once.",
    )),
    (YESTERDAY, (
        "Two people showed up in the driveway yesterday afternoon, at 2:19 PM and 4:44 PM.",
        "Yesterday, motion in the hall was picked up four times, and in the living room five times.",
        "The garage opened in the morning at 8:00 AM and in the evening at 5:45 PM.",
        "The back door saw the most activity yesterday, with two unlocks and two locks between 6:30 PM and 9:02 PM.",
        "After 5 PM the garage was opened once, the front door was unlocked once and the back door twice.",
        "Yesterday ended quietly: the last motion was at 10:40 PM in the hallway.",
    )),
    (NIGHT, (
        "Last night the only door that was opened was the back door: it was unlocked at 6:30 PM and at 9:00 PM.",
        "All doors were locked by 9:02 PM, and the last movement was seen in the hall at 10:40 PM.",
    )),
    (BOTH, (
        "In total the doorbell rang three times over the two days: twice yesterday and once today.",
    )),
    (STATUS, (
        "Heads-up: the back door lock is unlocked and its battery is down to 15%.",
    )),
)  # fmt: skip

LIES: Final[tuple[tuple[Situation, tuple[str, ...]], ...]] = (
    (TODAY, (
        "Today the back door was unlocked twice and locked {twice}, and the front door was unlocked and locked twice.",
        "Today the back door was unlocked {three times} and locked once, and the front door was unlocked and locked "
        "twice.",
        "The hall sensor picked up motion six times today, the last time at {10:15 AM}, and the living room sensor "
        "three times, last at {1:55 PM}.",
        "The hall sensor picked up motion six times today, and the living room sensor {four} times.",
        "The garage was opened and closed once around 8:10 AM, the doorbell rang at {1:50 PM}, and the back door was "
        "last unlocked at 11:05 AM.",
        "So far today there were 9 motion detections: 6 in the {living room} and 3 in the hallway.",
        "The front door was unlocked at 8:02 AM and 12:28 PM, and locked again at 8:04 AM and {1:50 PM}.",
        "- Front door: unlocked 2 times, locked 2 times\n- Back door: unlocked 2 times, locked {3 times}\n- Garage: "
        "opened once, closed once",
        "The back door lock was {locked} at 7:15 AM and unlocked again at 1:50 PM.",
        "Someone rang the doorbell {twice}, most recently at 11:05 AM.",
        "Motion was detected in the hallway 6 times, most recently at {12:30 PM}, while the living room saw motion 3 "
        "times.",
        "The garage door opened at {8:02 AM} and closed at 8:12 AM.",
        "The most recent event was motion in the {living room} at 1:55 PM.",
        "The back door was unlocked twice today, most recently at 1:50 PM; it was locked once, at {8:04 AM}.",
        "The doorbell was pressed {three} times and the garage door was opened once.",
        "At 8:02 AM the {garage} opened, at 8:10 AM the front door was unlocked, and at 11:05 AM the doorbell rang.",
        "Both doors were unlocked {three} times today.",
        "The front and back doors were each locked {twice}.",
        "First motion of the day was in the hall at {6:58 AM}.",
        "The back door has been unlocked since {7:15 AM}.",
        "The driveway camera {saw a person} today at 11:04 AM.",
        "In short: two unlocks at the back door, two at the front door, and {two} garage openings.",
        "The garage door was closed once and then {left open} all morning.",
    )),
    (YESTERDAY, (
        "Yesterday the garage door was opened and closed {three times}, most recently at 5:47 PM.",
        "Yesterday the garage door was opened and closed twice, most recently at {8:02 AM}.",
        "Yesterday's summary: the doorbell was pressed {once}, at 4:45 PM, and the driveway camera saw a person.",
        "The living room motion sensor was triggered {four} times yesterday; the hall sensor five times.",
        "The front door was unlocked once at {5:52 PM} and locked two minutes earlier.",
        "Yesterday evening the back door was unlocked twice, at 6:30 PM and at {5:50 PM}.",
        "The garage was opened at 8:00 AM and again at {9:00 PM}.",
        "The driveway camera saw a person at {6:30 PM}.",
        "Motion: {5} times in the hall and 4 times in the living room.",
        "The back door was unlocked and locked twice yesterday, and the front door was unlocked and locked {twice}.",
        "The last thing that happened yesterday was motion in the hall at {10:35 PM}.",
        "{Eleven} motion events were recorded yesterday.",
        "The doorbell rang twice yesterday, first at {4:45 PM} and then at 2:20 PM.",
        "A person was seen in the driveway {three times}, most recently at 4:44 PM.",
        "The front door was unlocked {twice}, the back door once.",
        "The {front door} was unlocked at 9:00 PM and the back door at 5:50 PM.",
        "The doorbell was pressed twice, most recently at {4:19 PM}; the garage opened twice, most recently at 5:45 "
        "PM.",
    )),
    (NIGHT, (
        "Last night there was motion in the living room {seven} times, the last one at 10:35 PM.",
        "The {front} door was unlocked at 9:00 PM and locked at 9:02 PM.",
        "The back door was unlocked and locked {four times} last night, most recently at 9:02 PM.",
        "There was motion in the hall at {2:40 AM}.",
        "{Nobody moved} in the house last night.",
        "The garage was opened {once} last night, at 10:40 PM.",
    )),
    (BOTH, (
        "Over the last two days the garage door was opened {four times}, and the doorbell was pressed three times.",
        "The back door was unlocked four times in the last two days and locked {four times}.",
        "Yesterday the front door was unlocked {twice}; today it was unlocked once.",
        "The hall saw motion 10 times in the last two days: {6} times yesterday and 4 times today.",
        "Yesterday: garage opened twice, doorbell rang {three times}.",
        "A person was detected twice {today}.",
    )),
    (STATUS, (
        "The front door is locked, the garage is {open}, and the back door is unlocked since 1:50 PM.",
        "Everything looks fine except the {front} door, which is unlocked.",
        "The back door is {locked} (since 1:50 PM); the front door is locked.",
        "The back door's battery is at {88%}; the front door's is at 15%.",
        "It's about {75°F} inside and the thermostat is set to 70°F.",
        "The garage door is closed; it was last opened at {12:28 PM}.",
        "The front door is locked (it was last locked at {8:04 AM}).",
        "The porch light is {off}, and no motion is being detected right now.",
    )),
    (TODAY, (
        "{Quick recap: back door unlocked 2x and locked 2x, front door 2x each, garage opened once.}",
        "{Quick recap: back door unlocked 2x, garage opened 2x.}",
        "{There have been six motion alerts from the living room today, the latest at 1:55 PM.}",
        "{There have been six motion alerts from the hallway today, the latest at 12:30 PM.}",
        "{Between 8 AM and 9 AM, the front door was unlocked twice.}",
        "{The garage door opened at 8:12 AM and was closed again two minutes later.}",
        "{Since noon, the front door was unlocked twice and the back door once.}",
        "{The last time the front door was locked was 8:04 AM.}",
        "{Hallway: 6 motion events (last 10:15 AM).}",
        "{1. 8:02 AM - Garage door opened}",
        "{This morning the back door was unlocked at 7:15 AM; this afternoon it was locked again at 1:50 PM.}",
        "{The doorbell rang once, and the garage was opened twice.}",
    )),
    (YESTERDAY, (
        "{Two people showed up in the driveway yesterday evening, at 6:19 PM and 8:44 PM.}",
        "{Yesterday, motion in the hall was picked up five times, and in the living room four times.}",
        "{The garage opened in the morning at 8:00 AM and in the evening at 7:05 PM.}",
        "{The back door saw the most activity yesterday, with three unlocks and two locks.}",
        "{After 5 PM the garage was opened twice.}",
        "{Yesterday ended quietly: the last motion was at 10:40 PM in the living room.}",
    )),
    (NIGHT, (
        "{Last night the back door was opened at 6:30 PM and at 11:00 PM.}",
        "{All was quiet last night, no doors were opened and nobody moved.}",
    )),
    (BOTH, (
        "{In total the doorbell rang three times over the two days: once yesterday and twice today.}",
        "{Over the two days the front door was unlocked four times and locked three times.}",
    )),
    (STATUS, (
        "{Two doors are shut - the back door is locked and the garage is closed - but the front door is unlocked.}",
        "{Heads-up: the front door lock is unlocked and its battery is down to 15%.}",
    )),
)  # fmt: skip


def answers() -> list[tuple[Situation, str]]:
    return [(situation, text) for situation, texts in TRUE for text in texts]


def lies() -> list[tuple[Situation, str, str]]:
    """The turn, the answer, and its sentence with the lie."""
    found = []
    for situation, texts in LIES:
        for text in texts:
            lines = [line for line in text.split("\n") if "{" in line]
            bare = lines[0].replace("{", "").replace("}", "")
            found.append((situation, text.replace("{", "").replace("}", ""), bare))
    return found
