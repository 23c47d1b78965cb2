"""A model over each wire, and a clock that is moved by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

from model_server import KEY

from agent.models.gemini import Gemini
from agent.models.openai_compatible import ChatCompletions

NOW = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)


class HandClock:
    """Time goes on only while somebody sleeps, and then at once; `slept` keeps how long each did."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, delay_s: float) -> None:
        self.slept.append(round(delay_s, 3))
        self.elapsed += delay_s


def of_wire(wire: str, address: str) -> Any:
    """A model over that wire; the caller closes it."""
    if wire == "gemini":
        return Gemini(key=KEY, model="gemini-3.8-flash", address=address)
    return ChatCompletions(address=address, model="local", key=KEY)
