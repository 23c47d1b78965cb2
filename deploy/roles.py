"""What one process of an installation does: everything, or one part of it beside other processes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import JSONResponse

from api.edge import canonical
from api.errors import error_body
from homeguard.errors import StartRefused
from homeguard.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """`takes_events`: devices send to it. `runs_groups`: it processes what they sent. `serves_people`: REST and live
    streams. `talks`: the agent, its chat and the MCP servers."""

    name: str
    takes_events: bool = False
    runs_groups: bool = False
    serves_people: bool = False
    talks: bool = False

    @property
    def is_split(self) -> bool:
        """Other processes do the rest, and meet this one in the engines."""
        return self.name != "all"


ROLES: Final[Mapping[str, Role]] = {
    role.name: role
    for role in (
        Role(name="all", takes_events=True, runs_groups=True, serves_people=True, talks=True),
        Role(name="ingest", takes_events=True),
        Role(name="processor", runs_groups=True),
        Role(name="api", serves_people=True),
        Role(name="agent", serves_people=True, talks=True),
    )
}

#: What the processes of a split installation meet in, by the name of its setting.
_SHARED: Final = {
    "kafka_brokers": "KAFKA_BROKERS",
    "redis_url": "REDIS_URL",
    "postgres_url": "POSTGRES_URL",
    "timescale_url": "TIMESCALE_URL",
    "scylla_hosts": "SCYLLA_HOSTS",
    "mongo_url": "MONGO_URL",
    "jwt_secret": "JWT_SECRET",
}

#: What every process answers, whatever its role.
_ALWAYS: Final = ("/health", "/live", "/ready", "/metrics")
_DEVICES: Final = ("/telemetry", "/api/v1/events")
#: The agent's own doors, with all that lies below them.
_TALK: Final = ("/chat", "/mcp", "/api/v1/ai")


def role_of(settings: Settings) -> Role:
    """The role that the settings name.

    Raises:
        StartRefused: there is none of that name, or it needs an engine that is not set.
    """
    role = ROLES.get(settings.role)
    if role is None:
        raise StartRefused(f"--role {settings.role} is not one of {', '.join(ROLES)}")
    missing = [name for field, name in _SHARED.items() if not getattr(settings, field)]
    if role.is_split and missing:
        raise StartRefused(f"--role {role.name} shares its data with other processes: set {', '.join(missing)}")
    return role


class Doors:
    """ASGI: lets through what this role answers; the rest is 404 and says which role has it."""

    def __init__(self, app: Any, role: Role) -> None:
        self._app = app
        self._role = role

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan" or self._is_ours(scope):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "not of this role"})
            return
        place = "agent" if _is_talk(canonical(str(scope.get("path", "")))) else "api"
        message = f"this process runs as --role {self._role.name}: ask one that runs as --role {place}"
        await JSONResponse(error_body("NOT_OF_THIS_ROLE", message, {}, ""), 404)(scope, receive, send)

    def _is_ours(self, scope: Any) -> bool:
        path = canonical(str(scope.get("path", "")))
        if _is_talk(path):
            return self._role.talks
        if self._role.serves_people or path in _ALWAYS or path.startswith("/operator/"):
            return True
        if not self._role.takes_events or scope["type"] != "http" or scope["method"] != "POST":
            return False
        return path in _DEVICES


def _is_talk(path: str) -> bool:
    return any(path == door or path.startswith(f"{door}/") for door in _TALK)
