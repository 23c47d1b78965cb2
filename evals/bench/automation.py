"""How long an automation takes: from the moment a sensor's event is due to the command at the device.

500 other events a second run behind it. `python -m evals.bench.automation`.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from evals.bench.bare import fdatasync_ms, woken
from evals.bench.instance import (
    DEVICES,
    HOME,
    Instance,
    in_a_folder,
    machine,
    mosquitto,
    pinned,
    prepare,
    serving,
    token_for,
)
from evals.bench.listen import listen, until
from evals.bench.load import Measured, drive, request
from evals.bench.publish import packets
from evals.bench.table import Row, spread, table
from homeguard.clock import SystemClock, iso
from homeguard.ids import derived_id
from homeguard.model import Automation, Device, Json
from homeguard.stores.sqlite.open import open_embedded

#: A rule runs at most 30 times a minute, so that many share the work.
RULES = 48
BEHIND_PER_S = 500
TRIGGERS_PER_S = 20
_COLUMNS = {"n": 0, "seen": 0, "p50 ms": 1, "p99 ms": 1, "x fdatasync p99": 1, "CPU us/event": 0}
_SWITCH: Json = {
    "on": {"property": "state", "attribute": "on", "codec": "binary", "on": "ON", "off": "OFF", "settable": True}
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=12, help="of a run, with 20 automations a second")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--dir", type=Path, default=None, help="where the data folder goes (default: a temporary one)")
    options = parser.parse_args()
    return in_a_folder(lambda folder: _bench(folder, options.seconds, options.repeat), within=options.dir)


async def _bench(folder: Path, seconds: int, repeat: int) -> None:
    cores = pinned()
    print(f"machine: {machine(cores)}")
    print(
        f"server: every handler on, demo, simulator and rate limits off, {DEVICES} devices and {2 * RULES} with a rule "
        "each; log: fdatasync before each acknowledgement; stores: WAL, synchronous=FULL"
    )
    data = folder / "data"
    await prepare(data)
    await _furnish(data)
    rows: dict[str, list[Row]] = defaultdict(list)
    syncs: list[float] = []
    rests: list[float] = []
    with mosquitto(folder) as broker:
        async with serving(data, broker, cores) as instance:
            bench = _Bench(instance, broker, seconds)
            await bench.http(token_for(data), 2)
            for _ in range(repeat):
                sync_ms = fdatasync_ms(folder)[1]
                syncs.append(sync_ms)
                rests.append(woken())
                runs = {"HTTP sensor -> simulated lamp's report, pushed": bench.http(token_for(data), seconds)}
                if broker:
                    runs["MQTT sensor -> order to the lamp, on MQTT"] = bench.mqtt(token_for(data), seconds)
                for name, run in runs.items():
                    row = await run
                    rows[name].append({**row, "x fdatasync p99": row["p99 ms"] / sync_ms})
    print(f"fdatasync p99 ms: {spread(syncs, 2)}")
    print(f"the same work after 2 ms of rest takes so many times as long: {spread(rests, 1)}")
    print(f"each figure: median (smallest-largest) of {repeat}; {BEHIND_PER_S} other events a second behind\n")
    print(table(rows, _COLUMNS))


async def _furnish(data: Path) -> None:
    """Two sets of lamps, one simulated and one behind the broker; a motion sensor and a rule for each lamp."""
    now = SystemClock().now()
    async with open_embedded(data, SystemClock()) as stores:
        for kind in ("simulated", "mqtt"):
            for i in range(RULES):
                zigbee: dict[str, Json] = {
                    "vendor": "zigbee2mqtt", "base": "zigbee2mqtt", "topic": f"lamp-{i}", "keys": _SWITCH,
                }  # fmt: skip
                lamp, sensor = f"{kind}-lamp-{i}", f"{kind}-motion-{i}"
                await stores.devices.put(
                    [
                        Device(home_id=HOME, id=sensor, name=sensor, type="motion", capabilities=("motion",)),
                        Device(
                            home_id=HOME, id=lamp, name=lamp, type="light", capabilities=("on_off",),
                            binding={"driver": kind, **(zigbee if kind == "mqtt" else {})},
                        ),
                    ]
                )  # fmt: skip
                rule = Automation(
                    id=_rule(kind, i), home_id=HOME, name=f"{sensor} switches {lamp}",
                    trigger={"event_type": "motion_detected", "device_id": sensor},
                    actions=({"type": "device_command", "device_id": lamp, "command": "turn_on"},),
                    created_by=HOME, created_at=now, updated_at=now,
                )  # fmt: skip
                await stores.automations.put(rule)


class _Bench:
    def __init__(self, instance: Instance, broker: str, seconds: int) -> None:
        self._instance = instance
        self._broker = urlsplit(broker)
        self._seconds = seconds

    async def http(self, token: str, seconds: int) -> Row:
        """Triggers stand evenly among the other events of one paced stream of requests."""
        every = BEHIND_PER_S // TRIGGERS_PER_S + 1
        rate = BEHIND_PER_S + TRIGGERS_PER_S
        listener = await listen(self._instance.port, token, keep=True)
        requests, due = [], {}
        for number in range(rate * seconds):
            rule = number // every % RULES
            is_trigger = number % every == 0
            event = _moved(f"simulated-motion-{rule}" if is_trigger else f"sensor-{number % DEVICES}")
            if is_trigger:
                command_id = derived_id(event["event_id"], _rule("simulated", rule), "0")
                due[derived_id("report", HOME, command_id)] = number
            requests.append(request("POST", "/api/v1/events", json.dumps(event).encode(), token))
        cpu_s = self._instance.cpu_s()
        measured = await drive(self._instance.port, requests, connections=16, expected=202, rate=float(rate))
        await until(lambda: all(name in listener.arrived for name in due), every_s=0.02, limit_s=15)
        cpu_s = self._instance.cpu_s() - cpu_s
        listener.close()
        delays = [
            listener.arrived[name] - measured.begun - number / rate
            for name, number in due.items()
            if name in listener.arrived
        ]
        return _row(delays, len(due), cpu_s, len(requests))

    async def mqtt(self, token: str, seconds: int) -> Row:
        """Triggers are published by the clock while the other events go their own way; the lamps answer."""
        lamps = _Lamps()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: lamps, "127.0.0.1", self._broker.port or 0)
        async with asyncio.timeout(10):
            await lamps.ready.wait()
        others = [
            request("POST", "/api/v1/events", json.dumps(_moved(f"sensor-{i % DEVICES}")).encode(), token)
            for i in range(BEHIND_PER_S * seconds)
        ]
        count, cpu_s = TRIGGERS_PER_S * seconds, self._instance.cpu_s()
        behind = asyncio.create_task(
            drive(self._instance.port, others, connections=16, expected=202, rate=float(BEHIND_PER_S))
        )
        for number in range(count):
            sensor = f"mqtt-motion-{number % RULES}"
            body = {k: v for k, v in _moved(sensor).items() if k != "device_id"}
            (packet,) = packets([(f"homeguard/{HOME}/{sensor}/events", json.dumps(body).encode())])
            await asyncio.sleep(1 / TRIGGERS_PER_S)
            lamps.due[f"lamp-{number % RULES}"].append(time.perf_counter())
            transport.write(packet)
        await behind
        await until(lambda: len(lamps.delays) >= count, every_s=0.02, limit_s=15)
        cpu_s = self._instance.cpu_s() - cpu_s
        transport.close()
        return _row(lamps.delays, count, cpu_s, len(others) + count)


class _Lamps(asyncio.Protocol):
    """All lamps behind the broker: notes when each is told, and answers as the device would."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        #: Lamp -> when each order that it waits for was due.
        self.due: dict[str, list[float]] = defaultdict(list)
        self.delays: list[float] = []
        self._left = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        hello = b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x05lamps"
        wanted = b"\x00\x01\x00\x11zigbee2mqtt/+/set\x00"
        transport.write(b"\x10" + bytes((len(hello),)) + hello + b"\x82" + bytes((len(wanted),)) + wanted)

    def data_received(self, data: bytes) -> None:
        buffer, now = self._left + data, time.perf_counter()
        while len(buffer) >= 2:
            size, head, shift = 0, 1, 0
            while head < len(buffer) and buffer[head] & 0x80:
                size |= (buffer[head] & 0x7F) << shift
                head, shift = head + 1, shift + 7
            if head >= len(buffer):
                break
            end = head + 1 + (size | buffer[head] << shift)
            if end > len(buffer):
                break
            self._take(buffer[0] >> 4, buffer[head + 1 : end], now)
            buffer = buffer[end:]
        self._left = buffer

    def _take(self, kind: int, body: bytes, now: float) -> None:
        if kind == 9:
            self.ready.set()
        if kind != 3 or self._transport is None:
            return
        lamp = body[2 : 2 + int.from_bytes(body[:2], "big")].decode().split("/")[1]
        if not self.due[lamp]:
            return
        self.delays.append(now - self.due[lamp].pop(0))
        said = {"event_type": "state_changed", "timestamp": iso(datetime.now(UTC)), "payload": {"on": True}}
        (packet,) = packets([(f"homeguard/{HOME}/mqtt-{lamp}/events", json.dumps(said).encode())])
        self._transport.write(packet)


def _row(delays: list[float], count: int, cpu_s: float, events: int) -> dict[str, float]:
    seen = Measured(latencies_s=delays)
    return {
        "n": count, "seen": len(delays), "p50 ms": seen.quantile_ms(0.5), "p99 ms": seen.quantile_ms(0.99),
        "CPU us/event": cpu_s / events * 1e6,
    }  # fmt: skip


def _rule(kind: str, number: int) -> str:
    return f"{kind}-rule-{number}"


def _moved(device_id: str) -> dict[str, str]:
    name = f"{device_id}-{time.time_ns()}"
    return {
        "event_id": name, "device_id": device_id, "event_type": "motion_detected", "timestamp": iso(datetime.now(UTC)),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
