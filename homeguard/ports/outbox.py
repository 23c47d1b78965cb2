"""Messages to people: written once, then delivered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from homeguard.model import Notice


class Outbox(Protocol):
    async def put(self, notices: Sequence[Notice]) -> list[Notice]:
        """Store those whose id is new and return these."""
        ...

    async def delivered(self, home_id: str, notice_id: str, at: datetime) -> None: ...

    async def undelivered(self) -> list[Notice]:
        """Every home's, oldest first."""
        ...

    async def query(self, home_id: str, *, start: datetime, end: datetime, limit: int = 100) -> list[Notice]:
        """`start <= at < end`, newest first."""
        ...
