"""Who works on a data folder: one process at a time, written into `<data>/lock` for those who come later."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from homeguard.errors import StartRefused

_NAME: Final = "lock"
_TRIES: Final = 5
_PAUSE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that has the folder, and the address on which it answers, `""` until it does."""

    pid: int
    address: str = ""


class Held:
    """A folder that this process has."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def announce(self, address: str) -> None:
        """Write where this process answers, for `holder`."""
        os.write(self._fd, msgspec.json.encode({"address": address}) + b"\n")


@contextmanager
def hold(data_dir: Path) -> Iterator[Held]:
    """Have the folder, made when it is not there, until the end of the block.

    Raises:
        StartRefused: another process has it, or it cannot be written.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(data_dir / _NAME, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartRefused(f"{data_dir} cannot be used: {error.strerror}") from error
    try:
        _lock(fd, data_dir)
        os.ftruncate(fd, 0)
        os.write(fd, msgspec.json.encode({"pid": os.getpid()}) + b"\n")
        try:
            yield Held(fd)
        finally:
            os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def _lock(fd: int, data_dir: Path) -> None:
    """Several tries: `holder` in another process may be looking just now."""
    for tries_left in range(_TRIES - 1, -1, -1):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if tries_left:
                time.sleep(_PAUSE_S)
                continue
            found = _read(fd)
            by = f"process {found.pid}" if found is not None else "another process"
            raise StartRefused(f"{data_dir} is already in use by {by}") from error
        return


def holder(data_dir: Path) -> Holder | None:
    """Who has the folder now; None when nobody does. `pid` is 0 in the moment before the process wrote it."""
    try:
        fd = os.open(data_dir / _NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _read(fd) or Holder(0)
    else:
        return None
    finally:
        os.close(fd)


def _read(fd: int) -> Holder | None:
    pid, address = 0, ""
    for line in os.pread(fd, 4096, 0).splitlines():
        with suppress(msgspec.DecodeError):
            said = msgspec.json.decode(line, type=dict[str, int | str])
            pid, address = int(said.get("pid", pid)), str(said.get("address", address))
    return Holder(pid, address) if pid else None
