"""What can be done with a timer: set it, change it, call it off. Each is one row, under one id."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from homeguard.clock import Clock, HomeClocks, iso
from homeguard.errors import InvalidInput, NotFound
from homeguard.ids import derived_id
from homeguard.model import Effect, Json, Principal
from homeguard.ports.schedules import MOST_TIMERS, Schedule, Schedules
from pipeline.command.own_words import check_own_words
from pipeline.command.words import Act


class Timers:
    """The acts over `schedules`. Timers count by the system's clock; what they tell is by the home's."""

    def __init__(
        self, *, schedules: Schedules, clock: Clock, clocks: HomeClocks, wake: Callable[[], None] = lambda: None
    ) -> None:
        """`wake` is called when a timer was set."""
        self._schedules = schedules
        self._clock = clock
        self._clocks = clocks
        self._wake = wake

    def registry(self) -> Mapping[str, Act]:
        """By the kind of the effect."""
        return {"set_timer": self.set_timer, "change_timer": self.change_timer, "cancel_timer": self.cancel_timer}

    async def set_timer(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        """Begin one of the parameters' `seconds`, or until `ends_at` by the home's clock.

        Raises:
            InvalidInput: the home has too many.
            NotAllowed: the label is others' text (`check_own_words`).
        """
        given: Mapping[str, Any] = effect.parameters
        check_own_words(principal, [str(given["label"])])
        now, timer_id = self._clock.now(), derived_id("timer", act_id)
        known = await self._schedules.of_home(principal.home_id, kind="timer")
        if len([t for t in known if t.id != timer_id]) >= MOST_TIMERS:
            raise InvalidInput(f"a home has at most {MOST_TIMERS} timers; cancel one first", field="timer")
        if "seconds" in given:
            due_at = now + timedelta(seconds=given["seconds"])
        else:
            due_at = datetime.fromisoformat(given["ends_at"]) - self._clocks.ahead(principal.home_id)
        timer = Schedule(
            home_id=principal.home_id, id=timer_id, kind="timer", due_at=due_at, user_id=principal.user_id,
            detail={
                "label": str(given["label"]), "seconds": (due_at - now).total_seconds(), "by": principal.caller,
                "cause": principal.cause or act_id,
            },
            created_at=now,
        )  # fmt: skip
        await self._schedules.put(timer)
        self._wake()
        return self._told(timer)

    async def change_timer(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        """Add the parameters' `add_seconds` to one of the person's own, and hold it or let it go on (`paused`). Done
        again for the same act it changes nothing.

        Raises:
            NotFound: the person has no such timer. InvalidInput: so much less that it would be over.
        """
        given: Mapping[str, Any] = effect.parameters
        timer = await own_timer(self._schedules, principal, str(given["timer_id"]))
        if timer.detail.get("changed_by") == act_id:
            return self._told(timer)
        now, added = self._clock.now(), float(given.get("add_seconds") or 0.0)
        left = _left(timer, now) + added
        if left <= 0:
            raise InvalidInput("that would end it already: cancel it instead", field="add_minutes")
        is_paused = timer.due_at is None if given.get("paused") is None else given["paused"] is True
        changed = replace(
            timer,
            due_at=None if is_paused else now + timedelta(seconds=left),
            detail={
                **timer.detail, "seconds": _seconds(timer) + added, "left_s": left if is_paused else None,
                "changed_by": act_id,
            },
        )  # fmt: skip
        await self._schedules.put(changed)
        self._wake()
        return self._told(changed)

    async def cancel_timer(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        """Call off the one of `timer_id`, or (`all`) all of the person's own; none is left either way."""
        timer_id = str(effect.parameters["timer_id"])
        if timer_id == "all":
            known = await self._schedules.of_home(principal.home_id, kind="timer")
            own = [t for t in known if t.user_id == principal.user_id]
            gone = [await self._schedules.delete(t.home_id, t.id) for t in own]
            return {"cancelled": sum(gone)}
        timer = await own_timer(self._schedules, principal, timer_id)
        await self._schedules.delete(timer.home_id, timer.id)
        return {"timer_id": timer.id, "label": str(timer.detail.get("label") or ""), "cancelled": True}

    def _told(self, timer: Schedule) -> dict[str, Json]:
        return show_timer(timer, self._clock.now(), self._clocks.ahead(timer.home_id))


async def own_timer(schedules: Schedules, principal: Principal, timer_id: str) -> Schedule:
    """One of this person's own. Raises NotFound: there is none; another's looks the same."""
    found = await schedules.get(principal.home_id, timer_id) if 0 < len(timer_id) <= 200 else None
    if found is None or found.kind != "timer" or found.user_id != principal.user_id:
        raise NotFound("you have no such timer", code="TIMER_NOT_FOUND", field="timer_id")
    return found


def show_timer(timer: Schedule, now: datetime, ahead: timedelta) -> dict[str, Json]:
    """`{"timer_id", "label", "state", "ends_at", "seconds_left", "minutes"}`; `ends_at` by the home's clock, which is
    `ahead` of the system's, None while it is paused. `now` is by the system's."""
    left = max(_left(timer, now), 0.0)
    return {
        "timer_id": timer.id,
        "label": str(timer.detail.get("label") or ""),
        "state": "paused" if timer.due_at is None else "running",
        "ends_at": iso(timer.due_at + ahead) if timer.due_at is not None else None,
        "seconds_left": round(left),
        "minutes": round(_seconds(timer) / 60, 2),
    }


def _left(timer: Schedule, now: datetime) -> float:
    if timer.due_at is not None:
        return (timer.due_at - now).total_seconds()
    left = timer.detail.get("left_s")
    return float(left) if isinstance(left, int | float) else 0.0


def _seconds(timer: Schedule) -> float:
    seconds = timer.detail.get("seconds")
    return float(seconds) if isinstance(seconds, int | float) else 0.0
