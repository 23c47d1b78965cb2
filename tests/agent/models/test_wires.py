"""Both wires to a model: what is sent, what comes back, and every way in which it can go wrong."""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from model_server import KEY, Fault, Heard, ModelServer, Reply, model_server

from agent.models.faults import ModelFault
from agent.models.gemini import Gemini
from agent.models.openai_compatible import ChatCompletions, base_of
from agent.models.protocol import Prompt, Said, Step, Token, ToolCall, ToolResult, ToolSpec

LOOK = ToolSpec(
    server="devices", name="look", description="Looks.",
    input_schema={"type": "object", "properties": {"device_id": {"type": "string"}}, "required": ["device_id"]},
)  # fmt: skip
MakePrompt = Callable[..., Prompt]


async def parts_of(model: Any, prompt: Prompt) -> tuple[list[str], Step]:
    parts = [part async for part in model.stream(prompt)]
    assert all(isinstance(p, Token) for p in parts[:-1])
    return [p.text for p in parts[:-1]], parts[-1]


async def test_words_come_in_pieces_and_the_step_has_them_all(model: Any, prompt: MakePrompt) -> None:
    words, step = await parts_of(model, prompt("hello"))

    assert words == ["Good ", "day ", "to ", "you."]
    assert step == Step(text="Good day to you.", input_tokens=120, output_tokens=30)


async def test_several_calls_of_one_step_come_with_ids_and_go_back_with_their_answers(
    model: Any, server: ModelServer, prompt: MakePrompt
) -> None:
    def brain(heard: Heard) -> Reply:
        if heard.results:
            return Reply(texts=[f"{len(heard.results)} answers: {heard.results[1]['output']['lock']}"])
        return Reply(texts=["Looking. "], calls=[("look", {"device_id": "a"}), ("look", {"device_id": "b"})])

    server.brain = brain
    _, step = await parts_of(model, prompt("is it locked?", tools=(LOOK,)))
    assert [(c.name, dict(c.arguments)) for c in step.calls] == [
        ("look", {"device_id": "a"}), ("look", {"device_id": "b"}),
    ]  # fmt: skip
    kept = json.loads(json.dumps(step.opaque))  # as a checkpoint has it
    # the graph gave the calls ids of its own
    calls = tuple(ToolCall(id=f"ours-{i}", name=c.name, arguments=c.arguments) for i, c in enumerate(step.calls))
    results = tuple(
        ToolResult(call_id=c.id, name=c.name, status="ok", output={"lock": word})
        for c, word in zip(calls, ("locked", "open"), strict=True)
    )
    said = (
        Said(role="assistant", text=step.text, calls=calls, opaque=kept),
        Said(role="tool", results=results),
    )
    _, end = await parts_of(model, prompt("is it locked?", *said, tools=(LOOK,)))

    assert end.text == "2 answers: open"


async def test_a_call_that_was_cut_off_by_a_cap_is_answered_too(
    model: Any, server: ModelServer, prompt: MakePrompt
) -> None:
    server.brain = lambda heard: Reply(
        texts=[str([r.get("error") for r in heard.results])] if heard.results else [],
        calls=() if heard.results else [("look", {}), ("look", {})],
    )
    _, step = await parts_of(model, prompt("look", tools=(LOOK,)))
    said = Said(role="assistant", calls=step.calls[:1], opaque=step.opaque)
    results = (ToolResult(call_id=step.calls[0].id, name="look", status="ok", output={"n": 1}),)
    _, end = await parts_of(model, prompt("look", said, Said(role="tool", results=results), tools=(LOOK,)))

    assert end.text == "[None, 'it was not called: too many calls']"


async def test_what_another_model_or_an_earlier_turn_did_is_told_as_text(
    model: Any, server: ModelServer, prompt: MakePrompt
) -> None:
    call = ToolCall(id="m-0", name="control_device", arguments={"device_id": "hall", "command": "turn_on"})
    found = ToolResult(call_id="recalled", name="recall", status="ok", output={"notes": ["n1"]})
    note = ToolCall(id="recalled", name="recall", arguments={"query": "it"})
    recalled = [
        Said(role="user", text="hall light on"),
        Said(role="assistant", calls=(call,)),
        Said(role="tool", results=(ToolResult(call_id="m-0", name="control_device", status="ok"),)),
        Said(role="assistant", text="The hall light is on."),
        Said(role="assistant", calls=(note,)),
        Said(role="tool", results=(found,)),
    ]
    heard: list[Heard] = []
    server.brain = lambda h: heard.append(h) or Reply(texts=["Okay."])  # type: ignore[func-returns-value]
    await parts_of(model, prompt(*recalled, "and off again", tools=(LOOK,)))
    sent = json.dumps(server.requests[-1][2])

    assert heard[0].words == "and off again"
    assert heard[0].results == ()
    assert "control_device with" in sent
    assert '\\"notes\\":[\\"n1\\"]' in sent
    assert "Sunday 2026-11-22 13:30 (America/New_York)" in sent


@pytest.mark.parametrize(
    ("fault", "kind", "passes"),
    [
        (Fault("status", 401), "key_refused", False),
        (Fault("status", 403), "key_refused", False),
        (Fault("status", 400), "not_accepted", False),
        (Fault("status", 404), "unknown_model", False),
        (Fault("status", 408), "slow", True),
        (Fault("status", 429, "2"), "too_many", True),
        (Fault("status", 500), "broken", True),
        (Fault("html", 502), "broken", True),
        (Fault("status", 503), "broken", True),
        (Fault("status", 504), "slow", True),
        (Fault("cut"), "cut", False),
        (Fault("torn"), "cut", True),
        (Fault("empty"), "empty", False),
        (Fault("blocked"), "blocked", False),
        (Fault("safety"), "blocked", False),
        (Fault("garbage"), "unreadable", False),
        (Fault("broken_midway"), "broken", True),
    ],
    ids=lambda value: f"{value.how}{value.status or ''}" if isinstance(value, Fault) else None,
)
async def test_each_fault_is_known_by_its_kind(
    model: Any, server: ModelServer, prompt: MakePrompt, fault: Fault, kind: str, passes: bool
) -> None:
    server.faults = [fault]
    with pytest.raises(ModelFault) as caught:
        await parts_of(model, prompt("hello"))

    assert (caught.value.kind, caught.value.passes) == (kind, passes)
    assert caught.value.retry_after_s == (2.0 if fault.retry else None)
    assert KEY not in caught.value.told + caught.value.message
    _, step = await parts_of(model, prompt("hello"))
    assert step.text == "Good day to you."


async def test_an_answer_that_ran_out_of_room_says_so(model: Any, server: ModelServer, prompt: MakePrompt) -> None:
    server.faults = [Fault("full")]
    _, step = await parts_of(model, prompt("hello"))

    assert step.text == "Good day… (The answer was too long and ends here.)"


async def test_nobody_there_is_unreachable(model: Any, prompt: MakePrompt) -> None:
    async with model_server(lambda heard: Reply()) as gone:
        address = gone.url
    other = type(model)(address=address, model="m", key=KEY)
    with pytest.raises(ModelFault) as caught:
        await parts_of(other, prompt("hello"))
    await other.close()

    assert (caught.value.kind, caught.value.passes) == ("unreachable", True)


async def test_who_stops_listening_lets_the_service_go(model: Any, server: ModelServer, prompt: MakePrompt) -> None:
    server.faults = [Fault("stall")]
    async with aclosing(model.stream(prompt("hello"))) as parts:
        assert await anext(parts) == Token(text="Good ")
    async with asyncio.timeout(5):
        await server.left.wait()


async def test_the_key_is_sent_and_a_wrong_one_is_told_without_itself(server: ModelServer, prompt: MakePrompt) -> None:
    wrong = ChatCompletions(address=server.url, model="local", key="another")
    with pytest.raises(ModelFault, match="does not accept the key"):
        await parts_of(wrong, prompt("hello"))
    await wrong.close()
    none = ChatCompletions(address=server.url, model="local")
    await parts_of(none, prompt("hello"))
    await none.close()

    assert "authorization" not in server.requests[-1][1]


async def test_a_service_that_says_the_key_aloud_is_not_repeated(prompt: MakePrompt) -> None:
    with pytest.raises(ModelFault) as caught:
        await chat(prompt("go"), {"error": {"message": f"no quota for {KEY}", "code": 429}}, key=KEY)

    assert (caught.value.kind, caught.value.told) == ("too_many", "no quota for ***")


async def test_gemini_gets_its_own_step_back_with_its_signature(server: ModelServer, prompt: MakePrompt) -> None:
    server.brain = lambda heard: Reply(texts=["done"]) if heard.results else Reply(calls=[("look", {"device_id": "a"})])
    gemini = Gemini(key=KEY, model="gemini-3.8-flash", address=server.url)
    _, step = await parts_of(gemini, prompt("look", tools=(LOOK,)))
    result = ToolResult(call_id=step.calls[0].id, name="look", status="refused", output={"x": 1}, error="no")
    said = (Said(role="assistant", calls=step.calls, opaque=step.opaque), Said(role="tool", results=(result,)))
    await parts_of(gemini, prompt("look", *said, tools=(LOOK,)))
    await gemini.close()
    model_said, answered = server.requests[-1][2]["contents"][-2:]

    assert model_said["parts"][0]["thoughtSignature"] == "c2lnbmVk"
    assert answered["parts"][0]["functionResponse"] == {
        "id": "g-look-0", "name": "look", "response": {"output": {"x": 1}, "status": "refused", "error": "no"},
    }  # fmt: skip


async def test_gemini_calls_that_came_without_a_signature_are_told_as_text(
    server: ModelServer, prompt: MakePrompt
) -> None:
    call = ToolCall(id="c1", name="look", arguments={"device_id": "a"})
    result = ToolResult(call_id="c1", name="look", status="ok", output={"lock": "open"})
    said = (Said(role="assistant", calls=(call,)), Said(role="tool", results=(result,)))
    gemini = Gemini(key=KEY, model="gemini-3.8-flash", address=server.url)
    _, step = await parts_of(gemini, prompt("look", *said, tools=(LOOK,)))
    await gemini.close()

    assert step.text == "Good day to you."
    last = server.requests[-1][2]["contents"][-1]["parts"][0]["text"]
    assert last.endswith(
        '[Data: what the assistant did in this turn: look with {"device_id":"a"} came to {"output":{"lock":"open"}}]'
    )


async def test_each_name_is_asked_as_its_family_wants_it(server: ModelServer, prompt: MakePrompt) -> None:
    for name in ("gemini-2.5-flash", "gemini-3.8-flash", "gemini-flash-latest"):
        gemini = Gemini(key=KEY, model=name, address=server.url)
        await parts_of(gemini, prompt("hello"))
        await gemini.close()
    told = ["thinkingConfig" in body["generationConfig"] for _, _, body in server.requests]

    assert told == [False, True, False]
    assert [path.split("/")[1] for path, _, _ in server.requests] == ["v1", "v1", "v1beta"]


async def chat(prompt: Prompt, *events: Any, key: str = "") -> tuple[list[str], Step]:
    """What becomes of these events of a stream of chat completions."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(h.split(b":")[1]) for h in head.lower().split(b"\r\n") if h.startswith(b"content-length"))
        await reader.readexactly(length)
        lines = "".join(f"data: {e if isinstance(e, str) else json.dumps(e)}\n\n" for e in events).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + lines)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    model = ChatCompletions(address=f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", model="m", key=key)
    try:
        return await parts_of(model, prompt)
    finally:
        await model.close()
        listening.close()


def delta(finish: str | None = None, **delta: Any) -> Mapping[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


async def test_arguments_come_in_pieces_and_servers_that_count_every_call_as_the_first_are_understood(
    prompt: MakePrompt,
) -> None:
    _, step = await chat(
        prompt("go"),
        delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "look", "arguments": '{"device'}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": '_id": "x"}'}}]),
        delta(tool_calls=[{"index": 0, "id": "b", "function": {"name": "look", "arguments": {"device_id": "y"}}}]),
        delta(tool_calls=[{"index": 0, "function": {"name": "look", "arguments": '{"device_id": "z"}'}}]),
        delta("tool_calls"), "[DONE]",
    )  # fmt: skip

    assert step.calls == (
        ToolCall(id="a", name="look", arguments={"device_id": "x"}),
        ToolCall(id="b", name="look", arguments={"device_id": "y"}),
        ToolCall(id="", name="look", arguments={"device_id": "z"}),
    )


@pytest.mark.parametrize("text", ['{"device_id": ', "[1, 2]", "not json", '"text"'])
async def test_arguments_that_are_no_object_are_left_for_the_graph_to_tell(prompt: MakePrompt, text: str) -> None:
    call = {"index": 0, "id": "a", "function": {"name": "look", "arguments": text}}
    _, step = await chat(prompt("go"), delta("tool_calls", tool_calls=[call]))

    assert not isinstance(step.calls[0].arguments, dict)
    assert step.opaque is not None
    assert step.opaque["chat_completions"]["tool_calls"][0]["function"]["arguments"] == "{}"


async def test_thoughts_are_not_said(prompt: MakePrompt) -> None:
    pieces = ["<th", "ink>The person", " wants</think", ">\n\nIt is ", "<think> on."]
    words, step = await chat(prompt("go"), *(delta(content=p) for p in pieces), delta("stop"))

    assert ("".join(words), step.text) == ("It is <think> on.", "It is <think> on.")


async def test_a_server_that_does_not_stream_or_count_is_understood(server: ModelServer, prompt: MakePrompt) -> None:
    server.faults = [Fault("whole")]
    whole = ChatCompletions(address=f"{server.url}/v1/chat/completions", model="local")
    words, step = await parts_of(whole, prompt("hello"))
    await whole.close()
    assert (words, step.text) == (["Good day to you."], "Good day to you.")

    _, uncounted = await chat(prompt("go"), delta(content="Twelve letters and more."), "[DONE]")
    assert uncounted.output_tokens == 7
    assert uncounted.input_tokens > 40


async def test_a_server_that_refuses_a_field_by_its_name_is_asked_without(prompt: MakePrompt) -> None:
    async with model_server(lambda heard: Reply(texts=["Fine."])) as server:
        model = ChatCompletions(address=server.url, model="local")
        seen: list[set[str]] = []

        def refuses(body: Mapping[str, Any]) -> str:
            fields = {"stream_options", "max_tokens"} & set(body)
            seen.append(fields)
            return f"unknown field: {min(fields)}" if fields else ""

        server.refuses = refuses
        for _ in range(2):
            _, step = await parts_of(model, prompt("hello"))
            assert step.text == "Fine."
        await model.close()

    assert seen == [{"stream_options", "max_tokens"}, {"stream_options"}, set(), set()]


async def test_a_talk_begins_with_the_person_and_changes_sides(
    model: Any, server: ModelServer, prompt: MakePrompt
) -> None:
    said = (Said(role="assistant", text="It is."), Said(role="assistant", text="Bye."), Said(role="user", text="Hi"))
    await parts_of(model, prompt(*said, "and now?"))
    body = server.requests[-1][2]
    turns = body.get("contents") or [m for m in body["messages"] if m["role"] != "system"]

    assert [m["role"] for m in turns] == ["user", turns[1]["role"], "user"]
    assert turns[1]["role"] in ("model", "assistant")
    assert "It is.\\n\\nBye." in json.dumps(turns[1])


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:11434/", "http://127.0.0.1:11434/v1"),
        ("http://h:1/v1/", "http://h:1/v1"),
        ("http://h:1/v1/chat/completions", "http://h:1/v1"),
        ("http://h:1/api/v1", "http://h:1/api/v1"),
    ],
)
def test_an_address_may_be_written_in_every_usual_way(given: str, base: str) -> None:
    assert base_of(given) == base


def test_the_sdk_is_imported_in_its_room_only_and_not_by_what_starts() -> None:
    import subprocess
    import sys

    script = "import sys, deploy.one_process, deploy.talking; print('google.genai' in sys.modules)"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
