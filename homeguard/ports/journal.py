"""The journal of commands, the questions to people, and the grants that their answers mint."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from homeguard.model import Command, Confirmation, Json, Outcome


class Journal(Protocol):
    async def begin(self, command: Command) -> bool:
        """Write the command as `pending`; False when its id is already there (it is not to be carried out again)."""
        ...

    async def finish(
        self, home_id: str, command_id: str, outcome: Outcome, reason: str, at: datetime
    ) -> Command | None:
        """Set the outcome of a command that is `pending`, or raise `sent` to `confirmed`; None when neither holds."""
        ...

    async def command(self, home_id: str, command_id: str) -> Command | None: ...

    async def commands(self, home_id: str, *, since: datetime, device_id: str = "", limit: int = 100) -> list[Command]:
        """By `requested_at`, newest first."""
        ...

    async def pending(self) -> list[Command]:
        """Every home's commands left `pending` (by a crash): the caller settles them at start."""
        ...

    async def adopt(self, commands: Sequence[Command]) -> int:
        """Take over commands as they are, finished ones too, from another journal; returns how many changed anything.

        A command that is here already keeps what it says, unless that is `pending` and the other's is not.
        """
        ...

    async def executed_since(self, home_id: str, tier: int, caller: str, since: datetime) -> int:
        """How many commands of that tier this kind of caller got carried out (not refused or failed) since then."""
        ...


class Confirmations(Protocol):
    async def ask(self, confirmation: Confirmation) -> Confirmation:
        """Store it; when an open one of the same id is there, return that one unchanged."""
        ...

    async def get(self, home_id: str, confirmation_id: str) -> Confirmation | None:
        """One question; an open one whose time is over still reads `open`: the caller compares `expires_at`."""
        ...

    async def open(self, home_id: str, now: datetime) -> list[Confirmation]:
        """Those that are open and not expired, oldest first."""
        ...

    async def decide(
        self, home_id: str, confirmation_id: str, *, approve: bool, by: str, now: datetime, commands: Sequence[Command]
    ) -> Confirmation | None:
        """In one transaction: an open, unexpired question becomes approved or denied, and on approval `commands` are
        written to the journal as `pending` (that consumes the grant). None when it was not open any more."""
        ...

    async def settle(self, home_id: str, confirmation_id: str, outcome: Sequence[Mapping[str, Json]]) -> None:
        """Write what came of an approved one."""
        ...

    async def expire(self, now: datetime) -> list[Confirmation]:
        """Close, and return, every open question whose time is over, in all homes."""
        ...

    async def all(self, home_id: str) -> list[Confirmation]:
        """Every question that was ever asked here, oldest first."""
        ...

    async def adopt(self, confirmations: Sequence[Confirmation]) -> int:
        """Take over questions as they are, from another store, unless their id is here; returns how many were new."""
        ...


class Audit(Protocol):
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
        """Append one row to the audit; rows are chained by SHA-256 over the row before."""
        ...

    async def rows(self, home_id: str, *, limit: int = 100, before: int | None = None) -> list[Mapping[str, Json]]:
        """Newest first: `{"seq", "at", "at_us", "actor", "action", "decision", "rule", "detail", "hash"}`; `at_us` is
        `at` to the microsecond, counted from 1970. `before`: only those with a smaller `seq`."""
        ...

    async def adopt(
        self, home_id: str, rows: Sequence[Mapping[str, Json]], *, anchor: Mapping[str, Json] | None = None
    ) -> int:
        """Take over rows of another store's chain as `rows` gives them, oldest first, hash and all; rows that are here
        are passed over. `anchor`: where that chain begins, as `anchor` gives it; a chain that is empty here begins
        there, too. Returns how many were new.

        Raises:
            Conflict: they do not go on where the chain of this home ends; nothing was taken.
            InvalidInput: one is no such row; nothing was taken.
        """
        ...

    async def trim(self, before: datetime, *, at: datetime) -> int:
        """Let go of the first rows of each home's chain as far as they were written before that; what is left begins at
        an anchor with the hash of the last of them. `at` is now. Returns how many went.

        Raises:
            Conflict: one of them was changed or is missing; of that home nothing went.
        """
        ...

    async def anchor(self, home_id: str) -> Mapping[str, Json] | None:
        """Where the chain begins once rows have left it: `{"seq", "hash", "left_us", "seal"}`, else None."""
        ...

    async def verify(self) -> int:
        """Rows checked over all homes. Raises Conflict naming the first row that was changed, dropped or reordered, or
        a beginning that this installation did not make."""
        ...
