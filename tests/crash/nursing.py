"""Instances that die and are started again in quick succession, on one folder, with john's home in it."""

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx2
from instances import JOHN, environment, free_port

from homeguard import automation
from homeguard.clock import Clock, SystemClock
from homeguard.identity.keys import local_key
from homeguard.identity.tokens import Tokens
from homeguard.model import Member
from homeguard.ports.stores import Stores
from homeguard.runtime import open_stores
from homeguard.settings import load
from homeguard.stores.sqlite.open import open_embedded
from scenarios.homes import load_home

NURSERY: Final = Path(__file__).parent / "nursery.py"
#: The automation of the home: a broken pane locks the front door and tells the people.
RULE: Final[Mapping[str, Any]] = {
    "name": "Broken pane",
    "trigger": {"type": "device_event", "device_id": "back_door_lock", "event_type": "glass_break"},
    "actions": [
        {"type": "device_command", "device_id": "front_door_lock", "command": "lock", "parameters": {}},
        {"type": "notification", "channel": "app", "message": "A pane broke."},
    ],
}  # fmt: skip
START_S: Final = 60.0


class Died(Exception):
    """The instance ended before it was ready; `code` is its exit code."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"exit {code}: {said[-2000:]}")
        self.code = code


class Nursery:
    """`homeguard up` without the demo and without the simulator. `env` is that of every start."""

    def __init__(self, folder: Path, *mutants: str, env: Mapping[str, str] | None = None, preload: str = "") -> None:
        self.folder = folder
        self.data = folder / "data"
        settings = {"HOMEGUARD_RATE_LIMITS": "off", "HOMEGUARD_LOG_LEVEL": "warning", **(env or {})}
        if preload:
            settings["LD_PRELOAD"] = preload
        self._process = subprocess.Popen(
            [sys.executable, str(NURSERY), *mutants], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=folder, env=environment(folder, settings),
        )  # fmt: skip
        self._starts = itertools.count()
        self._ending: asyncio.Future[int] | None = None
        self.output = folder / "start-0.log"
        self.pid = 0
        self.url = ""

    async def start(self, data: Path | None = None, *, env: Mapping[str, str] | None = None) -> None:
        """Ready when it returns. `env` is the recorder's; `data` another folder than the nursery's own.

        Raises:
            Died: it ended before that.
        """
        self.data = data or self.data
        port, self.output = free_port(), self.folder / f"start-{next(self._starts)}.log"
        self.url = f"http://127.0.0.1:{port}"
        arguments = ["up", "--no-demo", "--no-simulator", "--port", str(port), "--data-dir", str(self.data)]
        order = {"arguments": arguments, "output": str(self.output), "env": dict(env or {})}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        self.pid = int(await self._answer())
        self._ending = asyncio.ensure_future(self._ended())
        async with asyncio.timeout(START_S):
            while "ready " not in (said := self.said()):
                if self._ending.done():
                    raise Died(await self.ended(), said)
                await asyncio.sleep(0.01)

    def said(self) -> str:
        return self.output.read_text() if self.output.exists() else ""

    @property
    def is_running(self) -> bool:
        return self._ending is not None and not self._ending.done()

    async def ended(self) -> int:
        """Waits until it has ended; its exit code, that of its signal as a negative number."""
        assert self._ending is not None
        code = await self._ending
        self._ending = None
        self.pid = 0
        return code

    async def end(self, by: signal.Signals) -> int:
        os.kill(self.pid, by)
        return await self.ended()

    async def _ended(self) -> int:
        assert self._process.stdout is not None
        return int(await asyncio.to_thread(self._process.stdout.readline))

    async def _answer(self) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(START_S):
            return await asyncio.to_thread(self._process.stdout.readline)

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    @asynccontextmanager
    async def client(self, clock: Clock | None = None) -> AsyncIterator[httpx2.AsyncClient]:
        """Calls as john, with a token of that moment."""
        token = Tokens(local_key(self.data), clock or SystemClock()).operator(JOHN, "api")
        async with httpx2.AsyncClient(
            base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False
        ) as http:
            yield http


@contextmanager
def nursery(folder: Path, *mutants: str, env: Mapping[str, str] | None = None, preload: str = "") -> Iterator[Nursery]:
    made = Nursery(folder, *mutants, env=env, preload=preload)
    try:
        yield made
    finally:
        made.close()


@asynccontextmanager
async def stores_of(data: Path, engines: Mapping[str, str] | None = None) -> AsyncIterator[Stores]:
    """What a folder holds, or with `engines` (settings by name) what they hold, while no instance has it."""
    clock = SystemClock()
    if not engines:
        async with open_embedded(data, clock) as stores:
            yield stores
        return
    async with open_stores(load({"data_dir": data, "demo": False}, engines), clock) as opened:
        yield opened.stores


async def furnish(data: Path, engines: Mapping[str, str] | None = None) -> str:
    """John's home and its rule in an empty folder; the home's id."""
    async with stores_of(data, engines) as stores:
        home_id = await furnished(stores)
    local_key(data)
    return home_id


async def furnished(stores: Stores) -> str:
    now = SystemClock().now()
    made = load_home("john", now)
    await stores.users.put_user(made.owner, "-")
    await stores.users.put_home(made.home)
    await stores.users.put_member(Member(home_id=made.home.id, user_id=made.owner.id, role="owner"))
    await stores.devices.put([replace(device, is_simulated=True) for device in made.devices])
    rule = automation.parse(RULE, home_id=made.home.id, automation_id="broken-pane", created_by=made.owner.id, now=now)
    await stores.automations.put(rule)
    return made.home.id


async def reached(http: httpx2.AsyncClient, check: str, what: str) -> None:
    """Returns when `/ready` says so."""
    async with asyncio.timeout(30):
        while not (await http.get("/ready")).json()["checks"][check][what]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
