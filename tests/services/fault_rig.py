"""A whole instance with a proxy before each of its engines, and a ledger of what it was told and what it promised."""

import asyncio
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx2
import msgspec
import websockets.sync.client as websockets
from fault_proxy import FaultProxy, proxies
from instances import PASSWORD, SARAH, Up, until

from deploy.services.engine import Engine
from deploy.services.engines.kafka import KAFKA
from deploy.services.engines.redis import REDIS
from deploy.services.process import Launch
from deploy.services.room import Room, free_ports
from deploy.services.site import Site
from homeguard.clock import iso

T = TypeVar("T")

#: Engine -> the setting that names it, and the concern under which `/ready` speaks of it.
ENGINES: Final[Mapping[str, tuple[str, str]]] = {
    "PostgreSQL": ("POSTGRES_URL", "users"), "TimescaleDB": ("TIMESCALE_URL", "readings"),
    "Scylla": ("SCYLLA_HOSTS", "events"), "MongoDB": ("MONGO_URL", "devices"), "Redis": ("REDIS_URL", "live"),
    "Kafka": ("KAFKA_BROKERS", "stream"),
}  # fmt: skip
#: What a camera measures, and no demo home has from elsewhere: one reading an event.
METRIC: Final = "temperature_c"
_DEVICES: Final = ("thermostat", "driveway_camera", "garage_door")
_FEED_S: Final = 0.1
#: Alarms within a minute are one story of which the first is told: each of ours has a minute of its own.
_STORY: Final = timedelta(seconds=61)
_OLDEST: Final = timedelta(minutes=13)


def in_a_loop(work: Coroutine[Any, Any, T], limit_s: float = 120) -> T:
    """Run it to its end in a loop and thread of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result(limit_s)


def port_of(address: str) -> int:
    """Of a URL, or of `host:port`."""
    return int(urlsplit(address if "://" in address else f"//{address}").port or 0)


def at_port(address: str, port: int) -> str:
    """The same place and login behind another port of this machine."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    moved = urlunsplit(parts._replace(netloc=f"{login}127.0.0.1:{port}"))
    return moved if "://" in address else moved.removeprefix("//")


# --- engines behind proxies


def advertising(proxy: FaultProxy) -> Engine:
    """A Kafka that sends its clients to the proxy."""

    def launch(room: Room) -> Launch:
        plain = KAFKA.launch(room)
        path = Path(plain.argv[-1])
        own = f"advertised.listeners=PLAINTEXT://127.0.0.1:{room.port},"
        text = path.read_text()
        assert own in text
        path.write_text(text.replace(own, f"advertised.listeners=PLAINTEXT://127.0.0.1:{proxy.port},"))
        return plain

    return replace(KAFKA, launch=launch)


@dataclass(frozen=True, slots=True)
class Behind:
    """Engine -> its proxy; the settings that lead through the proxies, and those that lead past them."""

    faults: Mapping[str, FaultProxy]
    through: Mapping[str, str]
    past: Mapping[str, str]


@contextmanager
def behind_proxies(engines: Mapping[str, str], folder: Path, cache: Path) -> Iterator[Behind]:
    """These engines; Kafka and Redis are servers of our own, the one for its address, the other for its memory."""
    with proxies(*((port, 0) for port in free_ports(len(ENGINES), ()))) as made:
        faults = dict(zip(ENGINES, made, strict=True))
        site = Site(folder, cache, {"kafka": advertising(faults["Kafka"]), "redis": REDIS})
        try:
            outcomes = site.start(["kafka", "redis"])
            assert all(outcome.state == "ready" for outcome in outcomes), outcomes
            past = {
                **engines,
                "KAFKA_BROKERS": f"127.0.0.1:{outcomes[0].port}",
                "REDIS_URL": REDIS.addresses(site.room("redis"))["REDIS_URL"],
            }
            for name, proxy in faults.items():
                proxy.upstream = port_of(past[ENGINES[name][0]])
            through = {ENGINES[name][0]: at_port(past[ENGINES[name][0]], p.port) for name, p in faults.items()}
            yield Behind(faults, {**past, **through}, past)
        finally:
            site.kill(["kafka", "redis"])


def ports_reached(pid: int) -> set[int]:
    """The remote ports of the connections that a process has open now."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            inodes.add(str(entry.readlink()).removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes and fields[3] == "01":
                found.add(int(fields[2].rpartition(":")[2], 16))
    return found


# --- what people and devices see


@dataclass(slots=True)
class Ledger:
    """What was promised: ids of acknowledged events, alarms, commands with what was said of them."""

    events: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    commands: dict[str, str] = field(default_factory=dict)
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    #: Answers that say neither that it was done nor why not.
    wordless: list[str] = field(default_factory=list)

    def judge(self, answer: httpx2.Response) -> bool:
        """Whether it was taken; an answer that explains nothing is noted."""
        if answer.status_code < 300:
            self.answers[answer.status_code, ""] += 1
            return True
        try:
            error = answer.json()["error"]
            code, message = str(error["code"]), str(error["message"])
        except (ValueError, KeyError, TypeError):
            code = message = ""
        self.answers[answer.status_code, code] += 1
        if not code or " " not in message or (answer.status_code >= 500 and answer.status_code != 503):
            self.wordless.append(f"{answer.request.url.path}: {answer.status_code} {answer.text[:300]}")
        return False


class Stream:
    """Somebody who watches the home, from a thread."""

    def __init__(self, up: Up, token: str) -> None:
        self.items: list[dict[str, Any]] = []
        #: When each of them came.
        self.at: list[float] = []
        self.ended = ""
        self._stop = threading.Event()
        address = up.url.replace("http", "ws", 1) + "/api/v1/events/stream"
        self._socket = websockets.connect(address, additional_headers={"Authorization": f"Bearer {token}"}, proxy=None)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._stop.is_set():
            try:
                item = msgspec.json.decode(self._socket.recv(timeout=0.2))
                self.at.append(time.monotonic())
                self.items.append(item)
            except TimeoutError:
                continue
            except Exception as error:
                self.ended = self.ended or repr(error)
                return

    def alerted_at(self, event_id: str) -> float:
        """When the alert of that event came, which it did."""
        return next(
            at
            for at, i in zip(self.at, self.items, strict=False)
            if i["type"] == "alert" and event_id in i["event_ids"]
        )

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)
        self._socket.close()


class Rig:
    """The instance, its proxies and its ledger."""

    def __init__(self, up: Up, faults: Mapping[str, FaultProxy], real: Mapping[str, str]) -> None:
        self.up = up
        self.faults = faults
        #: The settings that lead past the proxies.
        self.real = real
        self.ledger = Ledger()
        self.home_id = ""
        self._token = ""
        self._last_alarm = datetime.now(UTC) - _OLDEST
        self._count = 0
        self._feeding = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._feed, daemon=True)

    def begin(self) -> None:
        """Sign in, arm the home, and begin to feed it."""
        self.sign_in()
        with self.http() as http:
            self.home_id = http.get("/api/v1/users/me").json()["home"]["id"]
            said = http.post("/api/v1/ai/chat", json={"message": "Set the house to away mode"}).json()
            home = until(lambda: (h := http.get("/api/v1/users/me").json()["home"])["mode"] == "away" and h)
        assert home["arm_state"] == "armed_away", said
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._feeding.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=30)

    def sign_in(self) -> None:
        with self.up.http() as http:
            answer = http.post("/api/v1/auth/login", json={"email": SARAH, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        self._token = answer.json()["access_token"]

    def http(self) -> httpx2.Client:
        return self.up.http(self._token)

    def ready(self) -> dict[str, Any]:
        with self.up.http() as http:
            answer = http.get("/ready")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def away(self) -> set[str]:
        """The engines that `/ready` names as away now, each with a reason."""
        checks = self.ready()["checks"]
        concerns = {concern: name for name, (_, concern) in ENGINES.items()}
        return {concerns[c] for c, check in checks.items() if c in concerns and not check["ok"] and check["reason"]}

    def is_well(self) -> bool:
        """Ready, and nothing waits to be handed over."""
        told = self.ready()
        checks = told["checks"]
        return (
            told["status"] == "ready"
            and not any(check.get("waiting", 0) for check in checks.values())
            and checks["spool"]["waiting_bytes"] == 0
        )

    @contextmanager
    def watching(self) -> Iterator[Stream]:
        stream = Stream(self.up, self._token)
        try:
            yield stream
        finally:
            stream.close()

    # --- telling it things

    @contextmanager
    def fed(self) -> Iterator[None]:
        """Thirty events a second for the length of the block, some of them twice."""
        self._feeding.set()
        try:
            yield
        finally:
            self._feeding.clear()

    def _feed(self) -> None:
        while not self._stop.is_set():
            if not self._feeding.wait(timeout=0.5) or self._stop.is_set():
                continue
            began = time.monotonic()
            with self.http() as http:
                while self._feeding.is_set() and not self._stop.is_set():
                    self.post_events(http, 3, again=self._count % 10 == 0)
                    began += _FEED_S
                    self._stop.wait(max(0.0, began - time.monotonic()))

    def post_events(self, http: httpx2.Client, count: int, *, again: bool = False) -> bool:
        """A batch of readings; whether it was taken. `again`: it is sent a second time."""
        now = iso(datetime.now(UTC))
        batch = []
        for _ in range(count):
            self._count += 1
            n = self._count
            batch.append(
                {"event_id": f"f-{n}", "device_id": _DEVICES[n % 3], "event_type": "telemetry", "timestamp": now,
                 "payload": {METRIC: 21 + n % 5 / 10}}
            )  # fmt: skip
        taken = False
        for _ in range(2 if again else 1):
            try:
                answer = http.post("/api/v1/events", json=batch)
            except httpx2.HTTPError as error:
                self.ledger.wordless.append(repr(error))
                continue
            if self.ledger.judge(answer) and not taken:
                taken = answer.json()["accepted"] == count
                if taken:
                    self.ledger.events += [e["event_id"] for e in batch]
        return taken

    def break_glass(self) -> str:
        """The id of the event, which was acknowledged."""
        self._last_alarm = max(self._last_alarm + _STORY, datetime.now(UTC) - _OLDEST)
        event_id = f"g-{len(self.ledger.alarms)}"
        with self.http() as http:
            answer = http.post(
                "/api/v1/events",
                json={"event_id": event_id, "device_id": "front_door", "event_type": "glass_break",
                      "timestamp": iso(self._last_alarm), "payload": {"intensity": 0.9}},
            )  # fmt: skip
        assert answer.status_code == 202, answer.text
        self.ledger.alarms.append(event_id)
        self.ledger.events.append(event_id)
        return event_id

    def told_of(self, event_id: str, stream: Stream) -> bool:
        """An alert and a message came to who watches, and the message is in the outbox of this machine."""
        alerts = [i for i in stream.items if i["type"] == "alert" and event_id in i["event_ids"]]
        notices = [i for i in stream.items if i["type"] == "notice" and i["cause"] == event_id]
        return bool(alerts and notices and self.outbox_here(event_id))

    def outbox_here(self, cause: str = "") -> set[str]:
        """Ids of the messages in the data folder."""
        with sqlite3.connect(f"file:{self.up.data}/home.db?mode=ro", uri=True, timeout=10) as home:
            rows = home.execute("SELECT id FROM outbox WHERE home_id = ? AND (? = '' OR cause = ?)",
                                (self.home_id, cause, cause)).fetchall()  # fmt: skip
        home.close()
        return {row[0] for row in rows}

    def command(self, device_id: str, command: str) -> tuple[str, str]:
        """(outcome or error code, sentence)."""
        with self.http() as http:
            answer = http.post(f"/api/v1/devices/{device_id}/command", json={"command": command})
        if not self.ledger.judge(answer):
            error = answer.json()["error"]
            return error["code"], error["message"]
        told = answer.json()
        self.ledger.commands[told["command_id"]] = told["outcome"]
        return told["outcome"], told["reason"]

    def waits_in_spool(self) -> dict[str, int]:
        with sqlite3.connect(f"file:{self.up.data}/spool.db?mode=ro", uri=True, timeout=10) as spool:
            rows = spool.execute("SELECT engine, count(*) FROM waiting GROUP BY engine").fetchall()
        spool.close()
        return dict(rows)


# --- what the engines have, asked beside HomeGuard


async def in_readings(url: str) -> tuple[dict[str, int], int, int]:
    """(event id -> rows, rows in all, readings that the daily rollup counted)."""
    server = await asyncpg.connect(url)
    try:
        rows = await server.fetch("SELECT event_id, count(*) FROM sensor_readings WHERE event_id LIKE 'f-%' GROUP BY 1")
        total = await server.fetchval("SELECT count(*) FROM sensor_readings")
        rolled = await server.fetchval("SELECT coalesce(sum(count), 0)::bigint FROM reading_minutes")
    finally:
        await server.close()
    return {row[0]: row[1] for row in rows}, total, rolled


async def in_people(url: str, home_id: str) -> tuple[dict[str, str], dict[str, str]]:
    """(command id -> outcome, message id -> cause)."""
    server = await asyncpg.connect(url)
    try:
        commands = await server.fetch("SELECT id, outcome FROM commands WHERE home_id = $1", home_id)
        outbox = await server.fetch("SELECT id, cause FROM outbox WHERE home_id = $1", home_id)
    finally:
        await server.close()
    return dict(map(tuple, commands)), dict(map(tuple, outbox))


def twice(ids: Sequence[str]) -> list[str]:
    """Those that occur more than once."""
    return [i for i, count in Counter(ids).items() if count > 1]


def eventually(holds: Callable[[], bool], within_s: float) -> float | None:
    """Seconds until it held; None: it did not within that time."""
    began = time.monotonic()
    while time.monotonic() - began < within_s:
        if holds():
            return time.monotonic() - began
        time.sleep(0.1)
    return None
