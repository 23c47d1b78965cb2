"""The log when the process dies: what was acknowledged is there once and in order; what was cut off is gone whole."""

import asyncio
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from homeguard.clock import SystemClock
from homeguard.ports.log import EVENTS, NewRecord
from homeguard.stores.sqlite.log import open_log

APPENDER = """
import asyncio, sys
from pathlib import Path
from homeguard.clock import SystemClock
from homeguard.ports.log import EVENTS, NewRecord
from homeguard.stores.sqlite.log import open_log

async def append(log, run, task):
    number = 0
    while True:
        size = 1 + (number * 7 + task) % 5
        values = [f"{run}:{task}:{number + i}" for i in range(size)]
        await log.append([NewRecord(topic=EVENTS, key="h/d", value=v.encode().ljust(300)) for v in values])
        number += size
        sys.stdout.write("".join(v + chr(10) for v in values))
        sys.stdout.flush()

async def main():
    async with open_log(Path(sys.argv[1]), SystemClock(), segment_size=400_000) as log:
        await asyncio.gather(*(append(log, sys.argv[2], task) for task in range(8)))

asyncio.run(main())
"""


async def everything(directory: Path) -> list[str]:
    async with open_log(directory, SystemClock(), segment_size=400_000) as log:
        await log.seek("check", None)
        found = []
        while records := await log.read("check", [EVENTS], limit=10_000, wait_s=0):
            found += [r.value.decode().strip() for r in records]
        return found


def killed_after(directory: Path, run: int, lines: int, delay_s: float) -> list[str]:
    """What a process had acknowledged when it was killed, a random while after its first `lines` lines."""
    process = subprocess.Popen(
        [sys.executable, "-c", APPENDER, str(directory), str(run)], stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    said = b"".join(process.stdout.readline() for _ in range(lines))
    time.sleep(delay_s)  # the moment of death is what is random here
    process.kill()
    rest, _ = process.communicate(timeout=20)
    # The last line may itself be cut off.
    return (said + rest).decode().rpartition("\n")[0].splitlines()


async def test_a_killed_process_loses_nothing_that_it_acknowledged(tmp_path):
    chance = random.Random(20260301)
    acknowledged: list[str] = []
    for run in range(12):
        acknowledged += await asyncio.to_thread(
            killed_after, tmp_path, run, chance.randrange(1, 200), chance.uniform(0, 0.12)
        )
        found = await everything(tmp_path)

        assert len(found) == len(set(found))
        assert set(acknowledged) <= set(found)
        for task in range(8):
            mine = [v for v in found if v.startswith(f"{run}:{task}:")]
            assert mine == [f"{run}:{task}:{n}" for n in range(len(mine))]
    assert len(acknowledged) > 12 * 50
    assert len(list(tmp_path.glob("*.log"))) > 1


@pytest.mark.parametrize("seed", range(12))
async def test_a_tail_cut_off_anywhere_leaves_whole_appends_and_the_log_goes_on(tmp_path, seed):
    chance = random.Random(seed)

    class Still(SystemClock):
        def now(self) -> datetime:
            return datetime(2026, 3, 1, tzinfo=UTC)

    ends, values = [0], []
    path = tmp_path / f"{0:020}.log"
    async with open_log(tmp_path, Still()) as log:
        for number in range(20):
            batch = [f"{number}:{i}" for i in range(chance.randrange(1, 4))]
            await log.append([NewRecord(topic=EVENTS, key="h/d", value=v.encode(), headers={"n": v}) for v in batch])
            values.append(batch)
            ends.append(path.stat().st_size)
    cut = chance.randrange(ends[-1] + 1)
    data = path.read_bytes()[:cut]
    garbage = chance.choice([b"", bytes(50), chance.randbytes(chance.randrange(1, 200))])
    path.write_bytes(data + garbage)
    # as after a power cut: nothing says that what is gone was ever synced
    (tmp_path / "seen").unlink()

    whole = max(n for n, end in enumerate(ends) if end <= cut)
    expected = [v for batch in values[:whole] for v in batch]
    assert await everything(tmp_path) == expected
    assert path.stat().st_size == ends[whole]

    async with open_log(tmp_path, Still()) as log:
        await log.append([NewRecord(topic=EVENTS, key="h/d", value=b"after")])
    assert await everything(tmp_path) == [*expected, "after"]
