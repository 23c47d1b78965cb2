"""Whether what is told to have happened did: to that thing, then, so often."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from agent.evidence import state_words
from agent.evidence.clauses import Clause, Key, without_names
from agent.evidence.event_words import DONE, NOTICED, Happening
from agent.evidence.facts import Event, Facts, Thing
from agent.evidence.spans import Span, moments_said, spans_said, usual_spans, when_said
from agent.evidence.telling import Often, Told, told

_PERHAPS: Final = re.compile(r"\b(?:can|may|could|would|will|should|might)\b", re.IGNORECASE)
_LATEST: Final = re.compile(r"\b(?:most recent(?:ly)?|the (?:very )?last|the latest)\b.*", re.IGNORECASE | re.DOTALL)
_SINCE: Final = re.compile(r"\bsince (?:about |around )?(?P<at>\d[^,;)]*)", re.IGNORECASE)
_THEN: Final = re.compile(r"\bthen\b", re.IGNORECASE)
_STAYED: Final = re.compile(
    r"\b(?:stayed|remained|left) (?:wide )?(?:open|ajar|(?:un)?locked|on|closed|shut)\b(?!.*\buntil\b)", re.IGNORECASE
)
#: "Since noon the door was opened once and the garage twice."
_HEADING: Final = re.compile(r"^\W*(?:since|after|before|between|from|until)\b", re.IGNORECASE)
_EACH: Final = re.compile(r"\b(?:each|apiece)\b", re.IGNORECASE)
_PAIRED: Final = re.compile(r"\brespectively\b", re.IGNORECASE)


def miscounted(sentence: str, before: Sequence[Thing], facts: Facts) -> tuple[str, set[int]]:
    """What claim of how often and when is wrong ("number", "event"; `""` none), and the counts that are right."""
    right: set[int] = set()
    if not facts.events or _PAIRED.search(sentence):
        return "", right
    runs = told(sentence, before, facts)
    asked = _both_ends(spans_said(facts.words, facts))
    for run in runs:
        if _PERHAPS.search(run.text):
            continue
        if run.denied and _did_happen(run, runs, facts):
            return "event", right
        run.kinds = [(kind, often) for kind, often in run.kinds if kind not in run.denied]
        if run.denied and not run.kinds:
            continue
        if run.counted() and (run.denied or not state_words.NOT.search(run.text)):
            wrong, asked = _wrong(run, runs, asked, facts)
            if wrong:
                return wrong, right
            right |= {often.least for often in (run.held, *(often for _, often in run.kinds)) if often is not None}
    return "", right


def _wrong(run: Told, runs: Sequence[Told], asked: list[Span], facts: Facts) -> tuple[str, list[Span]]:
    """What is wrong with one run, and what is left of the stretches that the question can have meant.

    A count is of the stretch that the run names, else of one that the sentence names, else of what was asked: the
    whole sentence then means one and the same. Where the times that it tells lie outside, it is no answer to that.
    """
    pools = [(_pool(kind, run.things, facts), often) for kind, often in run.kinds or _asked_for(run, facts)]
    happened = [e for pool, _ in pools for e in pool]
    if not happened:
        is_told = all(often is None or often.least == 0 or _is_told(often, run, facts) for _, often in pools)
        return "" if is_told else "number", asked
    spans = _both_ends(spans_said(run.scope, facts) or _said_around(runs, facts))
    slack = timedelta(minutes=2)
    spans = [s for s in spans if any(a <= s[0] and s[1] <= b + slack for a, b in asked)] or spans
    if not spans and asked and _is_within(run, happened, asked, facts):
        asked = [span for span in asked if _fits(pools, run, span, facts)] or asked
        spans = [*asked, *_both_ends(spans_said(run.newest, facts))]
    if not any(_fits(pools, run, span, facts) for span in spans or usual_spans(facts)):
        return "number", asked
    around = ", ".join(r.scope for r in runs)
    for phrase in run.at:
        when = when_said(phrase, facts, run.scope if spans_said(run.scope, facts) else around)
        if not any(when.fits(at) for e in happened for at in e.stamps) and not when.fits(facts.now):
            return "event", asked
    return "", asked


def _both_ends(spans: Sequence[Span]) -> list[Span]:
    """What was at the very end of a stretch belongs to it or not."""
    return [(start, end + more) for start, end in spans for more in (timedelta(0), timedelta(seconds=1))]


def _is_within(run: Told, pool: Sequence[Event], spans: Sequence[Span], facts: Facts) -> bool:
    """Every time that the run tells is that of an event in one of these stretches."""
    within = [e for e in pool if any(start <= e.at < end for start, end in spans)]
    whens = [when_said(phrase, facts) for phrase in (*run.at, run.newest, run.oldest) if phrase]
    return all(any(when.fits(e.at) for e in within) for when in whens)


def _did_happen(run: Told, runs: Sequence[Told], facts: Facts) -> bool:
    """In every stretch that can be meant there is what is said not to have been."""
    spans = spans_said(run.scope, facts) or _said_around(runs, facts) or spans_said(facts.words, facts)
    pool = [e for kind in run.denied for e in _pool(kind, run.things, facts)]
    return bool(spans) and all(any(start <= e.at < end for e in pool) for start, end in spans)


def _asked_for(run: Told, facts: Facts) -> list[tuple[Happening, Often | None]]:
    """What is counted where the text does not say it: what the person's own words ask for."""
    found = [kind for kind in (*DONE.values(), *NOTICED) if kind.said.search(facts.words)]
    return [(kind, run.held) for kind in found[:1]]


def _is_told(often: Often, run: Told, facts: Facts) -> bool:
    """A result holds the number itself, of one of the things or of none of them."""
    return any(often.least <= n <= often.most for t in (*run.things, facts.things[""]) for n in t.numbers)


def _pool(kind: Happening, things: Sequence[Thing], facts: Facts) -> list[Event]:
    """The events of a kind at these things; of a door that only has a lock, being unlocked is being opened."""
    ids = {id_ for id_, t in facts.things.items() if any(t is x for x in things)}
    own = [e for e in facts.events if not ids or e.device_id in ids]
    found = _of(kind, own)
    if not found and ids and kind is DONE["open", True]:
        found = _of(DONE["lock", "unlocked"], own)
    return found


def _of(kind: Happening, events: Iterable[Event]) -> list[Event]:
    """Those that report it by their kind; where none does, those that carry it in their words."""
    found = [e for e in events if e.words & kind.words and not e.words & kind.unlike]
    for wanted in (frozenset((kind.main,)), kind.words):
        if typed := [e for e in found if wanted & set(e.kind.split("_"))]:
            return typed
    return found


def _said_around(runs: Sequence[Told], facts: Facts) -> list[Span]:
    """The days that the other runs of the sentence speak of: "yesterday the door was opened once, the garage twice"."""
    return [
        span
        for index, run in enumerate(runs)
        for span in spans_said(run.scope, facts, ranges=index == 0 and _HEADING.search(run.text) is not None)
    ]


def _fits(pools: Sequence[tuple[list[Event], Often | None]], run: Told, span: Span, facts: Facts) -> bool:
    inside = [([e for e in pool if span[0] <= e.at < span[1]], often) for pool, often in pools]
    for pool, often in inside:
        if often and not any(often.least <= n <= often.most for n in _counts(pool, run)):
            return False
    every = [e.at for pool, _ in inside for e in pool]
    if run.newest and (not every or not when_said(run.newest, facts).fits(max(every))):
        return False
    return not run.oldest or (bool(every) and when_said(run.oldest, facts).fits(min(every)))


def _counts(pool: Sequence[Event], run: Told) -> set[int]:
    """How many there are, in all and of each kind; for each thing, when all had as many."""
    by_thing = set(Counter(e.device_id for e in pool).values())
    same = by_thing if len(by_thing) == 1 else set()
    if _EACH.search(run.text):
        return same
    return {len(pool), *Counter(e.kind for e in pool).values(), *same}


def event_of(key: Key, text: str, things: Sequence[Thing], facts: Facts) -> bool:
    """An event of one of these things says so, at the time that the text names."""
    kind = DONE.get(key)
    ids = {id_ for id_, t in facts.things.items() if any(t is x for x in things)}
    if kind is None or not ids:
        return False
    wanted = kind.words | (frozenset(("unlocked",)) if key == ("open", True) else frozenset())
    own = [e for e in facts.events if e.device_id in ids and e.words & wanted]
    # which of several was the last is judged where they are counted
    when = when_said(_LATEST.sub(" ", text), facts) if own else None
    return when is not None and any(when.fits(at) for e in own for at in e.stamps)


def lasts_otherwise(clause: Clause, things: Sequence[Thing], facts: Facts) -> bool:
    """It is told to last since a moment ("unlocked since 7:15 AM") or to have stayed so ("was left open"), and the last
    change was another one, or then. What was so "then" is held against what went before the moment that was asked for:
    one of them, where the words can mean several, or any, where they name none that is understood.
    """
    since, stayed = _SINCE.search(clause.text), _STAYED.search(clause.text)
    if not things or not (since or (stayed and clause.past)):
        return False
    ids = {id_ for id_, t in facts.things.items() if any(t is x for x in things)}
    own = [e for e in facts.events if e.device_id in ids]
    is_then = since is not None and _THEN.search(clause.text) is not None
    every = [e.at for e in own]
    asked = (moments_said(facts.words, facts) or every) if is_then else every and [max(every)]
    for key in clause.states:
        judged = [_is_last(key, since, [e for e in own if e.at <= at], facts) for at in asked]
        if True not in judged and (False in judged or is_then):
            return True
    return False


def _is_last(key: Key, since: "re.Match[str] | None", own: Sequence[Event], facts: Facts) -> bool | None:
    """The newest of these changes made it so (at that time); None when there is none."""
    family = [kind for (attribute, _), kind in DONE.items() if attribute == key[0]]
    last = max((e for kind in family for e in _of(kind, own)), key=lambda e: e.at, default=None)
    if last is None:
        return None
    return last in _of(DONE[key], own) and (since is None or when_said(since.group("at"), facts).clocks_fit(last.at))


def unseen(clause: Clause, sentence: str, named: Sequence[Thing], facts: Facts) -> bool:
    """An event or a past state is told that the results do not have, or have at another time or place."""
    text = clause.text
    ids = {id_ for id_, t in facts.things.items() if any(t is x for x in named)}
    bare = without_names(text, facts)
    for kind in NOTICED:
        found = kind.said.search(bare)
        if not found or state_words.NOT.search(bare[: found.start()].rpartition(",")[2]) or _PERHAPS.search(sentence):
            continue
        is_so = any(t.values.get(w) is True for t in (named or facts.things.values()) for w in kind.words)
        if not clause.past and not is_so and any(w in t.values for t in facts.things.values() for w in kind.words):
            return True
        if is_so:
            continue
        own = [e for e in facts.events if e.words & kind.words and (not ids or e.device_id in ids)]
        near = [e for e in own if _in_place(text, e, facts)]
        when = when_said(text, facts, sentence)
        if not any(when.fits(at) for e in near for at in e.stamps):
            return True
    if not ids or not clause.past:
        return False
    own = [e for e in facts.events if e.device_id in ids]
    return bool(own) and any(not event_of(key, text, named, facts) for key in clause.states)


def _in_place(text: str, event: Event, facts: Facts) -> bool:
    """The event's thing is where the text says, when the text names a room."""
    lowered = text.casefold()
    rooms = {str(t.values["area"]).casefold() for t in facts.things.values() if t.values.get("area")}
    said = {room for room in rooms if re.search(rf"\b{re.escape(room[: max(4, len(room) - 3)])}", lowered)}
    thing = facts.things.get(event.device_id)
    if not said or thing is None:
        return True
    where = f"{thing.values.get('area', '')} {' '.join(thing.names)}".casefold()
    return any(room in where for room in said)
