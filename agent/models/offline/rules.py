"""A clause that is a rule ("every night ...", "when ...") as the call that makes it, or why it cannot be one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from agent.models.offline.act import Context, targets
from agent.models.offline.acting import Order, order
from agent.models.offline.automating import event_kind, event_trigger, schedule, split_rule
from agent.models.offline.frames import frame
from agent.models.offline.home import Home
from agent.models.offline.parts import Call, Part, question, refusal
from agent.models.offline.wording import names_of
from agent.models.offline.words import those
from agent.models.protocol import ToolResult
from homeguard.model import Device
from homeguard.targets import resolve

_TRIGGER_WORDS: Final = those(
    "opens open opened closes close closed is gets unlocks unlocked unlock locks locked detected rings someone anyone "
    "there was motion movement sensor a any comes come home leaves leave in at seen pressed smoke leak water moves i "
    "we everyone he she get arrives arrive goes offline low battery detects"
)

_ONCE = 'I can\'t do things once at a later time. I can make a rule: say "when ... happens, do ...".'


def rule_part(words: Sequence[str], text: str, home: Home, now: datetime, area: str) -> Part | None:
    """The part for a rule; `None` when the sentence is none."""
    whole = frame(words, home.devices, home.places)
    found = split_rule(words)
    if found is None or whole.negated or (whole.question and found[0] != "event"):
        return None
    if found[0] == "delay" and {"mode", "record", "film", "recording"} & set(words):
        return None
    kind, trigger_words, action_words = found
    wanted = frame(action_words, home.devices, home.places)
    notify = bool({"notify", "alert", "tell", "warn", "remind"} & set(action_words))
    if not wanted.actions and not notify:
        return None
    if "timer" in words or "timers" in words:
        return None
    if kind in ("once", "delay"):
        return refusal(text, _ONCE)
    trigger = schedule(trigger_words) if kind == "schedule" else _on_event(trigger_words, home, area)
    if isinstance(trigger, Part):
        return trigger
    if trigger is None:
        return refusal(
            text,
            "I don't know that trigger. I can use times, doors and windows, locks, motion, smoke, leaks and the "
            "doorbell.",
        )
    actions = (
        [{"type": "notification", "message": text}]
        if notify and not wanted.actions
        else _actions(action_words, home, area)
    )
    if isinstance(actions, Part):
        return actions
    if notify and not actions:
        actions = [{"type": "notification", "message": text}]
    arguments: dict[str, Any] = {"name": text[:80], "trigger": trigger, "conditions": [], "actions": actions}

    def tell(results: Sequence[ToolResult]) -> str:
        result = results[0]
        if result.status == "asked":
            return f'I need your OK for this rule: "{text[:80]}". Please confirm on the card.'
        if result.status == "denied":
            return "Okay, I did not make that rule."
        if result.status == "ok" and str(result.output.get("outcome") or "confirmed") not in ("failed", "refused"):
            return f'Done. I made the rule "{text[:80]}".'
        reason = result.error or str(result.output.get("reason") or "it did not work")
        return f"I could not make that rule: {reason.rstrip('. ')}."

    return Part(text=text, calls=(Call("create_automation", arguments),), tell=tell)


def _on_event(words: Sequence[str], home: Home, area: str) -> dict[str, Any] | Part | None:
    kind = event_kind(words)
    if not kind:
        return None
    drop = _TRIGGER_WORDS
    rest = [w for w in words if w not in drop]
    wants = {"motion": "motion", "smoke": "smoke", "leak": "water_leak"}.get(kind, "")
    if not [w for w in rest if w not in ("the", "my")]:
        return event_trigger(kind, None)

    def fits(device: Device) -> bool:
        if wants:
            return wants in device.capabilities
        if kind in ("lock", "unlock"):
            return device.type == "lock"
        if kind in ("open", "close"):
            return device.type in ("contact", "garage_door", "gate", "cover")
        return True

    found = resolve(rest, home.devices, areas=home.areas, floors=home.floors, near_area=area, able=fits, implied=fits)
    if len(found.devices) == 1:
        return event_trigger(kind, found.devices[0])
    if found.devices or found.ambiguous:
        return question(
            " ".join(words), f"Which one should trigger it: {names_of(found.devices or found.ambiguous, 4)}?"
        )
    return refusal(" ".join(words), f'I can\'t find "{" ".join(rest)}" in this home.')


def _actions(words: Sequence[str], home: Home, area: str) -> list[dict[str, Any]] | Part:
    wanted = frame(words, home.devices, home.places)
    actions: list[dict[str, Any]] = []
    for action in wanted.actions:
        found = targets(action, wanted, home, area, "", Context())
        if found.ambiguous or found.suggestions:
            return question(
                " ".join(words), f"Which one do you mean: {names_of(found.ambiguous or found.suggestions, 4)}?"
            )
        for device in found.devices:
            chosen = order(action, wanted, home, device)
            if isinstance(chosen, Order):
                actions.append(
                    {
                        "type": "device_command",
                        "device_id": device.id,
                        "command": chosen.command,
                        "parameters": dict(chosen.parameters),
                    }
                )
        if actions:
            return actions
    return refusal(" ".join(words), f'I can\'t find what to do in "{" ".join(words)}".')
