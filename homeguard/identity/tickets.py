"""Tickets: 30 seconds, used once, in memory; how a page opens a socket without a token in its address."""

import secrets
from collections import OrderedDict
from typing import Final

from homeguard.clock import Clock
from homeguard.errors import NotSignedIn
from homeguard.identity.tokens import digest
from homeguard.model import Principal

TTL_S: Final = 30.0
_MOST: Final = 10_000


class Tickets:
    """At most 10,000 at a time; the oldest goes first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: OrderedDict[str, tuple[Principal, float]] = OrderedDict()

    def issue(self, principal: Principal) -> str:
        """A ticket that stands for this principal."""
        now = self._clock.monotonic()
        while self._open and (len(self._open) >= _MOST or next(iter(self._open.values()))[1] <= now):
            self._open.popitem(last=False)
        ticket = secrets.token_urlsafe(32)
        self._open[digest(ticket)] = (principal, now + TTL_S)
        return ticket

    def redeem(self, ticket: str) -> Principal:
        """Whom the ticket stands for; it is gone afterwards.

        Raises:
            NotSignedIn: there is no such ticket, it was used, or its time is over.
        """
        principal, ends_at = self._open.pop(digest(ticket), (None, 0.0))
        if principal is None or ends_at <= self._clock.monotonic():
            raise NotSignedIn("the ticket is not valid any more: ask for a new one")
        return principal
