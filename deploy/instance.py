"""Finds the HomeGuard that runs on a data folder, or starts one in the background."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2

from homeguard.errors import StartRefused, StoreUnavailable
from homeguard.stores.sqlite.lock import holder

LOG_NAME: Final = "homeguard.log"
START_TIMEOUT_S: Final = 60.0
#: One that was started for desktop clients ends this long after the last of them.
IDLE_EXIT_S: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """Where a running one answers."""

    pid: int
    url: str


def find(data_dir: Path) -> Instance | None:
    """The one that answers now, None when none does."""
    held = holder(data_dir)
    if held is None or not held.address:
        return None
    try:
        answer = httpx2.get(f"{held.address}/live", timeout=3.0, trust_env=False)
    except httpx2.HTTPError:
        return None
    # 503: it answers, though what it processes stands still
    return Instance(pid=held.pid, url=held.address) if answer.status_code in (200, 503) else None


def the_running(data_dir: Path) -> Instance:
    """The one that runs; none is started for what only concerns one that does.

    Raises:
        StoreUnavailable: none runs there.
    """
    known = find(data_dir)
    if known is None:
        raise StoreUnavailable(f"no HomeGuard runs on {data_dir}: start it with homeguard up")
    return known


@contextmanager
def running(data_dir: Path) -> Iterator[Instance]:
    """The one that runs; when none does, one for the length of the block."""
    known = find(data_dir)
    if known is not None:
        yield known
        return
    process = start(data_dir)
    try:
        yield wait_for(data_dir, process)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start(data_dir: Path, *, idle_exit_s: float | None = None) -> subprocess.Popen[bytes]:
    """Start one in the background on a free port of this machine; its log lies in the data folder.

    Raises:
        StartRefused: the folder cannot be made or written.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = (data_dir / LOG_NAME).open("ab")
    except OSError as error:
        raise StartRefused(f"{data_dir} cannot be used: {error.strerror}") from error
    command = [sys.executable, "-m", "deploy.cli.main", "up", "--port", "0", "--data-dir", str(data_dir)]
    if idle_exit_s is not None:
        command += ["--idle-exit-s", str(idle_exit_s)]
    with log:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, close_fds=True
        )


def wait_for(data_dir: Path, process: subprocess.Popen[bytes] | None = None) -> Instance:
    """The instance as soon as it answers.

    Raises:
        StartRefused: the process that was started has ended; its last line says why.
        StoreUnavailable: it does not answer in time.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        known = find(data_dir)
        if known is not None:
            return known
        # One that lost the race for the folder ends; the winner is waited for.
        if process is not None and process.poll() is not None and holder(data_dir) is None:
            raise StartRefused(_last_line(data_dir / LOG_NAME))
        time.sleep(0.05)
    raise StoreUnavailable(f"HomeGuard did not start in {START_TIMEOUT_S:g} s; see {data_dir / LOG_NAME}")


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1].partition(": ")[2] or lines[-1] if lines else "HomeGuard ended as it started"
