"""The automations server: the rules of the home."""

from typing import Annotated, Any, Final

from mcp.server.mcpserver import Context
from mcp.types import InputRequiredResult
from pydantic import Field

from mcp_servers.arguments import UserId
from mcp_servers.desk import Desk
from mcp_servers.server import HomeServer, ToolSpec, changes, reads
from tools import automations
from tools.answers import CommandAnswer
from tools.context import ToolContext

NAME: Final = "automations"
INSTRUCTIONS: Final = (
    "Rules of one home: when something happens, and conditions hold, do something. Use device ids from "
    "get_home_summary. A rule that would unlock, open or disarm needs a person's yes on HomeGuard's own page."
)


def specs(desk: Desk) -> list[ToolSpec]:
    """The tools of this server."""

    async def create_automation(
        ctx: Context[Any, Any],
        name: Annotated[str, Field(description="Short, as people would call it; up to 100 characters")],
        trigger: Annotated[
            dict[str, Any],
            Field(
                description="{'type': 'device_event', 'event_type': 'motion_detected', 'device_id'?: ..., "
                "'conditions'?: {'time_range': {'start': '22:00', 'end': '06:00'}, 'mode': 'away', 'arm_state': "
                "'armed'}}; times are the home's own"
            ),
        ],
        actions: Annotated[
            list[dict[str, Any]],
            Field(
                description="1 to 20 of {'type': 'device_command', 'device_id': ..., 'command': 'turn_on', "
                "'parameters'?: {}} or {'type': 'notification', 'message': ...}"
            ),
        ],
        conditions: Annotated[
            list[dict[str, Any]],
            Field(
                description="All must hold: {'type': 'time_range', 'start', 'end'}, {'type': 'mode', 'mode'}, "
                "{'type': 'arm_state', 'arm_state'}, {'type': 'device_state', 'device_id', 'attribute', 'operator'?: "
                "'eq'|'ne'|'gt'|'lt'|'gte'|'lte'|'contains', 'value'}, {'type': 'value_compare', 'field', 'operator', "
                "'value'}"
            ),
        ] = [],  # noqa: B006 - only read
        user_id: UserId = "",
    ) -> Any:
        """Make a rule that really runs from now on: "when motion is seen at night, turn on the porch light". It is
        checked against the home's devices first; a person may have to confirm it."""

        async def act(room: ToolContext) -> list[CommandAnswer]:
            return [
                await automations.create_automation(
                    room, name=name, trigger=trigger, actions=actions, conditions=conditions, user_id=user_id
                )
            ]

        answers = await desk.acted(ctx, act)
        return answers if isinstance(answers, InputRequiredResult) else answers[0]

    async def list_automations() -> Any:
        """All rules of the home with their ids, triggers, conditions and actions."""
        return await automations.list_automations(desk.context())

    async def delete_automation(
        ctx: Context[Any, Any],
        automation_id: Annotated[str, Field(description="An id from list_automations")],
    ) -> Any:
        """Delete one rule of the home; a person may have to confirm it."""

        async def act(room: ToolContext) -> list[CommandAnswer]:
            return [await automations.delete_automation(room, automation_id=automation_id)]

        answers = await desk.acted(ctx, act)
        return answers if isinstance(answers, InputRequiredResult) else answers[0]

    return [
        changes(NAME, create_automation, CommandAnswer, "Create an automation", destructive=False, idempotent=False),
        reads(NAME, list_automations, automations.Automations, "List automations"),
        changes(NAME, delete_automation, CommandAnswer, "Delete an automation", destructive=True, idempotent=True),
    ]


def build(desk: Desk) -> HomeServer:
    """The server, ready for any transport."""
    return HomeServer("homeguard-automations", "HomeGuard automations", INSTRUCTIONS, specs(desk), desk.key)
