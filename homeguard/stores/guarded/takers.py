"""How each concern that may wait in the spool is handed over: for `forward`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from homeguard.stores.guarded import alerts, audit, confirmations, conversations, journal, outbox, sessions
from homeguard.stores.guarded.forwarder import Taker

TAKERS: Final[Mapping[str, Taker]] = MappingProxyType(
    {
        alerts.CONCERN: alerts.take_alerts,
        audit.CONCERN: audit.take_lines,
        confirmations.CONCERN: confirmations.take_outcomes,
        conversations.CONCERN: conversations.take_said,
        journal.CONCERN: journal.take_commands,
        outbox.DELIVERIES: outbox.take_deliveries,
        outbox.NOTICES: outbox.take_notices,
        sessions.CONCERN: sessions.take_revocations,
    }
)
