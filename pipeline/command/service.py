"""Every change in the world goes through here: resolve, gate, ask or journal, drive, wait for the device's word."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Final

from homeguard.causes import UNDO
from homeguard.clock import Clock
from homeguard.effects import fingerprint, resolve
from homeguard.errors import Conflict, InvalidInput, NotAllowed, NotFound
from homeguard.ids import derived_id, new_id
from homeguard.model import Command, Confirmation, Effect, Json, Outcome, Principal
from homeguard.named import device_named, home_named
from homeguard.permissions import Circumstances
from homeguard.ports.devices import DeviceStore
from homeguard.ports.journal import Audit, Confirmations, Journal
from homeguard.ports.live_state import LiveFeed, LiveStateStore
from homeguard.ports.users import UserStore
from pipeline.command.carrying import Carrying
from pipeline.command.execution import Execution, result_of
from pipeline.command.gathering import BY_WORDS
from pipeline.command.grants import Grant, Grants, is_over
from pipeline.command.journalled import command_of
from pipeline.command.judging import Judging
from pipeline.command.pin import HomePin
from pipeline.command.questions import Questions
from pipeline.command.standing import Standing
from pipeline.command.trail import Trail
from pipeline.command.words import Act, CommandResult, DeviceRequest

#: Requests in one call; the agent's own budget is smaller.
MAX_REQUESTS: Final = 200
#: How often the composition calls `expire_open`.
EXPIRE_EVERY: Final = timedelta(seconds=2)


class CommandService:
    """The one way to act. `acts` by the kind of a home-level effect.

    Without `pin` no home has one; without `standing` nothing is allowed beforehand.
    """

    def __init__(
        self,
        *,
        users: UserStore,
        devices: DeviceStore,
        live: LiveStateStore,
        feed: LiveFeed,
        journal: Journal,
        confirmations: Confirmations,
        audit: Audit,
        execution: Execution,
        acts: Mapping[str, Act],
        clock: Clock,
        pin: HomePin | None = None,
        standing: Standing | None = None,
    ) -> None:
        self._users = users
        self._devices = devices
        self._live = live
        self._journal = journal
        self._confirmations = confirmations
        self._execution = execution
        self._clock = clock
        self._pin = pin
        self._kinds = frozenset(acts)
        self._under_way: set[str] = set()
        self._trail = Trail(audit, clock)
        self._judging = Judging(devices=devices, journal=journal, standing=standing, trail=self._trail, clock=clock)
        self._questions = Questions(users=users, confirmations=confirmations, feed=feed, pin=pin, clock=clock)
        self._grants = Grants(users=users, devices=devices, live=live, journal=journal)
        self._carrying = Carrying(journal=journal, execution=execution, acts=acts, clock=clock)

    async def perform(
        self, principal: Principal, requests: Sequence[DeviceRequest], *, seen: Circumstances | None = None
    ) -> list[CommandResult]:
        """One result a request, in their order; those that the gate allows run at the same time.

        Requests that need a person's yes share one question. Nothing is written when any request is bad. `seen`: how
        things are in the home, for a reflex that relies on what a person allowed beforehand.

        Raises:
            DeviceNotFound, InvalidInput: a request names no device of this home, or cannot be carried out by it.
        """
        if not 0 < len(requests) <= MAX_REQUESTS:
            raise InvalidInput(f"1 to {MAX_REQUESTS} commands at a time", field="requests")
        principal = _rooted(principal)
        home = await home_named(self._users, principal.home_id)
        devices = [await device_named(self._devices, home.id, r.device_id) for r in requests]
        gathering = self._questions.gathering_of(principal)
        known = [gathering.before(r.device_id, r.command) if gathering is not None else None for r in requests]
        effects, verdicts = [], []
        for device, request, before in zip(devices, requests, known, strict=True):
            if before is None:
                state = await self._live.get(home.id, device.id)
                effects.append(resolve(device, state, request.command, request.parameters, home.unit_system))
            else:
                effects.append(before[0])
        for effect, device, before in zip(effects, devices, known, strict=True):
            judged = before[1] if before is not None else await self._judging.verdict(principal, effect, device, seen)
            verdicts.append(judged)
        cards = await self._questions.ask(principal, home, effects, verdicts)

        async def one(i: int) -> CommandResult:
            effect, verdict, command_id = effects[i], verdicts[i], requests[i].command_id or new_id()
            if verdict.decision == "refuse":
                return result_of(effect, verdict, command_id, "refused", verdict.reason)
            if verdict.decision == "ask":
                return replace(result_of(effect, verdict, command_id, "asked", verdict.reason), confirmation=cards[i])
            command = self._command(principal, effect, verdict.tier, command_id)
            if not await self._journal.begin(command):
                known = await self._journal.command(home.id, command_id)
                outcome: Outcome = known.outcome if known is not None else "failed"
                told = "sent" if outcome == "pending" else outcome
                return result_of(effect, verdict, command_id, told, known.reason if known is not None else "")
            return await self._execution.drive(devices[i], effect, command, verdict)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(i)) for i in range(len(requests))]
        return [task.result() for task in tasks]

    async def act(self, principal: Principal, effect: Effect) -> CommandResult:
        """A home-level effect (`set_mode`, `create_automation`, ...) through the same gate.

        Raises:
            InvalidInput: there is no such act, or the act itself refuses its parameters.
        """
        if effect.kind not in self._kinds:
            raise InvalidInput(f"HomeGuard cannot {effect.kind}", field="kind")
        principal = _rooted(principal)
        home = await home_named(self._users, principal.home_id)
        gathering = self._questions.gathering_of(principal)
        before = gathering.before_act(effect) if gathering is not None else None
        verdict = before[1] if before is not None else await self._judging.verdict(principal, effect, None)
        act_id = _act_id(principal, effect)
        if verdict.decision == "refuse":
            return result_of(effect, verdict, act_id, "refused", verdict.reason)
        if verdict.decision == "ask":
            [card] = await self._questions.ask(principal, home, [effect], [verdict])
            return replace(result_of(effect, verdict, act_id, "asked", verdict.reason), confirmation=card)
        if not await self._journal.begin(self._command(principal, effect, verdict.tier, act_id)):
            known = await self._journal.command(home.id, act_id)
            if known is not None and known.outcome != "pending":
                return result_of(effect, verdict, act_id, known.outcome, known.reason)
        ended = await self._carrying.act(principal, effect, act_id)
        if ended.error is not None:
            raise ended.error
        return result_of(effect, verdict, act_id, ended.outcome, ended.reason, ended.data)

    def gathering(self, home_id: str, turn_id: str, step: int) -> AbstractAsyncContextManager[dict[str, str]]:
        """While it is open, what this turn would ask is gathered; at its end a person is asked once for what words may
        approve and once for what takes the press. Gives a mapping, filled then: the id that was told meanwhile ->
        the id of the question (another one, when the same was asked already)."""
        return self._questions.gathering(home_id, turn_id, step)

    async def answer_by_words(
        self, principal: Principal, confirmation_id: str, *, thread_id: str, approve: bool
    ) -> Confirmation:
        """What a person said in the conversation in which it was asked: a no to anything, a yes to T2 at most.

        Raises:
            NotFound: this home has none of that id.
            NotAllowed: another person, another conversation, or a yes to what takes the press.
            Conflict: as `decide`.
        """
        card = await self.confirmation(principal, confirmation_id)
        if principal.user_id != card.user_id or thread_id != card.thread_id or not thread_id:
            raise NotAllowed("only the person who was asked, and only there, can answer this in words")
        if approve and card.tier > BY_WORDS:
            raise NotAllowed("words never stand for the press")
        return await self.decide(principal, confirmation_id, approve=approve, how="words")

    async def withdraw(self, home_id: str, confirmation_id: str, why: str) -> None:
        """Close an open question that nobody may answer any more; nothing is done."""
        now = self._clock.now()
        decided = await self._confirmations.decide(home_id, confirmation_id, approve=False, by="", now=now, commands=[])
        if decided is not None:
            system = Principal(home_id=home_id, user_id="", role="owner", caller="system", name="homeguard")
            await self._trail.write(system, "confirm", "deny", why, {"id": confirmation_id})
            await self._questions.publish(decided)

    async def inbox(self, principal: Principal) -> list[Confirmation]:
        """The open questions of this home, oldest first."""
        now = self._clock.now()
        found = [c for c in await self._confirmations.open(principal.home_id, now) if not is_over(c, now)]
        return [await self._questions.as_shown(card) for card in found]

    async def confirmation(self, principal: Principal, confirmation_id: str) -> Confirmation:
        """One question of this home, `expired` when its time is over.

        Raises:
            NotFound: this home has none of that id.
        """
        found = await self._confirmations.get(principal.home_id, confirmation_id)
        if found is None:
            raise NotFound("there is no such confirmation", code="CONFIRMATION_NOT_FOUND")
        if found.state == "open" and is_over(found, self._clock.now()):
            return replace(found, state="expired")
        if found.state == "approved" and not found.outcome and not self.is_under_way(found.id):
            return replace(found, outcome=tuple(await self._carrying.told_by_journal(found)))
        return await self._questions.as_shown(found)

    async def decide(
        self, principal: Principal, confirmation_id: str, *, approve: bool, pin: str = "", how: str = "card"
    ) -> Confirmation:
        """A person's press on the card; an approval carries the stored effects out at once and tells what came of it.
        `how` it was said is kept in the audit: `card` or `words`.

        Raises:
            NotFound: this home has none of that id.
            NotAllowed: not a person, a guest, neither the one who asked nor the owner, or the PIN is missing or wrong.
            RateLimited: the PIN was wrong too often.
            Conflict: it was answered before, its time is over, or the home changed so that it would be another effect.
        """
        card = await self.confirmation(principal, confirmation_id)
        await self._check_person(principal, card)
        if card.state != "open":
            raise Conflict(f"this was {card.state} already", code="CONFIRMATION_CLOSED", state=card.state)
        if approve and card.pin_required and self._pin is not None:
            await self._pin.check(principal, pin)
        now = self._clock.now()
        grant = await self._grants.of(card, now) if approve else Grant((), {})
        self._under_way.add(card.id)
        try:
            decided = await self._confirmations.decide(
                card.home_id, card.id, approve=approve, by=principal.user_id, now=now, commands=grant.commands
            )
            if decided is None:
                raise Conflict("this was answered already", code="CONFIRMATION_CLOSED")
            detail: dict[str, Json] = {"id": card.id, "tier": card.tier, "pin": approve and card.pin_required}
            await self._trail.write(principal, "confirm", "approve" if approve else "deny", how, detail)
            if approve:
                asker = replace(principal, caller=card.caller, turn=None, cause=card.id)
                outcome = await self._carrying.card(asker, decided, grant)
                await self._confirmations.settle(card.home_id, card.id, outcome)
                decided = replace(decided, outcome=tuple(outcome))
        finally:
            self._under_way.discard(card.id)
        await self._questions.publish(decided)
        return decided

    async def _check_person(self, principal: Principal, card: Confirmation) -> None:
        if principal.caller != "person" or "sensitive" not in principal.scopes:
            reason = "only a signed-in person can answer this"
        elif principal.role == "guest" or (principal.role != "owner" and principal.user_id != card.user_id):
            reason = "only the person who asked or the owner of the home can answer this"
        else:
            return
        await self._trail.write(principal, "confirm", "refuse", "not-theirs", {"id": card.id})
        raise NotAllowed(reason)

    def is_under_way(self, confirmation_id: str) -> bool:
        """A person has answered it and it is being carried out: what came of it is told in a moment."""
        return confirmation_id in self._under_way

    async def expire_open(self) -> list[Confirmation]:
        """Close the questions whose time is over and tell whoever shows them."""
        expired = await self._confirmations.expire(self._clock.now())
        for card in expired:
            await self._questions.publish(card)
        return expired

    def _command(self, principal: Principal, effect: Effect, tier: int, command_id: str) -> Command:
        return command_of(
            effect,
            command_id=command_id,
            home_id=principal.home_id,
            tier=tier,
            caller=principal.caller,
            user_id=principal.user_id,
            cause=principal.cause or (principal.turn.id if principal.turn is not None else ""),
            now=self._clock.now(),
        )


def _rooted(principal: Principal) -> Principal:
    """A direct call has a cause of its own: what one request did can be told, and undone, as one. A client's bears the
    client's name behind it."""
    if principal.cause or principal.turn is not None:
        return principal
    client = f"/{principal.name[:60]}" if principal.caller == "client" and principal.name else ""
    return replace(principal, cause=f"request:{new_id()}{client}")


def _act_id(principal: Principal, effect: Effect) -> str:
    """A step of an agent that is run again after a crash is the same act."""
    if principal.caller != "agent" or not principal.cause or principal.cause.startswith(UNDO):
        return new_id()
    return derived_id("act", principal.home_id, principal.cause, fingerprint(effect))
