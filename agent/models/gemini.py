"""Google's Gemini over its own SDK: the only file that imports it. Import it late: it is heavy."""

import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextvars import ContextVar
from typing import Final

import httpx2
from google import genai
from google.genai import errors, types

from agent.models.faults import ModelFault, fault_of_status, retry_after
from agent.models.protocol import Prompt, Said, Step, Token, ToolCall, ToolSpec
from agent.models.schemas import parameters
from agent.models.told import result_of, talk
from homeguard.egress import open_client

#: Under this its own steps are kept in `Said.opaque`.
KEPT: Final = "gemini"
_ADDRESS: Final = "https://generativelanguage.googleapis.com"
_MOST_OUTPUT: Final = 8_192
#: Ends of an answer that are somebody's judgement of its words.
_BLOCKED: Final = frozenset(
    (
        "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "ESCALATION", "MODEL_ARMOR",
        "PUP_LIMITED_DISABLED",
    )
)  # fmt: skip
#: The HTTP answers of the request that is being made.
_answers: ContextVar[list[httpx2.Response]] = ContextVar("_answers")
_WHOLE: Final = frozenset(("STOP", "MAX_TOKENS", "FINISH_REASON_UNSPECIFIED", "CONTINUATION"))


class Gemini:
    """One model of Gemini. The caller closes it. `address` is another server that speaks the same wire."""

    def __init__(self, *, key: str, model: str, address: str = "") -> None:
        self._key = key
        self._model = model
        self._http = open_client(address or _ADDRESS)
        self._http.event_hooks = {"request": [self._bound], "response": [_note]}
        # Its own client for this stack would be aiohttp, whose time-out is for the whole stream: so it gets ours.
        self._client = genai.Client(
            api_key=key,
            vertexai=False,
            http_options=types.HttpOptions(
                base_url=address or _ADDRESS,
                # names that move on are known to this version only
                api_version="v1beta" if model.endswith("-latest") else "v1",
                httpx_async_client=self._http,
            ),
        )

    @property
    def name(self) -> str:
        return self._model

    async def close(self) -> None:
        await self._http.aclose()

    async def _bound(self, request: httpx2.Request) -> None:
        # the SDK asks for no time-out at all, or one for everything: the client's own are put back
        request.extensions = {**request.extensions, "timeout": self._http.timeout.as_dict()}

    async def context(self) -> int:
        """How many tokens the model reads at most, 0 when the server does not say or does not answer."""
        try:
            return (await self._client.aio.models.get(model=self._model)).input_token_limit or 0
        except Exception:
            return 0

    async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
        """As `Model.stream`. Raises ModelFault."""
        reply, answers = _Reply(), list[httpx2.Response]()
        _answers.set(answers)
        try:
            chunks = await self._client.aio.models.generate_content_stream(
                model=self._model, contents=contents(prompt), config=self._config(prompt)
            )
            async for chunk in chunks:
                for text in reply.take(chunk):
                    yield Token(text=text)
        except ModelFault:
            raise
        except Exception as error:
            raise self._fault(error) from error
        finally:
            # whoever leaves in the middle: the SDK's own generators would be closed some time later
            for answer in answers:
                await answer.aclose()
        yield reply.step()

    def _config(self, prompt: Prompt) -> types.GenerateContentConfig:
        generation = re.match(r"gemini-(\d+)", self._model)
        thinks = generation is not None and int(generation[1]) >= 3
        return types.GenerateContentConfig(
            system_instruction=prompt.system,
            max_output_tokens=_MOST_OUTPUT,
            tools=[types.Tool(function_declarations=[declaration(spec) for spec in prompt.tools])]
            if prompt.tools
            else None,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW) if thinks else None,
        )

    def _fault(self, error: Exception) -> ModelFault:
        told = str(getattr(error, "message", None) or error).replace(self._key, "***")
        match error:
            case errors.APIError(code=int(code)) if code:
                if code == 400 and "API_KEY_INVALID" in json.dumps(error.details, default=str):
                    return ModelFault("key_refused", told)
                return fault_of_status(code, told, _retry_after(error))
            case httpx2.ConnectError() | httpx2.ConnectTimeout() | httpx2.PoolTimeout():
                return ModelFault("unreachable", told)
            case httpx2.TimeoutException():
                return ModelFault("silent", told)
            case httpx2.HTTPError():
                return ModelFault("cut", told, passes=True)
            case _:
                return ModelFault("unreadable", f"{type(error).__name__}: {told}")


def declaration(spec: ToolSpec) -> types.FunctionDeclaration:
    return types.FunctionDeclaration(
        name=spec.name, description=spec.description, parameters_json_schema=parameters(spec.input_schema)
    )


def contents(prompt: Prompt) -> list[types.Content]:
    """The talk as Gemini has it: its own steps verbatim, with their signatures, each with an answer to every call."""
    told: list[types.Content] = []
    last: Said | None = None
    for said in talk(prompt, KEPT):
        if said.role == "tool" and last is not None:
            told.append(types.Content(role="user", parts=list(_responses(told[-1], last, said))))
        elif said.calls:
            told.append(types.Content.model_validate((said.opaque or {})[KEPT]))
            last = said
        else:
            role = "user" if said.role == "user" else "model"
            told.append(types.Content(role=role, parts=[types.Part(text=said.text)]))
    return told


def _responses(content: types.Content, called: Said, said: Said) -> Iterator[types.Part]:
    """One for each call of that content, in its order, with the id that Gemini gave it; ours can be another."""
    results = {r.call_id: r for r in said.results}
    made = [part.function_call for part in content.parts or () if part.function_call is not None]
    for index, call in enumerate(made):
        ours = called.calls[index].id if index < len(called.calls) else ""
        result = results.get(ours)
        response = result_of(result) if result is not None else {"error": "it was not called: too many calls"}
        yield types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response=response))


async def _note(answer: httpx2.Response) -> None:
    _answers.get([]).append(answer)


class _Reply:
    """One answer as its chunks come."""

    def __init__(self) -> None:
        self._parts: list[types.Part] = []
        self._finish = ""
        self._blocked = ""
        self._read = self._written = 0

    def take(self, chunk: types.GenerateContentResponse) -> Iterator[str]:
        """What it adds to the words."""
        usage = chunk.usage_metadata
        if usage is not None:
            self._read = usage.prompt_token_count or self._read
            self._written = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0) or self._written
        feedback = chunk.prompt_feedback
        if feedback is not None and feedback.block_reason is not None:
            self._blocked = str(feedback.block_reason.value)
        candidate = chunk.candidates[0] if chunk.candidates else None
        if candidate is None:
            return
        if candidate.finish_reason is not None:
            self._finish = str(candidate.finish_reason.value)
        for part in (candidate.content.parts if candidate.content is not None else None) or ():
            if part.text == "" and part.thought_signature is None:
                continue  # what ends many a stream: it says nothing, and is refused when it is sent back
            self._parts.append(part)
            if part.text and not part.thought:
                yield part.text

    def step(self) -> Step:
        """All of it. Raises ModelFault: it is no answer."""
        if self._blocked or self._finish in _BLOCKED:
            raise ModelFault("blocked", self._blocked or self._finish)
        if not self._finish:
            raise ModelFault("cut")
        if self._finish not in _WHOLE:
            raise ModelFault("unreadable", self._finish)
        text = "".join(p.text for p in self._parts if p.text and not p.thought)
        calls = tuple(_calls(self._parts))
        if not text.strip() and not calls:
            raise ModelFault("empty", self._finish)
        if self._finish == "MAX_TOKENS" and not calls:
            text = f"{text.rstrip()}… (The answer was too long and ends here.)"
        kept = types.Content(role="model", parts=self._parts) if calls else None
        return Step(
            text=text, calls=calls, input_tokens=self._read, output_tokens=self._written,
            opaque={KEPT: kept.model_dump(mode="json", exclude_none=True)} if kept is not None else None,
        )  # fmt: skip


def _calls(parts: Sequence[types.Part]) -> Iterator[ToolCall]:
    for part in parts:
        call = part.function_call
        if call is not None:
            yield ToolCall(id=call.id or "", name=call.name or "", arguments=call.args or {})


def _retry_after(error: errors.APIError) -> float | None:
    """Seconds after which the service wants to be asked again: of its RetryInfo, else of the header."""
    details = error.details.get("error", {}).get("details", ()) if isinstance(error.details, dict) else ()
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and str(detail.get("@type", "")).endswith("RetryInfo"):
            seconds = re.fullmatch(r"(\d+(?:\.\d+)?)s", str(detail.get("retryDelay", "")))
            if seconds:
                return float(seconds[1])
    headers = getattr(error.response, "headers", None) or {}
    return retry_after(str(headers.get("retry-after", "")))
