"""PostgreSQL from Debian, with TimescaleDB when that is installed in it."""

import signal
from pathlib import Path
from typing import Final

from deploy.services.engine import Engine
from deploy.services.process import Launch, is_dead, program, run
from deploy.services.room import Room

_USER: Final = "homeguard"
_DATABASES: Final = ("homeguard", "homeguard_readings")
_WITH_EXTENSION: Final = "homeguard_timescale"


def _programs() -> Path:
    """The folder of the newest version, `.` when there is none."""
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").is_file()]
    found = max(versions, key=lambda path: float(path.parent.name), default=None)
    return found or Path(program("initdb")).parent


def _find() -> str:
    path = _programs() / "postgres"
    return str(path) if path.is_file() else ""


def _has_extension() -> bool:
    shared = run(Launch(argv=[str(_programs() / "pg_config"), "--sharedir"], folder=Path("/")), timeout_s=10)
    return (Path(shared.strip()) / "extension" / "timescaledb.control").is_file()


def _launch(room: Room) -> Launch:
    data = room.data / "cluster"
    if not (data / "PG_VERSION").is_file():
        password = room.write("initial-password", room.password() + "\n")
        argv = [
            str(_programs() / "initdb"), "-D", str(data), "-U", _USER, f"--pwfile={password}", "--auth=scram-sha-256",
            "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums",
        ]  # fmt: skip
        try:
            run(Launch(argv=argv, folder=room.data, user=room.owner), timeout_s=60)
        finally:
            password.unlink()
    _forget_the_dead(data)
    options = {
        "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "wal_level": "logical",
        "shared_buffers": "64MB", "max_connections": "150", "max_locks_per_transaction": "256",
        "logging_collector": "off", "timezone": "UTC", "log_timezone": "UTC",
    }  # fmt: skip
    if _has_extension():
        options |= {"shared_preload_libraries": "timescaledb", "timescaledb.telemetry_level": "off"}
    flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return Launch(argv=[_find(), "-D", str(data), "-p", str(room.port), *flags], folder=room.data, user=room.owner)


def _forget_the_dead(data: Path) -> None:
    """PostgreSQL takes a server that was killed and not yet buried for one that runs."""
    lock = data / "postmaster.pid"
    if lock.is_file() and is_dead(int(lock.read_text().split()[0])):
        lock.unlink()


def _is_healthy(room: Room) -> bool:
    try:
        return _ask(room, "select 1").strip() == "1"
    except RuntimeError:
        return False


def _settle(room: Room) -> None:
    there = _ask(room, "select datname from pg_database").split()
    for name in (*_DATABASES, *([_WITH_EXTENSION] if _has_extension() else [])):
        if name not in there:
            _ask(room, f"create database {name}")


def _ask(room: Room, sql: str) -> str:
    """Through psql; the password goes by a file, so that no list of processes shows it."""
    passwords = room.folder / "pgpass"
    if not passwords.is_file():
        passwords.touch(mode=0o600)
        passwords.write_text(f"127.0.0.1:{room.port}:*:{_USER}:{room.password()}\n")
    argv = [
        str(_programs() / "psql"), "-h", "127.0.0.1", "-p", str(room.port), "-U", _USER, "-d", "postgres", "-w", "-X",
        "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql,
    ]  # fmt: skip
    environment = {"PGPASSFILE": str(passwords), "PGCONNECT_TIMEOUT": "3"}
    return run(Launch(argv=argv, folder=Path("/"), environment=environment), timeout_s=20)


def _addresses(room: Room) -> dict[str, str]:
    server = f"postgresql://{_USER}:{room.password()}@127.0.0.1:{room.port}"
    found = {"POSTGRES_URL": f"{server}/{_DATABASES[0]}", "TIMESCALE_URL": f"{server}/{_DATABASES[1]}"}
    if _WITH_EXTENSION in _ask(room, "select datname from pg_database").split() and _has_extension():
        found["TIMESCALE_EXTENSION_URL"] = f"{server}/{_WITH_EXTENSION}"
    return found


POSTGRES: Final = Engine(
    name="postgres",
    debian="postgresql",
    find=_find,
    launch=_launch,
    settle=_settle,
    is_healthy=_is_healthy,
    addresses=_addresses,
    user="postgres",  # it refuses to be root
    stop_signal=signal.SIGINT,  # "fast": does not wait for clients to leave
)
