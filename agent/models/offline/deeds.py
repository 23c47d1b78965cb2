"""What people ask to have been done, as words and as the events that say it was: unlocked, turned off, armed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from homeguard.model import Device

_MODES: Final = r"(?:home|away|vacation|holiday|party|sleep|night|guest)"
_MODE: Final = re.compile(
    rf"\bmode\b|\b(?:home|house) (?:in|into|to|on) (?P<named>{_MODES})\b|\b(?P<bare>{_MODES}) mode\b"
)
_ALARM: Final = re.compile(r"\b(?:alarm|security system|alarm system|house alarm)\b")
_OFF: Final = re.compile(r"\b(?:off|out)\b")
_ON: Final = re.compile(r"\bon\b(?! (?:monday|tuesday|wednesday|thursday|friday|saturday|sunday))")
_SWITCHED: Final = re.compile(
    r"\b(?:turn|turned|switch|switched|go|went|come|came|put|set|get|got|is|was|were|be|been)\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """`state` and `other_state` are how a device is after it and after its opposite; `mode` a mode that was named."""

    name: str
    state: str = ""
    other_state: str = ""
    #: Event types that say it happened, and those of the opposite.
    kinds: frozenset[str] = frozenset()
    other_kinds: frozenset[str] = frozenset()
    #: The attribute and its value after it.
    attribute: str = ""
    value: object = None
    capabilities: frozenset[str] = frozenset()
    of_devices: bool = True
    phrase: str = ""
    mode: str = ""

    def can(self, device: Device) -> bool:
        """Whether this can happen to the device."""
        return bool(self.capabilities & set(device.capabilities))

    def is_state(self, text: str) -> bool:
        """Whether "was it ..." asks how it was and not what was done: "was it locked at 3"."""
        return bool(self.state) and re.search(rf"\b{self.state}\b", text) is not None and " turned " not in f" {text} "

    def holds(self, event: Mapping[str, Any]) -> bool | None:
        """Whether the device is so after this event; None when the event says nothing of it."""
        kind, payload = str(event.get("event_type") or ""), event.get("payload")
        if kind in self.kinds | self.other_kinds:
            return kind in self.kinds
        told = payload.get(self.attribute) if isinstance(payload, Mapping) and kind == "state_changed" else None
        return None if told is None else told == self.value

    def said(self, names: str, event: Mapping[str, Any] | None, *, is_many: bool) -> str:
        """`the porch light was turned on`; of the alarm and the mode without names."""
        if not self.of_devices:
            payload = event.get("payload") if event is not None else None
            return self.phrase.format(mode=_mode_of(payload) or self.mode or "another")
        return f"{names} {'were' if is_many else 'was'} {self.phrase}"

    @property
    def denied(self) -> tuple[str, str]:
        """What to put in the place of what, for "was not"."""
        if self.name in ("came home", "left home"):
            return "somebody was seen to", "nobody was seen to"
        if self.name == "mode":
            return "went to another mode", "did not change its mode" if not self.mode else "did not go"
        return ("was ", "was not ") if self.name in ("armed", "disarmed") or self.of_devices else ("went", "did not go")


def _switch(name: str, value: bool) -> Deed:
    return Deed(
        name=name, state=name, other_state="off" if value else "on", attribute="on", value=value,
        capabilities=frozenset(("on_off",)), phrase=f"turned {name}",
    )  # fmt: skip


_OPENED: Final = frozenset(("door_open", "window_open", "garage_open"))
_CLOSED: Final = frozenset(("door_closed", "window_closed", "garage_closed"))
_OPENING: Final = frozenset(("contact", "position", "garage"))
_DEEDS: Final[Mapping[str, Deed]] = {
    "unlock": Deed(name="unlock", state="unlocked", other_state="locked", kinds=frozenset(("door_unlocked",)),
                   other_kinds=frozenset(("door_locked",)), attribute="lock", value="unlocked",
                   capabilities=frozenset(("lock",)), phrase="unlocked"),
    "lock": Deed(name="lock", state="locked", other_state="unlocked", kinds=frozenset(("door_locked",)),
                 other_kinds=frozenset(("door_unlocked",)), attribute="lock", value="locked",
                 capabilities=frozenset(("lock",)), phrase="locked"),
    "open": Deed(name="open", state="open", other_state="closed", kinds=_OPENED, other_kinds=_CLOSED,
                 attribute="cover", value="open", capabilities=_OPENING, phrase="opened"),
    "close": Deed(name="close", state="closed", other_state="open", kinds=_CLOSED, other_kinds=_OPENED,
                  attribute="cover", value="closed", capabilities=_OPENING, phrase="closed"),
    "on": _switch("on", True),
    "off": _switch("off", False),
    "armed": Deed(name="armed", of_devices=False, phrase="the alarm was armed"),
    "disarmed": Deed(name="disarmed", of_devices=False, phrase="the alarm was disarmed"),
    "mode": Deed(name="mode", of_devices=False, phrase="the house went to {mode} mode"),
    "came home": Deed(name="came home", kinds=frozenset(("geofence_arriving",)), of_devices=False,
                      phrase="somebody was seen to come home"),
    "left home": Deed(name="left home", kinds=frozenset(("geofence_leaving",)), of_devices=False,
                      phrase="somebody was seen to leave"),
}  # fmt: skip
_WORDS: Final[Sequence[tuple[re.Pattern[str], str]]] = (
    (re.compile(r"\bunlock(?:ed|s|ing)?\b"), "unlock"),
    (re.compile(r"\block(?:ed|s|ing)?\b(?! (?:been|get|got))"), "lock"),
    (re.compile(r"\bopen(?:ed|s|ing)?\b"), "open"),
    (re.compile(r"\b(?:close[ds]?|closing|shut)\b"), "close"),
)


def happening(name: str) -> Deed:
    """The deed of that name."""
    return _DEEDS[name]


def deed_of(words: Sequence[str], text: str) -> Deed | None:
    """The deed that a question is about, None for none."""
    mode = _MODE.search(text)
    if mode is not None and not _ALARM.search(text):
        named = mode["named"] or mode["bare"] or ""
        return Deed(name="mode", of_devices=False, phrase="the house went to {mode} mode", mode=named)
    if _ALARM.search(text) and re.search(r"\b(?:go|goes|going|went|gone|set) off\b", text):
        return None  # it sounded
    if re.search(r"\bdisarm(?:ed|ing)?\b", text) or (_ALARM.search(text) and _OFF.search(text)):
        return _DEEDS["disarmed"]
    if re.search(r"\barm(?:ed|ing)?\b", text) or (
        _ALARM.search(text) and re.search(r"\b(?:set|put|on|activated?|enabled?)\b", text)
    ):
        return _DEEDS["armed"]
    for pattern, name in _WORDS:
        if pattern.search(text):
            return _DEEDS[name]
    if _SWITCHED.search(text) and {"light", "lamp", "lights", "lamps", "plug", "switch", "fan", "tv"} & {*words}:
        if _OFF.search(text):
            return _DEEDS["off"]
        if _ON.search(text):
            return _DEEDS["on"]
    return None


def happened(deed: Deed, event: Mapping[str, Any]) -> bool:
    """Whether the event says that it happened."""
    kind, payload = str(event.get("event_type") or ""), event.get("payload")
    if deed.name in ("armed", "disarmed"):
        state = payload.get("arm_state") if isinstance(payload, Mapping) else None
        return kind in ("arm_state_changed", "mode_changed") and str(state or "").startswith(deed.name)
    if deed.name == "mode":
        named = {"holiday": "vacation", "night": "sleep"}.get(deed.mode, deed.mode)
        return kind == "mode_changed" and (not named or _mode_of(payload) == named)
    return deed.holds(event) is True


def _mode_of(payload: object) -> str:
    return str(payload.get("mode") or "") if isinstance(payload, Mapping) else ""
