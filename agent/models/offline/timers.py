"""Timers and reminders: "set a timer for ten minutes", "remind me at 5 to call Ana", "how long is left?"."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from agent.models.offline.moments import SPAN, When, said_moment, span_s, spoken_span, when_of, whole_spans
from agent.models.offline.parts import Call, Part, plain_error, question, refusal
from agent.models.offline.wording import listed, start
from agent.models.offline.words import is_number, those
from agent.models.protocol import ToolResult
from homeguard.clock import parse_time

_TIMER: Final = re.compile(r"\b(?:timers?|countdowns?)\b")
_ALARM: Final = re.compile(
    r"\b(?:set|make|create|start|add) (?:me )?(?:an? |my |the )?(?:\w+ )?(?:alarm|wake up call)(?: clock)?(?: "
    r"for me)? (?:for|at|in|to)\b|\bwake (?:me|us)(?: up)?\b|\bset (?:an? )?alarm\b"
)
_REMIND: Final = re.compile(
    r"\b(?:remind (?:me|us)|give (?:me|us) a reminder|need reminding|dont let (?:me|us) forget|do not let (?:me"
    r"|us) forget|(?:set|make|create|add) (?:me )?a reminder)\b"
)
_GENERIC: Final = those(
    "a an the my our new another timer timers countdown set start create make begin run please can could would "
    "you i need want for me us of to at in on by called named labelled label name with that long it and up wake "
    "alarm clock give add put reminder remind hey ok okay homeguard second seconds minute minutes hour hours from "
    "now quick again one have get tell when is done over lets let kick off more time moment bit while "
)
_HOW_LONG: Final = re.compile(
    r"^(?:and |so |ok |hey )*how (?:much (?:more )?(?:time|longer)|long|many minutes)(?: more)?(?: (?:is|has"
    r"|have|do i have|does it have|are))?"
    r"(?: (?:it|that|this|i|got|there))* (?:left|to go|remaining|remain)\b|^(?:any )?time left\b"
)
_AGAIN: Final = re.compile(
    r"\b(?:it|that|this)\b|^(?:and |ok |okay |no )*(?:another|add|plus|\d+ more|pause|resume|cancel|stop)\b"
)
_SHOUT: Final = re.compile(
    r"\b(?:shout(?: at)?|yell(?: at)?|poke|nudge|buzz|beep|alert|ping|tell|warn|notify|give (?:me|us) a "
    r"(?:shout|nudge|call)|let)"
    r"(?: (?:at |to )?(?:me|us)(?: know)?)? (?=in |after )"
)
#: "Pizza's in the oven, 15 minutes."
_BAKING: Final = re.compile(
    r"^(?:(?:ok|right|so|the|my|our|,) )*(?P<what>[a-z]+(?: [a-z]+)?) (?:(?:is|are|s|just|went|goes|has|gone|now) )*"
    r"(?:in|on|into|onto) the (?:oven|grill|stove|hob|pan|pot|microwave|air ?fryer|fryer|barbecue|bbq|freezer|fridge"
    r"|washer|washing machine|dryer|dishwasher|kettle)(?: ,| for| and (?:it )?(?:needs|takes)| now ,?)*"
    r" (?P<long>(?:for |give it |about )*\S+(?: and a half)? (?:minutes?|mins?|hours?|seconds?)(?: .{1,20})?)$"
)
_NEW: Final = re.compile(r"\b(?:turn|lock|unlock|open|close|dim|remind|light|door)\b")
_ON_CLOCK: Final = re.compile(r"\bon the (?:clock|timer)\b")
_LEFT: Final = re.compile(
    r"\bhow (?:much (?:more )?(?:time|longer)|long|many (?:more )?(?:minutes|seconds|hours))\b.*\b(?:left"
    r"|remain\w*|go|until|till|timers?|more)\b"
    r"|\btime (?:is )?(?:left|remaining)\b|\b(?:status|check|show|list|what|which|whats|any|are there|is there"
    r"|do i have|read)\b.*\b(?:timers?|reminders?)\b"
    r"|\bwhen (?:is|does|will|are) (?:the|my) .*timers?\b|^timer status$|^timers?$|\bis (?:the|my) .*timer "
    r"(?:done|over|still|running|up|finished)\b"
)
_CANCEL: Final = re.compile(
    r"\b(?:cancel|stop|delete|remove|clear|end|kill|dismiss|abort|scratch|scrap|ditch|bin|nix|forget"
    r"|turn off|get rid of|drop)\b"
)
_PAUSE: Final = re.compile(r"\b(?:pause|hold|freeze|halt)\b")
_RESUME: Final = re.compile(r"\b(?:resume|unpause|continue|restart|go on with|carry on)\b")
_MORE: Final = re.compile(r"\b(?:add|extend|increase|lengthen|prolong|plus|put another|give)\b")
_LESS: Final = re.compile(r"\b(?:take|subtract|remove|decrease|reduce|shorten|cut|minus|knock)\b")
_CHANGE: Final = re.compile(r"\b(?:off|from|to|on|by|for)\b")


def timer_part(words: Sequence[str], text: str, now: datetime, pending: Sequence[str] = ()) -> Part | None:
    """The part for a timer, an alarm clock or a reminder; `None` for another sentence. `pending`: what was asked for
    last, `("timer", label)` when only its length was missing."""
    said = whole_spans(" ".join(w for w in words if w not in ("?", "!", ".")))
    if pending[:1] == ("timer",) and (seconds := span_s(said)) and len(words) < 8 and not _NEW.search(said):
        arguments = {"minutes": round(seconds / 60, 4), "label": pending[1]}
        return _set(arguments, text, f"in {spoken_span(seconds)}")
    more = re.match(
        r"(?:and |also |then )*another (?:one|timer)(?: (?:for|of|with|at))? (\d+(?:\.\d+)?)(?: "
        r"(?:minutes?|mins?))?$",
        said,
    )
    if pending[:1] == ("set",) and more is not None:
        return _set({"minutes": float(more[1]), "label": ""}, text, f"in {spoken_span(float(more[1]) * 60)}")
    if pending[:1] == ("set",) and _AGAIN.search(said) and not re.search(r"\b(?:light|lamp|door|lock|heat)", said):
        changed = _changed(said if about_timer(said) else f"{said} timer", text)
        if changed is not None:
            return changed
    baking = _BAKING.match(said)
    if baking is not None and (seconds := span_s(baking["long"])):
        arguments = {"minutes": round(seconds / 60, 4), "label": baking["what"]}
        return _set(arguments, text, f"in {spoken_span(seconds)}")
    if _SHOUT.search(said):
        when = when_of(words, now)
        if when is not None and when.minutes and not when.is_repeated:
            return _set({"minutes": when.minutes, "label": "Reminder"}, text, when.said, reminder=True)
    if _ON_CLOCK.search(said) and span_s(said):
        return _new(words, _ON_CLOCK.sub("timer", said), text, now)
    is_timer = about_timer(said)
    if not is_timer and _HOW_LONG.search(said):
        is_timer = True
    if is_timer or re.search(r"\breminders?\b", said):
        asked = _asks(said, text, now)
        if asked is not None:
            return asked
    if is_timer:
        changed = _changed(said, text)
        if changed is not None:
            return changed
    remind = _REMIND.search(said)
    if remind is not None and not re.search(
        r"\bremind (?:me|us)(?: ,)? (?:what|who|when|where|why|how|which"
        r"|did)\b",
        said,
    ):
        return _reminder(words, said, text, now)
    if is_timer and not re.match(r"(?:is|are|was|were|did|does|do) ", said):
        return _new(words, said, text, now)
    arming = re.search(r"\balarms?\b", said) and when_of(words, now) is None
    if (
        _ALARM.search(said)
        and not (arming and "wake" not in said)
        and not re.search(r"\balarm (?:system|panel)\b|\b(?:away|night|home|stay) mode\b", said)
    ):
        return _alarm(words, text, now)
    return None


def about_timer(said: str) -> bool:
    """Whether the words speak of a timer by its name."""
    return _TIMER.search(said) is not None


def _new(words: Sequence[str], said: str, text: str, now: datetime) -> Part:
    seconds = span_s(said)
    if re.search(r"(?:\bminus |(?<!\w)-)\d", said) or re.search(r"\b0 (?:second|minute|hour)s?\b", said):
        return refusal(text, "I can't do that: a timer needs a length of more than nothing.")
    if not seconds:
        bare = re.search(r"\b(\d+(?:\.\d+)?)\b", said)
        when = when_of(words, now, bare_hours=False)
        if when is not None and when.at is not None:
            return _set({"at": _when(when.at, now), "label": _label(said)}, text, said_moment(when.at, now))
        if bare is not None:
            return replace(question(text, f"{bare[1]} minutes, or seconds?"), pending=("timer", _label(said)))
        ask = question(text, 'For how long? Say for example "ten minutes".')
        return replace(ask, pending=("timer", _label(said)))
    return _set({"minutes": round(seconds / 60, 4), "label": _label(said)}, text, f"in {spoken_span(seconds)}")


def _label(said: str) -> str:
    """What a timer is for: "pasta" of "a ten minute pasta timer for me"."""
    named = re.search(
        r"\b(?:called|named|labell?ed|with the name|name it|for (?:the|my)) (?!\d)([a-z][a-z ]*?)(?: (?:for|in) .*)?$",
        said,
    )
    if named is not None:
        return " ".join(w for w in named[1].split() if w not in ("timer", "please"))[:80]
    rest = SPAN.sub(" ", re.split(r" , | because | cause | since ", said)[0]).split()
    words = [w for w in rest if w not in _GENERIC and not is_number(w)]
    return " ".join(words)[:80]


def _alarm(words: Sequence[str], text: str, now: datetime) -> Part:
    when = when_of(words, now)
    if when is None or when.at is None or when.is_repeated:
        if when is not None and when.is_repeated:
            return question(
                text, 'I keep alarms for one time only. For every day say "every weekday at 7 remind me to get up".'
            )
        return question(text, 'At what time? Say for example "wake me at 7".')
    return _set({"at": _when(when.at, now), "label": "wake up"}, text, said_moment(when.at, now))


def _reminder(words: Sequence[str], said: str, text: str, now: datetime) -> Part | None:
    """None when it repeats: that is a rule."""
    when: When | None = when_of(words, now)
    body = " ".join(w for w in (when.words if when is not None else words) if w not in (",", ".", "!", "?"))
    match = re.search(
        r"\b(?:remind (?:me|us)|reminder|reminding|let (?:me|us) forget)\b(?: (?:to|that|about|of"
        r"|for))?(?P<what>.*)$",
        body,
    )
    what = re.sub(r"^(?: ?(?:to|that|about|of))+ ", "", match["what"]).strip() if match else ""
    if not what and match is not None:
        what = re.sub(r"^(?:please|can you|could you|and|then|,) ", "", body[: match.start()]).strip(" ,")
    what = re.sub(r"^(?:i (?:have|need|want) to|that i (?:have|need) to|to) ", "", what)
    if when is not None and when.is_repeated:
        return None
    if when is None or when.at is None:
        about = f' of "{what}"' if what else ""
        return question(text, f'When should I remind you{about}? Say for example "in twenty minutes" or "at 5 PM".')
    label = start(what)[:80] if what else "Reminder"
    if when.minutes:
        return _set({"minutes": when.minutes, "label": label}, text, when.said, reminder=True)
    return _set({"at": _when(when.at, now), "label": label}, text, when.said, reminder=True)


def _when(moment: datetime, now: datetime) -> str:
    """`17:30` for the next one, with the date beyond that."""
    return f"{moment:%H:%M}" if moment - now < timedelta(days=1) else f"{moment:%Y-%m-%dT%H:%M:%S}"


def _set(arguments: Mapping[str, Any], text: str, when: str, *, reminder: bool = False) -> Part:
    label = str(arguments.get("label") or "")

    def tell(results: Sequence[ToolResult]) -> str:
        result = results[0]
        if result.status != "ok" or str(result.output.get("outcome") or "confirmed") in ("failed", "refused"):
            reason = result.error or str(result.output.get("reason") or "")
            return f"I could not set that: {plain_error(reason)}."
        if reminder:
            return f'I will remind you {when}: "{label}".'
        named = f' "{label}"' if label and label != "wake up" else ""
        return f"Your {'alarm' if label == 'wake up' else 'timer'}{named} is set: it ends {when}."

    kept = {k: v for k, v in arguments.items() if v != ""}
    return Part(text=text, calls=(Call("set_timer", kept),), tell=tell, pending=("set", label))


def _rows(results: Sequence[ToolResult]) -> list[Mapping[str, Any]] | None:
    result = next((r for r in results if r.name == "list_timers"), None)
    if result is None or result.status != "ok":
        return None
    return [r for r in result.output.get("timers") or () if isinstance(r, Mapping)]


def _asks(said: str, text: str, now: datetime) -> Part | None:
    if not _LEFT.search(said) or re.search(
        r"^(?:set|start|create|make|cancel|stop|pause|add|resume|delete|remove)\b", said
    ):
        return None
    wanted = _label(
        re.sub(
            r"\b(?:how|much|long|left|remaining|remain|status|check|show|list|what|which|any|are|there|is|do"
            r"|have|still|running|many|does|will|when|until|till|go|done|over|finished|tell|reminders?)\b",
            " ",
            said,
        )
    )

    def tell(results: Sequence[ToolResult]) -> str:
        rows = _rows(results)
        if rows is None:
            return "I could not look that up: the timers did not answer."
        rows = _fitting(rows, wanted) or rows
        if not rows:
            return f"You have no {'reminder' if 'remind' in said else 'timer'} running."
        if "remind" in said:
            due = [f'"{r.get("label") or "timer"}" {_due(r, now)}' for r in rows]
            return f"{len(rows)} reminder{'s' if len(rows) != 1 else ''}: {listed(due, 6)}."
        if len(rows) == 1:
            return start(f"{_told(rows[0])}.")
        return f"You have {len(rows)} timers: {listed([_told(r) for r in rows], 6)}."

    return Part(text=text, calls=(Call("list_timers"),), tell=tell)


def _due(row: Mapping[str, Any], now: datetime) -> str:
    """`today at 7:00 PM`."""
    try:
        return said_moment(parse_time(row.get("ends_at")).astimezone(now.tzinfo), now)
    except ValueError:
        return "is paused"


def _told(row: Mapping[str, Any]) -> str:
    left = row.get("seconds_left")
    span = spoken_span(float(left)) if isinstance(left, int | float) else "some time"
    state = " (paused)" if row.get("state") == "paused" else ""
    return f"{_named(row)} has {span} left{state}"


def _named(row: Mapping[str, Any]) -> str:
    label = str(row.get("label") or "")
    if label and label.lower() != "timer":
        return f'the timer "{label}"'
    minutes = row.get("minutes")
    return f"the {spoken_span(float(minutes) * 60)} timer" if isinstance(minutes, int | float) else "the timer"


def _fitting(rows: Sequence[Mapping[str, Any]], wanted: str, seconds: float = 0.0) -> list[Mapping[str, Any]]:
    """The timers that a label or a length means; all of them when neither was said."""
    found = list(rows)
    if wanted:
        words = set(wanted.split())
        found = [r for r in found if words & set(str(r.get("label") or "").lower().split())]
    if seconds:
        found = [r for r in found if abs(float(r.get("minutes") or 0) * 60 - seconds) < 1]
    return found


def _changed(said: str, text: str) -> Part | None:
    """Cancel, pause, go on, longer, shorter; `None` when a new one is wanted."""
    seconds = span_s(said)
    begins = re.match(
        r"(?:(?:please|can you|could you|would you|hey|ok|okay|i want to|i would like to|lets) )*(\w+)(?: (\w+))?", said
    )
    verb = f"{begins[1]} {begins[2] or ''}" if begins else said
    if re.match(r"(?:please |can you |could you )*give me an? ", said):
        return None
    if re.search(r"\b(?:set|start|create|make|begin|run|new|need|want)\b", verb) and not _RESUME.search(verb):
        return None
    if _RESUME.search(verb):
        return _on_one(said, text, "go on", lambda row: Call("change_timer", {"timer_id": row["id"], "paused": False}))
    if _PAUSE.search(verb):
        return _on_one(said, text, "paused", lambda row: Call("change_timer", {"timer_id": row["id"], "paused": True}))
    if seconds and (_MORE.search(verb) or _LESS.search(verb)) and (_CHANGE.search(said) or _MORE.search(verb)):
        minutes = round((-seconds if _LESS.search(verb) and not _MORE.search(verb) else seconds) / 60, 4)
        how = f"{spoken_span(seconds)} {'longer' if minutes > 0 else 'shorter'}"
        rest = re.sub(SPAN, " ", said)
        return _on_one(
            rest, text, how, lambda row: Call("change_timer", {"timer_id": row["id"], "add_minutes": minutes})
        )
    if _CANCEL.search(verb):
        if re.search(r"\b(?:all|every|both)\b|\btimers\b", said):
            return Part(
                text=text, calls=(Call("cancel_timer", {"timer_id": "all"}),),
                tell=lambda results: _all_gone(results[0]),
            )  # fmt: skip
        return _on_one(said, text, "cancelled", lambda row: Call("cancel_timer", {"timer_id": row["id"]}))
    return None


def _all_gone(result: ToolResult) -> str:
    if result.status != "ok" or str(result.output.get("outcome") or "confirmed") in ("failed", "refused"):
        return f"I could not cancel them: {plain_error(result.error or str(result.output.get('reason') or ''))}."
    data = result.output.get("data")
    count = data.get("cancelled") if isinstance(data, Mapping) else None
    if count == 0:
        return "You have no timer running."
    return "All your timers are cancelled."


def _on_one(said: str, text: str, how: str, call: Any) -> Part:
    """First which timers there are, then the change to the one that is meant."""
    seconds = span_s(said)
    drop = (
        r"\b(?:cancel|stop|delete|clear|end|kill|dismiss|abort|pause|hold|resume|unpause|continue|restart"
        r"|extend|increase|decrease|reduce|shorten|subtract|take|off|remove|scratch|turn|it|by|go|carry|forget"
        r"|drop|give|another|put|plus|scrap|ditch|bin|nix|actually)\b"
    )
    wanted = _label(re.sub(drop, " ", said))

    def fitting(results: Sequence[ToolResult]) -> list[Mapping[str, Any]]:
        rows = _rows(results) or []
        found = _fitting(rows, wanted, seconds)
        return found if found or wanted or seconds else rows

    def follow(results: Sequence[ToolResult]) -> Sequence[Call]:
        found = fitting(results)
        return (call(found[0]),) if len(found) == 1 else ()

    def tell(results: Sequence[ToolResult]) -> str:
        rows = _rows(results)
        if rows is None:
            return "I could not look up your timers."
        if not rows:
            return "You have no timer running."
        found = fitting(results)
        if not found:
            return f"None of your timers fits: {listed([_named(r) for r in rows], 6)}."
        if len(found) > 1:
            return f"Which one: {listed([_told(r) for r in found], 6, 'or')}?"
        last = results[-1]
        if (
            last.name == "list_timers"
            or last.status != "ok"
            or str(last.output.get("outcome")) in ("failed", "refused")
        ):
            return f"I could not change {_named(found[0])}: {plain_error(last.error)}."
        if how == "go on":
            return start(f"{_named(found[0])} is running again.")
        return start(f"{_named(found[0])} is {how}.")

    return Part(text=text, calls=(Call("list_timers"),), tell=tell, follow=follow)
