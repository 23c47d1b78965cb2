"""Every group: says that a canary has come this far. It stands behind the handlers that do the work."""

from homeguard.ports.live_state import Live, LiveFeed
from pipeline.canary import KIND, NOWHERE
from pipeline.processor import Batch


class PassCanary:
    """Publishes the stage of each canary of the batch: `stage`, or "safety" for one of the safety lane when this
    stage has a lane for alarms."""

    def __init__(self, feed: LiveFeed, stage: str, *, has_lane: bool = False) -> None:
        self._feed = feed
        self._stage = stage
        self._has_lane = has_lane

    async def __call__(self, batch: Batch) -> None:
        seen = [
            Live(
                home_id=NOWHERE,
                kind=KIND,
                data={
                    "canary": event.payload.get("canary"),
                    "stage": "safety" if self._has_lane and event.lane == "safety" else self._stage,
                },
            )
            for _, event in batch
            if event.event_type == "canary"
        ]
        if seen:
            await self._feed.publish(seen)
