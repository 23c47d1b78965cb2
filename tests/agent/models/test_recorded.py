"""A model's answers, recorded in a real home and played back there without it.

`HOMEGUARD_RECORD=1` records `recordings/john.json` again, from the service on loopback that speaks Gemini's wire.
"""

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from model_server import KEY, Heard, ModelServer, Reply
from wires import of_wire

from agent.models.protocol import Model, Prompt, Step, ToolSpec
from agent.models.recorded import FORMAT, RecordedModel, Recording, RecordingDiffers
from agent.models.scripted import ScriptedModel
from deploy.assembled import Assembled, assembled
from homeguard.model import Principal

KEPT = Path(__file__).parent / "recordings" / "john.json"
BEGAN = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
MakePrompt = Callable[..., Prompt]

LOCK = ("control_device", {"device_id": "back_door_lock", "command": "lock"})
UNLOCK = ("control_device", {"device_id": "front_door_lock", "command": "unlock"})
WARM = ("control_device", {"device_id": "thermostat", "command": "set_temperature",
                           "parameters": {"value": 70, "unit": "F"}})  # fmt: skip
#: What the service on loopback makes of each sentence, step by step.
SCRIPT: dict[str, list[Reply]] = {
    "Is everything locked?": [
        Reply(calls=[("get_home_summary", {})]),
        Reply(texts=["No: ", "the back door lock ", "is unlocked."]),
    ],
    "Then lock it and set the thermostat to 70": [
        Reply(calls=[LOCK, WARM]),
        Reply(texts=["The back door lock is locked ", "and the thermostat is set to 70 F."]),
    ],
    "And open the front door for Ana": [
        Reply(texts=["You have to confirm that. "], calls=[UNLOCK]),
        Reply(texts=["The front door lock is unlocked."]),
    ],
    "What did you do last?": [
        Reply(calls=[("find_devices", {"query": "door lock"}), ("get_device_state", {"device_id": "front_door_lock"})]),
        Reply(texts=["The front door lock is unlocked."]),
    ],
}


def brain(heard: Heard) -> Reply:
    return SCRIPT[heard.words][heard.step]


async def talk(models: Sequence[Model]) -> list[dict[str, Any]]:
    """The whole conversation in john's home, its card pressed: what was answered, called and done."""
    told = []
    async with assembled(models, history_days=0, began_at=BEGAN) as system:
        for number, words in enumerate(SCRIPT):
            await system.running.plane.caught_up()
            reply = await system.say("john", words, go_on=number > 0)
            answer = await pressed(system, reply.asked) if reply.asked else reply.answer
            told.append(
                {
                    "answer": answer,
                    "calls": [(c["tool"], c["outcome"]) for c in reply.calls],
                    "asked": [c["text"] for c in reply.asked],
                }
            )
        home = system.home_id("john")
        told.append(dict((await system.running.stores.live.all(home))["front_door_lock"].attributes))
    return told


async def pressed(system: Assembled, cards: Sequence[Any]) -> str:
    """What is said once every card has its yes."""
    running, home = system.running, system.home_id("john")
    owner = Principal(home_id=home, user_id=home, role="owner", caller="person", name="owner")
    async with running.stores.feed.subscribe(home, user_id=home) as items, asyncio.timeout(15):
        for card in cards:
            await running.plane.commands.decide(owner, card["id"], approve=True)
        async for item in items:
            if item.kind == "agent_response":
                return str(item.data["message"])
    raise AssertionError("nobody went on")


TOLD = [
    {"answer": "No: the back door lock is unlocked.", "calls": [("get_home_summary", "ok")], "asked": []},
    {
        "answer": "The back door lock is locked and the thermostat is set to 70 F.",
        "calls": [("control_device", "ok"), ("control_device", "ok")], "asked": [],
    },
    {
        "answer": "The front door lock is unlocked.", "calls": [("control_device", "asked")],
        "asked": ["Unlock Front door lock?"],
    },
    {
        "answer": "The front door lock is unlocked.",
        "calls": [("find_devices", "ok"), ("get_device_state", "ok")], "asked": [],
    },
]  # fmt: skip


async def test_a_recorded_conversation_plays_in_a_home_of_its_own_without_a_network(server: ModelServer) -> None:
    if os.environ.get("HOMEGUARD_RECORD") == "1":
        server.brain = brain
        gemini = of_wire("gemini", server.url)
        recording = Recording(gemini, BEGAN, (KEY,))
        await talk([recording])
        recording.write(KEPT)
        await gemini.close()
    model = RecordedModel.read(KEPT)
    told = await talk([model])

    assert told[:-1] == TOLD
    assert told[-1]["lock"] == "unlocked"
    assert (model.name, model.left) == ("gemini-3.8-flash", 0)
    assert KEY not in KEPT.read_text(encoding="utf-8")


async def test_what_is_recorded_over_either_wire_is_what_is_played(
    model: Any, server: ModelServer, tmp_path: Path
) -> None:
    server.brain = brain
    recording = Recording(model, BEGAN, (KEY,))
    live = await talk([recording])
    recording.write(tmp_path / "talk.json")
    asked = len(server.requests)

    assert await talk([RecordedModel.read(tmp_path / "talk.json")]) == live
    assert len(server.requests) == asked


async def played(recording: Recording, prompt: Prompt, folder: Path) -> RecordedModel:
    """What this prompt got, recorded."""
    async for _ in recording.stream(prompt):
        pass
    recording.write(folder / "r.json")
    return RecordedModel.read(folder / "r.json")


TOOL = ToolSpec(server="s", name="look", description="Looks.", input_schema={"type": "object"})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"system": "You are somebody else."}, "step 1 of the recording differs: the system prompt is another"),
        ({"tools": (replace(TOOL, description="Peers."),)}, "other tools, or told in other words: look"),
        ({"area": "Kitchen"}, 'it was ...["America/New_York", "us", "", ""]'),
    ],
)
async def test_a_prompt_that_changed_is_refused_and_the_difference_is_told(
    prompt: MakePrompt, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    asked = prompt("hello", tools=(TOOL,))
    recording = Recording(ScriptedModel({"*": [Step(text="Hi.")]}), BEGAN)
    model = await played(recording, asked, tmp_path)
    with pytest.raises(RecordingDiffers) as caught:
        await anext(aiter(model.stream(replace(asked, **change))))

    assert told in caught.value.message


async def test_other_words_and_one_step_too_many_are_told(prompt: MakePrompt, tmp_path: Path) -> None:
    recording = Recording(ScriptedModel({"*": [Step(text="Hi.")]}), BEGAN)
    model = await played(recording, prompt("lock the door"), tmp_path)
    with pytest.raises(RecordingDiffers, match=r"in message 1: it was .*the door.* and is .*the window"):
        await anext(aiter(model.stream(prompt("lock the window"))))
    assert [part async for part in model.stream(prompt("lock the door"))][-1] == Step(text="Hi.")
    with pytest.raises(RecordingDiffers, match="has 1 steps, and this is one more"):
        await anext(aiter(model.stream(prompt("lock the door"))))


async def test_a_secret_that_somebody_said_is_not_in_the_file(prompt: MakePrompt, tmp_path: Path) -> None:
    recording = Recording(ScriptedModel({"*": [Step(text="Your key is k-12345.")]}), BEGAN, ("k-12345",))
    await played(recording, prompt("my key is k-12345"), tmp_path)
    text = (tmp_path / "r.json").read_text()

    assert "k-12345" not in text
    assert json.loads(text)["steps"][0]["step"]["text"] == "Your key is ***."


def test_no_recording_is_called_as_the_planner_is(tmp_path: Path) -> None:
    at = "2026-01-01T00:00:00Z"
    document = {"format": FORMAT, "model": "offline", "began_at": at, "messages": {}, "steps": []}
    (tmp_path / "r.json").write_text(json.dumps(document))
    with pytest.raises(RecordingDiffers, match="offline"):
        RecordedModel.read(tmp_path / "r.json")


@pytest.mark.parametrize("text", ["", "{}", '{"format": 9, "steps": []}', "[1]"])
def test_what_is_no_recording_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(RecordingDiffers):
        RecordedModel.read(tmp_path / "r.json")
