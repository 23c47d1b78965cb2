""" "Was it colder than yesterday?", "how does that compare to the night before?": one measure, two stretches. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from agent.models.offline import measuring
from agent.models.offline.home import Home
from agent.models.offline.looking_back import stretch_arguments, summed_up
from agent.models.offline.parts import Call, Part, unread
from agent.models.offline.times import Span, span
from agent.models.offline.wording import start
from agent.models.protocol import ToolResult
from homeguard.model import Device
from homeguard.targets import resolve
from homeguard.units import value_text

_WARM: Final = r"warmer|hotter|colder|cooler|chillier|milder"
_DAMP: Final = r"more humid|damper|drier|dryer|less humid"
_ASKED: Final = re.compile(
    r"^(?:(?:and|so|hey|ok) )*(?:is|was|has|did|were|are) (?P<what>.+?) "
    r"(?:been |get |got )?(?:any |much |a lot |a bit )*"
    rf"(?P<how>{_WARM}|{_DAMP})(?P<one> .+?)? (?:than|compared (?:to|with))(?: it was| it is| in| on| during)? "
    r"(?P<other>.+?)[ ?.!]*$"
)
_COMPARED: Final = re.compile(
    r"^(?:(?:and|so|hey|ok) )*(?:how (?:does|did) (?:that|it|this) compare|(?:is|was) (?:that|it) "
    r"(?:more or less|higher or lower|warmer or colder|colder or warmer)|compare (?:that|it)|compared)"
    r"(?: to| with| than)? (?P<other>.+?)[ ?.!]*$"
)
_MEASURED: Final = re.compile(r"\b(?:temperature|humidity|humid|warm|cold|hot|degrees|cool)\b")
_WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class _Asked:
    metric: str
    device: Device
    one: Span
    other: Span
    how: str
    #: Which value of each stretch: the average, `maximum` or `minimum`.
    of: str = "average"


def over_time_part(text: str, spoken: str, before: str, home: Home, now: datetime) -> tuple[Part, Device] | None:
    """The part for such a question, `None` for another. `before` is the person's sentence before it; `now` is local."""
    asked = _question(text, before, home, now)
    if asked is None:
        return None
    calls = tuple(
        Call("get_device_history", stretch_arguments(asked.device, asked.metric, s)) for s in (asked.one, asked.other)
    )

    def tell(results: Sequence[ToolResult]) -> str:
        if any(r.status != "ok" for r in results):
            return unread([r for r in results if r.status != "ok"])
        return _told(asked, [summed_up(r.output).get(asked.of) for r in results], home)

    return Part(text=spoken, calls=calls, tell=tell), asked.device


def _question(text: str, before: str, home: Home, now: datetime) -> _Asked | None:
    found = _ASKED.match(text)
    if found is not None:
        humid = re.search(_DAMP, found["how"]) is not None
        one = stretch(found["one"] or found["what"], now) or _usual_one(found["other"], now)
        return _of(
            found["what"], "humidity_pct" if humid else "temperature_c", one, found["other"], found["how"], home, now
        )
    found = _COMPARED.match(text)
    if found is None or not _MEASURED.search(before):
        return None
    metric = "humidity_pct" if re.search(r"\bhumid", before) else "temperature_c"
    one = stretch(before, now) or _usual_one(found["other"], now)
    asked = _of(before, metric, one, found["other"], "", home, now)
    most = re.search(r"\b(?:(highest|maximum|max|peak|warmest|hottest)|lowest|minimum|min|coldest|coolest)\b", before)
    return replace(asked, of="maximum" if most[1] else "minimum") if asked is not None and most else asked


def _of(what: str, metric: str, one: Span, other: str, how: str, home: Home, now: datetime) -> _Asked | None:
    second = stretch(other, now, one)
    if second is None:
        return None
    named = [w for w in re.findall(r"[a-z0-9]+", what) if w in home.named_words or w in ("outside", "inside")]
    pool = resolve(named, home.devices, areas=home.areas, floors=home.floors) if named else None
    near = (pool.devices or pool.ambiguous) if pool is not None else ()
    having, attribute = measuring.best(near or home.devices, (metric,), home)
    if not having and near:
        having, attribute = measuring.best(home.devices, (metric,), home)
    return _Asked(attribute, having[0], one, second, how) if having else None


def _usual_one(other: str, now: datetime) -> Span:
    """What is compared when only the second was said: tonight with last night, this week with the last, else today."""
    if "week" in other:
        return stretch("this week", now) or Span(now - _WEEK, now, "this week")
    if "night" in other:
        return stretch("last night", now) or Span(now - timedelta(hours=12), now, "last night")
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return Span(midnight, now, "today")


def stretch(words: str, now: datetime, beside: Span | None = None) -> Span | None:
    """Such a stretch; weeks are those of the calendar. "The night before": the day before `beside`."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = midnight - timedelta(days=now.weekday())
    if re.search(r"\bthe (?:night|day|evening|morning) before\b(?! yesterday)", words) and beside is not None:
        day = timedelta(days=1)
        part = re.search(r"\bthe (night|day|evening|morning) before\b", words)
        return Span(beside.start - day, beside.end - day, f"the {part[1] if part else 'day'} before")
    if "the day before yesterday" in words:
        return Span(midnight - timedelta(days=2), midnight - timedelta(days=1), "the day before yesterday")
    if "last week" in words:
        return Span(monday - _WEEK, monday, "last week")
    if "this week" in words:
        return Span(monday, now, "this week")
    return span(words.split(), now)


def _told(asked: _Asked, averages: Sequence[float | None], home: Home) -> str:
    name = "humidity" if asked.metric == "humidity_pct" else "temperature"
    one, other = averages
    if one is None or other is None:
        missing = asked.one if one is None else asked.other
        return f"I can't compare that: I have no {name} readings {missing.said}."
    shown = [value_text(asked.metric, v, home.unit_system) for v in (one, other)]
    more, less = ("warmer", "colder") if asked.metric == "temperature_c" else ("more humid", "less humid")
    way = "about the same" if shown[0] == shown[1] else more if one > other else less
    wished = more if re.search(r"warmer|hotter|milder|more|damper", asked.how) else less
    opening = "" if not asked.how else "Yes, " if way == wished else "No, "
    is_at = {"average": "averaged", "maximum": "went up to", "minimum": "went down to"}[asked.of]
    told = f"{opening}{way}: the {name} {is_at} {shown[0]} {asked.one.said} and {shown[1]} {asked.other.said}."
    return start(told)
