"""Runs in which the server dies again and again while it is pressed from several sides over HTTP and MQTT."""

import asyncio
import contextlib
import random
import signal
from collections.abc import Mapping
from pathlib import Path

from brokers import MOSQUITTO, Broker
from ledger import Ledger, faults
from nursing import Nursery, furnish, nursery, reached, stores_of
from visitor import Publisher, Visitor, arrived, found_in


class Publishing:
    """Somebody who goes on publishing over MQTT while the server dies and comes back; nobody where no broker is."""

    def __init__(self, folder: Path, stack: contextlib.AsyncExitStack, client_id: str) -> None:
        self._stack = stack
        self._broker = Broker(folder) if MOSQUITTO is not None else None
        self._telling: asyncio.Task[None] | None = None
        #: What the server is to know of the broker.
        self.env: dict[str, str] = {}
        if self._broker is not None:
            self._broker.start()
            stack.callback(self._broker.stop)
            self.env["MQTT_URL"] = f"{self._broker.url}?client_id={client_id}"

    async def begin(self, server: Nursery, ledger: Ledger, home_id: str) -> None:
        """Once, when the server is connected for the first time."""
        if self._broker is None or self._telling is not None:
            return
        async with server.client() as http:
            await reached(http, "mqtt", "connected")
        publisher = Publisher(ledger, self._broker.port, home_id)
        self._stack.callback(publisher.close)
        self._telling = asyncio.create_task(publisher.tell())

    async def end(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait([self._telling])


async def until_killed(server: Nursery, visitor: Visitor, chance: random.Random) -> None:
    """Press from several sides, and kill at a moment that nobody chose."""
    wanted = visitor.answered + chance.randrange(1, 60)
    async with server.client() as http, asyncio.TaskGroup() as tasks:
        for size in (1, 1, 1, chance.randrange(2, 60)):
            tasks.create_task(visitor.tell(http, size))
        tasks.create_task(visitor.order(http))
        tasks.create_task(visitor.alarm(http))
        while visitor.answered < wanted:  # noqa: ASYNC110 - the ledger is only filled
            await asyncio.sleep(0.002)
        await asyncio.sleep(chance.uniform(0, 0.06))  # the moment of death is what is random here
        assert await server.end(signal.SIGKILL) == -signal.SIGKILL


async def run_and_kill(
    folder: Path, kills: int, seed: int, *mutants: str, engines: Mapping[str, str] | None = None, within_s: float = 20.0
) -> tuple[Ledger, list[str]]:
    """The ledger of a run with that many kills, and what was wrong in the end: on the folder, or on `engines`."""
    chance, visitor = random.Random(seed), Visitor(Ledger())
    home_id = await furnish(folder / "data", engines)
    async with contextlib.AsyncExitStack() as stack:
        publishing = Publishing(folder, stack, "kill-test")
        server = stack.enter_context(nursery(folder, *mutants, env={**(engines or {}), **publishing.env}))
        for _ in range(kills):
            await server.start()
            await publishing.begin(server, visitor.ledger, home_id)
            await until_killed(server, visitor, chance)
        await publishing.end()
        await server.start()
        async with server.client() as http:
            await visitor.settle(http)
            ids = await arrived(http, visitor.ledger, within_s)
        assert await server.end(signal.SIGTERM) == 0
    async with stores_of(server.data, engines) as stores:
        found = await found_in(stores, home_id)
        await stores.audit.verify()
    assert sorted(ids) == sorted(found.stored)
    return visitor.ledger, faults(visitor.ledger, found)
