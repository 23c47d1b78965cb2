"""The conversation over HTTP: a turn at once, a turn as a stream, and what was said."""

import json
from typing import Any

import pytest

STREAM = "/api/v1/ai/chat/stream"


async def test_a_turn_at_once_tells_what_was_called_and_done(world: Any, ann: str) -> None:
    said = (await world.call("POST", "/ai/chat", token=ann, json={"message": "lock the door"})).json()
    command = said["commands"][0]
    assert said["message"] == said["answer"] == "The front door is locked."
    assert said["calls"] == [
        {"server": "devices", "tool": "control_device", "arguments": {"command": "lock"}, "outcome": "ok"}
    ]
    assert (command["device_id"], command["outcome"], command["set"]) == (
        "front_door_lock", "confirmed", {"lock": "locked"},
    )  # fmt: skip
    assert said["actions_taken"] == [{"action": "lock", "device_id": "front_door_lock", "outcome": "confirmed"}]
    assert (said["status"], said["model"], said["tokens"]) == ("completed", "test", {"input": 1, "output": 1})


async def _begin(world: Any, token: str, message: str) -> Any:
    body = json.dumps({"message": message}).encode()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    return world.reading(STREAM, method="POST", body=body, **headers)


async def test_a_turn_as_a_stream_has_every_event_in_order_with_its_turn(world: Any, ann: str) -> None:
    async with await _begin(world, ann, "lock the door") as reading:
        assert await reading.status() == 200
        events = []
        while not events or events[-1][0] != "done":
            events.append(await reading.event())
    assert [name for name, _ in events] == ["turn", "tool_start", "tool_end", "outcome", "token", "answer", "done"]
    assert len({data["turn_id"] for _, data in events}) == 1


async def test_a_message_that_cannot_be_taken_is_no_stream(world: Any, ann: str) -> None:
    for path in ("/ai/chat", "/ai/chat/stream"):
        answer = await world.call("POST", path, token=ann, json={"message": "   "})
        assert (answer.status_code, answer.json()["error"]["details"]["field"]) == (422, "message")


async def test_a_turn_whose_listener_leaves_is_finished_and_kept(world: Any, ann: str) -> None:
    world.agent.hold.clear()
    async with await _begin(world, ann, "hello") as reading:
        assert await reading.status() == 200
        name, data = await reading.event()
        assert name == "turn"
    assert world.agent.finished == []
    world.agent.hold.set()
    await world.agent._task
    assert world.agent.finished == [data["turn_id"]]
    history = (await world.call("GET", f"/ai/chat/history?thread_id={data['thread_id']}", token=ann)).json()
    assert [m["text"] for m in history["items"]] == ["hello", "You said: hello"]


async def test_the_persons_other_screens_hear_the_answer(world: Any, ann: str) -> None:
    async with world.socket("/events/stream", authorization=f"Bearer {ann}") as socket:
        await socket.said()
        await socket.send({"action": "subscribe", "channels": ["agent"]})
        await socket.message()
        await world.call("POST", "/ai/chat", token=ann, json={"message": "hello"})
        told = await socket.message()
    assert (told["type"], told["message"], told["actions_taken"]) == ("agent_response", "You said: hello", [])
    assert told["timestamp"] == "2026-11-21T08:00:00.000Z"


async def test_history_without_a_thread_is_the_last_conversation(world: Any, ann: str) -> None:
    await world.call("POST", "/ai/chat", token=ann, json={"message": "first"})
    world.clock.forward(minutes=1)
    await world.call("POST", "/ai/chat", token=ann, json={"message": "second", "new_thread": True})
    history = (await world.call("GET", "/ai/chat/history", token=ann)).json()
    assert [m["text"] for m in history["items"]] == ["second", "You said: second"]
    threads = (await world.call("GET", "/ai/chat/threads?limit=1", token=ann)).json()
    rest = (await world.call("GET", f"/ai/chat/threads?cursor={threads['next_cursor']}", token=ann)).json()
    assert [t["title"] for t in threads["items"] + rest["items"]] == ["second", "first"]
    assert rest["next_cursor"] is None


async def test_clearing_my_history_leaves_the_others(world: Any, ann: str) -> None:
    gus = await world.token("gus")
    for token in (ann, gus):
        await world.call("POST", "/ai/chat", token=token, json={"message": "hello"})
    assert (await world.call("DELETE", "/ai/chat/history", token=ann)).json() == {"deleted": 1}
    assert (await world.call("GET", "/ai/chat/history", token=ann)).json()["items"] == []
    assert len((await world.call("GET", "/ai/chat/history", token=gus)).json()["items"]) == 2


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_another_persons_conversation_in_the_same_home_is_absent(world: Any, ann: str, method: str) -> None:
    thread = (await world.call("POST", "/ai/chat", token=ann, json={"message": "hello"})).json()["thread_id"]
    gus = await world.token("gus")
    answer = await world.call(method, f"/ai/chat/history?thread_id={thread}", token=gus)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "THREAD_NOT_FOUND")
    assert len((await world.call("GET", "/ai/chat/history", token=ann)).json()["items"]) == 2


async def test_my_conversation_is_called_as_i_like_and_nobody_else_may(world: Any, ann: str) -> None:
    thread = (await world.call("POST", "/ai/chat", token=ann, json={"message": "hello"})).json()["thread_id"]
    path = f"/ai/chat/threads/{thread}"

    renamed = await world.call("PATCH", path, token=ann, json={"title": "  Our   holidays "})
    foreign = await world.call("PATCH", path, token=await world.token("gus"), json={"title": "Mine"})
    blank = await world.call("PATCH", path, token=ann, json={"title": " \t "})

    assert (renamed.status_code, renamed.json()["title"]) == (200, "Our holidays")
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (404, "THREAD_NOT_FOUND")
    assert blank.status_code == 422
    await world.call("POST", "/ai/chat", token=ann, json={"message": "more", "thread_id": thread})
    assert [t["title"] for t in (await world.call("GET", "/ai/chat/threads", token=ann)).json()["items"]] == [
        "Our holidays"
    ]
