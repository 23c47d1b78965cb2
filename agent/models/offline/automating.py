"""Rules in plain words: "every night at 10 lock the doors", "when the garage opens, notify me" -> create_automation."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agent.models.offline.times import clock_time
from homeguard.model import Device

_WEEKDAYS = {"monday": 1, "tuesday": 2, "wednesday": 3, "thursday": 4, "friday": 5, "saturday": 6, "sunday": 7}
_REPEATS = ("every", "each", "daily", "nightly", "weekdays", "weekday", "weekends", "always", "everyday")
_EVENTS = (
    (r"\b(?:open|opens|opened|is open)\b", "open"), (r"\b(?:close|closes|closed|shuts)\b", "close"),
    (r"\b(?:unlock|unlocks|unlocked)\b", "unlock"),
    (r"\b(?:lock|locks|locked)\b", "lock"), (r"\b(?:motion|movement|moves)\b", "motion"),
    (r"\b(?:rings|pressed|doorbell)\b", "ring"),
    (r"\bsmoke\b", "smoke"), (r"\b(?:leak|water|wet)\b", "leak"),
    (r"\b(?:arrive|arrives|comes home|come home|gets home|get home)\b", "arrive"),
    (r"\b(?:leaves|leave)\b", "leave"), (r"\b(?:offline)\b", "offline"), (r"\b(?:battery)\b", "battery"),
)  # fmt: skip
_EVENT_TYPES: Mapping[str, str] = {
    "unlock": "door_unlocked", "lock": "door_locked", "motion": "motion_detected", "ring": "doorbell_pressed",
    "smoke": "smoke_detected",
    "leak": "water_leak_detected", "arrive": "geofence_arriving", "leave": "geofence_leaving",
    "offline": "device_offline", "battery": "battery_low",
}  # fmt: skip


#: "Tell me if it opens" waits for something; "tell me if it is open" asks.
_HAPPENS = re.compile(
    r"\b(?:opens|closes|unlocks|locks|rings|detects|moves|leaves|arrives|gets (?:opened|unlocked)|"
    r"(?:is|are) (?:being )?(?:detected|pressed)|comes|goes|senses|sees|someone (?:opens|unlocks|rings|comes|is at))\b"
)


def split_rule(words: Sequence[str]) -> tuple[str, list[str], list[str]] | None:
    """`(kind, trigger words, action words)` of a rule: `event`, `schedule`, `once` or `delay`; `None` if it is none."""
    said = [w for w in words if w not in (".", "!", "?", ";")]
    text = " ".join(said)
    match = re.match(
        r"^(?:please |create (?:a|an) (?:rule|automation|routine) (?:to|that) |make (?:a|an) "
        r"(?:rule|automation|routine) (?:to|that) )?(.*)$",
        text,
    )
    body = match[1] if match else text
    if re.match(
        r"^if .+ (?:is|are) .*(?:above|below|over|under|higher|lower|more|less|warmer|colder|hotter|cooler)\b", body
    ):
        return None
    event = re.match(
        r"^(?:when|whenever|as soon as|every time|each time|if|once) (?!was |did |is |does |do |are |were |will "
        r"|has |can |should )(.+?)(?: , (?:then )?| then )(.+)$",
        body,
    )
    if event:
        return "event", event[1].split(), event[2].split()
    run_on = re.match(
        r"^(?:when|whenever|as soon as|every time|each time|if|once) (?!was |did |is |does |do |are |were |will "
        r"|has |can |should )(.+? "
        r"(?:opens|closes|opened|closed|rings|unlocks|locks|unlocked|detected|leaves|arrives|moves|offline|comes "
        r"home|come home|gets home|get home|leave|arrive)) (.+)$",
        body,
    )
    if run_on:
        return "event", run_on[1].split(), run_on[2].split()
    late = re.match(
        r"^(.+?) (?:when|whenever|as soon as|every time|each time) "
        r"(?!was |did |has |have |had |will |i last |we last )(.+)$",
        body,
    )
    if late and not re.match(r"^(?:do you know|show me|when|what|who|if)\b", body):
        return "event", late[2].split(), late[1].split()
    told = re.match(
        r"^((?:notify|alert|warn|message|inform) (?:me|us)|(?:tell|let) (?:me|us)(?: know)?|"
        r"send (?:me|us) .+?) if (.+)$",
        body,
    )
    if told and (not told[1].startswith(("tell", "let")) or _HAPPENS.search(told[2])):
        return "event", told[2].split(), told[1].split()
    delay = re.search(r"\b(?:in|after|for) (\d+(?:\.\d+)?|a|an|half an) (?:minute|hour|second|day)s?\b|\buntil\b", body)
    if delay and not re.search(r"\b(?:past|last)\b", body):
        return "delay", [], body.split()
    time = re.search(
        r"\b(?:at|by) (\d{1,2}(?::\d\d)?)(?: (am|pm))?(?! percent| degrees)\b|\b(?:at|by) "
        r"(noon|midnight|sunset|sunrise|dusk|dawn)\b",
        body,
    )
    repeats = any(w in _REPEATS for w in said) and re.search(
        r"\b(?:every|each) "
        r"(?:day|night|morning|evening|week|weekday|weekend|monday|tuesday|wednesday|thursday|friday|saturday|"
        r"sunday|afternoon|noon)|\b(?:daily|nightly|weekdays|weekends|everyday)\b",
        body,
    )
    if repeats and (time or re.search(r"(?:every|each) (?:morning|night|evening|noon)", body)):
        trigger = (time[0] if time else "") + " " + repeats[0]
        rest = re.sub(
            r"\b(?:at|by) \d{1,2}(?::\d\d)?(?: (?:am|pm))?|\b(?:at|by) (?:noon|midnight|sunset|sunrise|dusk|dawn)\b",
            " ",
            body,
        )
        rest = re.sub(
            r"\b(?:on )?(?:every|each) (?:single )?\w+\b|\b(?:daily|nightly|on weekdays|on "
            r"weekends|weekdays|weekends|everyday)\b",
            " ",
            rest,
        )
        return "schedule", trigger.split(), [w for w in rest.split() if w != ","]
    clock = re.search(
        r"\b(?:at|by) (?:\d{1,2}:\d\d|\d{1,2} (?:am|pm)|\d{1,2} oclock|noon|midnight|sunset|sunrise|dusk|dawn)(?: "
        r"(?:am|pm))?\b",
        body,
    )
    return ("once", clock[0].split(), body.split()) if clock else None


def schedule(words: Sequence[str]) -> dict[str, Any] | None:
    """The trigger of a time that repeats: `{"type": "schedule", "at": "22:00", "days": [...]}`."""
    text = " ".join(words)
    for sun in ("sunset", "sunrise", "dusk", "dawn"):
        if sun in text:
            return {"type": "schedule", "at": {"dusk": "sunset", "dawn": "sunrise"}.get(sun, sun), "days": _days(words)}
    found = clock_time(["at", *[w for w in words if w not in ("at", "by")]])
    if found is None:
        hour = 7 if "morning" in words else 22 if "night" in words else 19 if "evening" in words else 12
        return {"type": "schedule", "at": f"{hour:02d}:00", "days": _days(words)}
    hour, minute, half = found
    if not half and hour < 12 and ("night" in words or "evening" in words or "afternoon" in words) and hour:
        hour += 12
    return {"type": "schedule", "at": f"{hour:02d}:{minute:02d}", "days": _days(words)}


def _days(words: Sequence[str]) -> list[int]:
    named = [n for day, n in _WEEKDAYS.items() if day in words or day + "s" in words]
    if named:
        return named
    if "weekdays" in words or "weekday" in words:
        return [1, 2, 3, 4, 5]
    return [6, 7] if "weekends" in words or "weekend" in words else [1, 2, 3, 4, 5, 6, 7]


def event_kind(words: Sequence[str]) -> str:
    """What happens in a trigger: `open`, `motion`, ..., `""` for nothing known."""
    text = " ".join(words)
    return next((kind for pattern, kind in _EVENTS if re.search(pattern, text)), "")


def event_trigger(kind: str, device: Device | None) -> dict[str, Any]:
    """The trigger of an event on a device: `{"type": "device_event", "device_id", "event_type"}`."""
    if kind in ("open", "close"):
        noun = "door"
        if device is not None and device.type in ("garage_door", "gate"):
            noun = "garage"
        elif device is not None and device.config.get("placement") == "window":
            noun = "window"
        word = {"open": "open", "close": "closed"}[kind]
        trigger: dict[str, Any] = {"type": "device_event", "event_type": f"{noun}_{word}"}
    else:
        trigger = {"type": "device_event", "event_type": _EVENT_TYPES[kind]}
    if device is not None:
        trigger["device_id"] = device.id
    return trigger
