""" "Why is the porch light on?", "who armed the alarm?": which device or mode is meant, and the tool that knows."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from agent.models.offline.home import Home
from agent.models.offline.parts import Call, Part, plain_error, question
from agent.models.offline.reading import describe
from agent.models.offline.sparing import mentioned
from agent.models.offline.times import moment, span
from agent.models.offline.wording import start, the
from agent.models.offline.words import those
from agent.models.protocol import ToolResult
from homeguard.clock import iso
from homeguard.kinds import name_words
from homeguard.model import Device
from homeguard.targets import resolve

_DID: Final = (
    r"(?:turned|switched|put|set|opened|closed|shut|unlocked|locked|armed|disarmed|changed|started|stopped|dimmed|"
    r"raised|lowered|moved|activated|deactivated|enabled|disabled|triggered|paused|muted|adjusted)"
)
_WHY: Final = re.compile(
    rf"\b(?:why|how come|what (?:has |had |have |just )?(?:made|caused|triggered|activated|{_DID})"
    r"|(?:what is|what s|what's|whats|what was|tell me|know|explain) the (?:reason|cause)"
    r"|(?:for|because of) (?:what|which) reason"
    rf"|who(?: or what)?(?: has| had| have| just| was it that| is it that| s)*(?: just)? {_DID}"
    rf"|(?:was|is) it (?:me|you|us|someone|somebody|anyone|him|her) (?:who|that) {_DID}"
    r"|how did .{2,60} (?:get|become) (?:unlocked|opened|open|closed|locked|turned|switched|armed|disarmed|on|off|set)"
    r"|explain)\b"
)
#: "Why don't you", "why can't I", "why did you": wishes and complaints, not causes.
_NOT: Final = re.compile(
    r"\bwhy (?:dont|don t|don't|do not|cant|can t|can't|cannot|not|wont|won t|won't)\b"
    r"|\bwhy (?:would|should|can|are you|do you)\b"
    r"|\bexplain (?:yourself|how|what|to me how)\b|\b(?:mean|work|works|called|named)\b"
)
_WHO: Final = re.compile(r"^(?:(?:and|so|hey|ok|okay|tell me|do you know|can you tell me),? )*who\b")
_ALARM: Final = re.compile(r"\b(?:alarm|armed|disarmed|arm state|security|system)\b")
_MODE: Final = re.compile(r"\b(?:mode|(?:home|house) (?:in|to|on) (?:away|sleep|vacation|party))\b")
_THAT: Final = frozenset(("that", "this", "it"))
_SPOKEN: Final = (
    (("locked", "unlocked", "unlock", "lock"), "lock"),
    (("bright", "dim", "dimmed", "brightness", "dark"), "brightness_pct"),
    (("warm", "warmer", "cold", "colder", "hot", "degrees", "temperature", "high", "low"), "target_c"),
    (("on", "off"), "on"),
)
_MOST: Final = 3
#: Words of the question itself.
_ASIDE: Final = those(
    "why how come what who or made caused triggered activated turned switched put set opened closed shut unlocked "
    "locked armed disarmed changed started stopped dimmed raised lowered moved is are was were did do does has have "
    "had on off up down open the a an reason cause for tell me know explain can you could please just get got go went "
    "dark bright gloomy sudden suddenly all broad daylight earth light_ now again moaning start stop turn "
    "unlock lock happen happened so at that it this high low going beeping by itself ? . , s"
)


def why_part(
    words: Sequence[str], text: str, spoken: str, home: Home, known: Sequence[Device], now: datetime
) -> Part | None:
    """The part for a question after a cause, `None` for another. `known` are the devices that were spoken of before,
    `now` is local.

    "Who changed the thermostat last night?" asks for all of a night, so it is left to the history.
    """
    ruled = _ruled(text)
    if ruled:
        return Part(text=spoken, say=ruled)
    charged = re.search(r"\bwhy\b.*\b(?:battery|batteries)\b", text)
    if charged is not None:
        return _battery(words, spoken, home)
    did_it = re.match(
        r"(?:and |but |so )*(?:why did you (?:just )?do (?:that|it|this)\b|(?:why|how come)(?: so| is that| "
        r"then)?[ ?.]*$)",
        text,
    )
    if did_it is not None:
        return _part(spoken, [{"device_id": d.id} for d in known[-1:]] or [{}])
    if not _WHY.search(text) or _NOT.search(text):
        return None
    stretch, at = span(words, now), moment(words, now)
    if (stretch or at) and _WHO.search(text):
        return None
    if _WHO.search(text):
        gone = _who_then(words, spoken, _wanted(words, _meant(words, home), home) or list(known[-1:]), home)
        if gone is not None:
            return gone
    end = at or (stretch.end if stretch else now)
    until = {"at": iso(end)} if end < now else {}
    devices = _wanted(words, _meant(words, home), home)
    if devices:
        return _part(spoken, [_arguments(words, device, home) | until for device in devices])
    if _ALARM.search(text):
        return _part(spoken, [{"attribute": "arm_state"} | until])
    if _MODE.search(text):
        return _part(spoken, [{"attribute": "mode"} | until])
    warm = re.search(
        r"\bwhy (?:is )?it (?:is )?(?:\d+|so (?:warm|hot|cold|cool)|(?:warm|hot|cold|cool|freezing"
        r"|boiling))\b|\bheating\b",
        text,
    )
    if warm is not None:
        return _warmth(spoken, home)
    if _THAT & set(words) and not known and _WHO.search(text):
        return question(spoken, "What do you mean? Please name it.")
    if _THAT & set(words) and not re.search(r"\bexplain\b(?!.*\bwhy\b)", text):
        return _part(spoken, [{"device_id": d.id} | until for d in known[:_MOST]] or [until])
    return None


_CARDED: Final = re.compile(
    r"\bwhy (?:do|must|should|would|does|can|cannot|cant|will|wont|wouldnt|did|is|dont|are)\b.*\b(?:press"
    r"|confirm\w*|card|button|ask(?:ing)?(?: (?:me|us|for))?\b|approve|ok|okay|permission|yes|"
    r"straight away|immediately|by yourself|without asking|just (?:unlock|open|disarm|do it)|cannot you "
    r"(?:unlock|open|disarm)|(?:not|will not|cannot) you (?:unlock|open|disarm)|"
    r"cannot (?:you|i|u) (?:just )?(?:unlock|open|disarm))\b"
)
_SAVING: Final = re.compile(
    r"\bwhy\b.*\b(?:turn|switch|silence|mute|disable)\b.*\b(?:smoke|fire|co|carbon "
    r"monoxide|detector)\b.*"
)


def _ruled(text: str) -> str:
    """Why something takes a card or is never done in chat, `""` for another question."""
    if _SAVING.search(text):
        return (
            "Smoke, heat, gas and CO detectors are never turned off from a chat, a rule or a program: a mistake "
            "there can "
            "cost a life. The owner can do it on HomeGuard's own page."
        )
    if _CARDED.search(text):
        return (
            "For your security: unlocking, opening a garage or gate, disarming and switching off a camera or "
            "siren always "
            "take a press on a card, so that no text, program or slip of mine can do it without one of you."
        )
    return ""


def _battery(words: Sequence[str], spoken: str, home: Home) -> Part:
    named = mentioned([w for w in words if w not in ("battery", "batteries")], home.devices, home) or _meant(
        words, home
    )
    rows = [(d, home.state(d).get("battery_pct")) for d in named or home.devices]
    levels = sorted(((v, d) for d, v in rows if isinstance(v, int | float)), key=lambda r: r[0])
    if not levels:
        return Part(text=spoken, say="Nothing there tells me the level of its battery.")
    level, device = levels[0]
    advice = (
        "Below 20% I speak of it, so that it does not stop when you need it." if level < 20 else "That is fine for now."
    )
    return Part(text=spoken, say=f"{start(the(device))} has {level:g}% battery. {advice}")


def _warmth(spoken: str, home: Home) -> Part | None:
    climate = [d for d in home.devices if home.takes(d, "set_temperature")]
    if not climate:
        return None
    told = _part(spoken, [{"device_id": climate[0].id, "attribute": "target_c"}])
    reads = describe(climate[:1], home)

    def tell(results: Sequence[ToolResult]) -> str:
        return f"{reads} {_told(results)}".strip()

    return Part(text=spoken, calls=told.calls, tell=tell)


def _meant(words: Sequence[str], home: Home) -> Sequence[Device]:
    """What the question is about: all its nouns together (a kind of device, a room), else what it names in full."""
    nouns = [w for w in words if w not in _ASIDE]
    pool = _pool(words, home)
    found = resolve(nouns, pool, areas=home.areas, floors=home.floors, fuzzy=False) if nouns else None
    devices = (found.devices or found.ambiguous) if found is not None else ()
    if 0 < len(devices) < len(home.devices) and ((found and found.devices) or len({d.type for d in devices}) == 1):
        return devices
    return [d for d in mentioned(words, pool, home) if {*name_words(d.name)} & {*nouns}]


def _pool(words: Sequence[str], home: Home) -> Sequence[Device]:
    """The devices that can be what the question says: what unlocked is a lock, not the contact of its door."""
    for said, attribute in ((("unlock", "unlocked", "locked", "unlocks"), "lock"), (("on", "off"), "on")):
        fitting = [d for d in home.devices if attribute in home.state(d)] if {*said} & {*words} else []
        if fitting:
            return fitting
    return home.devices


def _wanted(words: Sequence[str], named: Sequence[Device], home: Home) -> list[Device]:
    """Of several that were named, those that are as the question says they are; a few of them."""
    if len(named) <= 1:
        return list(named)
    for word, attribute, value in (("on", "on", True), ("off", "on", False), ("unlocked", "lock", "unlocked"),
                                   ("locked", "lock", "locked"), ("open", "open", True)):  # fmt: skip
        if word in words:
            fitting = [d for d in named if home.state(d).get(attribute) == value]
            if fitting:
                return fitting[:_MOST]
    return list(named[:_MOST])


#: What somebody did -> how the lock is then, and the event that tells of it.
_TURNED: Final = {"unlocked": ("unlocked", "door_unlocked"), "locked": ("locked", "door_locked")}
_DAYS_BACK: Final = 7


def _who_then(words: Sequence[str], spoken: str, devices: Sequence[Device], home: Home) -> Part | None:
    """Who locked or unlocked something that is otherwise by now: its last such event, and what led to that."""
    verb = next((v for v in _TURNED if v in words), "")
    if not verb or len(devices) != 1 or home.state(devices[0]).get("lock") in (None, _TURNED[verb][0]):
        return None
    device, kind = devices[0], _TURNED[verb][1]

    def rows(results: Sequence[ToolResult]) -> Sequence[Mapping[str, object]] | None:
        looked = next((r for r in results if r.name == "get_recent_events"), None)
        if looked is None or looked.status != "ok":
            return None
        return [r for r in looked.output.get("events") or () if isinstance(r, Mapping) and r.get("event_id")]

    def follow(results: Sequence[ToolResult]) -> Sequence[Call]:
        found = rows(results)
        return (Call("explain", {"event_id": str(found[0]["event_id"])}),) if found else ()

    def tell(results: Sequence[ToolResult]) -> str:
        found = rows(results)
        if found is None:
            return _told([r for r in results if r.name == "get_recent_events"])
        if not found:
            return start(f"{the(device)} was not {verb} in the last {_DAYS_BACK} days, as far as I know.")
        return _told([r for r in results if r.name == "explain"])

    wanted = {"hours": 24 * _DAYS_BACK, "limit": 1, "event_type": kind, "device_id": device.id}
    return Part(text=spoken, calls=(Call("get_recent_events", wanted),), tell=tell, follow=follow)


def _arguments(words: Sequence[str], device: Device, home: Home) -> dict[str, str]:
    state = home.state(device)
    for said, attribute in _SPOKEN:
        if attribute in state and set(said) & set(words):
            return {"device_id": device.id, "attribute": attribute}
    return {"device_id": device.id}


def _part(spoken: str, calls: Sequence[dict[str, str]]) -> Part:
    return Part(text=spoken, calls=tuple(Call("explain", c) for c in calls), tell=_told)


def _told(results: Sequence[ToolResult]) -> str:
    said = []
    for result in results:
        if result.status == "ok":
            said.append(str(result.output.get("text") or "I don't know."))
        else:
            said.append(f"I could not look that up: {plain_error(result.error, 'the tool did not answer')}.")
    return " ".join(dict.fromkeys(said))
