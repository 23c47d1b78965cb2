"""Liveness is progress: an event of our own comes through the whole chain, or `/live` says where it got stuck."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from deploy import data_plane
from deploy.one_process import Running, open_homeguard
from homeguard.clock import SystemClock
from homeguard.errors import HomeGuardError, Overloaded, StorageFull
from homeguard.model import Event
from homeguard.settings import Settings
from homeguard.stores.sqlite.feed import MemoryFeed
from pipeline.canary import NOWHERE, PERIODS, STAGES, Canary
from pipeline.handlers.canary import PassCanary
from pipeline.processor import Batch

PERIOD_S = 0.2


async def until(holds: Callable[[], Awaitable[Any]], *, within_s: float = 20.0) -> Any:
    """What `holds()` gives as soon as that is true."""
    async with asyncio.timeout(within_s):
        while True:
            value = await holds()
            if value:
                return value
            await asyncio.sleep(0.02)


class Stuck:
    """The planted defect: a handler that never returns."""

    async def __call__(self, batch: Batch) -> None:
        await asyncio.Event().wait()


@asynccontextmanager
async def homeguard(folder: Path, **settings: Any) -> AsyncIterator[tuple[Running, httpx2.AsyncClient]]:
    made = Settings(
        data_dir=folder / "data", port=0, demo=True, demo_history_days=0, simulator=False, canary_s=PERIOD_S, **settings
    )
    async with open_homeguard(made, stop=asyncio.Event()) as running:
        url = f"http://127.0.0.1:{running.settings.port}"
        async with httpx2.AsyncClient(base_url=url, timeout=10, trust_env=False) as http:
            yield running, http


async def test_a_canary_comes_through_every_group_and_is_neither_stored_nor_shown(tmp_path: Path) -> None:
    async with homeguard(tmp_path) as (running, http):
        assert running.demo is not None
        home_id = running.demo.homes[0].home.id
        async with running.stores.feed.subscribe(home_id, user_id=home_id) as items:
            shown: list[Any] = []

            async def watch() -> None:
                shown.extend([item async for item in items])

            watching = asyncio.create_task(watch())

            async def passed() -> Any:
                return (await http.get("/ready")).json().get("checks", {}).get("canary", {}).get("passed_ms")

            async def alive() -> bool:
                return (await http.get("/live")).status_code == 200

            assert await until(passed)
            assert await until(alive)
            watching.cancel()
        assert [item for item in shown if item.kind == "canary"] == []
        for place in (home_id, NOWHERE):
            now = running.clocks.now("")
            page = await running.stores.events.query(
                place, start=now - timedelta(days=1), end=now + timedelta(days=1), limit=1000
            )
            assert [e for e in page.items if e.event_type == "canary"] == []


def named(told: Any) -> set[str]:
    """The stages that are to blame, of those that there are in these tests."""
    return {"intake", "reflex", "record"} & set(told["error"]["details"]["stages"])


@pytest.mark.parametrize("group", ["reflex", "record"])
async def test_a_handler_that_never_returns_turns_live_red_and_people_are_warned(
    tmp_path: Path, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the end need not wait for what hangs
    monkeypatch.setattr(data_plane, "DRAIN_S", 0.2)
    async with homeguard(tmp_path) as (running, http):
        processor = running.plane.processors[group]
        processor._handlers = (*processor._handlers, Stuck())

        async def red() -> Any:
            answer = await http.get("/live")
            told = answer.json()
            # a busy machine may hold up another one for a moment
            return told if answer.status_code == 503 and named(told) == {group} else None

        told = await until(red)
        assert told["status"] == "stuck"
        assert told["error"]["code"] == "NOT_ALIVE"

        async def not_ready() -> bool:
            ready = await http.get("/ready")
            return ready.status_code == 503 and group in ready.json()["error"]["details"]["reasons"]["canary"]

        assert await until(not_ready)

        async def warned() -> Any:
            assert running.demo is not None
            now = running.clocks.now("")
            found = await running.stores.outbox.query(
                running.demo.homes[0].home.id, start=now - timedelta(days=1), end=now + timedelta(days=1)
            )
            return [n for n in found if group in n.text]

        assert len(await until(warned)) == 1
        await asyncio.gather(*(http.get("/live") for _ in range(20)))
        assert len(await warned()) == 1
        processor._handlers = processor._handlers[:-1]
        for task in asyncio.all_tasks():
            if task.get_name() == f"group {group}":
                task.cancel()


class Clock:
    """Time moves when it is told."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> Any:
        return SystemClock().now()

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, delay_s: float) -> None:
        self.at += delay_s
        await asyncio.sleep(0)


class Chain:
    """The intake and its groups in one: passes each canary on, as far as it is let."""

    def __init__(self, feed: MemoryFeed) -> None:
        self._groups = {
            "reflex": PassCanary(feed, "reflex", has_lane=True),
            "record": PassCanary(feed, "record"),
        }
        self.lets_through = set(self._groups)
        self.refuses: HomeGuardError | None = None
        self.taken = 0

    async def submit(self, events: Sequence[Event]) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.taken += len(events)
        for name in self.lets_through:
            await self._groups[name]([(None, event) for event in events])  # type: ignore[misc]


async def flown(canary: Canary, chain: Chain, clock: Clock, turns: int) -> None:
    """Let that many canaries set out, in the clock's time."""
    running = asyncio.create_task(canary.run())
    begun = clock.at
    while clock.at < begun + turns * 30:  # noqa: ASYNC110 - turns of the loop, no time passes
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    ("lets_through", "refuses", "blamed"),
    [
        ({"reflex", "record"}, None, set()),
        ({"reflex"}, None, {"record"}),
        ({"record"}, None, {"safety", "reflex"}),
        (set(), None, {"safety", "reflex", "record"}),
        ({"reflex", "record"}, Overloaded("full"), {"intake"}),
        ({"reflex", "record"}, StorageFull("the disk is full"), set()),
    ],
)
async def test_the_stage_that_stands_still_is_named(
    lets_through: set[str], refuses: HomeGuardError | None, blamed: set[str]
) -> None:
    feed, clock = MemoryFeed(), Clock()
    chain = Chain(feed)
    warnings: list[frozenset[str]] = []

    async def warn(late: frozenset[str]) -> None:
        warnings.append(late)

    chain.lets_through, chain.refuses = lets_through, refuses
    canary = Canary(intake=chain, feed=feed, clock=clock, every_s=30, warn=warn)
    await flown(canary, chain, clock, PERIODS + 2)
    assert set(canary.stuck) == blamed
    health = canary.health()
    assert health["ok"] is (not blamed and refuses is None)
    assert len(warnings) == (0 if health["ok"] else 1)


async def test_after_it_came_through_again_the_next_time_is_told_again() -> None:
    feed, clock = MemoryFeed(), Clock()
    chain = Chain(feed)
    warnings: list[frozenset[str]] = []

    async def warn(late: frozenset[str]) -> None:
        warnings.append(late)

    canary = Canary(intake=chain, feed=feed, clock=clock, every_s=30, warn=warn)
    for lets_through in ({"reflex"}, {"reflex", "record"}, {"reflex"}):
        chain.lets_through = lets_through
        await flown(canary, chain, clock, PERIODS + 2)
    assert warnings == [frozenset({"record"})] * 2


async def test_a_group_that_is_far_behind_and_moves_is_alive() -> None:
    feed, clock = MemoryFeed(), Clock()
    chain = Chain(feed)
    chain.lets_through = {"reflex"}
    canary = Canary(
        intake=chain, feed=feed, clock=clock, every_s=30, processed=lambda: {"record": int(clock.at), "reflex": 1}
    )
    await flown(canary, chain, clock, 10)
    assert canary.stuck == frozenset()
    assert canary.health()["missing"] == ["record"]
    assert canary.health()["tolerated"] is True


async def test_what_waits_for_an_engine_is_not_blamed() -> None:
    feed, clock = MemoryFeed(), Clock()
    chain = Chain(feed)
    chain.lets_through = set()
    canary = Canary(intake=chain, feed=feed, clock=clock, every_s=30, excused=lambda: ("record",))
    await flown(canary, chain, clock, PERIODS + 2)
    assert canary.stuck == {"safety", "reflex"}
    everything = Canary(intake=chain, feed=feed, clock=clock, every_s=30, excused=lambda: STAGES)
    await flown(everything, chain, clock, PERIODS + 2)
    assert everything.stuck == frozenset()


async def test_without_a_period_there_is_no_canary() -> None:
    feed, clock = MemoryFeed(), Clock()
    chain = Chain(feed)
    canary = Canary(intake=chain, feed=feed, clock=clock, every_s=0)
    await canary.run()
    clock.at += 1e6
    assert (chain.taken, canary.stuck, canary.health()["ok"]) == (0, frozenset(), True)
