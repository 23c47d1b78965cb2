"""Turns for large bodies: two at a time, a bounded line, cheap refusals, and a way past it all for single alarms."""

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from pipeline_fakes import ManualClock, device, furnish
from starlette.responses import JSONResponse

from homeguard.errors import Overloaded
from pipeline.intake.http import IntakeEndpoint
from pipeline.intake.intake import Intake, Origin
from pipeline.intake.turns import FEW_BYTES, SMALL_BYTES, Pace, Turns, needs_turn

ALARM = json.dumps({"device_id": "hall", "event_type": "smoke_detected"}).encode()
MANY = json.dumps([{"device_id": "hall", "event_type": "motion_detected"}] * 400).encode()


def calm() -> bool:
    return False


async def enter(turns: Turns, *, is_busy=calm) -> AsyncExitStack:
    stack = AsyncExitStack()
    await stack.enter_async_context(turns.turn(is_busy=is_busy))
    return stack


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_two_are_judged_at_a_time_and_the_others_in_the_order_in_which_they_came(clock):
    turns, came = Turns(clock, wait_s=20), []

    async def one(name: str) -> None:
        async with turns.turn(is_busy=calm):
            came.append(name)

    first, second = await enter(turns), await enter(turns)
    waiting = [asyncio.create_task(one(name)) for name in "abc"]
    await settle()
    assert came == []
    await first.aclose()
    await asyncio.gather(*waiting)
    assert came == ["a", "b", "c"]
    await second.aclose()


async def test_behind_a_full_line_everybody_is_refused_and_so_is_who_waits_too_long(clock):
    turns = Turns(clock, places=1, line=1, wait_s=20)
    judged = await enter(turns)
    waiting = asyncio.create_task(enter(turns))
    await settle()
    with pytest.raises(Overloaded) as refused:
        turns.begin()
    with pytest.raises(Overloaded):
        await enter(turns)
    assert refused.value.details["retry_after_s"] > 0
    await judged.aclose()
    await (await waiting).aclose()
    turns.begin()

    short = Turns(clock, places=1, wait_s=0.01)
    judged = await enter(short)
    with pytest.raises(Overloaded):
        await enter(short)
    await judged.aclose()
    await (await enter(short)).aclose()
    assert (turns.refused, short.refused) == (2, 1)


@pytest.mark.parametrize("is_busy", [False, True])
async def test_while_there_is_enough_to_do_a_place_stays_empty_for_a_while(clock: ManualClock, is_busy):
    turns = Turns(clock, places=1, wait_s=20)
    judged = await enter(turns, is_busy=lambda: is_busy)
    clock.advance(timedelta(milliseconds=5))
    await judged.aclose()
    following = asyncio.create_task(enter(turns))
    await settle()
    assert following.done() is not is_busy
    await (await following).aclose()


async def test_the_bytes_of_large_bodies_are_bounded_and_come_back(clock):
    turns = Turns(clock)
    turns.hold(33 << 20)
    with pytest.raises(Overloaded):
        turns.begin()
    turns.hold(31 << 20)
    with pytest.raises(Overloaded):
        turns.hold(1)
    assert turns.held_bytes == 64 << 20
    turns.let_go(64 << 20)
    turns.begin()


async def test_one_refusal_is_told_at_once_and_a_crowd_of_them_slowly(clock: ManualClock):
    turns = Turns(clock)
    for _ in range(15):
        await turns.hesitate()
    assert clock.slept == []
    began = clock.monotonic()
    for _ in range(500):
        await turns.hesitate()
    assert clock.monotonic() - began > 4
    assert max(clock.slept) <= 2

    # none waits long, however many there are
    crowd = ManualClock()
    crowd.sleep = lambda delay_s: _note(crowd, delay_s)  # type: ignore[method-assign]
    turns = Turns(crowd)
    for _ in range(2_000):
        await turns.hesitate()
    assert max(crowd.slept) <= 2


async def _note(clock: ManualClock, delay_s: float) -> None:
    clock.slept.append(delay_s)


@pytest.mark.parametrize(
    ("body", "ndjson", "needed"),
    [
        (b"{" + b" " * FEW_BYTES, False, False), (b" \n{" + b" " * FEW_BYTES, False, False),
        (b"{" + b" " * SMALL_BYTES, False, True), (b"[" + b" " * FEW_BYTES, False, True),
        (b"{" + b" " * FEW_BYTES, True, True), (b"[]", False, False), (b"{}\n{}", True, False), (b"", False, False),
    ],
)  # fmt: skip
def test_what_is_more_than_one_event_or_a_few_needs_a_turn(body, ndjson, needed):
    assert needs_turn(body, ndjson=ndjson) is needed


class Ticking(ManualClock):
    """Each look at it takes half a millisecond."""

    def monotonic(self) -> float:
        self.advance(timedelta(microseconds=500))
        return super().monotonic()


async def turns_of_others(intake: Intake) -> int:
    """How often something else had its turn while a large body was judged."""
    counted = 0

    async def count() -> None:
        nonlocal counted
        while True:
            counted += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(count())
    await intake._judge_all(MANY, Origin(home_id="h1", source="http"), ndjson=False)
    other.cancel()
    return counted


async def test_others_have_their_turns_while_a_large_body_is_judged(stores, clocks, monkeypatch):
    await furnish(stores, device("hall", "motion"))
    intake = Intake(log=stores.log, devices=stores.devices, clock=Ticking(), clocks=clocks)
    assert await turns_of_others(intake) >= 4

    async def never(self) -> None:
        """The planted defect."""

    monkeypatch.setattr(Pace, "give_way", never)
    assert await turns_of_others(intake) < 4


class Door:
    """The endpoint, called with a body of that many chunks; counts what was read."""

    def __init__(self, intake: Intake) -> None:
        async def anyone(scope):
            return Origin(home_id="h1", source="http")

        def as_error(error):
            return JSONResponse({"code": error.code}, status_code=error.status)

        self.endpoint = IntakeEndpoint(intake, anyone, as_error)
        self.read = 0

    async def post(self, *chunks: bytes, **headers: str) -> tuple[int, dict[bytes, bytes]]:
        told: list = []
        given = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]

        async def receive():
            self.read += 1
            return {"type": "http.request", "body": chunks[self.read - 1], "more_body": self.read < len(chunks)}

        async def send(message):
            told.append(message)

        self.read = 0
        await self.endpoint({"type": "http", "method": "POST", "path": "/telemetry", "headers": given}, receive, send)
        return told[0]["status"], dict(told[0]["headers"])


@pytest.fixture
async def door(stores, clock, clocks) -> Door:
    """With no room in its line."""
    await furnish(stores, device("hall", "motion"))
    intake = Intake(log=stores.log, devices=stores.devices, clock=clock, clocks=clocks)
    intake.turns = Turns(clock, line=0)
    return Door(intake)


async def test_a_large_body_without_a_turn_is_refused_unread_and_an_alarm_alone_is_not(door):
    status, headers = await door.post(MANY, content_length=str(len(MANY)))
    assert (status, door.read) == (503, 0)
    assert b"connection" not in headers
    assert (await door.post(ALARM, content_length=str(len(ALARM))))[0] == 202
    assert (await door.post(ALARM[:10], ALARM[10:]))[0] == 202


async def test_a_sender_that_does_not_say_how_much_comes_is_let_go_after_a_refusal(door):
    status, headers = await door.post(MANY[:9000], MANY[9000:])
    assert (status, headers[b"connection"]) == (503, b"close")
    assert door.endpoint._turns.held_bytes == 0


async def test_a_sender_that_asked_before_sending_is_let_go_since_its_next_bytes_may_be_a_request(door):
    status, headers = await door.post(MANY, content_length=str(len(MANY)), expect="100-continue")
    assert (status, door.read, headers[b"connection"]) == (503, 0, b"close")
