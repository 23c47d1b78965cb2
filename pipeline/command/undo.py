"""Puts back what a person did last: the inverse of one batch from the journal, through the one way to act again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Literal

from homeguard.causes import UNDO
from homeguard.clock import Clock
from homeguard.errors import NotAllowed
from homeguard.ids import derived_id, new_id
from homeguard.model import Command, Principal
from homeguard.ports.automations import AutomationStore
from homeguard.ports.devices import DeviceStore
from homeguard.ports.journal import Journal
from homeguard.ports.live_state import LiveStateStore
from homeguard.ports.users import UserStore
from pipeline.command.batches import Batch, Batches, is_undone
from pipeline.command.undo_devices import UndoDevices
from pipeline.command.undo_home import UndoHome
from pipeline.command.words import Commands, Undone

#: A second "undo" this soon is the same one, from another tab; later it brings back what the first one undid.
TOGETHER: Final = timedelta(seconds=3)
#: An undo that has not said how it ended after this long was cut off.
_CUT_OFF: Final = timedelta(minutes=2)


class Undo:
    """Over the ports that it reads; it changes the home only through `commands`."""

    def __init__(
        self,
        *,
        commands: Commands,
        journal: Journal,
        devices: DeviceStore,
        live: LiveStateStore,
        users: UserStore,
        automations: AutomationStore,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._batches = Batches(commands=commands, journal=journal, clock=clock)
        self._devices = UndoDevices(commands=commands, journal=journal, devices=devices, live=live)
        self._home = UndoHome(commands=commands, users=users, devices=devices, automations=automations)

    async def last(self, principal: Principal, *, whole_home: bool = False) -> Undone:
        """Undo this person's last batch of the last 24 hours; with `whole_home` the last of anyone here.

        Once: a second call while one runs, or right after it, does nothing; the same call of an agent again tells what
        the first one did; a later one brings back what was undone.

        Raises:
            NotAllowed: `whole_home` by anyone but the owner in person.
        """
        if whole_home and (principal.caller != "person" or principal.role != "owner"):
            raise NotAllowed("only the owner can undo what others did")
        if not principal.cause:
            principal = replace(principal, cause=principal.turn.id if principal.turn else f"request:{new_id()}")
        recent = await self._batches.recent(principal.home_id)
        batches = await self._batches.of(principal, recent)
        again = next((c for c in recent if c.command == "undo" and c.cause == principal.cause), None)
        if again is not None:
            found = next((b for b in batches if b.id == again.parameters.get("batch")), None)
            return await self._put_back(principal, found, again, batches) if found else Undone()
        mine = [b for b in batches if b.is_of(principal, whole_home=whole_home)]
        newest = next((b for b in mine if b.changed_anything), None)
        if newest is None:
            whose = "anyone here did" if whole_home else "you did"
            return Undone(note=f"there is nothing to undo: nothing that {whose} in the last 24 hours changed anything")
        return await self._once(principal, newest, batches)

    async def _once(self, principal: Principal, batch: Batch, batches: Sequence[Batch]) -> Undone:
        now = self._clock.now()
        if batch.is_pending and now - batch.at <= _CUT_OFF:
            return Undone(note="that is still being carried out: say it again in a moment")
        if is_undone(batch, batches):
            return Undone(note="that was undone already")
        if batch.id.startswith(UNDO) and now - batch.at < TOGETHER:
            return Undone(note="that has just been undone: say it again to bring it back")
        for attempt in range(100):
            marker_id = derived_id("undo", principal.home_id, batch.id, str(attempt))
            known = await self._journal.command(principal.home_id, marker_id)
            if known is not None and known.outcome == "pending" and now - known.requested_at <= _CUT_OFF:
                return Undone(note="that is being undone already")
            if known is not None:
                continue
            marker = _marker(principal, marker_id, batch.id, now)
            if not await self._journal.begin(marker):
                return Undone(note="that is being undone already")
            return await self._put_back(principal, batch, marker, batches)
        return Undone(note="that was tried too often")

    async def _put_back(self, principal: Principal, batch: Batch, marker: Command, batches: Sequence[Batch]) -> Undone:
        acting = replace(principal, cause=UNDO + batch.id)
        outcome: Literal["confirmed", "failed"] = "failed"
        try:
            items = await self._devices.restore(acting, batch, marker, batches)
            items += await self._home.restore(acting, batch)
            if any(i.outcome in ("confirmed", "sent", "asked") for i in items):
                outcome = "confirmed"
        finally:
            await self._journal.finish(principal.home_id, marker.id, outcome, "", self._clock.now())
        return Undone(batch=batch.id, at=batch.at, items=tuple(items))


def _marker(principal: Principal, marker_id: str, batch: str, now: datetime) -> Command:
    """The journal's own row of an undo: who begins it carries it out, all others see that it is taken."""
    return Command(
        id=marker_id, home_id=principal.home_id, device_id="", command="undo", parameters={"batch": batch}, set={},
        before={}, tier=0, caller=principal.caller, user_id=principal.user_id, cause=principal.cause,
        requested_at=now, not_after=now,
    )  # fmt: skip
