"""What a turn knows: the things, numbers, counts and times in its tool results, and what the person said themselves."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.evidence.numbers import degrees_in, numbers_in
from homeguard.clock import parse_time

_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT")
_CLOCK: Final = re.compile(r"\b\d{1,2}:\d\d\b")
#: Characters of a text in which times of day are looked for.
_CLOCK_TEXT: Final = 500
_WORD: Final = re.compile(r"[^\W_]+")
#: Where a row says what happened, when, and who did it.
_KINDS: Final = ("event_type", "kind", "type", "reason", "category", "title", "what")
_AT: Final = ("at", "started_at", "created_at", "ts", "time")
_ACTORS: Final = ("user", "user_name", "by", "person", "actor", "who", "method", "source", "name_of_person")
#: People call a door's lock by the door.
_DOOR_LOCK: Final = re.compile(r"(.*\b(?:door|gate)) lock")
_ONLY_READ: Final = ("get_", "list_", "recall", "explain")
_FALSE: Final = {"open": "closed", "on": "off", "motion": "clear"}
_NAMES: Final = ("name", "device", "device_name")
#: A window over more is no count that a person would name.
_COUNTED: Final = 2_000
#: Of one turn.
_MOST: Final = 50_000


@dataclass(slots=True)
class Thing:
    """One device (or "" for what concerns none), with everything that the results say about it."""

    names: set[str] = field(default_factory=set)
    #: How it is, as the last result has it, and everything that an attribute was during the turn.
    values: dict[str, Any] = field(default_factory=dict)
    seen: set[tuple[str, object]] = field(default_factory=set)
    numbers: set[float] = field(default_factory=set)
    times: dict[datetime, str] = field(default_factory=dict)
    #: What happened to it, as the results call it (`door_unlocked`), with the states that events carry.
    happened: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Event:
    """What a row of a result says that happened: to which device (`""` none), of which kind (`door_unlocked`), in which
    words, when. `stamps` are all the times of the row, the first is when it was."""

    device_id: str
    kind: str
    words: frozenset[str]
    stamps: tuple[datetime, ...]
    event_id: str = ""

    @property
    def at(self) -> datetime:
        return self.stamps[0]


@dataclass(slots=True)
class Facts:
    """What the sentences of a turn are held against.

    `things` by device id; `""` holds what belongs to no device. `vocabulary` are the words of names, areas and kinds,
    and the person's own. `now` is the home's clock.
    """

    now: datetime
    zone: tzinfo = UTC
    words: str = ""
    things: dict[str, Thing] = field(default_factory=dict)
    counts: set[int] = field(default_factory=set)
    vocabulary: set[str] = field(default_factory=set)
    own_numbers: set[float] = field(default_factory=set)
    #: Texts of results with a time of day in them ("22:00"): such a time is known as it stands.
    clocks: set[str] = field(default_factory=set)
    #: What tools said that went wrong, in order: the tool and its sentence.
    errors: list[tuple[str, str]] = field(default_factory=list)
    #: Each once, though pages overlap.
    events: list[Event] = field(default_factory=list)
    #: How long the lists of the results are.
    listed: set[int] = field(default_factory=set)
    #: The tools that did what they were asked, and those that answered at all.
    acts: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    #: The words of those who did something, as events have them.
    actors: set[str] = field(default_factory=set)
    #: The longest stretch that was asked for, in hours.
    hours: float = 0.0
    #: Temperatures, in degrees Celsius.
    degrees: set[float] = field(default_factory=set)
    _seen: int = 0

    def about(self, names: Iterable[str]) -> list[Thing]:
        """The things of these names."""
        wanted = set(names)
        return [thing for thing in self.things.values() if thing.names & wanted]

    @property
    def names(self) -> set[str]:
        """Every name of a thing, casefolded."""
        return {name for thing in self.things.values() for name in thing.names}


def gather(
    results: Iterable[Mapping[str, Any]],
    commands: Sequence[Mapping[str, Any]],
    *,
    calls: Iterable[Mapping[str, Any]] = (),
    words: str,
    now: datetime,
    zone: tzinfo,
) -> Facts:
    """The facts of a turn. `results` as `agent.graph.state.result_to_json` has them, `calls` are those that were made
    (`{"arguments"}`: a span that was asked for may be named); `words` are the person's own."""
    facts = Facts(now=now, zone=zone, words=words.casefold())
    facts.things[""] = Thing()
    facts.own_numbers = numbers_in(words)
    facts.vocabulary |= set(_WORD.findall(words.casefold()))
    for result in results:
        if result.get("status") == "error":
            facts.errors.append((str(result.get("name", "")), str(result.get("error", ""))))
        else:
            name = str(result.get("name", ""))
            facts.errors = [e for e in facts.errors if e[0] != name]
            facts.read.add(name)
            did = (result.get("output") or {}).get("outcome", "confirmed") == "confirmed"
            if did and not name.startswith(_ONLY_READ):
                facts.acts.add(name)
        _read(result.get("output") or {}, "", facts)
        _read(result.get("error") or "", "", facts)
    for command in commands:
        _read(command, "", facts)
        if command.get("outcome") == "confirmed":
            facts.acts.add(str(command.get("command", "")))
    for call in calls:
        _read_asked(call.get("arguments") or {}, facts)
    facts.events = _each_once(facts.events)
    facts.counts |= set(Counter((e.device_id, e.kind) for e in facts.events if e.event_id).values())
    return facts


def zone_of(name: str) -> tzinfo:
    """The home's zone; UTC when the name is not known here."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return UTC


def _read_asked(arguments: Mapping[str, Any], facts: Facts) -> None:
    """The numbers and times of a call: they belong to no device, for nothing says that they came true."""
    hours = arguments.get("hours")
    if isinstance(hours, int | float):
        facts.hours = max(facts.hours, float(hours))
    for value in _leaves(arguments):
        if isinstance(value, int | float) and not isinstance(value, bool):
            facts.things[""].numbers.add(float(value))
        elif isinstance(value, str) and _STAMP.match(value):
            _read_text(value, facts.things[""], "", facts)
        elif isinstance(value, str) and len(value) <= _CLOCK_TEXT and _CLOCK.search(value):
            facts.clocks.add(value)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _read(value: Any, about: str, facts: Facts, key: str = "") -> None:
    facts._seen += 1
    if facts._seen > _MOST:
        return
    if isinstance(value, Mapping):
        about = _subject(value, about, facts)
        _event(value, about, facts)
        if str(value.get("unit", "")).casefold() in ("°c", "celsius") or str(value.get("metric", "")).endswith("_c"):
            facts.degrees |= {float(n) for n in islice(_leaves(value), 500) if type(n) in (int, float)}
        for name, inner in value.items():
            if not isinstance(inner, Mapping | list | tuple):
                _note(facts.things[about], str(name), inner)
            if name != "set" or value.get("outcome", "confirmed") == "confirmed":
                _read(inner, about, facts, str(name))
    elif isinstance(value, list | tuple):
        _count(value, facts)
        for inner in value:
            _read(inner, about, facts, key)
    elif isinstance(value, bool) or value is None:
        pass
    elif isinstance(value, int | float):
        facts.things[about].numbers.add(float(value))
        if key.endswith("_c"):
            facts.degrees.add(float(value))
    elif isinstance(value, str):
        _read_text(value, facts.things[about], key, facts)


def _read_text(text: str, thing: Thing, key: str, facts: Facts) -> None:
    if _STAMP.match(text):
        try:
            thing.times[parse_time(text)] = text
        except ValueError:
            pass
        else:
            return
    thing.numbers |= numbers_in(text)
    facts.degrees |= degrees_in(text)
    if key in _ACTORS:
        facts.actors |= set(_WORD.findall(text[:200].casefold()))
    if len(text) <= _CLOCK_TEXT and _CLOCK.search(text):
        facts.clocks.add(text)
    words = set(_WORD.findall(text[:2_000].casefold()))
    facts.vocabulary |= words
    if key in ("event_type", "kind", "type", "reason"):
        thing.happened |= words


def _subject(value: Mapping[str, Any], about: str, facts: Facts) -> str:
    """The device that an object speaks of, noted with its names; the one around it when it names none."""
    found = value.get("device_id")
    name = next((value[n] for n in _NAMES if isinstance(value.get(n), str) and value.get(n)), "")
    if not isinstance(found, str) or not found:
        return about
    thing = facts.things.setdefault(found, Thing())
    thing.names.add(found.replace("_", " ").casefold())
    if name:
        thing.names.add(name.casefold())
        thing.names |= {m.group(1) for m in [_DOOR_LOCK.fullmatch(name.casefold())] if m}
    for alias in value.get("aliases") or ():
        thing.names.add(str(alias).casefold())
    # what was asked for is how the thing is only when the thing said so
    is_true = value.get("outcome", "confirmed") == "confirmed"
    for state in (value.get("state"), value.get("set") if is_true else None):
        for attribute, said in state.items() if isinstance(state, Mapping) else ():
            _note(thing, str(attribute), said)
    return found


def _event(value: Mapping[str, Any], about: str, facts: Facts) -> None:
    """The row as an event, when it says what happened and when."""
    kinds = [value[k] for k in _KINDS if isinstance(value.get(k), str)]
    stamps = [value[k] for k in _AT if isinstance(value.get(k), str) and _STAMP.match(str(value.get(k)))]
    if not kinds or not stamps:
        return
    words = {w for kind in kinds for w in _WORD.findall(kind.casefold())} | {str(k).casefold() for k in kinds}
    payload = value.get("payload")
    for name, said in payload.items() if isinstance(payload, Mapping) else ():
        if isinstance(said, str):
            words |= set(_WORD.findall(said[:200].casefold()))
        elif said is True:
            words |= set(_WORD.findall(str(name).casefold()))
        elif said is False and name in _FALSE:
            words.add(_FALSE[name])
    times = []
    for stamp in stamps:
        with suppress(ValueError):
            times.append(parse_time(stamp))
    if times:
        event_id = value.get("event_id")
        known = event_id if isinstance(event_id, str) else ""
        facts.events.append(Event(about, kinds[0], frozenset(words), tuple(times), known))


def _each_once(events: Sequence[Event]) -> list[Event]:
    """Pages overlap, and a device's row tells of its last event without the id."""
    by_id = {e.event_id: e for e in events if e.event_id}
    told = {(e.device_id, e.kind, e.at) for e in by_id.values()}
    others = {key: e for e in events if not e.event_id and (key := (e.device_id, e.kind, e.at)) not in told}
    return [*by_id.values(), *others.values()]


def _note(thing: Thing, attribute: str, value: object) -> None:
    thing.values[attribute] = value
    if isinstance(value, str | bool | int | float):
        thing.seen.add((attribute, value))


def _count(rows: Sequence[Any], facts: Facts) -> None:
    """How many there are, and how many of each kind, and of each kind in each state."""
    facts.counts.add(len(rows))
    facts.listed.add(len(rows))
    if not rows or len(rows) > _COUNTED or not isinstance(rows[0], Mapping):
        return
    tally: Counter[tuple[object, ...]] = Counter()
    for row in rows:
        if not isinstance(row, Mapping):
            continue
        state = row.get("state")
        said = [*_plain(row), *(_plain(state) if isinstance(state, Mapping) else ())]
        kind = ("type", row.get("type"))
        for pair in said:
            tally[pair] += 1
            if pair != kind:
                tally[kind, pair] += 1
    facts.counts |= set(tally.values())


def _plain(row: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name, value in row.items():
        if isinstance(value, str | bool):
            yield name, value
