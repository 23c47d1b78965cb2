"""Messages to people: written here first, always, and handed on to an engine in the background."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from homeguard.errors import StoreUnavailable
from homeguard.model import Notice
from homeguard.ports.outbox import Outbox
from homeguard.staleness import note
from homeguard.stores.guarded.codec import decode, encode
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithOutbox
from homeguard.stores.guarded.forwarder import Forwarder

NOTICES: Final = "notices"
DELIVERIES: Final = "deliveries"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """That a notice reached its person."""

    home_id: str
    notice_id: str
    at: datetime


async def take_notices(stores: WithOutbox, values: Sequence[str]) -> None:
    await stores.outbox.put([decode(Notice, value) for value in values])


async def take_deliveries(stores: WithOutbox, values: Sequence[str]) -> None:
    for value in values:
        done = decode(Delivery, value)
        await stores.outbox.delivered(done.home_id, done.notice_id, done.at)


class ForwardedOutbox:
    """An `Outbox`. What is new and what waits for its delivery is decided here; the engine has a copy of it all."""

    def __init__(self, local: Outbox, engine: GuardedEngine[WithOutbox], forwarder: Forwarder) -> None:
        self._local = local
        self._engine = engine
        self._forwarder = forwarder

    async def put(self, notices: Sequence[Notice]) -> list[Notice]:
        new = await self._local.put(notices)
        # All of them: a crash may have come between these two lines for what is not new here.
        await self._forwarder.keep_or_count(NOTICES, [encode(notice) for notice in notices])
        return new

    async def delivered(self, home_id: str, notice_id: str, at: datetime) -> None:
        await self._local.delivered(home_id, notice_id, at)
        done = Delivery(home_id=home_id, notice_id=notice_id, at=at)
        await self._forwarder.keep_or_count(DELIVERIES, [encode(done)])

    async def undelivered(self) -> list[Notice]:
        """This machine's: another one delivers its own."""
        return await self._local.undelivered()

    async def query(self, home_id: str, *, start: datetime, end: datetime, limit: int = 100) -> list[Notice]:
        waiting = self._forwarder.waiting(NOTICES) + self._forwarder.waiting(DELIVERIES)
        try:
            there = await self._engine.call(lambda s: s.outbox.query(home_id, start=start, end=end, limit=limit))
        except StoreUnavailable:
            note("notices", self._engine.away_since)
            return await self._local.query(home_id, start=start, end=end, limit=limit)
        if not waiting:
            return there
        here = await self._local.query(home_id, start=start, end=end, limit=limit)
        found = {notice.id: notice for notice in [*there, *here]}
        return sorted(found.values(), key=lambda n: (n.at, n.id), reverse=True)[: max(limit, 0)]
