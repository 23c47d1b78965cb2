"""A model behind a guard: asked again where that may help, held to its time, left alone while it does not answer."""

import logging
from asyncio import timeout
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from agent.models.faults import ModelFault
from agent.models.protocol import Model, Prompt, Step, Token
from homeguard.breaker import Breaker, State
from homeguard.clock import Clock

log = logging.getLogger("homeguard.models")

#: A request of which nothing has come yet is made again this often, after these waits.
RETRIES: Final = 3
FIRST_WAIT_S: Final = 0.1
WAIT_FACTOR: Final = 2.0
LONGEST_WAIT_S: Final = 5.0
#: All waits of a step together: a service that wants to be left alone for longer is left to the breaker.
WAITS_S: Final = FIRST_WAIT_S * (1 + WAIT_FACTOR + WAIT_FACTOR**2)
#: What took this long once is not tried again.
NO_NEW_TRY_AFTER_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request to a model: `status` is `ok`, the kind of its fault, or `left` when nobody waited for it."""

    model: str
    status: str
    seconds: float
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """From the first request that came to nothing until one is answered again."""

    since: datetime
    fault: ModelFault


class Guarded:
    """Asks `model` with the breaker's profile of language models. `told` is called with every request."""

    def __init__(self, model: Model, clock: Clock, told: Callable[[Asked], None] = lambda asked: None) -> None:
        self._model = model
        self._clock = clock
        self._told = told
        self._breaker = Breaker.llm(clock)
        self.outage: Outage | None = None

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def state(self) -> State:
        """The breaker's."""
        return self._breaker.state

    async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
        """As `Model.stream`. Raises ModelFault with its `model`, and `outage_since` unless it is about the words."""
        ticket = self._breaker.admit()
        if ticket is None:
            raise self._named(ModelFault("left_alone"))
        is_settled = False
        try:
            async with aclosing(self._tries(prompt)) as parts:
                async for part in parts:
                    if isinstance(part, Step):
                        # before it is handed over: who has the step does not come back
                        is_settled = True
                        self._breaker.succeeded(ticket)
                        self._is_back()
                    yield part
        except ModelFault as fault:
            is_settled = True
            if fault.is_about_the_words:
                self._breaker.succeeded(ticket)
                self._is_back()
            else:
                self._breaker.failed(ticket)
                if self.outage is None:
                    self.outage = Outage(since=self._clock.now(), fault=fault)
                    log.warning("%s: %s%s", self.name, fault.message, f" ({fault.told})" if fault.told else "")
            raise self._named(fault) from fault.__cause__
        finally:
            if not is_settled:
                self._breaker.left(ticket)

    def _is_back(self) -> None:
        if self.outage is not None:
            log.info("%s answers again", self.name)
        self.outage = None

    def _named(self, fault: ModelFault) -> ModelFault:
        fault.model = self.name
        if self.outage is not None and not fault.is_about_the_words:
            fault.outage_since = self.outage.since
        return fault

    async def _tries(self, prompt: Prompt) -> AsyncGenerator[Token | Step, None]:
        begun_at = self._clock.monotonic()
        wait_s, waited_s = FIRST_WAIT_S, 0.0
        for tries_left in range(RETRIES, -1, -1):
            has_begun = False
            try:
                async with aclosing(self._once(prompt, begun_at)) as parts:
                    async for part in parts:
                        has_begun = True
                        yield part
            except ModelFault as fault:
                delay_s = max(wait_s, fault.retry_after_s or 0.0)
                took_s = self._clock.monotonic() - begun_at
                if has_begun or not fault.passes or not tries_left or took_s - waited_s >= NO_NEW_TRY_AFTER_S:
                    raise
                if waited_s + delay_s > WAITS_S + 1e-9 or took_s + delay_s >= prompt.silence_s:
                    raise
            else:
                return
            await self._clock.sleep(delay_s)
            waited_s += delay_s
            wait_s = min(wait_s * WAIT_FACTOR, LONGEST_WAIT_S)

    async def _once(self, prompt: Prompt, begun_at: float) -> AsyncGenerator[Token | Step, None]:
        """One request, whatever comes of it told once."""
        asked_at = self._clock.monotonic()
        status, step = "left", Step(text="")
        stream = cast(AsyncGenerator[Token | Step, None], self._model.stream(prompt))
        try:
            async with aclosing(stream) as parts:
                first_by = begun_at + prompt.silence_s
                while True:
                    now = self._clock.monotonic()
                    limit_s = min(first_by - now, begun_at + prompt.within_s - now)
                    part = await _next(parts, limit_s, is_late=now + limit_s < first_by)
                    if isinstance(part, Step):
                        status, step = "ok", part
                        yield part
                        return
                    yield part
                    first_by = self._clock.monotonic() + prompt.silence_s
        except ModelFault as fault:
            status = fault.kind
            raise
        finally:
            self._told(
                Asked(
                    model=self.name, status=status, seconds=self._clock.monotonic() - asked_at,
                    input_tokens=step.input_tokens, output_tokens=step.output_tokens,
                )
            )  # fmt: skip


async def _next(parts: AsyncGenerator[Token | Step, None], limit_s: float, *, is_late: bool) -> Token | Step:
    try:
        async with timeout(max(0.0, limit_s)):
            return await anext(parts)
    except TimeoutError as error:
        raise ModelFault("slow" if is_late else "silent") from error
    except StopAsyncIteration:
        raise ModelFault("cut") from None
