"""What a tool works with, for the routes that do exactly what the tool does."""

from api.deps import ApiDeps
from homeguard.model import Principal
from tools.context import ToolContext


def context_of(principal: Principal, deps: ApiDeps) -> ToolContext:
    """The context of this caller over the app's own ports."""
    return ToolContext(
        principal=principal,
        users=deps.users,
        devices=deps.devices,
        live=deps.live,
        events=deps.events,
        readings=deps.readings,
        anomalies=deps.anomalies,
        alerts=deps.alerts,
        automations=deps.automations,
        schedules=deps.schedules,
        lists=deps.lists,
        memory=deps.memory,
        conversations=deps.conversations,
        journal=deps.journal,
        commands=deps.commands,
        clock=deps.clock,
        clocks=deps.clocks,
        base_url=deps.settings.base_url,
        history_ready=deps.history_ready,
    )
