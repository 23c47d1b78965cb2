"""Whatever a service answers, it is a step or a known fault: nothing else ever gets out of a wire."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_server import Reply, model_server
from wires import of_wire

from agent.models.faults import ModelFault
from agent.models.protocol import Prompt, Said, Step

pytestmark = pytest.mark.filterwarnings("ignore:.*is not a valid:UserWarning")
KEYS = st.sampled_from(
    (
        "choices", "delta", "message", "content", "tool_calls", "index", "id", "function", "name", "arguments", "usage",
        "prompt_tokens", "finish_reason", "error", "code", "candidates", "parts", "text", "thought", "functionCall",
        "args", "finishReason", "usageMetadata", "promptTokenCount", "promptFeedback", "blockReason", "role",
        "thoughtSignature",
    )
)  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10**12), st.floats(allow_nan=False), st.text(max_size=8),
    st.sampled_from(["stop", "STOP", "length", "{}", '{"a":', "[1]", "<think>", "</think>", "SAFETY", "c2ln"]),
)  # fmt: skip
VALUES = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=4), max_leaves=12)


def like_chat(value: Any) -> list[Any]:
    """Garbage in the places where something is looked for."""
    delta = {"content": value, "tool_calls": [{"index": value, "id": value, "function": value}, value]}
    return [value, {"choices": [value]}, {"choices": [{"delta": value}]}, {"choices": [{"delta": delta}]},
            {"choices": [{"delta": {"tool_calls": [{"function": {"name": value, "arguments": value}}]}}]},
            {"usage": value, "choices": [{"delta": {}, "finish_reason": value}]}, {"error": value}]  # fmt: skip


def like_gemini(value: Any) -> list[Any]:
    parts = [{"functionCall": value}, {"functionCall": {"name": "look", "args": value}}, {"text": value}, value]
    return [value, {"candidates": value}, {"candidates": [value]},
            *({"candidates": [{"content": {"role": "model", "parts": [p]}}]} for p in parts),
            {"candidates": [{"finishReason": value}]}, {"promptFeedback": value}, {"usageMetadata": value},
            {"error": value}]  # fmt: skip


async def ends(wire: str, lines: list[str]) -> int:
    """Asks once for each line; how many of the answers were steps."""
    prompt = Prompt(
        system="s", messages=(Said(role="user", text="x"),), tools=(), now=datetime.now(UTC), time_zone="UTC",
        unit_system="us",
    )  # fmt: skip
    steps = 0
    async with model_server(lambda heard: Reply()) as server:
        model = of_wire(wire, server.url)
        for line in lines:
            server.raw = f"data: {line}\n\n" + "data: [DONE]\n\n" * (wire == "chat")
            try:
                async for part in model.stream(prompt):
                    steps += isinstance(part, Step)
            except ModelFault:
                pass
        await model.close()
    return steps


@given(VALUES)
@settings(max_examples=30, deadline=None)
def test_chat_completions_give_a_step_or_a_fault(value: Any) -> None:
    asyncio.run(ends("chat", [json.dumps(v) for v in like_chat(value)]))


@given(VALUES)
@settings(max_examples=30, deadline=None)
def test_gemini_gives_a_step_or_a_fault(value: Any) -> None:
    asyncio.run(ends("gemini", [json.dumps(v) for v in like_gemini(value)]))


@given(st.text(max_size=60))
@settings(max_examples=20, deadline=None)
def test_lines_that_are_no_events_do_no_harm(text: str) -> None:
    for wire in ("chat", "gemini"):
        asyncio.run(ends(wire, [text, text.replace(" ", "\n")]))
