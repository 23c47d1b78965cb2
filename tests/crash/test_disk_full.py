"""A disk that is full, and one that fails: refused with 507 or 503, nothing acknowledged is lost, and it goes on by
itself when the disk does."""

import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import instances
import pytest
from instances import Up, starting, until
from recording import COMPILER

from homeguard.clock import iso
from homeguard.stores.sqlite.incidents import incidents_of

SOURCE = Path(__file__).with_name("faults_disk.c")
SIZE_MB = 40
ENV = {"HOMEGUARD_DEMO_HISTORY_DAYS": "0", "HOMEGUARD_RATE_LIMITS": "off", "HOMEGUARD_CANARY_S": "0"}


def can_mount() -> bool:
    """A disk of our own needs a mount namespace, so root and a kernel that allows it."""
    tools = all(shutil.which(name) for name in ("unshare", "nsenter", "mount"))
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return tools and subprocess.run(command, capture_output=True, check=False).returncode == 0


#: Without these the tests are not collected: `pytest -v` then does not name them.
CAN_MOUNT = can_mount()


@dataclass(slots=True)
class Sender:
    """Sends events one at a time and keeps what was acknowledged."""

    up: Up
    acknowledged: set[str] = field(default_factory=set)
    sent: int = 0

    def send(self, http: httpx2.Client) -> tuple[int, float]:
        """Status, and seconds to the answer."""
        event_id = f"disk-{self.sent}"
        self.sent += 1
        began = time.monotonic()
        answer = http.post(
            "/api/v1/events",
            json={
                "event_id": event_id, "device_id": "living_room_motion", "timestamp": iso(datetime.now(UTC)),
                "event_type": "motion_stopped", "payload": {"note": "x" * 400},
            },
        )  # fmt: skip
        if answer.status_code == 202:
            self.acknowledged.add(event_id)
        return answer.status_code, time.monotonic() - began

    def many(self, count: int) -> Counter[int]:
        with self.up.http(self.up.token()) as http:
            return Counter(self.send(http)[0] for _ in range(count))

    def until_taken(self) -> float:
        """Seconds until the first is acknowledged again."""
        began = time.monotonic()
        with self.up.http(self.up.token()) as http:
            until(lambda: self.send(http)[0] == 202)
        return time.monotonic() - began


def stored(up: Up) -> Counter[str]:
    with up.http(up.token()) as http:
        found = up.events(http, device_id="living_room_motion")
    return Counter(e["event_id"] for e in found if e["event_id"].startswith("disk-"))


def reads_go_on(up: Up) -> None:
    with up.http(up.token()) as http:
        for path in ("devices", "events?limit=10", "alerts"):
            assert http.get(f"/api/v1/{path}").status_code == 200


def is_kept(sender: Sender) -> bool:
    """All that was acknowledged is there, nothing twice."""
    found = stored(sender.up)
    return sender.acknowledged <= found.keys() and set(found.values()) <= {1}


if CAN_MOUNT:

    @contextmanager
    def small_disk(folder: Path) -> Iterator[tuple[int, Path]]:
        """A process that holds a disk of `SIZE_MB` at `folder`, and that folder as we see it from outside."""
        folder.mkdir()
        holder = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o size={SIZE_MB}m tmpfs '{folder}' && exec sleep 600"]
        )
        seen = Path(f"/proc/{holder.pid}/root{folder}")
        try:
            until(lambda: seen.exists() and os.statvfs(seen).f_blocks * 4096 <= SIZE_MB << 20)
            yield holder.pid, seen
        finally:
            holder.kill()
            holder.wait()

    def fill(disk: Path) -> Path:
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError:
                pass
        return ballast

    @pytest.mark.timeout(120)
    def test_a_full_disk_is_507_and_nothing_acknowledged_is_lost(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with small_disk(tmp_path / "disk") as (holder, disk):
            entered = tmp_path / "homeguard"
            entered.write_text(f'#!/bin/sh\nexec nsenter -t {holder} -m --wd="{tmp_path}" {instances.HOMEGUARD} "$@"\n')
            entered.chmod(0o700)
            monkeypatch.setattr(instances, "HOMEGUARD", entered)
            with starting(tmp_path) as start:
                up = start("--no-simulator", data=tmp_path / "disk" / "data", env=ENV)
                # the data folder as this process sees it
                up.data = disk / "data"
                sender = Sender(up)
                assert sender.many(50) == {202: 50}
                ballast = fill(disk)

                with up.http(up.token()) as http:
                    said = until(lambda: (found := sender.send(http))[0] != 202 and found)
                assert said[0] == 507
                refused = sender.many(30)
                assert set(refused) <= {202, 507}
                assert refused[507]
                assert up.process.poll() is None
                reads_go_on(up)

                ballast.unlink()
                again_s = sender.until_taken()
                assert sender.many(50) == {202: 50}
                until(lambda: is_kept(sender))
                print(f"507 after {said[1] * 1000:.0f} ms, taken again {again_s:.2f} s after there was room")
                up.process.send_signal(signal.SIGKILL)
                up.process.wait()
                up = start("--no-simulator", data=tmp_path / "disk" / "data", env=ENV)
                up.data = disk / "data"
                sender.up = up
                until(lambda: is_kept(sender))
                assert [i for i in incidents_of(up.data) if i.is_loss] == []


if COMPILER is not None:

    @pytest.fixture(scope="module")
    def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
        made = tmp_path_factory.mktemp("shim") / "faults.so"
        subprocess.run([str(COMPILER), "-shared", "-fPIC", "-O1", "-o", made, SOURCE, "-ldl"], check=True, timeout=60)
        return made

    @pytest.mark.timeout(120)
    @pytest.mark.parametrize(("calls", "below", "status"), [("sync 5", "data/log", 503), ("all 5", "data", 503)])
    def test_a_disk_that_fails_is_503_and_the_log_goes_on_without_a_restart(
        tmp_path: Path, shim: Path, calls: str, below: str, status: int
    ) -> None:
        when = tmp_path / "when"
        env = {**ENV, "LD_PRELOAD": str(shim), "FAULT_WHEN": str(when), "FAULT_BELOW": str(tmp_path / below)}
        with starting(tmp_path) as start:
            up = start("--no-simulator", env=env)
            sender = Sender(up)
            assert sender.many(30) == {202: 30}
            when.write_text(calls)
            refused = sender.many(30)
            assert refused[status] >= 29
            assert set(refused) <= {202, status}
            assert up.process.poll() is None
            reads_go_on(up)
            when.unlink()
            again_s = sender.until_taken()
            assert sender.many(30) == {202: 30}
            until(lambda: is_kept(sender))
            print(f"taken again {again_s:.2f} s after the disk was well")
            up.kill()
            sender.up = start("--no-simulator", env=env)
            until(lambda: is_kept(sender))
            assert [i for i in incidents_of(sender.up.data) if i.is_loss] == []
