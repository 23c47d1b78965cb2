"""The anomaly server: what was strange, and what will need care."""

from typing import Any, Final

from mcp_servers.arguments import Hours, Limit, OptionalDeviceId, UserId
from mcp_servers.desk import Desk
from mcp_servers.server import HomeServer, ToolSpec, reads
from tools import anomaly

NAME: Final = "anomaly"
INSTRUCTIONS: Final = (
    "What was strange in one home, what its people were told, and which batteries will be empty when. Detectors find "
    "what is unusual, not what is dangerous: tell the evidence with it."
)


def specs(desk: Desk) -> list[ToolSpec]:
    """The tools of this server."""

    async def get_anomalies(
        hours: Hours = 24, device_id: OptionalDeviceId = "", limit: Limit = 100, user_id: UserId = ""
    ) -> Any:
        """Unusual readings and behaviour that the detectors found, and the alerts that people got, newest first:
        "was anything strange last night?", "any alarms?" """
        return await anomaly.get_anomalies(
            desk.context(), hours=hours, device_id=device_id, limit=limit, user_id=user_id
        )

    async def get_predictions(device_id: OptionalDeviceId = "", user_id: UserId = "") -> Any:
        """When batteries will be empty (10 %), soonest first, from the straight line through their stored levels; where
        there is no number it says why."""
        return await anomaly.get_predictions(desk.context(), device_id=device_id, user_id=user_id)

    return [
        reads(NAME, get_anomalies, anomaly.Anomalies, "Anomalies and alerts"),
        reads(NAME, get_predictions, anomaly.Predictions, "Battery predictions"),
    ]


def build(desk: Desk) -> HomeServer:
    """The server, ready for any transport."""
    return HomeServer("homeguard-anomaly", "HomeGuard anomalies", INSTRUCTIONS, specs(desk), desk.key)
