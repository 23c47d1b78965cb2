"""`homeguard migrate`: moves a home from the embedded stores to real engines, or back."""

import argparse
import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from typing import Any, Final

from deploy.cli.main import data_dir_option
from deploy.cli.progress import bar
from deploy.migration import CONCERNS, Count, Ledger, Migration, Progress, Side
from homeguard.clock import Clock, SystemClock
from homeguard.errors import InvalidInput, StartRefused
from homeguard.runtime import TECHNOLOGIES
from homeguard.settings import Settings, load
from homeguard.stores.sqlite.open import open_embedded
from homeguard.stores.sqlite.spool import open_spool

EMBEDDED: Final = "embedded"
#: Scheme of a target -> the setting that it fills.
_SCHEMES: Final = {
    "postgresql": "postgres_url", "postgres": "postgres_url", "timescaledb": "timescale_url",
    "cassandra": "scylla_hosts", "scylla": "scylla_hosts", "mongodb": "mongo_url", "mongodb+srv": "mongo_url",
    "redis": "redis_url", "rediss": "redis_url",
}  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--to", nargs="+", required=True, metavar="URL",
        help="postgresql://..., timescaledb://..., cassandra://HOST:PORT, mongodb://..., redis://...; "
        "'engines': all that the settings name; 'embedded': from those back into the data folder",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the counts as one JSON object")
    data_dir_option(parser)


def run(options: argparse.Namespace) -> int:
    settings = load({"data_dir": options.data_dir, "demo": False})
    back = options.to == [EMBEDDED]
    if not back and options.to != ["engines"]:
        settings = _with_targets(settings, options.to)
    if not any(t.is_set(settings) for t in TECHNOLOGIES if t.name != "Kafka"):
        raise StartRefused("no engine is named: give --to a URL, or set POSTGRES_URL and the others")
    counts = asyncio.run(_move(settings, back=back))
    short = [c for c in counts if c.target < c.source]
    if options.json:
        print(json.dumps({"ok": not short, "counts": [asdict(c) for c in counts]}))
    else:
        for count in counts:
            print(f"{'ok' if count.target >= count.source else 'SHORT':5} {count.concern:14} "
                  f"{count.source} here, {count.target} there")  # fmt: skip
    return 1 if short else 0


def _with_targets(settings: Settings, urls: list[str]) -> Settings:
    """The settings with only these engines."""
    changes: dict[str, Any] = {t.setting: "" for t in TECHNOLOGIES}
    for url in urls:
        scheme, divider, rest = url.partition("://")
        setting = _SCHEMES.get(scheme)
        if not divider or setting is None:
            raise InvalidInput(f"--to takes {', '.join(sorted(_SCHEMES))} URLs, 'engines' or 'embedded'", field="to")
        if setting == "scylla_hosts":
            login, at, hosts = rest.rpartition("@")
            changes["scylla_hosts"] = hosts.strip("/")
            if at:
                changes["scylla_login"] = login
        else:
            changes[setting] = f"postgresql://{rest}" if setting == "timescale_url" else url
    return replace(settings, **changes)


async def _move(settings: Settings, *, back: bool) -> list[Count]:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        local = await stack.enter_async_context(open_embedded(settings.data_dir, clock))
        embedded: dict[str, Any] = {name: getattr(local, name) for name in CONCERNS}
        engines = dict(embedded)
        for technology in TECHNOLOGIES:
            if technology.is_set(settings) and set(technology.ports) & CONCERNS:
                opened = await stack.enter_async_context(technology.open(settings, clock))
                engines |= {port: getattr(opened, port) for port in technology.ports if port in CONCERNS}
        if back:
            await _check_spool(settings, clock)
        source: Side = engines if back else embedded
        target: Side = embedded if back else engines
        ledger = Ledger(settings.data_dir / "migration.json", "back" if back else _names(settings))
        # what Kafka still has for the stores is in this folder's log too, and is read again at the next start
        return await Migration(source, target, ledger, _tell, is_return=back).run()


def _tell(progress: Progress) -> None:
    bar(progress.moved, progress.total, progress.concern)


async def _check_spool(settings: Settings, clock: Clock) -> None:
    """Raises StartRefused: something waits in the folder for an engine, and would be missing from what goes back."""
    path = settings.data_dir / "spool.db"
    if not path.exists():
        return
    async with open_spool(path, clock) as spool:
        waiting = [b for b in await spool.backlogs() if b.rows]
    if waiting:
        told = ", ".join(f"{b.rows} for {b.engine}" for b in waiting)
        raise StartRefused(
            f"{path} still has rows that wait ({told}): start HomeGuard once with its engines, until /ready says that "
            "nothing waits, and stop it"
        )


def _names(settings: Settings) -> str:
    """Where to, without a password."""
    urls = [str(getattr(settings, t.setting)).rpartition("@")[2] for t in TECHNOLOGIES]
    return " ".join(urls)
