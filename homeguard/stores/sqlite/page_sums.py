"""The content that each page of a database file should have, kept beside it in `<file>-sums` for the next start.

SQLite does not notice a changed letter in a row. In WAL mode its file changes at checkpoints only, so after each one
the sums of the pages that it moved are noted here. The second block says how far the journal reached at the last
commit: a journal that is shorter at the next start has lost something.
"""

import logging
import mmap
import os
import struct
import threading
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from homeguard.stores.sqlite.wal import PAGE, Journal, frames_of, read_journal, salts_of

_BLOCK: Final = 4096
_WORDS: Final = _BLOCK // 8
#: Sums in a block; its last word is the sum of these.
_IN_BLOCK: Final = _WORDS - 1
_FIRST: Final = 2
_HEAD: Final = struct.Struct("<8sQ")
_SEEN: Final = struct.Struct("<III")
_CRC: Final = struct.Struct("<I")
_MAGIC: Final = b"HGSUMS1\n"
#: Pages that are read and judged together (4 MiB).
_TOGETHER: Final = 1024

_log = logging.getLogger(__name__)


def sums_path(database: Path) -> Path:
    return database.with_name(database.name + "-sums")


def journal_path(database: Path) -> Path:
    return database.with_name(database.name + "-wal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """What is wrong with a database's journal, what with the pages of its file, and what is doubtful: sentences, ""
    for nothing. `is_journal_gone`: there is none, and one had been noted."""

    journal: str = ""
    pages: str = ""
    doubt: str = ""
    is_journal_gone: bool = False


class PageSums:
    """The sums of one database that this process writes. Its writer's thread alone calls `note` and what follows.

    A failure to write them is never the database's: the sums are then given up until the next start.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._journal = journal_path(database)
        if not database.exists() or not database.stat().st_size:
            sums_path(database).unlink(missing_ok=True)
        self._sums, self._pages, self._seen, self.is_known = _load(sums_path(database))
        #: Frames of this generation of the journal whose sums are noted.
        self._taken = 0
        self._generation = (0, 0)
        #: Something was appended since the last checkpoint: only after the next one may the journal begin anew.
        self._is_generation_sure = False
        self._dirty: set[int] = set()
        self._fd = -1
        #: The database itself, to be read. Closing a file ends all locks that this process has on it, SQLite's too,
        #: so it stays open as long as the database does.
        self._file = -1
        self._map: mmap.mmap | None = None
        self._is_given_up = False

    def open(self) -> None:
        """Make the file, or go on with it. A damaged one begins anew: its pages are judged again when they are known.

        Raises OSError.
        """
        self._fd = os.open(sums_path(self._database), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not self.is_known or os.fstat(self._fd).st_size < _FIRST * _BLOCK:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, bytes(_FIRST * _BLOCK), 0)
            self._dirty.update(range(-(-len(self._sums) // _IN_BLOCK)))
            self._write()
        self._map = mmap.mmap(self._fd, _BLOCK, offset=_BLOCK)

    def note(self, frames: int) -> None:
        """A transaction is on disk; the journal holds so many frames now. Costs no I/O but for the first after a
        checkpoint."""
        if self._map is None or self._is_given_up:
            return
        if not self._is_generation_sure:
            try:
                self._look()
            except OSError as error:
                self._give_up(error)
                return
            # a transaction that changed nothing leaves a journal that the next one may begin anew
            self._is_generation_sure = frames > self._taken
        self._put_seen(*self._generation, frames)

    def _look(self) -> None:
        generation = salts_of(self._journal)
        if generation != self._generation:
            self._generation, self._taken = generation, 0

    def moved(self, frames: int) -> None:
        """A checkpoint has moved pages into the file; the journal holds so many frames. What it holds for a page is
        what the file should."""
        if self._fd < 0 or self._is_given_up:
            return
        try:
            self._look()
            for numbers, pages in frames_of(self._journal, self._taken, frames):
                self._take(numbers, sums_of(pages))
            self._taken = frames
            self._is_generation_sure = False
            self._pages = self._database.stat().st_size // PAGE
            self._write()
        except OSError as error:
            self._give_up(error)

    def verify(self, moving: threading.Lock, stop: threading.Event) -> list[int]:
        """Pages of the file (from 1) that are not what they should be; those that had no sum get one. From any thread:
        `moving` is held while the file or the sums change. `stop` ends it early. Raises OSError."""
        wrong: list[int] = []
        first = 0
        while not stop.is_set():
            with moving:
                if self._fd < 0 or self._is_given_up:
                    return []
                if self._file < 0:
                    self._file = os.open(self._database, os.O_RDONLY | os.O_CLOEXEC)
                real = _sums_in(self._file, first)
                if not len(real):
                    break
                self._grow(first + len(real))
                known = self._sums[first : first + len(real)]
                differs = np.flatnonzero((known != 0) & (known != real)) + first + 1
                if len(differs):
                    held = read_journal(self._journal).pages
                    wrong += [page for page in differs.tolist() if page not in held]
                empty = np.flatnonzero(known == 0)
                known[empty] = real[empty]
                self._dirty.update(((empty + first) // _IN_BLOCK).tolist())
            first += len(real)
        with moving:
            if self._is_given_up:
                return []
            self._pages = max(self._pages, first)
            if self._dirty and self._fd >= 0:
                self._write()
        return wrong

    def close(self, *, is_moved: bool) -> None:
        """`is_moved`: the journal has nothing left that the file lacks, so that it may go."""
        if self._map is not None:
            if is_moved and not self._is_given_up:
                self._put_seen(0, 0, 0)
                self._map.flush()
            self._map.close()
            self._map = None
        for fd in (self._fd, self._file):
            if fd >= 0:
                os.close(fd)
        self._fd = self._file = -1

    def _take(self, numbers: Any, sums: Any) -> None:
        if not len(numbers):
            return
        self._grow(int(numbers.max()))
        # the last frame of a page is the one that counts: numpy keeps the last of equal indices
        self._sums[numbers - 1] = sums
        self._dirty.update(np.unique((numbers - 1) // _IN_BLOCK).tolist())

    def _grow(self, pages: int) -> None:
        if pages > len(self._sums):
            grown = np.zeros(max(pages, len(self._sums) * 5 // 4), np.uint64)
            grown[: len(self._sums)] = self._sums
            self._sums = grown

    def _write(self) -> None:
        for block in sorted(self._dirty):
            part = np.zeros(_WORDS, np.uint64)
            held = self._sums[block * _IN_BLOCK : (block + 1) * _IN_BLOCK]
            part[: len(held)] = held
            part[-1] = sums_of(part[None, :])[0]
            os.pwrite(self._fd, part.tobytes(), (_FIRST + block) * _BLOCK)
        self._dirty.clear()
        head = _HEAD.pack(_MAGIC, self._pages)
        os.pwrite(self._fd, head + _CRC.pack(zlib.crc32(head)), 0)
        os.fdatasync(self._fd)

    def _put_seen(self, first: int, second: int, frames: int) -> None:
        if self._map is not None:
            seen = _SEEN.pack(first, second, frames)
            self._map[: _SEEN.size + _CRC.size] = seen + _CRC.pack(zlib.crc32(seen))

    def _give_up(self, error: OSError) -> None:
        """Sums that are older than the file would call sound pages damaged: better none."""
        self._is_given_up = True
        _log.warning("the sums of %s cannot be kept (%s): made anew at the next start", self._database.name, error)
        try:
            os.pwrite(self._fd, bytes(_HEAD.size), 0)
            os.fdatasync(self._fd)
        except OSError:
            sums_path(self._database).unlink(missing_ok=True)


def damage_of(database: Path) -> Damage:
    """What is wrong with a database that nobody has open; reads the whole file.

    A page without a sum, or one that the journal holds, is not judged. Raises OSError.
    """
    sums, pages, seen, is_known = _load(sums_path(database))
    journal = read_journal(journal_path(database))
    found = _of_journal(journal, seen if is_known else None, journal_path(database).name)
    if not is_known or (found.journal and not found.is_journal_gone):
        return found
    return replace(found, pages=_of_pages(database, sums, pages, journal.pages))


def journal_damage(database: Path) -> Damage:
    """As `damage_of`, of the journal alone."""
    _, _, seen, is_known = _load(sums_path(database))
    return _of_journal(read_journal(journal_path(database)), seen if is_known else None, journal_path(database).name)


def _of_journal(journal: Journal, seen: tuple[int, int, int] | None, name: str) -> Damage:
    if not journal.is_sound:
        return Damage(journal=f"the head of {name} is damaged")
    if seen is not None and seen[2]:
        is_newer = 0 < (journal.salts[0] - seen[0]) % (1 << 32) < 1 << 31
        if journal.salts == (0, 0):
            return Damage(journal=f"{name} is gone or cut off, with {seen[2]} pages", is_journal_gone=True)
        if journal.salts != seen[:2] and not is_newer:
            return Damage(journal=f"the head of {name} is of another journal")
        if journal.salts == seen[:2] and journal.committed < seen[2]:
            return Damage(journal=f"{name} is damaged behind page {journal.committed} of {seen[2]}")
    if journal.commits_behind > 1:
        return Damage(journal=f"{name} is damaged behind page {journal.committed}")
    if journal.behind:
        return Damage(doubt=f"the last write in {name} is not whole: it was never finished, or was damaged since")
    return Damage()


def _of_pages(database: Path, sums: Any, pages: int, held: frozenset[int]) -> str:
    size = database.stat().st_size
    if pages > size // PAGE and not all(page in held for page in range(size // PAGE + 1, pages + 1)):
        return f"{database.name} is cut off: {size} bytes, {pages * PAGE} were written"
    wrong = [page for page in wrong_pages(database, sums) if page not in held]
    return f"{database.name} is damaged: {len(wrong)} pages, the first at byte {(wrong[0] - 1) * PAGE}" if wrong else ""


def wrong_pages(database: Path, sums: Any) -> list[int]:
    """Pages (from 1) whose content is not what their sum says; 0 says nothing. Nobody has the database open. Raises
    OSError."""
    wrong: list[int] = []
    first = 0
    file = os.open(database, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while len(real := _sums_in(file, first)):
            known = sums[first : first + len(real)]
            differs = (known != 0) & (real[: len(known)] != known)
            wrong += (np.flatnonzero(differs) + first + 1).tolist()
            first += len(real)
    finally:
        os.close(file)
    return wrong


def _sums_in(file: int, first: int) -> Any:
    """The sums of the next pages of a file, from page `first` (from 0) on; none at its end."""
    data = os.pread(file, _TOGETHER * PAGE, first * PAGE)
    return sums_of(np.frombuffer(data[: len(data) // PAGE * PAGE], "<u8").reshape(-1, _WORDS))


def sums_of(rows: Any) -> Any:
    """A number for each row of 512 words, never 0. A change of one word always changes it."""
    found = np.einsum("ij,j->i", rows, _WEIGHTS)
    return np.where(found == 0, np.uint64(1), found)


#: Odd, so that no change of a word is lost in the product; the same for ever.
_WEIGHTS: Final[Any] = np.random.Generator(np.random.PCG64(20261121)).integers(0, 1 << 63, _WORDS, np.uint64) * 2 + 1


def _load(path: Path) -> tuple[Any, int, tuple[int, int, int] | None, bool]:
    """Sums, pages, how far the journal was seen, and whether the file says anything. Raises OSError."""
    nothing = np.zeros(0, np.uint64), 0, None, False
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return nothing
    if len(data) < _FIRST * _BLOCK:
        return nothing
    magic, pages = _HEAD.unpack_from(data, 0)
    if magic != _MAGIC or _CRC.unpack_from(data, _HEAD.size)[0] != zlib.crc32(data[: _HEAD.size]):
        return nothing
    said = data[_BLOCK : _BLOCK + _SEEN.size]
    is_whole = _CRC.unpack_from(data, _BLOCK + _SEEN.size)[0] == zlib.crc32(said)
    seen: tuple[int, int, int] | None = _SEEN.unpack(said) if is_whole else None
    end = len(data) // _BLOCK * _BLOCK
    blocks = np.frombuffer(data[_FIRST * _BLOCK : end], "<u8").reshape(-1, _WORDS)
    sums = blocks[:, :_IN_BLOCK].copy()
    if len(blocks):
        whole = blocks.copy()
        whole[:, -1] = 0
        # a block that is not whole says nothing of its pages
        sums[sums_of(whole) != blocks[:, -1]] = 0
    return sums.reshape(-1), pages, seen, True
