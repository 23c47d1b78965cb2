"""Apache Kafka without ZooKeeper, one node, from its jars. No login: it listens on loopback only."""

import struct
from pathlib import Path
from string import Template
from typing import Final

from deploy.services.engine import Engine
from deploy.services.packages import jars, java
from deploy.services.process import Launch, run
from deploy.services.room import Room
from deploy.services.wire import ask

_SOURCES: Final = Path(__file__).parents[1] / "kafka"
#: Any 16 bytes in base64.
_CLUSTER: Final = "MkU3OEVBNTcwNTJENDM2Qg"
_METADATA, _METADATA_VERSION, _QUESTION = 3, 4, 7


def _build(cache: Path) -> Path:
    java()
    return jars(cache, _SOURCES)


def _launch(room: Room) -> Launch:
    port, controller_port = room.ports
    text = Template((_SOURCES / "server.properties").read_text()).substitute(
        port=port, controller_port=controller_port, data=room.data
    )
    properties = str(room.write("server.properties", text))
    machine = [
        java(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={_SOURCES}/log4j2.xml",
        "-cp", f"{_build(room.cache)}/*",
    ]  # fmt: skip
    if not (room.data / "records" / "meta.properties").is_file():
        format_words = ["kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c", properties, "--standalone"]
        run(Launch(argv=[*machine, *format_words], folder=room.data), timeout_s=60)
    memory = ["-Xms64m", "-Xmx256m", "-XX:+ExitOnOutOfMemoryError"]
    return Launch(argv=[machine[0], *memory, *machine[1:], "kafka.Kafka", properties], folder=room.data)


def _is_healthy(room: Room) -> bool:
    """The answer to "which brokers are there?" names one: it lets clients in, and is past its start."""
    body = struct.pack(">hhih", _METADATA, _METADATA_VERSION, _QUESTION, -1) + struct.pack(">i?", 0, False)
    answer = ask(room.port, struct.pack(">i", len(body)) + body, enough=16)
    if len(answer) < 16:
        return False
    _, question, _, brokers = struct.unpack(">iiii", answer[:16])
    return bool(question == _QUESTION and brokers > 0)


def _addresses(room: Room) -> dict[str, str]:
    return {"KAFKA_BROKERS": f"127.0.0.1:{room.port}"}


KAFKA: Final = Engine(
    name="kafka",
    build=_build,
    launch=_launch,
    is_healthy=_is_healthy,
    addresses=_addresses,
    ports=2,
    start_timeout_s=90.0,
)
