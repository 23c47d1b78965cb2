"""Puts a whole snapshot in a data folder's place: all is built beside first, then moved in two steps that a crash
cannot leave half done (the next start finishes them). The folder's own log is read on from the snapshot."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from homeguard.clock import iso
from homeguard.errors import InvalidInput, StartRefused
from homeguard.files import replace_file, sync_directory
from homeguard.stores.sqlite.backup import FILLED_BY, Snapshot, faults_of, put_back, stamp
from homeguard.stores.sqlite.condition import RESTORED
from homeguard.stores.sqlite.offsets import come_to, load_offsets, note_decided, save_offsets
from homeguard.stores.sqlite.segments import scan, segments_in

_MARK: Final = "restoring.json"
#: What stays where it is: the lock that is held, and what is needed after it went wrong.
_STAYS: Final = ("lock", "backups", "quarantine", "incidents.json", "homeguard.log", _MARK)
_ASIDE: Final = "before-"
_BUILT: Final = "restoring-"


class _Step(msgspec.Struct):
    """`out`: the old files are moved to `aside`; `in`: the new ones come from `built`."""

    step: str
    built: str
    aside: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """`aside`: where the old files are. `replayed`: records of the log that are read again."""

    aside: Path
    replayed: int
    is_from_own_log: bool


def restore(snapshot: Snapshot, data_dir: Path, schemas: Mapping[str, int], now: datetime) -> Restored:
    """Check the snapshot wholly, then put it in the folder's place. The caller holds the folder.

    Raises:
        InvalidInput: it is damaged, or newer than this program; the folder is as it was.
        StartRefused: the disk does not allow it; the folder is as it was, or the next start finishes this.
    """
    finish(data_dir)
    faults = faults_of(snapshot, schemas)
    if "home.db" not in snapshot.manifest.parts:
        faults.append("it is a part of a folder only: home.db is not in it")
    if faults:
        raise InvalidInput(
            f"{snapshot.path} cannot be restored: {'; '.join(faults)}; nothing was changed", field="path"
        )
    built, aside = data_dir / f"{_BUILT}{stamp(now)}", data_dir / f"{_ASIDE}{stamp(now)}"
    try:
        built.mkdir(mode=0o700)
        (built / "log" / "groups").mkdir(mode=0o700, parents=True)
        for name in snapshot.manifest.parts:
            if not name.startswith("log/"):
                put_back(snapshot, name, built / name)
        is_own = _is_same_home(snapshot, data_dir) and _covers(data_dir / "log", snapshot)
        end = _bring_log(data_dir / "log" if is_own else snapshot.path / "log", built / "log", is_own=is_own)
        offsets = {g: min(snapshot.manifest.offsets.get(g, 0), end) for gs in FILLED_BY.values() for g in gs}
        # what was commanded was carried out, or is too old to be: nothing is done again
        others = {g: end for g in snapshot.manifest.offsets if g not in offsets}
        if is_own:
            own = load_offsets(data_dir / "log" / "groups")
            others |= {g: min(at, end) for g, at in own.items() if g not in offsets}
        save_offsets(built / "log" / "groups", offsets | others)
        # with the log of a backup, the installation that it is from went on with it
        groups = FILLED_BY["home.db"]
        decided = come_to(data_dir / "log", groups) if is_own else dict.fromkeys(groups, end)
        note_decided(built / "log", {group: min(at, end) for group, at in decided.items()})
        condition = {"is_clean": False, "parts": [n for n in snapshot.manifest.parts if n.endswith(".db")]}
        replace_file(built / RESTORED, msgspec.json.encode({**condition, "mended_at": iso(now)}))
        sync_directory(built / "log")
        sync_directory(built)
        replace_file(data_dir / _MARK, msgspec.json.encode(_Step("out", built.name, aside.name)))
    except OSError as error:
        shutil.rmtree(built, ignore_errors=True)
        raise StartRefused(f"{data_dir} could not be restored: {error}; nothing was changed") from error
    finish(data_dir)
    replayed = end - min(offsets.values(), default=end)
    return Restored(aside=aside, replayed=replayed, is_from_own_log=is_own)


def finish(data_dir: Path) -> bool:
    """Go on with a restore that was cut off; whether there was one. The caller holds the folder.

    Raises:
        StartRefused: it cannot be finished.
    """
    mark = data_dir / _MARK
    try:
        step = msgspec.json.decode(mark.read_bytes(), type=_Step)
    except FileNotFoundError:
        return False
    except (OSError, msgspec.DecodeError) as error:
        raise StartRefused(f"{mark} cannot be read ({error}): restore again, after removing it") from error
    built, aside = data_dir / step.built, data_dir / step.aside
    try:
        if step.step == "out":
            aside.mkdir(mode=0o700, exist_ok=True)
            _move_all(data_dir, aside, but=(*_STAYS, step.built, step.aside))
            replace_file(mark, msgspec.json.encode(_Step("in", step.built, step.aside)))
        if built.is_dir():
            _move_all(built, data_dir, but=())
            built.rmdir()
        mark.unlink()
        sync_directory(data_dir)
    except OSError as error:
        raise StartRefused(f"{data_dir} could not be restored yet: {error}; the next start goes on with it") from error
    return True


def _move_all(source: Path, target: Path, *, but: tuple[str, ...]) -> None:
    for path in sorted(source.iterdir()):
        if path.name not in but and not path.name.startswith(_ASIDE):
            path.replace(target / path.name)
    sync_directory(target)
    sync_directory(source)


def _is_same_home(snapshot: Snapshot, data_dir: Path) -> bool:
    """Is the folder's log that of the snapshot's installation? Its key tells."""
    try:
        return (snapshot.path / "local.key").read_bytes() == (data_dir / "local.key").read_bytes()
    except OSError:
        return False


def _covers(log: Path, snapshot: Snapshot) -> bool:
    """Has this log all that the snapshot may lack, and goes it on where that ends?"""
    segments = segments_in(log) if log.is_dir() else []
    if not segments:
        return False
    offsets = snapshot.manifest.offsets
    wanted = min((offsets.get(g, 0) for gs in FILLED_BY.values() for g in gs if g in offsets), default=0)
    end = segments[-1].first + scan(segments[-1]).count
    return segments[0].first <= wanted and end >= snapshot.manifest.log_end


def _bring_log(source: Path, target: Path, *, is_own: bool) -> int:
    """Copy the log's files; the offset behind their last record. Those that are finished share their bytes."""
    segments = segments_in(source) if source.is_dir() else []
    for segment in segments[:-1] if is_own else []:
        os.link(segment.path, target / segment.path.name)
    for segment in segments[-1:] if is_own else segments:
        copy = target / segment.path.name
        with segment.path.open("rb") as old, copy.open("wb") as new:
            os.fchmod(new.fileno(), 0o600)
            shutil.copyfileobj(old, new, 1 << 20)
            new.flush()
            os.fsync(new.fileno())
    if is_own and (source / "seen").exists():
        shutil.copy2(source / "seen", target / "seen")
    return segments[-1].first + scan(segments[-1]).count if segments else 0
