"""A language model's service on loopback: Gemini's wire and that of chat completions, strictly, and broken as told.

What it answers comes from a brain: a function from what was said to words and calls. Both wires refuse what the real
ones refuse: calls without answers, answers without calls, a step of Gemini without its signature, unknown schema words.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

KEY = "loopback-key"
USAGE = (120, 30)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the brain is asked: the person's last words, what came of the calls since (in order), and the tools."""

    words: str
    results: tuple[Mapping[str, Any], ...]
    tools: tuple[str, ...]
    system: str
    #: How often the model was asked since the person spoke.
    step: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What it says, in pieces, and the calls that it wants."""

    texts: Sequence[str] = ()
    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()


Brain = Callable[[Heard], Reply]


@dataclass(frozen=True, slots=True)
class Fault:
    """How one request goes wrong. `how`: status, html, silent, no_head, stall, cut, torn, empty, blocked, safety, full,
    malformed, garbage, broken_midway, trickle, endless,
    whole (no streaming)."""

    how: str
    status: int = 0
    retry: str = ""


def says(text: str) -> Brain:
    return lambda heard: Reply(texts=[w + " " for w in text.split(" ")[:-1]] + text.split(" ")[-1:])


@dataclass(slots=True)
class ModelServer:
    """One of them. `faults` are used up one a request; then `always`, if any."""

    brain: Brain
    port: int = 0
    faults: list[Fault] = field(default_factory=list)
    always: Fault | None = None
    #: Path, headers and body of every request for an answer.
    requests: list[tuple[str, Mapping[str, str], dict[str, Any]]] = field(default_factory=list)
    #: Set when a client went away while an answer was on its way.
    left: asyncio.Event = field(default_factory=asyncio.Event)
    #: One up with every request.
    asked: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    input_limit: int = 32_768
    #: These lines instead of any answer.
    raw: str = ""
    #: Looks at a body first: what it says is why the request is refused.
    refuses: Callable[[Mapping[str, Any]], str] = lambda body: ""
    _open: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            self.left.set()
        finally:
            self._open.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        out = _Out(writer)
        if method == "GET":
            return await self._listed(path, out)
        body = json.loads(raw)
        self.requests.append((path, headers, body))
        self.asked.release()
        wire: Any = _Gemini() if ":streamGenerateContent" in path else _Chat()
        fault = self.faults.pop(0) if self.faults else self.always
        if not wire.has_key(headers):
            return await out.whole(401, wire.error(401, "no valid key", ""))
        if fault is not None and fault.how in ("status", "html", "no_head"):
            return await self._refuse(fault, wire, out, reader)
        problem = self.refuses(body) or wire.problem(body)
        if problem:
            return await out.whole(400, wire.error(400, problem, ""))
        reply = self.brain(wire.heard(body))
        if fault is not None and fault.how == "whole":
            return await out.whole(200, wire.whole(reply))
        await out.begin()
        return await self._stream(wire, reply, fault, out, reader)

    async def _refuse(self, fault: Fault, wire: Any, out: "_Out", reader: asyncio.StreamReader) -> bool:
        match fault.how:
            case "no_head":
                await self._until_left(reader)
                return False
            case "html":
                return await out.text(fault.status, "<html>Bad gateway</html>")
        return await out.whole(
            fault.status, wire.error(fault.status, f"fault {fault.status}", fault.retry), fault.retry
        )

    async def _stream(
        self, wire: Any, reply: Reply, fault: Fault | None, out: "_Out", reader: asyncio.StreamReader
    ) -> bool:
        how = fault.how if fault is not None else ""
        if how in ("empty", "blocked", "safety", "full", "malformed"):
            for event in wire.odd(how, reply):
                await out.data(event)
            return await out.end()
        if how == "silent":
            await self._until_left(reader)
            return False
        if self.raw:
            await out.raw(self.raw)
            return await out.end()
        events = wire.events(reply)
        while how == "endless":
            await out.data(events[0])
            await asyncio.sleep(0.05)
        for at, event in enumerate(events):
            await out.data(event)
            await asyncio.sleep(0)
            if how == "trickle":
                await asyncio.sleep(0.2)
            if at == 0 and how == "stall":
                await self._until_left(reader)
                return False
            if at == 0 and how == "cut":
                return await out.end()
            if at == 0 and how == "torn":
                return False
            if at == 0 and how == "garbage":
                await out.raw("data: {this is no JSON\r\n\r\n")
                return await out.end()
            if at == 0 and how == "broken_midway":
                await out.data(wire.error(503, "overloaded", ""))
                return await out.end()
        return await out.end()

    async def _until_left(self, reader: asyncio.StreamReader) -> None:
        await reader.read(1)
        self.left.set()

    async def _listed(self, path: str, out: "_Out") -> bool:
        if "/v1beta/models/" in path or path.rpartition("/")[0].endswith("/models"):
            return await out.whole(200, {"name": path.rpartition("/")[2], "inputTokenLimit": self.input_limit})
        limit = {"max_model_len": self.input_limit} if self.input_limit else {}
        return await out.whole(200, {"object": "list", "data": [{"id": "local", **limit}]})


class _Out:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def whole(self, status: int, data: Mapping[str, Any], retry: str = "") -> bool:
        return await self._send(status, json.dumps(data), "application/json", retry)

    async def text(self, status: int, text: str) -> bool:
        return await self._send(status, text, "text/html", "")

    async def _send(self, status: int, text: str, kind: str, retry: str) -> bool:
        content = text.encode()
        wait = f"Retry-After: {retry}\r\n" if retry else ""
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n{wait}\r\n"
        self._writer.write(head.encode() + content)
        await self._writer.drain()
        return True

    async def begin(self) -> None:
        self._writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        await self._writer.drain()

    async def data(self, event: Mapping[str, Any] | str) -> None:
        await self.raw(f"data: {event if isinstance(event, str) else json.dumps(event)}\r\n\r\n")

    async def raw(self, text: str) -> None:
        content = text.encode()
        self._writer.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        await self._writer.drain()

    async def end(self) -> bool:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()
        return True


_SCHEMA_WORDS = frozenset(
    (
        "type", "format", "title", "description", "enum", "items", "prefixItems", "minItems", "maxItems", "minimum",
        "maximum", "anyOf", "oneOf", "properties", "additionalProperties", "required",
    )
)  # fmt: skip


def _unknown_words(schema: Any) -> list[str]:
    if not isinstance(schema, dict):
        return []
    found = [k for k in schema if k not in _SCHEMA_WORDS]
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    inner += [schema[k] for k in ("items", "additionalProperties") if isinstance(schema.get(k), dict)]
    return found + [word for value in inner for word in _unknown_words(value)]


_STATUS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip


class _Gemini:
    def has_key(self, headers: Mapping[str, str]) -> bool:
        return headers.get("x-goog-api-key") == KEY

    def error(self, status: int, message: str, retry: str) -> dict[str, Any]:
        details: list[Any] = []
        if retry:
            details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{retry}s"})
        if status == 400 and "API key" in message:
            details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"})
        status_text = _STATUS.get(status, "UNKNOWN")
        return {"error": {"code": status, "message": message, "status": status_text, "details": details}}

    def problem(self, body: Mapping[str, Any]) -> str:
        contents = body.get("contents", [])
        if not contents or contents[-1]["role"] != "user":
            return "the last content is the user's"
        for tool in body.get("tools", ()):
            for declared in tool.get("functionDeclarations", ()):
                schema = declared.get("parametersJsonSchema") or declared.get("parameters_json_schema") or {}
                if words := _unknown_words(schema):
                    return f"{declared['name']}: unknown schema words {sorted(set(words))}"
        return self._unpaired(contents)

    def _unpaired(self, contents: Sequence[Mapping[str, Any]]) -> str:
        at = self._turn(contents)
        for index, content in enumerate(contents):
            calls = [p for p in content["parts"] if "functionCall" in p]
            if calls and index > at and not calls[0].get("thoughtSignature"):
                return "a function call is missing its thought_signature"
            answers = [p["functionResponse"] for p in content["parts"] if "functionResponse" in p]
            before = contents[index - 1]["parts"] if index else []
            made = [(p["functionCall"].get("id"), p["functionCall"]["name"]) for p in before if "functionCall" in p]
            if [(a.get("id"), a["name"]) for a in answers] != made:
                return "the number of function response parts is not that of the function call parts"
        return ""

    def _turn(self, contents: Sequence[Mapping[str, Any]]) -> int:
        return max(i for i, c in enumerate(contents) if c["role"] == "user" and any("text" in p for p in c["parts"]))

    def heard(self, body: Mapping[str, Any]) -> Heard:
        contents = body["contents"]
        at = self._turn(contents)
        results = tuple(
            p["functionResponse"] for c in contents[at:] for p in c["parts"] if "functionResponse" in p
        )  # fmt: skip
        return Heard(
            words=_words(contents[at]["parts"][-1]["text"]),
            results=tuple(_result(r["response"], r["name"]) for r in results),
            tools=tuple(d["name"] for t in body.get("tools", ()) for d in t.get("functionDeclarations", ())),
            system=body.get("systemInstruction", {}).get("parts", [{"text": ""}])[0]["text"],
            step=sum(c["role"] == "model" for c in contents[at:]),
        )  # fmt: skip

    def _chunk(self, parts: list[Any], finish: str = "") -> dict[str, Any]:
        chunk: dict[str, Any] = {"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}]}
        if finish:
            chunk["candidates"][0]["finishReason"] = finish
            chunk["usageMetadata"] = {"promptTokenCount": USAGE[0], "candidatesTokenCount": USAGE[1] - 10,
                                      "thoughtsTokenCount": 10, "totalTokenCount": sum(USAGE)}  # fmt: skip
        return chunk

    def events(self, reply: Reply) -> list[Any]:
        events = [self._chunk([{"text": t}]) for t in reply.texts]
        for i, (name, arguments) in enumerate(reply.calls):
            part: dict[str, Any] = {"functionCall": {"id": f"g-{name}-{i}", "name": name, "args": dict(arguments)}}
            if i == 0:
                part["thoughtSignature"] = "c2lnbmVk"
            events.append(self._chunk([part]))
        return [*events, self._chunk([{"text": ""}], "STOP")]

    def whole(self, reply: Reply) -> dict[str, Any]:
        raise NotImplementedError("Gemini always streams")

    def odd(self, how: str, reply: Reply) -> list[Any]:
        match how:
            case "blocked":
                return [{"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": USAGE[0]}}]
            case "safety":
                return [self._chunk([{"text": "I "}]), {"candidates": [{"finishReason": "SAFETY", "index": 0}]}]
            case "full":
                return [self._chunk([{"text": t}]) for t in reply.texts[:2]] + [
                    self._chunk([{"text": ""}], "MAX_TOKENS")
                ]
            case "malformed":
                return [{"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "index": 0}]}]
        return [self._chunk([], "STOP")]


class _Chat:
    def has_key(self, headers: Mapping[str, str]) -> bool:
        return headers.get("authorization", f"Bearer {KEY}") == f"Bearer {KEY}"

    def error(self, status: int, message: str, retry: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": "fault", "code": status}}

    def problem(self, body: Mapping[str, Any]) -> str:
        waiting: list[str] = []
        for message in body["messages"]:
            if message["role"] == "tool":
                if not waiting or message["tool_call_id"] != waiting.pop(0):
                    return "a tool message answers no call"
                continue
            if waiting:
                return "a tool call has no answer"
            for call in message.get("tool_calls", ()):
                json.loads(call["function"]["arguments"])
                waiting.append(call["id"])
        return "a tool call has no answer" if waiting else ""

    def heard(self, body: Mapping[str, Any]) -> Heard:
        messages = body["messages"]
        at = max(i for i, m in enumerate(messages) if m["role"] == "user")
        names = {c["id"]: c["function"]["name"] for m in messages[at:] for c in m.get("tool_calls") or ()}
        results = [(json.loads(m["content"]), names[m["tool_call_id"]]) for m in messages[at:] if m["role"] == "tool"]
        return Heard(
            words=_words(messages[at]["content"]), results=tuple(_result(r, n) for r, n in results),
            tools=tuple(t["function"]["name"] for t in body.get("tools", ())), system=messages[0]["content"],
            step=sum(m["role"] == "assistant" for m in messages[at:]),
        )  # fmt: skip

    def _chunk(self, delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {"id": "c", "object": "chat.completion.chunk",
                "choices": [{"index": 0, "delta": dict(delta), "finish_reason": finish}]}  # fmt: skip

    def events(self, reply: Reply) -> list[Any]:
        events: list[Any] = [self._chunk({"role": "assistant", "content": t}) for t in reply.texts]
        for i, (name, arguments) in enumerate(reply.calls):
            text = json.dumps(dict(arguments))
            first = {"index": i, "id": f"o-{name}-{i}", "type": "function", "function": {"name": name, "arguments": ""}}
            events.append(self._chunk({"tool_calls": [first]}))
            pieces = (text[: len(text) // 2], text[len(text) // 2 :])
            events += [self._chunk({"tool_calls": [{"index": i, "function": {"arguments": p}}]}) for p in pieces]
        usage = {"prompt_tokens": USAGE[0], "completion_tokens": USAGE[1]}
        end = self._chunk({}, "tool_calls" if reply.calls else "stop")
        return [*events, end, {"choices": [], "usage": usage}, "[DONE]"]

    def whole(self, reply: Reply) -> dict[str, Any]:
        calls = [
            {"id": f"o-{n}-{i}", "type": "function", "function": {"name": n, "arguments": json.dumps(dict(a))}}
            for i, (n, a) in enumerate(reply.calls)
        ]
        message = {"role": "assistant", "content": "".join(reply.texts) or None, "tool_calls": calls or None}
        return {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}],
                "usage": {"prompt_tokens": USAGE[0], "completion_tokens": USAGE[1]}}  # fmt: skip

    def odd(self, how: str, reply: Reply) -> list[Any]:
        match how:
            case "blocked" | "safety":
                return [self._chunk({"content": "I "}), self._chunk({}, "content_filter"), "[DONE]"]
            case "full":
                return [self._chunk({"content": t}) for t in reply.texts[:2]] + [self._chunk({}, "length"), "[DONE]"]
            case "malformed":
                broken = {
                    "index": 0,
                    "id": "o-1",
                    "function": {"name": "control_device", "arguments": '{"device_id": '},
                }
                return [self._chunk({"tool_calls": [broken]}), self._chunk({}, "tool_calls"), "[DONE]"]
        return [self._chunk({}, "stop"), "[DONE]"]


def _words(text: str) -> str:
    """The person's own words: what is told before them stands in brackets."""
    return text.rsplit("]\n\n", 1)[-1]


def _result(response: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {"name": name, **response}


@asynccontextmanager
async def model_server(brain: Brain, port: int = 0) -> AsyncIterator[ModelServer]:
    """One that listens on 127.0.0.1 for the length of the block."""
    server = ModelServer(brain)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", port)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in (under_way := list(server._open)):
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
