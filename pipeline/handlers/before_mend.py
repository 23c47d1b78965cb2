"""What a backup in home.db's place has forgotten and the log still knows: what was decided and what carried out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from homeguard.errors import InvalidInput
from homeguard.ports.log import Log, Record
from pipeline.envelope import decode
from pipeline.topics import REFLEX, SAFETY, is_urgent

#: Records of a topic that are looked through, in growing steps; more than the last are not.
STEPS: Final = (1_000, 8_000, 64_000)


class BeforeMend:
    """Judges records of one log that came before a backup took the place of `home.db`, and with it of the journal.

    The groups that decide read again what the backup lacks. What they had committed was decided; behind that, a
    decision was made when the log has it. So nothing is set off twice, and what was only acknowledged still is.
    """

    def __init__(self, log: Log, mended_at: datetime | None, decided: Mapping[str, int]) -> None:
        """`mended_at=None`: it never happened. `decided`: group -> how far it had come; one that is left out had come
        to the end."""
        self._log = log
        self._mended_at = mended_at
        self._decided = decided
        #: Topic -> the time from which on its records are known, and the ids of our own events among them.
        self._known: dict[str, tuple[datetime, frozenset[str]]] = {}

    def concerns(self, record: Record) -> bool:
        return self._mended_at is not None and record.appended_at < self._mended_at

    def was_decided(self, record: Record) -> bool:
        """The group that decides on it had come past it."""
        if not self.concerns(record):
            return False
        come_to = self._decided.get(SAFETY if is_urgent(record) else REFLEX)
        return come_to is None or record.offset < come_to

    async def has(self, event_id: str, topic: str, *, since: Record, otherwise: bool) -> bool:
        """Whether the log has this event of our own, in that topic, from `since` on. `otherwise` is the answer when
        more lies in between than is looked through.

        Raises:
            StoreUnavailable: the log cannot be read.
        """
        return await self._has(event_id, topic, since.appended_at, otherwise)

    async def has_since(self, event_id: str, topic: str, since: datetime) -> bool:
        """Whether the log has this event of our own, in that topic, from that time on; False for what was due only
        after the backup had taken its place.

        Raises:
            StoreUnavailable: the log cannot be read.
        """
        if self._mended_at is None or since >= self._mended_at:
            return False
        return await self._has(event_id, topic, since, False)

    async def _has(self, event_id: str, topic: str, since: datetime, otherwise: bool) -> bool:
        begins, ids = self._known.get(topic, (None, frozenset[str]()))
        if begins is None or begins > since:
            begins, ids = self._known[topic] = await self._look(topic, since)
        return event_id in ids or (otherwise and begins > since)

    async def _look(self, topic: str, since: datetime) -> tuple[datetime, frozenset[str]]:
        for count in STEPS:
            found = await self._log.tail(topic, limit=count)
            if len(found) < count or found[0].appended_at < since:
                return since, _own(found)
        return found[0].appended_at, _own(found)


def _own(records: list[Record]) -> frozenset[str]:
    ids = set()
    for record in records:
        if record.headers.get("trust") != "core":
            continue
        try:
            ids.add(decode(record).event_id)
        except InvalidInput:  # the groups tell what cannot be read
            continue
    return frozenset(ids)
