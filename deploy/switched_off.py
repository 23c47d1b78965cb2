"""What stands in for a room that the settings switch off: it says so, and does nothing."""

from collections.abc import AsyncIterator

from agent.stream import AgentEvent
from homeguard.errors import HomeGuardError
from homeguard.model import Principal


class AssistantOff(HomeGuardError):
    code = "ASSISTANT_OFF"
    status = 503


class NoAgent:
    """In the agent's place when `ENABLE_AI_AGENT` is false: devices, rules and alarms go on without it."""

    def stream(
        self, principal: Principal, message: str, *, thread_id: str = "", new_thread: bool = False
    ) -> AsyncIterator[AgentEvent]:
        """Raises AssistantOff, always."""
        raise AssistantOff("the assistant is switched off here (ENABLE_AI_AGENT); devices and rules work as before")

    async def forget_person(self, user_id: str) -> int:
        """There are no turns."""
        return 0
