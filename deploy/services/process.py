"""Processes that outlive who started them, and that are ended only when they are really the ones that were started."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from homeguard.settings import environment

#: What a server may know of our environment: nothing that is a secret of whoever starts it.
_INHERITED: Final = ("PATH", "JAVA_HOME")
#: How long the kernel and the first process may take to bury one that is dead.
_BURIAL_S: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to run; `user` "" is who starts it."""

    argv: Sequence[str]
    folder: Path
    user: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


def start(launch: Launch, log: Path, pid_file: Path) -> subprocess.Popen[bytes]:
    """Starts it in a session of its own with nothing inherited, and notes its pid and when it was born.

    The log of the run before is kept once, as `<log>.before`.
    """
    if log.exists():
        log.replace(log.with_name(log.name + ".before"))
    log.touch(mode=0o600)
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own words, no shell
            list(launch.argv), cwd=launch.folder, env=_environment(launch), stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.STDOUT, start_new_session=True, umask=0o077, user=launch.user or None,
            group=_group(launch.user), extra_groups=[] if launch.user else None,
        )  # fmt: skip
    draft = pid_file.with_name("pid.new")
    draft.write_text(f"{process.pid} {born(process.pid)}\n")
    draft.replace(pid_file)
    return process


def run(launch: Launch, *, timeout_s: float) -> str:
    """Runs it to its end and gives what it wrote.

    Raises:
        RuntimeError: it failed or took too long; its last lines are in the text.
    """
    name = Path(launch.argv[0]).name
    try:
        done = subprocess.run(  # noqa: S603 - our own words, no shell
            list(launch.argv), cwd=launch.folder, env=_environment(launch), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout_s,
            check=False, user=launch.user or None, group=_group(launch.user),
            extra_groups=[] if launch.user else None,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{name} did not end within {timeout_s:.0f} s") from error
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-15:])
        raise RuntimeError(f"{name} ended with {done.returncode}:\n{last}")
    return done.stdout


def pid_of(pid_file: Path) -> int:
    """The process that was started and still runs, 0 when there is none. A pid that another process got since does not
    count."""
    try:
        pid, _, at = pid_file.read_text().strip().partition(" ")
    except FileNotFoundError:
        return 0
    return int(pid) if at and born(int(pid)) == at and not is_dead(int(pid)) else 0


def end(pid_file: Path, how: signal.Signals, *, timeout_s: float) -> bool:
    """Ends what was started, kills it when it does not end in time, and waits until it and its children are gone.

    Gives whether there was something to end.
    """
    pid = pid_of(pid_file)
    if not pid:
        pid_file.unlink(missing_ok=True)
        return False
    family = {member: born(member) for member in (pid, *children(pid))}
    descriptor = os.pidfd_open(pid)
    try:
        # the descriptor is of this very process, so nothing can take its place between the look and the signal
        if born(pid) == family[pid]:
            for sign, patience_s in ((how, timeout_s), (signal.SIGKILL, _BURIAL_S)):
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(descriptor, sign)
                if _gone(family, patience_s):
                    break
    finally:
        os.close(descriptor)
    pid_file.unlink(missing_ok=True)
    return True


def born(pid: int) -> str:
    """When it was started, in ticks since the machine was; "" when there is none."""
    fields = _stat(pid)
    return fields[19] if fields else ""


def is_dead(pid: int) -> bool:
    """Ended, be it that nobody has asked for its exit code yet."""
    fields = _stat(pid)
    return not fields or fields[0] in "ZX"


def children(pid: int) -> list[int]:
    """All that it started and what these started."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *children(int(child))]
    return found


def memory_mib(pid: int) -> float:
    """What it and its children hold: shared pages are counted by their share."""
    total = 0
    for member in (pid, *children(pid)):
        with suppress(OSError):
            lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def program(*names: str) -> str:
    """The first of these that this machine has, "" when it has none."""
    places = f"{environment().get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    return next((found for name in names if (found := shutil.which(name, path=places))), "")


def _gone(family: Mapping[int, str], patience_s: float) -> bool:
    until = time.monotonic() + patience_s
    while True:
        for pid in family:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)  # those of our own that nobody else would bury
        if not any(born(pid) == at for pid, at in family.items()):
            return True
        if time.monotonic() > until:
            # dead and not yet buried is as good as gone: nobody can end it any more
            return all(is_dead(pid) or born(pid) != at for pid, at in family.items())
        time.sleep(0.02)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat behind the name, which may hold blanks and brackets itself."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return []


def _group(user: str) -> int | None:
    return pwd.getpwnam(user).pw_gid if user else None


def _environment(launch: Launch) -> dict[str, str]:
    kept = {name: value for name, value in environment().items() if name in _INHERITED}
    return {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC", **kept, **launch.environment}
