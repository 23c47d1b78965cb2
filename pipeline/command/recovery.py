"""What a crash left unfinished: told as it is now, and never done a second time.

A command to a device is never sent again: what no report bears out is `sent`, not known. An act of the home itself
(its mode, a rule, a permission) is one write of ours under one id, so within its time it is carried out again, and
after that it is looked up whether it was done.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from homeguard.clock import Clock
from homeguard.errors import HomeGuardError, NotFound
from homeguard.model import Command, Effect, Outcome, Principal
from homeguard.ports.journal import Confirmations, Journal
from homeguard.ports.live_state import LiveStateStore
from pipeline.command.carrying import NOT_KNOWN
from pipeline.command.execution import Execution, result_event_id
from pipeline.command.grants import grant_id
from pipeline.command.journalled import KEPT_WHOLE
from pipeline.command.waiting import matches
from pipeline.command.words import Act

log = logging.getLogger("homeguard.command")

#: Acts that tell others of themselves when they are done: those must hear it, so they are done again.
_TELLS: Final = frozenset(("set_mode",))
NOT_DONE: Final = "HomeGuard stopped before it was done"
#: How old an outcome may be that is still recorded after a crash.
_LOOK_BACK: Final = timedelta(days=1)

#: Was this act done? None: nobody can tell.
IsDone = Callable[[Command], Awaitable[bool | None]]


class Recovery:
    """Settles what is pending in the journal. `acts` and `is_done` are those of the home itself."""

    def __init__(
        self,
        *,
        journal: Journal,
        confirmations: Confirmations,
        live: LiveStateStore,
        execution: Execution,
        acts: Mapping[str, Act],
        is_done: IsDone | None,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._confirmations = confirmations
        self._live = live
        self._execution = execution
        self._acts = acts
        self._is_done = is_done
        self._clock = clock

    async def unfinished(self, at_least_old: timedelta = timedelta()) -> list[Command]:
        """What is pending for that long or longer. At start: before anything new is done."""
        latest = self._clock.now() - at_least_old
        # the clock may have stood later before the crash
        return [c for c in await self._journal.pending() if not at_least_old or c.requested_at <= latest]

    async def settle(self, left: Sequence[Command]) -> None:
        """Tell them as it is now. The reports before the crash are known."""
        for command in left:
            is_act = command.command in self._acts
            outcome, reason = await (self._act(command) if is_act else self._as_reported(command))
            await self._journal.finish(command.home_id, command.id, outcome, reason, self._clock.now())
            if not is_act:
                await self._execution.record(command, outcome, reason)

    async def record_missing(self, home_id: str, is_recorded: Callable[[str, str], Awaitable[bool]]) -> None:
        """The outcomes that a crash left in the journal only. `is_recorded(home_id, event_id)`."""
        for command in await self._journal.commands(home_id, since=self._clock.now() - _LOOK_BACK, limit=50):
            is_told = command.outcome != "pending" and command.command not in self._acts
            if is_told and not await is_recorded(home_id, result_event_id(command)):
                await self._execution.record(command, command.outcome, command.reason)

    async def _as_reported(self, command: Command) -> tuple[Outcome, str]:
        """What no report bears out may still have reached its device: that is `sent`, never a false "failed"."""
        state = await self._live.get(command.home_id, command.device_id)
        done = bool(command.set) and state is not None and matches(command.set, state.attributes)
        changed = state is not None and any(
            state.changed_at.get(name, command.requested_at) >= command.requested_at for name in command.set
        )
        return ("confirmed", "") if done and changed else ("sent", NOT_KNOWN)

    async def _act(self, command: Command) -> tuple[Outcome, str]:
        effect = await self._effect(command)
        is_in_time = command.requested_at <= self._clock.now() <= command.not_after
        is_done = await self._is_done(command) if self._is_done is not None else None
        if effect is not None and is_in_time and (not is_done or command.command in _TELLS):
            asker = Principal(
                home_id=command.home_id, user_id=command.user_id, role="owner", caller=command.caller,
                cause=command.cause,
            )  # fmt: skip
            try:
                await self._acts[command.command](asker, effect, command.id)
            except NotFound:
                pass  # what was to go is gone, or what was to change: that shows below
            except HomeGuardError as error:
                log.warning("%s of home %s could not be finished: %s", command.command, command.home_id, error.message)
            else:
                return "confirmed", ""
        done = await self._is_done(command) if self._is_done is not None else None
        if done is None:
            return "sent", NOT_KNOWN
        return ("confirmed", "") if done else ("failed", NOT_DONE)

    async def _effect(self, command: Command) -> Effect | None:
        """The effect exactly as it was judged; None when the journal does not hold all of it."""
        if command.grant_id:
            card = await self._confirmations.get(command.home_id, command.grant_id)
            if card is None:
                return None
            return next((e for i, e in enumerate(card.effects) if grant_id(card, i) == command.id), None)
        if command.command not in KEPT_WHOLE:
            return None
        return Effect(
            kind=command.command,
            device_id=command.device_id,
            parameters=command.parameters,
            set=command.set,
            before=command.before,
        )
