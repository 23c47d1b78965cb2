"""Automate: carries out what was decided, for an event or a time, by the one way to act, and tells what came of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Protocol

from homeguard.automation import version_hash
from homeguard.clock import Clock, HomeClocks, parse_time
from homeguard.errors import HomeGuardError, StoreUnavailable
from homeguard.ids import derived_id
from homeguard.model import Alert, Automation, Event, Json, Metadata, Principal
from homeguard.policy import SENSITIVE_TTL
from homeguard.ports.automations import AutomationStore
from homeguard.ports.journal import Journal
from homeguard.ports.live_state import LiveFeed
from homeguard.ports.log import EVENTS, Record
from homeguard.ports.outbox import Outbox
from homeguard.ports.schedules import Schedule, Schedules
from homeguard.ports.users import UserStore
from pipeline.command.words import CommandResult, DeviceRequest
from pipeline.envelope import sets_off_reflexes
from pipeline.handlers.alerts import Submit
from pipeline.handlers.before_mend import BeforeMend
from pipeline.handlers.chains import MAX_DEPTH, Chains, Origin
from pipeline.handlers.notices import live_of, notices_of
from pipeline.processor import Batch

log = logging.getLogger("homeguard.automations")

#: Automations that run at the same time; each runs its actions one after the other.
MAX_AT_ONCE: Final = 16
TOO_LATE: Final = "HomeGuard came to this more than 15 minutes after it was decided, so it was not done"


def concerns(decided: Event) -> list[str]:
    """What a decided automation acts on, or at least which one it is: those of the same name run in order."""
    acts_on = decided.payload.get("acts_on")
    names = acts_on if isinstance(acts_on, list) and acts_on else [decided.payload.get("automation_id")]
    return [f"{decided.home_id}/{name}" for name in dict.fromkeys(map(str, names))]


class Commands(Protocol):
    """The part of the command service that an automation needs."""

    async def perform(self, principal: Principal, requests: Sequence[DeviceRequest]) -> list[CommandResult]: ...


Standing = Callable[[Automation], Awaitable[frozenset[str]]]


class RunAutomations:
    """Runs each decided automation once: ids of commands and messages follow from the event and the action.

    An automation that was changed, switched off or deleted meanwhile does not run. `standing` tells which effects a
    person approved beforehand for an automation (`Principal.standing`); without it none are. Such a yes is for the
    moment in which it happens: what comes here late (an engine was away) opens no door any more. Nor does what an
    assistant, a client or a third party set off (`journal` tells), and a chain of runs ends (`chains`).

    What stands behind a delay is written down (`schedules`) and decided anew when its time has come. One that was to
    happen once is deleted when it is through.
    """

    def __init__(
        self,
        *,
        automations: AutomationStore,
        commands: Commands,
        outbox: Outbox,
        users: UserStore,
        feed: LiveFeed,
        intake: Submit,
        clock: Clock,
        clocks: HomeClocks,
        standing: Standing | None = None,
        before_mend: BeforeMend | None = None,
        journal: Journal | None = None,
        schedules: Schedules | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`before_mend` knows what was carried out already and stood in a journal that an older one replaced. `wake` is
        called when something was written into `schedules`; without these nothing is done behind a delay."""
        self._before_mend = before_mend
        self._automations = automations
        self._commands = commands
        self._outbox = outbox
        self._users = users
        self._feed = feed
        self._intake = intake
        self._clock = clock
        self._clocks = clocks
        self._standing = standing
        self._chains = Chains(journal, clock)
        self._schedules = schedules
        self._wake = wake

    async def __call__(self, batch: Batch) -> None:
        due, late = [], []
        for record, event in batch:
            if event.event_type == "command_requested" and event.trust == "core" and "automation_id" in event.payload:
                if sets_off_reflexes(event, self._clocks.now(event.home_id)):
                    due.append((record, event))
                elif event.source != "replay":
                    late.append(event)
        for event in late:
            await self._tell_ran(event, [{"outcome": "refused", "reason": TOO_LATE}])
            await self._end(await self._automations.get(event.home_id, str(event.payload["automation_id"])))
        room = asyncio.Semaphore(MAX_AT_ONCE)
        failures: list[HomeGuardError] = []

        async def one(record: Record, event: Event) -> None:
            async with room:
                try:
                    await self._run(record, event)
                except StoreUnavailable as error:
                    failures.append(error)

        async with asyncio.TaskGroup() as group:
            for record, event in due:
                group.create_task(one(record, event))
        if failures:
            raise failures[0]

    async def _run(self, record: Record, decided: Event) -> None:
        automation = await self._automations.get(decided.home_id, str(decided.payload["automation_id"]))
        if automation is None or not automation.enabled or version_hash(automation) != decided.payload.get("version"):
            return
        if await self._is_done(record, _ran_id(decided)):
            return
        # what opens a door happens once at most
        is_fresh = self._is_fresh(decided) and not self._is_from_before(record)
        approved = await self._standing(automation) if self._standing is not None and is_fresh else frozenset()
        origin = _kept_origin(decided) or await self._chains.behind(decided)
        if "due_at" in decided.payload and not automation.approved:
            # a rule by the clock may be an assistant's: without a person's press it opens nothing through another rule
            origin = Origin(origin.depth, False)
        principal = Principal(
            home_id=automation.home_id,
            user_id=automation.created_by,
            role="member",
            caller="automation",
            name=automation.name,
            cause=decided.event_id,
            standing=approved if origin.is_genuine else frozenset(),
        )
        outcomes: list[Mapping[str, Json]] = []
        goes_on = False
        begin = _whole(decided.payload.get("from_action"))
        for index, action in enumerate(automation.actions[begin:], start=begin):
            if action["type"] == "device_command":
                outcomes.append(await self._command(principal, record, decided, origin, action, index))
            elif action["type"] == "delay":
                goes_on = self._schedules is not None
                outcomes.append(await self._put_off(decided, origin, automation, action, index))
                break
            else:
                outcomes.append(await self._notify(decided, automation, action, index))
        await self._tell_ran(decided, outcomes)
        if not goes_on:
            await self._end(automation)

    async def _end(self, automation: Automation | None) -> None:
        """One that was to happen once is over. A store that is away keeps it; it does not run again."""
        if automation is None or automation.trigger.get("type") != "once":
            return
        try:
            await self._automations.delete(automation.home_id, automation.id)
            if self._schedules is not None:
                await self._schedules.delete(automation.home_id, automation.id)
        except HomeGuardError as error:
            log.warning("automation %s is over and stays: %s", automation.id, error.message)
        self._wake()

    async def _put_off(
        self, decided: Event, origin: Origin, automation: Automation, action: Mapping[str, Any], index: int
    ) -> Mapping[str, Json]:
        """Write down what comes behind a delay; it is decided under an id of its own, and carried out in the name of
        the same cause. A run that comes while an earlier one of its rule waits takes its place: the wait begins anew.
        """
        told = {"type": "delay", "seconds": action["seconds"]}
        if self._schedules is None:
            return {**told, "outcome": "failed", "reason": "nothing can be put off here"}
        row_id = derived_id("rest", decided.home_id, automation.id)
        decision_id = derived_id("rest", decided.home_id, decided.event_id, str(index))
        known = await self._schedules.get(decided.home_id, row_id)
        now = self._clock.now()
        if known is None or known.made_from != decision_id:
            payload = {
                **decided.payload, "from_action": index + 1, "origin": [origin.depth, origin.is_genuine],
            }  # fmt: skip
            await self._schedules.put(
                Schedule(
                    home_id=decided.home_id, id=row_id, kind="rest", due_at=now + timedelta(seconds=action["seconds"]),
                    user_id=automation.created_by, made_from=decision_id, created_at=now,
                    detail={"payload": payload, "cause": decided.cause},
                )
            )  # fmt: skip
            self._wake()
        return {**told, "outcome": "confirmed"}

    async def _tell_ran(self, decided: Event, outcomes: Sequence[Mapping[str, Json]]) -> None:
        now = self._clocks.now(decided.home_id)
        await self._intake.submit(
            [
                Event(
                    home_id=decided.home_id,
                    event_id=_ran_id(decided),
                    event_type="automation_ran",
                    at=now,
                    received_at=self._clock.now(),
                    payload={**decided.payload, "actions": outcomes},
                    metadata=Metadata(is_simulated=decided.metadata.is_simulated),
                    trust="core",
                    cause=decided.cause,
                )
            ]
        )

    def _is_fresh(self, decided: Event) -> bool:
        """Whether what set it off came to HomeGuard as lately as a sensitive command may be old."""
        try:
            heard_at = parse_time(decided.payload.get("heard_at"))
        except ValueError:
            return False
        return self._clock.now() - heard_at <= SENSITIVE_TTL

    def _is_from_before(self, record: Record) -> bool:
        return self._before_mend is not None and self._before_mend.concerns(record)

    async def _is_done(self, record: Record, event_id: str) -> bool:
        """The log has this outcome of the decision in `record`, of which the journal may know nothing any more."""
        if self._before_mend is None or not self._before_mend.concerns(record):
            return False
        return await self._before_mend.has(event_id, EVENTS, since=record, otherwise=False)

    async def _command(
        self,
        principal: Principal,
        record: Record,
        decided: Event,
        origin: Origin,
        action: Mapping[str, Any],
        index: int,
    ) -> Mapping[str, Json]:
        told = {"type": "device_command", "device_id": action["device_id"], "command": action["command"]}
        if origin.depth > MAX_DEPTH:
            reason = f"automations set each other off more than {MAX_DEPTH} times in a row: this is where it ends"
            return {**told, "outcome": "refused", "reason": reason}
        self._chains.note(decided, str(action["device_id"]), origin)
        request = DeviceRequest(
            device_id=str(action["device_id"]),
            command=str(action["command"]),
            parameters=action.get("parameters") or {},
            command_id=derived_id(decided.cause, str(decided.payload["automation_id"]), str(index)),
        )
        if await self._is_done(record, derived_id("command_result", decided.home_id, request.command_id)):
            return {**told, "command_id": request.command_id, "outcome": "sent", "reason": "it was carried out before"}
        try:
            result = (await self._commands.perform(principal, [request]))[0]
        except StoreUnavailable:
            raise
        except HomeGuardError as error:
            return {**told, "outcome": "failed", "reason": error.message}
        return {**told, "command_id": result.command_id, "outcome": result.outcome, "reason": result.reason}

    async def _notify(
        self, decided: Event, automation: Automation, action: Mapping[str, Any], index: int
    ) -> Mapping[str, Json]:
        message = Alert(
            id=derived_id("automation_notice", decided.event_id, str(index)),
            home_id=automation.home_id,
            at=decided.at,
            kind="automation",
            severity="low",
            title=automation.name,
            text=str(action["message"]),
            device_id=str(decided.payload.get("device_id") or ""),
            event_ids=(decided.cause,),
            is_simulated=decided.metadata.is_simulated,
        )
        notices = notices_of(message, await self._users.members(automation.home_id), "normal")
        if await self._outbox.put(notices):
            await self._feed.publish([live_of(message)])
        return {"type": "notification", "channel": str(action.get("channel", "app")), "outcome": "sent"}


def _kept_origin(decided: Event) -> Origin | None:
    """What was behind a run when it was put off; None: this one is its beginning."""
    match decided.payload.get("origin"):
        case [int(depth), bool(is_genuine)]:
            return Origin(depth, is_genuine)
    return None


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _ran_id(decided: Event) -> str:
    return derived_id("automation_ran", decided.event_id)
