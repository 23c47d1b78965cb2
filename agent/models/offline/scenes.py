"""Modes of the house: "away mode", "good night", "I'm leaving" -> `set_home_mode`."""

import re
from collections.abc import Sequence
from typing import Any

from agent.models.offline.frames import Frame
from agent.models.offline.home import Home
from agent.models.offline.lexicon import HOME_MODES
from agent.models.offline.parts import Call, Part, plain_error
from agent.models.protocol import ToolResult
from homeguard.targets import resolve

_PLAIN = (
    (r"^(?:ok |okay |well )?good ?night(?: everyone| all| homeguard| house)?$", "sleep"),
    (r"\b(?:i am|we are) (?:going|off|heading) to (?:bed|sleep)\b", "sleep"), (r"^time for bed$", "sleep"),
    (r"\b(?:i am|we are) (?:leaving|going out|heading out|off to work|off|going to work|out)\b", "away"),
    (r"\b(?:i am|we are) (?:home|back|back home)$", "home"),
    (r"\b(?:i am|we are) (?:going|off|leaving) (?:on|for) (?:vacation|holiday)s?\b", "vacation"),
)  # fmt: skip


_ARMING = {"away": ", and the alarm is armed", "vacation": ", and the alarm is armed",
           "sleep": ", and the alarm is armed for the night", "home": ", and the alarm is off"}  # fmt: skip


_ALARM = re.compile(
    r"\b(?:turn|switch|shut|put) (?:(on|off) )?(?:the |my )?"
    r"(?:alarm|security|alarm system|security system)(?: (on|off))?$"
)


def mode_part(found: Frame, spoken: str, home: Home, label: str) -> Part | None:
    """The call for a mode of the house, `None` when the clause is not about one."""
    text = re.sub(r"^(?:hey |ok |please )+|\b(?: please| now)$", "", spoken)
    mode = next((m for pattern, m in _PLAIN if re.search(pattern, text)), "")
    named = re.search(r"\b(home|away|vacation|holiday|party|sleep|night|guest) mode\b", text) or re.search(
        r"\bmode (?:to|on) (home|away|vacation|party|sleep|night)\b", text
    )
    house = re.search(
        r"\b(?:set|put|switch|change) (?:the |my )?(?:house|home|us|alarm|alarm system|system|security) (?:to"
        r"|in|into|on|for) (?:the )?"
        r"(home|away|vacation|holiday|party|sleep|night)\b",
        text,
    )
    if not mode and (house or named):
        if named and not house and _is_device(found, home):
            return None
        match = house or named
        mode = HOME_MODES[match[1]] if match else ""
    alarm = _ALARM.search(text)
    if not mode and alarm and not any(d.type == "alarm_panel" for d in home.devices) and not found.held:
        mode = "away" if "on" in (alarm[1], alarm[2]) else "home"
        label = "arm"
    if not mode and label in ("arm", "disarm") and ("arm" in found.actions or "disarm" in found.actions):
        if any(home.takes(d, "arm") for d in home.devices):
            return None
        words = set(found.words)
        mode = (
            "home"
            if "disarm" in found.actions
            else "sleep"
            if words & {"night", "bed"}
            else "home"
            if words & {"stay"}
            else "away"
        )
    if not mode:
        return None
    if mode == "home" == home.mode and home.arm_state == "disarmed":
        back = "Welcome home. " if re.search(r"\b(?:i am|we are) (?:home|back)", text) else ""
        return Part(text=spoken, say=f"{back}The house is in home mode already, and the alarm is off.")
    arguments: dict[str, Any] = {"mode": mode}
    greeted = not (house or named) and label not in ("arm", "disarm")
    for at, word in enumerate(found.words[:-1]):
        unit = found.words[at + 1]
        if word.replace(".", "").isdigit() and unit in ("day", "days", "hour", "hours", "week", "weeks"):
            factor = {"d": 24, "h": 1, "w": 168}[unit[0]]
            arguments["duration_hours"] = max(1, min(24 * 365, round(float(word) * factor)))
    wish = (
        {"sleep": "Good night. ", "away": "", "vacation": "Have a good trip. ", "home": "Welcome home. "}.get(mode, "")
        if greeted
        else ""
    )

    def tell(results: Sequence[ToolResult]) -> str:
        result = results[0]
        if result.status == "asked":
            what = f"switch the house to {mode} mode, which lowers the alarm"
            return f"{wish}I need your OK to {what}: please confirm on the card."
        if result.status == "denied":
            return "Okay, the house stays as it is."
        outcome = str(result.output.get("outcome") or "confirmed") if result.status == "ok" else "failed"
        if outcome in ("confirmed", "sent"):
            said = result.output.get("summary")
            armed = _ARMING.get(mode, "")
            return f"{wish}The house is in {mode} mode{armed}.{f' {said}' if isinstance(said, str) and said else ''}"
        reason = result.error or str(result.output.get("reason") or "it did not work")
        return f"I could not switch the house to {mode} mode: {plain_error(reason)}."

    return Part(text=spoken, calls=(Call("set_home_mode", arguments),), tell=tell)


def _is_device(found: Frame, home: Home) -> bool:
    """Whether a scene or a device has that name, or a device was named beside it."""
    if found.held:
        return True
    words = [
        w
        for w in found.target
        if w not in HOME_MODES and w not in ("mode", "house", "home", "the", "for", "days", "hours")
    ]
    return bool(words) and bool(resolve(words, home.devices, areas=home.areas, floors=home.floors).devices)
