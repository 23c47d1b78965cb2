"""The analytics server: what was measured, and what it says about energy."""

from typing import Annotated, Any, Final

from pydantic import Field

from mcp_servers.arguments import DeviceId, UserId
from mcp_servers.desk import Desk
from mcp_servers.server import HomeServer, ToolSpec, reads
from tools import analytics

NAME: Final = "analytics"
INSTRUCTIONS: Final = (
    "Measured numbers of one home over time and what they say about energy. Values are SI (Celsius, watts, "
    "kilowatt-hours); the fields named text are as people of the home read them. Say a number only if it is here."
)

Moment = Annotated[
    str, Field(description="ISO 8601, such as 2026-05-01T17:00:00; without a zone it is the home's own time")
]


def specs(desk: Desk) -> list[ToolSpec]:
    """The tools of this server."""

    async def get_device_history(
        device_id: DeviceId,
        metric: Annotated[
            str,
            Field(
                description="Such as temperature, humidity, battery, power or energy; a wrong one names what there is"
            ),
        ],
        at: Moment = "",
        start: Moment = "",
        end: Moment = "",
        every_minutes: Annotated[
            int, Field(description="Length of a window", json_schema_extra={"minimum": 1, "maximum": 43200})
        ] = 60,
    ) -> Any:
        """One measured number of one device over time: its value at a moment (at) or windows of average, minimum and
        maximum over a span (start, end; default the last day). "What was the temperature today at 5?" For what happened
        (doors, motion) use get_recent_events."""
        return await analytics.get_device_history(
            desk.context(),
            device_id=device_id,
            metric=metric,
            at=at,
            start=start,
            end=end,
            every_minutes=every_minutes,
        )

    async def get_energy_insights(
        period_days: Annotated[
            int, Field(description="How many days back", json_schema_extra={"minimum": 1, "maximum": 365})
        ] = 30,
        user_id: UserId = "",
    ) -> Any:
        """Where energy goes and how to save some: use per device and hour, how thermostats were set, when the home is
        empty, and recommendations with their evidence and how the saving was worked out. It changes nothing."""
        return await analytics.get_energy_insights(desk.context(), period_days=period_days, user_id=user_id)

    return [
        reads(NAME, get_device_history, analytics.DeviceHistory, "Device history"),
        reads(NAME, get_energy_insights, analytics.EnergyInsights, "Energy insights"),
    ]


def build(desk: Desk) -> HomeServer:
    """The server, ready for any transport."""
    return HomeServer("homeguard-analytics", "HomeGuard analytics", INSTRUCTIONS, specs(desk), desk.key)
