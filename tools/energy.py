"""What stored readings say about energy, and what to do about it: every number from the data, with its basis. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import ClassVar, Final

from homeguard.model import Device, Reading, UnitSystem, Window
from homeguard.units import temperature_text
from pipeline.detectors.energy import Presence, Use, shares
from tools.shapes import SHAPE
from tools.text import clean

#: Fewer days than this say nothing about habits.
MIN_DAYS: Final = 7
#: An hour of the day counts as empty when motion was seen in it on at most this share of the days.
_EMPTY_SHARE: Final = 0.1
_MIN_EMPTY_HOURS: Final = 3
_NIGHT: Final = frozenset((22, 23, 0, 1, 2, 3, 4, 5))
#: How far a set point is moved while nobody is there, in kelvin: 8 °F by day, 4 °F by night.
_DAY_SETBACK_K: Final = 8 / 1.8
_NIGHT_SETBACK_K: Final = 4 / 1.8
#: US Department of Energy, "Programmable Thermostats": about 1 % for each degree F of setback held 8 hours a day.
_PCT_PER_F_8H: Final = 1.0
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


def empty_runs(presence: Presence) -> list[tuple[int, ...]]:
    """Runs of at least three local hours in a row that are empty, day and night apart; a night may pass midnight."""
    runs: list[tuple[int, ...]] = []
    order = [*range(6, 22), 22, 23, 0, 1, 2, 3, 4, 5]
    run: list[int] = []
    for i, hour in enumerate(order):
        starts_other_part = i > 0 and (hour in _NIGHT) != (order[i - 1] in _NIGHT)
        if run and (starts_other_part or presence.share_by_hour[hour] > _EMPTY_SHARE):
            runs.append(tuple(run))
            run = []
        if presence.share_by_hour[hour] <= _EMPTY_SHARE:
            run.append(hour)
    runs.append(tuple(run))
    return [r for r in runs if len(r) >= _MIN_EMPTY_HOURS]


def mean_target(
    targets: Sequence[Reading], hours: Sequence[int], *, start: datetime, end: datetime, zone: tzinfo
) -> float | None:
    """The time-weighted mean set point (Celsius) within these local hours of the day; None when none is known there."""
    points = sorted((r.at, r.value) for r in targets if r.at < end and math.isfinite(r.value))
    wanted, weighted, total = frozenset(hours), 0.0, 0.0
    for i, (at, value) in enumerate(points):
        at, until = max(at, start), points[i + 1][0] if i + 1 < len(points) else end
        while at < until:
            local = at.astimezone(zone)
            next_hour = at + timedelta(hours=1) - timedelta(
                minutes=local.minute, seconds=local.second, microseconds=local.microsecond
            )  # fmt: skip
            step = (min(next_hour, until) - at).total_seconds()
            if local.hour in wanted:
                weighted, total = weighted + value * step, total + step
            at = min(next_hour, until)
    return weighted / total if total > 0 else None


def recommend(
    *,
    presence: Presence | None,
    thermostats: Sequence[Thermostat],
    metered: Sequence[Metered],
    start: datetime,
    end: datetime,
    zone: tzinfo,
    units: UnitSystem,
) -> list[Recommendation]:
    """What the data supports, largest saving first; nothing without a week of presence."""
    if presence is None or presence.days < MIN_DAYS:
        return []
    runs = empty_runs(presence)
    found = [r for t in thermostats for run in runs if (r := _setback(t, run, presence, start, end, zone, units))]
    found += [r for m in metered if (r := _idle(m, presence, runs, zone))]
    return sorted(found, key=lambda r: (-(r.saving_pct or 0.0), -(r.saving_kwh or 0.0), r.device_id))


def _setback(
    thermostat: Thermostat,
    run: tuple[int, ...],
    presence: Presence,
    start: datetime,
    end: datetime,
    zone: tzinfo,
    units: UnitSystem,
) -> Recommendation | None:
    held = mean_target(thermostat.targets, run, start=start, end=end, zone=zone)
    others = mean_target(thermostat.targets, [h for h in range(24) if h not in run], start=start, end=end, zone=zone)
    if held is None or others is None:
        return None
    is_night = run[0] in _NIGHT
    wanted = _NIGHT_SETBACK_K if is_night else _DAY_SETBACK_K
    cooling = thermostat.hvac_mode == "cool"
    already = (held - others) if cooling else (others - held)
    further = wanted - max(already, 0.0)
    if further < 1.0:
        return None
    proposed = held + further if cooling else held - further
    saving = _PCT_PER_F_8H * further * 1.8 * len(run) / 8
    noticed = max(presence.share_by_hour[h] for h in run)
    span = f"{run[0]:02d}:00 to {(run[-1] + 1) % 24:02d}:00"
    name = clean(thermostat.device.name)
    return Recommendation(
        kind="setback_night" if is_night else "setback_away",
        device_id=thermostat.device.id,
        title=(
            f"Set {name} to {temperature_text(proposed, units)} from {span}, "
            f"when {'the home sleeps' if is_night else 'nobody is there'}"
        ),
        evidence=(
            f"on {presence.days} days with motion, at most {noticed:.0%} had any from {span}; "
            f"the set point there was {temperature_text(held, units)} on average, "
            f"{temperature_text(others, units)} in the other hours"
        ),
        basis=(
            f"US Department of Energy rule of thumb: about 1 % for each degree F of setback held 8 hours a day; here "
            f"{further * 1.8:.1f} °F for {len(run)} hours"
        ),
        saving_kwh=None,
        saving_pct=round(saving, 1),
    )


def _idle(metered: Metered, presence: Presence, runs: Sequence[tuple[int, ...]], zone: tzinfo) -> Recommendation | None:
    """What a device that could be off used in hours that are empty by habit."""
    hours = {h for run in runs for h in run}
    empty = [w for w in metered.hourly if w.start.astimezone(zone).hour in hours]
    if metered.device.type not in _CAN_BE_OFF or not empty:
        return None
    kwh = math.fsum(w.average for w in empty) / 1000
    if kwh * 1000 / len(empty) < _IDLE_W:
        return None
    name = clean(metered.device.name)
    return Recommendation(
        kind="switch_off_when_empty",
        device_id=metered.device.id,
        title=f"Switch {name} off when nobody is around",
        evidence=(
            f"it drew {kwh * 1000 / len(empty):.0f} W on average in {len(empty)} measured hours that are usually empty "
            f"({presence.days} days with motion were looked at)"
        ),
        basis="its measured use in those hours, all of it saved",
        saving_kwh=round(kwh, 2),
        saving_pct=None,
    )


def use_shares(metered: Sequence[Metered]) -> Mapping[str, float]:
    """Each metered device's part of what was measured, in percent."""
    return {device_id: round(100 * share, 1) for device_id, share in shares([m.use for m in metered]).items()}
