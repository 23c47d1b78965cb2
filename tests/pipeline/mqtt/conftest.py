"""A real Mosquitto on a free port, and a home whose log is a real one."""

import asyncio
import itertools
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from homeguard.clock import HomeClocks, SystemClock
from homeguard.model import Device
from homeguard.ports.log import DEAD_LETTERS, EVENTS
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.open import open_embedded
from pipeline.intake.intake import Intake
from pipeline.mqtt.link import MqttLink

sys.path.insert(0, str(Path(__file__).parent))

MOSQUITTO = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
#: Each test speaks under a base of its own: retained messages of one are nothing to the next.
_bases = itertools.count()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a broker on this machine its tests are deselected, not skipped: the summary says how many."""
    if MOSQUITTO is None:
        gone = [i for i in items if i.get_closest_marker("broker")]
        config.hook.pytest_deselected(items=gone)
        items[:] = [i for i in items if i not in gone]


class Broker:
    """One Mosquitto process; `restart` keeps port and sessions' clients, forgets what was in memory."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(200):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=0.2):
                return
            time.sleep(0.02)
        raise AssertionError("mosquitto did not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = Broker(tmp_path_factory.mktemp("mosquitto"))
    made.start()
    yield made
    made.stop()


class Bridge:
    """The other side of the broker: publishes as a bridge would and hears what is sent to `<base>/+/set`."""

    def __init__(self, port: int, base: str) -> None:
        self.base = base
        self.heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_subscribe = lambda *_: loop.call_soon_threadsafe(self._ready.set)
        self._client.on_connect = lambda c, *_: c.subscribe(f"{base}/#", qos=1)
        self._client.on_message = lambda c, u, m: (
            loop.call_soon_threadsafe(self.heard.put_nowait, (m.topic, m.payload)) if m.topic.endswith("/set") else None
        )
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    async def ready(self) -> None:
        await self._ready.wait()

    async def say(self, topic: str, payload: Any, *, retain: bool = False) -> None:
        """Under the base; anything that is not bytes is sent as JSON."""
        await self.say_anywhere(f"{self.base}/{topic}", payload, retain=retain)

    async def say_anywhere(self, topic: str, payload: Any, *, retain: bool = False) -> None:
        body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        info = self._client.publish(topic, body, qos=1, retain=retain)
        await asyncio.get_running_loop().run_in_executor(None, info.wait_for_publish, 10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@dataclass
class Home:
    """What a link needs, and what it wrote. `records` waits until so many were read from the log."""

    stores: Stores
    intake: Intake
    id: str = "home-1"

    async def records(self, topic: str, count: int) -> list[tuple[dict[str, Any], dict[str, str]]]:
        found: list[tuple[dict[str, Any], dict[str, str]]] = []
        async with asyncio.timeout(20):
            while len(found) < count:
                for record in await self.stores.log.read(f"test-{topic}", [topic], limit=500, wait_s=0.5):
                    is_letter = topic == DEAD_LETTERS
                    value = {"body": record.value} if is_letter else msgspec.json.decode(record.value)
                    found.append((value, dict(record.headers)))
        return found

    def device(self, device_id: str) -> Device:
        return Device(home_id=self.id, id=device_id, name=device_id, type="sensor", capabilities=("climate",))

    async def events(self, count: int) -> list[dict[str, Any]]:
        return [value for value, _ in await self.records(EVENTS, count)]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    clock = SystemClock()
    async with open_embedded(tmp_path / "data", clock) as stores:
        yield Home(stores, Intake(log=stores.log, devices=stores.devices, clock=clock, clocks=HomeClocks(clock)))


@asynccontextmanager
async def _running(link: MqttLink) -> AsyncIterator[MqttLink]:
    stop = asyncio.Event()
    task = asyncio.create_task(link.run(stop))
    try:
        async with asyncio.timeout(10):
            await link.connected()
        yield link
    finally:
        stop.set()
        await task


@pytest.fixture
def running() -> Callable[[MqttLink], AbstractAsyncContextManager[MqttLink]]:
    return _running


@pytest.fixture
async def bridge(broker: Broker) -> AsyncIterator[Bridge]:
    made = Bridge(broker.port, f"z{next(_bases)}")
    await made.ready()
    yield made
    made.close()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """One that a test may stop."""
    made = Broker(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def bridge_of() -> AsyncIterator[Callable[..., Any]]:
    opened: list[Bridge] = []

    async def open_bridge(broker: Broker, base: str = "") -> Bridge:
        made = Bridge(broker.port, base or f"z{next(_bases)}")
        await made.ready()
        opened.append(made)
        return made

    yield open_bridge
    for made in opened:
        made.close()
