"""The same work over and over leaves nothing behind: no descriptor, no task, no thread, no memory.

The short form counts after some rounds. The long form (HOMEGUARD_LONG=1, HOMEGUARD_SOAK_S seconds, 1,800 without it)
runs a load beside it and prints a table of memory, descriptors, threads and times.
"""

import asyncio
import os
import statistics
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import websockets.asyncio.client as websockets
from instances import Up

from deploy.one_process import open_homeguard
from evals.load.plan import Plan
from evals.load.result import Result
from evals.load.run import Target, look, run
from homeguard.clock import SystemClock
from homeguard.identity.keys import local_key
from homeguard.identity.tokens import Tokens
from homeguard.settings import Settings

IS_LONG = os.environ.get("HOMEGUARD_LONG") == "1"
SOAK_S = float(os.environ.get("HOMEGUARD_SOAK_S", "1800"))
ROUNDS = 4

pytestmark = pytest.mark.timeout(SOAK_S * 2 if IS_LONG else 120)


@dataclass(frozen=True, slots=True)
class Counts:
    files: int
    tasks: int
    threads: int


def counts() -> Counts:
    return Counts(len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks()), threading.active_count())


@asynccontextmanager
async def homeguard(folder: Path) -> AsyncIterator[tuple[str, str]]:
    settings = Settings(
        data_dir=folder / "data", port=0, demo=True, demo_history_days=0, simulator=False, rate_limits=False,
        confirm_timeout_s=0.05,
    )  # fmt: skip
    async with open_homeguard(settings, stop=asyncio.Event()) as running:
        assert running.demo is not None
        email = running.demo.homes[0].owner.email
        token = Tokens(local_key(settings.data_dir), SystemClock()).operator(email, "api")
        # what comes with the assistant is not left behind by a round
        await asyncio.wait_for(running.arrived.wait(), 60)
        yield f"127.0.0.1:{running.settings.port}", token


async def one_round(address: str, token: str, leaves: list[Any]) -> None:
    """A bit of everything that a day brings: events, reads, commands, refusals, streams that end well and badly."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=30, trust_env=False) as http:
        devices = (await http.get("/api/v1/devices")).json()["items"]
        motion = next(d["id"] for d in devices if "motion" in d["capabilities"])
        lock = next(d["id"] for d in devices if d["type"] == "lock")
        async with websockets.connect(f"ws://{address}/api/v1/events/stream", additional_headers=headers) as stream:
            events = [{"device_id": motion, "event_type": "motion_detected"} for _ in range(50)]
            assert (await http.post("/api/v1/events", json=events)).status_code == 202
            async with asyncio.timeout(20):
                await stream.recv()
        rude = await websockets.connect(f"ws://{address}/api/v1/events/stream", additional_headers=headers)
        rude.transport.abort()
        async with http.stream("GET", "/api/v1/events/stream") as told:
            # its first line comes with an event, or with the next sign of life
            assert (await http.post("/api/v1/events", json=events[:1])).status_code == 202
            await anext(told.aiter_lines())
        await http.post(f"/api/v1/devices/{lock}/command", json={"command": "lock"})
        for path in ("/api/v1/events?limit=50", "/api/v1/analytics/summary", "/nothing", "/ready", "/metrics"):
            await http.get(path)
        await http.post("/telemetry", content=b"{", headers={"content-type": "application/json"})
        leaves.append(None)


async def resting() -> Counts:
    """The counts, as soon as they have been the same for two seconds: beside load a stream takes its time to end."""
    before, same = counts(), 0
    async with asyncio.timeout(60):
        while same < 40:
            await asyncio.sleep(0.05)
            now = counts()
            before, same = now, same + 1 if now == before else 0
    return before


async def settled(at_most: Counts, *, within_s: float = 30.0) -> Counts:
    """The counts, as soon as they are no more than those; else as they are in the end."""
    deadline = time.monotonic() + within_s
    while True:
        now = counts()
        if now.files <= at_most.files and now.tasks <= at_most.tasks and now.threads <= at_most.threads:
            return now
        if time.monotonic() > deadline:
            return now
        await asyncio.sleep(0.05)


async def test_rounds_of_everything_leave_no_descriptor_task_or_thread_behind(tmp_path: Path) -> None:
    async with homeguard(tmp_path) as (address, token):
        leaves: list[Any] = []
        for _ in range(2):
            await one_round(address, token, leaves)
        first = await resting()
        for _ in range(ROUNDS):
            await one_round(address, token, leaves)
        # a thread pool may still fill up, and a database may open a reader; neither comes with every round
        room = Counts(first.files + ROUNDS // 2, first.tasks + ROUNDS // 2, first.threads + ROUNDS // 2)
        last = await settled(room)
        assert last.files <= room.files
        assert last.tasks <= room.tasks
        assert last.threads <= room.threads
        assert len(leaves) == ROUNDS + 2


async def test_rounds_that_leave_something_behind_are_noticed(tmp_path: Path) -> None:
    """The planted defect: two tasks that are forgotten with each round."""
    async with homeguard(tmp_path) as (address, token):
        leaves: list[Any] = []
        await one_round(address, token, leaves)
        first = await resting()
        leaves += [asyncio.create_task(asyncio.Event().wait()) for _ in range(2 * ROUNDS)]
        room = Counts(first.files + ROUNDS // 2, first.tasks + ROUNDS // 2, first.threads + ROUNDS // 2)
        assert (await settled(room, within_s=0.5)).tasks > room.tasks
        for task in leaves:
            if task is not None:
                task.cancel()


@pytest.mark.skipif(not IS_LONG, reason="runs for half an hour: HOMEGUARD_LONG=1")
async def test_half_an_hour_of_load_leaves_memory_descriptors_and_times_flat(tmp_path: Path) -> None:
    up = Up(tmp_path, "--no-simulator", env={"HOMEGUARD_RATE_LIMITS": "off", "HOMEGUARD_DEMO_HISTORY_DAYS": "0"})
    pid, samples = up.process.pid, []
    try:
        target = Target(url=up.url, token=up.token)
        place = await look(target)
        begun, seen = time.monotonic(), 0

        def sample(result: Result) -> None:
            nonlocal seen
            at = time.monotonic() - begun
            if at >= len(samples) * SOAK_S / 30:
                latest, seen = result.latencies_s[seen:], len(result.latencies_s)
                p99 = sorted(latest)[int(len(latest) * 0.99)] * 1000 if latest else 0.0
                resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                samples.append(
                    (at, resident * os.sysconf("SC_PAGE_SIZE") / (1 << 20), len(os.listdir(f"/proc/{pid}/fd")),
                     len(os.listdir(f"/proc/{pid}/task")), p99)
                )  # fmt: skip

        result = await run(
            Plan(rate=500, duration_s=SOAK_S, devices=50, connections=8), target, place, on_second=sample
        )
    finally:
        code, _, _ = up.stop()
    print(f"\n{'s':>8} {'RSS MiB':>9} {'files':>6} {'threads':>8} {'p99 ms':>8}")
    for at, rss, files, threads, p99 in samples:
        print(f"{at:8.0f} {rss:9.1f} {files:6} {threads:8} {p99:8.1f}")
    # what is made at first use is behind it after a third
    warm = samples[len(samples) // 3 :]
    slope = statistics.linear_regression([s[0] / 3600 for s in warm], [s[1] for s in warm]).slope
    print(f"RSS slope {slope:.2f} MiB/h; p99 first third {statistics.median(s[4] for s in samples[:10]):.1f} ms, "
          f"last third {statistics.median(s[4] for s in samples[-10:]):.1f} ms")  # fmt: skip
    print(result.block())
    assert code == 0
    assert result.failed == 0
    assert max(s[2] for s in warm) - min(s[2] for s in warm) <= 10
    assert max(s[3] for s in warm) - min(s[3] for s in warm) <= 4
