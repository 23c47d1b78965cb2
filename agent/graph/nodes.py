"""The steps of a turn around its acts: recall, think, answer what the outcomes bear out, remember."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final, Literal

from langgraph.runtime import Runtime

from agent.evidence.check import checked, may_be_shown
from agent.evidence.facts import Facts, gather, zone_of
from agent.evidence.links import without_links
from agent.evidence.outcomes import say_outcomes
from agent.evidence.sentences import sentences
from agent.graph.caps import Caps
from agent.graph.context import Context
from agent.graph.state import State, own, said_from_json, said_to_json
from agent.looks import only_looks
from agent.models.faults import ModelFault
from agent.models.protocol import OFFLINE, Model, Prompt, Said, Step, Token, ToolCall
from homeguard.clock import iso
from homeguard.errors import ModelUnavailable

_NAME_LENGTH: Final = 80
#: No tool takes more, and a checkpoint cannot hold what is nested without end.
_DEEPEST: Final = 16
#: A model that minds its time says itself that it is over, a moment before it is left.
_GRACE_S: Final = 0.25
_BROKE_OFF: Final = (
    "The language model broke off after that, so I stopped there; tell me again if something is missing."
)


async def recall(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    """What was said and is remembered, then the person's words."""
    remembered = await runtime.context.recall(state)
    words = said_to_json(Said(role="user", text=state["words"]))
    return {
        "messages": [*map(said_to_json, remembered.said), words],
        "recalled": len(remembered.said),
        "tainted": remembered.tainted,
    }


async def think(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    """One step of the first model that answers. Its words are shown sentence by sentence, once they may be."""
    context, write = runtime.context, runtime.stream_writer
    if sum(read + written for read, written in state.get("tokens", [])) >= context.caps.tokens:
        return _stopped(state, "This took more words than one request may use, so I stopped.")
    failure: ModelUnavailable | None = None
    limited: dict[str, Any] = {}
    facts = facts_of(state, context)
    for model in who_answers(state, context.models):
        if has_acted(state) and state["model"] != model.name:
            done = say_outcomes(state["commands"]) if state.get("commands") else ""
            return {**_stopped(state, _BROKE_OFF, done), **limited}
        written, shown, computed = "", 0, model.name == OFFLINE
        try:
            async with aclosing(_parts(model, _prompt(state, context, model), context.caps.first_token_s)) as parts:
                async for part in parts:
                    if isinstance(part, Step):
                        if shown <= context.caps.shown_characters:
                            _show([written] if written else [], state, facts, write, computed=computed)
                        update = _step(state, part, model.name, context.caps)
                        return {**update, **limited, "at": iso(context.system_now())}
                    whole, written = sentences(written + part.text)
                    shown += len(part.text)
                    if shown <= context.caps.shown_characters:
                        _show(whole, state, facts, write, computed=computed)
        except ModelUnavailable as error:
            failure = error
            limited = _limited(error)
    raise failure or ModelUnavailable("no model answered")


def _prompt(state: State, context: Context, model: Model) -> Prompt:
    """For this model: what another one read in this turn before it fell silent is not told, it reads for itself."""
    said = [said_from_json(m) for m in state["messages"]]
    kept, is_others = said[: state["recalled"]], False
    for message in said[state["recalled"] :]:
        if message.role != "tool":
            is_others = message.role == "assistant" and message.by not in ("", model.name)
        if not is_others:
            kept.append(message)
    return Prompt(
        system=context.system,
        messages=tuple(kept),
        tools=context.toolbox.specs,
        now=context.now(),
        time_zone=context.home.time_zone,
        unit_system=context.home.unit_system,
        area=state["place"].get("area", ""),
        device_id=state["place"].get("device_id", ""),
        silence_s=context.caps.first_token_s,
        within_s=context.caps.step_s,
    )


def who_answers(state: State, models: Sequence[Model]) -> Sequence[Model]:
    """The models to ask, in order: who took a turn over keeps it."""
    names = [m.name for m in models]
    last = state.get("model", "")
    return models[names.index(last) :] if last in names else models


def has_acted(state: State) -> bool:
    """Whether a call of this turn may have changed something: another model, that would begin anew, must not go on."""
    said = own(state)
    ended = {r.call_id: r.status for m in said for r in m.results}
    return any(not only_looks(c.name) and ended.get(c.id) != "error" for m in said for c in m.calls)


def _limited(error: ModelUnavailable) -> dict[str, Any]:
    if not isinstance(error, ModelFault):
        return {}
    since = iso(error.outage_since) if error.outage_since is not None else ""
    return {"limited": {"model": error.model, "kind": error.kind, "since": since}}


async def _parts(model: Model, prompt: Prompt, first_s: float) -> AsyncGenerator[Token | Step, None]:
    parts = aiter(model.stream(prompt))
    try:
        async with asyncio.timeout(first_s + _GRACE_S):
            first = await anext(parts)
    except TimeoutError as error:
        raise ModelUnavailable("the model did not begin in time") from error
    except StopAsyncIteration:
        raise ModelUnavailable("the model said nothing") from None
    yield first
    async for part in parts:
        yield part
    raise ModelUnavailable("the model broke off")  # whoever has the step does not come here


def facts_of(state: State, context: Context) -> Facts:
    """What this turn knows so far: its own tool results, its commands, the person's words."""
    said = state["messages"][state["recalled"] :]
    return gather(
        [result for message in said for result in message.get("results", ())],
        state.get("commands", []),
        calls=[call for message in said for call in message.get("calls", ())],
        words=state["words"],
        now=context.now(),
        zone=zone_of(context.home.time_zone),
    )


def _show(
    whole: Sequence[str], state: State, facts: Facts, write: Callable[[Any], None], *, computed: bool
) -> None:  # fmt: skip
    for sentence in map(without_links, whole):
        if may_be_shown(sentence, state.get("commands", []), facts, computed=computed):
            write({"name": "token", "text": sentence})


def _stopped(state: State, why: str, text: str = "") -> dict[str, Any]:
    said = said_to_json(Said(role="assistant", text=text))
    return {"messages": [said], "steps": state.get("steps", 0) + 1, "unreadable": {}, "stopped": why}


def _step(state: State, step: Step, model: str, caps: Caps) -> dict[str, Any]:
    used = {c.id for m in own(state) for c in m.calls}
    number = state.get("steps", 0) + 1
    calls: list[ToolCall] = []
    unreadable: dict[str, str] = {}
    room = caps.calls - len(used) if number <= caps.steps else 0
    for index, call in enumerate(step.calls[: max(0, room)]):
        call_id = call.id if isinstance(call.id, str) and 0 < len(call.id) <= _NAME_LENGTH else ""
        if not call_id or call_id in used or not _is_text(call_id):
            call_id = f"call-{number}-{index}"
        used.add(call_id)
        name = _text(call.name, _NAME_LENGTH) if isinstance(call.name, str) else ""
        problem = _problem(call.arguments, caps.arguments_bytes)
        if problem:
            unreadable[call_id] = problem
        calls.append(ToolCall(id=call_id, name=name, arguments={} if problem else dict(call.arguments)))
    opaque = step.opaque if step.opaque is not None and not _problem(step.opaque, caps.arguments_bytes) else None
    said = Said(
        role="assistant", text=_text(step.text, caps.shown_characters), calls=tuple(calls), opaque=opaque, by=model
    )  # fmt: skip
    update: dict[str, Any] = {
        "messages": [said_to_json(said)],
        "steps": number,
        "tokens": [[step.input_tokens, step.output_tokens]],
        "refusals": [dict(r) for r in step.refusals],
        "unreadable": unreadable,
        "model": model,
    }
    if step.calls and number > caps.steps:
        update["stopped"] = "This took too many steps, so the rest was stopped."
    elif len(calls) < len(step.calls):
        update["stopped"] = f"That was more than I do in one go ({caps.calls} calls), so the rest was not done."
    return update


def _problem(arguments: object, most: int) -> str:
    """Why arguments cannot be used, `""` when they can."""
    if not isinstance(arguments, dict):
        return "the arguments are not an object"
    try:
        size = len(json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError):
        return "the arguments cannot be read"
    if size > most:
        return f"the arguments are larger than {most} bytes"
    return "the arguments are nested too deeply" if _is_deeper(arguments, _DEEPEST) else ""


def _is_deeper(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list | tuple):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(v, levels - 1) for v in inner)


def _is_text(text: str) -> bool:
    return text.isprintable() and not any("\ud800" <= c <= "\udfff" for c in text)


def _text(text: object, most: int) -> str:
    """Text that can be kept: no halves of characters, no NUL, not longer than that."""
    if not isinstance(text, str):
        return ""
    return text[:most].encode("utf-8", "ignore").decode().replace("\x00", "")


def after_thinking(state: State) -> Literal["act", "answer"]:
    return "act" if said_from_json(state["messages"][-1]).calls else "answer"


def _dated(state: State) -> str:
    """One sentence when something of this turn's answers came from a copy, else ""."""
    since: dict[str, str] = {}
    for message in own(state):
        for result in message.results:
            for concern, at in result.stale_since.items():
                since[concern] = min(at, since.get(concern, at))
    if not since:
        return ""
    told = ", ".join(f"{concern} as of {at[11:16]} UTC on {at[:10]}" for concern, at in sorted(since.items()))
    return f"(That is the last I know: {told}. The store behind it does not answer now.)"


async def answer(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    """The model's last words, held against what really happened."""
    last = said_from_json(state["messages"][-1])
    said = last.text if last.role == "assistant" else ""
    facts, computed = facts_of(state, runtime.context), state.get("model") == OFFLINE
    text, evidence = checked(said, state.get("commands", []), facts, computed=computed)
    stopped = state.get("stopped", "")
    if not text and not stopped:
        text = "I have nothing to say to that."
    limited = runtime.context.limited(state)
    text = " ".join(part for part in (limited, text, stopped, _dated(state)) if part)
    refusals = state.get("refusals", [])
    runtime.stream_writer({"name": "answer", "text": text, "evidence": evidence, "refusals": refusals})
    return {"answer": text, "evidence": evidence}


async def remember(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    """Write down how the turn ended; from here on it is over."""
    await runtime.context.remember(state)
    return {}
