"""What an agent last knew of the person in front of it: a cache that may be empty at any time."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Protocol

from homeguard.model import Json

#: By the system's clock, from the last `put`.
CONTEXT_LIVES: Final = timedelta(hours=1)
#: As JSON.
CONTEXT_BYTES: Final = 64 * 1024


class AgentContexts(Protocol):
    """One context a person and home: the current mode, recent actions. It is never the only copy of anything."""

    async def put(self, home_id: str, user_id: str, context: Mapping[str, Json]) -> None:
        """Replace it; it lives for an hour from now.

        Raises:
            PayloadTooLarge: it is more than 64 KiB of JSON; what was there stays.
        """
        ...

    async def get(self, home_id: str, user_id: str) -> Mapping[str, Json] | None:
        """As it was put (a copy; lists for tuples); None when there is none or its hour is over."""
        ...
