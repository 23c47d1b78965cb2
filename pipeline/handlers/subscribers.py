"""Reflex: tells those who watch a home what its devices just did."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from homeguard.clock import HomeClocks, iso
from homeguard.model import Event, Value
from homeguard.ports.live_state import Live, LiveFeed
from homeguard.vocabulary import CORE_EVENTS
from pipeline.handlers.observed import Lateness, heard
from pipeline.processor import Batch

#: Events that are published at a stretch.
_PART = 64

#: Attribute -> (at, offset, value) of the newest word on it.
_Told = dict[str, tuple[datetime, int, Value]]


class TellSubscribers:
    """Publishes one `device_event` an event, in order. `state` holds the attributes that it changed.

    Late events are not news, unless they answer somebody (`cause`); heartbeats are news only when they change
    something. What was told is remembered here, so after a start the first word of a device tells all that it says.
    Several groups may share one: what is older than what was told changes nothing.
    """

    def __init__(self, feed: LiveFeed, clocks: HomeClocks) -> None:
        self._feed = feed
        self._clocks = clocks
        self._told: dict[tuple[str, str], _Told] = {}

    async def __call__(self, batch: Batch) -> None:
        items = []
        judge = Lateness(self._clocks)
        for item in heard(batch):
            record, event = item
            if event.event_type in CORE_EVENTS:
                continue
            changed = self._changed(event, item.said, record.offset)
            if judge.is_late(event) and not event.cause:
                continue
            if changed or event.event_type != "heartbeat":
                items.append(Live(home_id=event.home_id, kind="device_event", data=_shown(event, changed)))
        for first in range(0, len(items), _PART):
            part = items[first : first + _PART]
            await self._feed.publish(part)
            if len(part) == _PART:
                # Those who read have their turn, or a batch would be more than they may fall behind.
                await asyncio.sleep(0)

    def _changed(self, event: Event, said: Mapping[str, Value], offset: int) -> dict[str, Value]:
        key = (event.home_id, event.device_id)
        told = self._told.get(key)
        if told is None:
            told = self._told[key] = {}
        changed = {}
        at = event.at
        for name, value in said.items():
            before = told.get(name)
            if before is not None:
                told_at, told_offset, told_value = before
                if at < told_at or (at == told_at and offset < told_offset):
                    continue
                # The same record again (a batch that is tried twice) tells the same again.
                if told_value == value and (at != told_at or offset != told_offset):
                    told[name] = (at, offset, value)
                    continue
            told[name] = (at, offset, value)
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
