"""A plan as the page shows it, a short list: how far each step has come. REST answers -> element properties. Pure."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from chat_ui.languages import Words
from chat_ui.looks import LOOKS, named

Json = Mapping[str, Any]
Steps = list[dict[str, Any]]

_SPACE: Final = uuid.UUID("0d2a4f0e-6a43-4b7e-9d58-6f1c8f5f7f2b")
_NO_DIFFERENCE: Final = ("open", "")


def element_id(turn_id: str) -> str:
    """The element of a turn's plan: always the same, so that a later state changes it in place."""
    return str(uuid.uuid5(_SPACE, turn_id))


def plan_props(turn_id: str, steps: Sequence[Json], words: Words) -> dict[str, Any]:
    """What `PlanList.jsx` draws; its `steps` are those given, with what is said of them."""
    shown = []
    for step in steps:
        state = str(step.get("state") or "")
        look = LOOKS.get(state, "unsure")
        said = words.find(f"outcome.{state}", state)
        reason = str(step.get("reason") or "") if look == "wrong" else ""
        shown.append({**step, "shown": _shown(step, words), "said": f"{said}: {reason}" if reason else said,
                      "look": look})  # fmt: skip
    done = sum(step["look"] == "done" for step in shown)
    return {
        "turn_id": turn_id, "steps": shown, "name": words.say("plan.name"),
        "head": words.say("plan.head", done=done, all=len(shown)),
    }  # fmt: skip


def merged(before: Sequence[Json], now: Sequence[Json]) -> Steps:
    """A turn's steps after another part of its plan came: what is told of a call again replaces what was told."""
    told = {step.get("id") for step in now}
    return [*(dict(step) for step in before if step.get("id") not in told), *map(dict, now)]


def advanced(steps: Sequence[Json], card: Json) -> Steps:
    """The steps after one of their questions changed: answered, over, or carried out."""
    card_id, state = str(card.get("id") or ""), str(card.get("state") or "")
    left = [dict(row) for row in card.get("outcome") or [] if isinstance(row, Mapping)]
    after = []
    for step in steps:
        now = dict(step)
        if card_id and step.get("confirmation_id") == card_id and state not in _NO_DIFFERENCE:
            row = next((r for r in left if _is_of(r, step)), None)
            if row is not None:
                left.remove(row)
            now |= {"state": (row or {}).get("outcome") or state, "reason": (row or {}).get("reason") or ""}
        after.append(now)
    return after


def steps_of(commands: Sequence[Json], cards: Sequence[Json], *, tainted: bool = False) -> Steps:
    """The plan of a turn of before, from what it did and what it asked; empty when that was one thing at most.
    `tainted`: text of others was in it, so that no words were enough.
    """
    steps: Steps = [
        {
            "device_id": row.get("device_id") or "", "command": row.get("command"), "state": row.get("outcome"),
            "device": str(row.get("device") or ""), "reason": row.get("reason"),
        }
        for row in commands
    ]  # fmt: skip
    known = [(step["device_id"], step["command"]) for step in steps]
    for card in cards:
        waits = "yes" if _tier(card) <= 2 and not tainted else "card"
        asked: Steps = [
            {
                "device_id": effect.get("device_id") or "", "command": effect.get("command") or effect.get("kind"),
                "device": str(effect.get("device_name") or ""), "state": waits,
                "confirmation_id": str(card.get("id") or ""),
            }
            for effect in card.get("effects") or ()
            if (effect.get("device_id") or "", effect.get("command")) not in known
        ]  # fmt: skip
        steps += advanced(asked, card)
    return steps if len(steps) > 1 else []


def _shown(step: Json, words: Words) -> str:
    """The agent's own words of a step, where it has any: they name the value too."""
    return str(step.get("text") or "") or named(str(step.get("command") or ""), str(step.get("device") or ""), words)


def _is_of(row: Json, step: Json) -> bool:
    """A row without its command is known by its device."""
    command = step.get("command")
    return (row.get("device_id") or "") == step.get("device_id") and row.get("command", command) == command


def _tier(card: Json) -> int:
    told = str(card.get("tier") or "3").lstrip("T")
    return int(told) if told.isdigit() else 3
