"""The five servers by name, and the one that has all their tools."""

from collections.abc import Callable, Mapping
from typing import Final

from mcp_servers import analytics, anomaly, automations, devices, events
from mcp_servers.desk import Desk
from mcp_servers.server import HomeServer

SERVERS: Final = ("devices", "events", "analytics", "automations", "anomaly")
ALL: Final = "all"

_BUILD: Final[Mapping[str, Callable[[Desk], HomeServer]]] = {
    "devices": devices.build,
    "events": events.build,
    "analytics": analytics.build,
    "automations": automations.build,
    "anomaly": anomaly.build,
}


def build_all(desk: Desk) -> dict[str, HomeServer]:
    """`devices`, `events`, `analytics`, `automations`, `anomaly`, and `all`: the tools of the five in one server."""
    servers = {name: build(desk) for name, build in _BUILD.items()}
    specs = [spec for server in servers.values() for spec in server.specs]
    tools = [tool for server in servers.values() for tool in server.tools]
    instructions = "One home: its devices, events, measurements, rules and what was strange. " + devices.INSTRUCTIONS
    servers[ALL] = HomeServer("homeguard", "HomeGuard", instructions, specs, desk.key, tools)
    for server in servers.values():
        server.refusals = desk.refusals
    return servers
