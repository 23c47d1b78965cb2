"""Starts `homeguard up` again and again: one process has it loaded, each start is a fork of that one.

A start then costs what opening the folder costs, not what Python's imports cost; the rest is the real command in a
real process. Each line on stdin is `{"arguments": [...], "output": path, "env": {...}}`; it is answered with the
child's pid, and with its exit code when it has ended. `python nursery.py MUTANT` plants a defect first.
"""

import asyncio
import ctypes
import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from turn_points import dies_in_turns, forgets_its_causes

import deploy.cli.up
import deploy.one_process
from deploy.cli.main import main as homeguard
from homeguard.ports.log import NewRecord, Record
from homeguard.stores.sqlite.log import SegmentLog
from pipeline.processor import Processor


def acknowledges_before_the_disk() -> None:
    """The log says that it has a record a little before that is true."""
    really = SegmentLog.append
    late: set[asyncio.Task[None]] = set()

    async def append(self: SegmentLog, records: Sequence[NewRecord]) -> None:
        async def later() -> None:
            await asyncio.sleep(0.05)
            await really(self, records)

        task = asyncio.create_task(later())
        late.add(task)
        task.add_done_callback(late.discard)

    SegmentLog.append = append  # type: ignore[method-assign]


def commits_before_the_store() -> None:
    """A group says that it is through with records, and only then begins to store them."""
    really = Processor._process

    async def process(self: Processor, records: Sequence[Record]) -> bool:
        await self._log.commit(self._group, records)
        await asyncio.sleep(1.5)
        return await really(self, records)

    Processor._process = process  # type: ignore[method-assign]


def forgets_what_it_told() -> None:
    """Every command gets an id of its own, however often it is the same one."""
    from homeguard import ids
    from pipeline.handlers import alerts, automation_runs, automations

    for module in (alerts, automation_runs, automations):
        module.derived_id = lambda *_: ids.new_id()  # type: ignore[attr-defined]


def forgets_its_positions() -> None:
    """How far the groups came is never written down."""

    async def flush(self: SegmentLog) -> None:
        self._moved.clear()
        self._moved_any.clear()

    SegmentLog._flush = flush  # type: ignore[method-assign]


def leaves_without_a_word() -> None:
    """The doors close while `/ready` still says yes."""

    async def nothing(*_: object) -> None:
        return None

    deploy.one_process._say_goodbye = nothing  # type: ignore[assignment]


def a_long_goodbye() -> None:
    """No defect: the doors stay open for longer than a busy machine lets anybody wait who asks."""
    deploy.one_process.LEAVING_S = 3.0  # type: ignore[misc]


def small_segments() -> None:
    """No defect: the log begins a new file often, so that beginning one can be watched."""
    from homeguard.stores.sqlite import open as opening

    opening.open_log = functools.partial(opening.open_log, segment_size=20_000)  # type: ignore[assignment]


MUTANTS: dict[str, Callable[[], None]] = {
    "acknowledges_before_the_disk": acknowledges_before_the_disk,
    "commits_before_the_store": commits_before_the_store,
    "forgets_what_it_told": forgets_what_it_told,
    "forgets_its_positions": forgets_its_positions,
    "leaves_without_a_word": leaves_without_a_word,
    "a_long_goodbye": a_long_goodbye,
    "small_segments": small_segments,
    "dies_in_turns": dies_in_turns,
    "forgets_its_causes": forgets_its_causes,
}


def child(order: dict[str, Any]) -> None:
    status = 1
    try:
        os.setsid()
        said = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        if order.get("env"):
            os.environ.update(order["env"])
            ctypes.CDLL(None).iolog_begin()
        status = homeguard(order["arguments"])
        sys.stdout.flush()
    finally:
        os._exit(status)


def main() -> None:
    for name in sys.argv[1:]:
        MUTANTS[name]()
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            child(order)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
