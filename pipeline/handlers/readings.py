"""Record: every measured number, of late and replayed events too."""

from homeguard.ports.readings import ReadingStore
from pipeline.handlers.observed import heard
from pipeline.processor import Batch


class StoreReadings:
    """Appends the readings of the batch, with their rollups."""

    def __init__(self, readings: ReadingStore) -> None:
        self._readings = readings

    async def __call__(self, batch: Batch) -> None:
        found = [reading for item in heard(batch) for reading in item.readings]
        if found:
            await self._readings.append(found)
