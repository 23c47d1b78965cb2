"""Which answer gets a chart, and the chart as the page draws it: a call and windows -> element properties. Pure.

The windows come from `/analytics/aggregates`, for an answer of now and for one of before alike.
"""

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal

from chat_ui.hours import clock, moment_of, zone_of
from chat_ui.languages import Words

Json = Mapping[str, Any]

_SPACE: Final = uuid.UUID("9f0d1e3a-52c4-4f6e-8a27-6b0c4d2e7f15")
#: A span of time -> minutes in a window of it: about thirty to seventy points.
_WINDOWS: Final = ((3, 5), (6, 10), (12, 15), (30, 30), (72, 60), (168, 180), (336, 360), (960, 720))
_LONGEST: Final = timedelta(days=62)
_FEWEST: Final = 3
_MOST_DAYS: Final = 31
#: So long a span is told by the hours; under so many days by the names of the days.
_BY_HOURS: Final = timedelta(hours=30)
_BY_NAME: Final = timedelta(days=8)
_MOST_MARKS: Final = 8
_GAP: Final = 2.5
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Windows to ask for. `kind` line: one metric of one device; bars: the energy of each day, of `power_w` of every
    device that measures it (`device_id` is empty)."""

    kind: Literal["line", "bars"]
    device_id: str
    metric: str
    start: datetime
    end: datetime
    every_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    start: datetime
    average: float
    minimum: float
    maximum: float


def element_id(turn_id: str) -> str:
    return str(uuid.uuid5(_SPACE, turn_id))


def wish(calls: Sequence[Json], now: datetime) -> Wish | None:
    """What the calls of an answer are worth drawing, None for most; `now` is when it was answered."""
    for call in reversed(calls):
        if str(call.get("status") or call.get("outcome")) != "ok":
            continue
        arguments = call.get("arguments") or {}
        if call.get("tool") == "get_device_history":
            return _of_history(arguments, now)
        if call.get("tool") == "get_energy_insights":
            days = arguments.get("period_days", 30)
            if isinstance(days, int) and 2 <= days <= _MOST_DAYS:
                return Wish(kind="bars", device_id="", metric="power_w", start=now - timedelta(days=days), end=now,
                            every_minutes=60)  # fmt: skip
    return None


def windows_of(answer: Json) -> list[Window]:
    """The windows of an answer of `/analytics/aggregates`, oldest first; what cannot be read is left out."""
    found = []
    for item in answer.get("items") or []:
        start = moment_of(item.get("start"))
        numbers = [item.get(k) for k in ("average", "minimum", "maximum")]
        if start is not None and all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
            found.append(Window(start=start, average=numbers[0], minimum=numbers[1], maximum=numbers[2]))
    return found


def line_props(
    wanted: Wish, windows: Sequence[Window], *, device: str, unit: str, home: Json, words: Words
) -> dict[str, Any] | None:
    """What `Chart.jsx` draws of a metric over time; None when there is too little to see."""
    if len(windows) < _FEWEST:
        return None
    shown = list(windows)
    if unit == "°C" and home.get("unit_system") == "us":
        unit, shown = "°F", [_fahrenheit(w) for w in windows]
    name = words.find(f"metric.{wanted.metric}", wanted.metric.rsplit("_", 1)[0].replace("_", " "))
    low, high = min(shown, key=lambda w: w.minimum), max(shown, key=lambda w: w.maximum)
    average = sum(w.average for w in shown) / len(shown)
    span = wanted.end - wanted.start
    says = {
        "name": name,
        "device": device,
        "from": _at(wanted.start, home, span, words),
        "to": _at(wanted.end, home, span, words),
    }
    text = words.say(
        "chart.line", **says, unit=unit, average=_number(average),
        low=_number(low.minimum), low_at=_at(low.start, home, span, words),
        high=_number(high.maximum), high_at=_at(high.start, home, span, words),
    )  # fmt: skip
    return {
        "kind": "line",
        "title": words.say("chart.title", name=name, device=device),
        "unit": unit,
        "text": text,
        "points": [
            {"at": w.start.timestamp(), "label": _at(w.start, home, span, words), "value": round(w.average, 2),
             "low": round(w.minimum, 2), "high": round(w.maximum, 2)}
            for w in shown
        ],
        "gap_s": wanted.every_minutes * 60 * _GAP,
        "ticks": ticks(low.minimum, high.maximum),
        "marks": marks(wanted.start, wanted.end, home, words),
        "words": _table_words(words, line=True),
    }  # fmt: skip


def bars_props(wanted: Wish, windows: Sequence[Sequence[Window]], *, home: Json, words: Words) -> dict[str, Any] | None:
    """What `Chart.jsx` draws of the energy of each local day; `windows` are hourly averages of power by device."""
    zone = zone_of(home)
    days: dict[date, float] = {}
    for device in windows:
        for window in device:
            day = window.start.astimezone(zone).date()
            days[day] = days.get(day, 0.0) + window.average * wanted.every_minutes / 60_000
    if len(days) < 2:
        return None
    first, last = min(days), max(days)
    every = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    most = max(days, key=lambda d: days[d])
    total = sum(days.values())
    text = words.say(
        "chart.bars", total=f"{total:.1f}", days=len(every), most=_day(most, words), most_kwh=f"{days[most]:.1f}",
    )  # fmt: skip
    return {
        "kind": "bars",
        "title": words.say("chart.energy"),
        "unit": "kWh",
        "text": text,
        "points": [{"label": _day(day, words), "value": round(days.get(day, 0.0), 2)} for day in every],
        "ticks": ticks(0.0, max(days.values())),
        "marks": [],
        "words": _table_words(words, line=False),
    }


def marks(start: datetime, end: datetime, home: Json, words: Words) -> list[dict[str, Any]]:
    """`{"at": seconds since 1970, "label"}` along the time, five to eight: full hours of the home's clock for a day or
    so, midnights of its days for more. Shorter than two hours, the ends alone."""
    zone, span = zone_of(home), end - start
    if span < timedelta(hours=2):
        return [{"at": at.timestamp(), "label": clock(at, home, words)} for at in (start, end)]
    local = start.astimezone(zone)
    if span <= _BY_HOURS:
        every = next(n for n in (1, 2, 3, 6) if span <= timedelta(hours=n * _MOST_MARKS))
        first = local.replace(minute=0, second=0, microsecond=0)
        hours = (first + timedelta(hours=n) for n in range(int(span / timedelta(hours=1)) + 2))
        found = [at for at in hours if start <= at <= end and at.hour % every == 0]
        return [{"at": at.timestamp(), "label": clock(at, home, words)} for at in found]
    every = math.ceil(span / timedelta(days=_MOST_MARKS))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (midnight + timedelta(days=n) for n in range(0, span.days + 2, every))
    named = span < _BY_NAME
    return [
        {"at": at.timestamp(), "label": _day(at.date(), words) if named else f"{at:%m-%d}"}
        for at in days
        if start <= at <= end
    ]


def ticks(low: float, high: float) -> list[float]:
    """Round numbers around `[low, high]`, three to six, in order."""
    if high - low < max(1e-3, abs(high) * 1e-6):
        low, high = low - 1, high + 1
    rough = (high - low) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(s * power for s in _STEPS if s * power >= rough)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(n * step, 6) for n in range(first, last + 1)]


def _of_history(arguments: Json, now: datetime) -> Wish | None:
    device_id, metric = str(arguments.get("device_id") or ""), str(arguments.get("metric") or "")
    end = moment_of(arguments.get("end")) or now
    start = moment_of(arguments.get("start")) or (None if arguments.get("at") else end - timedelta(hours=24))
    if not device_id or not metric or start is None or not timedelta(hours=1) <= end - start <= _LONGEST:
        return None
    hours = (end - start) / timedelta(hours=1)
    every = next((minutes for most, minutes in _WINDOWS if hours <= most), 1440)
    return Wish(kind="line", device_id=device_id, metric=metric, start=start, end=end, every_minutes=every)


def _at(moment: datetime, home: Json, span: timedelta, words: Words) -> str:
    hour = clock(moment, home, words)
    if span <= _BY_HOURS:
        return hour
    local = moment.astimezone(zone_of(home))
    return f"{_day(local.date(), words)}, {hour}" if span < _BY_NAME else f"{local:%m-%d}"


def _day(day: date, words: Words) -> str:
    return words.say("chart.day", weekday=words.say(f"weekday.{day.weekday()}"), day=day.day)


def _fahrenheit(window: Window) -> Window:
    low, middle, high = (v * 9 / 5 + 32 for v in (window.minimum, window.average, window.maximum))
    return Window(start=window.start, average=middle, minimum=low, maximum=high)


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}"


def _table_words(words: Words, *, line: bool) -> dict[str, str]:
    keys = ("table", "when", "average", "low", "high") if line else ("table", "when", "value")
    return {key: words.say(f"chart.{key}") for key in keys}
