"""The whole of HomeGuard killed at random moments: what it acknowledged is kept, once, and nothing is done twice."""

import asyncio
import itertools
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from brokers import Bridge, Broker
from instances import JOHN, Up, command, environment, free_port, until
from ledger import Ledger, faults

from homeguard.clock import SystemClock, iso
from homeguard.identity.keys import local_key
from homeguard.identity.tokens import Tokens
from homeguard.model import Member
from homeguard.ports.log import EVENTS
from homeguard.stores.sqlite.open import open_embedded
from scenarios.homes import load_home

NURSERY = Path(__file__).parent / "nursery.py"
#: Kills of one run: their moments come from the seed.
KILLS, SEED = 50, 20261121


class Nursery:
    """`homeguard up` in quick succession on one folder, without the demo: john's home is put there beforehand."""

    def __init__(self, folder: Path, *mutants: str, env: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        settings = {"HOMEGUARD_RATE_LIMITS": "off", "HOMEGUARD_LOG_LEVEL": "warning", **(env or {})}
        self._process = subprocess.Popen(
            [sys.executable, str(NURSERY), *mutants], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=folder, env=environment(folder, settings),
        )  # fmt: skip
        self._starts = itertools.count()
        self.pid = 0
        self.url = ""

    async def start(self) -> None:
        port, output = free_port(), self.folder / f"start-{next(self._starts)}.log"
        self.url = f"http://127.0.0.1:{port}"
        arguments = ["up", "--no-demo", "--no-simulator", "--port", str(port), "--data-dir", str(self.data)]
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"arguments": arguments, "output": str(output)}) + "\n")
        self._process.stdin.flush()
        self.pid = int(await self._answer())
        async with asyncio.timeout(60):
            while "ready " not in (said := output.read_text() if output.exists() else ""):
                assert "Traceback" not in said, said
                await asyncio.sleep(0.01)

    async def _answer(self) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            return await asyncio.to_thread(self._process.stdout.readline)

    async def end(self, by: signal.Signals) -> int:
        """The exit code of the instance, that of its signal as a negative number."""
        os.kill(self.pid, by)
        code = int(await self._answer())
        self.pid = 0
        return code

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx2.AsyncClient]:
        token = Tokens(local_key(self.data), SystemClock()).operator(JOHN, "api")
        async with httpx2.AsyncClient(
            base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False
        ) as http:
            yield http


@contextmanager
def nursery(folder: Path, *mutants: str, env: dict[str, str] | None = None) -> Iterator[Nursery]:
    made = Nursery(folder, *mutants, env=env)
    try:
        yield made
    finally:
        made.close()


async def furnish(data: Path) -> str:
    """John's home in an empty folder; its id."""
    clock = SystemClock()
    made = load_home("john", clock.now())
    async with open_embedded(data, clock) as stores:
        await stores.users.put_user(made.owner, "-")
        await stores.users.put_home(made.home)
        await stores.users.put_member(Member(home_id=made.home.id, user_id=made.owner.id, role="owner"))
        await stores.devices.put([replace(device, is_simulated=True) for device in made.devices])
    local_key(data)
    return made.home.id


class Visitor:
    """A client under whose hands the server dies: it keeps the ledger and sends again what was not acknowledged."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._numbers = itertools.count()

    async def tell(self, http: httpx2.AsyncClient, size: int) -> None:
        """Events, one at a time or `size` at a time, until nobody answers."""
        while True:
            items = [self.ledger.again.pop() if self.ledger.again else self._event() for _ in range(size)]
            try:
                answer = await http.post("/api/v1/events", json=items if size > 1 else items[0])
            except httpx2.TransportError:
                self.ledger.again += items
                return
            told = answer.json()
            assert (answer.status_code, told["accepted"], told["rejected"]) == (202, size, []), told
            self.ledger.acknowledged.update(item["event_id"] for item in items)

    async def order(self, http: httpx2.AsyncClient) -> None:
        """Commands to the thermostat, until nobody answers."""
        while True:
            key = self.ledger.orders_again.pop() if self.ledger.orders_again else self._order()
            try:
                answer = await http.post(
                    "/api/v1/devices/thermostat/command", json=self.ledger.orders[key], headers={"Idempotency-Key": key}
                )
            except httpx2.TransportError:
                self.ledger.orders_again.append(key)
                return
            assert answer.status_code == 200, answer.text
            self.ledger.answers[key] = answer.json()

    async def settle(self, http: httpx2.AsyncClient) -> None:
        """Send what was never acknowledged until all of it is."""
        while self.ledger.again:
            item = self.ledger.again.pop()
            assert (await http.post("/api/v1/events", json=item)).status_code == 202
            self.ledger.acknowledged.add(item["event_id"])
        while self.ledger.orders_again:
            key = self.ledger.orders_again.pop()
            answer = await http.post(
                "/api/v1/devices/thermostat/command", json=self.ledger.orders[key], headers={"Idempotency-Key": key}
            )
            self.ledger.answers[key] = answer.json()

    def _event(self) -> dict[str, Any]:
        number = next(self._numbers)
        made = {
            "event_id": f"kill-{number}", "device_id": "living_room_motion", "timestamp": iso(datetime.now(UTC)),
            "event_type": "motion_stopped" if number % 2 else "motion_detected", "payload": {"intensity": 0.5},
        }  # fmt: skip
        self.ledger.sent[made["event_id"]] = made
        return made

    def _order(self) -> str:
        key = f"order-{len(self.ledger.orders)}"
        value = 62 + len(self.ledger.orders) % 16
        self.ledger.orders[key] = {"command": "set_temperature", "parameters": {"value": value, "unit": "F"}}
        return key


async def until_killed(server: Nursery, visitor: Visitor, chance: random.Random) -> None:
    """Press from several sides, and kill at a moment that nobody chose."""
    before, promises = visitor.ledger.promises, chance.randrange(1, 60)
    async with server.client() as http, asyncio.TaskGroup() as tasks:
        for size in (1, 1, 1, chance.randrange(2, 60)):
            tasks.create_task(visitor.tell(http, size))
        tasks.create_task(visitor.order(http))
        while visitor.ledger.promises < before + promises:  # noqa: ASYNC110 - the ledger is only filled
            await asyncio.sleep(0.002)
        await asyncio.sleep(chance.uniform(0, 0.06))  # the moment of death is what is random here
        assert await server.end(signal.SIGKILL) == -signal.SIGKILL


async def everything(http: httpx2.AsyncClient, **wanted: str) -> list[dict[str, Any]]:
    """All events of the home that fit, page by page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = await http.get(
            "/api/v1/events", params={"limit": 1000, **wanted, **({"cursor": cursor} if cursor else {})}
        )
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next_cursor"] or ""
        if not cursor:
            return found


async def stored_in_the_end(server: Nursery, ledger: Ledger) -> tuple[list[str], list[dict[str, Any]]]:
    """Event ids and command results, once all that was acknowledged is there or has had its time to come."""
    async with server.client() as http:
        for _ in range(100):
            ids = [e["event_id"] for e in await everything(http, device_id="living_room_motion")]
            results = [e["payload"] for e in await everything(http, event_type="command_result")]
            if ledger.acknowledged <= set(ids) and len(results) >= len(ledger.answers):
                break
            await asyncio.sleep(0.1)
        return ids, results


async def executed(data: Path, home_id: str) -> list[str]:
    """Command ids that the thermostat was told, once for each time: the log keeps also what stores drop as known."""
    found: list[str] = []
    async with open_embedded(data, SystemClock()) as stores:
        await stores.log.seek("looking", None)
        while records := await stores.log.read("looking", [EVENTS], limit=10_000, wait_s=0):
            for record in records:
                if record.headers.get("source") == "simulator" and record.headers.get("cause"):
                    assert msgspec.json.decode(record.value)["home_id"] == home_id
                    found.append(record.headers["cause"])
    return found


async def run_and_kill(folder: Path, kills: int, seed: int, *mutants: str) -> tuple[Ledger, list[str]]:
    """The ledger of a run with that many kills, and what was wrong in the end."""
    chance, visitor = random.Random(seed), Visitor(Ledger())
    home_id = await furnish(folder / "data")
    with nursery(folder, *mutants) as server:
        for _ in range(kills):
            await server.start()
            await until_killed(server, visitor, chance)
        await server.start()
        async with server.client() as http:
            await visitor.settle(http)
        ids, results = await stored_in_the_end(server, visitor.ledger)
        assert await server.end(signal.SIGTERM) == 0
    audited = await asyncio.to_thread(command, folder, "audit", "verify", "--data-dir", server.data)
    assert audited.returncode == 0, audited.stderr
    return visitor.ledger, faults(visitor.ledger, ids, results, await executed(server.data, home_id))


@pytest.mark.timeout(420)
async def test_fifty_kills_lose_nothing_that_was_acknowledged_and_do_nothing_twice(tmp_path: Path) -> None:
    ledger, broken = await run_and_kill(tmp_path, KILLS, SEED)

    assert broken == []
    assert set(ledger.sent) == ledger.acknowledged
    assert len(ledger.acknowledged) > 20 * KILLS
    assert len(ledger.answers) > KILLS


@pytest.mark.timeout(180)
async def test_the_same_run_finds_a_log_that_acknowledges_before_the_disk_has_it(tmp_path: Path) -> None:
    _, broken = await run_and_kill(tmp_path, 6, SEED, "acknowledges_before_the_disk")

    assert any(fault.startswith("lost: kill-") for fault in broken)


def test_the_judge_names_every_kind_of_broken_promise() -> None:
    def order(command_id: str, outcome: str) -> dict[str, Any]:
        return {"command_id": command_id, "outcome": outcome}

    kept = Ledger(
        sent={"a": {}, "b": {}}, acknowledged={"a"}, orders={"o": {}, "p": {}},
        answers={"o": order("c1", "confirmed"), "p": order("c2", "failed")},
    )  # fmt: skip
    good = [order("c1", "confirmed"), order("c2", "failed")]
    assert faults(kept, ["a"], good, ["c1"]) == []
    assert faults(kept, ["a", "b"], good, ["c1"]) == []
    assert faults(kept, ["b"], good, ["c1"]) == ["lost: a"]
    assert faults(kept, ["a", "a"], good, ["c1"]) == ["stored 2 times: a"]
    assert faults(kept, ["a", "z"], good, ["c1"]) == ["never sent: z"]
    assert faults(kept, ["a"], [*good, good[0]], ["c1"]) == ["2 results of command c1"]
    assert faults(kept, ["a"], good[1:], ["c1"]) == ["no result of command c1 (o)"]
    assert faults(kept, ["a"], [*good, order("c3", "sent")], ["c1"]) == ["a command that nobody sent: c3"]
    assert faults(kept, ["a"], good, ["c1", "c1"]) == ["executed 2 times: c1"]
    assert faults(kept, ["a"], good, ["c1", "c2"]) == ["failed and yet executed: c2"]
    assert faults(kept, ["a"], good, []) == ["confirmed and never executed: c1"]
    assert faults(kept, ["a"], [order("c1", "failed"), good[1]], ["c1"]) == [
        "o was answered confirmed and stands as failed"
    ]


@pytest.mark.broker
@pytest.mark.timeout(180)
async def test_messages_that_a_broker_took_arrive_once_however_often_the_server_dies(tmp_path: Path) -> None:
    home_id = await furnish(tmp_path / "data")
    chance, said = random.Random(SEED), []
    broker = Broker(tmp_path)
    broker.start()
    bridge = Bridge(broker)
    try:
        with nursery(tmp_path, env={"MQTT_URL": f"{broker.url}?client_id=kill-test"}) as server:
            await server.start()
            async with server.client() as http:
                await reached(http, "connected")
            for round_ in range(10):
                for number in range(chance.randrange(5, 40)):
                    event_id = f"mqtt-{round_}-{number}"
                    body = {"event_id": event_id, "event_type": "motion_detected", "payload": {}}
                    topic = f"homeguard/{home_id}/living_room_motion/events"
                    await asyncio.to_thread(bridge.say, topic, body, anywhere=True)
                    said.append(event_id)
                    if number == 3:
                        await server.end(signal.SIGKILL)
                await server.start()
            async with server.client() as http:
                for _ in range(200):
                    ids = [e["event_id"] for e in await everything(http, device_id="living_room_motion")]
                    if len(ids) >= len(said):
                        break
                    await asyncio.sleep(0.1)
            assert await server.end(signal.SIGTERM) == 0
    finally:
        bridge.close()
        broker.stop()
    ledger = Ledger(sent={key: {} for key in said}, acknowledged=set(said))
    assert faults(ledger, ids, [], []) == []


async def reached(http: httpx2.AsyncClient, what: str) -> None:
    async with asyncio.timeout(30):
        while not (await http.get("/ready")).json()["checks"]["mqtt"][what]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


@pytest.mark.timeout(240)
def test_the_demo_is_whole_after_its_first_starts_were_killed(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    for _ in range(3):
        up = Up(tmp_path, "--no-simulator")
        chance_s = chance.uniform(0, 0.5)
        with up.http(up.token()) as http:
            body = {"device_id": "living_room_motion", "event_type": "motion_detected", "payload": {}}
            assert http.post("/api/v1/events", json=body, timeout=30).status_code == 202
        signal.sigtimedwait([], chance_s)  # history is being written behind it
        up.kill()
    up = Up(tmp_path, "--no-simulator")
    try:
        with up.http(up.token()) as http:
            until(lambda: http.get("/ready").json()["checks"]["history"]["written"], within_s=90)
            ids = [event["event_id"] for event in up.events(http)]
            assert len(ids) == len(set(ids))
            assert len([e for e in up.events(http, device_id="living_room_motion") if e["source"] == "http"]) == 3
            devices = {d["id"]: d["state"] for d in http.get("/api/v1/devices").json()["items"]}
        assert len(devices) == 5
        assert devices["front_door_lock"]["lock"] == "locked"
        assert devices["back_door_lock"]["lock"] == "unlocked"
        assert up.homeguard("audit", "verify").returncode == 0
        assert up.stop()[0] == 0
    finally:
        up.kill()
