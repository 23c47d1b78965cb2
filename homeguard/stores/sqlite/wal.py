"""What a database's journal (`-wal`) really holds, read and checked without SQLite, before SQLite touches anything.

SQLite takes the frames up to the first that does not fit and passes over the rest in silence. That is right after a
power cut and wrong after bit rot, so the next start has to know which of the two it is.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

PAGE: Final = 4096
_HEADER: Final = 32
_FRAME: Final = 24 + PAGE
_MAGIC: Final = (0x377F0682, 0x377F0683)
#: Frames looked at together (4 MiB).
_TOGETHER: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """`committed`: frames of whole transactions, as SQLite takes them. Behind these: `behind` frames of the same
    generation (`salts`), with the ends of `commits_behind` transactions. `is_sound`: it has a header that fits, or
    nothing at all."""

    salts: tuple[int, int] = (0, 0)
    committed: int = 0
    behind: int = 0
    commits_behind: int = 0
    is_sound: bool = True
    #: Pages that the committed frames hold.
    pages: frozenset[int] = frozenset()


def read_journal(path: Path) -> Journal:
    """The journal of a database of 4 KiB pages; an absent one is empty. Raises OSError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return Journal()
    try:
        size = os.fstat(fd).st_size
        header = os.pread(fd, _HEADER, 0)
        if size < _HEADER + _FRAME:
            return Journal()
        words = np.frombuffer(header, ">u4")
        order = "<u4" if int(words[0]) == _MAGIC[0] else ">u4"
        start = _sum_of(np.frombuffer(header[:24], order).reshape(1, 6), np.zeros((1, 2), np.uint32))[0]
        if int(words[0]) not in _MAGIC or int(words[2]) != PAGE or list(start) != [int(words[6]), int(words[7])]:
            # a file that was made longer and not written yet is no harm
            return Journal(is_sound=not any(header) and not any(os.pread(fd, 24, _HEADER)))
        return _walk(fd, size, (int(words[4]), int(words[5])), start, order)
    finally:
        os.close(fd)


def frames_of(path: Path, first: int, last: int) -> Iterator[tuple[Any, Any]]:
    """Frames `first` to `last` (from 0, the last not included) as pairs of arrays: page numbers, and the pages as rows
    of 512 words of 8 bytes. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for number in range(first, last, _TOGETHER):
            rows = _rows(fd, number, min(_TOGETHER, last - number))
            if not len(rows):
                return
            yield rows[:, :4].copy().view(">u4").reshape(-1).astype(np.int64), rows[:, 24:].view("<u8")
    finally:
        os.close(fd)


def salts_of(path: Path) -> tuple[int, int]:
    """The generation of the journal as its header has it; zeros when there is none."""
    try:
        with path.open("rb") as file:
            header = file.read(24)
    except FileNotFoundError:
        header = b""
    return (int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")) if len(header) == 24 else (0, 0)


def _walk(fd: int, size: int, salts: tuple[int, int], start: Any, order: str) -> Journal:
    total = (size - _HEADER) // _FRAME
    before = start.reshape(1, 2)
    is_chained, valid, committed, behind, commits_behind = True, 0, 0, 0, 0
    numbers: list[Any] = []
    for first in range(0, total, _TOGETHER):
        rows = _rows(fd, first, min(_TOGETHER, total - first))
        heads = rows[:, :24].copy().view(">u4")
        ours = (heads[:, 2] == salts[0]) & (heads[:, 3] == salts[1])
        if is_chained:
            # each frame goes on from the sum that the one before it states
            stated = heads[:, 4:6].astype(np.uint32)
            begun = np.concatenate([before, stated[:-1]])
            found = _sum_of(np.concatenate([rows[:, :8], rows[:, 24:]], axis=1).view(order), begun)
            good = ours & (found == stated).all(axis=1)
            count = int(np.argmin(good)) if not good.all() else len(good)
            valid += count
            ends = np.flatnonzero(heads[:count, 1])
            if len(ends):
                committed = first + int(ends[-1]) + 1
            numbers.append(heads[:count, 0].astype(np.int64))
            before, is_chained = stated[-1:], count == len(good)
            rest_ours, rest_ends = ours[count:], heads[count:, 1] != 0
        else:
            rest_ours, rest_ends = ours, heads[:, 1] != 0
        behind += int(rest_ours.sum())
        commits_behind += int((rest_ours & rest_ends).sum())
    pages = np.concatenate(numbers)[:committed] if numbers else np.zeros(0, np.int64)
    return Journal(
        salts=salts, committed=committed, behind=behind + valid - committed, commits_behind=commits_behind,
        pages=frozenset(pages.tolist()),
    )  # fmt: skip


def _rows(fd: int, first: int, count: int) -> Any:
    data = os.pread(fd, count * _FRAME, _HEADER + first * _FRAME)
    return np.frombuffer(data[: len(data) // _FRAME * _FRAME], np.uint8).reshape(-1, _FRAME)


def _sum_of(words: Any, begun: Any) -> Any:
    """SQLite's checksum of each row of words, begun with a pair of sums a row. It is linear modulo 2^32, so that a
    frame is a product with fixed weights instead of a walk."""
    weights, turns = _weights(words.shape[1])
    native = np.ascontiguousarray(words).astype(np.uint32, copy=False)
    return np.stack(
        [
            np.einsum("ij,j->i", native, weights[0]) + begun[:, 0] * turns[0, 0] + begun[:, 1] * turns[0, 1],
            np.einsum("ij,j->i", native, weights[1]) + begun[:, 0] * turns[1, 0] + begun[:, 1] * turns[1, 1],
        ],
        axis=1,
    )


@cache
def _weights(count: int) -> tuple[Any, Any]:
    """What each of `count` words adds to the two sums in the end, and what the sums before add.

    One step is `s0 += x0 + s1; s1 += x1 + s0`, with the new `s0`.
    """
    step = np.array([[1, 1], [1, 2]], dtype=np.uint32)
    turn = np.eye(2, dtype=np.uint32)
    weights = np.zeros((2, count), dtype=np.uint32)
    for pair in range(count // 2 - 1, -1, -1):
        # x0 goes into both sums at once, x1 into the second only
        weights[:, 2 * pair] = turn[:, 0] + turn[:, 1]
        weights[:, 2 * pair + 1] = turn[:, 1]
        turn = turn @ step
    return weights, turn
