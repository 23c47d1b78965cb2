"""Any server that speaks `/v1/chat/completions`: Ollama, llama.cpp, vLLM, and those that do as they do."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from agent.models.faults import ModelFault, fault_of_status, retry_after
from agent.models.protocol import Prompt, Said, Step, Token, ToolCall
from agent.models.schemas import parameters
from agent.models.thoughts import Thoughts
from agent.models.told import as_json, result_of, talk
from homeguard.egress import open_client

#: Under this its own steps are kept in `Said.opaque`.
KEPT: Final = "chat_completions"
_MOST_OUTPUT: Final = 4_096
#: What some servers refuse, and name when they do.
_DISPENSABLE: Final = ("stream_options", "max_tokens")
#: A line of a stream, and an answer in one piece; no honest one is longer.
_MOST_LINE: Final = 4 * 1024 * 1024


class ChatCompletions:
    """One model of one server. The caller closes it. `address` is where its paths begin, with or without `/v1`."""

    def __init__(self, *, address: str, model: str, key: str = "") -> None:
        self._address = base_of(address)
        self._model = model
        self._key = key
        self._http = open_client(self._address, {"Authorization": f"Bearer {key}"} if key else None)
        #: Fields of a request that this server does not know; found out at the first one.
        self._left_out: set[str] = set()

    @property
    def name(self) -> str:
        return self._model

    async def close(self) -> None:
        await self._http.aclose()

    async def context(self) -> int:
        """How many tokens the model reads at most, as vLLM and some others list it; 0 when the server does not say or
        does not answer."""
        try:
            answer = await self._http.get(f"{self._address}/models")
            listed = answer.json()["data"]
            mine = next((m for m in listed if m.get("id") == self._model), listed[0])
            told = mine.get("max_model_len") or mine.get("context_length")
        except (httpx2.HTTPError, ValueError, KeyError, IndexError, TypeError, AttributeError):
            return 0
        return _count(told)

    async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
        """As `Model.stream`. Raises ModelFault."""
        while True:
            try:
                async with aclosing(self._asked(self.body(prompt))) as parts:
                    async for part in parts:
                        yield part
            except _Refused as refused:
                self._left_out.add(refused.field)
            else:
                return

    async def _asked(self, body: Mapping[str, Any]) -> AsyncGenerator[Token | Step, None]:
        reply = _Reply(asked_bytes=len(json.dumps(body, ensure_ascii=False).encode()))
        try:
            async with self._http.stream("POST", f"{self._address}/chat/completions", json=dict(body)) as answer:
                if answer.status_code != 200:
                    raise self._fault_of(answer, await answer.aread(), body)
                if "json" in answer.headers.get("content-type", ""):
                    for text in reply.take_whole(_read(await answer.aread())):
                        yield Token(text=text)
                else:
                    async for line in _lines(answer):
                        for text in reply.take_line(line):
                            yield Token(text=text)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self._fault(error) from error
        except ModelFault as fault:
            fault.told = self._shown(fault.told)
            raise
        for text in reply.rest():
            yield Token(text=text)
        yield reply.step()

    def body(self, prompt: Prompt) -> dict[str, Any]:
        """What is sent for this prompt."""
        body: dict[str, Any] = {
            "model": self._model, "messages": messages(prompt), "stream": True, "max_tokens": _MOST_OUTPUT,
            "stream_options": {"include_usage": True},
        }  # fmt: skip
        if prompt.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": t.name, "description": t.description, "parameters": parameters(t.input_schema),
                    },
                }
                for t in prompt.tools
            ]  # fmt: skip
        return {k: v for k, v in body.items() if k not in self._left_out}

    def _fault_of(self, answer: httpx2.Response, content: bytes, body: Mapping[str, Any]) -> "ModelFault | _Refused":
        told = self._shown(_error_text(content))
        if answer.status_code in (400, 422):
            for field in _DISPENSABLE:
                if field in told and field in body:
                    return _Refused(field)
        return fault_of_status(answer.status_code, told, retry_after(answer.headers.get("retry-after", "")))

    def _fault(self, error: Exception) -> ModelFault:
        told = self._shown(str(error))
        match error:
            case (
                httpx2.ConnectError()
                | httpx2.ConnectTimeout()
                | httpx2.PoolTimeout()
                | httpx2.InvalidURL()
                | httpx2.UnsupportedProtocol()
            ):
                return ModelFault("unreachable", told)
            case httpx2.TimeoutException():
                return ModelFault("silent", told)
            case _:
                return ModelFault("cut", told, passes=True)

    def _shown(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text


class _Refused(Exception):
    """The server refuses a field that it can do without."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def base_of(address: str) -> str:
    """The address up to where `/chat/completions` begins."""
    base = address.strip().rstrip("/").removesuffix("/chat/completions")
    return base if urlsplit(base).path else f"{base}/v1"


def messages(prompt: Prompt) -> list[dict[str, Any]]:
    """The talk in this wire's words: its own calls as it made them, an answer to each."""
    told: list[dict[str, Any]] = [{"role": "system", "content": prompt.system}]
    last: Said | None = None
    for said in talk(prompt, KEPT):
        if said.role == "tool" and last is not None:
            told += _answers(last, said)
        elif said.calls:
            told.append(dict((said.opaque or {})[KEPT]))
            last = said
        else:
            told.append({"role": said.role, "content": said.text})
    return told


def _answers(called: Said, said: Said) -> Iterator[dict[str, Any]]:
    results = {r.call_id: r for r in said.results}
    for index, call in enumerate((called.opaque or {})[KEPT]["tool_calls"]):
        ours = called.calls[index].id if index < len(called.calls) else ""
        result = results.get(ours)
        told = result_of(result) if result is not None else {"error": "it was not called: too many calls"}
        yield {"role": "tool", "tool_call_id": call["id"], "content": as_json(told)}


@dataclass(slots=True)
class _Call:
    """One call as its pieces come."""

    id: str = ""
    name: str = ""
    arguments: str = ""


class _Reply:
    """One answer as its lines come."""

    def __init__(self, asked_bytes: int) -> None:
        self._asked_bytes = asked_bytes
        self._thoughts = Thoughts()
        self._text = ""
        self._calls: list[_Call] = []
        #: Index on the wire -> the call that its pieces belong to now.
        self._open: dict[int, _Call] = {}
        self._finish = ""
        self._is_over = False
        self._read = self._written = 0

    def take_line(self, line: str) -> Iterator[str]:
        """What a line of the stream adds to the words. Raises ModelFault: it says that something broke."""
        if not line.startswith("data:"):
            if line.startswith("{"):  # an error as plain JSON in the middle of a stream
                yield from self.take(_read(line))
            return
        data = line[5:].strip()
        if data == "[DONE]":
            self._is_over = True
        elif data:
            yield from self.take(_read(data))

    def take_whole(self, data: Mapping[str, Any]) -> Iterator[str]:
        """An answer in one piece, of a server that does not stream."""
        self._is_over = True
        yield from self.take(data, whole=True)

    def take(self, data: Mapping[str, Any], *, whole: bool = False) -> Iterator[str]:
        if data.get("error"):
            error = data["error"]
            code = error.get("code") if isinstance(error, dict) else None
            told = str(error.get("message") if isinstance(error, dict) else error)
            raise fault_of_status(code, told) if isinstance(code, int) and code >= 400 else ModelFault("broken", told)
        usage = data.get("usage")
        if isinstance(usage, dict):
            self._read = _count(usage.get("prompt_tokens")) or self._read
            self._written = _count(usage.get("completion_tokens")) or self._written
        choices = data.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        self._finish = str(choice.get("finish_reason") or "") or self._finish
        delta = choice.get("message" if whole else "delta")
        if not isinstance(delta, dict):
            return
        content = delta.get("content")
        if isinstance(content, str) and content:
            yield from self._said(self._thoughts.take(content))
        calls = delta.get("tool_calls")
        for position, piece in enumerate(calls if isinstance(calls, list) else ()):
            if isinstance(piece, dict):
                self._take_call(piece, position)

    def rest(self) -> Iterator[str]:
        """Words that were held back."""
        yield from self._said(self._thoughts.rest())

    def _said(self, text: str) -> Iterator[str]:
        if text:
            self._text += text
            yield text

    def _take_call(self, piece: Mapping[str, Any], position: int) -> None:
        index = piece["index"] if isinstance(piece.get("index"), int) else position
        function = piece.get("function") if isinstance(piece.get("function"), dict) else {}
        assert isinstance(function, dict)
        call, call_id = self._open.get(index), str(piece.get("id") or "")
        name, arguments = function.get("name"), function.get("arguments")
        # some servers count every call as the first: another id, or a name behind whole arguments, is another call
        if call is None or (call_id and call.id and call_id != call.id) or (name and _is_whole(call.arguments)):
            call = self._open[index] = _Call()
            self._calls.append(call)
        call.id = call.id or call_id
        if isinstance(name, str) and name != call.name:
            call.name += name
        if isinstance(arguments, dict):
            call.arguments = json.dumps(arguments, ensure_ascii=False)
        elif isinstance(arguments, str):
            call.arguments += arguments

    def step(self) -> Step:
        """All of it. Raises ModelFault: it is no answer."""
        if self._finish == "content_filter":
            raise ModelFault("blocked", self._finish)
        if not self._finish and not self._is_over:
            raise ModelFault("cut")
        text, calls = self._text, [_arguments_of(c) for c in self._calls]
        if not text.strip() and not calls:
            raise ModelFault("empty", self._finish)
        if self._finish == "length" and not calls:
            text = f"{text.rstrip()}… (The answer was too long and ends here.)"
        # what a server does not count is estimated, so that a turn keeps its bounds
        written = self._written or (len(text) + sum(len(c.arguments) for c in self._calls)) // 4 + 1
        return Step(
            text=text,
            calls=tuple(ToolCall(id=c.id, name=c.name, arguments=a) for c, a in zip(self._calls, calls, strict=True)),
            input_tokens=self._read or self._asked_bytes // 4,
            output_tokens=written,
            opaque={KEPT: self._kept(text, calls)} if calls else None,
        )

    def _kept(self, text: str, calls: Sequence[Any]) -> dict[str, Any]:
        """Its own message, as it wants it back; what it wrote and cannot be read goes back empty."""
        made = [
            {
                "id": c.id or f"call_{i}", "type": "function",
                "function": {
                    "name": c.name, "arguments": json.dumps(a if isinstance(a, dict) else {}, ensure_ascii=False),
                },
            }
            for i, (c, a) in enumerate(zip(self._calls, calls, strict=True))
        ]  # fmt: skip
        return {"role": "assistant", "content": text or None, "tool_calls": made}


def _arguments_of(call: _Call) -> Any:
    """An object; what is none stays text, which the graph tells back as a problem."""
    text = call.arguments.strip()
    try:
        return json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return text


def _is_whole(arguments: str) -> bool:
    try:
        return isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False


async def _lines(answer: httpx2.Response) -> AsyncIterator[str]:
    size = 0
    async for line in answer.aiter_lines():
        size += len(line)
        if size > _MOST_LINE:
            raise ModelFault("unreadable", "the answer has no end")
        yield line


def _read(text: str | bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFault("unreadable", str(error)) from error
    if not isinstance(data, dict):
        raise ModelFault("unreadable", "not an object")
    return data


def _error_text(content: bytes) -> str:
    text = content[:4_000].decode("utf-8", "replace")
    try:
        data = json.loads(text)
    except ValueError:
        return text
    error = data.get("error", data) if isinstance(data, dict) else data
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
