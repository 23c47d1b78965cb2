"""Which model answers: what the settings name, behind its guard, and always the planner that needs no network."""

import asyncio
import importlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from agent.models.faults import WORDS
from agent.models.guarded import Asked, Guarded
from agent.models.protocol import OFFLINE, Model, Prompt, Step, Token
from homeguard.clock import Clock, iso
from homeguard.errors import StartRefused
from homeguard.settings import Settings

GEMINI: Final = "gemini"
OTHER: Final = "model"


class Asking(Model, Protocol):
    """A model that holds connections."""

    async def context(self) -> int:
        """How many tokens it reads at most, 0 when its server does not say or does not answer."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the settings name. `family` is how its figures are called; `where` is who gets what is said."""

    family: str
    name: str
    where: str
    open: Callable[[], "Asking"]


def chosen(settings: Settings) -> Chosen | None:
    """None: nothing is configured, or the language model is switched off; then the planner answers alone.

    A server that is named goes before a key of Gemini, so that a key that lies around sends nothing anywhere.

    Raises:
        StartRefused: only half of what is needed is set, or it is no address.
    """
    if not settings.enable_ai_agent:
        return None
    url, name = settings.model_url, settings.model_name
    if OFFLINE in (name, settings.gemini_model):
        raise StartRefused(f"no language model may be called {OFFLINE!r}: that is the planner's own name")
    if bool(url) != bool(name):
        missing = "HOMEGUARD_MODEL_NAME" if url else "HOMEGUARD_MODEL_URL"
        raise StartRefused(f"a language model needs both an address and a name: set {missing} too")
    if url:
        if not url.startswith(("http://", "https://")):
            raise StartRefused(f"HOMEGUARD_MODEL_URL={url!r} is not an address that begins with http:// or https://")

        def compatible() -> Asking:
            room = importlib.import_module("agent.models.openai_compatible")
            return cast(Asking, room.ChatCompletions(address=url, model=name, key=settings.model_key))

        return Chosen(family=OTHER, name=name, where=url, open=compatible)
    if not settings.gemini_api_key:
        return None
    model = settings.gemini_model

    def gemini() -> Asking:
        # 35 MiB and half a second, so only for who uses it, and not before
        room = importlib.import_module("agent.models.gemini")
        return cast(Asking, room.Gemini(key=settings.gemini_api_key, model=model, address=settings.gemini_base_url))

    where = settings.gemini_base_url or "Google (Gemini API)"
    return Chosen(family=GEMINI, name=model, where=where, open=gemini)


def in_words(settings: Settings) -> str:
    """Who answers, and who gets to hear what is said, for the lines of a start."""
    found = chosen(settings)
    if found is None:
        return "the offline planner; nothing leaves this machine"
    return f"{found.name} at {found.where}, which gets what is said and what tools answer; the planner when it is away"


class OnDemand:
    """A model that is opened at its first request, beside the loop."""

    def __init__(self, chosen: Chosen) -> None:
        self._chosen = chosen
        self._opened: Asking | None = None
        self._opening = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._chosen.name

    async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
        """As `Model.stream`."""
        model = await self._here()
        async with aclosing(cast(AsyncGenerator[Token | Step, None], model.stream(prompt))) as parts:
            async for part in parts:
                yield part

    async def context(self) -> int:
        """As `Asking.context`."""
        return await (await self._here()).context()

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()

    async def _here(self) -> Asking:
        async with self._opening:
            if self._opened is None:
                self._opened = await asyncio.to_thread(self._chosen.open)
            return self._opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """`guarded` is the configured model, None when there is none; `behind` is what it guards."""

    guarded: Guarded | None = None
    behind: OnDemand | None = None

    def in_order(self) -> Sequence[Model]:
        """All of them as they are asked. Call it late: the planner brings its arrays."""
        planner = importlib.import_module("agent.models.offline.planner").OfflinePlanner()
        return (planner,) if self.guarded is None else (self.guarded, planner)

    async def close(self) -> None:
        if self.behind is not None:
            await self.behind.close()

    def health(self) -> Mapping[str, Mapping[str, Any]]:
        """For `/ready`. A model that does not answer is told as tolerated: the planner goes on without it."""
        if self.guarded is None:
            return {}
        outage = self.guarded.outage
        told: dict[str, Any] = {
            "ok": outage is None, "tolerated": True, "model": self.guarded.name, "state": self.guarded.state,
            "reason": f"the language model {WORDS[outage.fault.kind]}" if outage is not None else "",
        }  # fmt: skip
        if outage is not None:
            told["since"] = iso(outage.since)
        return {"model": told}


def models_of(settings: Settings, clock: Clock, told: Callable[[str, Asked], None]) -> Models:
    """The models of an installation, none opened yet. `told` is called with every request and its family.

    Raises:
        StartRefused: see `chosen`.
    """
    found = chosen(settings)
    if found is None:
        return Models()
    behind, family = OnDemand(found), found.family
    guarded = Guarded(behind, clock, lambda asked: told(family, asked))
    return Models(guarded=guarded, behind=behind)
