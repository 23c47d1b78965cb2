"""A command killed between any two of its steps: it happens once or not at all, and what became of it is told."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from deeds import DEEDS
from tables import table

from homeguard.clock import SystemClock
from homeguard.policy import SENSITIVE_TTL
from homeguard.stores.sqlite.open import open_embedded

LONG = os.environ.get("HOMEGUARD_LONG") == "1"
#: Kills of a T3 command between its issue and the word of its device.
STALE = 200 if LONG else 20
POINTS: Final = [(deed, step, when) for deed, steps in DEEDS.items() for step in steps for when in ("before", "after")]
#: In `make test` each step of what takes a card is met once, on the side of it where more can go wrong.
SHORT: Final = [
    p for p in POINTS
    if p[2] == ("before" if p[1] in ("report", "tell", "record") else "after") and p[0] in ("unlock", "disarm")
]  # fmt: skip
SEED: Final = 20261122


@dataclass
class Lives:
    """A process that has everything loaded; each life of the home is a fork of it."""

    process: "subprocess.Popen[str]"

    def live(self, data: Path, deed: str = "", step: str = "", when: str = "", n: int = 1) -> int:
        order = {"data": str(data), "deed": deed, "step": step, "when": when, "n": n}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def lives(*mutants: str) -> Iterator[Lives]:
    script = Path(__file__).with_name("deeds.py")
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, str(script), *mutants], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    try:
        yield Lives(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is in the folder, and what the motor was told: command id -> (times, longest delay in seconds)."""

    told: dict[str, tuple[int, float]]
    rows: list[Any]
    cards: list[Any]
    arm_state: str
    lock: str
    audit: int


async def found(data: Path) -> Found:
    path = data / "motor.log"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    times = Counter(line[0] for line in lines)
    async with open_embedded(data, SystemClock()) as stores:
        home = await stores.users.home("h")
        state = await stores.live.get("h", "door")
        assert home is not None
        return Found(
            told={i: (n, max(float(line[2]) for line in lines if line[0] == i)) for i, n in times.items()},
            rows=await stores.journal.commands("h", since=datetime.now(UTC) - timedelta(days=1)),
            cards=await stores.confirmations.all("h"),
            arm_state=home.arm_state,
            lock=str(state.attributes.get("lock", "")) if state is not None else "",
            audit=await stores.audit.verify(),
        )


def faults(deed: str, there: Found) -> list[str]:
    """What is wrong after the deed was cut off and the home started again."""
    wrong = [f"doubled: {i} reached the motor {n} times" for i, (n, _) in there.told.items() if n > 1]
    known = {row.id: row for row in there.rows}
    for command_id in there.told:
        row = known.get(command_id)
        if row is None:
            wrong.append(f"lost: the motor heard {command_id}, the journal did not")
        elif row.outcome not in ("confirmed", "sent"):
            wrong.append(f"untrue: {command_id} reached the motor and is told as {row.outcome}")
    wrong += [f"untold: {row.command} is {row.outcome}" for row in there.rows if row.outcome == "pending"]
    for card in there.cards:
        rows = [row for row in there.rows if row.grant_id == card.id]
        if card.state == "approved" and len(rows) != len(card.effects):
            wrong.append("lost: a question was approved and begins nothing")
        if card.state != "approved" and rows:
            wrong.append("granted: something began that nobody approved")
    done = {"arm": "armed_away", "disarm": "disarmed"}.get(deed)
    for row in there.rows:
        if done and row.set.get("arm_state") == done:
            if row.outcome == "sent":
                wrong.append("untold: whether the mode was set can be looked up")
            if (row.outcome == "confirmed") != (there.arm_state == done):
                wrong.append(f"untrue: told as {row.outcome}, and the home is {there.arm_state}")
    return wrong


def begun(life: Lives, folder: Path, deed: str, name: str) -> Path:
    """A folder of a home in which the deed can be done: the door is locked, or the home is armed."""
    before = folder / f"before-{deed}"
    if not before.exists():
        assert life.live(before, {"disarm": "arm", "unlock": "lock"}.get(deed, "")) == 0
    shutil.copytree(before, folder / name)
    return folder / name


async def killed(life: Lives, folder: Path, deed: str, step: str, when: str) -> list[str]:
    data = begun(life, folder, deed, f"{deed}-{step}-{when}")
    code = life.live(data, deed, step, when)
    assert life.live(data) == 0
    told = faults(deed, await found(data))
    shutil.rmtree(data)
    return told if code == -signal.SIGKILL else [*told, f"never met: {deed} {when} {step} (exit {code})"]


@pytest.mark.timeout(1200 if LONG else 240)
async def test_a_command_killed_between_any_two_of_its_steps_happens_once_or_not_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, broken = [], []
    with lives() as life:
        for deed, step, when in POINTS if LONG else SHORT:
            told = await killed(life, tmp_path, deed, step, when)
            rows.append((deed, f"{when} {step}", len(told)))
            broken += [f"{deed}, {when} {step}: {fault}" for fault in told]
    if LONG:
        with capsys.disabled():
            print(table("deed,kill,faults", rows))
    assert broken == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("mutant", "deed", "step", "when", "fault"),
    [
        ("sends_again", "unlock", "send", "after", "doubled"),
        ("grants_after_the_deed", "unlock", "send", "after", "lost"),
        ("forgets_acts", "disarm", "grant", "after", "untold"),
    ],
)
async def test_the_harness_finds_a_command_that_is_lost_or_done_twice(
    tmp_path: Path, mutant: str, deed: str, step: str, when: str, fault: str
) -> None:
    with lives(mutant) as life:
        told = await killed(life, tmp_path, deed, step, when)

    assert [line for line in told if line.startswith(fault)]


async def late(life: Lives, folder: Path, chance: random.Random, number: int) -> tuple[float, list[str]]:
    """Kill between the issue of an unlock and the device's word, and start again; the latest that it was sent."""
    data = begun(life, folder, "unlock", f"stale-{number}")
    step, when = chance.choice([("grant", "after"), ("send", "before"), ("send", "after"), ("report", "before"),
                                ("report", "after"), ("finish", "before")])  # fmt: skip
    life.live(data, "unlock", step, when)
    for _ in range(chance.randint(1, 3) if LONG else 1):
        assert life.live(data) == 0
    there = await found(data)
    unlocks = [row.id for row in there.rows if row.command == "unlock"]
    latest = max((there.told[i][1] for i in unlocks if i in there.told), default=0.0)
    shutil.rmtree(data)
    return latest, faults("unlock", there)


@pytest.mark.timeout(1200 if LONG else 180)
async def test_a_stale_unlock_is_never_sent_however_often_the_home_starts_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance, latest, broken = random.Random(SEED), 0.0, []
    with lives() as life:
        for number in range(STALE):
            sent_after_s, told = await late(life, tmp_path, chance, number)
            latest = max(latest, sent_after_s)
            broken += told
    if LONG:
        with capsys.disabled():
            print(table("kills,repeated or lost,latest sent after issue (s)", [(STALE, len(broken), f"{latest:.3f}")]))
    assert broken == []
    assert latest <= SENSITIVE_TTL.total_seconds()
