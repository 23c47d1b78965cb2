"""A model behind its guard: how often it is asked again, how long it is waited for, when it is left alone."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest
from model_server import KEY, Fault, ModelServer

from agent.models.faults import ModelFault
from agent.models.guarded import Asked, Guarded
from agent.models.protocol import Prompt, Step
from homeguard.clock import SystemClock

MakePrompt = Callable[..., Prompt]
DOWN = Fault("status", 503)


async def said(model: Any, prompt: Prompt) -> str:
    last = [part async for part in model.stream(prompt)][-1]
    assert isinstance(last, Step)
    return last.text


async def fault_of(model: Any, prompt: Prompt) -> ModelFault:
    with pytest.raises(ModelFault) as caught:
        await said(model, prompt)
    return caught.value


@pytest.mark.parametrize("fault", [DOWN, Fault("status", 429), Fault("status", 500), Fault("status", 408)])
async def test_what_passes_is_asked_again_three_times_within_seven_tenths_of_a_second(
    model: Any, server: ModelServer, clock: Any, prompt: MakePrompt, fault: Fault
) -> None:
    server.always = fault
    await fault_of(Guarded(model, clock), prompt("hello"))

    assert clock.slept == [0.1, 0.2, 0.4]
    assert len(server.requests) == 4


async def test_an_answer_at_the_last_try_is_an_answer(
    model: Any, server: ModelServer, clock: Any, prompt: MakePrompt
) -> None:
    told: list[Asked] = []
    guarded = Guarded(model, clock, told.append)
    server.faults = [DOWN, Fault("status", 429), Fault("html", 502)]

    assert await said(guarded, prompt("hello")) == "Good day to you."
    assert [a.status for a in told] == ["broken", "too_many", "broken", "ok"]
    assert (told[-1].input_tokens, told[-1].output_tokens) == (120, 30)
    assert (guarded.outage, guarded.state) == (None, "closed")


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_what_will_not_pass_is_not_asked_again(
    model: Any, server: ModelServer, clock: Any, prompt: MakePrompt, status: int
) -> None:
    server.always = Fault("status", status)
    await fault_of(Guarded(model, clock), prompt("hello"))

    assert (clock.slept, len(server.requests)) == ([], 1)


@pytest.mark.parametrize(("retry", "slept"), [("0.3", [0.3, 0.3]), ("0.05", [0.1, 0.2, 0.4]), ("30", []), ("2", [])])
async def test_a_service_that_says_when_to_come_back_is_obeyed_or_left(
    model: Any, server: ModelServer, clock: Any, prompt: MakePrompt, retry: str, slept: list[float]
) -> None:
    server.always = Fault("status", 429, retry)
    await fault_of(Guarded(model, clock), prompt("hello"))

    assert clock.slept == slept


@pytest.mark.parametrize("how", ["torn", "cut", "broken_midway", "garbage"])
async def test_nothing_is_asked_again_once_a_word_was_heard(
    model: Any, server: ModelServer, clock: Any, prompt: MakePrompt, how: str
) -> None:
    server.always = Fault(how)
    await fault_of(Guarded(model, clock), prompt("hello"))

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("how", "kind"), [("silent", "silent"), ("no_head", "silent"), ("stall", "silent"), ("trickle", "slow")]
)
async def test_a_model_that_says_nothing_or_goes_on_without_end_is_given_up(
    model: Any, server: ModelServer, prompt: MakePrompt, how: str, kind: str
) -> None:
    server.always = Fault(how)
    told: list[Asked] = []
    limits = {"silence_s": 30.0, "within_s": 0.5} if kind == "slow" else {"silence_s": 0.3, "within_s": 30.0}
    fault = await fault_of(Guarded(model, SystemClock(), told.append), prompt("hello", **limits))

    assert fault.kind == kind
    assert [a.status for a in told] == [kind]


async def test_after_three_failures_nobody_asks_until_it_is_tried_again_and_then_it_is_back(
    model: Any, server: ModelServer, clock: Any, prompt: MakePrompt
) -> None:
    server.always = Fault("status", 401)
    guarded = Guarded(model, clock)
    kinds = [(await fault_of(guarded, prompt("hello"))).kind for _ in range(5)]
    assert kinds == ["key_refused"] * 3 + ["left_alone"] * 2
    assert len(server.requests) == 3
    assert guarded.outage is not None
    assert guarded.outage.fault.kind == "key_refused"

    clock.elapsed += 30
    assert (await fault_of(guarded, prompt("hello"))).kind == "key_refused"
    assert (guarded.state, len(server.requests)) == ("open", 4)

    clock.elapsed += 30
    server.always = None
    for _ in range(3):
        assert await said(guarded, prompt("hello")) == "Good day to you."
    assert (guarded.state, guarded.outage) == ("closed", None)


async def test_an_outage_begins_with_its_first_failure_and_every_failure_of_it_says_so(
    model: Any, server: ModelServer, clock: Any, prompt: MakePrompt
) -> None:
    server.always = Fault("status", 404)
    guarded = Guarded(model, clock)
    began = clock.now()
    faults = []
    for _ in range(4):
        faults.append(await fault_of(guarded, prompt("hello")))
        clock.elapsed += 5

    assert {f.outage_since for f in faults} == {began}
    assert {f.model for f in faults} == {model.name}


async def test_words_that_it_will_not_answer_say_nothing_about_the_model(
    model: Any, server: ModelServer, clock: Any, prompt: MakePrompt
) -> None:
    guarded = Guarded(model, clock)
    server.faults = [Fault("status", 400)]
    await fault_of(guarded, prompt("hello"))
    server.always = Fault("blocked")
    for _ in range(5):
        fault = await fault_of(guarded, prompt("hello"))
        assert (fault.kind, fault.outage_since) == ("blocked", None)

    assert (guarded.state, guarded.outage) == ("closed", None)


async def test_who_leaves_says_nothing_about_the_model(
    model: Any, server: ModelServer, clock: Any, prompt: MakePrompt
) -> None:
    told: list[Asked] = []
    guarded = Guarded(model, clock, told.append)
    server.always = Fault("stall")
    for _ in range(4):
        async with aclosing(guarded.stream(prompt("hello"))) as parts:
            await anext(parts)
    server.always = Fault("silent")
    waiting = asyncio.create_task(said(guarded, prompt("hello")))
    for _ in range(5):
        await server.asked.acquire()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert [a.status for a in told] == ["left"] * 5
    assert (guarded.state, guarded.outage) == ("closed", None)


async def test_the_log_has_one_line_when_an_outage_begins_and_one_when_it_ends(
    model: Any, server: ModelServer, clock: Any, prompt: MakePrompt, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "homeguard.models")
    guarded = Guarded(model, clock)
    server.faults = [Fault("status", 404)] * 2
    for _ in range(2):
        await fault_of(guarded, prompt("hello"))
    for _ in range(2):
        await said(guarded, prompt("hello"))

    assert [r.message for r in caplog.records if r.name == "homeguard.models"] == [
        f"{model.name}: the language model is not known by that name there (fault 404)",
        f"{model.name} answers again",
    ]
    assert KEY not in caplog.text
