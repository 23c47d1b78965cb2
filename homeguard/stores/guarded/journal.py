"""The journal of commands: on an engine, and on this machine too, so that commands go on while the engine is away."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from homeguard.errors import StoreUnavailable
from homeguard.model import Command, Outcome
from homeguard.ports.journal import Journal
from homeguard.staleness import note
from homeguard.stores.guarded.codec import decode, encode
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithJournal
from homeguard.stores.guarded.forwarder import Forwarder

CONCERN: Final = "journal"
#: Commands of both journals that are counted together while some of them wait.
MOST: Final = 10_000
#: Commands of this tier and above are carried out once at most, whatever that costs.
ONCE_TIER: Final = 3
NOT_BEGUN: Final = "the journal does not answer, so nobody can tell whether another process did it already: not done"


async def take_commands(stores: WithJournal, values: Sequence[str]) -> None:
    """Commands as they were at some moment, oldest first."""
    commands = [decode(Command, value) for value in values]
    await stores.journal.adopt(commands)
    for command in commands:
        if command.outcome == "confirmed" and command.finished_at is not None:
            # Adopting leaves a `sent` as it is; finishing raises it.
            await stores.journal.finish(
                command.home_id, command.id, command.outcome, command.reason, command.finished_at
            )


class GuardedJournal:
    """A `Journal`. `local` has every command of this process, whoever else has it too.

    A command of another process that begins one of the same id while the engine is away is not seen. So where other
    processes carry out commands too (`is_shared`), one of T3 is not begun then: it fails, and says why.
    """

    def __init__(
        self, engine: GuardedEngine[WithJournal], local: Journal, forwarder: Forwarder, *, is_shared: bool = False
    ) -> None:
        self._engine = engine
        self._local = local
        self._forwarder = forwarder
        self._is_shared = is_shared

    async def begin(self, command: Command) -> bool:
        # What was begun here while the engine was away may not have reached it yet.
        if await self._local.command(command.home_id, command.id) is not None:
            return False
        try:
            is_new = await self._engine.call(lambda s: s.journal.begin(command), idempotent=False)
        except StoreUnavailable:
            is_new = await self._local.begin(command)
            if is_new:
                await self._forwarder.keep_or_count(CONCERN, [encode(command)])
            if is_new and self._is_shared and command.tier >= ONCE_TIER:
                await self._finish_here(command.home_id, command.id, "failed", NOT_BEGUN, command.requested_at)
                return False
            return is_new
        if is_new:
            await self._local.begin(command)
        return is_new

    async def finish(
        self, home_id: str, command_id: str, outcome: Outcome, reason: str, at: datetime
    ) -> Command | None:
        if self._forwarder.waiting(CONCERN) and await self._local.command(home_id, command_id) is not None:
            # The engine may know of its beginning and not yet of its end.
            return await self._finish_here(home_id, command_id, outcome, reason, at)
        try:
            finished = await self._engine.call(lambda s: s.journal.finish(home_id, command_id, outcome, reason, at))
            known = finished or await self._engine.call(lambda s: s.journal.command(home_id, command_id))
        except StoreUnavailable:
            return await self._finish_here(home_id, command_id, outcome, reason, at)
        if known is None:
            # Begun here while the engine was away, and not handed over yet; or by nobody.
            return await self._finish_here(home_id, command_id, outcome, reason, at)
        await self._copy(known)
        # A first try of this very call may have been carried out without an answer.
        is_ours = (known.outcome, known.reason, known.finished_at) == (outcome, reason, at)
        return known if finished is not None or is_ours else None

    async def command(self, home_id: str, command_id: str) -> Command | None:
        here = await self._local.command(home_id, command_id)
        try:
            there = await self._engine.call(lambda s: s.journal.command(home_id, command_id))
        except StoreUnavailable:
            self._note()
            return here
        return _further(there, here)

    async def commands(self, home_id: str, *, since: datetime, device_id: str = "", limit: int = 100) -> list[Command]:
        here: list[Command] = []
        if not self._engine.is_up or self._forwarder.waiting(CONCERN):
            here = await self._local.commands(home_id, since=since, device_id=device_id, limit=limit)
        try:
            there = await self._engine.call(
                lambda s: s.journal.commands(home_id, since=since, device_id=device_id, limit=limit)
            )
        except StoreUnavailable:
            self._note()
            return await self._local.commands(home_id, since=since, device_id=device_id, limit=limit)
        return _together(there, here)[: max(limit, 0)]

    async def pending(self) -> list[Command]:
        """Oldest first."""
        here = await self._local.pending()
        try:
            there = await self._engine.call(lambda s: s.journal.pending())
            found = [c for c in there if not await self._is_finished_here(c)]
            keys = {(c.home_id, c.id) for c in there}
            for command in here:
                if (command.home_id, command.id) not in keys:
                    known = await self._engine.call(_asking(command))
                    if known is None:
                        found.append(command)
                    else:
                        await self._copy(known)
        except StoreUnavailable:
            self._note()
            return here
        return sorted(found, key=lambda c: (c.requested_at, c.id))

    async def adopt(self, commands: Sequence[Command]) -> int:
        count = await self._engine.call(lambda s: s.journal.adopt(commands), deadline_s=30)
        await self._local.adopt(commands)
        return count

    async def executed_since(self, home_id: str, tier: int, caller: str, since: datetime) -> int:
        if self._engine.is_up and not self._forwarder.waiting(CONCERN):
            try:
                return await self._engine.call(lambda s: s.journal.executed_since(home_id, tier, caller, since))
            except StoreUnavailable:
                pass
        commands = await self.commands(home_id, since=since, limit=MOST)
        return sum(c.tier == tier and c.caller == caller and c.outcome not in ("refused", "failed") for c in commands)

    async def _finish_here(
        self, home_id: str, command_id: str, outcome: Outcome, reason: str, at: datetime
    ) -> Command | None:
        finished = await self._local.finish(home_id, command_id, outcome, reason, at)
        if finished is not None:
            await self._forwarder.keep_or_count(CONCERN, [encode(finished)])
        return finished

    async def _copy(self, command: Command) -> None:
        """What the engine says is true here too."""
        await self._local.adopt([command])
        if command.outcome == "confirmed" and command.finished_at is not None:
            await self._local.finish(command.home_id, command.id, command.outcome, command.reason, command.finished_at)

    async def _is_finished_here(self, command: Command) -> bool:
        here = await self._local.command(command.home_id, command.id)
        return here is not None and here.outcome != "pending"

    def _note(self) -> None:
        note(CONCERN, self._engine.away_since)


def _asking(command: Command) -> Any:
    return lambda s: s.journal.command(command.home_id, command.id)


def _further(one: Command | None, other: Command | None) -> Command | None:
    """Which of two sayings about a command is the later one."""
    if one is None or other is None:
        return one or other
    order = ("pending", "sent")
    return max(one, other, key=lambda c: order.index(c.outcome) if c.outcome in order else len(order))


def _together(there: Sequence[Command], here: Sequence[Command]) -> list[Command]:
    """Newest first, each once."""
    found = {(c.home_id, c.id): c for c in there}
    for command in here:
        key = (command.home_id, command.id)
        found[key] = _further(found.get(key), command) or command
    return sorted(found.values(), key=lambda c: (c.requested_at, c.id), reverse=True)
