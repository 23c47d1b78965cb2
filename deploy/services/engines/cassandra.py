"""Apache Cassandra, one node, from its jars; it stands for ScyllaDB. No login: it listens on loopback only."""

from pathlib import Path
from string import Template
from typing import Final

from deploy.services.engine import Engine
from deploy.services.packages import jars, java
from deploy.services.process import Launch
from deploy.services.room import Room
from deploy.services.wire import ask

_SOURCES: Final = Path(__file__).parents[1] / "cassandra"
#: Version 4 of the protocol; "which options do you know?" and the kind of the answer to it.
_OPTIONS: Final = bytes((0x04, 0, 0, 0, 0x05, 0, 0, 0, 0))
_SUPPORTED: Final = 0x06


def _build(cache: Path) -> Path:
    java()
    return jars(cache, _SOURCES)


def _launch(room: Room) -> Launch:
    port, storage_port, ssl_storage_port = room.ports
    text = Template((_SOURCES / "cassandra.yaml").read_text()).substitute(
        port=port, storage_port=storage_port, ssl_storage_port=ssl_storage_port, data=room.data
    )
    configuration = room.write("cassandra.yaml", text)
    argv = [
        java(), "-Xms128m", "-Xmx384m", f"@{_SOURCES}/jvm.options", "-XX:TieredStopAtLevel=1",
        f"-Dcassandra.config={configuration.as_uri()}", f"-Dcassandra.storagedir={room.data}",
        f"-Dlogback.configurationFile={_SOURCES}/logback.xml", "-cp", f"{_build(room.cache)}/*",
        "org.apache.cassandra.service.CassandraDaemon",
    ]  # fmt: skip
    return Launch(argv=argv, folder=room.data)


def _is_healthy(room: Room) -> bool:
    answer = ask(room.port, _OPTIONS, enough=9)
    return len(answer) >= 9 and answer[4] == _SUPPORTED


def _addresses(room: Room) -> dict[str, str]:
    return {"SCYLLA_HOSTS": f"127.0.0.1:{room.port}"}


CASSANDRA: Final = Engine(
    name="cassandra",
    build=_build,
    launch=_launch,
    is_healthy=_is_healthy,
    addresses=_addresses,
    ports=3,
    start_timeout_s=120.0,
)
