"""What is wanted at a time, "turn the lamp off in ten minutes", as the call that sees to it. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from agent.models.offline.act import Context, targets
from agent.models.offline.acting import Cannot, Order, order
from agent.models.offline.clauses import clauses
from agent.models.offline.frames import frame
from agent.models.offline.home import Home
from agent.models.offline.moments import When, said_moment, spoken_span, when_of
from agent.models.offline.nowhere import not_here
from agent.models.offline.parts import Call, Part, control, doing, plain_error, question, refusal
from agent.models.offline.stories import story
from agent.models.offline.wording import listed, names_of, start, the
from agent.models.offline.words import those
from agent.models.protocol import ToolResult
from homeguard.model import Device
from homeguard.units import celsius_to_fahrenheit

Deeds = tuple[list[dict[str, Any]], list[str]]
#: A name of a rule is no longer than that.
_NAME: Final = 100
_BACK: Final[Mapping[str, str]] = {
    "turn_on": "turn_off", "turn_off": "turn_on", "open": "close", "unlock": "lock", "play": "pause", "start": "stop",
    "mute": "unmute",
}  # fmt: skip
_TELL: Final = those("notify alert tell warn message inform ping remind")
_NO_MODE: Final = (
    "I can't change the mode of the house by the clock or by a rule. I can do it now, or command devices then: lock, "
    "switch, close, set."
)
_NOTIFY: Final = re.compile(
    r"^(?:(?:please|then|also|and) )*(?:notify|alert|tell|warn|message|inform|ping|remind) (?:me|us)"
    r"(?: (?:(?:to|that|about) )?(?P<what>(?!when|if|whenever).+))?$"
)
_MODE_WORDS: Final = re.compile(r"\b(?:home|away|vacation|party|sleep|night) mode\b|\bmode (?:to|of)\b")


def later_part(words: Sequence[str], text: str, home: Home, now: datetime, area: str, context: Context) -> Part | None:
    """The part for what is to be done at another time or for a while; `None` when the words name no such time."""
    whole = frame(words, home.devices, home.places)
    if whole.question or whole.negated or ("timer" in words or "timers" in words):
        return None
    bare_hours = not _sets_to_a_number(words)
    when = when_of(words, now, bare_hours=bare_hours)
    if when is None:
        return None
    wanted = frame(when.words, home.devices, home.places)
    if not wanted.actions and not _TELL & set(when.words):
        return None
    if when.lasting_s and {"record", "film", "recording", "mode", "interval"} & set(words):
        return None
    if when.unclear:
        return question(text, 'When should I do that? Say for example "in ten minutes" or "at 9 PM".')
    if _MODE_WORDS.search(" ".join(when.words)):
        return refusal(text, _NO_MODE)
    # "... and on again in ten minutes": what was spoken of before it
    left_out = not wanted.target and bool(context.recent)
    made = deeds_of((*when.words, "it") if left_out else when.words, home, area, context)
    if isinstance(made, Part):
        return made
    actions, deeds = made
    if when.lasting_s and not when.trigger:
        return _for_a_while(when, actions, deeds, text, home, now)
    if when.lasting_s:
        back = _reversed(actions)
        if isinstance(back, str):
            return refusal(text, back)
        actions = [*actions, {"type": "delay", "seconds": round(when.lasting_s)}, *back]
        deeds = [*deeds, f"end it after {spoken_span(when.lasting_s)}"]
    return rule(text, when.said, when.trigger, [], actions, deeds, _again(when, now))


def rule(
    text: str, when: str, trigger: Mapping[str, Any], conditions: Sequence[Mapping[str, Any]],
    actions: Sequence[Mapping[str, Any]], deeds: Sequence[str], moment: str = "",
) -> Part:  # fmt: skip
    """The call that makes a rule, told as what will happen; `moment` is when something is done only once. It is kept in
    mind with its time, so that "also lock up then" means that."""
    name = start(f"{listed(deeds)} {when}")
    name = name if len(name) <= _NAME else f"{name[: _NAME - 1].rsplit(' ', 1)[0]}…"
    arguments = {"name": name, "trigger": dict(trigger), "conditions": list(conditions), "actions": list(actions)}
    return Part(
        text=text, calls=(Call("create_automation", arguments),),
        tell=lambda results: told(results[0] if results else None, when, deeds, moment), pending=("rule", when),
    )  # fmt: skip


def told(result: ToolResult | None, when: str, deeds: Sequence[str], moment: str = "") -> str:
    """What came of making a rule."""
    does = f"{when}, I will {listed(deeds)}"
    if result is None:
        return "I could not make that rule: the tool did not answer."
    if result.status == "asked":
        return f"I need your OK for this: {does}. Please confirm on the card."
    if result.status == "denied":
        return "Okay, I did not make that rule."
    if result.status == "ok" and str(result.output.get("outcome") or "confirmed") not in ("failed", "refused"):
        return f"Okay: {when}{moment.rstrip()}, I will {listed(deeds)}." if moment else f"Your rule is set up: {does}."
    reason = result.error or str(result.output.get("reason") or "it did not work")
    if "HOME_PLACE_UNKNOWN" in reason:
        return (
            "I don't know where this home is, so I can't tell when the sun sets there. Its place is set by the owner."
        )
    return f"I could not set that up: {plain_error(reason)}."


def deeds_of(words: Sequence[str], home: Home, area: str, context: Context) -> Deeds | Part:
    """The actions that the words want, in order, with how each is said; a part that says why there are none."""
    actions: list[dict[str, Any]] = []
    deeds: list[str] = []
    for _, clause in clauses(words, home.devices, home.places):
        if _is_told(clause, home):
            continue
        message = _NOTIFY.match(" ".join(clause))
        if message is not None:
            what = message["what"] or "it is time"
            actions.append({"type": "notification", "channel": "push", "message": start(f"{what}.")})
            deeds.append("notify you" if not message["what"] else f'remind you: "{what}"')
            continue
        if _MODE_WORDS.search(" ".join(clause)):
            return refusal(" ".join(words), _NO_MODE)
        made = commands_of(clause, home, area, context)
        if isinstance(made, Part):
            return made
        actions += made[0]
        deeds += made[1]
    if not actions and _MODE_WORDS.search(" ".join(words)):
        return refusal(" ".join(words), _NO_MODE)
    if not actions:
        return refusal(" ".join(words), f'I can\'t find what to do in "{" ".join(words)}".')
    return actions, deeds


def _is_told(words: Sequence[str], home: Home) -> bool:
    """Whether a clause only tells why: "I'm still carrying stuff"."""
    found = frame(words, home.devices, home.places)
    return not found.actions and not found.question and story(found)


def commands_of(words: Sequence[str], home: Home, area: str, context: Context) -> Deeds | Part:
    """The device commands of one clause and how they are said, or the part that says why there are none."""
    wanted = frame(words, home.devices, home.places)
    spoken = " ".join(words)
    why = f'I can\'t find what to do in "{spoken}".'
    for action in wanted.actions:
        found = targets(action, wanted, home, area, "", context)
        if found.ambiguous or found.suggestions:
            which = names_of(found.ambiguous or found.suggestions, 4, "or")
            return question(spoken, f"Which one do you mean: {which}?")
        if not found.devices:
            said = " ".join(found.said or found.unmatched)
            why = not_here(said, home) if said else why
            continue
        tried = [(d, order(action, wanted, home, d)) for d in found.devices]
        orders = [(d, o) for d, o in tried if isinstance(o, Order)]
        if orders:
            return _commands(orders, home)
        device, cannot = tried[0]
        why = f"{start(the(device))} {cannot.why if isinstance(cannot, Cannot) else 'cannot do that'}."
    return refusal(spoken, why)


def _commands(orders: Sequence[tuple[Device, Order]], home: Home) -> Deeds:
    actions: list[dict[str, Any]] = [
        {"type": "device_command", "device_id": d.id, "command": o.command, "parameters": dict(o.parameters)}
        for d, o in orders
    ]
    first = orders[0][1]
    same = [d for d, o in orders if o == first]
    rest = [doing(o.command, o.parameters, home, the(d)) for d, o in orders if o != first]
    return actions, [doing(first.command, first.parameters, home, names_of(same, 4)), *rest]


def _for_a_while(
    when: When, actions: Sequence[Mapping[str, Any]], deeds: Sequence[str], text: str, home: Home, now: datetime
) -> Part:
    """Now, and the opposite when the time is over."""
    back = _reversed(actions, home)
    if isinstance(back, str):
        return refusal(text, back)
    by_id = {d.id: d for d in home.devices}
    orders = [(by_id[str(a["device_id"])], Order(str(a["command"]), a.get("parameters", {}))) for a in actions]
    now_part = control(text, orders, home)
    span = spoken_span(when.lasting_s)
    undone = [(by_id[str(a["device_id"])], Order(str(a["command"]), a["parameters"])) for a in back]
    deeds_back = _commands(undone, home)[1]
    trigger = {"type": "once", "in_minutes": round(when.lasting_s / 60, 4)}
    moment = _at(now + timedelta(seconds=when.lasting_s), now)
    return _together(now_part, rule(text, f"in {span}", trigger, [], back, deeds_back, moment))


def _together(one: Part, other: Part) -> Part:
    """Two parts as one: what came of both is told in their order; the second is told only if the first was done."""
    count = len(one.calls)

    def tell(results: Sequence[ToolResult]) -> str:
        first = one.tell(results[:count]) if one.tell is not None else ""
        second = other.tell(results[count:]) if other.tell is not None else ""
        return f"{first} {second}".strip()

    return Part(text=one.text, calls=(*one.calls, *other.calls), tell=tell)


def _as_now(action: Mapping[str, Any], home: Home) -> dict[str, Any] | None:
    """The command that sets the value that the device has now; `None` when it is not known or no such command."""
    device = next((d for d in home.devices if d.id == action.get("device_id")), None)
    state = home.state(device) if device is not None else {}
    if action.get("command") == "set_temperature" and isinstance(state.get("target_c"), int | float):
        target = float(state["target_c"])
        value = round(celsius_to_fahrenheit(target)) if home.unit == "F" else target
        return {"command": "set_temperature", "parameters": {"value": value, "unit": home.unit}}
    if action.get("command") == "set_brightness" and isinstance(state.get("on"), bool):
        level = state.get("brightness_pct")
        if not state["on"]:
            return {"command": "turn_off", "parameters": {}}
        if isinstance(level, int | float):
            return {"command": "set_brightness", "parameters": {"brightness_pct": level}}
    return None


def _reversed(actions: Sequence[Mapping[str, Any]], home: Home | None = None) -> list[dict[str, Any]] | str:
    """The commands that end what these began, or why there are none. `home`: as it is when they begin."""
    back: list[dict[str, Any]] = []
    for action in actions:
        before = _as_now(action, home) if home is not None and action["type"] == "device_command" else None
        if before is not None:
            back.append({"type": "device_command", "device_id": action["device_id"], **before})
            continue
        command = _BACK.get(str(action.get("command", "")))
        if action["type"] != "device_command" or command is None:
            return (
                "I can't end that by myself after a while: I don't know what to go back to. Tell me both: what to do "
                'now, and "in ten minutes" what to do then.'
            )
        back.append({"type": "device_command", "device_id": action["device_id"], "command": command, "parameters": {}})
    return back


def _again(when: When, now: datetime) -> str:
    """For what is done once: " (6:50 PM)" behind a delay, nothing behind a time of day that was said."""
    if when.is_repeated or when.at is None:
        return ""
    return _at(when.at, now) if when.minutes else " "


def _at(moment: datetime, now: datetime) -> str:
    return f" ({said_moment(moment, now).removeprefix('today ')})"


def _sets_to_a_number(words: Sequence[str]) -> bool:
    """ "Set the heating at 20": a number behind "at" is a value there, unless another value was said."""
    text = " ".join(words)
    if not re.search(r"\b(?:set|put|dim|adjust|change|make|keep|hold|raise|lower|brighten|turn (?:up|down))\b", text):
        return False
    return not re.search(r"\bto (?:\d|half|max|min|full|heat|cool|auto|off|on|home|away)|percent|degrees", text)
