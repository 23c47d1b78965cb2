"""The one reader of settings: flags, then environment, then `.env`, then defaults."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from homeguard.errors import StartRefused

_TRUE: Final = frozenset(("1", "true", "yes", "on"))
_FALSE: Final = frozenset(("0", "false", "no", "off", ""))

#: Field -> the names that it may have in the environment, besides `HOMEGUARD_<FIELD>`.
_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "gemini_api_key": ("GEMINI_API_KEY", "GEMINI_TEXT_API_KEY"),
    "gemini_model": ("GEMINI_MODEL",),
    "gemini_base_url": ("GOOGLE_GEMINI_BASE_URL",),
    "mqtt_url": ("MQTT_URL",),
    "postgres_url": ("POSTGRES_URL", "DATABASE_URL"),
    "timescale_url": ("TIMESCALE_URL",),
    "scylla_hosts": ("SCYLLA_HOSTS",),
    "mongo_url": ("MONGO_URL",),
    "redis_url": ("REDIS_URL",),
    "kafka_brokers": ("KAFKA_BROKERS",),
    "jwt_secret": ("JWT_SECRET",),
    "mqtt_home": ("MQTT_HOME",),
    "n8n_webhook_base": ("N8N_WEBHOOK_BASE",),
    "enable_ai_agent": ("ENABLE_AI_AGENT",),
    "enable_anomaly_detection": ("ENABLE_ANOMALY_DETECTION",),
    "demo": ("ENABLE_DEMO_MODE",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. `demo` is None until somebody says: then loopback decides (on there only)."""

    host: str = "127.0.0.1"
    port: int = 8000
    data_dir: Path = Path()
    demo: bool | None = None
    #: Days of ordinary past that the demo homes are given at first start; 0: none.
    demo_history_days: int = 30
    simulator: bool = True
    #: Events a second that the simulator makes, over all simulated devices.
    simulator_rate: float = 10.0
    mqtt_url: str = ""
    mqtt_home: str = ""
    #: Days after they were received that events and readings stay in the embedded stores; 0: without end.
    keep_events_days: int = 90
    keep_readings_days: int = 90
    #: Where each concern is kept; "" is the embedded default in `data_dir`. Each can be set without the others.
    postgres_url: str = ""
    timescale_url: str = ""
    #: `host:port` of one node or several, with commas.
    scylla_hosts: str = ""
    scylla_keyspace: str = "iot_events"
    #: `name:password`, when the cluster asks for one.
    scylla_login: str = ""
    mongo_url: str = ""
    redis_url: str = ""
    #: `host:port` of one broker or several, with commas.
    kafka_brokers: str = ""
    #: Goes before the names of topics and groups, for a cluster that is shared with others.
    kafka_prefix: str = ""
    #: How much may wait on this machine's disk for Kafka to come back.
    spool_mb: int = 1024
    #: What this process does: everything, or one part of a split installation.
    role: str = "all"
    #: The same in every process of a split installation; "" makes one in `data_dir`.
    jwt_secret: str = ""
    #: Where webhooks of automations will go; nothing is sent yet.
    n8n_webhook_base: str = ""
    gemini_api_key: str = ""
    gemini_model: str = "gemini-3.8-flash"
    #: Another server that speaks Gemini's wire; "" is Google's.
    gemini_base_url: str = ""
    #: A server that speaks `/v1/chat/completions`, its model, and its key if it wants one; it goes before Gemini. No
    #: name that other programs use is read (`OPENAI_*`, `GOOGLE_API_KEY`): a home's words must not leave by accident.
    model_url: str = ""
    model_name: str = ""
    model_key: str = ""
    #: Whether a language model is asked at all; without one the planner answers, and nothing leaves this machine.
    enable_ai_agent: bool = True
    #: How long a model has for its first word, a turn for everything (without waiting for a person), a tool for a call.
    agent_first_token_s: float = 8.0
    agent_turn_s: float = 30.0
    agent_tool_s: float = 10.0
    #: What one turn may use: how often a model is asked, how many calls, what the models read and write in all.
    agent_steps: int = 8
    agent_calls: int = 20
    agent_tokens: int = 200_000
    enable_anomaly_detection: bool = True
    rate_limits: bool = True
    #: How often an event of our own goes through the whole chain, so that one that stands still is noticed; 0: never.
    canary_s: float = 30.0
    #: How long a driver's device has to report what it was told, before the outcome stays `sent`.
    confirm_timeout_s: float = 3.0
    log_level: str = "info"
    #: How the outside reaches us, for links in tool results and notices; "" derives it from host and port.
    public_url: str = ""

    @property
    def base_url(self) -> str:
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        return self.public_url.rstrip("/") or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        return self.host in ("127.0.0.1", "localhost", "::1")

    @property
    def is_demo(self) -> bool:
        return self.is_loopback if self.demo is None else self.demo


def environment() -> Mapping[str, str]:
    """The process's environment, for those who hand parts of it on to another program."""
    return dict(os.environ)


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """`$XDG_DATA_HOME/homeguard`, else `~/.local/share/homeguard`."""
    base = environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "homeguard"


def load(
    flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None, dotenv: Path | None = None
) -> Settings:
    """Settings from flags (None values are absent), the environment and a `.env` file in the working folder.

    Raises:
        StartRefused: a value cannot be read, or the demo would be reachable from other machines unasked.
    """
    environ = os.environ if environ is None else environ
    written = _read_dotenv(dotenv or Path(".env"))
    values: dict[str, Any] = {"data_dir": default_data_dir(environ)}
    for field in fields(Settings):
        names = (f"HOMEGUARD_{field.name.upper()}", *_ALIASES.get(field.name, ()))
        for source in (environ, written):
            name = next((n for n in names if n in source), None)
            if name is not None:
                values[field.name] = _parse(name, source[name], field.type)
                break
    values.update({k: v for k, v in (flags or {}).items() if v is not None})
    settings = Settings(**values)
    if not settings.is_loopback and settings.demo is None:
        raise StartRefused(
            f"--host {settings.host} is reachable from other machines: add --no-demo, "
            "or --demo to serve the demo homes with their published passwords there"
        )
    return settings


def _read_dotenv(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return {}
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            found[name.removeprefix("export ").strip()] = value.strip().strip("'\"")
    return found


def _parse(name: str, text: str, kind: object) -> Any:
    kind = str(kind)
    try:
        if "bool" in kind:
            word = text.strip().lower()
            if word not in _TRUE | _FALSE:
                raise ValueError("say true or false")  # noqa: TRY301 - one place turns it into our error
            return word in _TRUE
        if "Path" in kind:
            return Path(text).expanduser()
        if "int" in kind:
            return int(text)
        if "float" in kind:
            return float(text)
    except ValueError as error:
        raise StartRefused(f"{name}={text!r} cannot be read: {error}") from error
    return text
