"""The events of a load run: ordinary readings and motions, with some values far out of their range. No I/O."""

import itertools
import json
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from homeguard.clock import iso

#: Metric -> (usual value, how far it strays, how far out an anomaly lies).
_METRICS: Final[Mapping[str, tuple[float, float, float]]] = {
    "temperature": (21.0, 0.4, 30.0), "humidity": (45.0, 1.5, 40.0), "battery": (88.0, 0.5, -60.0),
    "power": (120.0, 5.0, 2400.0),
}  # fmt: skip
#: What a device of that capability measures.
_MEASURED: Final[Mapping[str, tuple[str, ...]]] = {
    "climate": ("temperature", "humidity"), "battery": ("battery",), "power": ("power",),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A device that events are sent for. `moves`: it has a motion sensor; `metrics` are the numbers that it tells."""

    id: str
    moves: bool = False
    metrics: tuple[str, ...] = ()


def source_of(device_id: str, capabilities: Collection[str]) -> Source | None:
    """The device as a source of events; None for one that measures nothing: a load run leaves it alone."""
    metrics = tuple(name for capability, names in _MEASURED.items() if capability in capabilities for name in names)
    moves = "motion" in capabilities
    return Source(id=device_id, moves=moves, metrics=metrics) if moves or metrics else None


class Events:
    """Makes one event after the other, from the devices in turn; the same for the same seed but for the times.

    Every event has an id of its own (`<run>-<number>`), so what is sent twice is stored once.
    """

    def __init__(self, sources: Sequence[Source], *, run: str, anomalies: float = 0.0, seed: int = 42) -> None:
        self._sources = itertools.cycle(sources)
        self._run = run
        self._anomalies = anomalies
        self._random = random.Random(seed)
        self._numbers = itertools.count()
        #: Values made so far, and how many of them were anomalous.
        self.values = 0
        self.anomalous = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def __next__(self) -> dict[str, Any]:
        source, number = next(self._sources), next(self._numbers)
        made: dict[str, Any] = {
            "event_id": f"{self._run}-{number}", "device_id": source.id, "timestamp": iso(datetime.now(UTC)),
        }  # fmt: skip
        if source.moves and (number % 4 or not source.metrics):
            kind = "motion_detected" if number % 2 else "motion_stopped"
            return {**made, "event_type": kind, "payload": {"zone": "load", "intensity": 0.5}}
        return {**made, "event_type": "telemetry", "payload": {"metrics": self._measured(source)}}

    def body(self, count: int) -> bytes:
        """The next `count` events as the body of a request: one object, or an array of more."""
        made = [next(self) for _ in range(count)]
        return json.dumps(made[0] if count == 1 else made).encode()

    def message(self, home_id: str) -> tuple[str, bytes]:
        """The next event as an MQTT message: its topic and its body."""
        made = next(self)
        return f"homeguard/{home_id}/{made.pop('device_id')}/events", json.dumps(made).encode()

    def _measured(self, source: Source) -> dict[str, float]:
        found = {}
        for name in source.metrics:
            usual, strays, out = _METRICS[name]
            self.values += 1
            value = self._random.gauss(usual, strays)
            if self._random.random() < self._anomalies:
                self.anomalous += 1
                value += out
            found[name] = round(value, 2)
        return found
