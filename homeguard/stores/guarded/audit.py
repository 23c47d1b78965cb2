"""The audit, on an engine. What cannot be written there waits on this machine, in order."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from homeguard.chain import canonical_json, microseconds
from homeguard.errors import StoreUnavailable
from homeguard.model import Json
from homeguard.ports.journal import Audit
from homeguard.stores.guarded.codec import decode, encode
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithAudit
from homeguard.stores.guarded.forwarder import Forwarder

CONCERN: Final = "audit"
#: How far back a row is looked for before it is written a second time.
PAGE: Final = 100
PAGES: Final = 10
#: Rows of one home may be written a little out of the order of their times.
SLACK: Final = timedelta(minutes=1)
#: Rows that are remembered so that no two are the same.
REMEMBERED: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row to write. Two that are equal are the same row."""

    home_id: str
    at: datetime
    actor: str
    action: str
    decision: str
    rule: str
    detail: Mapping[str, Json]


async def take_lines(stores: WithAudit, values: Sequence[str]) -> None:
    """Writes those that are not there: an engine may have written one without being able to say so."""
    for value in values:
        line = decode(Line, value)
        if not await _is_there(stores.audit, line):
            await stores.audit.write(**_arguments(line))


class GuardedAudit:
    """An `Audit`. Rows are written in the order in which they came, also those that had to wait."""

    def __init__(self, engine: GuardedEngine[WithAudit], forwarder: Forwarder) -> None:
        self._engine = engine
        self._forwarder = forwarder
        self._written: OrderedDict[tuple[int, str], None] = OrderedDict()

    async def write(
        self,
        home_id: str,
        *,
        at: datetime,
        actor: str,
        action: str,
        decision: str,
        rule: str,
        detail: Mapping[str, Json],
    ) -> None:
        line = Line(home_id=home_id, at=at, actor=actor, action=action, decision=decision, rule=rule, detail=detail)
        line = self._distinct(line)
        if not self._forwarder.waiting(CONCERN):
            try:
                await self._engine.call(lambda s: s.audit.write(**_arguments(line)), idempotent=False)
            except StoreUnavailable:
                pass
            else:
                return
        await self._forwarder.keep(CONCERN, [encode(line)], reserved=True)

    async def rows(self, home_id: str, *, limit: int = 100, before: int | None = None) -> list[Mapping[str, Json]]:
        return await self._engine.call(lambda s: s.audit.rows(home_id, limit=limit, before=before))

    async def adopt(
        self, home_id: str, rows: Sequence[Mapping[str, Json]], *, anchor: Mapping[str, Json] | None = None
    ) -> int:
        return await self._engine.call(lambda s: s.audit.adopt(home_id, rows, anchor=anchor), deadline_s=30)

    async def trim(self, before: datetime, *, at: datetime) -> int:
        return await self._engine.call(lambda s: s.audit.trim(before, at=at), deadline_s=60)

    async def anchor(self, home_id: str) -> Mapping[str, Json] | None:
        return await self._engine.call(lambda s: s.audit.anchor(home_id))

    async def verify(self) -> int:
        return await self._engine.call(lambda s: s.audit.verify(), deadline_s=60)

    def _distinct(self, line: Line) -> Line:
        """The line, a microsecond later when its equal was written before: equal ones would be taken for one."""
        while True:
            key = _key(line)
            if key not in self._written:
                break
            line = replace(line, at=line.at + timedelta(microseconds=1))
        self._written[key] = None
        if len(self._written) > REMEMBERED:
            self._written.popitem(last=False)
        return line


async def _is_there(audit: Audit, line: Line) -> bool:
    wanted, before = _key(line), None
    earliest = microseconds(line.at - SLACK)
    for _ in range(PAGES):
        rows: list[Any] = list(await audit.rows(line.home_id, limit=PAGE, before=before))
        for row in rows:
            if _key_of_row(line.home_id, row) == wanted:
                return True
        if len(rows) < PAGE or all(row["at_us"] < earliest for row in rows):
            return False
        before = rows[-1]["seq"]
    return False


def _arguments(line: Line) -> dict[str, Any]:
    return {
        "home_id": line.home_id, "at": line.at, "actor": line.actor, "action": line.action, "decision": line.decision,
        "rule": line.rule, "detail": line.detail,
    }  # fmt: skip


def _key(line: Line) -> tuple[int, str]:
    texts = [line.home_id, line.actor, line.action, line.decision, line.rule, line.detail]
    return microseconds(line.at.astimezone(UTC)), canonical_json(texts)


def _key_of_row(home_id: str, row: Mapping[str, Any]) -> tuple[int, str]:
    texts = [home_id, row["actor"], row["action"], row["decision"], row["rule"], row["detail"]]
    return row["at_us"], canonical_json(texts)
