"""Acting: the calls of one step as a plan, and the wait for the person where a step of it needs one."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Literal

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from agent.graph.context import Context
from agent.graph.plan import changed, plan_of
from agent.graph.state import State, acting, result_to_json, said_from_json, said_to_json
from agent.graph.taint import taints
from agent.models.protocol import Said, ToolCall, ToolResult
from agent.toolbox import Called, commands_in
from homeguard.clock import iso


async def act(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    """Make the calls of this step, in order. Each has a cause of its own, so that a repeated step acts once.

    What needs nobody's yes runs at once; what does is gathered into one question for words and one for the press.
    """
    context, write = runtime.context, runtime.stream_writer
    made: list[Called] = []
    commands: list[dict[str, Any]] = []
    tainted = state.get("tainted", False)
    async with AsyncExitStack() as step:
        asked = await step.enter_async_context(context.gather(state["turn_id"], state["steps"]))
        for call in said_from_json(state["messages"][-1]).calls:
            server = context.toolbox.server_of(call.name)
            shown = {"id": call.id, "server": server, "tool": call.name}
            write({"name": "tool_start", **shown, "arguments": dict(call.arguments)})
            called = await _call(state, context, call, tainted=tainted)
            result = called.result
            made.append(called)
            tainted = tainted or taints(result, call.arguments)
            write({"name": "tool_end", **shown, "status": result.status, "result": dict(result.output) or result.error})
            for command in commands_in(result.output):
                if command["outcome"] != "asked":
                    commands.append(command)
                    write({"name": "outcome", "command": command})
    waiting = {c.result.call_id: [asked.get(i, i) for i in c.confirmation_ids] for c in made if c.confirmation_ids}
    cards = []
    for card_id in dict.fromkeys(i for ids in waiting.values() for i in ids):
        card = await context.confirmation(card_id)
        if card is not None:
            cards.append(dict(card))
            write({"name": "confirmation", "confirmation": dict(card)})
    results = [_settled(c.result, asked) for c in made]
    plan = plan_of(results, unit_system=context.home.unit_system, tainted=tainted)
    if len(plan) > 1:
        write({"name": "plan", "steps": plan})
    update: dict[str, Any] = {
        "commands": commands, "waiting": waiting, "asked": cards, "plan": plan, "tainted": tainted,
        "at": iso(context.system_now()),
    }  # fmt: skip
    if waiting:
        return {**update, "results": [result_to_json(r) for r in results]}
    return {**update, "results": [], "messages": [said_to_json(Said(role="tool", results=tuple(results)))]}


async def _call(state: State, context: Context, call: ToolCall, *, tainted: bool) -> Called:
    problem = state.get("unreadable", {}).get(call.id)
    if problem is not None:
        return Called(result=ToolResult(call_id=call.id, name=call.name, status="error", error=problem))
    return await context.toolbox.call(acting(state, f"{state['turn_id']}/{call.id}", tainted=tainted), call)


def _settled(result: ToolResult, asked: Mapping[str, str]) -> ToolResult:
    """The result with the questions as they were stored in the end."""
    rows = [{**row, "confirmation_id": asked.get(row["confirmation_id"], row["confirmation_id"])}
            for row in result.output.get("asked", ())]  # fmt: skip
    if not rows:
        return result
    output = {**result.output, "asked": rows, "confirmation_id": rows[0]["confirmation_id"]}
    return ToolResult(call_id=result.call_id, name=result.name, status=result.status, output=output)


def after_acting(state: State) -> Literal["wait", "think"]:
    return "wait" if state["waiting"] else "think"


async def wait(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    """Stop here until the cards are answered, anywhere; then tell the model what came of them."""
    interrupt({"confirmations": card_ids(state)})  # nothing before this line: it runs again
    write = runtime.stream_writer
    cards = {i: await runtime.context.confirmation(i) for i in card_ids(state)}
    results, commands = decided(state, cards)
    for command in commands:
        write({"name": "outcome", "command": command})
    plan = changed(state.get("plan", []), cards, commands)
    if len(plan) > 1:
        write({"name": "plan", "steps": plan})
    return {
        "waiting": {},
        "results": [],
        "plan": plan,
        "commands": commands,
        "messages": [said_to_json(Said(role="tool", results=tuple(results)))],
        "at": iso(runtime.context.system_now()),
    }


def card_ids(state: State) -> list[str]:
    """The questions that a turn waits for, each once."""
    return list(dict.fromkeys(i for ids in state.get("waiting", {}).values() for i in ids))


def decided(
    state: State, cards: Mapping[str, Mapping[str, Any] | None]
) -> tuple[list[ToolResult], list[dict[str, Any]]]:
    """The results of a step whose cards are answered or over, and what became of the effects that were asked."""
    left = {i: [dict(o) for o in (card or {}).get("outcome", ())] for i, card in cards.items()}
    results, commands = [], []
    for kept in state.get("results", ()):
        result = ToolResult(**kept)
        if result.status == "asked":
            rows = [_row(row, cards.get(row["confirmation_id"]), left) for row in result.output.get("asked", ())]
            commands += rows
            result = _told(result, rows)
        results.append(result)
    return results, commands


def _row(
    asked: Mapping[str, Any], card: Mapping[str, Any] | None, left: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    base = {"command_id": "", **{k: v for k, v in asked.items() if k != "confirmation_id"}}
    if card is None or card["state"] in ("expired", "open"):
        return {**base, "outcome": "expired", "reason": "nobody confirmed it in time"}
    if card["state"] == "denied":
        return {**base, "outcome": "denied", "reason": "the person said no"}
    outcomes = left[card["id"]]
    for entry in outcomes:
        if entry.get("device_id", "") == asked["device_id"] and entry.get("command") in (None, asked["command"]):
            outcomes.remove(entry)
            return {**base, **entry}
    return {**base, "outcome": "sent", "reason": "it is not known whether it was done"}


def _told(result: ToolResult, rows: Sequence[dict[str, Any]]) -> ToolResult:
    """An asked call's result once its questions are over; what it had done without asking stays in front."""
    earlier = [dict(o) for o in result.output.get("results", ())]
    output = rows[0] if len(rows) == 1 and not earlier else {"results": [*earlier, *rows]}
    refused = [row["reason"] for row in rows if row["outcome"] in ("denied", "expired")]
    if len(refused) < len(rows):
        return ToolResult(call_id=result.call_id, name=result.name, status="ok", output=output)
    return ToolResult(call_id=result.call_id, name=result.name, status="denied", output=output, error=refused[0])
