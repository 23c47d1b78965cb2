"""Backups that nobody has to think of: `home.db` every minute, `events.db` every day, both checked every night; and
what was damaged is told to the people of each home."""

import asyncio
import contextlib
import json
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from deploy.version import VERSION
from homeguard.clock import Clock, iso, parse_time, pause
from homeguard.errors import HomeGuardError
from homeguard.ids import derived_id
from homeguard.model import Alert
from homeguard.ports.stores import Stores
from homeguard.runtime import Folder
from homeguard.stores.sqlite.backup import (
    BACKUPS,
    FILES,
    Snapshot,
    check_database,
    faults_of,
    prune,
    put_back,
    snapshots_in,
    stamp,
    take,
)
from homeguard.stores.sqlite.incidents import Incident, incidents_of
from homeguard.stores.sqlite.open import schemas
from pipeline.handlers.notices import live_of, notices_of

log = logging.getLogger("homeguard")

#: A snapshot of `home.db` is at most about so old while things change.
HOME_EVERY: Final = timedelta(seconds=45)
EVENTS_EVERY: Final = timedelta(days=1)
CHECK_EVERY: Final = timedelta(days=1)
HOME_NEWEST: Final = 3
HOME_DAYS: Final = 7
#: A large `events.db` is kept once, a smaller one twice.
LARGE_BYTES: Final = 256 << 20
#: After a failure, for example of a full disk.
AGAIN_EVERY: Final = timedelta(minutes=2)
TELL_EVERY: Final = timedelta(seconds=5)

_TICK_S: Final = 1.0
_CHECKED: Final = "checked.json"
_END_S: Final = 5.0


class Safekeeping:
    """Makes and checks the backups of one folder. `safekeeping` runs it."""

    def __init__(self, folder: Folder, stores: Stores, clock: Clock, history_ready: asyncio.Event) -> None:
        self._folder = folder
        self._backups = folder.data_dir / BACKUPS
        self._stores = stores
        self._clock = clock
        self._history_ready = history_ready
        self._stop = asyncio.Event()
        self._made: dict[str, datetime] = {}
        self._state: dict[str, tuple[int, ...]] = {}
        self._not_before: dict[str, datetime] = {}
        self._reasons: dict[str, str] = {}
        self._checked: dict[str, Any] = {}
        self._told: set[str] = set()

    def health(self) -> Mapping[str, Any]:
        """For `/ready`: HomeGuard goes on without a backup, and says so."""
        reason = "; ".join(self._reasons.values()) or str(self._checked.get("fault", ""))
        told: dict[str, Any] = {"ok": not reason, "tolerated": True, "engine": "files"}
        told |= {f"{name}_at": iso(at) for name, at in self._made.items()}
        if self._checked:
            told["checked_at"] = self._checked["at"]
        if reason:
            told["reason"] = reason
        return told

    async def run(self) -> None:
        await asyncio.to_thread(self._find)
        while not self._stop.is_set():
            for job in (self._tell, self._keep_home, self._keep_events, self._check):
                try:
                    await job()
                except HomeGuardError as error:
                    log.warning("safekeeping: %s", error.message)
                except Exception:  # backups must not end because one of them failed
                    log.exception("safekeeping: %s", job.__name__)
            await pause(self._clock, _TICK_S, until=self._stop)

    def stop(self) -> None:
        self._stop.set()

    def _find(self) -> None:
        for name in ("home", "events"):
            found = [s for s in snapshots_in(self._backups, f"{name}.db") if s.path.name.startswith(f"{name}-")]
            if found:
                self._made[name] = found[0].made_at
        with contextlib.suppress(OSError, ValueError):
            self._checked = json.loads((self._backups / _CHECKED).read_text(encoding="utf-8"))

    async def _keep_home(self) -> None:
        now, state = self._clock.now(), self._state_of("home.db")
        if self._is_due("home", HOME_EVERY, now) and self._state.get("home") != state:
            await self._keep("home", now)
            self._state["home"] = state
            await asyncio.to_thread(prune, self._backups, "home-", now, newest=HOME_NEWEST, days=HOME_DAYS)

    async def _keep_events(self) -> None:
        now = self._clock.now()
        if self._history_ready.is_set() and self._is_due("events", EVENTS_EVERY, now):
            snapshot = await self._keep("events", now)
            newest = 1 if snapshot.manifest.parts["events.db"].size > LARGE_BYTES else 2
            await asyncio.to_thread(prune, self._backups, "events-", now, newest=newest, days=0)

    def _is_due(self, name: str, every: timedelta, now: datetime) -> bool:
        if now < self._not_before.get(name, now):
            return False
        made = self._made.get(name)
        # a clock that was set back does not stop the backups
        return made is None or not made <= now < made + every

    async def _keep(self, name: str, now: datetime) -> Snapshot:
        """One snapshot, checked. Raises StorageFull, StoreUnavailable; then it is tried again later."""
        target = self._backups / f"{name}-{stamp(now)}"
        try:
            snapshot = await asyncio.to_thread(
                take, self._folder.data_dir, target, [f"{name}.db"], version=VERSION, now=now, is_wanted=self._is_wanted
            )
        except HomeGuardError as error:
            self._not_before[name] = now + AGAIN_EVERY
            if not self._stop.is_set():
                self._reasons[name] = error.message
            raise
        self._made[name] = now
        self._reasons.pop(name, None)
        return snapshot

    def _is_wanted(self) -> bool:
        return not self._stop.is_set()

    def _state_of(self, name: str) -> tuple[int, ...]:
        """Changes whenever the database does."""
        told = []
        for path in (self._folder.data_dir / name, self._folder.data_dir / f"{name}-wal"):
            with contextlib.suppress(OSError):
                found = path.stat()
                told += [found.st_mtime_ns, found.st_size]
        return tuple(told)

    async def _check(self) -> None:
        now = self._clock.now()
        at = self._checked.get("at")
        if at is not None and parse_time(at) <= now < parse_time(at) + CHECK_EVERY:
            return
        if "home" not in self._made or (at is None and "events" not in self._made):
            return
        fault = await asyncio.to_thread(self._rehearse)
        self._checked = {"at": iso(now), "fault": fault}
        await asyncio.to_thread(self._write_checked)
        if fault:
            self._folder.incidents.tell("backups", f"the newest backup is not sound: {fault}", is_loss=True)

    def _rehearse(self) -> str:
        """Restore the newest backup of each database beside, and look at it; what is wrong, "" for nothing."""
        faults = []
        for name in ("home.db", "events.db"):
            for snapshot in snapshots_in(self._backups, name)[:1]:
                small = [part for part in FILES if part in snapshot.manifest.parts]
                faults += faults_of(snapshot, schemas(), [name, *small])
                if not faults and snapshot.manifest.parts[name].size <= LARGE_BYTES:
                    with tempfile.TemporaryDirectory(dir=self._backups, prefix="rehearsal-") as beside:
                        put_back(snapshot, name, Path(beside) / name)
                        faults += check_database(Path(beside) / name, is_wanted=self._is_wanted)
        return "; ".join(faults)

    def _write_checked(self) -> None:
        draft = self._backups / f"{_CHECKED}.new"
        draft.write_text(json.dumps(self._checked), encoding="utf-8")
        os.replace(draft, self._backups / _CHECKED)

    async def _tell(self) -> None:
        """What was damaged, as an alert to each home; once, whatever happens in between."""
        now = self._clock.now()
        if now < self._not_before.get("tell", now):
            return
        self._not_before["tell"] = now + TELL_EVERY
        new = [i for i in incidents_of(self._folder.data_dir) if i.is_loss and not i.is_seen and i.id not in self._told]
        for incident in new:
            for home in await self._stores.users.homes():
                alert = _alert(incident, home.id)
                members = await self._stores.users.members(home.id)
                await self._stores.alerts.raise_([alert])
                put = await self._stores.outbox.put(notices_of(alert, members))
                if put:
                    await self._stores.feed.publish([live_of(alert)])
            self._told.add(incident.id)


def _alert(incident: Incident, home_id: str) -> Alert:
    return Alert(
        id=derived_id("storage", incident.id, home_id),
        home_id=home_id,
        at=parse_time(incident.at),
        kind="storage_damaged",
        severity=incident.severity,
        title="HomeGuard found damaged data",
        text=incident.text[:1000],
    )


@asynccontextmanager
async def safekeeping(
    folder: Folder, stores: Stores, clock: Clock, history_ready: asyncio.Event, tasks: asyncio.TaskGroup
) -> AsyncIterator[Safekeeping]:
    """Backups are made for the length of the block; one that is under way at its end is given up."""
    made = Safekeeping(folder, stores, clock, history_ready)
    task = tasks.create_task(made.run(), name="safekeeping")
    try:
        yield made
    finally:
        made.stop()
        await asyncio.wait([task], timeout=_END_S)
        task.cancel()
