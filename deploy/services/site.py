"""All servers of one checkout: brings them up and down, and writes the file that says where they are."""

import os
import pwd
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.services import process
from deploy.services.engine import Engine, Lacking
from deploy.services.engines.cassandra import CASSANDRA
from deploy.services.engines.kafka import KAFKA
from deploy.services.engines.mongo import FERRETDB, MONGO_JAVA
from deploy.services.engines.mosquitto import MOSQUITTO
from deploy.services.engines.postgres import POSTGRES
from deploy.services.engines.redis import REDIS
from deploy.services.packages import install_debian
from deploy.services.room import Room, alone, is_free

ENGINES: Final[Mapping[str, Engine]] = {
    engine.name: engine for engine in (POSTGRES, REDIS, MOSQUITTO, KAFKA, CASSANDRA, MONGO_JAVA, FERRETDB)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one server is. `state`: "ready", "kept" (it ran already), "down", "ill" (it runs and does not answer),
    "left out" (the machine lacks something) or "failed"; `note` says why. `ready_s`: from its start to its answer."""

    name: str
    state: str
    port: int = 0
    pid: int = 0
    memory_mib: float = 0.0
    ready_s: float = 0.0
    note: str = ""


class Site:
    """`folder` holds one room for each server, the cache and the file `env`."""

    def __init__(self, folder: Path, cache: Path, engines: Mapping[str, Engine] = ENGINES) -> None:
        self._folder, self._cache, self._engines = folder, cache, engines

    @property
    def env(self) -> Path:
        return self._folder / "env"

    def start(self, names: Sequence[str]) -> list[Outcome]:
        """Installs what is missing, starts what does not run, waits until all of them answer."""
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._cache.mkdir(parents=True, exist_ok=True)
        engines = [self._engines[name] for name in names]
        with alone(self._folder / "lock"):
            install_debian([e.debian for e in engines if e.debian and e.find and not e.find()])
            self._choose_ports(engines)
        outcomes = self._at_once(self._bring_up, engines)
        with alone(self._folder / "lock"):
            self._write_env(outcomes)
        return outcomes

    def stop(self, names: Sequence[str]) -> list[Outcome]:
        outcomes = self._at_once(lambda engine: self._take_down(engine, engine.stop_signal), self._of(names))
        if not any(self._pid(name) for name in self._engines):
            self.env.unlink(missing_ok=True)
        return outcomes

    def kill(self, names: Sequence[str]) -> list[Outcome]:
        """As a crash would: nothing is written any more."""
        return self._at_once(lambda engine: self._take_down(engine, signal.SIGKILL), self._of(names))

    def wipe(self, names: Sequence[str]) -> list[Outcome]:
        """Kills them and removes their data, ports and passwords; what is cached stays."""
        outcomes = self.kill(names)
        for name in names:
            self.room(name).wipe()
        if not any(self._pid(name) for name in self._engines):
            self.env.unlink(missing_ok=True)
        return outcomes

    def look(self, names: Sequence[str]) -> list[Outcome]:
        """How they are now; changes nothing."""
        return self._at_once(self._look, self._of(names))

    def room(self, name: str) -> Room:
        user = self._engines[name].user
        if user and os.geteuid() == 0:
            with suppress(KeyError):
                pwd.getpwnam(user)
                return Room(folder=self._folder / name, cache=self._cache, owner=user)
        return Room(folder=self._folder / name, cache=self._cache)

    def _bring_up(self, engine: Engine) -> Outcome:
        room = self.room(engine.name)
        try:
            if engine.find and not engine.find():
                raise Lacking(f"no {engine.debian} (Debian's package; root installs it)")  # noqa: TRY301
            if engine.build:
                engine.build(self._cache)
            with alone(room.folder / "lock"):
                return self._start(engine, room)
        except Lacking as lack:
            return Outcome(name=engine.name, state="left out", note=str(lack))
        except (OSError, RuntimeError) as error:
            return Outcome(name=engine.name, state="failed", note=str(error))

    def _start(self, engine: Engine, room: Room) -> Outcome:
        pid = process.pid_of(room.pid_file)
        if pid and engine.is_healthy(room):
            return self._seen(engine, room, "kept")
        if pid:
            raise RuntimeError(f"pid {pid} runs and does not answer: see {room.log}, or end it (stop {engine.name})")
        if taken := [port for port in room.ports if not is_free(port)]:
            raise RuntimeError(f"port {taken[0]} is taken by another program: end that, or `wipe {engine.name}`")
        began = time.monotonic()
        started = process.start(engine.launch(room), room.log, room.pid_file)
        try:
            while not engine.is_healthy(room):
                if started.poll() is not None:
                    raise RuntimeError(f"ended with {started.returncode} while starting:\n{_tail(room.log)}")  # noqa: TRY301
                if time.monotonic() - began > engine.start_timeout_s:
                    raise RuntimeError(f"no answer within {engine.start_timeout_s:.0f} s:\n{_tail(room.log)}")  # noqa: TRY301
                time.sleep(0.05)
            ready_s = time.monotonic() - began
            if engine.settle:
                engine.settle(room)
        except BaseException:
            process.end(room.pid_file, signal.SIGKILL, timeout_s=5.0)
            raise
        return self._seen(engine, room, "ready", ready_s)

    def _take_down(self, engine: Engine, how: signal.Signals) -> Outcome:
        room = self.room(engine.name)
        if not room.folder.is_dir():
            return Outcome(name=engine.name, state="down")
        with alone(room.folder / "lock"):
            ended = process.end(room.pid_file, how, timeout_s=engine.stop_timeout_s)
        return Outcome(name=engine.name, state="down", note="ended" if ended else "")

    def _look(self, engine: Engine) -> Outcome:
        room = self.room(engine.name)
        if not process.pid_of(room.pid_file):
            return Outcome(name=engine.name, state="down")
        return self._seen(engine, room, "ready" if engine.is_healthy(room) else "ill")

    def _seen(self, engine: Engine, room: Room, state: str, ready_s: float = 0.0) -> Outcome:
        pid = process.pid_of(room.pid_file)
        return Outcome(
            name=engine.name, state=state, port=room.port, pid=pid, memory_mib=process.memory_mib(pid), ready_s=ready_s
        )

    def _choose_ports(self, engines: Iterable[Engine]) -> None:
        for engine in engines:
            taken = {port for name in self._engines for port in self.room(name).ports}
            self.room(engine.name).furnish(engine.ports, taken)

    def _write_env(self, outcomes: Sequence[Outcome]) -> None:
        """Beside those that were just started stand those that ran before; one that a test has just killed as well."""
        started = [o.name for o in outcomes if o.state in ("ready", "kept")]
        lines = dict(_read(self.env))
        for name in started:
            lines |= self._engines[name].addresses(self.room(name))
        draft = self.env.with_name(f"env.{os.getpid()}.new")
        draft.touch(mode=0o600)
        draft.write_text("".join(f"{name}={value}\n" for name, value in sorted(lines.items())))
        draft.replace(self.env)

    def _pid(self, name: str) -> int:
        return process.pid_of(self.room(name).pid_file)

    def _of(self, names: Sequence[str]) -> list[Engine]:
        return [self._engines[name] for name in names]

    @staticmethod
    def _at_once(act: Callable[[Engine], Outcome], engines: Sequence[Engine]) -> list[Outcome]:
        with ThreadPoolExecutor(max_workers=max(1, len(engines))) as threads:
            return list(threads.map(act, engines))


def _read(env: Path) -> dict[str, str]:
    with suppress(FileNotFoundError):
        return dict(line.split("=", 1) for line in env.read_text().splitlines() if "=" in line)
    return {}


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
