"""The state of a data folder between two starts: what it must hold, whether it ended well, and how damage is mended.

A damaged or missing file goes to `quarantine/<time>/`, the newest good snapshot takes its place, and the groups that
fill it go back to where that snapshot was. What happened is an incident, told until a person has seen it. Where there
is neither snapshot nor log, nothing is touched and nothing starts.
"""

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from homeguard.clock import Clock, iso, parse_time
from homeguard.errors import StartRefused, StoreUnavailable
from homeguard.files import sync_directory
from homeguard.stores.sqlite.backup import FILLED_BY, Snapshot, check_database, put_back, stamp
from homeguard.stores.sqlite.condition import (
    RESTORED,
    Condition,
    digest_of,
    fingerprint_of,
    read_condition,
    restored_condition,
    write_condition,
)
from homeguard.stores.sqlite.database import Database
from homeguard.stores.sqlite.incidents import Incidents
from homeguard.stores.sqlite.judging import Judging, held_before
from homeguard.stores.sqlite.log_recovery import LogDamage
from homeguard.stores.sqlite.offsets import DECIDED, come_to, load_offsets, note_decided, save_offsets
from homeguard.stores.sqlite.page_sums import sums_path
from homeguard.stores.sqlite.replacements import Replacements
from homeguard.stores.sqlite.restore import finish
from homeguard.stores.sqlite.segments import segments_in

ACCEPT_LOSS: Final = "accept-loss"

_QUARANTINE: Final = "quarantine"
#: What nothing else hangs on, and what is lost with it.
_BEGINS_ANEW: Final[Mapping[str, str]] = {
    "checkpoints.db": "turns of the assistant that waited are gone",
    "spool.db": "what waited for an engine is only in this folder's own copies",
}
_NO_WAY: Final = (
    "nothing was changed; put a backup in its place (homeguard restore PATH), or begin without what is lost "
    "(homeguard restore --accept-loss, then start again)"
)

_log = logging.getLogger(__name__)


class Folder:
    """One data folder, in the hands of one process (`hold`): `mend`, then open the files, `opened`, and at the end
    `closed`."""

    def __init__(self, data_dir: Path, clock: Clock, schemas: Mapping[str, int]) -> None:
        """`schemas`: the newest that this program knows, of each database."""
        self.data_dir = data_dir
        self.incidents = Incidents(data_dir, clock)
        self._clock = clock
        self._condition = Condition(is_clean=True)
        self._replacements = Replacements(data_dir, schemas)
        self._judging = Judging(data_dir, self._condition, self._replacements, self.incidents)
        #: Databases that this start found damaged and could only begin anew.
        self.begun_anew: set[str] = set()
        self._checking: set[str] = set()
        self._stop = threading.Event()

    @property
    def mended_at(self) -> datetime | None:
        """When a snapshot last took the place of `home.db`: of what is older, the journal may not know everything."""
        return parse_time(self._condition.mended_at) if self._condition.mended_at else None

    @property
    def decided(self) -> Mapping[str, int]:
        """Group -> how far it had come in the log at `mended_at`, for those that fill `home.db`."""
        noted = self.data_dir / "log" / DECIDED
        return load_offsets(noted) if noted.is_dir() else {}

    def mend(self) -> None:
        """Judge every file, and mend what is damaged. Nobody has them open.

        Raises:
            StartRefused: something is damaged that nothing can mend; everything is as it was.
        """
        try:
            finish(self.data_dir)
            known = read_condition(self.data_dir) or restored_condition(self.data_dir)
            self._condition = known or Condition(is_clean=False, parts=held_before(self.data_dir))
            self._judging = Judging(self.data_dir, self._condition, self._replacements, self.incidents)
            for name in ("home.db", "events.db", "spool.db", "checkpoints.db"):
                fault = self._judging.fault_of(name)
                if fault:
                    self._mend_database(name, fault)
            self._mend_key()
            self._mend_session()
            log = self.data_dir / "log"
            # the parts are only noted when the log is open: a first start that was cut off before had none
            if known is not None and known.parts and not (log.is_dir() and segments_in(log)):
                self.incidents.tell("log", "the log is gone, and with it what was not processed yet", is_loss=True)
            (self.data_dir / ACCEPT_LOSS).unlink(missing_ok=True)
            self._write(is_clean=False)
            (self.data_dir / RESTORED).unlink(missing_ok=True)
        except OSError as error:
            raise StartRefused(f"{self.data_dir} cannot be read or mended: {error}") from error

    def opened(self, damage: Sequence[LogDamage]) -> None:
        """The files are open; `damage` is what the log found. Raises OSError."""
        for found in damage:
            aside = f"; the damaged file is in {found.put_aside}" if found.put_aside else ""
            self.incidents.tell("log", found.text + aside, is_loss=found.is_loss)
        parts = [name for name in ("home.db", "events.db", "spool.db") if (self.data_dir / name).exists()]
        if "checkpoints.db" in self._condition.parts:
            parts.append("checkpoints.db")
        self._condition = msgspec.structs.replace(self._condition, parts=tuple(parts))
        self._write(is_clean=False)

    def closed(self) -> None:
        """Everything is closed in good order. Raises OSError."""
        self._stop.set()
        digests = {}
        for name in ("checkpoints.db", "mqtt-session"):
            path = self.data_dir / name
            if path.exists() and not path.with_name(name + "-wal").exists():
                digests[name] = digest_of(path)
        parts = [*self._condition.parts]
        if (self.data_dir / "checkpoints.db").exists() and "checkpoints.db" not in parts:
            parts.append("checkpoints.db")
        self._condition = msgspec.structs.replace(
            self._condition, parts=tuple(parts), digests=digests, key=fingerprint_of(self.data_dir / "local.key")
        )
        self._write(is_clean=True)

    async def check(self, databases: Mapping[str, Database]) -> None:
        """Judge the large files, and note the sums of pages that have none, beside all other work."""
        self._checking |= databases.keys()
        for name, database in databases.items():
            try:
                wrong = await database.verify()
                faults = [f"{len(wrong)} pages are not what was written, the first is page {wrong[0]}"] if wrong else []
                if not faults and self._judging.is_unclean and name in self._judging.later:
                    faults = await asyncio.to_thread(check_database, database.path, is_wanted=self._is_open)
                if faults:
                    # what is open cannot be changed for another file: the next start does that
                    await asyncio.to_thread(sums_path(database.path).with_suffix(".damaged").write_text, faults[0])
                    self.incidents.tell(
                        name, f"{name} is damaged ({faults[0]}): restart HomeGuard to mend it", is_loss=True
                    )
            except (StoreUnavailable, OSError) as error:
                _log.warning("%s could not be checked: %s", name, error)
            finally:
                self._checking.discard(name)

    def _is_open(self) -> bool:
        return not self._stop.is_set()

    def end_checks(self) -> None:
        """Before the files are closed: what `check` does in threads ends soon."""
        self._stop.set()

    def health(self) -> dict[str, Any]:
        """For `/ready`: `tolerated`, because HomeGuard goes on with what was saved."""
        waiting = self.incidents.waiting()
        told: dict[str, Any] = {"ok": not waiting, "tolerated": True, "engine": "files"}
        if self._checking:
            told["checking"] = sorted(self._checking)
        if waiting:
            told["reason"] = f"{waiting[-1].text} (homeguard doctor --seen)"
            told["incidents"] = len(waiting)
        return told

    # --- mending

    def _mend_database(self, name: str, fault: str) -> None:
        snapshot = self._replacements.newest_good(name)
        offsets, became, lost = self._way_on(name, fault, snapshot)
        aside = self.data_dir / _QUARANTINE / stamp(self._clock.now())
        losses = "; ".join(filter(None, lost))
        text = f"{fault}; {became}{'; ' + losses if losses else ''}; the damaged file is in {aside}"
        # told first: a crash on the way must not hide it
        self.incidents.tell(name, text, is_loss=True, quarantine=str(aside))
        aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        (aside / "reason.txt").write_text(text + "\n", encoding="utf-8")
        if name == "home.db":
            # before anything is set back, so that a crash on the way forgets neither
            self._condition = msgspec.structs.replace(self._condition, mended_at=iso(self._clock.now()))
            self._write(is_clean=False)
            if (log := self.data_dir / "log").is_dir():
                note_decided(log, come_to(log, FILLED_BY[name]))
        # groups go back first: reading twice does no harm, reading too late does
        self._set_back(name, offsets)
        sums = sums_path(self.data_dir / name)
        for path in (*(self.data_dir / (name + tail) for tail in ("-wal", "-shm")), sums, sums.with_suffix(".damaged")):
            if path.exists():
                path.replace(aside / path.name)
        if (self.data_dir / name).exists():
            (self.data_dir / name).replace(aside / name)
        sync_directory(aside)
        sync_directory(self.data_dir)
        if snapshot is not None:
            put_back(snapshot, name, self.data_dir / name)
        else:
            self.begun_anew.add(name)

    def _way_on(
        self, name: str, fault: str, snapshot: Snapshot | None
    ) -> tuple[Mapping[str, int], str, tuple[str, ...]]:
        """From where the groups that fill this database go on, what takes its place, and what is lost with it."""
        if snapshot is not None:
            offsets = snapshot.manifest.offsets
            lost = self._replacements.gap(name, offsets) if name in FILLED_BY else ""
            home_loss = "what was changed since is lost, but for what the log has" if name == "home.db" else ""
            return offsets, f"the backup of {snapshot.manifest.made_at} is in its place", (lost, home_loss)
        if name == "events.db" and self._replacements.log_begins_at_start():
            return {}, "it is made again from the log, which still has everything", ()
        if name in _BEGINS_ANEW:
            return {}, "it begins anew", (_BEGINS_ANEW[name],)
        if (self.data_dir / ACCEPT_LOSS).exists():
            return {}, "it begins anew, as was accepted", ("what it held is gone, but for the log",)
        raise StartRefused(f"{self.data_dir / name}: {fault}. There is no good backup of it; {_NO_WAY}")

    def _set_back(self, name: str, offsets: Mapping[str, int]) -> None:
        groups = self.data_dir / "log" / "groups"
        if name not in FILLED_BY or not groups.is_dir():
            return
        now = load_offsets(groups)
        moved = {g: min(now[g], offsets.get(g, 0)) for g in FILLED_BY[name] if g in now}
        if moved:
            save_offsets(groups, moved)

    def _mend_key(self) -> None:
        path, known = self.data_dir / "local.key", self._condition.key
        if not known or fingerprint_of(path) == known:
            return
        if not path.exists():
            self.incidents.tell(
                "local.key", "local.key is gone: a new one is made, and everyone signs in anew", is_loss=False
            )
            self._condition = msgspec.structs.replace(self._condition, key="")
            return
        snapshot = self._replacements.with_file("local.key", lambda kept: fingerprint_of(kept) == known)
        if snapshot is None:
            raise StartRefused(
                f"{path} is not the key that this folder was used with: put that one back (homeguard restore PATH), "
                "or remove the file (everyone signs in anew)"
            )
        became = f"that of the backup of {snapshot.manifest.made_at} is in its place"
        self._replace_small(path, snapshot, f"local.key was not as it was left; {became}")

    def _mend_session(self) -> None:
        """What names deliveries over MQTT: under another name, what the broker sends again is taken for new."""
        path, known = self.data_dir / "mqtt-session", self._condition.digests.get("mqtt-session")
        if not known or self._judging.is_unclean or (path.exists() and digest_of(path) == known):
            return
        snapshot = self._replacements.with_file(path.name, lambda kept: digest_of(kept) == known)
        became = (
            f"that of the backup of {snapshot.manifest.made_at} is in its place"
            if snapshot is not None
            else "it begins anew, so a message that the broker sends again may be there twice"
        )
        self._replace_small(path, snapshot, f"mqtt-session was not as it was left; {became}")

    def _replace_small(self, path: Path, snapshot: Snapshot | None, what: str) -> None:
        if path.exists():
            aside = self.data_dir / _QUARANTINE / stamp(self._clock.now())
            aside.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.replace(aside / path.name)
            sync_directory(aside)
            what += f"; the other is in {aside}"
        if snapshot is not None:
            put_back(snapshot, path.name, path)
        self.incidents.tell(path.name, what, is_loss=False)

    def _write(self, *, is_clean: bool) -> None:
        self._condition = write_condition(self.data_dir, msgspec.structs.replace(self._condition, is_clean=is_clean))
