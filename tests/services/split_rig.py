"""An installation in parts, as docs/operations.md tells it: a process a role, each with its own folder and port."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import websockets.sync.client as websockets
from cassandra.cluster import Cluster
from instances import SARAH, Up, until
from websockets.exceptions import ConnectionClosed

#: What the brokers take to give a killed process up and to hand its partitions round, on a busy machine.
MOVE_S: Final = 90.0


class Parts:
    """Processes of one installation, by the names that the test gives them: a role, and a number for the second."""

    def __init__(self, folder: Path, engines: Mapping[str, str], **more: str) -> None:
        self._folder = folder
        self.env = {
            **engines, "JWT_SECRET": secrets.token_hex(32), "HOMEGUARD_DEMO_HISTORY_DAYS": "0", **more,
        }  # fmt: skip
        self._running: dict[str, Up] = {}

    def __getitem__(self, name: str) -> Up:
        return self._running[name]

    def begin(self, *names: str) -> None:
        """Start them at the same time; they are ready when it returns."""
        with ThreadPoolExecutor(len(names)) as threads:
            for name, up in zip(names, threads.map(self._start, names), strict=True):
                self._running[name] = up

    def _start(self, name: str) -> Up:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        return Up(folder, "--role", name.rstrip("0123456789"), env=self.env)

    def kill(self, *names: str) -> None:
        for name in names or tuple(self._running):
            self._running[name].kill()

    def is_settled(self, *processors: str) -> bool:
        """Each of them has done something for each group: the partitions are handed out."""
        return all(processed(self[name], group) for name in processors for group in ("reflex", "record"))


def processed(up: Up, group: str = "reflex") -> int:
    """Records that this process has done for a group since its start."""
    with up.http() as http:
        told: int = http.get("/ready").json()["checks"][group]["processed"]
    return told


def lag(up: Up, group: str) -> int:
    """Records that the group has yet to do, wherever it runs."""
    with up.http(up.token()) as http:
        told: int = http.get("/operator/topics").json()["groups"][group]["lag"]
    return told


class Watch:
    """Everything that a live stream said so far."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []

    def until(self, fits: Callable[[dict[str, Any]], Any], *, within_s: float = 30.0) -> dict[str, Any]:
        """The first frame that fits, as soon as it was heard."""
        found: list[dict[str, Any]] = until(lambda: [f for f in list(self.heard) if fits(f)], within_s=within_s)
        return found[0]


@contextmanager
def watching(up: Up, email: str = SARAH) -> Iterator[Watch]:
    """The home's live stream at this process, over a WebSocket, for the length of the block."""
    watch = Watch()
    address = up.url.replace("http", "ws", 1) + "/api/v1/events/stream"
    shown = {"Authorization": f"Bearer {up.token(email)}"}
    with websockets.connect(address, additional_headers=shown, proxy=None) as socket:

        def read() -> None:
            with suppress(ConnectionClosed):
                for frame in socket:
                    watch.heard.append(json.loads(frame))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        yield watch
        socket.close()
        reader.join(10)


def event(device_id: str, event_type: str, event_id: str, at: str = "", **payload: Any) -> dict[str, Any]:
    told = {"device_id": device_id, "event_type": event_type, "event_id": event_id, "payload": payload}
    return {**told, "timestamp": at} if at else told


def post(http: httpx2.Client, *events: Mapping[str, Any]) -> list[str]:
    """Send them; the ids that were acknowledged."""
    answer = http.post("/api/v1/events", json=list(events))
    assert answer.status_code == 202, answer.text
    assert answer.json()["rejected"] == [], answer.text
    return [str(e["event_id"]) for e in events]


def order(http: httpx2.Client, device_id: str, command: str) -> dict[str, Any]:
    """Give it; what came of it. While an engine is held up the answer is 503, and it is given again as that says."""
    path, body, deadline = f"/api/v1/devices/{device_id}/command", {"command": command}, time.monotonic() + 60
    key = {"Idempotency-Key": f"order-{time.time_ns()}"}
    while True:
        answer = http.post(path, json=body, headers=key)
        if answer.status_code == 200:
            return dict(answer.json())
        assert answer.status_code == 503, answer.text
        assert time.monotonic() < deadline, answer.text
        time.sleep(float(answer.headers["Retry-After"]))


def in_scylla(engines: Mapping[str, str], table: str = "events_by_device") -> list[str]:
    """The event ids of a table, asked with the bare driver; one that is there twice is told twice."""
    host, _, port = engines["SCYLLA_HOSTS"].partition(",")[0].partition(":")
    with Cluster([host], port=int(port)) as cluster:
        session = cluster.connect(engines["HOMEGUARD_SCYLLA_KEYSPACE"])
        return [row.event_id for row in session.execute(f"SELECT event_id FROM {table}", timeout=60)]


@dataclass(slots=True)
class Flow:
    """Events that are sent in batches from a thread until the block is over; `sent` were acknowledged."""

    sent: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextmanager
def flowing(up: Up, devices: Sequence[str], name: str, email: str = SARAH) -> Iterator[Flow]:
    """Telemetry of these devices, in turn, as fast as it is taken, for the length of the block."""
    flow, stop = Flow(), threading.Event()

    def send() -> None:
        number = 0
        with up.http(up.token(email)) as http:
            while not stop.is_set():
                batch = [
                    event(devices[n % len(devices)], "telemetry", f"{name}-{n}", temperature_c=20 + n % 7)
                    for n in range(number, number + 50)
                ]
                number += 50
                try:
                    flow.sent += post(http, *batch)
                except (AssertionError, httpx2.HTTPError) as error:
                    flow.failures.append(repr(error))
                    return
                stop.wait(0.05)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        yield flow
    finally:
        stop.set()
        sender.join(60)
    assert flow.failures == []
