"""The one place where metrics are named: each figure of HomeGuard, in the words of its dashboards."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The figures of one running instance, in a registry of its own. Labels hold no ids of people or devices."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.http_requests: Final = Counter(
            "http_requests_total",
            "Answered HTTP requests",
            ("service", "method", "endpoint", "status"),
            registry=self.registry,
        )
        self.http_seconds: Final = Histogram(
            "http_request_duration_seconds",
            "From the request's head to the head of its answer",
            ("service", "method", "endpoint"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.websockets: Final = Gauge(
            "websocket_connections_active", "Open live WebSocket connections", registry=self.registry
        )
        self.agent_seconds: Final = Histogram(
            "agent_response_time_seconds",
            "From a person's message to the end of the turn",
            buckets=(*_SECONDS, 30.0, 60.0),
            registry=self.registry,
        )
        self.agent_actions: Final = Counter(
            "agent_actions_taken_total",
            "Commands that turns had carried out",
            ("action_type",),
            registry=self.registry,
        )

    def exposition(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)
