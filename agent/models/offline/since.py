""" "How long has the porch light been on?": since when something is as it is. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from agent.models.offline.home import Home
from agent.models.offline.moments import spoken_span
from agent.models.offline.parts import Call, Part, plain_error
from agent.models.offline.wording import start, the, when
from agent.models.protocol import ToolResult
from homeguard.clock import parse_time
from homeguard.model import Device
from homeguard.targets import resolve

_STATES: Final = r"on|off|open|closed|shut|locked|unlocked|running|playing|running for"
_ASKED: Final = re.compile(
    rf"^(?:(?:and|so|hey|ok|okay|tell me|do you know),? )*(?:how long|since when) (?:has|have|is|are|s) (?P<what>.+?)"
    rf"(?: been)?(?: (?:left|sitting|standing|turned|switched))? (?P<state>{_STATES})(?: (?:for|now|already))*[ ?.!]*$"
)
_SAME: Final = {"shut": "closed", "running": "on", "running for": "on"}
_ATTRIBUTES: Final = {"on": "on", "off": "on", "locked": "lock", "unlocked": "lock"}
_MOST: Final = 4


def since_part(
    text: str, spoken: str, home: Home, area: str, known: Sequence[Device], now: datetime
) -> tuple[Part, tuple[Device, ...]] | None:
    """The part and its devices, `None` for another question. `known`: what was spoken of before; `now` is local."""
    asked = _ASKED.match(text)
    if asked is None:
        return None
    state = _SAME.get(asked["state"], asked["state"])
    if asked["what"] in ("it", "that", "they", "those", "these", "this"):
        devices = tuple(known[:_MOST])
    else:
        found = resolve(
            asked["what"].split(), home.devices, areas=home.areas, floors=home.floors, near_area=area,
            able=lambda d: _word(d, home, state) != "",
        )  # fmt: skip
        devices = (found.devices or found.ambiguous)[:_MOST]
    devices = tuple(d for d in devices if _word(d, home, state))
    if not devices:
        return None
    calls = tuple(Call("explain", _arguments(d, home, state)) for d in devices)

    def tell(results: Sequence[ToolResult]) -> str:
        return " ".join(_told(r, d, home, state, now) for r, d in zip(results, devices, strict=False))

    return Part(text=spoken, calls=calls, tell=tell), devices


def _arguments(device: Device, home: Home, state: str) -> dict[str, str]:
    attribute = _ATTRIBUTES.get(state, "")
    return {"device_id": device.id} | ({"attribute": attribute} if attribute in home.state(device) else {})


def _word(device: Device, home: Home, state: str) -> str:
    """How the device is, in the words of the question; empty when it has no such state."""
    now = home.state(device)
    if state in ("locked", "unlocked"):
        return str(now.get("lock") or "")
    if state in ("open", "closed"):
        if isinstance(now.get("open"), bool):
            return "open" if now["open"] else "closed"
        return str(now["cover"]) if now.get("cover") in ("open", "closed") else ""
    if state == "playing":
        return str(now.get("playback") or "")
    return ("on" if now["on"] else "off") if isinstance(now.get("on"), bool) else ""


def _told(result: ToolResult, device: Device, home: Home, state: str, now: datetime) -> str:
    word = _word(device, home, state)
    if result.status != "ok":
        return f"I could not look that up: {plain_error(result.error, 'the tool did not answer')}."
    try:
        at = parse_time(result.output.get("at")).astimezone(now.tzinfo)
    except ValueError:
        return start(f"{the(device)} is {word}; since when I don't know.")
    long = max(timedelta(), now - at)
    told = f"{the(device)} has been {word} for {spoken_span(long.total_seconds())}, since {when(at, now)}."
    return start(told.replace("since at ", "since ").replace("since on ", "since "))
