"""Carries out what was allowed, an act of the home or all that a press began, and writes down what came of it."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from homeguard import gate
from homeguard.clock import Clock
from homeguard.errors import HomeGuardError
from homeguard.model import Command, Confirmation, Effect, Json, Outcome, Principal
from homeguard.ports.journal import Journal
from pipeline.command.execution import Execution, result_of
from pipeline.command.grants import Grant, grant_id
from pipeline.command.show import show_result
from pipeline.command.words import Act, CommandResult

log = logging.getLogger("homeguard.command")

NOT_KNOWN: Final = "HomeGuard stopped meanwhile: it is not known whether it was done"
NOT_KNOWN_NOW: Final = "something broke on the way: it is not known whether it was done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How an act of the home ended; `error` is what it raised."""

    outcome: Outcome
    reason: str = ""
    data: Mapping[str, Json] = field(default_factory=dict)
    error: Exception | None = None


class Carrying:
    """`acts` by the kind of a home-level effect."""

    def __init__(self, *, journal: Journal, execution: Execution, acts: Mapping[str, Act], clock: Clock) -> None:
        self._journal = journal
        self._execution = execution
        self._acts = acts
        self._clock = clock

    async def act(self, principal: Principal, effect: Effect, command_id: str) -> Ended:
        """One home-level effect that the journal has begun. What breaks in an unforeseen way may have been done."""
        try:
            ended = Ended(outcome="confirmed", data=await self._acts[effect.kind](principal, effect, command_id))
        except HomeGuardError as error:
            ended = Ended(outcome="failed", reason=error.message, error=error)
        except Exception as error:
            ended = Ended(outcome="sent", reason=NOT_KNOWN_NOW, error=error)
        await self._journal.finish(principal.home_id, command_id, ended.outcome, ended.reason, self._clock.now())
        return ended

    async def card(self, asker: Principal, card: Confirmation, grant: Grant) -> list[Mapping[str, Json]]:
        """All effects of an approved card at the same time; one row each (`show_result`), in their order."""

        async def one(effect: Effect, command: Command) -> CommandResult:
            verdict = gate.Verdict(decision="allow", tier=command.tier, rule="card")
            if effect.kind == "device":
                return await self._execution.drive(grant.devices[command.id], effect, command, verdict)
            ended = await self.act(asker, effect, command.id)
            if ended.error is not None and not isinstance(ended.error, HomeGuardError):
                # the others of the card are carried out and told all the same
                log.error("%s of card %s", effect.kind, card.id, exc_info=ended.error)
            return result_of(effect, verdict, command.id, ended.outcome, ended.reason, ended.data)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(e, c)) for e, c in zip(card.effects, grant.commands, strict=True)]
        return [show_result(task.result()) for task in tasks]

    async def told_by_journal(self, card: Confirmation) -> list[Mapping[str, Json]]:
        """The same rows for an approved card whose carrying out a crash cut off."""
        rows = []
        for index, effect in enumerate(card.effects):
            verdict = gate.Verdict(decision="allow", tier=card.tier, rule="card")
            command_id = grant_id(card, index)
            known = await self._journal.command(card.home_id, command_id)
            outcome = "sent" if known is None or known.outcome == "pending" else known.outcome
            reason = known.reason if known is not None else NOT_KNOWN
            rows.append(show_result(result_of(effect, verdict, command_id, outcome, reason)))
        return rows
