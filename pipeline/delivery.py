"""Hands the messages of the outbox to the people whom they are for: today on the live feed of the app."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from homeguard.clock import Clock, iso
from homeguard.errors import HomeGuardError
from homeguard.ids import derived_id
from homeguard.model import Event, Notice
from homeguard.ports.live_state import Live, LiveFeed
from homeguard.ports.outbox import Outbox
from pipeline.topics import NOTICE_SENT

log = logging.getLogger("homeguard.notices")


class Delivery:
    """A message is written down first and marked after it went out, so one that a crash cut off goes out again, and is
    told again in the topic `notifications`, under the same id."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        feed: LiveFeed,
        clock: Clock,
        submit: Callable[[Sequence[Event]], Awaitable[None]] | None = None,
    ) -> None:
        """`submit` appends to the log; None: nothing is told there."""
        self._outbox = outbox
        self._feed = feed
        self._clock = clock
        self._submit = submit
        self._at_it = asyncio.Lock()

    async def deliver(self) -> int:
        """Send what is waiting, oldest first; returns how many went out."""
        async with self._at_it:
            waiting = await self._outbox.undelivered()
            for notice in waiting:
                await self._feed.publish([_live(notice)])
            await self._tell(waiting)
            for notice in waiting:
                await self._outbox.delivered(notice.home_id, notice.id, self._clock.now())
        return len(waiting)

    async def _tell(self, sent: Sequence[Notice]) -> None:
        """A log that is full does not keep a message from its people."""
        if self._submit is None or not sent:
            return
        now = self._clock.now()
        events = [
            Event(
                home_id=notice.home_id,
                event_id=derived_id(NOTICE_SENT, notice.home_id, notice.id),
                event_type=NOTICE_SENT,
                at=notice.at,
                received_at=now,
                user_id=notice.recipient,
                payload={
                    "notice_id": notice.id, "channel": notice.channel, "priority": notice.priority,
                    "title": notice.title, "text": notice.text,
                },
                source="core",
                trust="core",
                cause=notice.cause,
            )
            for notice in sent
        ]  # fmt: skip
        try:
            await self._submit(events)
        except HomeGuardError as error:
            log.warning("%d messages went out that are not in the log: %s", len(sent), error.message)


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
