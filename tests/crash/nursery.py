"""Starts `homeguard up` again and again: one process has it loaded, each start is a fork of that one.

A start then costs what opening the folder costs, not what Python's imports cost; the rest is the real command in a
real process. Each line on stdin is `{"arguments": [...], "output": path}`; it is answered with the child's pid, and
with its exit code when it has ended. `python nursery.py MUTANT` plants a defect first.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence

import deploy.cli.up
import deploy.one_process  # noqa: F401 - loaded here so that no child has to
from deploy.cli.main import main as homeguard
from homeguard.ports.log import NewRecord
from homeguard.stores.sqlite.log import SegmentLog


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


MUTANTS: dict[str, Callable[[], None]] = {"acknowledges_before_the_disk": acknowledges_before_the_disk}


def child(arguments: list[str], output: str) -> None:
    status = 1
    try:
        os.setsid()
        said = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        status = homeguard(arguments)
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
            child(order["arguments"], order["output"])
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
