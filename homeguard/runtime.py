"""Opens the stores that the settings name, one per concern, and closes them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from homeguard.clock import Clock
from homeguard.errors import StartRefused
from homeguard.identity.keys import derive, local_key
from homeguard.ids import new_id
from homeguard.ports.log import Log
from homeguard.ports.stores import Stores
from homeguard.settings import Settings
from homeguard.stores.guarded.followed import Followed
from homeguard.stores.sqlite.lock import Held, Holder, hold, holder
from homeguard.stores.sqlite.open import open_embedded, schemas
from homeguard.stores.sqlite.recovery import Folder
from homeguard.stores.sqlite.retention import SHORTEST, Keep
from homeguard.stores.sqlite.spool import open_spool

__all__ = [
    "TECHNOLOGIES", "Folder", "Held", "Holder", "Opened", "Stores", "Technology", "hold", "holder", "open_stores",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Technology:
    """A kind of server: the setting that turns it on, the ports that it then keeps (by their names in `Stores`), and
    what opens it. Its driver is imported only then."""

    name: str
    setting: str
    ports: tuple[str, ...]
    open: Callable[[Settings, Clock], AbstractAsyncContextManager[Any]]
    #: How long one call to it may take.
    deadline_s: float = 2.0

    def is_set(self, settings: Settings) -> bool:
        return bool(getattr(settings, self.setting))


def _postgres(settings: Settings, clock: Clock) -> AbstractAsyncContextManager[Any]:
    from homeguard.stores.postgres.open import open_postgres

    return open_postgres(settings.postgres_url, clock, audit_key=audit_key(settings))


def _timescale(settings: Settings, clock: Clock) -> AbstractAsyncContextManager[Any]:
    from homeguard.stores.timescale.open import open_timescale

    return open_timescale(settings.timescale_url, clock)


def _scylla(settings: Settings, clock: Clock) -> AbstractAsyncContextManager[Any]:
    from homeguard.stores.scylla.open import open_scylla

    return open_scylla(settings.scylla_hosts, clock, keyspace=settings.scylla_keyspace, login=settings.scylla_login)


def _mongo(settings: Settings, clock: Clock) -> AbstractAsyncContextManager[Any]:
    from homeguard.stores.mongo.open import open_mongo

    return open_mongo(settings.mongo_url, clock)


def _redis(settings: Settings, clock: Clock) -> AbstractAsyncContextManager[Any]:
    from homeguard.stores.redis.open import open_redis

    return open_redis(settings.redis_url, clock)


def _kafka(settings: Settings, clock: Clock) -> AbstractAsyncContextManager[Any]:
    from homeguard.stores.kafka.open import open_kafka

    return open_kafka(
        settings.kafka_brokers, clock, instance=instance_of(settings.data_dir), prefix=settings.kafka_prefix
    )


TECHNOLOGIES: Final = (
    Technology(
        name="PostgreSQL", setting="postgres_url", open=_postgres,
        ports=("users", "sessions", "journal", "confirmations", "audit", "pins", "permissions", "outbox", "schedules",
               "lists"),
    ),
    Technology(name="TimescaleDB", setting="timescale_url", open=_timescale, ports=("readings",)),
    Technology(name="Scylla", setting="scylla_hosts", open=_scylla, ports=("events", "anomalies", "alerts")),
    Technology(
        name="MongoDB", setting="mongo_url", open=_mongo, ports=("devices", "automations", "conversations", "memory")
    ),
    Technology(name="Redis", setting="redis_url", open=_redis, ports=("live", "feed", "limits", "contexts")),
    Technology(name="Kafka", setting="kafka_brokers", open=_kafka, ports=("log",)),
)  # fmt: skip


#: The concern that `/ready` names -> the technology that keeps it when its setting is there, and its embedded keeper.
CONCERNS: Final[Mapping[str, tuple[str, str]]] = {
    "users": ("PostgreSQL", "SQLite"), "readings": ("TimescaleDB", "SQLite"), "events": ("Scylla", "SQLite"),
    "devices": ("MongoDB", "SQLite"), "live": ("Redis", "SQLite"), "stream": ("Kafka", "files"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """`stores`: as people see them, the engine first and this folder's copy while it is away. `near`: as reflexes see
    them, this folder first, never waiting for a remote store where a reflex could. `stream`: the log that all processes
    share, None when `stores.log` is the only one. `health`: concern -> `{"ok", "engine", "version", ...}`."""

    stores: Stores
    near: Stores
    stream: Log | None
    health: Callable[[], Mapping[str, Mapping[str, Any]]]
    #: This process's data folder: what was mended in it, and what is to be told of it.
    folder: Folder
    #: When this folder's copy of a concern was last in step with its engine; None: not since the start.
    in_step_at: Callable[[str], datetime | None]


@asynccontextmanager
async def open_stores(
    settings: Settings, clock: Clock, *, held: Held | None = None, keeps_live: bool = True, is_shared: bool = False
) -> AsyncIterator[Opened]:
    """Every store, opened for the length of the block: on its engine where a URL is set, else embedded in `data_dir`.

    `held` says that the caller has the folder already (`hold`). `keeps_live`: reflexes run in this process, so that it
    is the first to know how a device is; `is_shared`: other processes run some of them too.

    Raises:
        StartRefused: another process has the folder, what lies in it is damaged or newer than this program, or an
            engine refuses us (password, database, a newer schema). One that is only away comes later.
    """
    async with AsyncExitStack() as stack:
        folder = Folder(settings.data_dir, clock, schemas())
        local = await stack.enter_async_context(
            open_embedded(
                settings.data_dir,
                clock,
                held=held,
                folder=folder,
                keep=_keep(settings),
                audit_key=partial(audit_key, settings),
            )
        )
        followed = Followed(settings.data_dir / "followed.json", _places(settings))
        engines = await _guards(settings, clock, stack)
        if not engines:
            yield Opened(
                stores=local, near=local, stream=None, folder=folder,
                health=lambda: {**_health({}, {}), "storage": folder.health()}, in_step_at=lambda _: clock.now(),
            )  # fmt: skip
            return
        from homeguard.stores.guarded.assembly import assemble

        spool = await stack.enter_async_context(open_spool(settings.data_dir / "spool.db", clock))
        assembled = await assemble(
            local, engines, spool, clock, stack, keeps_live=keeps_live, is_shared=is_shared, followed=followed
        )
        yield Opened(
            stores=assembled.stores,
            near=assembled.near,
            stream=assembled.stream,
            folder=folder,
            health=lambda: {**_health(engines, assembled.waiting()), "storage": folder.health()},
            in_step_at=assembled.in_step_at,
        )


async def _guards(settings: Settings, clock: Clock, stack: AsyncExitStack) -> dict[str, Any]:
    """A guarded engine for each technology that is set, by name; all are looked for at the same time."""
    wanted = [t for t in TECHNOLOGIES if t.is_set(settings)]
    if not wanted:
        return {}
    from homeguard.stores.guarded.engine import guard

    found = await asyncio.gather(
        *(
            stack.enter_async_context(guard(t.name, partial(t.open, settings, clock), clock, deadline_s=t.deadline_s))
            for t in wanted
        ),
        return_exceptions=True,
    )
    for technology, answer in zip(wanted, found, strict=True):
        if isinstance(answer, StartRefused) and (name := technology.setting.upper()) not in answer.message:
            # two of them may be the same kind of server at the same place
            raise StartRefused(f"{name}: {answer.message}") from answer
        if isinstance(answer, BaseException):
            raise answer
    return {t.name: engine for t, engine in zip(wanted, found, strict=True)}


def audit_key(settings: Settings) -> bytes:
    """What seals the beginning of an audit whose first rows left. Raises StartRefused: `local.key` is not as it was."""
    return derive(local_key(settings.data_dir, settings.jwt_secret), "audit")


def _keep(settings: Settings) -> Keep:
    """How long events and readings stay in this folder's files."""
    kept: dict[str, timedelta | None] = {}
    for name in ("events", "readings"):
        days: int = getattr(settings, f"keep_{name}_days")
        if days and timedelta(days=days) < SHORTEST:
            raise StartRefused(
                f"HOMEGUARD_KEEP_{name.upper()}_DAYS={days}: 0 keeps {name} without end, "
                f"{SHORTEST.days} days are the least, as the log may be read again"
            )
        kept[name] = timedelta(days=days) if days else None
    return Keep(**kept)


def _places(settings: Settings) -> Mapping[str, str]:
    """Concern -> host, port and name of what keeps it, without who asks and how."""
    return {
        port: str(getattr(settings, t.setting)).rpartition("@")[2].partition("?")[0]
        for t in TECHNOLOGIES
        if t.is_set(settings)
        for port in t.ports
    }


def _health(engines: Mapping[str, Any], waiting: Mapping[str, int]) -> Mapping[str, Mapping[str, Any]]:
    """An engine that is away is `tolerated`: HomeGuard goes on without it."""
    told: dict[str, Mapping[str, Any]] = {}
    for concern, (technology, embedded) in CONCERNS.items():
        engine = engines.get(technology)
        if engine is None:
            told[concern] = {"ok": True, "engine": embedded}
            continue
        health = engine.health().as_json()
        told[concern] = {**health, "tolerated": True, "waiting": waiting.get(technology, 0)}
    return told


def instance_of(data_dir: Path) -> str:
    """The name of this folder's process among those of one installation; kept, so that a restarted one is known."""
    path = data_dir / "instance"
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        name = new_id()[-12:]
        path.write_text(name + "\n", encoding="ascii")
        return name
    except (OSError, UnicodeDecodeError) as error:
        raise StartRefused(f"{path} cannot be read: {error}") from error
