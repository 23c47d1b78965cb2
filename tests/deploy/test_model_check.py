"""`homeguard models check`, and the other commands that name the model."""

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "agent" / "models"))

from instances import command, one_line_says
from model_server import KEY, Brain, Fault, Heard, ModelServer, Reply, model_server

ROOM = Path(__file__).parents[1] / "agent" / "models"
LANGUAGES = {
    "¿Para": "Un detector de humo sirve para avisar de un incendio en la casa.",
    "Wozu": "Ein Rauchmelder warnt die Bewohner bei einem Brand und ist im Notfall laut.",
    "À quoi": "Le détecteur avertit les habitants de la maison en cas de feu.",
}


def able(heard: Heard) -> Reply:
    """A model that can do everything."""
    if heard.results:
        return Reply(texts=["It is ", f"{heard.results[0]['output']['celsius']} C in the cellar."])
    if "cellar" in heard.words:
        return Reply(calls=[("read_temperature", {"room": "cellar", "unit": "celsius"})])
    if "attic" in heard.words:
        return Reply(calls=[("dim_light", {"room": r, "level_pct": n}) for r, n in (("hall", 40), ("attic", 60))])
    said = next((answer for begin, answer in LANGUAGES.items() if heard.words.startswith(begin)), "Hello there to you.")
    return Reply(texts=[f"{word} " for word in said.split(" ")])


def poor(heard: Heard) -> Reply:
    """One that calls badly, one thing at a time, in English, all at once."""
    if heard.results:
        return Reply(texts=["It is warm."])
    if "cellar" in heard.words:
        return Reply(calls=[("read_temperature", {"room": "basement", "unit": "celsius"})])
    if "attic" in heard.words:
        return Reply(calls=[("dim_light", {"room": "hall", "level_pct": 40})])
    return Reply(texts=["The smoke detector is for the smoke of the fire."])


def mute(heard: Heard) -> Reply:
    """One that calls no tools."""
    return Reply(texts=["I ", "cannot."])


@pytest.fixture
def served() -> Iterator[Any]:
    """Starts a service in a thread of its own, since the command is another process that is waited for."""
    ends: list[Any] = []

    def start(brain: Brain, fault: Fault | None = None) -> ModelServer:
        here: list[ModelServer] = []
        ready = threading.Event()

        async def serve() -> None:
            over = asyncio.Event()
            ends.append((asyncio.get_running_loop(), over, threading.current_thread()))
            async with model_server(brain) as server:
                server.always = fault
                here.append(server)
                ready.set()
                await over.wait()

        threading.Thread(target=lambda: asyncio.run(serve())).start()
        assert ready.wait(10)
        return here[0]

    yield start
    for loop, over, thread in ends:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)


def states(output: str) -> dict[str, str]:
    return {f["name"]: f["state"] for f in json.loads(output)["findings"]}


def env(server: ModelServer, wire: str) -> dict[str, str]:
    if wire == "gemini":
        return {"GEMINI_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": server.url}
    return {"HOMEGUARD_MODEL_URL": server.url, "HOMEGUARD_MODEL_NAME": "local", "HOMEGUARD_MODEL_KEY": KEY}


ALL = ("model", "answers", "streams", "time", "tools", "schema", "results", "several", "spanish", "german", "french",
       "context")  # fmt: skip


@pytest.mark.parametrize("wire", ["gemini", "chat"])
def test_a_model_that_can_do_everything_is_told_so(tmp_path: Path, served: Any, wire: str) -> None:
    server = served(able)
    done = command(tmp_path, "models", "check", "--json", env=env(server, wire))

    assert (done.returncode, done.stderr) == (0, "")
    assert states(done.stdout) == dict.fromkeys(ALL, "ok")
    assert "back_door_lock" not in json.dumps([body for _, _, body in server.requests])
    told = command(tmp_path, "models", "check", env=env(server, wire))
    lines = told.stdout.splitlines()
    assert [line.split()[1] for line in lines] == list(ALL)
    assert lines[-1] == "ok    context   reads 32,768 tokens"
    assert KEY not in told.stdout + done.stdout


def test_what_a_poor_model_lacks_is_told_in_words(tmp_path: Path, served: Any) -> None:
    done = command(tmp_path, "models", "check", "--json", env=env(served(poor), "chat"))
    weak = {"streams", "schema", "results", "several", "spanish", "german", "french"}

    assert done.returncode == 0
    assert states(done.stdout) == {name: "warn" if name in weak else "ok" for name in ALL}
    assert "room cannot be 'basement'" in done.stdout


@pytest.mark.parametrize(("reads", "state"), [(100_000, "ok"), (8_000, "warn")])
def test_a_server_that_cuts_off_a_long_prompt_in_silence_is_found_out(
    tmp_path: Path, served: Any, reads: int, state: str
) -> None:
    def brain(heard: Heard) -> Reply:
        if "word of the day" in heard.words:
            return Reply(texts=["It is ", "marzipan." if "marzipan" in heard.words[-reads:] else "not there."])
        return able(heard)

    server = served(brain)
    server.input_limit = 0
    done = command(tmp_path, "models", "check", "--json", env=env(server, "chat"))

    assert done.returncode == 0
    assert states(done.stdout)["context"] == state


def test_a_model_that_calls_no_tools_fails_the_check(tmp_path: Path, served: Any) -> None:
    done = command(tmp_path, "models", "check", env=env(served(mute), "chat"))

    assert done.returncode == 1
    assert "bad   tools     it does not call tools, so it cannot know or do anything in a home" in done.stdout


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault("status", 401), "the language model does not accept the key"),
        (Fault("status", 404), "the language model is not known by that name there"),
        (Fault("status", 503), "the language model is out of order (fault 503)"),
    ],
)
def test_a_model_that_does_not_answer_fails_the_check_and_says_why(
    tmp_path: Path, served: Any, fault: Fault, told: str
) -> None:
    done = command(tmp_path, "models", "check", env=env(served(able, fault), "gemini"))

    assert done.returncode == 1
    assert told in done.stdout.splitlines()[-1]
    assert len(done.stdout.splitlines()) == 2


def test_without_a_model_the_planner_is_what_answers(tmp_path: Path) -> None:
    done = command(tmp_path, "models", "check", "--json")
    looked = command(tmp_path, "doctor", "--json")
    model = next(f for f in json.loads(looked.stdout)["findings"] if f["name"] == "model")

    assert (done.returncode, json.loads(done.stdout)["model"]) == (0, "offline")
    assert model == {"name": "model", "state": "ok", "text": "the offline planner; nothing leaves this machine"}


def test_the_doctor_names_the_model_and_half_a_setting(tmp_path: Path) -> None:
    both = {"HOMEGUARD_MODEL_URL": "http://127.0.0.1:1", "HOMEGUARD_MODEL_NAME": "qwen"}
    looked = command(tmp_path, "doctor", env=both)
    half = command(tmp_path, "doctor", env={"HOMEGUARD_MODEL_NAME": "qwen"})

    assert "qwen at http://127.0.0.1:1, which gets what is said" in looked.stdout
    assert half.returncode == 1
    assert "bad   model        a language model needs both" in half.stdout


def test_evaluations_ask_the_configured_model_record_it_and_play_it_again(tmp_path: Path, served: Any) -> None:
    probes = tmp_path / "probes.yaml"
    wanted = '{"calls": [{"device_id": "back_door_lock", "command": "lock"}]}'
    probes.write_text(f"probes: [{{id: SP-91-a, home: john, text: lock the back door, expect: {wanted}}}]")
    lock = ("control_device", {"device_id": "back_door_lock", "command": "lock"})
    steps = (Reply(calls=[lock]), Reply(texts=["The back door lock is locked."]))
    server = served(lambda heard: steps[heard.step])
    run = ("eval", "run", "--probes", probes)
    live = command(tmp_path, *run, "--mode", "live", "--record", tmp_path / "r.json", env=env(server, "gemini"))
    assert (live.returncode, live.stderr) == (0, "")
    assert "gemini-3.8-flash" in live.stdout
    asked = len(server.requests)
    again = command(tmp_path, *run, "--mode", "scripted", "--recording", tmp_path / "r.json")

    assert (again.returncode, len(server.requests)) == (0, asked)
    assert one_line_says(command(tmp_path, *run, "--mode", "live"), "no language model is configured", "GEMINI_API_KEY")
    assert one_line_says(command(tmp_path, *run, "--mode", "scripted"), "--recording FILE")
