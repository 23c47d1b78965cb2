"""What goes over the wire, as models: bodies are read by them, answers are documented by them (and tested to fit)."""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")
Scalar = bool | int | float | str
#: ISO 8601, UTC, milliseconds, `Z`.
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", examples=["2026-11-21T08:00:00.000Z"])]
Outcome = Literal["confirmed", "sent", "failed", "refused"]


class Body(BaseModel):
    """A body that is sent to us: unknown fields are refused, nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Login(Body):
    email: str = Field(min_length=1, max_length=320)
    password: str = Field(min_length=1, max_length=1024)


class Refresh(Body):
    refresh_token: str = Field(min_length=1, max_length=4096)


class DeviceCommand(Body):
    command: str = Field(min_length=1, max_length=100, examples=["lock"])
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=20)


class Undo(Body):
    """`home`: what anyone of the home did last, for its owner only."""

    of: Literal["me", "home"] = "me"


class Decision(Body):
    approve: bool
    pin: str = Field(default="", max_length=32)


class Password(Body):
    password: str = Field(min_length=1, max_length=1024)


class NewPin(Password):
    pin: str = Field(min_length=1, max_length=32, description="4 to 12 digits")


class NewPermission(Body):
    """`fire_egress`: `sources`, `when_away`. `guest_window`: `valid_from`, `valid_until`, and `person` (whose face,
    sure to `confidence`) or `code_id`."""

    name: str = Field(min_length=1, max_length=100)
    kind: Literal["fire_egress", "guest_window"]
    device_ids: list[str] = Field(min_length=1, max_length=20)
    valid_from: str = Field(default="", max_length=40)
    valid_until: str = Field(default="", max_length=40)
    sources: int = Field(default=2, ge=2, le=10)
    when_away: bool = False
    person: str = Field(default="", max_length=100)
    code_id: str = Field(default="", max_length=100)
    confidence: float = Field(default=0.85, ge=0.85, le=1)


class ChatMessage(Body):
    message: str = Field(min_length=1, max_length=8000)
    thread_id: str = Field(default="", max_length=128)
    new_thread: bool = False


class NewAutomation(Body):
    name: str = Field(min_length=1, max_length=100)
    trigger: dict[str, Any]
    actions: list[dict[str, Any]] = Field(min_length=1, max_length=20)
    conditions: list[dict[str, Any]] = Field(default_factory=list, max_length=20)


class ChangedAutomation(Body):
    """What is left out, or null, stays."""

    enabled: bool | None = None
    name: str | None = Field(default=None, min_length=1, max_length=100)
    trigger: dict[str, Any] | None = None
    actions: list[dict[str, Any]] | None = Field(default=None, min_length=1, max_length=20)
    conditions: list[dict[str, Any]] | None = Field(default=None, max_length=20)


class Page(Answer, Generic[T]):
    items: list[T]
    next_cursor: str | None


class ErrorDetail(Answer):
    code: str
    message: str
    details: dict[str, Any]
    trace_id: str
    timestamp: Time


class ErrorBody(Answer):
    error: ErrorDetail


class HomeView(Answer):
    id: str
    name: str
    time_zone: str
    unit_system: Literal["us", "si"]
    mode: str
    arm_state: str
    role: Literal["owner", "member", "guest"]


class UserView(Answer):
    id: str
    email: str
    name: str
    role: Literal["user", "admin"]


class Me(UserView):
    home: HomeView | None
    homes: list[HomeView]


class SignedInAnswer(Answer):
    access_token: str
    refresh_token: str
    token_type: Literal["bearer"]
    expires_in: int
    user: UserView
    home_id: str | None


class SignedOut(Answer):
    signed_out: bool


class Ticket(Answer):
    ticket: str
    expires_in: int


class SessionView(Answer):
    user: UserView
    home: HomeView | None
    session_id: str
    role: Literal["owner", "member", "guest"]


class DemoUser(Answer):
    email: str
    name: str


class Demo(Answer):
    demo: bool
    users: list[DemoUser]
    password: str


class HardwareView(Answer):
    id: str
    vendor: str
    model: str
    firmware: str


class DeviceView(Answer):
    id: str
    name: str
    aliases: list[str]
    type: str
    area: str
    floor: str
    capabilities: list[str]
    state: dict[str, Scalar]
    available: bool
    last_seen_at: Time | None
    battery_pct: float | None
    hardware: HardwareView | None
    config: dict[str, Any]
    is_simulated: bool


class CommandAnswer(Answer):
    command_id: str
    outcome: Outcome
    device: str
    device_name: str
    command: str
    set: dict[str, Scalar]
    reason: str


class EffectView(Answer):
    kind: str
    device_id: str
    device_name: str
    device_type: str
    command: str
    parameters: dict[str, Any]
    set: dict[str, Scalar]
    before: dict[str, Scalar]


class ConfirmationView(Answer):
    id: str
    text: str
    detail: str
    tier: int
    effects: list[EffectView]
    state: Literal["open", "approved", "denied", "expired"]
    created_at: Time
    expires_at: Time
    thread_id: str
    turn_id: str
    user_id: str
    decided_by: str
    outcome: list[dict[str, Any]]
    pin_required: bool


class Asked(Answer):
    confirmation: ConfirmationView
    command_id: str
    outcome: Literal["asked"]
    device: str


class Decided(Answer):
    outcome: Outcome
    command_id: str
    device: str
    reason: str
    confirmation: ConfirmationView


class PutBack(Answer):
    command_id: str
    outcome: Literal["confirmed", "sent", "failed", "refused", "asked"]
    device: str
    device_name: str
    command: str
    set: dict[str, Scalar]
    reason: str
    confirmation: ConfirmationView | None


class LeftAlone(Answer):
    device: str
    name: str
    reason: str


class Undone(Answer):
    batch: str
    done_at: Time | None
    results: list[PutBack]
    left_alone: list[LeftAlone]
    text: str


class CauseView(Answer):
    kind: str
    id: str
    at: Time | None
    text: str
    is_certain: bool


class Explanation(Answer):
    device_id: str
    device: str
    event_id: str
    at: Time | None
    state: str
    is_known: bool
    links: list[CauseView]
    also: list[CauseView]
    set_off: list[CauseView]
    text: str


class PinView(Answer):
    set: bool


class PermissionView(Answer):
    id: str
    name: str
    kind: Literal["fire_egress", "guest_window"]
    text: str
    state: Literal["waiting", "active", "over", "revoked"]
    device_ids: list[str]
    valid_from: Time | None
    valid_until: Time | None
    created_by: str
    created_at: Time
    revoked_by: str
    revoked_at: Time | None
    uses: int
    last_used_at: Time | None


class MetadataView(Answer):
    firmware_version: str | None
    signal_strength: int | None
    is_simulated: bool


class EventView(Answer):
    event_id: str
    home_id: str
    device_id: str
    user_id: str
    event_type: str
    timestamp: Time
    received_at: Time
    payload: dict[str, Any]
    metadata: MetadataView
    source: str
    cause: str


class Rejected(Answer):
    index: int
    code: str
    message: str
    field: str


class Taken(Answer):
    accepted: int
    rejected: list[Rejected]
    event_id: str = ""


class AlertView(Answer):
    id: str
    at: Time
    kind: str
    severity: Literal["low", "medium", "high", "critical"]
    title: str
    text: str
    device_id: str
    event_ids: list[str]
    state: Literal["open", "acknowledged", "resolved"]
    is_simulated: bool


class WindowView(Answer):
    start: Time
    count: int
    average: float
    minimum: float
    maximum: float


class Aggregates(Page[WindowView]):
    device_id: str
    metric: str
    unit: str
    every_minutes: int


class Measured(Answer):
    device_id: str
    metric: str
    unit: str


class Summary(Answer):
    devices: int
    available: int
    unavailable: list[str]
    events_total: int
    alerts_24h: int
    anomalies_24h: int
    metrics: list[Measured]
    generated_at: Time


class AutomationView(Answer):
    id: str
    name: str
    trigger: dict[str, Any]
    conditions: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    enabled: bool
    next_run_at: Time | None
    created_at: Time | None
    updated_at: Time | None


class AutomationMade(CommandAnswer):
    automation: AutomationView


class ChatAnswer(Answer):
    message: str
    answer: str
    thread_id: str
    turn_id: str
    status: Literal["completed", "waiting", "failed"]
    calls: list[dict[str, Any]]
    commands: list[dict[str, Any]]
    asked: list[dict[str, Any]]
    actions_taken: list[dict[str, Any]]
    model: str
    tokens: dict[str, int]
    duration_ms: int


class MessageView(Answer):
    id: str
    thread_id: str
    turn_id: str
    role: Literal["user", "assistant"]
    text: str
    at: Time
    calls: list[dict[str, Any]]
    commands: list[dict[str, Any]]
    confirmations: list[str]


class NewTitle(Body):
    title: str = Field(min_length=1, max_length=200)


class ThreadView(Answer):
    id: str
    title: str
    created_at: Time
    updated_at: Time


class Deleted(Answer):
    deleted: int


class HealthView(Answer):
    status: Literal["healthy"]
    version: str
    timestamp: Time


class LiveView(Answer):
    status: Literal["alive"]
    timestamp: Time


class ReadyView(Answer):
    status: Literal["ready", "degraded"]
    checks: dict[str, dict[str, Any]]
    history: Literal["ready", "writing"]
    timestamp: Time
