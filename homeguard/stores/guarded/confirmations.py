"""Questions to people, on an engine. They have no copy: a yes that two places could give would count twice."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from homeguard.errors import StoreUnavailable
from homeguard.model import Command, Confirmation, Json
from homeguard.ports.journal import Confirmations, Journal
from homeguard.stores.guarded.codec import decode, encode
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithConfirmations
from homeguard.stores.guarded.forwarder import Forwarder

R = TypeVar("R")

CONCERN: Final = "confirmations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What came of an approved question, waiting to be written."""

    home_id: str
    confirmation_id: str
    outcome: tuple[Mapping[str, Json], ...]


async def take_outcomes(stores: WithConfirmations, values: Sequence[str]) -> None:
    for value in values:
        settled = decode(Settled, value)
        await stores.confirmations.settle(settled.home_id, settled.confirmation_id, settled.outcome)


class GuardedConfirmations:
    """A `Confirmations`. While the engine is away nothing is asked, answered or done; only what came of an approval
    is kept for it. `journal` is the one on this machine: it learns of the commands that an approval begins."""

    def __init__(self, engine: GuardedEngine[WithConfirmations], journal: Journal, forwarder: Forwarder) -> None:
        self._engine = engine
        self._journal = journal
        self._forwarder = forwarder

    async def ask(self, confirmation: Confirmation) -> Confirmation:
        return await self._call(lambda c: c.ask(confirmation), "the question cannot be kept now; nothing was done")

    async def get(self, home_id: str, confirmation_id: str) -> Confirmation | None:
        return await self._call(lambda c: c.get(home_id, confirmation_id), "the question cannot be looked up now")

    async def open(self, home_id: str, now: datetime) -> list[Confirmation]:
        return await self._call(lambda c: c.open(home_id, now), "open questions cannot be looked up now")

    async def decide(
        self, home_id: str, confirmation_id: str, *, approve: bool, by: str, now: datetime, commands: Sequence[Command]
    ) -> Confirmation | None:
        """When the engine takes the answer but cannot say so, this raises: nothing is carried out then, and the
        question may read as answered later."""
        try:
            decided = await self._engine.call(
                lambda s: s.confirmations.decide(
                    home_id, confirmation_id, approve=approve, by=by, now=now, commands=commands
                ),
                idempotent=False,
            )
        except StoreUnavailable as error:
            raise _told(error, "the answer cannot be kept now; nothing was done") from error
        if decided is not None and approve:
            await self._journal.adopt(commands)
        return decided

    async def settle(self, home_id: str, confirmation_id: str, outcome: Sequence[Mapping[str, Json]]) -> None:
        try:
            await self._engine.call(lambda s: s.confirmations.settle(home_id, confirmation_id, outcome))
        except StoreUnavailable:
            # It was carried out: the person must hear so, and the engine when it is back.
            settled = Settled(home_id=home_id, confirmation_id=confirmation_id, outcome=tuple(outcome))
            await self._forwarder.keep_or_count(CONCERN, [encode(settled)])

    async def expire(self, now: datetime) -> list[Confirmation]:
        """Closes nothing while the engine is away; nothing can be answered then either."""
        try:
            return await self._engine.call(lambda s: s.confirmations.expire(now), idempotent=False)
        except StoreUnavailable:
            return []

    async def all(self, home_id: str) -> list[Confirmation]:
        return await self._call(lambda c: c.all(home_id), "questions cannot be looked up now")

    async def adopt(self, confirmations: Sequence[Confirmation]) -> int:
        return await self._call(lambda c: c.adopt(confirmations), "questions cannot be kept now")

    async def _call(self, ask: Callable[[Confirmations], Awaitable[R]], words: str) -> R:
        try:
            return await self._engine.call(lambda s: ask(s.confirmations))
        except StoreUnavailable as error:
            raise _told(error, words) from error


def _told(error: StoreUnavailable, words: str) -> StoreUnavailable:
    return StoreUnavailable(f"{words}: {error.message}", **error.details)
