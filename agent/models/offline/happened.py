""" "Who turned off the porch light at 3?", "when was the alarm armed last night?": one deed in one stretch of time.

The events of the stretch are read first; for "who" and "why" the one that fits is then explained.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from agent.models.offline.deeds import Deed, deed_of, happened, happening
from agent.models.offline.digest import QUIET, digest
from agent.models.offline.home import Home
from agent.models.offline.looking_back import local
from agent.models.offline.nowhere import not_here
from agent.models.offline.parts import Call, Part, refusal, unread
from agent.models.offline.times import Span, clock_time, moment, span
from agent.models.offline.wording import clock, listed, names_of, start, when
from agent.models.offline.words import PUNCTUATION, those
from agent.models.protocol import ToolResult
from homeguard.clock import parse_time
from homeguard.kinds import name_words, singular
from homeguard.model import Device
from homeguard.targets import resolve

Row = tuple[datetime, Mapping[str, Any]]

_ASKS: Final = re.compile(
    r"^(?:(?:and|so|hey|ok|okay|well|please|tell me|do you know|can you tell me|could you tell me|i wonder),? )*"
    r"(?P<how>who|what|when|why|how come|did|was|were|has|have|had)\b"
)
_CAUSE: Final = re.compile(r"^(?:who|why|how come)$")
_WHAT_DID: Final = re.compile(
    r"\bwhat (?:has |had |have |just )?(?:made|caused|triggered|activated|turned|switched|set|opened|closed|unlocked"
    r"|locked|armed|disarmed|changed)\b"
)
_WENT_ON: Final = re.compile(
    r"\bwhat (?:all )?(?:happened|happens|went on|was going on|has happened|was happening|did .+ do|was .+ doing)\b"
)
_CAME: Final = re.compile(
    r"\bwho (?:(?:came|got|went|left)\b.*\b(?:home|back|the house)\b|arrived\b"
    r"|left(?= (?:last|this|yesterday|since|at|on|today)))"
)
_ASIDE: Final = those(
    "who what when why how come did do does was were is are has have had it the a an my our at in on of to for by with "
    "and so just all any anyone someone anybody somebody nobody everyone "
    "get got go went going gone come came put turn turned switch switched set open "
    "opened close closed shut lock locked unlock unlocked make made cause caused trigger triggered change changed off "
    "up down last night this morning evening afternoon today yesterday tonight since noon midnight midday around about "
    "after before between during oclock am pm ago past week day days hour hours minutes overnight happen happened "
    "happening into onto mode again left leave there me tell you know can could i wonder please on doing from while "
    "home house here place"
) | {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "'s", "s"}
#: How far beside "at 3" something still happened at 3.
_AROUND: Final = timedelta(minutes=30)
_LOOK_BACK_HOURS: Final = 24 * 7
_MOST: Final = 4


def happened_part(words: Sequence[str], text: str, spoken: str, home: Home, now: datetime) -> Part | None:
    """The part for such a question, `None` for another. `now` is local."""
    asked = _ASKS.match(text)
    stretches = _asked_times(words, now)
    if asked is None or not stretches or _measures(words):
        return None
    deed = deed_of(words, text)
    cause = bool(_CAUSE.match(asked["how"]) or _WHAT_DID.search(text))
    at_a_time = len(stretches) > 1 or stretches[0].end - stretches[0].start <= 2 * _AROUND
    if deed is None:
        if _CAME.search(text):
            deed = happening("came home" if not {"left", "out"} & set(words) else "left home")
        elif not _WENT_ON.search(text):
            return None
    elif not (cause or at_a_time or deed.name in ("on", "off", "armed", "disarmed", "mode")):
        return None
    devices: Sequence[Device] = ()
    if deed is None or deed.of_devices:
        found = _devices(words, deed, home)
        if found is None:
            return refusal(spoken, not_here(" ".join(_nouns(words)), home))
        devices = found
        if deed is not None and not devices:
            return None
    if deed is not None and at_a_time and asked["how"] in ("was", "were") and deed.is_state(text):
        return _state_then(spoken, deed, devices, stretches, now, home)
    ask = _Question(
        deed=deed, devices=tuple(devices), stretches=stretches, cause=cause,
        yes_no=asked["how"] in ("did", "was", "were", "has", "have", "had"), now=now, home=home,
    )  # fmt: skip
    hours = _hours(min(s.start for s in stretches), now)
    return _reading(spoken, ask, hours)


def _measures(words: Sequence[str]) -> bool:
    """Whether it is a measurement that is asked for."""
    return bool({"temperature", "humidity", "warm", "cold", "hot", "degrees", "energy", "power", "battery"} & {*words})


def _asked_times(words: Sequence[str], now: datetime) -> tuple[Span, ...]:
    """The stretches that are meant, the likeliest first: "at 3" is both 3 PM and 3 AM until the words say which."""
    found = clock_time(words)
    if found is None or "since" in words or ("noon" in words and "at" not in words):
        stretch = span(words, now)
        return (stretch,) if stretch is not None else ()
    at = moment(words, now)
    if at is None:
        return ()
    moments = [at]
    hour, _, half = found
    if not half and 0 < hour < 12 and not {"morning", "evening", "afternoon", "night", "tonight"} & {*words}:
        other = at - timedelta(hours=12) if at.hour >= 12 or at.date() != now.date() else at + timedelta(hours=12)
        if other <= now and abs((now - other).total_seconds()) < 36 * 3600:
            moments.append(other)
    return tuple(Span(m - _AROUND, min(now, m + _AROUND), f"around {clock(m)}{_day(m, now)}") for m in moments)


def _day(at: datetime, now: datetime) -> str:
    if at.date() == now.date():
        return ""
    return " yesterday" if at.date() == (now - timedelta(days=1)).date() else f" on {at:%A}"


class _Question:
    """What is asked: which deed, of what, when, and whether the cause of it is wanted."""

    __slots__ = ("cause", "deed", "devices", "home", "now", "stretches", "yes_no")

    def __init__(
        self, *, deed: Deed | None, devices: tuple[Device, ...], stretches: tuple[Span, ...], cause: bool, yes_no: bool,
        now: datetime, home: Home,
    ) -> None:  # fmt: skip
        self.deed, self.devices, self.stretches, self.cause = deed, devices, stretches, cause
        self.yes_no, self.now, self.home = yes_no, now, home

    def rows(self, output: Mapping[str, Any]) -> list[Row]:
        """The events that fit, newest first."""
        ids = {d.id for d in self.devices}
        seen: set[tuple[str, str]] = set()
        rows = []
        for at, event in _dated(output, self.home.time_zone):
            fits = happened(self.deed, event) if self.deed else str(event.get("event_type")) not in QUIET
            key = (str(event.get("device_id")), f"{at:%d %H:%M}") if self.deed else ("", str(event.get("event_id")))
            if (
                fits
                and key not in seen
                and any(s.start <= at <= s.end for s in self.stretches)
                and (not ids or event.get("device_id") in ids)
            ):
                seen.add(key)
                rows.append((at, event))
        return rows

    def what(self, event: Mapping[str, Any] | None = None) -> str:
        """`the porch light was turned on`."""
        names = names_of([d for d in self.devices if event is None or d.id == event.get("device_id")], 3)
        return self.deed.said(names, event, is_many=event is None and len(self.devices) > 1) if self.deed else ""

    def told(self, rows: Sequence[Row]) -> str:
        if self.deed is None:
            if not rows:
                about = f" by {names_of(self.devices, 3)}" if self.devices else ""
                return f"Nothing was reported {self.when_said()}{about}."
            return digest(rows, {d.id: d for d in self.home.devices}, self.now)
        if not rows:
            denied = f"{self.what().replace(*self.deed.denied, 1)} {self.when_said()}."
            return f"No, {denied}" if self.yes_no else start(denied)
        times = list(dict.fromkeys(when(at, self.now) for at, _ in rows))
        more = f" and {len(times) - _MOST} more times" if len(times) > _MOST else ""
        said = f"{self.what(rows[0][1])} {listed(times[:_MOST])}{more}"
        return f"Yes: {said}." if self.yes_no else f"{start(said)}."

    def when_said(self) -> str:
        return " or ".join(s.said for s in self.stretches)


def _reading(spoken: str, ask: _Question, hours: int) -> Part:
    arguments: dict[str, Any] = {"hours": hours, "limit": 500}
    if len(ask.devices) == 1:
        arguments["device_id"] = ask.devices[0].id

    def why_next(results: Sequence[ToolResult]) -> Sequence[Call]:
        rows = ask.rows(results[0].output) if results and results[0].status == "ok" else []
        return (Call("explain", {"event_id": str(rows[0][1].get("event_id"))}),) if rows else ()

    def tell(results: Sequence[ToolResult]) -> str:
        if not results or results[0].status != "ok":
            return unread(results)
        rows = ask.rows(results[0].output)
        said = ask.told(rows)
        tail = " I looked at the latest 500 events only." if results[0].output.get("truncated") else ""
        causes = _causes(results[1]) if len(results) > 1 else ""
        return " ".join(part for part in (said, causes) if part) + tail

    return Part(
        text=spoken, calls=(Call("get_recent_events", arguments),), tell=tell,
        follow=why_next if ask.cause and ask.deed is not None else None,
    )  # fmt: skip


def _causes(result: ToolResult) -> str:
    """What led to it, as far as it is known."""
    if result.status != "ok":
        return ""
    links = [link for link in result.output.get("links") or () if isinstance(link, Mapping)][1:]
    return " ".join(f"{str(link.get('text') or '').rstrip('.')}." for link in links if link.get("text"))


def _state_then(
    spoken: str, deed: Deed, devices: Sequence[Device], stretches: Sequence[Span], now: datetime, home: Home
) -> Part | None:
    """ "Was the door locked at 3?": what was last reported before then."""
    if len(devices) != 1:
        return None
    device = devices[0]
    at = stretches[0].start + _AROUND

    def tell(results: Sequence[ToolResult]) -> str:
        if not results or results[0].status != "ok":
            return unread(results)
        name = names_of([device])
        for then, event in _dated(results[0].output, home.time_zone):
            known = deed.holds(event)
            if then <= at and known is not None and event.get("device_id") == device.id:
                how = deed.state if known else deed.other_state
                return f"{'Yes' if known else 'No'}: {name} was {how} then, since {clock(then)}{_day(then, now)}."
        return f"I don't know: I have no report of {name} from the week before that."

    arguments = {"hours": min(24 * 90, _hours(at, now) + _LOOK_BACK_HOURS), "limit": 500, "device_id": device.id}
    return Part(text=spoken, calls=(Call("get_recent_events", arguments),), tell=tell)


def _dated(output: Mapping[str, Any], zone: str) -> list[Row]:
    rows = []
    for event in output.get("events") or ():
        if isinstance(event, Mapping):
            try:
                rows.append((local(parse_time(event.get("at")), zone), event))
            except ValueError:
                continue
    return sorted(rows, key=lambda r: r[0], reverse=True)


def _hours(begin: datetime, now: datetime) -> int:
    return max(1, min(24 * 90, -int(-((now - begin).total_seconds() // 3600)) + 1))


def _nouns(words: Sequence[str]) -> list[str]:
    return [w for w in words if w not in _ASIDE and w not in PUNCTUATION and not w.replace(":", "").isdigit()]


def _devices(words: Sequence[str], deed: Deed | None, home: Home) -> Sequence[Device] | None:
    """The devices that are named, all that could be meant; empty when none is named, None when one is not here."""
    nouns = _nouns(words)
    if not nouns:
        return ()
    if deed is not None:
        found = resolve(nouns, [d for d in home.devices if deed.can(d)], areas=home.areas, floors=home.floors)
        return None if found.unmatched or not (found.devices or found.ambiguous) else found.devices or found.ambiguous
    wanted = {singular(w) for w in nouns}
    near = [d for d in home.devices if wanted <= {singular(w) for w in (*name_words(d.name), *name_words(d.area))}]
    return near or None
