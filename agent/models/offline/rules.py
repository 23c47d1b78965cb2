"""A clause that is a rule ("every night ...", "when ...") as the call that makes it, or why it cannot be one."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from agent.models.offline.act import Context, targets
from agent.models.offline.acting import Cannot, Order, order
from agent.models.offline.automating import event_kind, event_trigger, split_rule
from agent.models.offline.frames import frame
from agent.models.offline.home import Home
from agent.models.offline.parts import Call, Part, doing, plain_error, question, read, refusal
from agent.models.offline.rule_times import Held, conditions_of
from agent.models.offline.wording import listed, names_of, start, the, unlocked_name
from agent.models.offline.words import those
from agent.models.protocol import ToolResult
from homeguard.model import Device
from homeguard.targets import resolve

_TRIGGER_WORDS: Final = those(
    "opens open opened closes close closed is gets unlocks unlocked unlock locks locked detected rings someone anyone "
    "there was motion movement sensor a any comes come home leaves leave in at seen pressed smoke leak water moves i "
    "we everyone he she get arrives arrive goes offline low battery detects has been being gets becomes unlocking "
    "opening somebody anybody then have saw sees something"
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

_ONCE = 'I can\'t do things once at a later time. I can make a rule: say "when ... happens, do ...".'


def rule_part(words: Sequence[str], text: str, home: Home, now: datetime, area: str) -> Part | None:
    """The part for a rule; `None` when the sentence is none."""
    listed_rules = _rules_asked(words, text, home)
    if listed_rules is not None:
        return listed_rules
    words = _with_comma(words)
    whole = frame(words, home.devices, home.places)
    found, held = _split(words)
    if found is None or whole.negated or (whole.question and found[0] != "event"):
        return None
    if found[0] == "delay" and {"mode", "record", "film", "recording"} & set(words):
        return None
    kind, trigger_words, action_words = found
    wanted = frame(action_words, home.devices, home.places)
    notify = bool(_NOTIFY & set(action_words)) or tuple(action_words[:3]) == ("let", "me", "know")
    if not wanted.actions and not notify:
        return None
    if "timer" in words or "timers" in words:
        return None
    if kind in ("once", "delay"):
        return refusal(text, _ONCE)
    if kind == "schedule":
        return refusal(text, _NO_CLOCK)
    if held.unknown:
        return refusal(text, _NO_DAYS)
    if _LASTS.search(" ".join(trigger_words)):
        return refusal(text, _NO_LASTING)
    device, happens = _trigger(trigger_words, home, area)
    if isinstance(happens, Part):
        return happens
    if not happens:
        return refusal(text, _UNKNOWN_TRIGGER)
    trigger = event_trigger(happens, device)
    if held.conditions:
        trigger["conditions"] = dict(held.conditions)
    whom = the(device) if device is not None else _ANYTHING[happens]
    actions: list[dict[str, Any]] = []
    deeds: list[str] = []
    if wanted.actions and not (notify and wanted.actions == ("set",)):
        made = _actions(action_words, home, area, device)
        if isinstance(made, Part):
            return made
        actions, deeds = made
    if notify or not actions:
        message = start(f"{whom} {_HAPPENED[happens]}.")
        actions = [*actions, {"type": "notification", "channel": "push", "message": message}]
        deeds = [*deeds, "notify you"]
    when = f"when {whom} {_HAPPENS[happens]}{f' {held.said}' if held.said else ''}"
    name = start(f"{listed(deeds)} {when}")
    name = name if len(name) <= 100 else f"{name[:99].rsplit(' ', 1)[0]}…"
    arguments: dict[str, Any] = {"name": name, "trigger": trigger, "conditions": [], "actions": actions}
    return Part(
        text=text, calls=(Call("create_automation", arguments),), tell=lambda results: _told(results, when, deeds)
    )


_ASKED: Final = re.compile(
    r"^(?:(?:can you |please )*(?:show|list|tell|read)(?: me)?|what(?: are)?|which|do i have|how many|are there)\b.*"
    r"\b(?:rules|automations|routines)\b"
)


def _rules_asked(words: Sequence[str], text: str, home: Home) -> Part | None:
    """ "Which rules do I have?": read from the rules of the home."""
    if not _ASKED.search(" ".join(words)):
        return None

    def tell(output: Mapping[str, Any]) -> str:
        rows = [r for r in output.get("automations") or () if isinstance(r, Mapping)]
        if not rows:
            return (
                'There are no rules in this home yet. Say one: "when the front door is unlocked at night, notify me".'
            )
        names = [f'"{r.get("name")}"{"" if r.get("enabled", True) else " (switched off)"}' for r in rows]
        return f"You have {len(rows)} rule{'s' if len(rows) != 1 else ''}: {listed(names, 6)}."

    return read(text, "list_automations", {}, tell)


_NOTIFY: Final = those("notify alert tell warn remind message inform ping")
_NO_CLOCK: Final = (
    "I can't start anything by the clock yet. I can make rules that something in the home sets off, within hours if "
    'you like: "when the front door is unlocked between 10 PM and 6 AM, notify me".'
)
_LASTS: Final = re.compile(
    r"\b(?:left|stays?|remains?|still) (?:open|unlocked|on)\b|\bfor (?:more than |over |longer than |at least )?"
    r"(?:\d+(?:\.\d+)?|a|an|too) (?:minute|hour|second|long)s?\b"
)
_NO_LASTING: Final = (
    "I can't watch how long something lasts. I can act at the moment when it happens: \"when the front door opens, "
    'notify me".'
)
_NO_DAYS: Final = (
    "I can limit a rule to hours or to a mode of the house, but not to days of the week or to the sun. Say it with "
    'times, such as "between 8 PM and 6 AM".'
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
    if held.conditions or held.unknown:
        found = split_rule(held.words)
        if found is not None and found[0] == "event":
            return found, held
    return split_rule(words), Held(tuple(words))


def _told(results: Sequence[ToolResult], when: str, deeds: Sequence[str]) -> str:
    result = results[0]
    does = f"{when}, I will {listed(deeds)}"
    if result.status == "asked":
        return f"I need your OK for this rule: {does}. Please confirm on the card."
    if result.status == "denied":
        return "Okay, I did not make that rule."
    if result.status == "ok" and str(result.output.get("outcome") or "confirmed") not in ("failed", "refused"):
        return f"Your rule is set up: {does}."
    reason = result.error or str(result.output.get("reason") or "it did not work")
    return f"I could not make that rule: {plain_error(reason)}."


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


def _actions(
    words: Sequence[str], home: Home, area: str, it: Device | None
) -> tuple[list[dict[str, Any]], list[str]] | Part:
    """The commands of a rule and how they are said, or why there are none."""
    wanted = frame(words, home.devices, home.places)
    spoken = " ".join(words)
    why = f'I can\'t find what to do in "{spoken}".'
    for action in wanted.actions:
        found = targets(action, wanted, home, area, "", Context(devices=(it,) if it is not None else ()))
        if found.ambiguous or found.suggestions:
            which = names_of(found.ambiguous or found.suggestions, 4)
            return question(spoken, f"Which one do you mean: {which}?")
        if not found.devices:
            said = " ".join(found.said or found.unmatched)
            why = f'I can\'t find "{said}" in this home.' if said else why
            continue
        tried = [(d, order(action, wanted, home, d)) for d in found.devices]
        orders = [(d, o) for d, o in tried if isinstance(o, Order)]
        if orders:
            actions = [
                {"type": "device_command", "device_id": d.id, "command": o.command, "parameters": dict(o.parameters)}
                for d, o in orders
            ]
            first = orders[0][1]
            same = [d for d, o in orders if o == first]
            rest = [doing(o.command, o.parameters, home, the(d)) for d, o in orders if o != first]
            return actions, [doing(first.command, first.parameters, home, names_of(same, 4)), *rest]
        device, cannot = tried[0]
        why = f"{start(the(device))} {cannot.why if isinstance(cannot, Cannot) else 'cannot do that'}."
    return refusal(spoken, why)
