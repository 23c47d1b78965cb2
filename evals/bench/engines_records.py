"""What the benches of engines are fed with: events as devices send them, and what a detector must find in them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from homeguard.model import Anomaly, Event, Json, Metadata
from pipeline.detectors.bank import SeriesBank
from pipeline.handlers.observed import readings_of

HOMES = 4
DEVICES = 50
_ALL = HOMES * DEVICES
_SAYS = Metadata(firmware_version="1.2.3", signal_strength=-45)
_MOTION: Mapping[str, Json] = {"zone": "living_room", "intensity": 0.85, "signature": "human"}
#: Of each series one number is strange; by then its detector knows what is usual.
_STRANGE = 20


def homes(name: str) -> list[str]:
    return [f"{name}-home-{h}" for h in range(HOMES)]


def device(number: int) -> str:
    return f"sensor-{number % DEVICES}"


def events(name: str, n: int) -> list[Event]:
    """A millisecond apart, the last one now. Three of four devices see motion, the fourth measures two numbers."""
    now = datetime.now(UTC).replace(microsecond=0)
    found = []
    for i in range(n):
        number = i % _ALL
        measures = number % 4 == 0
        strange = measures and i // _ALL == _STRANGE
        temperature = 60.0 if strange else 20 + i // _ALL % 7 / 10
        measured: Mapping[str, Json] = {"metrics": {"temperature": temperature, "humidity": 45}}
        found.append(
            Event(
                home_id=homes(name)[number // DEVICES],
                event_id=f"{name}-{i:08d}-8000-b5a1-0123456789ab",
                event_type="telemetry" if measures else "motion_detected",
                at=now - timedelta(milliseconds=n - i),
                received_at=now,
                device_id=device(number),
                payload=measured if measures else _MOTION,
                metadata=_SAYS,
                source="http",
            )
        )
    return found


def strange(told: Sequence[Event]) -> dict[str, list[Anomaly]]:
    """event id -> the anomalies that its numbers are; a series is judged in the order of its events."""
    findings, _ = SeriesBank().judge([reading for event in told for reading in readings_of(event)])
    found: dict[str, list[Anomaly]] = {}
    for finding in findings:
        found.setdefault(finding.reading.event_id, []).append(finding.anomaly)
    return found
