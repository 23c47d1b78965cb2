"""Timers of the person who asks: set, listed, changed, called off. Their end is a message to that person."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, ClassVar, Final

from homeguard.errors import InvalidInput, NotAllowed
from homeguard.model import Effect, Home, Json
from homeguard.occurrences import local_moment, zone
from homeguard.triggers import clock_at, moment_at
from pipeline.command.timers import own_timer, show_timer
from tools.answers import ActAnswer, act_answer_of
from tools.context import ToolContext, the_home
from tools.shapes import SHAPE
from tools.text import clean

#: The longest timer, in minutes: a week.
LONGEST_MINUTES: Final = 7 * 24 * 60
LONGEST_LABEL: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerLine:
    __pydantic_config__: ClassVar = SHAPE
    id: str
    label: str
    state: str
    """running or paused"""
    ends_at: str | None
    """UTC; null while it is paused"""
    seconds_left: int
    minutes: float
    """As it was set, with what was added since"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerList:
    __pydantic_config__: ClassVar = SHAPE
    timers: tuple[TimerLine, ...]
    """Your own, soonest first"""


async def set_timer(context: ToolContext, *, minutes: float = 0, at: str = "", label: str = "") -> ActAnswer:
    """Begin a timer of so many minutes, or until a time.

    Raises:
        InvalidInput: neither or both, out of bounds, over already, or the home has too many.
        NotAllowed: the caller is a guest.
    """
    _member(context)
    home = await the_home(context)
    parameters: dict[str, Json] = {"label": clean(label, LONGEST_LABEL)}
    if bool(minutes) == bool(at):
        raise InvalidInput("say either minutes or at", field="minutes")
    if at:
        parameters["ends_at"] = _end(at, context.clocks.now(home.id), home).isoformat()
    else:
        parameters["seconds"] = _span(minutes, "minutes", least=0)
    return await _act(context, "set_timer", parameters)


async def list_timers(context: ToolContext) -> TimerList:
    """The caller's own, running and paused."""
    known = await context.schedules.of_home(context.home_id, kind="timer")
    now, ahead = context.clock.now(), context.clocks.ahead(context.home_id)
    shown: list[Mapping[str, Any]] = [
        show_timer(t, now, ahead) for t in known if t.user_id == context.principal.user_id
    ]
    return TimerList(
        timers=tuple(
            TimerLine(
                id=t["timer_id"], label=clean(t["label"]), state=t["state"], ends_at=t["ends_at"],
                seconds_left=t["seconds_left"], minutes=t["minutes"],
            )
            for t in shown
        )
    )  # fmt: skip


async def change_timer(
    context: ToolContext, *, timer_id: str, add_minutes: float = 0, paused: bool | None = None
) -> ActAnswer:
    """Add minutes (less with a minus), hold it, or let it go on.

    Raises:
        InvalidInput: nothing is to be changed, or out of bounds. NotFound: the caller has no such timer.
    """
    timer = await own_timer(context.schedules, context.principal, timer_id)
    if not add_minutes and paused is None:
        raise InvalidInput("say add_minutes or paused", field="add_minutes")
    parameters: dict[str, Json] = {"timer_id": timer.id, "label": str(timer.detail.get("label") or "")}
    if add_minutes:
        parameters["add_seconds"] = _span(add_minutes, "add_minutes", least=-LONGEST_MINUTES)
    if paused is not None:
        parameters["paused"] = paused
    return await _act(context, "change_timer", parameters)


async def cancel_timer(context: ToolContext, *, timer_id: str) -> ActAnswer:
    """Call one off, or with `all` all of the caller's own.

    Raises:
        NotFound: the caller has no such timer.
    """
    label = ""
    if timer_id != "all":
        timer = await own_timer(context.schedules, context.principal, timer_id)
        label = str(timer.detail.get("label") or "")
    return await _act(context, "cancel_timer", {"timer_id": timer_id, "label": label})


async def _act(context: ToolContext, kind: str, parameters: Mapping[str, Json]) -> ActAnswer:
    effect = Effect(kind=kind, command=kind, parameters=parameters)
    return act_answer_of(await context.commands.act(context.principal, effect))


def _span(minutes: float, field: str, *, least: float) -> float:
    """Seconds, in tenths. Raises InvalidInput: it is no number of minutes within the bounds."""
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not math.isfinite(minutes):
        raise InvalidInput(f"{field} is a number", field=field)
    if not least <= minutes <= LONGEST_MINUTES or abs(minutes) < 1 / 600:
        raise InvalidInput(f"{field} is at most {LONGEST_MINUTES}", field=field, low=least, high=LONGEST_MINUTES)
    return round(minutes * 60, 1)


def _end(at: str, now: datetime, home: Home) -> datetime:
    """The next time that the clock says so, or that moment. Raises InvalidInput: over already, or too far ahead."""
    if len(at) == 5 and ":" in at:
        clock = time.fromisoformat(clock_at(at, "at"))
        today = now.astimezone(zone(home)).date()
        days = (local_moment(today + timedelta(days=n), clock, zone(home)) for n in range(3))
        return next(moment for moment in days if moment is not None and moment > now)
    moment = moment_at(at, "at", home)
    if not now < moment <= now + timedelta(minutes=LONGEST_MINUTES):
        raise InvalidInput("a timer ends within the next seven days", field="at")
    return moment


def _member(context: ToolContext) -> None:
    if context.principal.role == "guest" or not context.principal.user_id:
        raise NotAllowed("only a person who lives here has timers")
