"""`homeguard doctor` and `homeguard audit verify`, with an instance and without one, on good and on tampered data."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from instances import Up, command, free_port, one_line_says

pytestmark = pytest.mark.timeout(180)


def findings(text: str) -> dict[str, dict[str, Any]]:
    told = json.loads(text)
    assert set(told) == {"ok", "findings"}
    return {finding["name"]: finding for finding in told["findings"]}


def test_doctor_tells_what_runs(up: Up) -> None:
    done = up.homeguard("doctor", "--json", "--port", str(up.port))
    assert (done.returncode, done.stderr) == (0, "")
    found = findings(done.stdout)
    assert {"python", "folder", "lock", "port", "clock"} <= set(found)
    assert str(up.process.pid) in found["lock"]["text"]
    assert up.url in found["lock"]["text"]
    assert "ours" in found["port"]["text"]
    assert all(finding["state"] == "ok" for finding in found.values())


def test_doctor_works_with_nothing_there_and_makes_nothing(tmp_path: Path) -> None:
    done = command(tmp_path, "doctor", "--json", "--port", str(free_port()), "--data-dir", tmp_path / "d")
    assert done.returncode == 0, done.stdout
    assert "free" in findings(done.stdout)["lock"]["text"]
    assert not (tmp_path / "d").exists()
    shown = command(tmp_path, "doctor", "--port", str(free_port()), "--data-dir", tmp_path / "d")
    assert shown.returncode == 0
    assert "clock" in shown.stdout


def test_doctor_finds_what_would_keep_it_from_starting(tmp_path: Path) -> None:
    data = tmp_path / "d"
    data.mkdir()
    (data / "local.key").write_text("k")
    (data / "local.key").chmod(0o644)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = command(
            tmp_path, "doctor", "--json", "--port", str(taken.getsockname()[1]), "--data-dir", data
        )  # fmt: skip
    assert done.returncode == 1
    found = findings(done.stdout)
    assert {name for name, finding in found.items() if finding["state"] == "bad"} == {"port", "local.key"}
    assert json.loads(done.stdout)["ok"] is False


def test_the_audit_is_verified_while_it_is_written_after_the_end_and_after_a_change(
    start: Callable[..., Up], tmp_path: Path
) -> None:
    up = start("--no-simulator")
    before = up.homeguard("audit", "verify")
    assert before.returncode == 0, before.stderr
    with up.client() as client:
        for command_ in ("lock", "unlock", "lock"):
            client.post("/api/v1/devices/back_door_lock/command", {"command": command_})
    during = up.homeguard("audit", "verify")
    assert during.returncode == 0, during.stderr
    assert int(during.stdout.split()[0]) >= int(before.stdout.split()[0]) + 2
    up.stop()
    after = up.homeguard("audit", "verify")
    assert (after.returncode, after.stderr) == (0, "")
    assert int(after.stdout.split()[0]) >= int(during.stdout.split()[0])

    database = apsw.Connection(str(up.data / "home.db"))
    [(home, seq, detail)] = database.execute("SELECT home_id, seq, detail FROM audit ORDER BY seq DESC LIMIT 1")
    # one byte: the letters l and L
    changed = detail.replace("l", "L", 1)
    assert changed != detail
    database.execute("UPDATE audit SET detail = ? WHERE home_id = ? AND seq = ?", (changed, home, seq))
    database.close()
    assert one_line_says(up.homeguard("audit", "verify"), f"row {seq} ", home)

    database = apsw.Connection(str(up.data / "home.db"))
    database.execute("UPDATE audit SET detail = ? WHERE home_id = ? AND seq = ?", (detail, home, seq))
    assert up.homeguard("audit", "verify").returncode == 0
    database.execute("DELETE FROM audit WHERE home_id = ? AND seq = ?", (home, seq))
    database.close()
    assert one_line_says(up.homeguard("audit", "verify"), f"row {seq}", home)


def test_there_is_no_audit_where_there_is_no_homeguard(tmp_path: Path) -> None:
    assert one_line_says(command(tmp_path, "audit", "verify", "--data-dir", tmp_path / "none"), str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
