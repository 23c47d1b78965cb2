"""Rules in plain words: "when the garage opens, notify me" as what happens and what is to be done then. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from homeguard.model import Device

_EVENTS = (
    (r"\bsmoke\b", "smoke"), (r"\b(?:leak|leaks|leaking|water|wet)\b", "leak"),
    (r"\b(?:open|opens|opened|is open)\b", "open"), (r"\b(?:close|closes|closed|shuts)\b", "close"),
    (r"\b(?:unlock|unlocks|unlocked)\b", "unlock"),
    (r"\b(?:lock|locks|locked)\b", "lock"),
    (r"\b(?:motion|movement|moves|moving)\b|\b(?:notices?|sees?|spots?|detects?|senses?|catches|picks up|registers) "
     r"(?:someone|somebody|anyone|anybody|something|anything|people|a person)\b|\b(?:goes off|is triggered|triggers)\b",
     "motion"),
    (r"\b(?:rings|ring|pressed|doorbell)\b", "ring"),
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
    """`(kind, trigger words, action words)` of a rule that an event sets off (`event`); `None` if it is none."""
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
        r"(?!was |did |has |have |had |will |i last |we last |.*\b(?:was|were|did|last)\b)(.+)$",
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
    return None


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
