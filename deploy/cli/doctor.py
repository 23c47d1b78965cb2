"""`homeguard doctor`: what a start would meet here: port, folder, lock, versions, clock."""

import argparse
import asyncio
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from deploy.cli.main import data_dir_option
from deploy.instance import find
from deploy.models import chosen, in_words
from deploy.version import VERSION
from homeguard.clock import SystemClock
from homeguard.errors import StartRefused, StoreUnavailable
from homeguard.runtime import TECHNOLOGIES, Technology
from homeguard.settings import Settings, load
from homeguard.stores.sqlite.backup import BACKUPS, snapshots_in
from homeguard.stores.sqlite.incidents import incidents_of, mark_seen
from homeguard.stores.sqlite.lock import holder

_PACKAGES = ("apsw", "chainlit", "fastapi", "google-genai", "langgraph", "mcp", "numpy", "uvicorn")
_LOW_DISK = 1 << 30
_ENGINE_WAIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Finding:
    """`bad` keeps HomeGuard from starting here; `warn` is worth knowing."""

    name: str
    state: Literal["ok", "warn", "bad"]
    text: str


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seen", action="store_true", help="you have read what was damaged: it is told no more")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    data_dir_option(parser)


def run(options: argparse.Namespace) -> int:
    settings = load({"data_dir": options.data_dir, "host": options.host, "port": options.port, "demo": False})
    findings = [finding for check in _CHECKS for finding in check(settings)]
    if options.json:
        print(json.dumps({"ok": all(f.state != "bad" for f in findings), "findings": [asdict(f) for f in findings]}))
    else:
        for finding in findings:
            print(f"{finding.state:5} {finding.name:12} {finding.text}")
    if options.seen:
        mark_seen(settings.data_dir)
    return 1 if any(f.state == "bad" for f in findings) else 0


def _versions(_: Settings) -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", "ok" if sys.version_info >= (3, 11) else "bad", f"{python}, HomeGuard {VERSION}")
    for package in _PACKAGES:
        try:
            yield Finding(package, "ok", version(package))
        except PackageNotFoundError:
            yield Finding(package, "bad", "is not installed: run make install")


def _folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        yield Finding("folder", "bad", f"{existing} cannot be written")
        return
    free = shutil.disk_usage(existing).free
    text = f"{folder}{'' if folder.exists() else ' (made at the first start)'}, {free // (1 << 20)} MiB free"
    yield Finding("folder", "ok" if free > _LOW_DISK else "warn", text)
    key = folder / "local.key"
    if key.exists() and key.stat().st_mode & 0o077:
        yield Finding("local.key", "bad", f"is readable by others: chmod 600 {key}")


def _lock(settings: Settings) -> Iterator[Finding]:
    held = holder(settings.data_dir)
    if held is None:
        yield Finding("lock", "ok", "free: nothing runs on this folder")
        return
    instance = find(settings.data_dir)
    if instance is None:
        yield Finding("lock", "warn", f"process {held.pid} has the folder and does not answer yet")
    else:
        yield Finding("lock", "ok", f"process {instance.pid} runs here and answers at {instance.url}")


def _port(settings: Settings) -> Iterator[Finding]:
    held = holder(settings.data_dir)
    if held is not None and held.address.endswith(f":{settings.port}"):
        yield Finding("port", "ok", f"{settings.port} is ours")
        return
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            yield Finding("port", "bad", f"{settings.port} on {settings.host}: {error.strerror}; use --port")
        else:
            yield Finding("port", "ok", f"{settings.port} on {settings.host} is free")


def _clock(settings: Settings) -> Iterator[Finding]:
    now = time.time()
    written = settings.data_dir / "home.db"
    if now < 1_700_000_000:
        yield Finding("clock", "bad", "the machine's clock stands before November 2023")
    elif written.exists() and written.stat().st_mtime > now + 60:
        yield Finding("clock", "warn", "the clock stands before the last write of this folder")
    else:
        yield Finding("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)))


def _engines(settings: Settings) -> Iterator[Finding]:
    """Each kind of store: who keeps it, and whether that one answers."""
    for technology in TECHNOLOGIES:
        ports = ", ".join(technology.ports)
        if not technology.is_set(settings):
            yield Finding(technology.name, "ok", f"not set: {ports} are embedded")
        else:
            yield asyncio.run(_asked(technology, settings))


async def _asked(technology: Technology, settings: Settings) -> Finding:
    ports = ", ".join(technology.ports)
    try:
        async with asyncio.timeout(_ENGINE_WAIT_S), technology.open(settings, SystemClock()) as opened:
            await opened.engine.ping()
            return Finding(technology.name, "ok", f"{opened.engine.name} {opened.engine.version} keeps {ports}")
    except TimeoutError:
        return Finding(technology.name, "bad", f"does not answer within {_ENGINE_WAIT_S:g} s; it would keep {ports}")
    except StoreUnavailable as error:
        return Finding(technology.name, "warn", f"{error.message}; HomeGuard would start without it and wait for it")
    except StartRefused as error:
        return Finding(technology.name, "bad", error.message)


def _model(settings: Settings) -> Iterator[Finding]:
    """Who answers; nobody is asked."""
    try:
        found = chosen(settings)
    except StartRefused as error:
        yield Finding("model", "bad", error.message)
        return
    asks = "; homeguard models check asks it what it can do" if found is not None else ""
    yield Finding("model", "ok", f"{in_words(settings)}{asks}")


def _kept(settings: Settings) -> Iterator[Finding]:
    """What was damaged and no person has seen yet, and the backups."""
    folder = settings.data_dir
    for incident in incidents_of(folder):
        if not incident.is_seen:
            text = f"{incident.at}: {incident.text}"
            yield Finding("damage", "warn", f"{text} (homeguard doctor --seen when you have read this)")
    if not (folder / "home.db").exists():
        return
    found = {name: snapshots_in(folder / BACKUPS, name)[:1] for name in ("home.db", "events.db")}
    for name, newest in found.items():
        if newest:
            yield Finding("backup", "ok", f"{name} of {newest[0].manifest.made_at} in {newest[0].path}")
        else:
            # the first is made soon after a start
            state: Literal["ok", "warn"] = "warn" if holder(folder) is None else "ok"
            yield Finding("backup", state, f"there is none of {name} yet")


_CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _versions, _folder, _lock, _port, _clock, _kept, _model, _engines,
)  # fmt: skip
