"""What became of a load run: counts, times and the block of text that is printed at its end. No I/O."""

from array import array
from dataclasses import dataclass, field
from typing import Any, Final

_LINE: Final = "=" * 60
_TIMES: Final = ("avg", "min", "max", "p50", "p95", "p99")
_SHED: Final = frozenset((429, 503, 507))


@dataclass(slots=True)
class Result:
    """`requests` were sent. Of their events were: `accepted` on disk, `rejected` for what they say, `shed` because
    there were too many, `failed` without an answer (or with one that says that the server is broken).

    `latencies_s` is one number an answered request, counted from when it was due: a server that stalls is charged
    for what had to wait.
    """

    requests: int = 0
    accepted: int = 0
    rejected: int = 0
    shed: int = 0
    failed: int = 0
    sent_bytes: int = 0
    elapsed_s: float = 0.0
    memory_mib: float = 0.0
    #: How long after it was due a request was sent at worst: all connections were busy, or the generator was slow.
    latest_s: float = 0.0
    latencies_s: "array[float]" = field(default_factory=lambda: array("d"))
    statuses: dict[int, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)

    def answered(self, status: int, events: int, latency_s: float, refused: int = 0) -> None:
        """An answer to a request with so many events, of which it refused some one by one."""
        self.latencies_s.append(latency_s)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if 200 <= status < 300:
            self.accepted += events - refused
            self.rejected += refused
        elif status in _SHED:
            self.shed += events
        elif status < 500:
            self.rejected += events
        else:
            self.failed += events

    def unanswered(self, events: int, why: str) -> None:
        self.failed += events
        self.failures[why] = self.failures.get(why, 0) + 1

    @property
    def events(self) -> int:
        return self.accepted + self.rejected + self.shed + self.failed

    @property
    def rate(self) -> float:
        """Events a second that were answered, whatever the answer."""
        return (self.events - self.failed) / self.elapsed_s if self.elapsed_s else 0.0

    def quantile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0

    def as_json(self) -> dict[str, Any]:
        """The figures by name; times in milliseconds, 0 when nothing was answered."""
        times = self.latencies_s
        return {
            "duration_s": round(self.elapsed_s, 2), "requests": self.requests, "events": self.events,
            "accepted": self.accepted, "rejected": self.rejected, "shed": self.shed, "failed": self.failed,
            "events_per_s": round(self.rate, 1), "avg_ms": round(sum(times) / len(times) * 1000, 2) if times else 0.0,
            "min_ms": round(min(times, default=0.0) * 1000, 2), "max_ms": round(max(times, default=0.0) * 1000, 2),
            "p50_ms": round(self.quantile_ms(0.5), 2), "p95_ms": round(self.quantile_ms(0.95), 2),
            "p99_ms": round(self.quantile_ms(0.99), 2), "sent_mb": round(self.sent_bytes / 1e6, 2),
            "memory_mib": round(self.memory_mib, 1), "latest_ms": round(self.latest_s * 1000, 1),
            "statuses": {str(status): n for status, n in sorted(self.statuses.items())},
            "failures": dict(sorted(self.failures.items())),
        }  # fmt: skip

    def block(self) -> str:
        """The final report, as people read it."""
        told = self.as_json()
        share = self.accepted / self.events if self.events else 0.0
        rows = [
            ("Duration", f"{self.elapsed_s:.1f} s"),
            ("Total requests", f"{self.requests:,}"),
            ("Total events", f"{self.events:,}"),
            ("Accepted", f"{self.accepted:,} ({share:.2%})"),
            ("Rejected", f"{self.rejected:,}"),
            ("Shed (429, 503, 507)", f"{self.shed:,}"),
            ("Failed", f"{self.failed:,}"),
            ("Events per second", f"{self.rate:,.1f}"),
            *(
                (f"Latency {name}", f"{told[f'{name}_ms']:,.1f} ms")
                for name in ("avg", "min", "max", "p50", "p95", "p99")
            ),
            ("Total bytes sent", f"{self.sent_bytes / 1e6:,.1f} MB"),
            ("Memory of the generator", f"{self.memory_mib:,.0f} MiB"),
            ("Latest start after due", f"{self.latest_s * 1000:,.1f} ms"),
        ]
        if self.statuses:
            rows.append(("Answers by status", ", ".join(f"{s}: {n:,}" for s, n in sorted(self.statuses.items()))))
        rows += [(f"Failure: {why}"[:40], f"{n:,}") for why, n in sorted(self.failures.items())]
        width = max(len(name) for name, _ in rows) + 2
        return "\n".join(
            (_LINE, "FINAL LOAD TEST RESULTS", _LINE, *(f"{name + ':':{width}} {value}" for name, value in rows), _LINE)
        )
