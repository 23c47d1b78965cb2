"""A start on what a kill left: a journal that no checkpoint has emptied is read back whole, and soon."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import apsw
import pytest
from instances import starting

from homeguard.stores.sqlite.incidents import incidents_of

LONG = os.environ.get("HOMEGUARD_LONG") == "1"
JOURNAL_MB, STARTS = (500, 50) if LONG else (8, 1)

#: Writes until the journal is that large, while a reader keeps it from beginning anew; then it is killed.
WRITER = """
import asyncio, os, signal, sys
from pathlib import Path
import apsw
from homeguard.clock import SystemClock
from homeguard.model import Event
from homeguard.stores.sqlite.open import open_embedded

async def main():
    folder, size = Path(sys.argv[1]), int(sys.argv[2]) << 20
    clock, number = SystemClock(), 0
    async with open_embedded(folder, clock) as stores:
        async def put():
            nonlocal number
            now = clock.now()
            events = [
                Event(home_id="h", event_id=f"e{number + n}", event_type="state_changed", at=now, received_at=now,
                      device_id=f"d{n % 50}", payload={"note": "x" * 300}, source="rest")
                for n in range(500)
            ]
            await stores.events.append(events)
            number += 500
        await put()
        reader = apsw.Connection(str(folder / "events.db"), flags=apsw.SQLITE_OPEN_READONLY)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchall()
        while (folder / "events.db-wal").stat().st_size < size:
            await put()
        print(number, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.timeout(3600 if LONG else 60)
def test_a_start_after_a_kill_with_a_large_journal_has_every_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made"
    wrote = subprocess.run(
        [sys.executable, "-c", WRITER, str(made), str(JOURNAL_MB)], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2], timeout=600,
    )  # fmt: skip
    assert wrote.returncode == -9, wrote.stderr
    count = int(wrote.stdout)
    size = (made / "events.db-wal").stat().st_size
    assert size >= JOURNAL_MB << 20
    taken: list[float] = []
    for number in range(STARTS):
        shutil.rmtree(tmp_path / "data", ignore_errors=True)
        shutil.copytree(made, tmp_path / "data")
        with starting(tmp_path) as start:
            began = time.monotonic()
            up = start("--no-demo", "--no-simulator")
            taken.append(time.monotonic() - began)
            if number == 0:
                reader = apsw.Connection(str(up.data / "events.db"), flags=apsw.SQLITE_OPEN_READONLY)
                assert list(reader.execute("SELECT count(*), count(DISTINCT event_id) FROM events")) == [(count, count)]
                reader.close()
                assert incidents_of(up.data) == []
    taken.sort()
    if LONG:
        p99 = taken[min(len(taken) - 1, int(len(taken) * 0.99))]
        with capsys.disabled():
            print(f"\nstart to ready, journal {size >> 20} MiB, n {STARTS}: p50 {median(taken):.2f} s, p99 {p99:.2f} s")
