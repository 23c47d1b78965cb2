"""Two stand-ins for MongoDB: one that is atomic and forgets, one that remembers. Neither knows a login."""

import struct
from pathlib import Path
from typing import Final

from deploy.services.engine import Engine
from deploy.services.packages import classes, go_program, jars, java
from deploy.services.process import Launch
from deploy.services.room import Room
from deploy.services.wire import ask

_JAVA: Final = Path(__file__).parents[1] / "mongo-java"
_FERRET: Final = Path(__file__).parents[1] / "ferretdb"
_MESSAGE: Final = 2013
_OK: Final = b"\x01ok\x00" + struct.pack("<d", 1.0)


def _build_java(cache: Path) -> tuple[Path, Path]:
    java()
    libraries = jars(cache, _JAVA)
    return classes(cache, _JAVA, libraries), libraries


def _launch_java(room: Room) -> Launch:
    own, libraries = _build_java(room.cache)
    argv = [
        java(), "-Xmx256m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-cp", f"{own}:{libraries}/*",
        "Server", str(room.port),
    ]  # fmt: skip
    return Launch(argv=argv, folder=room.data)


def _build_ferret(cache: Path) -> Path:
    return go_program(cache, _FERRET)


def _launch_ferret(room: Room) -> Launch:
    folder = room.data / "databases"
    folder.mkdir(mode=0o700, exist_ok=True)
    program = str(_build_ferret(room.cache))
    return Launch(argv=[program, "-addr", f"127.0.0.1:{room.port}", "-data", str(folder)], folder=room.data)


def _is_healthy(room: Room) -> bool:
    """`ping` in the one form of message that every version knows."""
    document = b"\x10ping\x00\x01\x00\x00\x00" + b"\x02$db\x00" + struct.pack("<i", 6) + b"admin\x00" + b"\x00"
    body = struct.pack("<iB", 0, 0) + struct.pack("<i", len(document) + 4) + document
    header = struct.pack("<iiii", len(body) + 16, 1, 0, _MESSAGE)
    return _OK in ask(room.port, header + body, enough=38)


MONGO_JAVA: Final = Engine(
    name="mongo-java",
    build=_build_java,
    launch=_launch_java,
    is_healthy=_is_healthy,
    addresses=lambda room: {"MONGO_URL": f"mongodb://127.0.0.1:{room.port}/homeguard"},
)
FERRETDB: Final = Engine(
    name="ferretdb",
    build=_build_ferret,
    launch=_launch_ferret,
    is_healthy=_is_healthy,
    addresses=lambda room: {"MONGO_DURABLE_URL": f"mongodb://127.0.0.1:{room.port}/homeguard"},
)
