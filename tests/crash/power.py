"""What a disk may hold after the power went: made from a journal of calls, for any moment of it. No process, no clock.

Certain is what was synced before that moment. Of the rest a random part is there: whole writes, writes torn at sectors,
lengths; of new, renamed and deleted names of a folder that was not synced the first few, in their order. That is more
than most disks and file systems get wrong.
"""

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from random import Random
from typing import Final

from recording import Entry

SECTOR: Final = 512


@dataclass(slots=True, eq=False)
class _File:
    """Contents: what was there at the start, and the calls that changed them since."""

    at_start: bytes = b""
    changes: list[Entry] = field(default_factory=list)
    #: Changes that ended before this are certain.
    synced: int = 0


@dataclass(frozen=True, slots=True)
class _Naming:
    """A change of one folder's names: what this path stands for from then on (None: nothing)."""

    ended: int
    path: str
    file: _File | None
    #: The path that stands for nothing any more, after a rename.
    gone: str = ""


@dataclass(slots=True)
class _Folder:
    namings: list[_Naming] = field(default_factory=list)
    synced: int = 0


class Disk:
    """A folder as it was at the start, and everything that a process did to it afterwards."""

    def __init__(self, at_start: Path, entries: Sequence[Entry]) -> None:
        self._at_start = {
            path.relative_to(at_start).as_posix(): path.read_bytes()
            for path in sorted(at_start.rglob("*"))
            if path.is_file() and not path.name.endswith("-shm")
        }
        self._folders = [p.relative_to(at_start).as_posix() for p in at_start.rglob("*") if p.is_dir()]
        self._entries = sorted(entries, key=lambda entry: entry.ended)
        if any(entry.call == "mapped" for entry in self._entries):
            raise ValueError("a file was written through a mapping: what was written is not known")

    def after_power_loss(self, at: int, chance: Random, into: Path) -> None:
        """Write into that new folder what may be there when the power goes at `at` (CLOCK_MONOTONIC, ns)."""
        names, folders = self._until(at)
        whole = chance.choice((0.0, 1.0, 0.5, chance.random()))
        for path in self._folders:
            (into / path).mkdir(parents=True, exist_ok=True)
        into.mkdir(parents=True, exist_ok=True)
        left = dict(names)
        for folder in folders.values():
            certain = sum(naming.ended <= folder.synced for naming in folder.namings)
            kept = chance.choice((certain, len(folder.namings), chance.randint(certain, len(folder.namings))))
            for naming in folder.namings[:kept]:
                left.pop(naming.gone, None)
                if naming.file is None:
                    left.pop(naming.path, None)
                else:
                    left[naming.path] = naming.file
        for path, file in left.items():
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            (into / path).write_bytes(_contents(file, chance, lambda: chance.random() < whole))
            (into / path).chmod(0o600)

    def _until(self, at: int) -> tuple[dict[str, _File], dict[str, _Folder]]:
        """The names at the start, and by folder how they changed until then."""
        at_start = {path: _File(data) for path, data in self._at_start.items()}
        now, folders = dict(at_start), {}
        opened: dict[int, _File | _Folder] = {}

        def rename(path: str, file: _File | None, entry: Entry, gone: str = "") -> None:
            folder = folders.setdefault(PurePosixPath(path or gone).parent.as_posix(), _Folder())
            folder.namings.append(_Naming(entry.ended, path, file, gone))

        for entry in self._entries:
            if entry.begun > at:
                continue
            is_done = entry.ended <= at
            match entry.call:
                case "open" if entry.is_folder:
                    opened[entry.file] = folders.setdefault(entry.path or ".", _Folder())
                case "open":
                    if entry.path not in now:
                        now[entry.path] = _File()
                        rename(entry.path, now[entry.path], entry)
                    opened[entry.file] = now[entry.path]
                case "write" | "truncate":
                    file = opened[entry.file]
                    assert isinstance(file, _File)
                    file.changes.append(entry)
                case "sync" if is_done:
                    synced = opened[entry.file]
                    synced.synced = max(synced.synced, entry.begun)
                case "rename" | "link" if is_done:
                    moved = now.get(entry.path)
                    if entry.call == "rename":
                        now.pop(entry.path, None)
                    if moved is not None and entry.other:
                        now[entry.other] = moved
                    rename(entry.other, moved, entry, entry.path if entry.call == "rename" else "")
                case "unlink" if is_done:
                    now.pop(entry.path, None)
                    rename(entry.path, None, entry)
        return at_start, folders


def _contents(file: _File, chance: Random, is_kept: Callable[[], bool]) -> bytes:
    data = bytearray(file.at_start)
    for change in file.changes:
        is_certain = change.ended <= file.synced
        if change.call == "truncate":
            if is_certain or is_kept():
                _resize(data, change.offset)
            continue
        if is_certain or is_kept():
            _put(data, change.offset, change.data)
            continue
        for first, sector in _sectors(change):
            if is_kept():
                _put(data, first, sector)
        # the new length may be there before what fills it
        if chance.random() < 0.25:
            _resize(data, max(len(data), change.offset + len(change.data)))
    return bytes(data)


def _sectors(write: Entry) -> Iterable[tuple[int, bytes]]:
    at, end = write.offset, write.offset + len(write.data)
    while at < end:
        following = min(end, (at // SECTOR + 1) * SECTOR)
        yield at, write.data[at - write.offset : following - write.offset]
        at = following


def _put(data: bytearray, at: int, part: bytes) -> None:
    if len(data) < at:
        _resize(data, at)
    data[at : at + len(part)] = part


def _resize(data: bytearray, size: int) -> None:
    if size < len(data):
        del data[size:]
    else:
        data += bytes(size - len(data))


def copied(folder: Path, into: Path) -> Path:
    """The folder as a start of a recording: nobody may have it open."""
    shutil.copytree(folder, into)
    return into
