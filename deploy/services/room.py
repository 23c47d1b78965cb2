"""The folder of one server: its ports, passwords, log and data, and who may enter."""

import fcntl
import os
import pwd
import random
import secrets
import shutil
import socket
import stat
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Below the range from which the kernel takes ports for outgoing connections: there, a client that knocks again and
#: again at a server that is down can be connected to itself.
PORTS: Final = range(20_000, 32_001)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """`folder` is ours; `data` inside belongs to `owner`, the user that runs the server ("": who starts it)."""

    folder: Path
    cache: Path
    owner: str = ""

    @property
    def pid_file(self) -> Path:
        return self.folder / "pid"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def is_furnished(self) -> bool:
        return (self.folder / "port").is_file()

    @property
    def ports(self) -> tuple[int, ...]:
        """The server's own port first, () before it got any."""
        with suppress(FileNotFoundError):
            return tuple(int(line) for line in (self.folder / "port").read_text().split())
        return ()

    @property
    def port(self) -> int:
        return self.ports[0]

    @property
    def data(self) -> Path:
        """Made at the first call. In a folder of its own elsewhere when `owner` cannot get to ours."""
        note = self.folder / "elsewhere"
        if note.is_file():
            return Path(note.read_text().strip())
        folder = self.folder / "data"
        if not folder.is_dir():
            if self.owner and not lets_through(self.folder, self.owner):
                folder = Path(tempfile.mkdtemp(prefix="homeguard-services-"))
                note.write_text(f"{folder}\n")
            folder.mkdir(mode=0o700, exist_ok=True)
            self.give(folder)
        return folder

    def furnish(self, ports: int, taken: Collection[int]) -> None:
        """Makes the folder and chooses its ports; both stay until it is wiped."""
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not self.is_furnished:
            chosen = free_ports(ports, taken)
            _write(self.folder / "port", "".join(f"{port}\n" for port in chosen), 0o644)

    def password(self) -> str:
        """Random, made once, readable by its owner only."""
        path = self.folder / "password"
        if not path.is_file():
            _write(path, secrets.token_hex(16) + "\n", 0o600)
        return path.read_text().strip()

    def write(self, name: str, text: str) -> Path:
        """A file in `data` that only the server's user can read."""
        path = self.data / name
        _write(path, text, 0o600)
        self.give(path)
        return path

    def give(self, path: Path) -> None:
        if self.owner:
            entry = pwd.getpwnam(self.owner)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def wipe(self) -> None:
        """Removes everything of it, not the cache."""
        note = self.folder / "elsewhere"
        if note.is_file():
            shutil.rmtree(note.read_text().strip(), ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def lets_through(folder: Path, user: str) -> bool:
    """Whether `user`, who is in its first group only, may pass through `folder` and everything above it."""
    entry = pwd.getpwnam(user)
    for step in (folder, *folder.parents):
        found = step.stat()
        bit = stat.S_IXOTH
        if found.st_uid == entry.pw_uid:
            bit = stat.S_IXUSR
        elif found.st_gid == entry.pw_gid:
            bit = stat.S_IXGRP
        if not found.st_mode & bit:
            return False
    return True


def free_ports(count: int, taken: Collection[int]) -> list[int]:
    """`count` ports of loopback in `PORTS` that nobody listens on now and that are not `taken`.

    Raises:
        OSError: there are not so many.
    """
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if len(found) == count:
            return found
        if port not in taken and is_free(port):
            found.append(port)
    raise OSError(f"no {count} free ports between {PORTS[0]} and {PORTS[-1]}")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # what a server that was just ended leaves behind is no hindrance
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Only one process at a time gets past the same `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write(path: Path, text: str, mode: int) -> None:
    """All of it or nothing, and never readable by more than `mode` says."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    with suppress(FileNotFoundError):
        draft.unlink()
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
