"""The steps of a turn: think, act over MCP, wait for a person, answer what the outcomes bear out."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from agent.evidence import checked, may_be_shown, sentences
from agent.graph.state import State, acting, result_to_json, said_from_json, said_to_json
from agent.models.protocol import Model, Prompt, Said, Step, Token, ToolCall, ToolResult
from agent.toolbox import Called, Toolbox, commands_in
from homeguard.errors import ModelUnavailable
from homeguard.model import Home

MAX_STEPS: Final = 8
MAX_CALLS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a turn is run with; never part of its state.

    `models` in the order in which they are tried; `confirmation` shows one card (`pipeline.command.show` form) or None.
    """

    toolbox: Toolbox
    models: Sequence[Model]
    home: Home
    system: str
    now: Callable[[], datetime]
    confirmation: Callable[[str], Awaitable[Mapping[str, Any] | None]]


async def think(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    """One step of the first model that answers. Its words are shown sentence by sentence, once they may be."""
    context, write = runtime.context, runtime.stream_writer
    prompt = Prompt(
        system=context.system,
        messages=tuple(said_from_json(m) for m in state["messages"]),
        tools=context.toolbox.specs,
        now=context.now(),
        time_zone=context.home.time_zone,
        unit_system=context.home.unit_system,
        area=state["place"].get("area", ""),
        device_id=state["place"].get("device_id", ""),
    )
    failure: ModelUnavailable | None = None
    for model in context.models:
        written = ""
        try:
            async for part in model.stream(prompt):
                if isinstance(part, Token):
                    whole, written = sentences(written + part.text)
                    _show(whole, state, write)
                else:
                    _show([written] if written else [], state, write)
                    return _step(state, part, model.name)
        except ModelUnavailable as error:
            failure = error
    raise failure or ModelUnavailable("no model answered")


def _show(whole: Sequence[str], state: State, write: Callable[[Any], None]) -> None:
    for sentence in whole:
        if may_be_shown(sentence, state.get("commands", [])):
            write({"name": "token", "text": sentence})


def _step(state: State, step: Step, model: str) -> dict[str, Any]:
    made = sum(len(m.get("calls", ())) for m in state["messages"][state["recalled"] :])
    calls = step.calls[: max(0, MAX_CALLS - made)]
    said = Said(role="assistant", text=step.text, calls=calls, opaque=step.opaque)
    return {
        "messages": [said_to_json(said)],
        "steps": state.get("steps", 0) + 1,
        "tokens": [[step.input_tokens, step.output_tokens]],
        "refusals": [dict(r) for r in step.refusals],
        "model": model,
    }


def _calls(state: State) -> tuple[ToolCall, ...]:
    return said_from_json(state["messages"][-1]).calls


def after_thinking(state: State) -> Literal["act", "answer"]:
    return "act" if _calls(state) and state["steps"] <= MAX_STEPS else "answer"


async def act(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    """Make the calls of this step, in order. Each has a cause of its own, so that a repeated step acts once."""
    context, write = runtime.context, runtime.stream_writer
    results: list[ToolResult] = []
    commands: list[dict[str, Any]] = []
    waiting: dict[str, str] = {}
    asked: list[dict[str, Any]] = []
    for call in _calls(state):
        server = context.toolbox.server_of(call.name)
        shown = {"id": call.id, "server": server, "tool": call.name}
        write({"name": "tool_start", **shown, "arguments": dict(call.arguments)})
        called: Called = await context.toolbox.call(acting(state, f"{state['turn_id']}/{call.id}"), call)
        result = called.result
        results.append(result)
        write({"name": "tool_end", **shown, "status": result.status, "result": dict(result.output) or result.error})
        if called.confirmation_id:
            waiting[call.id] = called.confirmation_id
            card = await context.confirmation(called.confirmation_id)
            if card is not None:
                asked.append(dict(card))
                write({"name": "confirmation", "confirmation": dict(card)})
        for command in commands_in(result.output):
            if command["outcome"] != "asked":
                commands.append(command)
                write({"name": "outcome", "command": command})
    update: dict[str, Any] = {"commands": commands, "waiting": waiting, "asked": asked}
    if waiting:
        return {**update, "results": [result_to_json(r) for r in results]}
    return {**update, "results": [], "messages": [said_to_json(Said(role="tool", results=tuple(results)))]}


def after_acting(state: State) -> Literal["wait", "think"]:
    return "wait" if state["waiting"] else "think"


async def wait(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    """Stop here until the cards are answered, anywhere; then tell the model what came of them."""
    interrupt({"confirmations": sorted(state["waiting"].values())})  # nothing before this line: it runs again
    write = runtime.stream_writer
    results, commands = [], []
    for kept in state["results"]:
        result = ToolResult(**kept)
        card_id = state["waiting"].get(result.call_id)
        if card_id is not None:
            card = await runtime.context.confirmation(card_id)
            result, outcomes = _decided(result, card)
            for command in outcomes:
                commands.append(command)
                write({"name": "outcome", "command": command})
        results.append(result)
    return {
        "waiting": {},
        "results": [],
        "commands": commands,
        "messages": [said_to_json(Said(role="tool", results=tuple(results)))],
    }


def _decided(result: ToolResult, card: Mapping[str, Any] | None) -> tuple[ToolResult, list[dict[str, Any]]]:
    if card is not None and card["state"] == "approved":
        earlier = [dict(o) for o in result.output.get("results", ())]
        outcomes = [dict(o) for o in card["outcome"]]
        output = outcomes[0] if len(outcomes) == 1 and not earlier else {"results": [*earlier, *outcomes]}
        done = ToolResult(call_id=result.call_id, name=result.name, status="ok", output=output)
        return done, [o for o in outcomes if o.get("command_id")]
    state = "expired" if card is None or card["state"] in ("expired", "open") else "denied"
    sentence = "nobody confirmed it in time" if state == "expired" else "the person said no"
    denied = ToolResult(call_id=result.call_id, name=result.name, status="denied", error=sentence, output=result.output)
    rows = [
        {"command_id": "", "device_id": e["device_id"], "device": e["device_name"], "set": e["set"],
         "command": e["command"] or e["kind"], "outcome": state, "reason": sentence}
        for e in (card["effects"] if card is not None else ())
    ]  # fmt: skip
    return denied, rows


def _dated(state: State) -> str:
    """One sentence when something of this turn's answers came from a copy, else ""."""
    since: dict[str, str] = {}
    for message in state["messages"][state["recalled"] :]:
        for result in said_from_json(message).results:
            for concern, at in result.stale_since.items():
                since[concern] = min(at, since.get(concern, at))
    if not since:
        return ""
    told = ", ".join(f"{concern} as of {at[11:16]} UTC on {at[:10]}" for concern, at in sorted(since.items()))
    return f"(That is the last I know: {told}. The store behind it does not answer now.)"


async def answer(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    """The model's last words, held against what really happened."""
    last = said_from_json(state["messages"][-1])
    text = last.text if last.role == "assistant" else ""
    if last.calls:
        text = f"{text} This took too many steps, so the rest was stopped.".strip()
    text, evidence = checked(text, state.get("commands", []))
    if not text:
        text = "I have nothing to say to that."
    text = f"{text} {_dated(state)}".strip()
    refusals = state.get("refusals", [])
    runtime.stream_writer({"name": "answer", "text": text, "evidence": evidence, "refusals": refusals})
    return {"answer": text}
