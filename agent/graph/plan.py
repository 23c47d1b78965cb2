"""A plan as data: what a step would change, how far each part of it has come, and whose yes it needs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from agent.models.protocol import ToolResult
from agent.toolbox import commands_in
from homeguard.effects import describe
from homeguard.model import Effect, UnitSystem

#: The highest tier that words in the chat may approve.
BY_WORDS: Final = 2


def plan_of(results: Sequence[ToolResult], *, unit_system: UnitSystem, tainted: bool) -> list[dict[str, Any]]:
    """`{"id", "device_id", "command", "text", "tier", "state", "reason", "confirmation_id"}` for each change of a step,
    in order.

    `state` is `confirmed`, `sent`, `failed`, `refused`, or what it waits for: `yes` (words or the press) or `card`; in
    a `tainted` turn no words are enough.
    """
    steps = []
    for result in results:
        done = [row for row in commands_in(result.output) if row["outcome"] != "asked"]
        steps += [_step(result, row, str(row["outcome"]), unit_system) for row in done]
        for row in result.output.get("asked", ()):
            waits = "yes" if int(row.get("tier") or 3) <= BY_WORDS and not tainted else "card"
            steps.append(_step(result, row, waits, unit_system))
    return steps


def _step(result: ToolResult, row: Mapping[str, Any], state: str, unit_system: UnitSystem) -> dict[str, Any]:
    return {
        "id": result.call_id, "device_id": str(row.get("device_id") or ""),
        "command": str(row.get("command") or result.name), "text": _text(result, row, unit_system),
        "tier": int(row.get("tier") or 0), "state": state, "reason": str(row.get("reason") or ""),
        "confirmation_id": str(row.get("confirmation_id") or ""),
    }  # fmt: skip


def _text(result: ToolResult, row: Mapping[str, Any], unit_system: UnitSystem) -> str:
    command, device, values = str(row.get("command") or result.name), str(row.get("device") or ""), row.get("set") or {}
    kind = "device" if row.get("device_id") else command
    mode = str(values.get("mode") or str(values.get("arm_state") or "").removeprefix("armed_"))
    effect = Effect(
        kind=kind, device_name=device, command=command, parameters={**values, "mode": mode} if mode else values,
        set=values,
    )  # fmt: skip
    if kind in ("device", "set_mode"):
        return describe(effect, unit_system)
    return f"{command.replace('_', ' ').capitalize()} {device}".strip()


def changed(
    plan: Sequence[Mapping[str, Any]],
    cards: Mapping[str, Mapping[str, Any] | None],
    outcomes: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """The plan after its questions were answered."""
    left = list(outcomes)
    steps = []
    for step in plan:
        now = dict(step)
        if step["confirmation_id"] in cards:
            found = next((o for o in left if _is_of(o, step)), None)
            if found is not None:
                left.remove(found)
                now |= {"state": str(found["outcome"]), "reason": str(found.get("reason") or "")}
        steps.append(now)
    return steps


def _is_of(outcome: Mapping[str, Any], step: Mapping[str, Any]) -> bool:
    return (outcome.get("device_id", ""), outcome.get("command")) == (step["device_id"], step["command"])


def waiting_text(done: str, cards: Sequence[Mapping[str, Any]]) -> str:
    """What a turn says while it waits: what is done, what takes a yes, what takes the press."""
    words = [str(c["text"]) for c in cards if int(c.get("tier") or 3) <= BY_WORDS]
    press = [str(c["text"]) for c in cards if int(c.get("tier") or 3) > BY_WORDS]
    told = [done] if done else []
    if words:
        told.append(f"I need your yes first: {' '.join(words)} Say yes here, or press the card.")
    if press:
        told.append(f"I need your confirmation first: {' '.join(press)} Nothing happens until you press the card.")
    return " ".join(told)
