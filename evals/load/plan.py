"""What a load run is to do: how many events a second, for how long, from which devices. No I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from homeguard.errors import InvalidInput

Protocol: TypeAlias = Literal["http", "mqtt"]

_UNITS: Final[Mapping[str, float]] = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`rate` events a second for `duration_s`, in requests of `batch` events each, from `devices` devices in turn.

    `anomalies` is the share of measured values that lie far out of their range, 0 to 1. `connections` carry the
    requests side by side. One whose answer takes longer than `timeout_s` has failed.
    """

    rate: float = 100.0
    duration_s: float = 120.0
    devices: int = 100
    anomalies: float = 0.0
    protocol: Protocol = "http"
    batch: int = 1
    connections: int = 16
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("rate", self.rate, 0.1, 1e6), ("duration", self.duration_s, 0.1, 7 * 86_400),
            ("devices", self.devices, 1, 1e5), ("anomalies", self.anomalies, 0, 1), ("batch", self.batch, 1, 10_000),
            ("connections", self.connections, 1, 1_000),
        ):  # fmt: skip
            if not low <= value <= high:
                raise InvalidInput(f"--{name} lies between {low:g} and {high:g}", field=name)

    @property
    def requests(self) -> int:
        return max(1, round(self.rate * self.duration_s / self.batch))

    def due_s(self, number: int) -> float:
        """When the request of that number (from 0) is to be sent, in seconds from the beginning."""
        return number * self.batch / self.rate


#: Name -> the usual runs: a first look, many requests, values that are out of order, the settings of the environment.
PROFILES: Final[Mapping[str, Plan]] = {
    "basic": Plan(rate=100, duration_s=120, devices=100),
    "high": Plan(rate=1000, duration_s=300, devices=50),
    "anomalies": Plan(rate=200, duration_s=180, devices=25, anomalies=0.05),
    "steady": Plan(rate=500, duration_s=300, devices=30),
}


def seconds(text: str) -> float:
    """A length of time: `120`, `120s`, `5m`, `1h`.

    Raises:
        InvalidInput: it is none.
    """
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise InvalidInput(f"'{text}' is no length of time: write 120s, 5m or 1h", field="duration")
    return float(match[1]) * _UNITS[match[2]]
