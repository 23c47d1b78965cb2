"""A HomeGuard and a Mosquitto of the run's own: the server on all cores, everything that loads it on the last one."""

import asyncio
import contextlib
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.bench.load import drive, request
from homeguard.clock import SystemClock
from homeguard.identity.keys import local_key
from homeguard.identity.tokens import Tokens
from homeguard.model import Device, Home, Member, User
from homeguard.stores.sqlite.open import open_embedded

EMAIL = "bench@example.com"
HOME = "bench"
DEVICES = 50
#: Answered by the MCP servers, which come in behind the start, with the agent.
_LATE = "/.well-known/oauth-protected-resource/mcp"
#: At rest it used less processor than that within a second; and it comes to rest within so many.
_IDLE_S = 0.1
_SETTLE_LIMIT_S = 60


@dataclass(frozen=True, slots=True)
class Cores:
    """The server's, and the one that the generator and the broker keep to: another one where there are two."""

    server: frozenset[int]
    generator: int


@dataclass(frozen=True, slots=True)
class Instance:
    """A server that said `ready`, that many seconds after it was started."""

    port: int
    pid: int
    started_s: float

    def cpu_s(self) -> float:
        """Seconds of processor that it has used: unlike its speed, other programs on the machine hardly change that."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mib(self) -> float:
        resident = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return resident * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def pinned() -> Cores:
    """Move this process (and the broker, which it starts) to the generator's core, the last one.

    The server has the others to itself, as if the senders were on other machines.
    """
    cores = os.sched_getaffinity(0)
    chosen = Cores(server=frozenset(cores - {max(cores)}) or frozenset(cores), generator=max(cores))
    os.sched_setaffinity(0, {chosen.generator})
    return chosen


def in_a_folder(bench: Callable[[Path], Coroutine[Any, Any, None]], *, within: Path | None = None) -> int:
    """Run a bench in a folder that is gone afterwards (`within` another one; default: the system's). Always 0."""
    folder = Path(tempfile.mkdtemp(prefix="homeguard-bench-", dir=within))
    try:
        asyncio.run(bench(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def machine(cores: Cores) -> str:
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, Python {platform.python_version()}; server on core "
        f"{', '.join(map(str, sorted(cores.server)))}, generator and broker on core {cores.generator}; "
        f"load average {os.getloadavg()[0]:.1f}"
    )


class Stolen:
    """How much of the cores the host gave to others while this machine wanted to run, since it was made: what a figure
    of a virtual machine has to be read by."""

    def __init__(self) -> None:
        self._begun = self._now()

    def percent(self) -> float:
        """Of all cores; 0 where the kernel does not tell."""
        (before, begun), (after, now) = self._begun, self._now()
        return 100 * (after - before) / ((now - begun) * (os.cpu_count() or 1))

    @staticmethod
    def _now() -> tuple[float, float]:
        fields = Path("/proc/stat").read_text().partition("\n")[0].split()
        return (int(fields[8]) / os.sysconf("SC_CLK_TCK") if len(fields) > 8 else 0.0), time.perf_counter()


def token_for(data: Path) -> str:
    return Tokens(local_key(data), SystemClock()).operator(EMAIL, "api")


async def prepare(data: Path) -> None:
    """One person, one home, 50 devices."""
    clock = SystemClock()
    async with open_embedded(data, clock) as stores:
        await stores.users.put_user(User(id=HOME, email=EMAIL, name="Bench", created_at=clock.now()), "-")
        await stores.users.put_home(Home(id=HOME, name="Bench"))
        await stores.users.put_member(Member(home_id=HOME, user_id=HOME, role="owner"))
        kind = ("motion", "climate")
        await stores.devices.put(
            [
                Device(home_id=HOME, id=f"sensor-{i}", name=f"Sensor {i}", type="motion", capabilities=kind)
                for i in range(DEVICES)
            ]
        )
    local_key(data)


@contextlib.asynccontextmanager
async def serving(data: Path, broker: str, cores: Cores, *, settled: bool = True) -> AsyncIterator[Instance]:
    """`homeguard up` on that folder, on its cores, without demo, simulator and rate limits.

    `settled`: also the assistant is there, which is loaded behind `ready` and takes two seconds of processor.
    """
    port = free_port()
    environment = {
        **os.environ,
        "HOMEGUARD_RATE_LIMITS": "off",
        "HOMEGUARD_LOG_LEVEL": "warning",
        # canaries are records too, and rows are counted
        "HOMEGUARD_CANARY_S": "0",
    }
    if broker:
        environment["MQTT_URL"] = broker
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli.main", "up", "--no-demo", "--no-simulator", "--port", str(port),
         "--data-dir", str(data)],
        stdout=subprocess.PIPE, env=environment, start_new_session=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores.server),
    )  # fmt: skip
    try:
        assert process.stdout is not None
        while b"ready" not in await asyncio.to_thread(process.stdout.readline):
            if process.poll() is not None:
                raise RuntimeError("the server did not start")
        instance = Instance(port=port, pid=process.pid, started_s=time.perf_counter() - begun)
        if settled:
            await _settle(instance)
        yield instance
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 30)


async def arrive(instance: Instance) -> None:
    """Returns when what is loaded behind the start is there."""
    measured = await drive(instance.port, [request("GET", _LATE, b"", "")], connections=1, expected=200)
    if measured.failed:
        raise RuntimeError("the assistant did not come")


async def _settle(instance: Instance) -> None:
    """Returns when all is there and it has done next to nothing for a second."""
    await arrive(instance)
    used = -1.0
    for _ in range(_SETTLE_LIMIT_S):
        before, used = used, instance.cpu_s()
        if before >= 0 and used - before < _IDLE_S:
            return
        await asyncio.sleep(1)
    raise RuntimeError("the server does not come to rest")


@contextlib.contextmanager
def mosquitto(folder: Path) -> Iterator[str]:
    """The URL of a Mosquitto of this run's own, or "" where there is none."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        print("no Mosquitto here: the MQTT rows are left out")
        yield ""
        return
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\n"
        "max_inflight_messages 2000\nlog_type error\n"
    )
    process = subprocess.Popen([program, "-c", str(config)], start_new_session=True)
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            time.sleep(0.05)
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
