"""Record: what is strange among the readings, kept as anomalies and told in the topic `anomaly-scores`."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from homeguard.errors import HomeGuardError
from homeguard.ids import derived_id
from homeguard.model import Event, Metadata
from homeguard.ports.events import AnomalyStore
from pipeline.detectors.bank import Finding, SeriesBank
from pipeline.handlers.observed import heard
from pipeline.processor import Batch
from pipeline.topics import ANOMALY_SCORED

log = logging.getLogger("homeguard.record")

Submit = Callable[[Sequence[Event]], Awaitable[None]]


class StoreAnomalies:
    """Judges the readings of the batch in the log's order, recorded ones too; older than their series is not judged.

    `bank` is this handler's own: the reflex group has another one, and the two move at their own pace. Told are the
    scores of what is strange, not of every reading; a batch that is done again tells them again, under the same ids.
    """

    def __init__(self, anomalies: AnomalyStore, bank: SeriesBank, submit: Submit | None = None) -> None:
        """`submit` appends to the log; None: nothing is told there."""
        self._anomalies = anomalies
        self._bank = bank
        self._submit = submit

    async def __call__(self, batch: Batch) -> None:
        findings, staged = self._bank.judge([reading for item in heard(batch) for reading in item.readings])
        if findings:
            await self._anomalies.append([finding.anomaly for finding in findings])
            await self._tell(findings)
        self._bank.keep(staged)

    async def _tell(self, findings: Sequence[Finding]) -> None:
        """A log that is full does not keep the readings from being stored."""
        if self._submit is None:
            return
        try:
            await self._submit([_scored(finding) for finding in findings])
        except HomeGuardError as error:
            log.warning("%d scores are stored that are not in the log: %s", len(findings), error.message)


def _scored(finding: Finding) -> Event:
    anomaly, score = finding.anomaly, finding.score
    return Event(
        home_id=anomaly.home_id,
        event_id=derived_id(ANOMALY_SCORED, anomaly.id),
        event_type=ANOMALY_SCORED,
        at=anomaly.at,
        received_at=anomaly.at,
        device_id=anomaly.device_id,
        payload={
            "anomaly_id": anomaly.id, "metric": anomaly.metric, "value": anomaly.value, "z": score.z,
            "score": anomaly.score, "severity": anomaly.severity, "expected_low": anomaly.expected_low,
            "expected_high": anomaly.expected_high, "is_onset": score.is_onset,
        },
        metadata=Metadata(is_simulated=finding.reading.is_simulated),
        source="core",
        trust="core",
        lane="bulk",
        cause=anomaly.event_id,
    )  # fmt: skip
