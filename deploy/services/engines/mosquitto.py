"""Mosquitto from Debian: an MQTT broker with one account."""

from pathlib import Path
from typing import Final

from deploy.services.engine import Engine
from deploy.services.process import Launch, program, run
from deploy.services.room import Room
from deploy.services.wire import ask

_USER: Final = "homeguard"
_CONFIGURATION: Final = """\
per_listener_settings false
allow_anonymous false
password_file {passwords}
persistence true
persistence_location {data}/
autosave_interval 1
autosave_on_changes true
max_queued_messages 0
set_tcp_nodelay true
log_dest stderr
listener {port} 127.0.0.1
"""


def _find() -> str:
    return program("mosquitto") if program("mosquitto_passwd") else ""


def _launch(room: Room) -> Launch:
    passwords = room.write("passwords", f"{_USER}:{room.password()}\n")
    # turns the plain line into a hash in its place; given as an argument, others could read it
    run(Launch(argv=[program("mosquitto_passwd"), "-U", str(passwords)], folder=Path("/")), timeout_s=10)
    room.give(passwords)
    text = _CONFIGURATION.format(port=room.port, data=room.data, passwords=passwords)
    path = room.write("mosquitto.conf", text)
    return Launch(argv=[_find(), "-c", str(path)], folder=room.data, user=room.owner)


def _is_healthy(room: Room) -> bool:
    fields = (b"homeguard-health", _USER.encode(), room.password().encode())
    body = b"\x00\x04MQTT\x04\xc2\x00\x0a" + b"".join(len(field).to_bytes(2, "big") + field for field in fields)
    return ask(room.port, bytes((0x10, len(body))) + body, enough=4) == b"\x20\x02\x00\x00"


def _addresses(room: Room) -> dict[str, str]:
    return {"MQTT_URL": f"mqtt://{_USER}:{room.password()}@127.0.0.1:{room.port}"}


MOSQUITTO: Final = Engine(
    name="mosquitto",
    debian="mosquitto",
    find=_find,
    launch=_launch,
    is_healthy=_is_healthy,
    addresses=_addresses,
    user="mosquitto",
)
