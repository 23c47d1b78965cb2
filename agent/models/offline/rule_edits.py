"""What is changed of the rule that was just spoken of: "make that half past ten", "make it 68", "also lock up then"."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from agent.models.offline.moments import said_moment, spoken_clock, when_of
from agent.models.offline.parts import Call, Part, plain_error
from agent.models.protocol import ToolResult
from homeguard.clock import parse_time

_BEGIN: Final = r"^(?:(?:no|actually|hmm+|wait|sorry|oh|ok|okay|hey|please|can you|could you|and|but|,) )*"
_MADE: Final = re.compile(
    rf"{_BEGIN}(?:make|change|move|set|put|shift|push|do|have) (?:that|it|this)(?: one| rule)?"
    r"(?: (?:happen|run|go off))?(?: (?:to|at|for|be|until|back to|forward to))? "
    r"(?P<to>(?:\d|half|quarter|noon|midday|midnight|sunset|sunrise|dusk|dawn).*?)(?: (?:instead|please|then))*[ .!]*$"
)
_THEN: Final = re.compile(
    r"^(?:(?:and|also|ok|please|oh|,) )+(?P<deed>.+?) (?:then|at (?:that|the same) (?:time|point|moment)|as well then)"
    r"(?: too| as well| please)*[ .!]*$"
)
_VALUE: Final = re.compile(r"^(\d+(?:\.\d+)?)(?: ?(percent|degrees?))?$")
_CLOCK: Final = re.compile(r"\d{1,2}:\d\d [AP]M")
_ONCE: Final = re.compile(r"(?:today|tomorrow|on \w+day(?:, \d+ \w+)?) at \d{1,2}:\d\d [AP]M|in [\d a-z]+$")
_SUN: Final = re.compile(r"(?:[\d a-z]+ (?:before|after) |at )(?:sunset|sunrise)")
_HOURS: Final = 12

Change = Callable[[Mapping[str, Any]], dict[str, Any] | None]


def edited_part(words: Sequence[str], text: str, now: datetime, pending: Sequence[str]) -> Part | None:
    """The change of the rule that was made last, `None` for another sentence. `now` is local; `pending` is `("rule",
    its time in words)`."""
    said = re.sub(r"\bhalf (?=\d{1,2}\b(?!:))", "half past ", " ".join(w for w in words if w not in ("?", "!", ".")))
    found = _MADE.match(said)
    if found is None:
        return None
    value = _VALUE.match(found["to"])
    if value is not None and (value[2] or float(value[1]) > _HOURS):
        return replace(_on_the_last(text, _with_value(float(value[1]))), pending=tuple(pending))
    when = when_of(["at", *found["to"].split()], now)
    if when is None or not when.trigger or when.words:
        return None
    before = pending[1] if len(pending) > 1 else ""
    clock = _CLOCK.search(when.said)
    said = _CLOCK.sub(clock[0], before) if clock is not None and _CLOCK.search(before) else when.said
    return replace(_on_the_last(text, _with_time(when.trigger, now)), pending=("rule", said))


def deed_at_that_time(words: Sequence[str]) -> str:
    """ "Also turn off the thermostat then": what is to be done, empty for another sentence."""
    found = _THEN.match(" ".join(w for w in words if w not in ("?", "!", ".")))
    return found["deed"] if found is not None else ""


def _on_the_last(text: str, change: Change) -> Part:
    """First which rules there are, then the change of the newest."""

    def wanted(results: Sequence[ToolResult]) -> tuple[Mapping[str, Any], dict[str, Any] | None] | None:
        rows = results[0].output.get("automations") or () if results and results[0].status == "ok" else ()
        known = [r for r in rows if isinstance(r, Mapping) and r.get("id")]
        newest = max(known, key=lambda r: str(r.get("created_at") or ""), default=None)
        return None if newest is None else (newest, change(newest))

    def follow(results: Sequence[ToolResult]) -> Sequence[Call]:
        found = wanted(results)
        if found is None or found[1] is None:
            return ()
        return (Call("update_automation", {"automation_id": found[0]["id"], **found[1]}),)

    def tell(results: Sequence[ToolResult]) -> str:
        found = wanted(results)
        if not results or results[0].status != "ok":
            return "I could not look up your rules."
        if found is None:
            return "There are no rules in this home."
        row, to = found
        if to is None:
            return f'I can\'t change the rule "{row.get("name")}" that way. Delete it, and say the new one in full.'
        last = results[-1]
        if last.status == "asked":
            return f'I need your OK for that: the rule would be "{to["name"]}". Please confirm on the card.'
        if last.status == "denied":
            return f'Okay, the rule "{row.get("name")}" stays as it is.'
        if last.status != "ok" or str(last.output.get("outcome")) in ("failed", "refused"):
            why = plain_error(last.error or str(last.output.get("reason") or ""))
            return f'I could not change the rule "{row.get("name")}": {why}.'
        return f'I changed the rule. It is now: "{to["name"]}".'

    return Part(text=text, calls=(Call("list_automations"),), tell=tell, follow=follow)


def _with_time(trigger: Mapping[str, Any], now: datetime) -> Change:
    def change(row: Mapping[str, Any]) -> dict[str, Any] | None:
        old, name = row.get("trigger") or {}, str(row.get("name") or "")
        if old.get("type") == "once" and trigger.get("type") == "once":
            there = parse_time(trigger["at"]).replace(tzinfo=now.tzinfo)
            return {"name": _ONCE.sub(said_moment(there, now), name), "trigger": dict(trigger)}
        if old.get("type") not in ("time", "sun"):
            return None
        if trigger.get("type") == "sun":
            said = f"at {trigger.get('event')}"
            return {"name": _CLOCK.sub(said, name).replace("at at ", "at "), "trigger": dict(trigger)}
        clock = str(trigger.get("at") or "")[-8:][:5]
        if old.get("type") == "time":
            clock = _nearer(clock, str(old.get("at") or ""))
        days = {"days": old["days"]} if old.get("days") else {}
        said = spoken_clock(clock)
        named = _CLOCK.sub(said, name) if old.get("type") == "time" else _SUN.sub(f"at {said}", name)
        return {"name": named, "trigger": {"type": "time", "at": clock, **days}}

    return change


def _nearer(clock: str, old: str) -> str:
    """The time in the half of the day in which the old one was: "half ten" of a rule at 23:00 is 22:30."""
    hour, minute = int(clock[:2]), clock[3:5]
    if not re.fullmatch(r"\d\d:\d\d", old):
        return clock
    both = [hour % _HOURS, hour % _HOURS + _HOURS]
    was = int(old[:2]) + int(old[3:]) / 60
    return f"{min(both, key=lambda h: abs(h + int(minute) / 60 - was)):02d}:{minute}"


def _with_value(value: float) -> Change:
    def change(row: Mapping[str, Any]) -> dict[str, Any] | None:
        actions = [dict(a) for a in row.get("actions") or () if isinstance(a, Mapping)]
        for action in actions:
            parameters = dict(action.get("parameters") or {})
            key = next((k for k, v in parameters.items() if isinstance(v, int | float) and not isinstance(v, bool)), "")
            if key and str(action.get("command", "")).startswith("set_"):
                was = float(parameters[key])
                action["parameters"] = {**parameters, key: value}
                name = re.sub(rf"\b{was:g}(?=[°%])", f"{value:g}", str(row.get("name") or ""), count=1)
                return {"name": name, "actions": actions}
        return None

    return change
