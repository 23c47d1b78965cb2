"""Record: what is strange among the readings, kept as anomalies."""

from homeguard.ports.events import AnomalyStore
from pipeline.detectors.bank import SeriesBank
from pipeline.handlers.observed import heard
from pipeline.processor import Batch


class StoreAnomalies:
    """Judges the readings of the batch in the log's order, recorded ones too; older than their series is not judged.

    `bank` is this handler's own: the reflex group has another one, and the two move at their own pace.
    """

    def __init__(self, anomalies: AnomalyStore, bank: SeriesBank) -> None:
        self._anomalies = anomalies
        self._bank = bank

    async def __call__(self, batch: Batch) -> None:
        findings, staged = self._bank.judge([reading for item in heard(batch) for reading in item.readings])
        if findings:
            await self._anomalies.append([finding.anomaly for finding in findings])
        self._bank.keep(staged)
