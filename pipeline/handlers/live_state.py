"""Reflex: how each device is now, and whether it is there."""

from homeguard.ports.live_state import LiveStateStore, StateChange
from homeguard.vocabulary import CORE_EVENTS
from pipeline.handlers.observed import heard
from pipeline.processor import Batch


class KeepLiveState:
    """Applies what devices say, late and replayed words too: the store orders them by (at, offset).

    Any word from a device says that it is there; `device_offline` says that it is not. Whoever commits what was applied
    flushes the store first.
    """

    def __init__(self, live: LiveStateStore) -> None:
        self._live = live

    async def __call__(self, batch: Batch) -> None:
        changes = [
            StateChange(
                home_id=event.home_id,
                device_id=event.device_id,
                at=event.at,
                sequence=record.offset,
                attributes=item.said,
                available=event.event_type != "device_offline",
            )
            for item in heard(batch)
            for record, event in (item,)
            if event.device_id and event.event_type not in CORE_EVENTS
        ]
        if changes:
            await self._live.apply(changes)
