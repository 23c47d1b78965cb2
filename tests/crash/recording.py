"""The recorder in front of a process's files (`iolog.c`): made, switched on, and its journal read."""

import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

COMPILER: Final = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
SOURCE: Final = Path(__file__).with_name("iolog.c")

Call = Literal["open", "write", "truncate", "sync", "rename", "unlink", "link", "mapped"]

_CALLS: Final[tuple[Call, ...]] = ("open", "write", "truncate", "sync", "rename", "unlink", "link", "mapped")
_ENTRY: Final = struct.Struct("<QQqIIIIII")
_CREATED, _DIRECTORY = 1, 2


@dataclass(frozen=True, slots=True)
class Entry:
    """One call that succeeded. `file` is the number of the opening; times are CLOCK_MONOTONIC in nanoseconds.

    `offset` is where a write began, or the size that a truncate left. Paths are below the recorded folder; one that
    lies outside is empty.
    """

    call: Call
    begun: int
    ended: int
    file: int
    path: str
    other: str
    offset: int
    data: bytes
    is_new: bool
    is_folder: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A named moment: before or after the `n`-th such call on a file that fits the pattern."""

    call: Call
    pattern: str
    when: Literal["before", "after"]
    n: int = 1

    def __str__(self) -> str:
        return f"{self.when} {self.call} {self.pattern}"


def compiled(folder: Path) -> Path:
    """The recorder as a library that can be preloaded."""
    assert COMPILER is not None
    made = folder / "iolog.so"
    subprocess.run(
        [COMPILER, "-shared", "-fPIC", "-O2", "-Wall", "-o", made, SOURCE, "-ldl", "-lpthread"], check=True, timeout=60
    )
    return made


def switched_on(
    root: Path, *, journal: Path | None = None, die: Point | None = None, lie: str = "", clock: Path | None = None
) -> dict[str, str]:
    """The settings of one start. `lie`: syncs of files that fit this pattern say yes and do nothing.

    `clock` is a file of 16 bytes: by how many nanoseconds the wall clock and the monotonic one are ahead.
    """
    return {
        "IOLOG_ROOT": str(root),
        "IOLOG_JOURNAL": str(journal or ""),
        "IOLOG_KILL": f"{die.call}:{die.pattern}:{die.n}:{die.when}" if die is not None else "",
        "IOLOG_LIE": lie,
        "IOLOG_CLOCK": str(clock or ""),
    }


def read_journal(path: Path) -> Iterator[Entry]:
    """In the order in which the calls ended; what a kill cut off at the end is left out."""
    data = path.read_bytes()
    at = 0
    while at + _ENTRY.size <= len(data):
        begun, ended, offset, kind, file, flags, path_size, other_size, data_size = _ENTRY.unpack_from(data, at)
        at += _ENTRY.size
        end = at + path_size + other_size + data_size
        if end > len(data):
            return
        yield Entry(
            call=_CALLS[kind - 1], begun=begun, ended=ended, file=file, offset=offset,
            path=data[at : at + path_size].decode(), other=data[at + path_size : end - data_size].decode(),
            data=data[end - data_size : end], is_new=bool(flags & _CREATED), is_folder=bool(flags & _DIRECTORY),
        )  # fmt: skip
        at = end
