"""What agents last knew of the person in front of them, in memory: a restart forgets it."""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from homeguard.clock import Clock
from homeguard.errors import PayloadTooLarge
from homeguard.model import Json
from homeguard.ports.contexts import CONTEXT_BYTES, CONTEXT_LIVES
from homeguard.stores.json_text import json_text, json_value

_KEPT: Final = 1_000


class MemoryContexts:
    """An `AgentContexts`. At most a thousand are kept; the one that was put longest ago goes first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], tuple[datetime, str]] = OrderedDict()

    async def put(self, home_id: str, user_id: str, context: Mapping[str, Json]) -> None:
        text = json_text(context)
        if len(text.encode()) > CONTEXT_BYTES:
            raise PayloadTooLarge("a context is at most 64 KiB", field="context")
        key = (home_id, user_id)
        self._kept[key] = (self._clock.now() + CONTEXT_LIVES, text)
        self._kept.move_to_end(key)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    async def get(self, home_id: str, user_id: str) -> Mapping[str, Json] | None:
        until, text = self._kept.get((home_id, user_id), (None, ""))
        if until is None or self._clock.now() >= until:
            return None
        found: Mapping[str, Json] = json_value(text)
        return found

    def let_go(self, home_id: str, user_id: str) -> None:
        """Nothing is known of that person any more."""
        self._kept.pop((home_id, user_id), None)
