"""Redis from Debian, with a password and every write on disk within a second."""

from typing import Final

from deploy.services.engine import Engine
from deploy.services.process import Launch, program
from deploy.services.room import Room
from deploy.services.wire import ask

_CONFIGURATION: Final = """\
bind 127.0.0.1
port {port}
dir {data}
requirepass {password}
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory 256mb
maxmemory-policy noeviction
logfile ""
"""


def _find() -> str:
    return program("redis-server")


def _launch(room: Room) -> Launch:
    text = _CONFIGURATION.format(port=room.port, data=room.data, password=room.password())
    return Launch(argv=[_find(), str(room.write("redis.conf", text))], folder=room.data, user=room.owner)


def _is_healthy(room: Room) -> bool:
    words = f"AUTH {room.password()}\r\nPING\r\n".encode()
    return ask(room.port, words, enough=12) == b"+OK\r\n+PONG\r\n"


def _addresses(room: Room) -> dict[str, str]:
    return {"REDIS_URL": f"redis://:{room.password()}@127.0.0.1:{room.port}/0"}


REDIS: Final = Engine(
    name="redis",
    debian="redis-server",
    find=_find,
    launch=_launch,
    is_healthy=_is_healthy,
    addresses=_addresses,
    user="redis",
)
