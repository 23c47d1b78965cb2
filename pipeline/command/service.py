"""Every change in the world goes through here: resolve, gate, ask or journal, drive, wait for the device's word."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from homeguard import gate
from homeguard.clock import Clock
from homeguard.effects import describe, fingerprint, question, resolve
from homeguard.errors import Conflict, DeviceNotFound, HomeGuardError, InvalidInput, NotAllowed, NotFound
from homeguard.ids import derived_id, new_id
from homeguard.model import Command, Confirmation, Device, Effect, Home, Json, Outcome, Principal
from homeguard.policy import AGENT_T3_BUDGET, AGENT_T3_WINDOW, COMMAND_TTL, CONFIRMATION_TTL, SENSITIVE_TTL
from homeguard.ports.devices import DeviceStore
from homeguard.ports.journal import Audit, Confirmations, Journal
from homeguard.ports.live_state import Live, LiveFeed, LiveStateStore
from homeguard.ports.users import UserStore
from homeguard.statement import names_effect
from pipeline.command.execution import Execution, result_event_id, result_of
from pipeline.command.show import show_confirmation, show_result
from pipeline.command.waiting import matches
from pipeline.command.words import Act, CommandResult, DeviceRequest

#: Requests in one call; the agent's own budget is smaller.
MAX_REQUESTS = 200
#: How old an outcome may be that is still recorded after a crash.
_LOOK_BACK = timedelta(days=1)


class CommandService:
    """The one way to act. `acts` by the kind of a home-level effect."""

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
    ) -> None:
        self._users = users
        self._devices = devices
        self._live = live
        self._feed = feed
        self._journal = journal
        self._confirmations = confirmations
        self._audit = audit
        self._execution = execution
        self._acts = acts
        self._clock = clock
        self._under_way: set[str] = set()

    async def perform(self, principal: Principal, requests: Sequence[DeviceRequest]) -> list[CommandResult]:
        """One result a request, in their order; those that the gate allows run at the same time.

        Requests that need a person's yes share one question. Nothing is written when any request is bad.

        Raises:
            DeviceNotFound, InvalidInput: a request names no device of this home, or cannot be carried out by it.
        """
        if not 0 < len(requests) <= MAX_REQUESTS:
            raise InvalidInput(f"1 to {MAX_REQUESTS} commands at a time", field="requests")
        home = await self._home(principal.home_id)
        devices = [await self._device(home.id, r.device_id) for r in requests]
        effects = []
        for device, request in zip(devices, requests, strict=True):
            state = await self._live.get(home.id, device.id)
            effects.append(resolve(device, state, request.command, request.parameters, home.unit_system))
        verdicts = [await self._judge(principal, e, d) for e, d in zip(effects, devices, strict=True)]
        asked = [i for i, v in enumerate(verdicts) if v.decision == "ask"]
        card = await self._ask(principal, home, [effects[i] for i in asked], [verdicts[i] for i in asked])

        async def one(i: int) -> CommandResult:
            effect, verdict, command_id = effects[i], verdicts[i], requests[i].command_id or new_id()
            if verdict.decision == "refuse":
                return result_of(effect, verdict, command_id, "refused", verdict.reason)
            if verdict.decision == "ask":
                return replace(result_of(effect, verdict, command_id, "asked", verdict.reason), confirmation=card)
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
        if effect.kind not in self._acts:
            raise InvalidInput(f"HomeGuard cannot {effect.kind}", field="kind")
        home = await self._home(principal.home_id)
        verdict = await self._judge(principal, effect, None)
        act_id = new_id()
        if verdict.decision == "refuse":
            return result_of(effect, verdict, act_id, "refused", verdict.reason)
        if verdict.decision == "ask":
            card = await self._ask(principal, home, [effect], [verdict])
            return replace(result_of(effect, verdict, act_id, "asked", verdict.reason), confirmation=card)
        data = await self._acts[effect.kind](principal, effect, act_id)
        return replace(result_of(effect, verdict, act_id, "confirmed", ""), data=data)

    async def inbox(self, principal: Principal) -> list[Confirmation]:
        """The open questions of this home, oldest first."""
        return await self._confirmations.open(principal.home_id, self._clock.now())

    async def confirmation(self, principal: Principal, confirmation_id: str) -> Confirmation:
        """One question of this home, `expired` when its time is over.

        Raises:
            NotFound: this home has none of that id.
        """
        found = await self._confirmations.get(principal.home_id, confirmation_id)
        if found is None:
            raise NotFound("there is no such confirmation", code="CONFIRMATION_NOT_FOUND")
        if found.state == "open" and self._clock.now() >= found.expires_at:
            return replace(found, state="expired")
        if found.state == "approved" and not found.outcome and not self.is_under_way(found.id):
            return replace(found, outcome=tuple(await self._told_by_journal(found)))
        return found

    async def decide(self, principal: Principal, confirmation_id: str, *, approve: bool, pin: str = "") -> Confirmation:
        """A person's press on the card; an approval carries the stored effects out at once and tells what came of it.

        Raises:
            NotFound: this home has none of that id.
            NotAllowed: not a person, a guest, or neither the one who asked nor the owner.
            Conflict: it was answered before, its time is over, or the home changed so that it would be another effect.
        """
        card = await self.confirmation(principal, confirmation_id)
        if principal.caller != "person" or "sensitive" not in principal.scopes:
            raise NotAllowed("only a signed-in person can answer this")
        if principal.role == "guest" or (principal.role != "owner" and principal.user_id != card.user_id):
            raise NotAllowed("only the person who asked or the owner of the home can answer this")
        if card.state != "open":
            raise Conflict(f"this was {card.state} already", code="CONFIRMATION_CLOSED", state=card.state)
        now = self._clock.now()
        commands, devices = await self._stored_commands(card, now) if approve else ([], {})
        await self._check_budget(card, commands)
        self._under_way.add(card.id)
        try:
            decided = await self._confirmations.decide(
                card.home_id, card.id, approve=approve, by=principal.user_id, now=now, commands=commands
            )
            if decided is None:
                raise Conflict("this was answered already", code="CONFIRMATION_CLOSED")
            await self._write_audit(principal, "confirm", "approve" if approve else "deny", "card", {"id": card.id})
            if approve:
                asker = replace(principal, caller=card.caller, turn=None, cause=card.id)
                outcome = await self._carry_out(asker, decided, commands, devices)
                await self._confirmations.settle(card.home_id, card.id, outcome)
                decided = replace(decided, outcome=tuple(outcome))
        finally:
            self._under_way.discard(card.id)
        await self._publish_confirmation(decided)
        return decided

    async def _check_budget(self, card: Confirmation, commands: Sequence[Command]) -> None:
        sensitive = sum(command.tier >= 3 for command in commands)
        if card.caller != "agent" or not sensitive:
            return
        since = self._clock.now() - AGENT_T3_WINDOW
        done = await self._journal.executed_since(card.home_id, 3, "agent", since)
        if done + sensitive > AGENT_T3_BUDGET:
            raise Conflict(
                f"the assistant has had {done} sensitive actions done in ten minutes, {AGENT_T3_BUDGET} are the limit: "
                "do this one yourself, or later",
                code="BUDGET_USED",
            )

    def is_under_way(self, confirmation_id: str) -> bool:
        """A person has answered it and it is being carried out: what came of it is told in a moment."""
        return confirmation_id in self._under_way

    async def _told_by_journal(self, card: Confirmation) -> list[Mapping[str, Json]]:
        """What came of an approved card whose carrying out a crash cut off, command by command."""
        rows = []
        for index, effect in enumerate(card.effects):
            verdict = gate.Verdict(decision="allow", tier=card.tier, rule="card")
            command_id = derived_id("grant", card.id, str(index))
            known = await self._journal.command(card.home_id, command_id)
            outcome = "sent" if known is None or known.outcome == "pending" else known.outcome
            reason = (
                known.reason
                if known is not None
                else "HomeGuard stopped meanwhile: it is not known whether it was done"
            )
            rows.append(show_result(result_of(effect, verdict, command_id, outcome, reason)))
        return rows

    async def expire_open(self) -> list[Confirmation]:
        """Close the questions whose time is over and tell whoever shows them."""
        expired = await self._confirmations.expire(self._clock.now())
        for card in expired:
            await self._publish_confirmation(card)
        return expired

    async def unfinished(self, *, at_least_old: timedelta = timedelta()) -> list[Command]:
        """At start, before anything new is done: what a crash left pending, that long ago or longer."""
        latest = self._clock.now() - at_least_old
        return [command for command in await self._journal.pending() if command.requested_at <= latest]

    async def settle(self, left: Sequence[Command]) -> None:
        """Tell them as it is now, never carrying one out a second time. The reports before the crash are known.

        What no report bears out may still have reached its device: that is `sent`, never a false "failed".
        """
        for command in left:
            state = await self._live.get(command.home_id, command.device_id)
            done = bool(command.set) and state is not None and matches(command.set, state.attributes)
            changed = state is not None and any(
                state.changed_at.get(name, command.requested_at) >= command.requested_at for name in command.set
            )
            outcome: Outcome = "confirmed" if done and changed else "sent"
            reason = (
                "" if outcome == "confirmed" else "HomeGuard stopped meanwhile: it is not known whether it was done"
            )
            await self._journal.finish(command.home_id, command.id, outcome, reason, self._clock.now())
            await self._execution.record(command, outcome, reason)

    async def record_missing(self, home_id: str, is_recorded: Callable[[str, str], Awaitable[bool]]) -> None:
        """At start: the outcomes that a crash left in the journal only. `is_recorded(home_id, event_id)`."""
        for command in await self._journal.commands(home_id, since=self._clock.now() - _LOOK_BACK, limit=50):
            if command.outcome != "pending" and not await is_recorded(home_id, result_event_id(command)):
                await self._execution.record(command, command.outcome, command.reason)

    # -- the steps -----------------------------------------------------------------------------------------------

    async def _home(self, home_id: str) -> Home:
        home = await self._users.home(home_id)
        if home is None:
            raise NotFound("there is no such home", code="HOME_NOT_FOUND")
        return home

    async def _device(self, home_id: str, device_id: str) -> Device:
        device = await self._devices.get(home_id, device_id)
        if device is None:
            raise DeviceNotFound(f"this home has no device '{device_id[:100]}'", device_id=device_id[:100])
        return device

    async def _judge(self, principal: Principal, effect: Effect, device: Device | None) -> gate.Verdict:
        now = self._clock.now()
        recent = 0
        if principal.caller == "agent":
            recent = await self._journal.executed_since(principal.home_id, 3, "agent", now - AGENT_T3_WINDOW)
        verdict = gate.decide(
            effect,
            device,
            principal,
            stated=principal.turn is not None and names_effect(principal.turn.words, effect, device),
            granted=fingerprint(effect) in principal.standing,
            recent_t3=recent,
            devices=await self._devices_in(principal.home_id, effect),
        )
        detail: dict[str, Json] = {
            "kind": effect.kind, "device_id": effect.device_id, "command": effect.command, "tier": verdict.tier,
            "set": dict(effect.set), "cause": principal.cause,
        }  # fmt: skip
        await self._write_audit(principal, effect.kind, verdict.decision, verdict.rule, detail)
        return verdict

    async def _devices_in(self, home_id: str, effect: Effect) -> Mapping[str, Device]:
        found = [await self._devices.get(home_id, e.device_id) for e in effect.contains]
        return {device.id: device for device in found if device is not None}

    async def _write_audit(
        self, principal: Principal, action: str, decision: str, rule: str, detail: Mapping[str, Json]
    ) -> None:
        actor = f"{principal.caller}:{principal.user_id or principal.name}"
        await self._audit.write(
            principal.home_id,
            at=self._clock.now(),
            actor=actor,
            action=action,
            decision=decision,
            rule=rule,
            detail=detail,
        )

    async def _ask(
        self, principal: Principal, home: Home, effects: Sequence[Effect], verdicts: Sequence[gate.Verdict]
    ) -> Confirmation | None:
        if not effects:
            return None
        prints = sorted(map(fingerprint, effects))
        now = self._clock.now()
        thread_id, turn_id = (principal.turn.thread_id, principal.turn.id) if principal.turn is not None else ("", "")
        for known in await self._confirmations.open(home.id, now):
            same_asker = (known.user_id, known.caller, known.thread_id) == (
                principal.user_id,
                principal.caller,
                thread_id,
            )
            if same_asker and sorted(map(fingerprint, known.effects)) == prints:
                return known
        if len(effects) == 1:
            text = question(effects[0], home.unit_system)
        else:
            text = f"{len(effects)} things need your yes: " + "; ".join(describe(e, home.unit_system) for e in effects)
        asked_by = {"agent": "the assistant", "client": f"the app '{principal.name or 'MCP client'}'"}
        card = Confirmation(
            id=new_id(),
            home_id=home.id,
            user_id=principal.user_id,
            text=text,
            detail=f"Asked by {asked_by.get(principal.caller, 'you')}. Nothing happens until you press.",
            tier=max(v.tier for v in verdicts),
            effects=tuple(effects),
            created_at=now,
            expires_at=now + CONFIRMATION_TTL,
            caller=principal.caller,
            thread_id=thread_id,
            turn_id=turn_id,
            cause=principal.cause,
        )
        card = await self._confirmations.ask(card)
        await self._publish_confirmation(card)
        return card

    def _command(self, principal: Principal, effect: Effect, tier: int, command_id: str, grant_id: str = "") -> Command:
        now = self._clock.now()
        return Command(
            id=command_id,
            home_id=principal.home_id,
            device_id=effect.device_id,
            command=effect.command,
            parameters=effect.parameters,
            set=effect.set,
            before=effect.before,
            tier=tier,
            caller=principal.caller,
            user_id=principal.user_id,
            cause=principal.cause or (principal.turn.id if principal.turn is not None else ""),
            requested_at=now,
            not_after=now + (SENSITIVE_TTL if tier >= 3 else COMMAND_TTL),
            grant_id=grant_id,
        )

    async def _stored_commands(self, card: Confirmation, now: datetime) -> tuple[list[Command], dict[str, Device]]:
        """The commands of the stored effects, looked at again: they must still be the same effects."""
        home = await self._home(card.home_id)
        asker = Principal(home_id=card.home_id, user_id=card.user_id, role="owner", caller=card.caller, cause=card.id)
        commands, devices = [], {}
        for index, effect in enumerate(card.effects):
            if effect.kind != "device":
                continue
            device = await self._device(card.home_id, effect.device_id)
            state = await self._live.get(card.home_id, device.id)
            again = resolve(device, state, effect.command, effect.parameters, home.unit_system)
            tier, _ = gate.tier_of(again, device)
            if again.set != effect.set or tier > card.tier or device.name != effect.device_name:
                raise Conflict(f"{effect.device_name} changed meanwhile: ask again", code="CONFIRMATION_OUTDATED")
            command = self._command(asker, again, tier, derived_id("grant", card.id, str(index)), card.id)
            commands.append(replace(command, requested_at=now))
            devices[command.id] = device
        return commands, devices

    async def _carry_out(
        self, asker: Principal, card: Confirmation, commands: Sequence[Command], devices: Mapping[str, Device]
    ) -> list[Mapping[str, Json]]:
        by_id = {c.id: c for c in commands}

        async def one(index: int, effect: Effect) -> Mapping[str, Json]:
            verdict = gate.Verdict(decision="allow", tier=card.tier, rule="card")
            act_id = derived_id("grant", card.id, str(index))
            if effect.kind == "device":
                command = by_id[act_id]
                return show_result(await self._execution.drive(devices[command.id], effect, command, verdict))
            try:
                data = await self._acts[effect.kind](asker, effect, act_id)
            except HomeGuardError as error:
                return show_result(result_of(effect, verdict, act_id, "failed", error.message))
            return show_result(replace(result_of(effect, verdict, act_id, "confirmed", ""), data=data))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(i, e)) for i, e in enumerate(card.effects)]
        return [task.result() for task in tasks]

    async def _publish_confirmation(self, card: Confirmation) -> None:
        data = {"type": "confirmation", "confirmation": show_confirmation(card)}
        await self._feed.publish([Live(home_id=card.home_id, kind="confirmation", data=data)])


#: How often the composition calls `expire_open`.
EXPIRE_EVERY = timedelta(seconds=2)
