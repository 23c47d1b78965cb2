"""A real Mosquitto, and the other side of it: what a Zigbee2MQTT bridge would publish and hear."""

import json
import os
import queue
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from instances import free_port
from paho.mqtt.enums import CallbackAPIVersion

MOSQUITTO = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
#: Cases that nobody here wrote lie beside the project, where there are any.
PAYLOADS = (
    Path(os.environ.get("HOMEGUARD_EVALS", Path(__file__).resolve().parents[3] / "shared" / "evals"))
    / "mqtt_payloads.jsonl"
)


class Broker:
    """One Mosquitto process that keeps sessions and messages for clients that are away."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(200):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=0.2):
                return
            time.sleep(0.02)
        raise AssertionError("mosquitto did not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


class Bridge:
    """Publishes under `base` as a bridge would, and hears what is sent to `<base>/<name>/set`."""

    def __init__(self, broker: Broker, base: str = "zigbee2mqtt") -> None:
        self.base = base
        self.heard: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        subscribed: queue.Queue[bool] = queue.Queue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda c, *_: c.subscribe(f"{base}/#", qos=1)
        self._client.on_subscribe = lambda *_: subscribed.put(True)
        self._client.on_message = self._on_message
        self._client.max_queued_messages_set(0)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        subscribed.get(timeout=10)

    def say(self, topic: str, payload: Any, *, retain: bool = False, anywhere: bool = False) -> None:
        """At least once, and known to the broker when it returns. What is not bytes or text is sent as JSON."""
        body = payload if isinstance(payload, bytes | str) else json.dumps(payload)
        info = self._client.publish(topic if anywhere else f"{self.base}/{topic}", body, qos=1, retain=retain)
        info.wait_for_publish(10)
        assert info.is_published()

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        # a name may have slashes, so no narrower topic would do
        if message.topic.endswith("/set"):
            self.heard.put((message.topic, json.loads(message.payload)))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
