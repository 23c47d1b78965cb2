"""What people should know: raised here first, always, and handed on to an engine in the background."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from homeguard.errors import StoreUnavailable
from homeguard.model import Alert
from homeguard.ports.events import AlertStore
from homeguard.staleness import note
from homeguard.stores.guarded.codec import decode, encode
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithAlerts
from homeguard.stores.guarded.forwarder import Forwarder

CONCERN: Final = "alerts"
#: Alerts that one query gives at most, as the port says.
MOST: Final = 1_000


async def take_alerts(stores: WithAlerts, values: Sequence[str]) -> None:
    await stores.alerts.raise_([decode(Alert, value) for value in values])


class ForwardedAlerts:
    """An `AlertStore`. Which alerts are new is decided here; the engine has a copy of them all."""

    def __init__(self, local: AlertStore, engine: GuardedEngine[WithAlerts], forwarder: Forwarder) -> None:
        self._local = local
        self._engine = engine
        self._forwarder = forwarder

    async def raise_(self, alerts: Sequence[Alert]) -> list[Alert]:
        new = await self._local.raise_(alerts)
        # All of them: a crash may have come between these two lines for what is not new here.
        await self._forwarder.keep_or_count(CONCERN, [encode(alert) for alert in alerts])
        return new

    async def query(self, home_id: str, *, start: datetime, end: datetime, limit: int = 100) -> list[Alert]:
        waiting = self._forwarder.waiting(CONCERN)
        try:
            there = await self._engine.call(lambda s: s.alerts.query(home_id, start=start, end=end, limit=limit))
        except StoreUnavailable:
            note(CONCERN, self._engine.away_since)
            return await self._local.query(home_id, start=start, end=end, limit=limit)
        if not waiting:
            return there
        here = await self._local.query(home_id, start=start, end=end, limit=limit)
        found = {alert.id: alert for alert in [*here, *there]}
        by_id = sorted(found.values(), key=lambda a: a.id)
        return sorted(by_id, key=lambda a: a.at, reverse=True)[: min(max(limit, 1), MOST)]
