"""Whatever a model calls, nothing dangerous happens that no person pressed for; and a gate with a hole is found."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from holes import HOLES
from homes_under_attack import open_homes
from planner import Planner

LONG = os.environ.get("HOMEGUARD_LONG") == "1"
#: Each seed is a sequence.
SEQUENCES = 100_000 if LONG else 5_000
#: Sequences within which a planted hole must show.
ENOUGH = 2_000
#: Homes that are attacked at the same time, each with stores and a clock of its own.
AT_ONCE = 6


async def attack(folder: Path, sequences: int, *, stop_at_breach: bool = False) -> dict[str, Any]:
    """Plays that many sequences, one a seed; what happened, over all of them."""
    told: dict[str, Any] = {"sequences": 0, "effects": 0, "dangerous": 0, "breaches": []}
    seeds = iter(range(sequences))

    async def one(part: int) -> None:
        async with open_homes(folder / str(part)) as homes:
            home = await homes.open_home("h")
            for seed in seeds:
                await homes.reset(home)
                await Planner(home, seed).play()
                told["sequences"] += 1
                if LONG and told["sequences"] % 2_500 == 0:
                    print(f"{told['sequences']} sequences, {len(told['breaches'])} breaches", flush=True)
                told["effects"] += home.ledger.done
                told["dangerous"] += home.ledger.dangerous
                told["breaches"] += [f"seed {seed}: {b}" for b in home.ledger.breaches]
                if stop_at_breach and told["breaches"]:
                    return

    async with asyncio.TaskGroup() as group:
        for part in range(AT_ONCE):
            group.create_task(one(part))
    return told


@pytest.mark.timeout(36_000 if LONG else 240)
async def test_no_sequence_of_calls_does_what_no_person_pressed_for(folder: Path) -> None:
    told = await attack(folder, SEQUENCES)
    if LONG:
        print("\n".join(f"{name:>10} {value}" for name, value in told.items()))
    assert told["breaches"] == []
    assert told["sequences"] == SEQUENCES
    # presses were carried out, so the ledger is not merely empty
    assert told["dangerous"] > SEQUENCES / 50


@pytest.mark.timeout(120)
@pytest.mark.parametrize("hole", HOLES)
async def test_a_hole_in_the_gate_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch, hole: str) -> None:
    HOLES[hole](monkeypatch)
    told = await attack(folder, ENOUGH, stop_at_breach=True)
    if LONG:
        print(f"{hole}: after {told['sequences']} sequences: {told['breaches'][0]}")
    assert told["breaches"]
