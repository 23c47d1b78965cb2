"""Snapshots of a data folder: made beside, checked, renamed; found again, judged, pruned.

A snapshot is a folder with the parts and `manifest.json`. How far the groups were is read before the databases are
copied, so a log that is read on from there brings them up to date; what is read twice is stored once.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import apsw
import msgspec

from homeguard.clock import iso, parse_time
from homeguard.errors import InvalidInput, StorageFull, StoreUnavailable
from homeguard.files import sync_directory
from homeguard.stores.sqlite.offsets import load_offsets
from homeguard.stores.sqlite.segments import Segment, scan, segments_in

#: The databases, and the small files that belong to the folder.
DATABASES: Final = ("home.db", "events.db", "checkpoints.db")
FILES: Final = ("local.key", "instance", "mqtt-session", "followed.json", "demo.json")
#: Groups that lead nowhere but into these files, so that they may read again what a restored file lacks.
FILLED_BY: Final[Mapping[str, tuple[str, ...]]] = {"home.db": ("safety", "reflex"), "events.db": ("record",)}
BACKUPS: Final = "backups"
#: Left free on the disk for the log.
RESERVE_BYTES: Final = 64 << 20

_MANIFEST: Final = "manifest.json"
_FORMAT: Final = 1
_DRAFT: Final = ".new"
_STEP_PAGES: Final = 1_000
_ASK_EVERY_STEPS: Final = 50_000
_COUNTED: Final = {
    "home.db": ("users", "homes", "devices", "automations", "commands", "alerts", "audit"),
    "events.db": ("events", "readings"),
}


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a snapshot; `schema` is a database's."""

    size: int
    sha256: str
    schema: int = 0
    counts: dict[str, int] = {}


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`offsets`: group -> the offset from which on the log has what the parts may lack. `log_end` is the offset behind
    the log's last record at that moment."""

    format: int
    made_at: str
    version: str
    parts: dict[str, Part]
    offsets: dict[str, int]
    log_end: int
    sha256: str = ""


class Snapshot(msgspec.Struct, frozen=True):
    """A snapshot on disk; its parts are not checked yet (`faults_of`)."""

    path: Path
    manifest: Manifest

    @property
    def made_at(self) -> datetime:
        return parse_time(self.manifest.made_at)


def take(
    data_dir: Path,
    target: Path,
    databases: Sequence[str],
    *,
    version: str,
    now: datetime,
    with_log: bool = False,
    is_wanted: Callable[[], bool] = lambda: True,
) -> Snapshot:
    """Copy these databases as they are at one moment, and the folder's small files, into the new folder `target`.

    Whoever writes them goes on meanwhile. `with_log`: also what the log has that they may lack. `is_wanted` is asked
    between steps; when it says no the snapshot is given up.

    Raises:
        StorageFull: there is no room, with something left for the log; nothing is left behind.
        StoreUnavailable: it could not be written, or a source could not be read; nothing is left behind.
    """
    offsets = load_offsets(data_dir / "log" / "groups") if (data_dir / "log" / "groups").is_dir() else {}
    names = [name for name in databases if (data_dir / name).exists() and (data_dir / name).stat().st_size]
    draft = target.with_name(target.name + _DRAFT)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        needed = sum((data_dir / name).stat().st_size for name in names)
        segments = _unread(data_dir / "log", offsets) if with_log else []
        needed += sum(segment.path.stat().st_size for segment in segments)
        if shutil.disk_usage(target.parent).free < needed + RESERVE_BYTES:
            raise StorageFull(f"no room for a backup of {needed >> 20} MiB in {target.parent}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        _copy_databases([data_dir / name for name in names], draft, is_wanted)
        for name in FILES:
            if (data_dir / name).is_file():
                _copy_file(data_dir / name, draft / name)
        end = _copy_log(segments, draft / "log") if segments else 0
        parts = {str(path.relative_to(draft)): _part(path) for path in sorted(draft.rglob("*")) if path.is_file()}
        manifest = Manifest(
            format=_FORMAT, made_at=iso(now), version=version, parts=parts, offsets=offsets,
            log_end=end or max(offsets.values(), default=0),
        )  # fmt: skip
        _write_synced(draft / _MANIFEST, msgspec.json.format(msgspec.json.encode(_sealed(manifest))))
        for folder in (draft / "log", draft):
            if folder.is_dir():
                sync_directory(folder)
        draft.replace(target)
        sync_directory(target.parent)
    except (OSError, apsw.Error) as error:
        if isinstance(error, apsw.FullError) or getattr(error, "errno", 0) in (28, 122, 27):
            raise StorageFull(f"the disk is full: no backup was made in {target.parent}") from error
        raise StoreUnavailable(f"no backup could be made: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Snapshot(target, _sealed(manifest))


def read_snapshot(path: Path) -> Snapshot:
    """The snapshot in that folder.

    Raises:
        InvalidInput: it is none, its manifest is damaged, or it is of a later kind.
    """
    try:
        manifest = msgspec.json.decode((path / _MANIFEST).read_bytes(), type=Manifest)
    except OSError as error:
        raise InvalidInput(f"{path} is no backup of HomeGuard: {error.strerror}", field="path") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path / _MANIFEST} is damaged: {error}", field="path") from error
    if manifest.format != _FORMAT:
        raise InvalidInput(f"{path} was made by a newer HomeGuard ({manifest.version})", field="path")
    if _sealed(manifest).sha256 != manifest.sha256:
        raise InvalidInput(f"{path / _MANIFEST} is damaged: its checksum differs", field="path")
    return Snapshot(path, manifest)


def snapshots_in(folder: Path, part: str = "") -> list[Snapshot]:
    """Those that can be read (and have that part), newest first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.endswith(_DRAFT) or not path.is_dir():
            continue
        try:
            snapshot = read_snapshot(path)
        except InvalidInput:
            continue
        if not part or part in snapshot.manifest.parts:
            found.append(snapshot)
    return sorted(found, key=lambda s: s.manifest.made_at, reverse=True)


def faults_of(snapshot: Snapshot, schemas: Mapping[str, int], names: Iterable[str] = ()) -> list[str]:
    """What is wrong with it (or with these parts of it): sums, SQLite's own check, schemas newer than `schemas`."""
    faults = []
    for name in names or snapshot.manifest.parts:
        part, path = snapshot.manifest.parts[name], snapshot.path / name
        try:
            if path.stat().st_size != part.size or _sha256(path) != part.sha256:
                faults.append(f"{name} is not what was backed up")
                continue
        except OSError as error:
            faults.append(f"{name}: {error.strerror}")
            continue
        if name.endswith(".db"):
            faults += [f"{name}: {fault}" for fault in check_database(path, is_alone=True)]
            if part.schema > schemas.get(name, part.schema):
                faults.append(f"{name} was written by a newer HomeGuard (schema {part.schema})")
    return faults


def check_database(path: Path, *, is_alone: bool = False, is_wanted: Callable[[], bool] = lambda: True) -> list[str]:
    """What SQLite's quick check finds, at most 10 lines. `is_alone`: nothing belongs to the file but itself. When
    `is_wanted` says no, the check ends and has found nothing."""
    try:
        if is_alone:
            uri = f"file:{_quoted(path)}?mode=ro&immutable=1"
            connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        else:
            # a power cut while the file was made leaves a journal that is to be rolled back first
            is_unfinished = path.with_name(path.name + "-journal").exists()
            flags = apsw.SQLITE_OPEN_READWRITE if is_unfinished else apsw.SQLITE_OPEN_READONLY
            connection = apsw.Connection(str(path), flags=flags)
        try:
            connection.set_busy_timeout(5_000)
            connection.set_progress_handler(lambda: not is_wanted(), _ASK_EVERY_STEPS)
            rows = connection.execute("PRAGMA quick_check(10)").fetchall()
        finally:
            connection.close()
    except apsw.InterruptError:
        return []
    except apsw.Error as error:
        return [str(error)]
    return [str(row[0]) for row in rows if row[0] != "ok"]


def put_back(snapshot: Snapshot, name: str, target: Path) -> None:
    """Place one part of a checked snapshot, whole or not at all. Raises OSError."""
    draft = target.with_name(target.name + _DRAFT)
    _copy_file(snapshot.path / name, draft)
    draft.replace(target)
    sync_directory(target.parent)


def prune(folder: Path, prefix: str, now: datetime, *, newest: int, days: int) -> list[Path]:
    """Delete snapshots of that kind, but the newest ones and the last of each of the last days. Returns the deleted."""
    found = [s for s in snapshots_in(folder) if s.path.name.startswith(prefix)]
    kept = {s.path for s in found[:newest]}
    seen_days = set()
    for snapshot in found:
        day = snapshot.made_at.date()
        if day not in seen_days and now.date() - day < timedelta(days=days):
            kept.add(snapshot.path)
        seen_days.add(day)
    gone = [s.path for s in found if s.path not in kept]
    # what a crash left half made
    gone += [p for p in folder.glob(f"{prefix}*{_DRAFT}") if p.is_dir()] if folder.is_dir() else []
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)
    return gone


def stamp(now: datetime) -> str:
    """A time as snapshots and quarantine folders are called."""
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def _copy_databases(sources: Sequence[Path], folder: Path, is_wanted: Callable[[], bool]) -> None:
    """All of them as at the moment when the last one's reading began: nothing is written that the log has not."""
    opened: list[apsw.Connection] = []
    try:
        for source in sources:
            connection = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
            opened.append(connection)
            connection.set_busy_timeout(5_000)
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        for connection, source in zip(opened, sources, strict=True):
            target = apsw.Connection(str(folder / source.name))
            try:
                target.execute("PRAGMA journal_mode = OFF")
                target.execute("PRAGMA synchronous = OFF")
                with target.backup("main", connection, "main") as backup:
                    while not backup.done:
                        if not is_wanted():
                            raise StoreUnavailable("the backup was given up")
                        backup.step(_STEP_PAGES)
            finally:
                target.close()
            (folder / source.name).chmod(0o600)
            fd = os.open(folder / source.name, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
    finally:
        for connection in opened:
            connection.close()


def _unread(log: Path, offsets: Mapping[str, int]) -> list[Segment]:
    """The files of the log that a group which fills a database has yet to read, and the last one."""
    segments = segments_in(log) if log.is_dir() else []
    wanted = [offsets.get(group, 0) for groups in FILLED_BY.values() for group in groups if group in offsets]
    first = min(wanted, default=0)
    return [
        segment
        for segment, end in zip(segments, [*(s.first for s in segments[1:]), None], strict=True)
        if end is None or end > first
    ]


def _copy_log(segments: Sequence[Segment], folder: Path) -> int:
    """Copy these files up to their last whole append; the offset behind it."""
    folder.mkdir(mode=0o700)
    end = 0
    for segment in segments:
        copy = Segment(segment.first, folder / segment.path.name)
        _copy_file(segment.path, copy.path)
        found = scan(copy)
        if found.good < found.size:
            with copy.path.open("r+b") as file:
                file.truncate(found.good)
                os.fsync(file.fileno())
        end = segment.first + found.count
    return end


def _copy_file(source: Path, target: Path) -> None:
    with source.open("rb") as old, target.open("wb") as new:
        os.fchmod(new.fileno(), 0o600)
        shutil.copyfileobj(old, new, 1 << 20)
        new.flush()
        os.fsync(new.fileno())


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _part(path: Path) -> Part:
    schema, counts = 0, {}
    if path.suffix == ".db":
        uri = f"file:{_quoted(path)}?mode=ro&immutable=1"
        connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            schema = int(connection.pragma("user_version"))
            for table in _COUNTED.get(path.name, ()):
                found = connection.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608 - from the list above
                counts[table] = int(str(found[0][0]))
        finally:
            connection.close()
    return Part(size=path.stat().st_size, sha256=_sha256(path), schema=schema, counts=counts)


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sealed(manifest: Manifest) -> Manifest:
    bare = msgspec.structs.replace(manifest, sha256="")
    return msgspec.structs.replace(bare, sha256=hashlib.sha256(msgspec.json.encode(bare)).hexdigest())
