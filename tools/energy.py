"""What stored readings say about energy, and what to do about it: every number from the data, with its basis. Pure."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import ClassVar, Final

from homeguard.model import Device, Event, Reading, UnitSystem, Window
from homeguard.units import temperature_text
from pipeline.detectors.energy import Presence, Use, presence, shares
from tools.shapes import SHAPE
from tools.text import clean

#: Fewer days than this say nothing about habits.
MIN_DAYS: Final = 7
#: An hour of the day counts as empty when motion was seen in it on at most this share of the days.
_EMPTY_SHARE: Final = 0.1
_MIN_EMPTY_HOURS: Final = 3
_EVERY_DAY: Final = frozenset(range(7))
_WEEKDAYS: Final = frozenset(range(5))
_NIGHT: Final = frozenset((22, 23, 0, 1, 2, 3, 4, 5))
#: How far a set point is moved while nobody is there, in kelvin: 8 °F by day, 4 °F by night.
_DAY_SETBACK_K: Final = 8 / 1.8
_NIGHT_SETBACK_K: Final = 4 / 1.8
#: US Department of Energy, "Programmable Thermostats": about 1 % for each degree F of setback held 8 hours a day.
_PCT_PER_F_8H: Final = 1.0
#: A smaller change than this is not worth a word, in kelvin.
_WORTH_K: Final = 1.0
#: What an idle plug or lamp may draw before it is worth a word.
_IDLE_W: Final = 5.0
_CAN_BE_OFF: Final = frozenset(("light", "plug", "switch", "media_player", "fan", "heater", "appliance"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    __pydantic_config__: ClassVar = SHAPE
    kind: str
    """setback_away, setback_night or switch_off_when_empty"""
    device_id: str
    title: str
    evidence: str
    """The measured facts that it rests on"""
    basis: str
    """How the saving was worked out"""
    saving_kwh: float | None
    """Over the period, where energy was measured; else null"""
    saving_pct: float | None
    """Of this device's heating and cooling, by the rule named in basis; else null"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thermostat:
    """A thermostat's stored set points (`target_c`, any order; they may begin before the period) and its mode."""

    device: Device
    targets: Sequence[Reading]
    hvac_mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """A device's use and its hourly means of power, oldest first (empty for one that only counts)."""

    device: Device
    use: Use
    hourly: Sequence[Window]


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """Local hours in a row that are empty as a rule, on these days (0 is Monday), and the presence that says so."""

    hours: tuple[int, ...]
    days: frozenset[int]
    presence: Presence

    @property
    def is_night(self) -> bool:
        return self.hours[0] in _NIGHT

    @property
    def words(self) -> str:
        span = f"from {self.hours[0]:02d}:00 to {(self.hours[-1] + 1) % 24:02d}:00"
        return span if self.days == _EVERY_DAY else f"{span} on weekdays"

    def holds(self, local: datetime) -> bool:
        return local.hour in self.hours and local.weekday() in self.days


def habits(events: Sequence[Event], *, start: datetime, end: datetime, zone: tzinfo) -> list[Habit]:
    """When the home is empty by day (on weekdays, where that is longer than on all days) and quiet by night.

    Empty without a week of days with motion.
    """
    always = presence(events, start=start, end=end, zone=zone)
    if always is None or always.days < MIN_DAYS:
        return []
    every = [Habit(hours=run, days=_EVERY_DAY, presence=always) for run in empty_runs(always)]
    working = presence(
        [e for e in events if e.at.astimezone(zone).weekday() in _WEEKDAYS], start=start, end=end, zone=zone
    )
    week = [Habit(hours=run, days=_WEEKDAYS, presence=working) for run in empty_runs(working)] if working else []
    by_day, by_workday = ([h for h in found if not h.is_night] for found in (every, week))
    longer = by_workday if sum(len(h.hours) for h in by_workday) > sum(len(h.hours) for h in by_day) else by_day
    return [*longer, *(h for h in every if h.is_night)]


def empty_runs(lived: Presence) -> list[tuple[int, ...]]:
    """Runs of at least three local hours in a row that are empty, day and night apart; a night may pass midnight."""
    runs: list[tuple[int, ...]] = []
    order = [*range(6, 22), 22, 23, 0, 1, 2, 3, 4, 5]
    run: list[int] = []
    for i, hour in enumerate(order):
        starts_other_part = i > 0 and (hour in _NIGHT) != (order[i - 1] in _NIGHT)
        if run and (starts_other_part or lived.share_by_hour[hour] > _EMPTY_SHARE):
            runs.append(tuple(run))
            run = []
        if lived.share_by_hour[hour] <= _EMPTY_SHARE:
            run.append(hour)
    runs.append(tuple(run))
    return [r for r in runs if len(r) >= _MIN_EMPTY_HOURS]


def mean_target(
    targets: Sequence[Reading],
    counts: Callable[[datetime], bool],
    *,
    start: datetime,
    end: datetime,
    zone: tzinfo,
) -> float | None:
    """The time-weighted mean set point (Celsius) over the local hours that count; None when none is known there."""
    points = sorted((r.at, r.value) for r in targets if r.at < end and math.isfinite(r.value))
    weighted = total = 0.0
    for i, (at, value) in enumerate(points):
        at, until = max(at, start), points[i + 1][0] if i + 1 < len(points) else end
        while at < until:
            local = at.astimezone(zone)
            into_hour = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
            next_at = min(at + timedelta(hours=1) - into_hour, until)
            if counts(local):
                step = (next_at - at).total_seconds()
                weighted, total = weighted + value * step, total + step
            at = next_at
    return weighted / total if total > 0 else None


def recommend(
    *,
    empty: Sequence[Habit],
    thermostats: Sequence[Thermostat],
    metered: Sequence[Metered],
    start: datetime,
    end: datetime,
    zone: tzinfo,
    units: UnitSystem,
) -> list[Recommendation]:
    """What the data supports, largest saving first; nothing without habits."""
    found = [r for t in thermostats for habit in empty if (r := _setback(t, habit, start, end, zone, units))]
    found += [r for m in metered if (r := _idle(m, empty, zone))]
    return sorted(found, key=lambda r: (-(r.saving_pct or 0.0), -(r.saving_kwh or 0.0), r.device_id))


def _setback(
    thermostat: Thermostat, habit: Habit, start: datetime, end: datetime, zone: tzinfo, units: UnitSystem
) -> Recommendation | None:
    held = mean_target(thermostat.targets, habit.holds, start=start, end=end, zone=zone)
    others = mean_target(thermostat.targets, lambda at: not habit.holds(at), start=start, end=end, zone=zone)
    if held is None or others is None:
        return None
    cooling = thermostat.hvac_mode == "cool"
    already = (held - others) if cooling else (others - held)
    further = (_NIGHT_SETBACK_K if habit.is_night else _DAY_SETBACK_K) - max(already, 0.0)
    if further < _WORTH_K:
        return None
    proposed = held + further if cooling else held - further
    part_of_week = len(habit.days) / 7
    noticed = max(habit.presence.share_by_hour[h] for h in habit.hours)
    name, days = clean(thermostat.device.name), "days" if habit.days == _EVERY_DAY else "weekdays"
    return Recommendation(
        kind="setback_night" if habit.is_night else "setback_away",
        device_id=thermostat.device.id,
        title=(
            f"Set {name} to {temperature_text(proposed, units)} {habit.words}, "
            f"when {'the home sleeps' if habit.is_night else 'nobody is there'}"
        ),
        evidence=(
            f"of {habit.presence.days} {days} with motion, at most {noticed:.0%} had any in one of these hours; "
            f"the set point then was {temperature_text(held, units)} on average, "
            f"{temperature_text(others, units)} otherwise"
        ),
        basis=(
            "US Department of Energy rule of thumb: about 1 % for each degree F of setback held 8 hours a day; here "
            f"{further * 1.8:.1f} °F for {len(habit.hours)} hours on {len(habit.days)} days a week"
        ),
        saving_kwh=None,
        saving_pct=round(_PCT_PER_F_8H * further * 1.8 * len(habit.hours) / 8 * part_of_week, 1),
    )


def _idle(metered: Metered, empty: Sequence[Habit], zone: tzinfo) -> Recommendation | None:
    """What a device that could be off used in hours that are empty by habit."""
    if metered.device.type not in _CAN_BE_OFF:
        return None
    hours = [w for w in metered.hourly if any(h.holds(w.start.astimezone(zone)) for h in empty)]
    if not hours:
        return None
    kwh = math.fsum(w.average for w in hours) / 1000
    if kwh * 1000 / len(hours) < _IDLE_W:
        return None
    return Recommendation(
        kind="switch_off_when_empty",
        device_id=metered.device.id,
        title=f"Switch {clean(metered.device.name)} off {', '.join(h.words for h in empty)}",
        evidence=(
            f"it drew {kwh * 1000 / len(hours):.0f} W on average in {len(hours)} measured hours "
            "that are empty as a rule"
        ),
        basis="its measured use in those hours, all of it saved",
        saving_kwh=round(kwh, 2),
        saving_pct=None,
    )


def use_shares(metered: Sequence[Metered]) -> Mapping[str, float]:
    """Each metered device's part of what was measured, in percent."""
    return {device_id: round(100 * share, 1) for device_id, share in shares([m.use for m in metered]).items()}
