"""A language model that goes away under a conversation, and comes back: what the person sees, and what is done."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from model_server import Fault, Heard, ModelServer, Reply
from wires import HandClock, of_wire

from agent.models.guarded import Guarded
from agent.models.offline.planner import OfflinePlanner
from agent.models.protocol import Model
from homeguard.ids import new_id
from homeguard.model import Automation, Event

LOCK = ("control_device", {"device_id": "back_door_lock", "command": "lock"})
UNLOCK = ("control_device", {"device_id": "front_door_lock", "command": "unlock"})
NOTICE = "AI features are temporarily limited"
DOWN = Fault("status", 503)


def steps(*replies: Reply) -> Any:
    """A brain that says these one after the other in every turn."""
    return lambda heard: replies[min(heard.step, len(replies) - 1)]


@asynccontextmanager
async def home_with(open_house: Any, model: Any) -> AsyncIterator[tuple[Any, Guarded, HandClock]]:
    clock = HandClock()
    guarded = Guarded(model, clock)
    models: Sequence[Model] = [guarded, OfflinePlanner()]
    async with open_house(models=models) as house:
        yield house, guarded, clock


def model_of(turn: Any) -> str:
    return str(turn.all("done")[0]["model"])


async def test_the_model_answers_with_the_home_s_own_tools(open_house: Any, model: Any, server: ModelServer) -> None:
    says = Reply(texts=["The back door lock ", "is locked."])
    server.brain = steps(Reply(calls=[("get_home_summary", {}), LOCK]), says)
    async with home_with(open_house, model) as (house, _, _):
        turn = await house.say("lock up please")

        assert (turn.answer, turn.status) == ("The back door lock is locked.", "completed")
        done = turn.all("done")[0]
        assert (done["model"], done["tokens"]) == (model.name, {"input": 240, "output": 60})
        assert (await house.state("back_door_lock"))["lock"] == "locked"
        sent = json.dumps(server.requests[0][2])
        assert "You are HomeGuard AI, an intelligent home security assistant." in sent
        assert "get_recent_events" in sent


async def test_the_planner_takes_over_in_the_same_turn_and_the_notice_comes_once_an_outage(
    open_house: Any, model: Any, server: ModelServer
) -> None:
    async with home_with(open_house, model) as (house, guarded, clock):
        server.always = DOWN
        first = await house.say("lock the back door")
        thread = first.all("turn")[0]["thread_id"]
        second = await house.say("is the back door locked?", thread_id=thread)
        elsewhere = await house.say("is the back door locked?", new_thread=True)
        assert first.answer.startswith(NOTICE)
        assert first.answer.endswith("The back door lock is locked.")
        assert NOTICE not in second.answer
        assert elsewhere.answer.startswith(NOTICE)
        assert [model_of(t) for t in (first, second, elsewhere)] == ["offline"] * 3
        assert guarded.state == "open"

        asked = len(server.requests)
        fourth = await house.say("is the garage closed?", thread_id=thread)
        assert (len(server.requests), NOTICE in fourth.answer, fourth.status) == (asked, False, "completed")

        server.always = None
        clock.elapsed += 30
        back = await house.say("hello there", thread_id=thread)
        assert (model_of(back), back.answer) == (model.name, "Good day to you.")

        server.always = DOWN
        again = await house.say("is the back door locked?", thread_id=thread)
        assert again.answer.startswith(NOTICE)


async def test_a_model_that_dies_between_its_call_and_its_words_has_nothing_done_twice(
    open_house: Any, model: Any, server: ModelServer
) -> None:
    def acts_and_dies(heard: Heard) -> Reply:
        server.always = DOWN
        return Reply(calls=[LOCK])

    server.brain = acts_and_dies
    async with home_with(open_house, model) as (house, _, _):
        turn = await house.say("lock the back door and turn on the hall light")

        assert turn.status == "completed"
        assert "Back door lock is locked." in turn.answer
        assert "broke off after that, so I stopped there" in turn.answer
        rows = await house.running.stores.journal.commands(house.home_id, since=datetime(2020, 1, 1, tzinfo=UTC))
        assert [(c.device_id, c.command) for c in rows] == [("back_door_lock", "lock")]


async def test_a_model_that_dies_after_it_only_looked_is_replaced_by_one_that_looks_for_itself(
    open_house: Any, model: Any, server: ModelServer
) -> None:
    def looks_and_dies(heard: Heard) -> Reply:
        server.always = DOWN
        return Reply(calls=[("find_devices", {"query": "back door"})])

    server.brain = looks_and_dies
    async with home_with(open_house, model) as (house, _, _):
        turn = await house.say("lock the back door")

        assert turn.answer.startswith(NOTICE)
        assert (await house.state("back_door_lock"))["lock"] == "locked"
        rows = await house.running.stores.journal.commands(house.home_id, since=datetime(2020, 1, 1, tzinfo=UTC))
        assert [(c.device_id, c.command) for c in rows] == [("back_door_lock", "lock")]


async def test_words_that_the_model_will_not_answer_are_answered_by_the_planner(
    open_house: Any, model: Any, server: ModelServer
) -> None:
    server.always = Fault("blocked")
    async with home_with(open_house, model) as (house, guarded, _):
        turn = await house.say("lock the back door")

        assert turn.answer.startswith("The language model would not answer this, so I do without it.")
        assert NOTICE not in turn.answer
        assert (await house.state("back_door_lock"))["lock"] == "locked"
        assert guarded.outage is None


@pytest.mark.parametrize("fault", [DOWN, None], ids=["away after the press", "there"])
async def test_a_turn_at_its_card_goes_on_after_a_restart_with_what_the_model_wants_back(
    open_house: Any, server: ModelServer, fault: Fault | None, tmp_path: Path
) -> None:
    server.brain = steps(Reply(calls=[UNLOCK]), Reply(texts=["The front door lock is unlocked."]))
    before = of_wire("gemini", server.url)
    async with home_with(open_house, before) as (house, _, _):
        turn = await house.say("open up")
        assert turn.status == "waiting"
    await before.close()
    server.always = fault
    after = of_wire("gemini", server.url)
    async with home_with(open_house, after) as (house, _, _):
        await house.press(turn.cards[0]["id"])
        said = await house.continued(turn.all("turn")[0]["turn_id"])
        assert (await house.state("front_door_lock"))["lock"] == "unlocked"
    await after.close()

    if fault is None:
        assert said == "The front door lock is unlocked."
        parts = server.requests[-1][2]["contents"][-2]["parts"]
        assert parts[0]["thoughtSignature"] == "c2lnbmVk"
    else:
        assert said.startswith(NOTICE)
        assert "Front door lock is unlocked." in said


async def test_arguments_that_cannot_be_read_go_back_to_the_model_as_a_problem(
    open_house: Any, server: ModelServer
) -> None:
    chat = of_wire("chat", server.url)
    server.faults = [Fault("malformed")]
    seen: list[Any] = []

    def brain(heard: Heard) -> Reply:
        seen.extend(heard.results)
        return Reply(texts=["I could not do that."])

    server.brain = brain
    async with home_with(open_house, chat) as (house, _, _):
        turn = await house.say("lock the back door")
    await chat.close()

    assert turn.answer == "I could not do that."
    assert seen[-1] == {"name": "control_device", "status": "error", "error": "the arguments are not an object"}


async def test_rules_run_while_the_model_is_away(open_house: Any, model: Any, server: ModelServer) -> None:
    server.always = Fault("silent")
    async with home_with(open_house, model) as (house, _, _):
        stores, plane = house.running.stores, house.running.plane
        await stores.automations.put(
            Automation(
                id="night", home_id=house.home_id, name="Lock on motion", enabled=True,
                trigger={"type": "device_event", "device_id": "living_room_motion", "event_type": "motion_detected"},
                actions=({"type": "device_command", "device_id": "back_door_lock", "command": "lock"},),
            )
        )  # fmt: skip
        talking = asyncio.create_task(house.say("good evening"))
        await server.asked.acquire()
        now = datetime.now(UTC)
        await plane.intake.submit(
            [Event(home_id=house.home_id, event_id=new_id(), event_type="motion_detected", at=now, received_at=now,
                   device_id="living_room_motion")]
        )  # fmt: skip
        for _ in range(3):
            await plane.caught_up()
        assert not talking.done()
        assert (await house.state("back_door_lock"))["lock"] == "locked"
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
