"""`homeguard replay`: a recorded log of somebody's home becomes devices, events and answers here."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from instances import SARAH, Up, command, is_free, one_line_says

pytestmark = pytest.mark.timeout(180)
HERE = ZoneInfo("America/New_York")


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def cellar(at: datetime) -> list[dict[str, Any]]:
    """A door that opens and closes with somebody moving behind it, in the home's own time without a zone."""
    said = [
        ("cellar_door", "Cellar Door", "contact", "on"), ("cellar_pir", "Cellar Motion", "motion", "on"),
        ("cellar_climate", "Cellar Climate", "temperature", 11.5), ("cellar_pir", "Cellar Motion", "motion", "off"),
        ("cellar_door", "Cellar Door", "contact", "off"),
    ]  # fmt: skip
    return [
        {"ts": (at + timedelta(minutes=i)).strftime("%Y-%m-%dT%H:%M:%S"), "device_id": device, "name": name,
         "area": "Cellar", "kind": kind, "state": state}
        for i, (device, name, kind, state) in enumerate(said)
    ]  # fmt: skip


def test_devices_and_events_of_the_file_are_there_with_their_last_time_now(up: Up, tmp_path: Path) -> None:
    file = write(tmp_path / "cellar.jsonl", cellar(datetime(2019, 5, 1, 8)))
    done = up.homeguard("replay", file, "--json", "--home", SARAH)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["events"], summary["devices"], summary["devices_created"], summary["rejected"]) == (5, 3, 3, 0)
    assert abs(datetime.fromisoformat(summary["last"]) - datetime.now(UTC)) < timedelta(minutes=2)
    with up.client(SARAH) as client:
        door = client.get("/api/v1/devices/cellar_door")
        assert (door["name"], door["area"], door["type"], door["state"]["open"]) == (
            "Cellar Door", "Cellar", "contact", False,
        )  # fmt: skip
        assert client.get("/api/v1/devices/cellar_climate")["state"]["temperature_c"] == 11.5
        told = client.get("/api/v1/events", device_id="cellar_door")["items"]
        assert [event["event_type"] for event in told] == ["door_closed", "door_open"]
        assert {event["source"] for event in told} == {"replay"}
    answer = up.say("What is the temperature in the cellar?", "--as", SARAH, "--new")
    assert "52" in answer["answer"] or "53" in answer["answer"], answer["answer"]


def test_naive_times_are_the_homes_own_and_stay_when_they_are_to_be_kept(up: Up, tmp_path: Path) -> None:
    rows = cellar(datetime(2024, 7, 4, 20))
    rows = [{**row, "device_id": "attic_" + row["device_id"]} for row in rows]
    done = up.homeguard("replay", write(tmp_path / "attic.jsonl", rows), "--json", "--keep-times", "--home", SARAH)
    assert done.returncode == 0, done.stderr
    assert datetime.fromisoformat(json.loads(done.stdout)["first"]) == datetime(2024, 7, 4, 20, tzinfo=HERE)
    with up.client(SARAH) as client:
        [first] = client.get("/api/v1/events", device_id="attic_cellar_climate")["items"]
    assert datetime.fromisoformat(first["timestamp"]) == datetime(2024, 7, 4, 20, 2, tzinfo=HERE)


def test_the_same_file_at_the_same_times_is_stored_once(up: Up, tmp_path: Path) -> None:
    rows = [{**row, "device_id": "twice_" + row["device_id"]} for row in cellar(datetime(2024, 1, 2, 3))]
    file = write(tmp_path / "twice.jsonl", rows)
    for _ in range(2):
        assert up.homeguard("replay", file, "--keep-times", "--home", SARAH).returncode == 0
    with up.client(SARAH) as client:
        assert len(client.get("/api/v1/events", device_id="twice_cellar_door")["items"]) == 2


def test_lines_that_cannot_be_read_are_counted_and_named_and_the_others_are_taken(up: Up, tmp_path: Path) -> None:
    good = {**cellar(datetime(2024, 3, 3))[0], "device_id": "shed_door"}
    file = tmp_path / "mixed.jsonl"
    file.write_text("\n".join(["{", json.dumps(good), '{"ts": "yesterday"}', "[]", json.dumps({**good, "ts": 0})]))
    done = up.homeguard("replay", file, "--json", "--keep-times", "--home", SARAH)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["rejected"] >= 3
    assert [reason.partition(":")[0] for reason in summary["reasons"]][:3] == ["line 1", "line 3", "line 4"]
    shown = up.homeguard("replay", file, "--keep-times", "--home", SARAH)
    assert "rejected" in shown.stdout


def test_what_cannot_be_replayed_is_one_line(up: Up, tmp_path: Path) -> None:
    empty, noise = tmp_path / "empty.jsonl", tmp_path / "noise.jsonl"
    empty.touch()
    noise.write_bytes(b"\xff\xfe\x00" * 200)
    assert one_line_says(up.homeguard("replay", tmp_path / "none.jsonl"), "none.jsonl")
    assert one_line_says(up.homeguard("replay", tmp_path), str(tmp_path))
    assert one_line_says(up.homeguard("replay", empty), "empty")
    assert one_line_says(up.homeguard("replay", noise), "line")
    good = write(tmp_path / "good.jsonl", cellar(datetime(2024, 5, 5)))
    assert one_line_says(up.homeguard("replay", good, "--home", "nowhere"), "nowhere")
    for speed in ("0", "-1", "fast", "nan"):
        assert one_line_says(up.homeguard("replay", good, f"--speed={speed}"), "speed")


def test_with_no_instance_it_is_replayed_all_the_same(tmp_path: Path) -> None:
    file, data = write(tmp_path / "c.jsonl", cellar(datetime(2024, 5, 5))), tmp_path / "d"
    done = command(tmp_path, "replay", file, "--json", "--data-dir", data)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["events"] == 5
    assert is_free(data)
