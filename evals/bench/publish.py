"""Publishes over MQTT 3.1.1 with QoS 1 on a raw socket: packets are made beforehand, confirmations only counted."""

import asyncio
from collections.abc import Sequence

from evals.load.mqtt import variable_length

#: Messages that the broker has not confirmed yet.
WINDOW = 1_000
_CHUNK = 50


def packets(messages: Sequence[tuple[str, bytes]]) -> list[bytes]:
    """A PUBLISH for each (topic, payload), with packet ids that go round."""
    made = []
    for number, (topic, payload) in enumerate(messages):
        name = topic.encode()
        body = len(name).to_bytes(2, "big") + name + (number % 65_535 + 1).to_bytes(2, "big") + payload
        made.append(b"\x32" + variable_length(len(body)) + body)
    return made


async def publish(port: int, made: Sequence[bytes]) -> None:
    """Returns when the broker has confirmed every one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    hello = b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x05bench"
    writer.write(b"\x10" + variable_length(len(hello)) + hello)
    if (await reader.readexactly(4))[3] != 0:
        raise RuntimeError("the broker refused the connection")
    confirmed = 0
    left = b""
    for first in range(0, len(made), _CHUNK):
        while first - confirmed > WINDOW:
            left += await reader.read(65_536)
            confirmed, left = confirmed + len(left) // 4, left[len(left) // 4 * 4 :]
        writer.write(b"".join(made[first : first + _CHUNK]))
        await writer.drain()
    while confirmed < len(made):
        left += await reader.read(65_536)
        confirmed, left = confirmed + len(left) // 4, left[len(left) // 4 * 4 :]
    writer.write(b"\xe0\x00")
    writer.close()
