"""Judges the databases of a data folder before anyone has them open: what is wrong with each, and does it matter."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from homeguard.files import sync_directory
from homeguard.stores.sqlite.backup import BACKUPS, check_database, snapshots_in
from homeguard.stores.sqlite.condition import Condition, digest_of, size_of
from homeguard.stores.sqlite.incidents import Incidents
from homeguard.stores.sqlite.offsets import load_offsets
from homeguard.stores.sqlite.page_sums import damage_of, journal_damage, journal_path, sums_path
from homeguard.stores.sqlite.replacements import Replacements
from homeguard.stores.sqlite.segments import segments_in

#: A database up to this size, its journal included, is judged whole before the doors open, a larger one behind them.
BEFORE_DOORS_BYTES: Final = 128 << 20
#: A backup that lacks no more than the changes of such a while takes the place of a doubtful `home.db`.
LITTLE: Final = timedelta(minutes=2)

_HEAD: Final = b"SQLite format 3\0"
_SECTOR: Final = 512

_log = logging.getLogger(__name__)


class Judging:
    """`condition`: as the folder was left."""

    def __init__(self, data_dir: Path, condition: Condition, replacements: Replacements, incidents: Incidents) -> None:
        self._data_dir = data_dir
        self._condition = condition
        self._replacements = replacements
        self._incidents = incidents
        self.is_unclean = not condition.is_clean
        #: What is only judged whole behind the doors.
        self.later: set[str] = set()

    def fault_of(self, name: str) -> str:
        """What is wrong with a database, "" for nothing."""
        path = self._data_dir / name
        if not size_of(path):
            return f"{name} is {'empty' if path.exists() else 'gone'}" if name in self._condition.parts else ""
        with path.open("rb") as file:
            head = file.read(_SECTOR)
        if not any(head) and name in ("home.db", "events.db") and name not in self._condition.parts:
            # the power went while it was made: it was never open, so nothing was ever in it
            for tail in ("-journal", "-wal", "-shm", "-sums", ""):
                path.with_name(name + tail).unlink(missing_ok=True)
            sync_directory(self._data_dir)
            return ""
        if not head.startswith(_HEAD):
            return f"{name} is no database any more"
        mark = sums_path(path).with_suffix(".damaged")
        if mark.exists():
            fault = f"{name} is damaged: {mark.read_text(encoding='utf-8', errors='replace')[:200]}"
            return "" if self._is_kept(name, fault) else fault
        if name == "checkpoints.db":
            digest = self._condition.digests.get(name)
            if digest and not self.is_unclean:
                return "" if digest_of(path) == digest else f"{name} is not as it was left"
            return "; ".join(check_database(path))
        is_small = size_of(path) + size_of(journal_path(path)) <= BEFORE_DOORS_BYTES
        if not is_small:
            self.later.add(name)
        found = damage_of(path) if is_small else journal_damage(path)
        if found.is_journal_gone and not is_small:
            found = damage_of(path)
        fault = found.journal or found.pages
        if not fault and is_small and (self.is_unclean or not sums_path(path).exists()):
            fault = "; ".join(check_database(path))
        elif found.pages and self._is_kept(name, fault, is_newer=found.is_journal_gone):
            # a journal that is gone from beside a file that was changed since: another program has moved it there
            fault = ""
        if found.doubt and not fault:
            if self.is_unclean:
                # what a kill cuts off in the middle was never acknowledged
                _log.info("%s", found.doubt)
            else:
                self._incidents.tell(name, found.doubt, is_loss=False)
        return fault

    def _is_kept(self, name: str, fault: str, *, is_newer: bool = False) -> bool:
        """A file that is sound in itself, though it is not what was noted of it, does not give way to a backup that
        lacks what people changed since. It is told, and noted as it is."""
        path = self._data_dir / name
        if check_database(path) or not (is_newer or self._lacks_much(name)):
            return False
        self._incidents.tell(name, f"{fault}; it is sound in itself and was kept, look at what it says", is_loss=True)
        for noted in (sums_path(path), sums_path(path).with_suffix(".damaged")):
            noted.unlink(missing_ok=True)
        return True

    def _lacks_much(self, name: str) -> bool:
        """Would more than the last minutes be lost, if the newest good backup and the log took this file's place?"""
        snapshot = self._replacements.newest_good(name)
        if snapshot is None:
            return name != "events.db" or not self._replacements.log_begins_at_start()
        if self._replacements.gap(name, snapshot.manifest.offsets):
            return True
        path = self._data_dir / name
        changed = max(p.stat().st_mtime for p in (path, journal_path(path)) if p.exists())
        return name != "events.db" and datetime.fromtimestamp(changed, UTC) > snapshot.made_at + LITTLE


def held_before(data_dir: Path) -> tuple[str, ...]:
    """What an older folder, or one whose mark is gone, must have held."""
    here = [n for n in ("home.db", "events.db", "spool.db", "checkpoints.db") if size_of(data_dir / n)]
    log = data_dir / "log"
    has_log = log.is_dir() and any(size_of(s.path) for s in segments_in(log))
    if "home.db" not in here and (has_log or here or snapshots_in(data_dir / BACKUPS, "home.db")):
        here.append("home.db")
    if "events.db" not in here and has_log and load_offsets(log / "groups").get("record"):
        here.append("events.db")
    return tuple(here)
