"""`homeguard backup` and `homeguard restore` as people use them, and what happens by itself."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from instances import Up, command, one_line_says, until

from deploy.cli.main import main as homeguard
from homeguard.clock import iso
from homeguard.stores.sqlite.backup import read_snapshot

Start = Callable[..., Up]
FIRST, SECOND = "before", "after"
QUICK = {"HOMEGUARD_DEMO_HISTORY_DAYS": "0"}


def tell(up: Up, name: str, count: int) -> set[str]:
    """Events of John's motion sensor; their ids."""
    ids = [f"{name}-{number}" for number in range(count)]
    items = [_event(event_id, number) for number, event_id in enumerate(ids)]
    with up.http(up.token()) as http:
        answer = http.post("/api/v1/events", json=items)
        assert (answer.status_code, answer.json()["accepted"]) == (202, count), answer.text
    return set(ids)


def _event(event_id: str, number: int) -> dict[str, object]:
    return {
        "event_id": event_id, "device_id": "living_room_motion", "timestamp": iso(datetime.now(UTC)),
        "event_type": "motion_stopped", "payload": {"n": number},
    }  # fmt: skip


def stored(up: Up, name: str) -> set[str]:
    with up.http(up.token()) as http:
        found = [e["event_id"] for e in up.events(http, device_id="living_room_motion")]
    mine = [event_id for event_id in found if event_id.startswith(f"{name}-")]
    assert len(mine) == len(set(mine))
    return set(mine)


def add(up: Up, name: str) -> None:
    """A change that only `home.db` knows of: a token."""
    done = up.homeguard("token", "create", "--name", name)
    assert done.returncode == 0, done.stderr


def names(up: Up) -> set[str]:
    done = up.homeguard("token", "list")
    return {name for name in ("early", "late") if name in done.stdout}


def digests(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != "lock"
    }


def checks(up: Up) -> dict[str, dict[str, object]]:
    with up.http(up.token()) as http:
        answer = http.get("/ready").json()
    found: dict[str, dict[str, object]] = answer.get("checks") or answer["error"]["details"]["checks"]
    return found


def test_a_backup_of_a_running_home_is_restored_and_its_own_log_is_read_on(start: Start, tmp_path: Path) -> None:
    up = start("--no-simulator", env=QUICK)
    add(up, "early")
    first = tell(up, FIRST, 300)
    until(lambda: stored(up, FIRST) == first)
    made = up.homeguard("backup", "--to", tmp_path / "copy", "--json")
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["counts"]["homes"] == 2
    assert (tmp_path / "copy" / "local.key").stat().st_mode & 0o777 == 0o600
    add(up, "late")
    second = tell(up, SECOND, 200)

    assert one_line_says(up.homeguard("restore", tmp_path / "copy", "--yes"), "in use by process")
    up.stop()
    done = up.homeguard("restore", tmp_path / "copy", "--yes")
    assert done.returncode == 0, done.stderr
    [aside] = up.data.glob("before-*")
    assert {"home.db", "events.db", "log"} <= {p.name for p in aside.iterdir()}

    again = start("--no-simulator", env=QUICK)
    until(lambda: stored(again, SECOND) == second)
    assert stored(again, FIRST) == first
    assert names(again) == {"early"}
    assert checks(again)["storage"]["ok"]


def test_a_backup_starts_a_home_on_another_machine_with_all_that_was_acknowledged(start: Start, tmp_path: Path) -> None:
    up = start("--no-simulator", env=QUICK)
    first = tell(up, FIRST, 500)  # some of them wait in the log when the copy is made
    assert up.homeguard("backup", "--to", tmp_path / "copy").returncode == 0
    up.kill()
    other = tmp_path / "other"
    assert command(tmp_path, "restore", tmp_path / "copy", "--yes", "--data-dir", other).returncode == 0
    moved = start("--no-simulator", data=other, env=QUICK)
    until(lambda: stored(moved, FIRST) == first)
    shutil.rmtree(up.data)


class Senders:
    """Two clients that send batches of John's sensor one after the other, until `stop`. `taken`: acknowledged ids."""

    def __init__(self, up: Up) -> None:
        self.taken: set[str] = set()
        self._token, self._up, self._stop = up.token(), up, threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(2)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self, number: int) -> None:
        with self._up.http(self._token) as http:
            for turn in itertools.count():
                if self._stop.is_set():
                    return
                ids = [f"{FIRST}-{number}-{turn}-{place}" for place in range(200)]
                answer = http.post("/api/v1/events", json=[_event(event_id, turn) for event_id in ids])
                if answer.status_code == 202:
                    refused = {r["index"] for r in answer.json()["rejected"]}
                    self.taken |= {event_id for place, event_id in enumerate(ids) if place not in refused}


def test_a_backup_in_the_midst_of_a_flood_has_all_that_was_acknowledged_before(start: Start, tmp_path: Path) -> None:
    up = start("--no-simulator", env={**QUICK, "HOMEGUARD_RATE_LIMITS": "off"})
    senders = Senders(up)
    try:
        until(lambda: len(senders.taken) > 2_000)
        before = set(senders.taken)
        made = up.homeguard("backup", "--to", tmp_path / "copy", "--json")
        meanwhile = len(senders.taken) - len(before)
    finally:
        senders.stop()
    assert made.returncode == 0, made.stderr
    assert meanwhile > 0
    up.kill()

    other = tmp_path / "other"
    assert command(tmp_path, "restore", tmp_path / "copy", "--yes", "--data-dir", other).returncode == 0
    moved = start("--no-simulator", data=other, env=QUICK)
    assert json.loads(moved.homeguard("backup", "--json").stdout)["counts"]["homes"] == 2
    until(lambda: before <= stored(moved, FIRST))
    assert stored(moved, FIRST) <= senders.taken
    assert checks(moved)["storage"]["ok"]


def test_who_may_not_read_the_folder_is_told_so_in_one_line(start: Start, tmp_path: Path) -> None:
    up = start("--no-simulator", env=QUICK)
    up.stop()
    script = (
        "import os, sys; from deploy.cli.main import main\n"
        "import apsw, deploy.cli.backup, deploy.cli.restore, deploy.cli.doctor\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"else: os.chmod({str(up.data)!r}, 0)\n"
        f"sys.exit(main(['backup', '--data-dir', {str(up.data)!r}, '--to', {str(tmp_path / 'copy')!r}]))\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
    finally:
        up.data.chmod(0o700)
    assert one_line_says(done, str(up.data), "ermission denied")
    for name in ("home.db", "events.db"):
        assert (up.data / name).stat().st_mode & 0o077 == 0


def test_a_damaged_backup_is_refused_and_nothing_is_changed(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    up = start("--no-simulator", env=QUICK)
    assert up.homeguard("backup", "--to", tmp_path / "copy").returncode == 0
    up.stop()
    before = digests(up.data)

    def refused(*arguments: str | Path) -> str:
        capsys.readouterr()
        assert homeguard([*map(str, arguments), "--data-dir", str(up.data)]) == 1
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        return said.err

    assert "is there already" in refused("backup", "--to", tmp_path / "copy")
    parts = read_snapshot(tmp_path / "copy").manifest.parts
    assert {"home.db", "events.db", "local.key"} <= parts.keys()
    for name in ("home.db", "events.db", "manifest.json", "local.key"):
        spoiled = tmp_path / f"spoiled-{name}"
        shutil.copytree(tmp_path / "copy", spoiled)
        data = bytearray((spoiled / name).read_bytes())
        data[len(data) // 2] ^= 1
        (spoiled / name).write_bytes(data)
        assert name in refused("restore", spoiled, "--yes")
        assert name in refused("restore", spoiled, "--check")
    assert "no backup" in refused("restore", tmp_path / "nothing", "--yes")
    assert "nothing was changed" in refused("restore", tmp_path / "copy")
    assert digests(up.data) == before


def test_a_restore_that_was_cut_off_is_finished_by_the_next_start(start: Start, tmp_path: Path) -> None:
    up = start("--no-simulator", env=QUICK)
    first = tell(up, FIRST, 50)
    until(lambda: stored(up, FIRST) == first)
    assert up.homeguard("backup", "--to", tmp_path / "copy").returncode == 0
    add(up, "late")
    up.stop()
    # the second of the two moves fails: what is in the way cannot be replaced
    script = (
        "import sys; from homeguard.stores.sqlite import restore as r; from deploy.cli.main import main\n"
        "real, calls = r._move_all, []\n"
        "def move(*a, **k):\n"
        "    calls.append(a)\n"
        "    if len(calls) == 2: import os; os._exit(9)\n"
        "    real(*a, **k)\n"
        "r._move_all = move\n"
        f"main(['restore', {str(tmp_path / 'copy')!r}, '--yes', '--data-dir', {str(up.data)!r}])\n"
    )
    assert os.spawnl(os.P_WAIT, sys.executable, sys.executable, "-c", script) == 9
    assert not (up.data / "home.db").exists()
    again = start("--no-simulator", env=QUICK)
    assert names(again) == set()
    assert stored(again, FIRST) == first


def test_a_damaged_home_comes_back_from_its_own_backup_and_its_people_are_told(start: Start, tmp_path: Path) -> None:
    up = start("--no-simulator", env=QUICK)
    add(up, "early")
    first = tell(up, FIRST, 200)
    until(lambda: stored(up, FIRST) == first)

    until(lambda: any((up.data / "backups").glob("home-*/home.db")))
    up.stop()
    assert up.homeguard("backup").returncode == 0
    data = bytearray((up.data / "home.db").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 64] = b"\xff" * 64
    (up.data / "home.db").write_bytes(data)

    again = start("--no-simulator", env=QUICK)
    assert names(again) == {"early"}
    assert stored(again, FIRST) == first
    assert checks(again)["storage"]["ok"] is False
    assert "damaged" in str(checks(again)["storage"]["reason"])

    def told() -> list[dict[str, object]]:
        with again.http(again.token()) as http:
            items = http.get("/api/v1/alerts").json()["items"]
        return [a for a in items if a["kind"] == "storage_damaged"]

    [alert] = until(told)
    assert alert["severity"] == "high"
    assert (next((again.data / "quarantine").iterdir()) / "home.db").read_bytes() == data
    seen = again.homeguard("doctor", "--seen")
    assert "damaged" in seen.stdout
    assert checks(again)["storage"]["ok"] is True
    assert "is damaged" not in again.homeguard("doctor").stdout
