"""What a language model can do, found out by asking it: with rooms and tools made up for this, never with a home's."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from agent.models.faults import ModelFault
from agent.models.guarded import Guarded
from agent.models.protocol import Model, Prompt, Said, Step, Token, ToolResult, ToolSpec
from homeguard.clock import Clock
from homeguard.settings import Settings

#: A model on a slow machine is given longer here than in a turn, and told how much longer it took.
_SILENCE_S: Final = 60.0
_WITHIN_S: Final = 120.0
#: The tools, the prompt and a few results of a turn take about half of it.
_ENOUGH_CONTEXT: Final = 16_384
_SYSTEM: Final = (
    "You are a home assistant on trial. Use the tools for everything that they can do, several in one step where that "
    "fits. Answer shortly, in the language of the person."
)
_ROOM: Final = {"type": "string", "enum": ["cellar", "attic", "hall"], "description": "Which room"}
_TOOLS: Final = (
    ToolSpec(
        server="trial", name="read_temperature", description="The temperature of one room.",
        input_schema={
            "type": "object",
            "properties": {
                "room": _ROOM,
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["room", "unit"],
        },
    ),
    ToolSpec(
        server="trial", name="dim_light", description="Sets the light of one room.",
        input_schema={
            "type": "object",
            "properties": {
                "room": _ROOM,
                "level_pct": {"type": "integer", "minimum": 0, "maximum": 100},
            },
            "required": ["room", "level_pct"],
        },
    ),
)  # fmt: skip
#: Language -> a question, and words that hardly any sentence of it does without.
_LANGUAGES: Final[Mapping[str, tuple[str, str]]] = {
    "Spanish": ("¿Para qué sirve un detector de humo? Una frase.", r"\b(?:de|el|la|los|las|un|una|que|es|para|en|y)\b"),
    "German": ("Wozu ist ein Rauchmelder da? Ein Satz.", r"\b(?:der|die|das|ein|eine|einen|ist|und|zu|bei|im|vor)\b"),
    "French": ("À quoi sert un détecteur de fumée ? Une phrase.", r"\b(?:le|la|les|un|une|de|des|est|et|en|à|pour)\b"),
}
_WORD: Final = "marzipan"
_ENGLISH: Final = r"\b(?:the|is|of|and|to|it|in|that|for|by)\b"


@dataclass(frozen=True, slots=True)
class Finding:
    """`bad`: the assistant cannot use this model. `warn`: it can, and it is worth knowing."""

    name: str
    state: Literal["ok", "warn", "bad"]
    text: str


@dataclass(slots=True)
class _Heard:
    """One answer: the step, in how many pieces, and when its first and its last came."""

    step: Step
    pieces: int = 0
    first_s: float = 0.0
    total_s: float = 0.0
    texts: list[str] = field(default_factory=list)


async def look(
    model: Model, settings: Settings, clock: Clock, context: Callable[[], Awaitable[int]]
) -> AsyncIterator[Finding]:
    """One finding after the other, as they are found. `context` asks the server how many tokens the model reads, 0 when
    it does not say."""
    try:
        hello = await _ask(model, clock, _prompt(clock, "Say hello, and one sentence about smoke detectors."))
    except ModelFault as fault:
        said = f" ({fault.told})" if fault.told else ""
        yield Finding("answers", "bad", f"{fault.message}{said}")
        return
    yield Finding("answers", "ok", "it can be reached and takes the key")
    yield _streams(hello)
    yield _time(hello, settings)
    for check in (_calls(model, clock), _several(model, clock)):
        async for finding in check:
            yield finding
    for language, (question, words) in _LANGUAGES.items():
        yield await _speaks(model, clock, language, question, words)
    yield await _reads(model, clock, await context())


def _streams(heard: _Heard) -> Finding:
    if heard.pieces > 1:
        return Finding("streams", "ok", f"its answer came in {heard.pieces} pieces")
    return Finding("streams", "warn", "its answer came in one piece: people wait for the end of it")


def _time(heard: _Heard, settings: Settings) -> Finding:
    text = f"first word after {heard.first_s:.1f} s, all of it after {heard.total_s:.1f} s"
    if heard.first_s < settings.agent_first_token_s:
        return Finding("time", "ok", text)
    limit = f"a turn waits {settings.agent_first_token_s:g} s: raise HOMEGUARD_AGENT_FIRST_TOKEN_S and _TURN_S"
    return Finding("time", "warn", f"{text}; {limit}")


async def _calls(model: Model, clock: Clock) -> AsyncIterator[Finding]:
    asked = _prompt(clock, "What is the temperature in the cellar, in celsius?", _TOOLS)
    try:
        step = (await _ask(model, clock, asked)).step
    except ModelFault as fault:
        yield Finding("tools", "bad", f"asked with tools, {fault.message} {fault.told}".rstrip())
        return
    if not step.calls:
        yield Finding("tools", "bad", "it does not call tools, so it cannot know or do anything in a home")
        return
    yield Finding("tools", "ok", "it calls tools")
    problems = [problem for call in step.calls if (problem := _problem(call.name, call.arguments))]
    if problems:
        yield Finding("schema", "warn", f"its arguments do not keep to the schema: {problems[0]}")
    else:
        yield Finding("schema", "ok", "its arguments keep to the schema")
    results = tuple(
        ToolResult(call_id=call.id, name=call.name, status="ok", output={"room": "cellar", "celsius": 17.5})
        for call in step.calls
    )
    said = Said(role="assistant", text=step.text, calls=step.calls, opaque=step.opaque)
    went_on = replace(asked, messages=(*asked.messages, said, Said(role="tool", results=results)))
    try:
        answer = (await _ask(model, clock, went_on)).step
    except ModelFault as fault:
        yield Finding("results", "bad", f"given what a tool told, {fault.message} {fault.told}".rstrip())
        return
    if re.search(r"17[.,]5", answer.text):
        yield Finding("results", "ok", "it answers with what a tool told")
    else:
        yield Finding("results", "warn", f"it did not answer with what a tool told: {answer.text[:80]!r}")


async def _several(model: Model, clock: Clock) -> AsyncIterator[Finding]:
    words = "Set the light in the hall to 40 percent and the light in the attic to 60 percent."
    try:
        calls = (await _ask(model, clock, _prompt(clock, words, _TOOLS))).step.calls
    except ModelFault as fault:
        yield Finding("several", "warn", f"asked for two things, {fault.message}")
        return
    wanted = {("hall", 40), ("attic", 60)}
    made = {(c.arguments.get("room"), c.arguments.get("level_pct")) for c in calls if isinstance(c.arguments, dict)}
    if wanted <= made:
        yield Finding("several", "ok", "it calls several tools in one step")
    elif made & wanted:
        yield Finding("several", "warn", "it calls one tool a step: a request with several parts takes longer")
    else:
        yield Finding("several", "warn", "asked for two things, it called neither")


async def _speaks(model: Model, clock: Clock, language: str, question: str, words: str) -> Finding:
    name = language.lower()
    try:
        text = (await _ask(model, clock, _prompt(clock, question))).step.text
    except ModelFault as fault:
        return Finding(name, "warn", f"asked in {language}, {fault.message}")
    if _count(words, text) > _count(_ENGLISH, text):
        return Finding(name, "ok", f"asked in {language}, it answers in {language}")
    return Finding(name, "warn", f"asked in {language}, it does not seem to answer in {language}: {text[:60]!r}")


async def _reads(model: Model, clock: Clock, limit: int) -> Finding:
    """How much it reads. Many a server cuts off the beginning of what is too long and says nothing, so one that does
    not tell its limit is given a word to find there."""
    if limit:
        enough = limit >= _ENOUGH_CONTEXT
        more = "" if enough else f"; turns need up to {_ENOUGH_CONTEXT:,}"
        return Finding("context", "ok" if enough else "warn", f"reads {limit:,} tokens{more}")
    lines = "\n".join(f"Line {number}: the lamp in room {number} is off." for number in range(1_500))
    words = f"The word of the day is {_WORD}.\n{lines}\nWhat is the word of the day? Answer with it alone."
    told = f"the server does not say how much it reads; of {len(words) // 4:,} tokens"
    try:
        text = (await _ask(model, clock, _prompt(clock, words))).step.text
    except ModelFault as fault:
        return Finding("context", "warn", f"{told}: {fault.message}")
    if _WORD in text.lower():
        return Finding("context", "ok", f"{told} it knew the first")
    return Finding("context", "warn", f"{told} it did not know the first: give the model more context in its server")


def _count(words: str, text: str) -> int:
    return len(re.findall(words, text, re.IGNORECASE))


def _problem(name: str, arguments: object) -> str:
    """What is wrong with a call of ours, `""` when nothing is."""
    spec = next((t for t in _TOOLS if t.name == name), None)
    if spec is None:
        return f"there is no tool {name!r}"
    if not isinstance(arguments, dict):
        return f"{name} was called with what is no object"
    properties: Mapping[str, Any] = spec.input_schema["properties"]
    for key, value in arguments.items():
        allowed = properties.get(key)
        if allowed is None:
            return f"{name} has no {key!r}"
        if value not in allowed.get("enum", [value]) or (allowed["type"] == "integer" and not isinstance(value, int)):
            return f"{name}: {key} cannot be {value!r}"
    missing = [key for key in spec.input_schema["required"] if key not in arguments]
    return f"{name} was called without {missing[0]}" if missing else ""


async def _ask(model: Model, clock: Clock, prompt: Prompt) -> _Heard:
    """Raises ModelFault. With a guard of its own, so that one answer that failed does not spoil the next."""
    began, heard = clock.monotonic(), _Heard(step=Step(text=""))
    async for part in Guarded(model, clock).stream(prompt):
        heard.first_s = heard.first_s or clock.monotonic() - began
        if isinstance(part, Token):
            heard.pieces += 1
        else:
            heard.step = part
    heard.total_s = clock.monotonic() - began
    return heard


def _prompt(clock: Clock, words: str, tools: Sequence[ToolSpec] = ()) -> Prompt:
    return Prompt(
        system=_SYSTEM, messages=(Said(role="user", text=words),), tools=tuple(tools), now=clock.now(),
        time_zone="UTC", unit_system="si", silence_s=_SILENCE_S, within_s=_WITHIN_S,
    )  # fmt: skip
