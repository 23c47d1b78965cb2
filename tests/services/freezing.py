"""Servers that stop in their tracks: they keep their connections, take bytes, and answer nobody."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from instances import until


def freeze(*pids: int) -> None:
    """Stop these processes. When `kill` returns the signal is only under way: this waits until no thread runs."""
    for pid in pids:
        _send(pid, signal.SIGSTOP)
    until(lambda: all(_stands(task) for pid in pids for task in Path(f"/proc/{pid}/task").glob("*/stat")))


def thaw(*pids: int) -> None:
    for pid in pids:
        _send(pid, signal.SIGCONT)


def _send(pid: int, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # a server's helpers come and go
        os.kill(pid, sign)


def _stands(stat: Path) -> bool:
    try:
        state = stat.read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "TtZX"
