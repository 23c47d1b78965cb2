"""The same tests for every set of stores: each test gets a way to open one, and may open it again.

A test module names the ports that it needs (`PORTS`); it runs on every technology that has all of them. Without
`HOMEGUARD_SERVICES` that is the embedded one. With it (the path of the file that `make services` writes) the
technologies whose servers it names come in place of the embedded one; a server that does not answer fails its tests.
"""

import importlib.util
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from homeguard.stores.sqlite.open import open_embedded

#: Opens stores: an object with at least the ports of its technology, by the names that `Stores` gives them.
Opener = Callable[[], AbstractAsyncContextManager[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Technology:
    """`ports` as named in `Stores`; `needs`: the names that the file of services must have. `openers` is the file of
    this folder whose `fresh(services, clock, technology, name)` is an async context manager that gives an `Opener` on a
    namespace of its own (`name`), which is gone afterwards."""

    ports: frozenset[str]
    needs: tuple[str, ...] = ()
    openers: str = ""
    #: What this stand-in is known not to do; tests marked `needs("...")` of it are deselected and printed.
    lacks: frozenset[str] = frozenset()


_MONGO = frozenset(("devices", "automations", "conversations", "memory", "personal"))
TECHNOLOGIES: Mapping[str, Technology] = {
    "embedded": Technology(
        ports=frozenset(
            ("log", "users", "sessions", "devices", "live", "feed", "events", "anomalies", "alerts", "readings",
             "journal", "confirmations", "audit", "pins", "permissions", "automations", "conversations", "memory",
             "outbox", "schedules", "lists", "limits", "contexts", "personal")
        )
    ),
    "guarded": Technology(
        ports=frozenset(
            ("users", "sessions", "devices", "live", "feed", "events", "anomalies", "alerts", "readings", "journal",
             "confirmations", "audit", "pins", "permissions", "automations", "conversations", "memory", "outbox",
             "schedules", "lists", "personal")
        ),
        openers="opener_guarded.py",
    ),
    "postgres": Technology(
        ports=frozenset(
            ("users", "sessions", "journal", "confirmations", "audit", "pins", "permissions", "outbox", "schedules",
             "lists", "personal")
        ),
        needs=("POSTGRES_URL",), openers="opener_postgres.py",
    ),
    "timescale-plain": Technology(
        ports=frozenset(("readings", "personal")), needs=("TIMESCALE_URL",), openers="opener_timescale.py"
    ),
    "timescale-extension": Technology(
        ports=frozenset(("readings", "personal")), needs=("TIMESCALE_EXTENSION_URL",), openers="opener_timescale.py"
    ),
    "scylla": Technology(
        ports=frozenset(("events", "anomalies", "alerts", "personal")), needs=("SCYLLA_HOSTS",),
        openers="opener_scylla.py",
    ),
    "mongo-atomic": Technology(
        ports=_MONGO, needs=("MONGO_URL",), openers="opener_mongo.py", lacks=frozenset(("durable",))
    ),
    "mongo-durable": Technology(
        ports=_MONGO, needs=("MONGO_DURABLE_URL",), openers="opener_mongo.py", lacks=frozenset(("atomic",))
    ),
    "redis": Technology(
        ports=frozenset(("live", "feed", "limits", "contexts", "personal")), needs=("REDIS_URL",),
        openers="opener_redis.py",
    ),
    "kafka": Technology(ports=frozenset(("log",)), needs=("KAFKA_BROKERS",), openers="opener_kafka.py"),
}  # fmt: skip


class SteppedClock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, delay_s: float) -> None:
        self.at += timedelta(seconds=delay_s)


def services(config: pytest.Config) -> dict[str, str]:
    """What the file of services says, `{}` without one."""
    path = config.getoption("services")
    if not path:
        return {}
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "technology" not in metafunc.fixturenames:
        return
    given = services(metafunc.config)
    wanted = frozenset(metafunc.module.PORTS)
    names = [
        name
        for name, technology in TECHNOLOGIES.items()
        if wanted <= technology.ports and (set(technology.needs) <= set(given) if given else not technology.needs)
        and (bool(technology.needs) or not given)
    ]  # fmt: skip
    metafunc.parametrize("technology", names, indirect=True, scope="function")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept, dropped = [], []
    for item in items:
        name = getattr(getattr(item, "callspec", None), "params", {}).get("technology", "")
        lacks = TECHNOLOGIES[name].lacks if name in TECHNOLOGIES else frozenset()
        needed = {word for mark in item.iter_markers("needs") for word in mark.args}
        (dropped if needed & lacks else kept).append(item)
    if dropped:
        items[:] = kept
        config.hook.pytest_deselected(items=dropped)
    given = services(config)
    absent = [] if not given else [n for n, t in TECHNOLOGIES.items() if t.needs and not set(t.needs) <= set(given)]
    config.stash[_LACKING] = [f"{n}: no {'/'.join(TECHNOLOGIES[n].needs)} here" for n in absent] + [
        item.nodeid for item in dropped
    ]


_LACKING = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for line in config.stash.get(_LACKING, []):
        terminalreporter.write_line(f"deselected  {line}")


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def technology(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ports(technology: str) -> frozenset[str]:
    """What the technology keeps."""
    return TECHNOLOGIES[technology].ports


@pytest.fixture
async def opener(
    technology: str, request: pytest.FixtureRequest, tmp_path: Path, clock: SteppedClock
) -> AsyncIterator[Opener]:
    """Opens the same stores again and again; one at a time."""
    if technology == "embedded":
        yield lambda: open_embedded(tmp_path / "data", clock)
        return
    module = _load(TECHNOLOGIES[technology].openers)
    async with module.fresh(services(request.config), clock, technology, f"t{uuid.uuid4().hex[:12]}") as fresh:
        yield fresh


@pytest.fixture
async def stores(opener: Opener) -> AsyncIterator[Any]:
    async with opener() as opened:
        yield opened


@cache
def _load(name: str) -> ModuleType:
    """The module of that file, once: what is slow to make is made once a process."""
    spec = importlib.util.spec_from_file_location(Path(name).stem, Path(__file__).parent / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
