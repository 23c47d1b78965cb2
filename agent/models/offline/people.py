""" "Is anyone home?", "am I alone?": told from what moved last, never from a guess about people."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from agent.models.offline.frames import Frame
from agent.models.offline.home import Home
from agent.models.offline.looking_back import local
from agent.models.offline.parts import Part, read
from agent.models.offline.wording import listed, names_of, start, the, when
from homeguard.clock import parse_time
from homeguard.model import Device
from homeguard.targets import resolve

_ASKED: Final = re.compile(
    r"\b(?:anyone|anybody|someone|somebody|who|nobody|no one|everyone|everybody|people)\b(?: \w+){0,3}? "
    r"(?:home|house|inside|indoors|in)\b(?: now| right now| currently| at the moment)?$"
    r"|\bi (?:home )?alone\b|\b(?:house|home) (?:empty|occupied)\b"
    r"|\bis (?:anyone|anybody|someone|somebody) (?:here|there)$"
)
_SOMEBODY: Final = re.compile(
    r"^(?:is|are) (?:the |my )?\w+(?: and \w+)? (?:at )?home$|^where (?:is|are) (?:the |my )?\w+$"
)
_PAST: Final = re.compile(
    r"\b(?:did|was|were|when|last|yesterday|ago|has|have|had|come|came|get|got|arrive|arrived|left|leave"
    r"|unlocked|locked|"
    r"opened|closed)\b"
)
#: So fresh a motion means that somebody is there now; after the second, only that somebody was.
_NOW_S: Final = 300
_LATELY_S: Final = 3600
_HOURS: Final = 24


def presence_part(found: Frame, spoken: str, home: Home, now: datetime) -> tuple[Part, tuple[Device, ...]] | None:
    """The answer with its look at the last motion; `None` for another question, or when devices know who is home."""
    text = re.sub(r" (?:please|homeguard)$", "", " ".join(found.words))
    if not (_ASKED.search(text) or _SOMEBODY.search(text)) or _PAST.search(text):
        return None
    somebody = _SOMEBODY.search(text) is not None and _ASKED.search(text) is None
    if somebody and _known(found, home):
        return None
    if any(isinstance(home.state(d).get("home"), bool) or "location" in home.state(d) for d in home.devices):
        return None
    seeing = tuple(d for d in home.devices if {"motion", "occupancy"} & set(d.capabilities))
    who = "who" in found.words
    if not seeing:
        return Part(text=spoken, say="I can't tell: nothing in this home senses people or motion."), ()

    def tell(output: Mapping[str, Any]) -> str:
        opening = "I can't tell where particular people are. " if somebody else ""
        return opening + _told(output.get("events") or (), seeing, who, home, now)

    arguments = {"event_type": "motion_detected", "hours": _HOURS, "limit": 1}
    return read(spoken, "get_recent_events", arguments, tell), seeing


def _known(found: Frame, home: Home) -> bool:
    """Whether the words name something in the home rather than a person."""
    words = [w for w in found.target if w not in ("home", "at")]
    about = resolve(words, home.devices, areas=home.areas, floors=home.floors) if words else None
    return about is None or bool(about.devices or about.ambiguous or about.suggestions or about.kind or about.area)


def _told(events: Sequence[Any], seeing: Sequence[Device], who: bool, home: Home, now: datetime) -> str:
    moving = [d for d in seeing if home.state(d).get("motion") is True or home.state(d).get("occupancy") is True]
    opening = "I can't tell who, but somebody" if who else "Somebody"
    if moving:
        return f"{opening} seems to be: {names_of(moving, 3)} {'sees' if len(moving) == 1 else 'see'} motion right now."
    last = next((e for e in events if isinstance(e, Mapping)), None)
    try:
        at = local(parse_time(last.get("at")), home.time_zone) if last is not None else None
    except ValueError:
        at = None
    if last is None or at is None:
        return f"I can't tell: no motion was seen in the last {_HOURS} hours{_mode(home)}."
    names = {d.id: d for d in home.devices}
    device = names.get(str(last.get("device_id")))
    whom = the(device) if device is not None else str(last.get("device") or "a motion sensor")
    age = (now - at).total_seconds()
    if age <= _NOW_S:
        return f"{opening} seems to be: {whom} saw motion {_ago(age)} ({when(at, now)})."
    if age <= _LATELY_S:
        opening = "I can't tell who, but somebody" if who else "Somebody"
        return f"{opening} was there {_ago(age)}: {whom} saw motion {when(at, now)}. I notice movement, not people."
    return f"I can't tell for sure. The last motion was {when(at, now)}: {start(whom)} saw it{_mode(home)}."


def _mode(home: Home) -> str:
    return f"; the house is in {home.mode} mode" if home.mode and home.mode != "home" else ""


def _ago(seconds: float) -> str:
    minutes = round(seconds / 60)
    return "just now" if minutes < 1 else f"{minutes} minute{'s' if minutes != 1 else ''} ago"


def rooms_part(spoken: str, home: Home) -> Part:
    """How many rooms there are, and which."""
    rooms = sorted({d.area for d in home.devices if d.area} | set(home.areas))
    if not rooms:
        return Part(text=spoken, say="I know no rooms: no device here says where it is.")
    count = f"{len(rooms)} place{'s' if len(rooms) != 1 else ''}"
    return Part(text=spoken, say=f"I know {count}: {listed([r.lower() for r in rooms], 12)}.")
