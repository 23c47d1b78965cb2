"""The journal as batches: all that one root led to (a turn, a direct call, an undo), taken together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from homeguard.causes import UNDO, batch_of
from homeguard.clock import Clock
from homeguard.errors import NotFound
from homeguard.model import Command, Principal
from homeguard.ports.journal import Journal
from pipeline.command.inverse import merged
from pipeline.command.waiting import matches
from pipeline.command.words import Commands

#: What is older is not undone by a word.
WITHIN: Final = timedelta(hours=24)
#: Rows of the journal that are looked through: first these, then those.
_FEW: Final = 500
_MANY: Final = 20_000
_PEOPLE: Final = ("person", "agent", "client")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Commands of one root, oldest first."""

    id: str
    commands: tuple[Command, ...]

    @property
    def at(self) -> datetime:
        """When the last of it was asked for."""
        return max(c.requested_at for c in self.commands)

    @property
    def is_pending(self) -> bool:
        return any(c.outcome == "pending" for c in self.commands)

    @property
    def acts(self) -> list[Command]:
        """What was done to the home itself."""
        return [c for c in self.commands if not c.device_id and c.outcome in ("confirmed", "sent")]

    @property
    def changed_anything(self) -> bool:
        """What is under way may."""
        if self.is_pending or any(not change.is_nothing for change in merged(self.commands)):
            return True
        return any(c.command != "set_mode" or not matches(c.set, c.before) for c in self.acts)

    def is_of(self, principal: Principal, *, whole_home: bool) -> bool:
        """People had it done: this one, or with `whole_home` anyone."""
        return any(c.caller in _PEOPLE and (whole_home or c.user_id == principal.user_id) for c in self.commands)


class Batches:
    """Reads them from the journal; `commands` tells what a card was asked for."""

    def __init__(self, *, commands: Commands, journal: Journal, clock: Clock) -> None:
        self._commands = commands
        self._journal = journal
        self._clock = clock

    async def recent(self, home_id: str) -> list[Command]:
        """What was told here within the time, oldest first."""
        since = self._clock.now() - WITHIN
        found = await self._journal.commands(home_id, since=since, limit=_FEW)
        if len(found) == _FEW:
            found = await self._journal.commands(home_id, since=since, limit=_MANY)
        return list(reversed(found))

    async def of(self, principal: Principal, recent: Iterable[Command]) -> list[Batch]:
        """The newest first. What a card let happen belongs to what asked for it."""
        roots: dict[str, str] = {}
        grouped: dict[str, list[Command]] = {}
        for command in recent:
            if command.command == "undo" and not command.device_id:
                continue
            cause = command.cause
            if command.grant_id:
                if command.grant_id not in roots:
                    roots[command.grant_id] = await self._asked_by(principal, command.grant_id)
                cause = roots[command.grant_id]
            grouped.setdefault(batch_of(cause) or command.id, []).append(command)
        batches = [Batch(id=id_, commands=tuple(commands)) for id_, commands in grouped.items()]
        return sorted(batches, key=lambda b: b.at, reverse=True)

    async def _asked_by(self, principal: Principal, card_id: str) -> str:
        try:
            card = await self._commands.confirmation(principal, card_id)
        except NotFound:
            return card_id
        return card.cause or card.turn_id or card_id


def is_undone(batch: Batch, batches: Sequence[Batch]) -> bool:
    """It was put back, and that was not brought back since."""
    by_id: Mapping[str, Batch] = {b.id: b for b in batches}
    undo, redo = by_id.get(UNDO + batch.id), by_id.get(UNDO + UNDO + batch.id)
    if undo is None or not any(c.outcome in ("confirmed", "sent") for c in undo.commands):
        return False
    return redo is None or redo.at < undo.at
