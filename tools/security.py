"""Whether a home is shut: locks, doors, windows, garage, detectors; what is not known is named, never assumed. Pure."""

from typing import Final

from homeguard.clock import iso
from homeguard.model import Attributes, Device, LiveState

#: Types whose silence makes "all secure" unknowable, besides everything that locks, opens or is placed in an opening.
_WATCHED: Final = frozenset(
    ("lock", "contact", "garage_door", "gate", "alarm_panel", "smoke", "heat", "co", "gas", "water_leak", "glass_break")
)
_OPENINGS: Final = frozenset(("door", "window", "garage", "gate"))
#: Attribute -> what it means when it is true.
_ALARMS: Final = {
    "smoke": "reports smoke", "heat": "reports dangerous heat", "co": "reports carbon monoxide",
    "gas": "reports gas", "water_leak": "reports a water leak", "glass_break": "reports breaking glass",
    "tamper": "reports tampering",
}  # fmt: skip


def is_watched(device: Device) -> bool:
    """It has a say in "is everything secure?"."""
    return (
        device.type in _WATCHED
        or "lock" in device.capabilities
        or "contact" in device.capabilities
        or ("position" in device.capabilities and str(device.config.get("placement", "")) in _OPENINGS)
    )


def trouble(device: Device, state: LiveState | None) -> str:
    """Why this device keeps the home from being secure, `""` when it does not.

    A watched device that is offline, or never said how it is, is in trouble too: its state is not known.
    """
    known: Attributes = state.attributes if state is not None else {}
    for attribute, words in _ALARMS.items():
        if known.get(attribute) is True:
            return words
    if not is_watched(device):
        return ""
    what = _shut_state(device, known)
    if state is None or not state.available:
        last = f", last said {what[1]}" if what[1] else ""
        since = f" since {iso(state.last_seen_at)}" if state is not None and state.last_seen_at is not None else ""
        return f"not known: offline{since}{last}"
    return what[0]


def _shut_state(device: Device, values: Attributes) -> tuple[str, str]:
    """(why it is not secure or `""`, the state in one word or `""`)."""
    if "lock" in device.capabilities:
        lock = values.get("lock")
        return ("" if lock == "locked" else str(lock) if lock else "not known: it never said", str(lock or ""))
    if "contact" in device.capabilities:
        is_open = values.get("open")
        if is_open is None:
            return "not known: it never said", ""
        return ("open", "open") if is_open else ("", "closed")
    if "position" in device.capabilities:
        cover = values.get("cover")
        position = values.get("position_pct")
        if cover is None and position is None:
            return "not known: it never said", ""
        if cover == "closed" or (cover is None and position == 0):
            return "", "closed"
        word = str(cover) if cover not in (None, "stopped") else "partly open"
        return word, word
    return "", ""
