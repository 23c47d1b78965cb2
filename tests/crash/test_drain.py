"""An orderly end under load: `/ready` says no first, nothing is lost, and nothing is done again after it."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import msgspec
import pytest
from killing import Publishing
from ledger import Ledger, faults
from nursing import Nursery, furnish, nursery
from tables import table
from visitor import Visitor, arrived, found_in

from homeguard.clock import SystemClock
from homeguard.ports.log import EVENTS
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.open import open_embedded

LONG = os.environ.get("HOMEGUARD_LONG") == "1"
CYCLES, SEED, END_S = (100 if LONG else 5), 20261121, 10.0
#: The time that `/ready` says no before the doors close: the real one in the long form, which a busy machine sleeps
#: over; one that nobody can miss in the short form, which runs beside others.
GOODBYE = () if LONG else ("a_long_goodbye",)


@dataclass(slots=True)
class Ends:
    """How the ends of a run went: seconds each took, and what a later start had to do again."""

    took_s: list[float] = field(default_factory=list)
    said_no_first: int = 0
    done_again: int = -1
    taken_twice: list[str] = field(default_factory=list)


async def watch(http: httpx2.AsyncClient, said: list[int]) -> None:
    """What `/ready` answers, until nobody does."""
    while True:
        try:
            said.append((await http.get("/ready")).status_code)
        except httpx2.TransportError:
            return
        await asyncio.sleep(0.01)


async def one_end(server: Nursery, visitor: Visitor, chance: random.Random, ends: Ends) -> None:
    """Load from several sides, then SIGTERM at a moment that nobody chose."""
    said: list[int] = []
    wanted = visitor.answered + chance.randrange(1, 200)
    async with server.client() as http, asyncio.TaskGroup() as tasks:
        for size in (1, 1, chance.randrange(2, 60)):
            tasks.create_task(visitor.tell(http, size))
        tasks.create_task(visitor.order(http))
        tasks.create_task(visitor.alarm(http))
        tasks.create_task(watch(http, said))
        while visitor.answered < wanted or 200 not in said:  # noqa: ASYNC110 - the ledger is only filled
            await asyncio.sleep(0.002)
        began = time.monotonic()
        assert await server.end(signal.SIGTERM) == 0, server.said()
        ends.took_s.append(time.monotonic() - began)
    ends.said_no_first += said.count(200) > 0 and said[-1] == 503


async def left_to_do(server: Nursery) -> int:
    """Records that the groups of a new start read again."""
    async with server.client() as http:
        checks = (await http.get("/ready")).json()["checks"]
    return sum(check.get("processed", 0) for check in checks.values())


async def taken_twice(stores: Stores) -> list[str]:
    """Messages of the broker that lie in the log more than once."""
    count: Counter[str] = Counter()
    await stores.log.seek("looking", None)
    while records := await stores.log.read("looking", [EVENTS], limit=10_000, wait_s=0):
        count.update(msgspec.json.decode(record.value)["event_id"] for record in records)
    return [i for i, n in count.items() if n > 1 and i.startswith("mqtt-")]


async def run_and_end(folder: Path, cycles: int, *mutants: str) -> tuple[Ledger, list[str], Ends]:
    """The ledger of a run with that many ends, what was wrong afterwards, and how the ends went."""
    chance, visitor, ends = random.Random(SEED), Visitor(Ledger()), Ends()
    home_id = await furnish(folder / "data")
    async with contextlib.AsyncExitStack() as stack:
        publishing = Publishing(folder, stack, "drain-test")
        # HomeGuard's own events at a start would look like something that is done again
        env = {"HOMEGUARD_CANARY_S": "0", **publishing.env}
        server = stack.enter_context(nursery(folder, *mutants, env=env))
        for _ in range(cycles):
            await server.start()
            await publishing.begin(server, visitor.ledger, home_id)
            await one_end(server, visitor, chance, ends)
        await publishing.end()
        await server.start()
        async with server.client() as http:
            await visitor.settle(http)
            ids = await arrived(http, visitor.ledger)
        assert await server.end(signal.SIGTERM) == 0
        await server.start()
        ends.done_again = await left_to_do(server)
        assert await server.end(signal.SIGTERM) == 0
    async with open_embedded(server.data, SystemClock()) as stores:
        found, ends.taken_twice = await found_in(stores, home_id), await taken_twice(stores)
    assert sorted(ids) == sorted(found.stored)
    return visitor.ledger, faults(visitor.ledger, found), ends


@pytest.mark.timeout(3600 if LONG else 300)
async def test_an_orderly_end_under_load_loses_nothing_and_leaves_nothing_to_do_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, broken, ends = await run_and_end(tmp_path, CYCLES, *GOODBYE)

    if LONG:
        with capsys.disabled():
            longest, middle = max(ends.took_s), sorted(ends.took_s)[len(ends.took_s) // 2]
            row = (CYCLES, len(ledger.acknowledged), len(broken), len(ends.taken_twice), ends.done_again)
            heads = "ends,events,lost or doubled,taken twice,done again,/ready said no first,median s,longest s"
            print(table(heads, [(*row, ends.said_no_first, f"{middle:.2f}", f"{longest:.2f}")]))
        assert max(ends.took_s) <= END_S
    assert broken == []
    assert ends.taken_twice == []
    assert ends.done_again == 0
    assert ends.said_no_first == CYCLES


@pytest.mark.timeout(120)
async def test_the_same_run_finds_an_end_that_forgets_how_far_it_came_and_closes_its_doors_unsaid(
    tmp_path: Path,
) -> None:
    _, _, ends = await run_and_end(tmp_path, 1, "forgets_its_positions", "leaves_without_a_word")

    assert ends.done_again > 0
    assert ends.said_no_first == 0
