"""A clause that is a rule ("every night ...", "when ...") as the call that makes it, or why it cannot be one."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from agent.models.offline.act import Context
from agent.models.offline.automating import event_kind, event_trigger, split_rule
from agent.models.offline.frames import Frame, frame
from agent.models.offline.home import Home
from agent.models.offline.later import deeds_of, rule
from agent.models.offline.parts import Part, question, refusal
from agent.models.offline.rule_times import (
    Held,
    around_state,
    condition_rows,
    conditions_of,
    state_trigger,
    sun_trigger,
)
from agent.models.offline.wording import names_of, start, the, unlocked_name
from agent.models.offline.words import those
from homeguard.model import Device
from homeguard.targets import resolve

_TRIGGER_WORDS: Final = those(
    "opens open opened closes close closed is gets unlocks unlocked unlock locks locked detected rings someone anyone "
    "there was motion movement sensor a any comes come home leaves leave in at seen pressed smoke leak water moves i "
    "we everyone he she get arrives arrive goes offline low battery detects has been being gets becomes unlocking "
    "opening somebody anybody then have saw sees something notices notice spots spot senses sense catches picks "
    "up people "
    "person presses press pushes moves moving triggers goes triggered trip trips tripped sounds ever off"
)
#: What has happened, as a notification says it.
_HAPPENED: Final[Mapping[str, str]] = {
    "open": "was opened", "close": "was closed", "unlock": "was unlocked", "lock": "was locked",
    "motion": "saw motion", "ring": "was pressed", "smoke": "detected smoke", "leak": "found a leak",
    "arrive": "came home", "leave": "left home", "offline": "went offline", "battery": "has a low battery",
}  # fmt: skip
_HAPPENS: Final[Mapping[str, str]] = {
    "open": "opens", "close": "closes", "unlock": "is unlocked", "lock": "is locked", "motion": "sees motion",
    "ring": "is pressed", "smoke": "detects smoke", "leak": "finds a leak", "arrive": "arrives", "leave": "leaves",
    "offline": "goes offline", "battery": "has a low battery",
}  # fmt: skip
_ANYTHING: Final[Mapping[str, str]] = {
    "open": "a door", "close": "a door", "unlock": "a lock", "lock": "a lock", "motion": "a motion sensor",
    "ring": "the doorbell", "smoke": "a smoke detector", "leak": "a leak sensor", "arrive": "somebody",
    "leave": "somebody", "offline": "a device", "battery": "a device",
}  # fmt: skip
_CAPABLE: Final[Mapping[str, tuple[str, str]]] = {
    "motion": ("motion", "motion"), "smoke": ("smoke", "smoke"), "leak": ("water_leak", "leaks"),
}  # fmt: skip


def rule_part(words: Sequence[str], text: str, home: Home, now: datetime, area: str) -> Part | None:
    """The part for a rule; `None` when the sentence is none."""
    words = _with_comma(words)
    whole = frame(words, home.devices, home.places)
    found, held = _split(words)
    stated = around_state(words) if not whole.question else None
    if stated is not None:
        found, held = ("event", *stated), Held(tuple(words))
    if found is None or found[0] != "event" or whole.negated:
        return None
    _, trigger_words, action_words = found
    wanted = frame(action_words, home.devices, home.places)
    notify = bool(_NOTIFY & set(action_words)) or tuple(action_words[:3]) == ("let", "me", "know")
    if not wanted.actions and not notify:
        return None
    if "timer" in words or "timers" in words:
        return None
    if _LASTS.search(" ".join(trigger_words)):
        return refusal(text, _NO_LASTING)
    state = state_trigger(trigger_words, home) or sun_trigger(trigger_words, now)
    if state is not None:
        made = _deeds(action_words, home, area, None, notify, wanted)
        if isinstance(made, Part):
            return made
        conditions = [*held.rows, *(condition_rows(held.conditions))]
        when = f"{state.said}{f' {held.said}' if held.said else ''}"
        return rule(text, when, state.trigger, conditions, *made)
    device, happens = _trigger(trigger_words, home, area)
    if isinstance(happens, Part):
        return happens
    if not happens:
        return refusal(text, _UNKNOWN_TRIGGER)
    trigger = event_trigger(happens, device)
    if held.conditions:
        trigger["conditions"] = dict(held.conditions)
    whom = the(device) if device is not None else _ANYTHING[happens]
    made = _deeds(action_words, home, area, device, notify, wanted)
    if isinstance(made, Part):
        return made
    actions, deeds = made
    if not actions or deeds[-1:] == ["notify you"]:
        message = start(f"{whom} {_HAPPENED[happens]}.")
        actions = [*actions[: len(deeds) - 1], {"type": "notification", "channel": "push", "message": message}]
    when = f"when {whom} {_HAPPENS[happens]}{f' {held.said}' if held.said else ''}"
    return rule(text, when, trigger, held.rows, actions, deeds)


def _deeds(
    words: Sequence[str], home: Home, area: str, it: Device | None, notify: bool, wanted: Frame
) -> tuple[list[dict[str, Any]], list[str]] | Part:
    """The actions of a rule with how they are said; a notice when the words want one or nothing else."""
    actions: list[dict[str, Any]] = []
    deeds: list[str] = []
    if wanted.actions and not (notify and wanted.actions == ("set",)):
        made = deeds_of(words, home, area, Context(devices=(it,) if it is not None else ()))
        if isinstance(made, Part):
            return made
        actions, deeds = made
    if (notify and not any(a["type"] == "notification" for a in actions)) or not actions:
        actions = [*actions, {"type": "notification", "channel": "push", "message": _message(words)}]
        deeds = [*deeds, "notify you"]
    return actions, deeds


def _message(words: Sequence[str]) -> str:
    text = re.sub(r"^.*?\b(?:that|to|about)\b ", "", " ".join(words))
    return start(f"{text}.") if text and text != " ".join(words) else "It is time."


_NOTIFY: Final = those("notify alert tell warn remind message inform ping")
_LASTS: Final = re.compile(
    r"\b(?:left|stays?|remains?|still) (?:open|unlocked|on)\b|\bfor (?:more than |over |longer than |at least )?"
    r"(?:\d+(?:\.\d+)?|a|an|too) (?:minute|hour|second|long)s?\b"
)
_NO_LASTING: Final = (
    "I can't watch how long something lasts. I can act at the moment when it happens: \"when the front door opens, "
    'notify me".'
)
_UNKNOWN_TRIGGER: Final = (
    "I don't know that trigger. Rules can start from doors and windows, locks, motion, smoke, leaks, the doorbell, low "
    "batteries and devices that go offline."
)


_ACTING: Final = those(
    "turn switch lock unlock open close dim shut start stop play pause put make raise lower notify tell alert warn "
    "send set arm let"
)
_NOT_BEFORE: Final = those("to is are the i we you they he she someone somebody anyone anybody not and then please")
_OPENERS: Final = those("when whenever once if")


def _with_comma(words: Sequence[str]) -> list[str]:
    """ "When it opens turn on the lamp" with the comma that speech leaves out."""
    words = list(words)
    start_at = 1 if words[:1] == ["please"] else 0
    first = words[start_at] if len(words) > start_at else ""
    if first not in _OPENERS or {",", "then"} & set(words) or words[-1:] == ["?"]:
        return words
    if first == "if" and words[start_at + 1 : start_at + 3] != ["there", "is"] and not event_kind(words):
        return words
    for at in range(start_at + 3, len(words) - 1):
        if words[at] in _ACTING and words[at - 1] not in _NOT_BEFORE:
            return [*words[:at], ",", *words[at:]]
    return words


def _split(words: Sequence[str]) -> tuple[tuple[str, list[str], list[str]] | None, Held]:
    """The rule's parts, with the times and states that were said beside its trigger taken out."""
    held = conditions_of(words)
    if held.conditions or held.rows:
        found = split_rule(held.words)
        if found is not None and found[0] == "event":
            return found, held
    return split_rule(words), Held(tuple(words))


def _trigger(words: Sequence[str], home: Home, area: str) -> tuple[Device | None, str | Part]:
    """The device of the event (`None`: any) and what happens, or the part that says why there is none."""
    kind = event_kind(words)
    if not kind:
        return None, ""
    rest = [w for w in words if w not in _TRIGGER_WORDS]
    spoken = " ".join(words)

    def fits(device: Device) -> bool:
        if kind in _CAPABLE:
            return _CAPABLE[kind][0] in device.capabilities
        if kind in ("lock", "unlock"):
            return device.type == "lock"
        if kind in ("open", "close"):
            return device.type in ("contact", "garage_door", "gate", "cover")
        if kind == "ring":
            return device.type == "doorbell"
        if kind in ("arrive", "leave"):
            return device.type == "presence"
        return kind == "offline" or "battery" in device.capabilities

    pool = [d for d in home.devices if fits(d)]
    if not [
        w
        for w in rest
        if w
        not in ("the", "my", "door", "doors", "window", "house", "home", "lock", "sensor", "detector", "alarm", "off")
    ]:
        if not pool:
            return None, refusal(spoken, f"Nothing in this home tells me when {_ANYTHING[kind]} {_HAPPENS[kind]}.")
        return (pool[0] if len(pool) == 1 else None), kind
    found = resolve(rest, home.devices, areas=home.areas, floors=home.floors, near_area=area, able=fits, implied=fits)
    devices = [d for d in (found.devices or found.ambiguous) if fits(d)]
    if len(devices) == 1:
        return devices[0], kind
    if devices:
        return None, question(spoken, f"Which one should trigger it: {names_of(devices, 4)}?")
    others = found.devices or found.ambiguous
    if not others:
        said = " ".join(w for w in rest if w not in ("the", "my"))
        sensed = f" that senses {_CAPABLE[kind][1]}" if kind in _CAPABLE and found.area else ""
        if sensed:
            return None, refusal(spoken, f"There is nothing in the {found.area.lower()}{sensed}.")
        return None, refusal(spoken, f'I can\'t find "{said}" in this home.')
    only = others[0]
    if only.type == "lock":
        name = unlocked_name(only)
        other = f' I can use its lock: say "when the {name} is {"unlocked" if kind == "open" else "locked"}, ...".'
        return None, refusal(
            spoken,
            f"There is no sensor on the {name} that tells me when it {_HAPPENS[kind]}."
            + (other if kind in ("open", "close") else ""),
        )
    return None, refusal(spoken, f"{start(the(only))} does not tell me when it {_HAPPENS[kind]}.")
