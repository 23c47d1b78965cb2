"""What stands in for a room that this process does not have: it says so, and does nothing."""

from collections.abc import AsyncIterator

from agent.stream import AgentEvent
from homeguard.errors import HomeGuardError
from homeguard.model import Principal


class AssistantOff(HomeGuardError):
    code = "ASSISTANT_OFF"
    status = 503


class NoAgent:
    """In the agent's place in a process whose role does not talk."""

    def stream(
        self, principal: Principal, message: str, *, thread_id: str = "", new_thread: bool = False
    ) -> AsyncIterator[AgentEvent]:
        """Raises AssistantOff, always."""
        raise AssistantOff("the assistant is in another process of this installation")

    async def forget_person(self, user_id: str) -> int:
        """There are no turns."""
        return 0
