"""HomeGuard killed at named moments: before and after each kind of call that its promises rest on."""

import asyncio
import os
import random
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import httpx2
import pytest
from brokers import MOSQUITTO, Broker
from ledger import Ledger, faults, is_loss
from nursing import Died, Nursery, furnish, nursery
from recording import Call, Point, switched_on
from tables import table
from visitor import Visitor, arrived, found_in

from homeguard.clock import SystemClock
from homeguard.stores.sqlite.open import open_embedded

LONG = os.environ.get("HOMEGUARD_LONG") == "1"
#: Times that each point is met.
KILLS, SEED = (5 if LONG else 1), 20261121
#: How long the load goes on at most before an orderly end is asked for, and how long that may take.
LOAD_S, END_S = 6.0, 15.0
#: What an orderly end does needs no long load before it.
AT_THE_END: Final = ("home.db", "events.db")
#: (calls, pattern, the n-th call of a start at most): small where the call is rare.
PLACES: Final[Sequence[tuple[tuple[Call, ...], str, int]]] = (
    (("write", "sync"), "log/0*.log", 40),
    (("open",), "log/0*.log", 2),
    (("sync",), "log", 2),
    (("write", "sync"), "log/groups/*.new", 6),
    (("rename",), "log/groups/*.json", 6),
    (("sync",), "log/groups", 2),
    (("write", "sync"), "home.db-wal", 20),
    (("write", "sync"), "events.db-wal", 10),
    (("write", "sync"), "home.db", 2),
    (("write", "sync"), "events.db", 2),
    (("unlink",), "home.db-wal", 1),
    (("unlink",), "events.db-wal", 1),
    (("write", "sync"), "checkpoints.db-wal", 2),
)
WITH_A_BROKER: Final[Sequence[tuple[tuple[Call, ...], str, int]]] = (
    (("write", "sync"), "mqtt-session.new", 1),
    (("rename",), "mqtt-session", 1),
)
_SIDES: Final[tuple[Literal["before", "after"], ...]] = ("before", "after")


def points(places: Sequence[tuple[tuple[Call, ...], str, int]]) -> list[tuple[Point, int]]:
    """Each with the highest `n` that a run is sure to reach."""
    return [
        (Point(call=call, pattern=pattern, when=when), most)
        for calls, pattern, most in places
        for call in calls
        for when in _SIDES
    ]


async def ask(http: httpx2.AsyncClient) -> None:
    """A turn of the chat, which keeps its state in a file of its own, until nobody answers."""
    while True:
        try:
            await http.post("/api/v1/ai/chat", json={"message": "Is everything locked?"})
        except httpx2.TransportError:
            return


async def until_it_dies(server: Nursery, visitor: Visitor, chance: random.Random, point: Point) -> bool:
    """Start, press from several sides, end in good order: was it killed on the way?"""
    if point.pattern.startswith("mqtt-session"):
        (server.data / "mqtt-session").unlink(missing_ok=True)
    try:
        await server.start(env=switched_on(server.data, die=point))
    except Died as died:
        if died.code != -signal.SIGKILL:
            raise
        return True
    async with server.client() as http, asyncio.TaskGroup() as tasks:
        for size in (1, chance.randrange(2, 60)):
            tasks.create_task(visitor.tell(http, size))
        tasks.create_task(visitor.order(http))
        tasks.create_task(visitor.alarm(http))
        if point.pattern.startswith("checkpoints"):
            tasks.create_task(ask(http))
        ending = asyncio.ensure_future(server.ended())
        is_last = point.pattern in AT_THE_END or point.call == "unlink"
        await asyncio.wait([ending], timeout=LOAD_S / 10 if is_last else LOAD_S)
        if not ending.done():
            with suppress(ProcessLookupError):  # it dies just now
                os.kill(server.pid, signal.SIGTERM)
        async with asyncio.timeout(END_S):
            code = await ending
    assert code in (0, -signal.SIGKILL), server.said()
    return code == -signal.SIGKILL


async def kill_at(
    folder: Path, recorder: str, wanted: Sequence[tuple[Point, int]], kills: int, *mutants: str, within_s: float = 20.0
) -> tuple[Ledger, list[str], list[str]]:
    """The ledger of a run that met each point so often, what was wrong in the end, and the points it never met."""
    chance, visitor, missed = random.Random(SEED), Visitor(Ledger()), []
    home_id = await furnish(folder / "data")
    broker = Broker(folder) if any(p.pattern.startswith("mqtt") for p, _ in wanted) else None
    if broker is not None:
        broker.start()
    try:
        env = {"MQTT_URL": f"{broker.url}?client_id=points"} if broker is not None else {}
        with nursery(folder, "small_segments", *mutants, env=env, preload=recorder) as server:
            for point, most in wanted:
                for _ in range(kills):
                    met = False
                    for n in (chance.randint(1, most), 1):
                        met = met or await until_it_dies(server, visitor, chance, replace(point, n=n))
                    if not met:
                        missed.append(str(point))
            await server.start()
            async with server.client() as http:
                await visitor.settle(http)
                ids = await arrived(http, visitor.ledger, within_s)
            assert await server.end(signal.SIGTERM) == 0
    finally:
        if broker is not None:
            broker.stop()
    async with open_embedded(server.data, SystemClock()) as stores:
        found = await found_in(stores, home_id)
    assert sorted(ids) == sorted(found.stored)
    return visitor.ledger, faults(visitor.ledger, found), missed


@pytest.mark.timeout(3600 if LONG else 420)
async def test_kills_at_every_named_point_lose_nothing_and_do_nothing_twice(
    tmp_path: Path, recorder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = points([*PLACES, *(WITH_A_BROKER if MOSQUITTO is not None else ())])
    # right behind a call is right before the next one, mostly: the short form takes each from one side
    groups = [[one] for one in wanted] if LONG else [[one for one in wanted if one[0].when == "after"]]
    rows, broken, never = [], [], []
    for number, group in enumerate(groups):
        folder = tmp_path / str(number)
        ledger, wrong, missed = await kill_at(folder, recorder, group, KILLS)
        lost = sum(map(is_loss, wrong))
        promises = len(ledger.acknowledged) + len(ledger.answers)
        rows.append((group[0][0], len(group) * KILLS - len(missed), promises, lost, len(wrong) - lost))
        broken += [f"{group[0][0] if LONG else 'all'}: {fault}" for fault in wrong]
        never += missed
        if not wrong:
            shutil.rmtree(folder)
    if LONG:
        with capsys.disabled():
            print(table("point,kills,promises,lost,doubled", rows))
    assert broken == []
    assert never == []


@pytest.mark.timeout(180)
async def test_a_kill_before_the_sync_finds_a_log_that_acknowledges_too_early(tmp_path: Path, recorder: str) -> None:
    point = Point(call="write", pattern="log/0*.log", when="before")
    _, broken, missed = await kill_at(tmp_path, recorder, [(point, 20)], 4, "acknowledges_before_the_disk", within_s=3)

    assert missed == []
    assert any(fault.startswith("lost: kill-") for fault in broken)
