"""HomeGuard as people run it: the installed command, in a process of its own, seen from outside."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx2

from deploy.client import Client
from deploy.instance import Instance, find
from homeguard.clock import SystemClock
from homeguard.identity.keys import local_key
from homeguard.identity.tokens import Tokens
from homeguard.stores.sqlite.lock import holder

HOMEGUARD = Path(sys.executable).parent / "homeguard"
JOHN, SARAH, PASSWORD = "john@demo.com", "sarah@demo.com", "demo123"
START_S, END_S = 60.0, 10.0
_OURS = (
    "HOMEGUARD_", "MQTT_", "GEMINI_", "GOOGLE_", "ENABLE_", "XDG_DATA_HOME", "POSTGRES_", "DATABASE_URL", "TIMESCALE_",
    "SCYLLA_", "MONGO_", "REDIS_", "KAFKA_", "JWT_SECRET",
)  # fmt: skip


def environment(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's, without settings of HomeGuard, with a home folder of the test's own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
    return {**kept, "HOME": str(folder), **(more or {})}


def command(
    folder: Path, *arguments: str | Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`homeguard ARGUMENTS`, run to its end in that folder."""
    return subprocess.run(
        [HOMEGUARD, *map(str, arguments)], cwd=folder, env=environment(folder, env), capture_output=True, text=True,
        timeout=90, check=False,
    )  # fmt: skip


def one_line_says(done: subprocess.CompletedProcess[str], *words: str) -> bool:
    """Exit 1, nothing on stdout, and one line on stderr that has these words."""
    lines = done.stderr.splitlines()
    return done.returncode == 1 and not done.stdout and len(lines) == 1 and all(w in lines[0] for w in words)


def free_port() -> int:
    for port in range(Random().randrange(20000, 31000), 32000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RuntimeError("no free port")


class Up:
    """One `homeguard up`, ready when it is made. `said` are its lines on stdout so far, the ready line last."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        env: Mapping[str, str] | None = None,
        data: Path | None = None,
        port: int | None = None,
    ) -> None:
        self.folder = folder
        self.data = data or folder / "data"
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "stderr.log"
        self._keys: Tokens | None = None
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [HOMEGUARD, "up", "--port", str(self.port), "--data-dir", str(self.data), *options],
                cwd=folder, env=environment(folder, env), stdout=subprocess.PIPE, stderr=log, text=True,
                start_new_session=True,
            )  # fmt: skip
        watchdog = threading.Timer(START_S, self.process.kill)
        watchdog.start()
        self.said: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            if line.startswith("ready "):
                break
        watchdog.cancel()
        if not self.said or not self.said[-1].startswith("ready "):
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it did not become ready: {self.said} {self.log.read_text()[-2000:]}")

    def stop(self, by: signal.Signals = signal.SIGTERM) -> tuple[int, float, str]:
        """Exit code, seconds that it took, and what it still wrote on stdout."""
        began = time.monotonic()
        self.process.send_signal(by)
        try:
            rest, _ = self.process.communicate(timeout=3 * END_S)
        finally:
            self.kill()
        return self.process.returncode, time.monotonic() - began, rest

    def kill(self) -> None:
        """As a power cut would."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def wait_for_the_assistant(self) -> None:
        """It is loaded behind `ready`, and weighs more than all that is there before."""
        with self.http() as http:
            assert http.get("/.well-known/oauth-protected-resource/mcp", timeout=90).status_code == 200

    def token(self, email: str = JOHN) -> str:
        """An operator's, who may act as anyone: signing in is not the point of most tests."""
        if self._keys is None:
            self._keys = Tokens(local_key(self.data), SystemClock())
        return self._keys.operator(email, "api")

    def client(self, email: str = JOHN) -> AbstractContextManager[Client]:
        return closing(Client(Instance(pid=self.process.pid, url=self.url), self.data, email))

    def http(self, token: str = "", **headers: str) -> httpx2.Client:
        shown = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx2.Client(base_url=self.url, headers={**shown, **headers}, timeout=30, trust_env=False)

    @contextmanager
    def login(self, email: str = JOHN) -> Iterator[httpx2.Client]:
        """A person's session: the access token and the cookie of the pages."""
        with self.http() as http:
            answer = http.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            yield http

    def homeguard(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Another subcommand, on the same data folder."""
        return command(self.folder, *arguments, "--data-dir", self.data)

    def say(self, text: str, *options: str) -> dict[str, Any]:
        """`homeguard chat --once TEXT --json`, as its object."""
        done = self.homeguard("chat", "--once", text, "--json", *options)
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def events(self, http: httpx2.Client, **wanted: str | int) -> list[dict[str, Any]]:
        """All of the home that fit, newest first, page by page."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            params = {"limit": 1000, **wanted, **({"cursor": cursor} if cursor else {})}
            page = http.get("/api/v1/events", params=params)
            assert page.status_code == 200, page.text
            found += page.json()["items"]
            cursor = page.json()["next_cursor"] or ""
            if not cursor:
                return found


@contextmanager
def starting(folder: Path) -> Iterator[Callable[..., Up]]:
    """Starts instances in that folder; those that still run at the end are killed."""
    started: list[Up] = []

    def begin(*options: str, **more: object) -> Up:
        running = Up(folder, *options, **more)  # type: ignore[arg-type]
        started.append(running)
        return running

    yield begin
    for running in started:
        running.kill()


def logged(up: Up) -> list[dict[str, Any]]:
    """The lines on stderr; every one is a JSON object."""
    return [json.loads(line) for line in up.log.read_text().splitlines()]


def is_free(data: Path) -> bool:
    """Does no process have the folder?"""
    return holder(data) is None


def end_the_one_on(data: Path) -> None:
    """End the instance that a command of the test left in the background of this folder."""
    found = find(data)
    if found is None:
        return
    os.kill(found.pid, signal.SIGTERM)
    until(lambda: is_free(data))


def until(holds: Any, *, within_s: float = 30.0) -> Any:
    """What `holds()` gives as soon as that is true: for what another process does in its own time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        value = holds()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("it did not come about in time")


def counted(items: Iterable[Any]) -> dict[Any, int]:
    """How often each occurs."""
    found: dict[Any, int] = {}
    for item in items:
        found[item] = found.get(item, 0) + 1
    return found
