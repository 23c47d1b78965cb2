"""What receiving alone costs: a subscriber that acknowledges every message and does nothing with it.

`python -m evals.bench.subscriber KIND URL N` prints `up` when it listens and, after N messages, seconds from the first
to the last and seconds of processor. KIND `paho` is the library with its own thread, as most would use it; `link` is
HomeGuard's connection, which acknowledges what was taken together in one write, without a disk in between.
"""

import sys
import threading
import time
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import uvloop
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from pipeline.mqtt.address import parse_address
from pipeline.mqtt.connection import RECEIVE_MAXIMUM, Connection
from pipeline.mqtt.delivery import DeliveryNames

_TOPIC = "homeguard/#"
#: One for both: whoever begins anew under it ends the session that the other one left behind, which the broker would
#: go on filling.
_CLIENT_ID = "bench-subscriber"


def main() -> int:
    kind, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    elapsed_s, cpu_s = _paho(url, count) if kind == "paho" else uvloop.run(_link(url, count))
    print(f"{elapsed_s} {cpu_s}", flush=True)
    return 0


def _paho(url: str, count: int) -> tuple[float, float]:
    where = urlsplit(url)
    begun = [0.0, 0.0]
    seen = 0
    done = threading.Event()

    def on_message(client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        nonlocal seen
        if not seen:
            begun[:] = time.perf_counter(), time.process_time()
        seen += 1
        client.ack(message.mid, message.qos)
        if seen == count:
            done.set()

    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=_CLIENT_ID, protocol=paho.MQTTv5, manual_ack=True)
    client.on_message = on_message
    client.on_connect = lambda c, *_: c.subscribe(_TOPIC, qos=1)
    client.on_subscribe = lambda *_: print("up", flush=True)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    client.connect(where.hostname or "", where.port or 1883, clean_start=True, properties=properties)
    client.loop_start()
    done.wait(120)
    ended = time.perf_counter() - begun[0], time.process_time() - begun[1]
    client.disconnect()
    client.loop_stop()
    return ended


async def _link(url: str, count: int) -> tuple[float, float]:
    connection = Connection(parse_address(url), _CLIENT_ID, DeliveryNames(), version=5)
    await connection.open([_TOPIC])
    await connection.subscribed.wait()
    print("up", flush=True)
    seen, begun = 0, (0.0, 0.0)
    while seen < count and not connection.is_lost:
        taken = await connection.take(1.0)
        if taken and not seen:
            begun = time.perf_counter(), time.process_time()
        connection.acknowledge(taken)
        seen += len(taken)
    ended = time.perf_counter() - begun[0], time.process_time() - begun[1]
    await connection.close()
    return ended


if __name__ == "__main__":
    sys.exit(main())
