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

        self.agent_conversations: Final = Counter(
            "agent_conversations_total",
            "Turns with people, by what they were about",
            ("intent",),
            registry=self.registry,
        )
        #: Family of models -> requests, their seconds, tokens. `gemini` is in the words of its dashboards.
        self.models: Final = {
            family: (
                Counter(
                    f"{family}_requests_total",
                    "Requests to the language model, each try for itself, by how they ended",
                    ("service", "model", "status"),
                    registry=self.registry,
                ),
                Histogram(
                    f"{family}_request_duration_seconds",
                    "From a request to the language model to the end of its answer",
                    ("service", "model"),
                    buckets=(*_SECONDS, 20.0, 30.0),
                    registry=self.registry,
                ),
                Counter(
                    f"{family}_tokens_used_total",
                    "Tokens that the language model read (input) and wrote (output)",
                    ("service", "type"),
                    registry=self.registry,
                ),
            )
            for family in ("gemini", "model")
        }
        self.events_shed: Final = Counter(
            "events_shed_total",
            "Events that were refused because more came than can be done, by how urgent they are",
            ("lane",),
            registry=self.registry,
        )
        #: The labelled figures, looked up once: there are as many as routes and the statuses that they answer.
        self._answered: Final[dict[tuple[str, str, str, int], tuple[Counter, Histogram]]] = {}

    def answered(self, service: str, method: str, endpoint: str, status: int, seconds: float) -> None:
        """An HTTP request was answered, so many seconds after its head came; `endpoint` is the route's template."""
        figures = self._answered.get((service, method, endpoint, status))
        if figures is None:
            figures = self._answered[service, method, endpoint, status] = (
                self.http_requests.labels(service, method, endpoint, str(status)),
                self.http_seconds.labels(service, method, endpoint),
            )
        figures[0].inc()
        figures[1].observe(seconds)

    def asked(self, family: str, model: str, status: str, seconds: float, *, read: int, written: int) -> None:
        """The assistant asked a language model; `status` is `ok` or the kind of fault."""
        requests, durations, tokens = self.models[family]
        requests.labels("agent", model, status).inc()
        durations.labels("agent", model).observe(seconds)
        tokens.labels("agent", "input").inc(read)
        tokens.labels("agent", "output").inc(written)

    def shed(self, lane: str, count: int) -> None:
        """So many events of this lane were refused for now."""
        self.events_shed.labels(lane).inc(count)

    def exposition(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)
