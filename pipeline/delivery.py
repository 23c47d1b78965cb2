"""Hands the messages of the outbox to the people whom they are for: today on the live feed of the app."""

import logging

from homeguard.clock import Clock, iso
from homeguard.model import Notice
from homeguard.ports.live_state import Live, LiveFeed
from homeguard.ports.outbox import Outbox

log = logging.getLogger("homeguard.notices")


class Delivery:
    """A message is written down first and marked after it went out, so one that a crash cut off goes out again."""

    def __init__(self, *, outbox: Outbox, feed: LiveFeed, clock: Clock) -> None:
        self._outbox = outbox
        self._feed = feed
        self._clock = clock

    async def deliver(self) -> int:
        """Send what is waiting, oldest first; returns how many went out."""
        waiting = await self._outbox.undelivered()
        for notice in waiting:
            await self._feed.publish([_live(notice)])
            await self._outbox.delivered(notice.home_id, notice.id, self._clock.now())
        return len(waiting)


def _live(notice: Notice) -> Live:
    data = {
        "type": "notice",
        "id": notice.id,
        "at": iso(notice.at),
        "channel": notice.channel,
        "priority": notice.priority,
        "title": notice.title,
        "text": notice.text,
        "cause": notice.cause,
    }
    return Live(home_id=notice.home_id, kind="notice", data=data, user_id=notice.recipient)
