"""`homeguard chat`: the JSON of one turn, what its questions do, and where the conversation goes on."""

import json
import subprocess
from pathlib import Path

import pytest
from instances import HOMEGUARD, JOHN, SARAH, Up, command, environment, is_free, one_line_says

pytestmark = pytest.mark.timeout(180)
KEYS = {"answer", "calls", "commands", "asked", "model", "tokens", "duration_ms"}


def state_of(up: Up, device: str) -> object:
    with up.client() as client:
        return client.get(f"/api/v1/devices/{device}")["state"].get("lock")


def test_one_turn_is_one_object_with_exactly_these_keys(up: Up) -> None:
    told = up.say("Lock the back door", "--new")
    assert set(told) == KEYS
    assert "lock" in told["answer"].lower()
    assert told["model"] == "offline"
    assert set(told["tokens"]) == {"input", "output"}
    assert isinstance(told["duration_ms"], int)
    assert [set(call) for call in told["calls"]] == [{"server", "tool", "arguments", "outcome"}] * len(told["calls"])
    assert ("devices", "control_device") in {(call["server"], call["tool"]) for call in told["calls"]}
    [done] = told["commands"]
    assert set(done) == {"id", "device_id", "set", "outcome"}
    assert (done["device_id"], done["set"], done["outcome"]) == ("back_door_lock", {"lock": "locked"}, "confirmed")
    assert told["asked"] == []
    assert state_of(up, "back_door_lock") == "locked"


def test_a_question_changes_nothing_and_asks_nothing(up: Up) -> None:
    told = up.say("Is the front door locked?", "--new")
    assert (told["commands"], told["asked"]) == ([], [])
    assert "front door" in told["answer"].lower()


def test_with_neither_yes_nor_no_the_card_stays_open_and_nothing_moves(up: Up) -> None:
    told = up.say("Unlock the front door", "--new")
    [card] = told["asked"]
    assert "front door" in card["text"].lower()
    assert [(e["device_id"], e["command"]) for e in card["effects"]] == [("front_door_lock", "unlock")]
    assert told["commands"] == []
    assert state_of(up, "front_door_lock") == "locked"
    with up.client() as client:
        mine = [c for c in client.get("/api/v1/confirmations")["items"] if c["text"] == card["text"]]
        assert mine
        for open_card in mine:
            client.post(f"/api/v1/confirmations/{open_card['id']}", {"approve": False})


def test_no_leaves_it_as_it_is_and_yes_does_it(up: Up) -> None:
    refused = up.say("Unlock the front door", "--new", "--no")
    assert [set(card) for card in refused["asked"]] == [{"text", "effects"}]
    assert refused["commands"] == []
    assert state_of(up, "front_door_lock") == "locked"
    done = up.say("Unlock the front door", "--new", "--yes")
    assert [(c["device_id"], c["set"], c["outcome"]) for c in done["commands"]] == [
        ("front_door_lock", {"lock": "unlocked"}, "confirmed")
    ]
    assert done["answer"] != refused["answer"]
    assert state_of(up, "front_door_lock") == "unlocked"
    up.say("Lock the front door", "--new")
    assert state_of(up, "front_door_lock") == "locked"


def test_it_goes_on_where_the_terminal_was_until_new_is_said(up: Up) -> None:
    with up.client(SARAH) as client:

        def threads() -> dict[str, int]:
            """Messages by conversation, the last one first."""
            ids = [t["id"] for t in client.get("/api/v1/ai/chat/threads", limit=100)["items"]]
            return {i: len(client.get("/api/v1/ai/chat/history", thread_id=i)["items"]) for i in ids}

        client.delete("/api/v1/ai/chat/history")
        up.say("Turn on the porch light", "--new", "--as", SARAH)
        [first] = threads()
        up.say("Is the garage closed?", "--as", SARAH)
        assert threads() == {first: 4}
        elsewhere = client.post("/api/v1/ai/chat", {"message": "Is the porch light on?", "new_thread": True})
        up.say("Is everything locked?", "--as", SARAH)
        assert threads() == {first: 6, elsewhere["thread_id"]: 2}
        up.say("Is the garage closed?", "--as", SARAH, "--new")
        up.say("Is the garage closed?", "--as", SARAH)
        [last] = threads().keys() - {first, elsewhere["thread_id"]}
        assert threads() == {first: 6, elsewhere["thread_id"]: 2, last: 4}


def test_without_json_only_the_answer_is_on_stdout(up: Up) -> None:
    done = up.homeguard("chat", "--once", "Is the back door locked?", "--new")
    assert (done.returncode, done.stderr) == (0, "")
    assert "back door" in done.stdout.lower()
    assert not done.stdout.startswith("{")


def test_someone_who_is_not_here_is_one_line(up: Up) -> None:
    assert one_line_says(up.homeguard("chat", "--once", "hello", "--as", "nobody@example.com"), "nobody@example.com")


def test_each_person_speaks_to_their_own_home(up: Up) -> None:
    told = up.say("Turn on the living room light", "--as", SARAH, "--new")
    assert [c["outcome"] for c in told["commands"]] in (["confirmed"], [])
    none_here = up.say("Turn on the living room light", "--as", JOHN, "--new")
    assert none_here["commands"] == []


def test_with_no_instance_one_is_started_for_the_duration(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = command(tmp_path, "chat", "--once", "Is everything locked?", "--json", "--data-dir", data)
    assert done.returncode == 0, done.stderr
    assert "back door" in json.loads(done.stdout)["answer"].lower()
    assert is_free(data)


def test_an_interactive_talk_shows_outcomes_and_presses_the_card(up: Up) -> None:
    typed = "lock the back door\nunlock the front door\nn\n/new\nis the front door locked?\n"
    done = subprocess.run(
        [HOMEGUARD, "chat", "--data-dir", up.data], cwd=up.folder, env=environment(up.folder), input=typed,
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "John" in done.stdout
    assert "confirmed" in done.stdout
    assert "press y" in done.stdout
    assert state_of(up, "front_door_lock") == "locked"
