"""Tells people what their time came for: a timer that ended, a single act that was missed."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from homeguard.clock import Clock, HomeClocks, iso
from homeguard.errors import HomeGuardError
from homeguard.ids import derived_id
from homeguard.model import Automation, Event, Home, Notice
from homeguard.occurrences import zone
from homeguard.ports.outbox import Outbox
from homeguard.ports.schedules import Schedule
from homeguard.units import wall_time
from pipeline.due import decision_id

#: A timer that rings later than this says so.
_LATE: Final = timedelta(seconds=60)


class Ringing:
    """Messages go through the outbox, under ids that follow from what they tell: once each."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        clock: Clock,
        clocks: HomeClocks,
        deliver: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """`deliver` sends what is in the outbox; without it somebody else does, a little later."""
        self._deliver = deliver
        self._outbox = outbox
        self._clock = clock
        self._clocks = clocks

    async def ring(self, timer: Schedule) -> list[Event]:
        """Tell its person, and return the event of it. One that was due while nothing ran rings late, and says so."""
        assert timer.due_at is not None
        now = self._clock.now()
        label = str(timer.detail.get("label") or "")
        event_id = ring_id(timer)
        late = now - timer.due_at
        behind = "" if late <= _LATE else f" It was due {_long(late)} ago; HomeGuard was not running then."
        await self._outbox.put(
            [
                Notice(
                    id=derived_id("notice", event_id, timer.user_id),
                    home_id=timer.home_id,
                    at=self._clocks.now(timer.home_id),
                    channel="app",
                    recipient=timer.user_id,
                    priority="high",
                    title=label or "Timer",
                    text=(f"Your timer '{label}' is over." if label else "Your timer is over.") + behind,
                    cause=event_id,
                )
            ]
        )
        if self._deliver is not None:
            await self._deliver()
        return [
            Event(
                home_id=timer.home_id, event_id=event_id, event_type="timer_finished",
                at=self._clocks.now(timer.home_id), received_at=now, user_id=timer.user_id,
                payload={
                    "timer_id": timer.id, "label": label, "due_at": iso(timer.due_at),
                    "by": str(timer.detail.get("by") or ""),
                },
                trust="core",
                cause=str(timer.detail.get("cause") or ""),
            )
        ]  # fmt: skip

    async def tell_missed(self, rule: Automation, due_at: datetime, home: Home) -> None:
        """What was to happen once did not: its person hears of it. A message that cannot be kept holds up nothing."""
        if not rule.created_by:
            return
        local = due_at.astimezone(zone(home))
        when = f"{local:%a} {local.day} {local:%b} at {wall_time(local, home.unit_system)}"
        notice = Notice(
            id=derived_id("missed", home.id, rule.id, iso(due_at)),
            home_id=home.id,
            at=self._clocks.now(home.id),
            channel="app",
            recipient=rule.created_by,
            priority="normal",
            title=f"Not done: {rule.name}",
            text=f"'{rule.name}' was due on {when}, but HomeGuard was not running then, so it was not done.",
            cause=decision_id(rule, due_at),
        )
        try:
            await self._outbox.put([notice])
        except HomeGuardError:
            return


def ring_id(timer: Schedule) -> str:
    """The id of the event that this timer ended: always the same, so it rings once."""
    return derived_id("timer_finished", timer.home_id, timer.id, iso(timer.due_at) if timer.due_at else "")


def _long(span: timedelta) -> str:
    """`3 minutes`, `5 hours`, `2 days`: the largest of which there are two."""
    for unit, name in ((timedelta(days=1), "days"), (timedelta(hours=1), "hours")):
        if span >= 2 * unit:
            return f"{span / unit:.0f} {name}"
    minutes = round(span / timedelta(minutes=1))
    return f"{minutes} minutes" if minutes != 1 else "a minute"
