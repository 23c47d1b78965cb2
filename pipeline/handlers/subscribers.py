"""Reflex: tells those who watch a home what its devices just did."""

from datetime import datetime

from homeguard.clock import HomeClocks, iso
from homeguard.model import Event, Value
from homeguard.ports.live_state import Live, LiveFeed
from homeguard.vocabulary import CORE_EVENTS
from pipeline.envelope import is_late
from pipeline.handlers.observed import attributes_said
from pipeline.processor import Batch

_Told = dict[str, tuple[datetime, int, Value]]


class TellSubscribers:
    """Publishes one `device_event` an event, in order. `state` holds the attributes that it changed.

    Late events are not news, unless they answer somebody (`cause`); heartbeats are news only when they change
    something. What was told is remembered here, so after a start the first word of a device tells all that it says.
    """

    def __init__(self, feed: LiveFeed, clocks: HomeClocks) -> None:
        self._feed = feed
        self._clocks = clocks
        self._told: dict[tuple[str, str], _Told] = {}

    async def __call__(self, batch: Batch) -> None:
        items = []
        for record, event in batch:
            if event.event_type in CORE_EVENTS:
                continue
            changed = self._changed(event, record.offset)
            if is_late(event, self._clocks.now(event.home_id)) and not event.cause:
                continue
            if event.event_type != "heartbeat" or changed:
                items.append(Live(home_id=event.home_id, kind="device_event", data=_shown(event, changed)))
        if items:
            await self._feed.publish(items)

    def _changed(self, event: Event, sequence: int) -> dict[str, Value]:
        told = self._told.setdefault((event.home_id, event.device_id), {})
        changed = {}
        for name, value in attributes_said(event).items():
            before = told.get(name)
            if before is not None and (event.at, sequence) < before[:2]:
                continue
            told[name] = (event.at, sequence, value)
            # The same record again (a batch that is tried twice) tells the same again.
            if before is None or before[2] != value or before[:2] == (event.at, sequence):
                changed[name] = value
        return changed


def _shown(event: Event, changed: dict[str, Value]) -> dict[str, object]:
    return {
        "type": "device_event",
        "device_id": event.device_id,
        "event_type": event.event_type,
        "timestamp": iso(event.at),
        "data": event.payload,
        "state": changed,
        "event_id": event.event_id,
        "cause": event.cause,
        "is_simulated": event.metadata.is_simulated,
    }
