"""Reflex: hears that a device speaks, so that its silence is noticed."""

from typing import Final

from homeguard.vocabulary import CORE_EVENTS
from pipeline.processor import Batch
from pipeline.silence import Ears

#: What devices send by themselves, in their own rhythm.
_REGULAR: Final = frozenset(("heartbeat", "telemetry"))
_NOT_A_WORD: Final = CORE_EVENTS | {"device_offline"}


class HearDevices:
    """Tells the ears who spoke. What is replayed was said long ago."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears

    async def __call__(self, batch: Batch) -> None:
        for _, event in batch:
            if event.device_id and event.event_type not in _NOT_A_WORD and event.source != "replay":
                report_at = event.received_at if event.event_type in _REGULAR else None
                self._ears.hear(event.home_id, event.device_id, report_at=report_at)
