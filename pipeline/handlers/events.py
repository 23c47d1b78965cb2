"""Record: every event, as it was sent."""

from homeguard.ports.events import EventStore
from pipeline.processor import Batch


class StoreEvents:
    """Appends the batch to the event store; canaries are for the way, not for the store."""

    def __init__(self, events: EventStore) -> None:
        self._events = events

    async def __call__(self, batch: Batch) -> None:
        kept = [event for _, event in batch if event.event_type != "canary"]
        if kept:
            await self._events.append(kept)
