"""What is due, killed between any two of its steps: a run is neither lost nor doubled, and a timer rings once."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from due import STEPS

from homeguard.clock import SystemClock
from homeguard.stores.sqlite.open import open_embedded

LONG = os.environ.get("HOMEGUARD_LONG") == "1"
#: (step, side, its n-th call). The log is appended to by several, so it has more calls worth a death.
POINTS: Final = [
    (step, when, n)
    for step in STEPS
    for when in ("before", "after")
    for n in ((1, 2, 3, 4, 5, 6) if step == "decide" else (1, 2) if step in ("plan", "move", "begin", "ring") else (1,))
]
#: In `make test`: on the side where more can go wrong.
SHORT: Final = [p for p in POINTS if p[1] == "after" and p[2] == 1]


class Lives:
    """A process that has everything loaded; each life of the home is a fork of it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def live(self, data: Path, step: str = "", when: str = "", n: int = 1) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"data": str(data), "step": step, "when": when, "n": n}) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def lives(*mutants: str) -> Iterator[Lives]:
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("due.py")), *mutants], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    try:
        yield Lives(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


async def faults(data: Path) -> list[str]:
    """What is wrong when the home has been started again and everything that was due is done."""
    path = data / "motor.log"
    heard = Counter(line.split()[0] for line in path.read_text().splitlines()) if path.exists() else Counter[str]()
    wrong = [f"doubled: {i} reached a motor {n} times" for i, n in heard.items() if n > 1]
    async with open_embedded(data, SystemClock()) as stores:
        commands = await stores.journal.commands("h", since=datetime.now(UTC) - timedelta(days=1))
        told = Counter(c.device_id for c in commands)
        wrong += [f"{door} was told {told[door]} times" for door in ("front", "back") if told[door] != 1]
        wrong += [f"untold: {c.device_id} is {c.outcome}" for c in commands if c.outcome not in ("confirmed", "sent")]
        # an order that a kill cut off is never sent again: its outcome says that nobody knows
        wrong += [
            f"lost: {c.device_id} is {c.outcome}, and its motor never heard of it"
            for c in commands
            if heard[c.id] == 0 and not (c.outcome == "sent" and c.reason)
        ]
        notices = Counter(n.title for n in await stores.outbox.undelivered())
        wrong += [f"{title} was told {notices[title]} times" for title in ("Lock up", "tea") if notices[title] != 1]
        page = await stores.events.query("h", event_types=["automation_ran", "timer_finished"])
        happened = Counter(e.event_type for e in page.items)
        if happened != {"automation_ran": 2, "timer_finished": 1}:
            wrong.append(f"happened: {dict(happened)}")
        if await stores.automations.of_home("h"):
            wrong.append("what was to happen once is still there")
        if [s for s in await stores.schedules.of_home("h") if s.due_at is not None]:
            wrong.append("something is still due")
    return wrong


@pytest.mark.timeout(1800)
async def test_what_is_due_is_done_once_wherever_it_is_killed(tmp_path: Path) -> None:
    wrong: dict[str, list[str]] = {}
    died = 0
    with lives() as home:
        for step, when, n in POINTS if LONG else SHORT:
            data = tmp_path / f"{step}-{when}-{n}"
            died += home.live(data, step, when, n) == -9
            assert home.live(data) == 0
            if found := await faults(data):
                wrong[data.name] = found
    assert wrong == {}
    assert died >= len(SHORT)


@pytest.mark.parametrize(
    ("mutant", "step", "when", "n", "says"),
    [("moves_on_first", "move", "after", 1, "was told 0 times"), ("fresh_ids", "move", "before", 1, "told 2 times")],
)
@pytest.mark.timeout(300)
async def test_a_run_that_is_lost_or_doubled_shows(
    tmp_path: Path, mutant: str, step: str, when: str, n: int, says: str
) -> None:
    with lives(mutant) as home:
        assert home.live(tmp_path / "data", step, when, n) == -9
        home.live(tmp_path / "data")
    assert says in " ".join(await faults(tmp_path / "data"))
