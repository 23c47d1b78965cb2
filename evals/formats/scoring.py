"""Our own score of a case from its outcome alone: which devices changed, to what, and what the answer says."""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from evals.formats.turn import CaseHome

_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_NO: Final = re.compile(r"\b(?:no|none|not|isn't|aren't|nobody)\b", re.IGNORECASE)
_YES: Final = re.compile(r"\b(?:yes|yep|yeah)\b", re.IGNORECASE)
_SHARES: Final = frozenset(
    ("brightness", "brightness_pct", "position", "current_position", "volume_level", "percentage", "humidity")
)
_LONGEST: Final = 300
_APART: Final = frozenset(("timer", "list", "media_search", "chat", "broadcast"))


def judge(case: Mapping[str, Any], result: Mapping[str, Any], home: CaseHome) -> tuple[bool, str]:
    """Whether the case passed, with the reason when it did not."""
    kind = str(case["id"]).split("-")[0]
    if case.get("kind") in _APART:
        return _apart(case, result)
    if kind == "hai":
        return _intents(case, result, home)
    if kind == "had":
        return _assist(case, result)
    return _homebench(case, result) if kind == "hb" else _action(case, result)


#: What a request about a timer that is there already begins with, whatever it is to become.
_ON_TIMERS: Final = frozenset(
    (
        "HassCancelTimer",
        "HassIncreaseTimer",
        "HassDecreaseTimer",
        "HassPauseTimer",
        "HassUnpauseTimer",
        "HassTimerStatus",
    )
)


def _apart(case: Mapping[str, Any], result: Mapping[str, Any]) -> tuple[bool, str]:
    """Timers, lists, media and talk, by the tool that was called: a case's home has none of these, so a change to one
    that is not there counts as understood when the timers were looked up and none was made."""
    calls = [(str(c["tool"]), c["arguments"]) for c in result.get("calls", ())]
    tools = {tool for tool, _ in calls}
    wanted: Mapping[str, Any] = case["expected"][0] if case["expected"] else {"intent": "", "slots": {}}
    intent, slots = str(wanted["intent"]), wanted["slots"]
    if intent == "HassStartTimer":
        minutes = (
            float(slots.get("hours", 0)) * 60 + float(slots.get("minutes", 0)) + float(slots.get("seconds", 0)) / 60
        )
        name = slots.get("name") or ""
        label = plain(name[-1] if isinstance(name, list) else name)
        made = [a for tool, a in calls if tool == "set_timer" and abs(float(a.get("minutes", 0)) - minutes) < 0.01]
        return any(label in plain(a.get("label", "")) for a in made), "no such timer was set"
    if intent == "HassCancelAllTimers":
        return ("cancel_timer", {"timer_id": "all"}) in calls, "not all timers were cancelled"
    if intent in _ON_TIMERS:
        return "list_timers" in tools and "set_timer" not in tools, "the timers were not looked up"
    if intent.endswith("AddItem"):
        added = [i for tool, a in calls if tool == "add_to_list" for i in a.get("items", ())]
        return plain(slots["item"]) in {plain(i) for i in added}, "it was not added"
    if intent.endswith("CompleteItem"):
        gone = [a.get("item") for tool, a in calls if tool == "complete_list_item"]
        gone += [i for tool, a in calls if tool == "remove_from_list" for i in a.get("items", ())]
        return plain(slots["item"]) in {plain(i) for i in gone}, "it was not taken off"
    if intent == "HassMediaSearchAndPlay":
        played = [c["args"] for c in result["commands"] if c["command"] == "play_media"]
        return any(plain(slots["search_query"]) in {plain(a) for a in args} for args in played), "it was not played"
    if case["kind"] == "chat":
        return bool(result["answer"]) and not result["commands"], "something was done"
    return False, "this is not done"


def plain(value: object) -> str:
    try:
        return f"{float(str(value).rstrip('%')):g}"
    except ValueError:
        return re.sub(r"[- ]", "_", str(value).strip().lower())


def _close(wanted: object, got: object, attribute: str) -> bool:
    if wanted is None:
        return True
    try:
        return math.isclose(float(str(wanted)), float(str(got)), abs_tol=1.01 if attribute in _SHARES else 0.02)
    except ValueError:
        return plain(wanted) == plain(got)


def _action(case: Mapping[str, Any], result: Mapping[str, Any]) -> tuple[bool, str]:
    sent = {(c["device"], plain(c["command"])) for c in result["commands"]}
    if len(sent) != 1:
        return False, f"{len(sent)} commands"
    device, command = sent.pop()
    if device not in case["target_ids"]:
        return False, "another device"
    return (True, "") if command == plain(case["action"]) else (False, "another action")


def _homebench(case: Mapping[str, Any], result: Mapping[str, Any]) -> tuple[bool, str]:
    def form(device: str, command: str, args: list[Any]) -> tuple[str, str, tuple[str, ...]]:
        return device, plain(command), tuple(plain(a) for a in args)

    sent = {form(c["device"], c["command"], c.get("args", [])) for c in result["commands"]}
    wanted = {form(e["device"], e["command"], e["args"]) for e in case["expected"] if "device" in e}
    impossible = sum("device" not in e for e in case["expected"])
    if sent != wanted:
        return False, f"sent {sorted(sent - wanted)}, not sent {sorted(wanted - sent)}"
    refused = len(result["refused"])
    enough = refused >= 1 if impossible == 1 and case["n_sub"] <= 1 else refused == impossible
    return (True, "") if enough else (False, f"{refused} refused instead of {impossible}")


def _assist(case: Mapping[str, Any], result: Mapping[str, Any]) -> tuple[bool, str]:
    answer = str(result["answer"]).lower()
    if case["expect_response_any"]:
        if result["changes"] or len(answer) > _LONGEST or (_YES.search(answer) and re.search(r"\bno\b", answer)):
            return False, "changed something, too long, or says both"
        hit = any(re.search(rf"(?<!\w){re.escape(w.lower())}(?!\w)", answer) for w in case["expect_response_any"])
        return hit, "" if hit else "the answer lacks the word"
    wanted: dict[str, Any] = {}
    for expected in case["expected"]:
        wanted.update(expected["changes"])
    ignored = case["ignore"] or {}
    for device, change in result["changes"].items():
        begins = (case["initial"].get(device) or {}).get("state")
        stray = (
            change.get("state") is not None
            and "state" not in wanted.get(device, {})
            and "state" not in ignored.get(device, [])
        )
        if stray and begins is not None and plain(change["state"]) != plain(begins):
            return False, f"{device} changed"
        if device not in wanted and set(change.get("attributes") or {}) - set(ignored.get(device, [])):
            return False, f"{device} changed"
    for device, want in wanted.items():
        got = result["changes"].get(device, {})
        if "state" in want and plain(got.get("state")) != plain(want["state"]["to"]):
            return False, f"{device} is not {want['state']['to']}"
        for name, value in (want.get("attributes") or {}).items():
            if name not in ignored.get(device, []) and not _close(
                value["to"], (got.get("attributes") or {}).get(name), name
            ):
                return False, f"{device} {name} is not {value['to']}"
    return True, ""


def _intents(case: Mapping[str, Any], result: Mapping[str, Any], home: CaseHome) -> tuple[bool, str]:
    if case["kind"] == "query":
        return _query(case, result, home)
    if not case["has_targets"]:
        ok = not result["commands"] and not result["changes"] and bool(result["answer"])
        return ok, "" if ok else "acted though nothing fits"
    wanted: set[str] = set()
    effects: dict[str, Any] = {}
    for expected in case["expected"]:
        wanted |= set(expected["target_ids"])
        effects.update(expected["effects"])
    touched = {c["device"] for c in result["commands"]} | set(result["changes"])
    already = {
        d for d in wanted
        if d in home.raw and (e := effects.get(d,
        {})).get("state") and not e.get("attributes") and plain(home.raw[d].get("state")) == plain(e["state"])
    }  # fmt: skip
    if touched - wanted:
        return False, f"touched {sorted(touched - wanted)}"
    if (wanted - already) - touched:
        return False, f"left out {sorted((wanted - already) - touched)}"
    if not touched and "already" not in str(result["answer"]).lower():
        return False, "nothing was done and nothing said"
    for device, change in result["changes"].items():
        effect = effects.get(device, {})
        if effect.get("state") and change.get("state") and plain(change["state"]) != plain(effect["state"]):
            return False, f"{device} is {change['state']}"
        for name, value in (effect.get("attributes") or {}).items():
            if name in (change.get("attributes") or {}) and not _close(value, change["attributes"][name], name):
                return False, f"{device} {name} is {change['attributes'][name]}"
    for device in wanted - already:
        for name, value in (effects.get(device, {}).get("attributes") or {}).items():
            shown = (result["changes"].get(device, {}).get("attributes") or {}).get(name)
            given = [a for c in result["commands"] if c["device"] == device for a in c.get("args", [])]
            if shown is None and not any(_close(value, a, name) for a in given):
                return False, f"{device} {name} was not set"
    return True, ""


def _query(case: Mapping[str, Any], result: Mapping[str, Any], home: CaseHome) -> tuple[bool, str]:
    if result["commands"] or result["changes"]:
        return False, "a question acted"
    answer = str(result["answer"]).lower()
    expected = case["expected_answer"]
    if not 0 < len(answer) <= _LONGEST:
        return False, "no answer, or too long"
    if not expected:
        return True, ""
    polarity, mentions, numbers = (
        expected.get("polarity"),
        expected.get("mentions") or [],
        expected.get("numbers") or [],
    )
    if polarity and _YES.search(answer) and re.search(r"\bno\b", answer):
        return False, "says yes and no"
    known = " ".join(mentions).lower(), str(case["utterance"]).lower()
    names = {d.name.lower() for d in home.devices if len(d.name) > 3}
    if mentions and sum(n in answer and n not in known[0] and n not in known[1] for n in names) > 1:
        return False, "names what was not asked for"
    found = _NUMBER.findall(answer)
    if numbers and len(found) > 3 + 2 * len(numbers):
        return False, "too many numbers"
    if polarity == "yes" and (
        (_NO.search(answer.split(".")[0]) and not _YES.search(answer)) or not (_YES.search(answer) or mentions)
    ):
        return False, "does not say yes"
    if polarity == "no" and not _NO.search(answer):
        return False, "does not say no"
    missing = [m for m in mentions if m.lower() not in answer]
    if missing:
        return False, f"does not name {', '.join(missing)}"
    have = {f"{float(n):g}" for n in found}
    lacking = [n for n in numbers if f"{float(n):g}" not in have]
    return (not lacking), f"lacks {', '.join(map(str, lacking))}" if lacking else ""
