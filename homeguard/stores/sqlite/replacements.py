"""What can take the place of a damaged file of a data folder: a good snapshot of it, and the log since."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from homeguard.stores.sqlite.backup import BACKUPS, FILLED_BY, Snapshot, faults_of, snapshots_in
from homeguard.stores.sqlite.condition import size_of
from homeguard.stores.sqlite.segments import segments_in

_log = logging.getLogger(__name__)


class Replacements:
    """`schemas`: the newest that this program knows, of each database."""

    def __init__(self, data_dir: Path, schemas: Mapping[str, int]) -> None:
        self._data_dir = data_dir
        self._schemas = schemas

    def newest_good(self, name: str) -> Snapshot | None:
        """The newest snapshot whose part of that name is whole; those that are not are told to the log."""
        for snapshot in snapshots_in(self._data_dir / BACKUPS, name):
            faults = faults_of(snapshot, self._schemas, [name])
            if not faults:
                return snapshot
            _log.warning("the backup %s cannot be used: %s", snapshot.path, "; ".join(faults))
        return None

    def gap(self, name: str, offsets: Mapping[str, int]) -> str:
        """What lies between a snapshot with these offsets and the log's first record; `""` for nothing."""
        log = self._data_dir / "log"
        segments = segments_in(log) if log.is_dir() else []
        wanted = min((offsets.get(group, 0) for group in FILLED_BY[name]), default=0)
        if segments and segments[0].first > wanted:
            return f"{segments[0].first - wanted} records since are not in the log any more"
        return ""

    def log_begins_at_start(self) -> bool:
        """Everything that ever happened can be made again from it."""
        log = self._data_dir / "log"
        segments = segments_in(log) if log.is_dir() else []
        return bool(segments) and segments[0].first == 0 and size_of(segments[0].path) > 0

    def with_file(self, name: str, is_it: Callable[[Path], bool]) -> Snapshot | None:
        """The newest snapshot that has this very file, whole."""
        for snapshot in snapshots_in(self._data_dir / BACKUPS, name):
            if not faults_of(snapshot, self._schemas, [name]) and is_it(snapshot.path / name):
                return snapshot
        return None
