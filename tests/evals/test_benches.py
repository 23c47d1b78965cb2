"""The benches run from end to end on a small scale and count what they wrote; no figure of theirs is judged here."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOSQUITTO = Path("/usr/sbin/mosquitto")


def bench(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"evals.bench.{name}", *arguments, "--repeat", "1"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def row(table: str, start: str) -> dict[str, float]:
    """The figures of the line that starts so, by the names in the head of its table."""
    lines = table.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(start))
    head = next(line for line in reversed(lines[:at]) if line.startswith("run "))
    names, cells = re.split(r"\s{2,}", head.strip()), re.split(r"\s{2,}", lines[at].strip())
    figures = {}
    for name, cell in zip(names[1:], cells[1:], strict=True):
        number = re.match(r"[\d,.]+", cell)
        if number:
            figures[name] = float(number[0].replace(",", ""))
    return figures


@pytest.mark.timeout(180)
def test_ingest_push_and_storing_are_measured_and_every_row_is_found_after_a_restart() -> None:
    few = ("--events", "2000", "--paced", "1000", "--singles", "200", "--messages", "500", "--pushes", "100")
    told = bench("pipeline", *few)
    flat = row(told, "HTTP, batches of 100, flat out")
    assert flat["n"] == 2000
    assert flat["refused"] == 0
    assert flat["stored/s"] > 0
    assert flat["pushed/s"] > 0
    assert row(told, "HTTP, single events")["n"] == 200
    assert row(told, "push delay at 500/s")["n"] == 100
    assert "every handler on" in told
    assert re.search(r"fdatasync p99 ms: [\d.]+", told)
    found = re.search(r"rows before the restart ([\d,]+), after it ([\d,]+), expected ([\d,]+)", told)
    assert found is not None
    assert len(set(found.groups())) == 1
    sent = 1000 + 2000 + 1000 + 200 + 100 + (500 if MOSQUITTO.exists() else 0)
    assert int(found[3].replace(",", "")) == sent


@pytest.mark.timeout(180)
def test_the_live_stream_to_many_is_measured_and_nothing_is_missed() -> None:
    told = bench("fanout", "--clients", "60", "--rate", "20", "--events", "40", "--together", "8", "--batches", "5")
    assert "60" in told
    assert re.search(r"messages/s|delivered/s", told), told


@pytest.mark.timeout(180)
def test_what_is_due_at_once_is_measured_and_each_run_is_found_after_a_restart() -> None:
    told = bench("schedules", "--schedules", "400", "--due", "40")
    assert row(told, "400 schedules, nothing due")["round p50 ms"] > 0
    due = row(told, "40 due in one second")
    assert (due["n"], due["found"]) == (40, 40)


@pytest.mark.timeout(180)
def test_reads_are_measured_through_the_door_the_store_and_the_bare_statement() -> None:
    told = bench("reads", "--rows", "20000", "--asks", "2")
    assert "bare" in told
    assert re.search(r"20,000", told), told
