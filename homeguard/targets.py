"""What a phrase refers to in a home: exact words of names, areas, floors and kinds -> devices. Pure, no I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from homeguard.kinds import KINDS, Test, Words, name_words, plain_words, singular
from homeguard.model import Device
from homeguard.target_words import (
    ALL,
    ARTICLES,
    EVERYTHING,
    FLOORS,
    HERE,
    HOUSE,
    ROOMS,
    VAGUE,
    cut,
    exceptions,
    joined_parts,
    not_upstairs,
    slips,
)
from homeguard.vocabulary import DEVICE_TYPES

#: Types that a typo, or a singular word that fits several, must never reach by guessing.
GUARDED_TYPES: Final = frozenset(
    ("lock", "garage_door", "gate", "alarm_panel", "siren", "camera", "doorbell", "smoke", "co", "gas", "heat",
     "water_leak", "glass_break", "motion", "contact", "valve")
)  # fmt: skip
_LONGEST_KIND: Final = max(len(k) for k in KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What a phrase names. `devices` keeps the order given to `resolve`; empty when `ambiguous` is not.

    `unmatched` are the words that name nothing here; `ambiguous` the devices that fit equally when one was meant;
    `missing` are those names of a list that fit nothing, while others of it did ("the lamp and the sauna").
    `suggestions` guarded devices that a typo may have meant (never acted on). `area` and `floor` are the ones that
    were named; `kind` the words of the kind ("light"); `by_name` says that a device's own name was used.
    """

    devices: tuple[Device, ...] = ()
    unmatched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    ambiguous: tuple[Device, ...] = ()
    suggestions: tuple[Device, ...] = ()
    area: str = ""
    floor: str = ""
    kind: Words = ()
    by_name: bool = False
    plural: bool = False
    here_unknown: bool = False
    said: Words = ()


_Span = tuple[int, Words]


@dataclass(frozen=True, slots=True)
class _Match:
    device: Device
    full: int
    area: bool
    kind: bool
    partial: int
    extra: int
    left: Words


def resolve(
    phrase: str | Sequence[str],
    devices: Sequence[Device],
    *,
    areas: Iterable[str] = (),
    floors: Iterable[str] = (),
    near_area: str = "",
    able: Test | None = None,
    implied: Test | None = None,
    fuzzy: bool = True,
) -> Targets:
    """The devices that a phrase names: every content word must be explained by a device, never a nearest guess.

    `able` prefers devices that can do what is wanted among those that fit; `implied` is the kind that the sentence
    means when the phrase holds only a place ("brightness in the hall": lights). `areas` and `floors` are further known
    names without devices. Names joined by "and" are all meant; "all ... except ..." leaves out.
    """
    words = plain_words(phrase) if isinstance(phrase, str) else list(phrase)
    scene = _Home(devices, areas, floors, near_area, able, implied, fuzzy)
    keep, without = exceptions(words)
    if without is None:
        return scene.union(keep)
    found = scene.union([*keep, *(("all",) if "all" not in keep else ())])
    if not found.devices:
        return found
    left_out = _Home(found.devices, areas, floors, near_area, None, implied, fuzzy).union(without, exclude=True)
    gone = {d.id for d in (*left_out.devices, *left_out.ambiguous)}
    if not gone:
        return Targets(unmatched=left_out.unmatched or tuple(without), area=found.area, kind=found.kind)
    rest = tuple(d for d in found.devices if d.id not in gone)
    return Targets(devices=rest, area=found.area, floor=found.floor, kind=found.kind, plural=True, said=found.said)


def protected(words: Sequence[str], devices: Sequence[Device], places: Iterable[str] = ()) -> set[int]:
    """Positions of `words` that belong to a full name of a device, an area or a floor: never values or verbs."""
    singulars = [singular(w) for w in words]
    names = {name_words(n) for d in devices for n in (d.name, *d.aliases, d.area, d.floor) if n}
    names |= {name_words(p) for p in places if p}
    held: set[int] = set()
    for size in sorted({len(n) for n in names}, reverse=True):
        if size == 0:
            continue
        for at in range(len(words) - size + 1):
            if tuple(singulars[at : at + size]) in names and (size > 1 or at > 0 or len(words) == 1):
                held.update(range(at, at + size))
    return held


def kind_at(words: Sequence[str], at: int) -> Words:
    """The longest kind that starts at a position of singular words, `()` for none."""
    for size in range(min(_LONGEST_KIND, len(words) - at), 0, -1):
        if tuple(words[at : at + size]) in KINDS:
            return tuple(words[at : at + size])
    return ()


_FLOOR_WORDS: Final = frozenset(w for meant in FLOORS.values() for w in meant)


@lru_cache(maxsize=4096)
def _own_words(names: tuple[str, ...], area: str, floor: str) -> frozenset[str]:
    """Every word of a device's names, its area and its floor."""
    return frozenset(w for name in (*names, area, floor) if name for w in name_words(name))


class _Home:
    """The devices of one call, with what is known about their names."""

    def __init__(
        self,
        devices: Sequence[Device],
        areas: Iterable[str],
        floors: Iterable[str],
        near_area: str,
        able: Test | None,
        implied: Test | None,
        fuzzy: bool,
    ) -> None:
        self.devices = devices
        self.areas = {name_words(a): a for a in (*areas, *(d.area for d in devices)) if a}
        self.floors = {name_words(f): f for f in (*floors, *(d.floor for d in devices)) if f}
        self.near = name_words(near_area) if near_area else ()
        self.able, self.implied, self.fuzzy = able, implied, fuzzy
        self._seen: tuple[Words, tuple[list[_Span], list[_Span], list[tuple[int, int, Test]]]] | None = None

    def union(self, words: list[str], exclude: bool = False) -> Targets:
        """The phrase as one name, or as several joined by "and"."""
        parts = joined_parts(words)
        whole = self.one([w for w in words if w not in (",", "and", "or", "nor", "plus")], exclude)
        one_name = whole.by_name and len(whole.devices) == 1 and not (ALL - {"both"}) & set(words)
        if len(parts) < 2 or one_name:
            return whole
        head = self._head(parts[-1])
        found: list[Targets] = []
        for part in parts:
            own = self._head(part)
            with_head = self.one([*part, *head], exclude) if head and not own else None
            found.append(with_head if with_head is not None and with_head.devices else self.one(part, exclude))
        ids = {d.id for f in found for d in f.devices}
        if any(not f.devices for f in found) and not ids:
            return next(f for f in found if not f.devices)
        absent = [f for f in found if not f.devices and not f.ambiguous and not f.suggestions]
        return Targets(
            devices=tuple(d for d in self.devices if d.id in ids),
            unmatched=tuple(w for f in found for w in f.unmatched),
            missing=tuple(" ".join(f.said or f.unmatched) for f in absent),
            ambiguous=next((f.ambiguous for f in found if f.ambiguous), ()),
            kind=found[-1].kind, by_name=any(f.by_name for f in found), plural=True, area=found[0].area,
            said=tuple(w for f in found for w in f.said),
        )  # fmt: skip

    def _head(self, part: Sequence[str]) -> list[str]:
        """The kind words that end a phrase, in the number that was used."""
        singulars = [singular(w) for w in part]
        for at in range(len(part)):
            kind = kind_at(singulars, at)
            if kind:
                return list(part[at : at + len(kind)])
        return []

    def one(self, words: list[str], exclude: bool = False) -> Targets:
        found = self._one(words, exclude)
        if found.devices or found.ambiguous or not found.unmatched or not self.fuzzy:
            return found
        mended = self._mend(words)
        if mended == words:
            return found
        again = self._one(mended, exclude)
        hits = again.devices or again.ambiguous
        if any(d.type in GUARDED_TYPES for d in hits):
            return Targets(unmatched=found.unmatched, suggestions=hits, area=found.area, kind=found.kind)
        return again

    def _one(self, words: list[str], exclude: bool) -> Targets:
        singulars = [singular(w) for w in words]
        rooms, singulars, words = cut(ROOMS, singulars, words)
        here, singulars, words = cut(HERE, singulars, words)
        everything = any(w in ALL for w in singulars) or rooms
        content = [
            (s, w)
            for s, w in zip(singulars, words, strict=True)
            if s not in ARTICLES and w not in ARTICLES and s not in ALL
        ]
        names = self._spans([s for s, _ in content])
        house = rooms
        kept: list[tuple[str, str]] = []
        for at, (s, w) in enumerate(content):
            if s in HOUSE and at not in names:
                house = True
            else:
                kept.append((s, w))
        said = tuple(w for _, w in kept)
        wants_all = any(s in EVERYTHING for s in singulars)
        things = "device" in singulars
        kept = [(s, w) for s, w in kept if s not in EVERYTHING]
        bag = [s for s, _ in kept]
        plural = everything or wants_all or any(s != w and s not in ("1",) for s, w in kept)
        if here and not self.near:
            only = self._nameless(True, False, True, things, plural, said) if not bag else Targets()
            return only if len(only.devices) == 1 else Targets(here_unknown=True, said=said)
        if not bag:
            return self._nameless(wants_all or house or everything, here, house, things, plural, said)
        matches = [m for d in self.devices if (m := self._match(d, bag)) is not None]
        covering = [m for m in matches if not m.left]
        if not covering:
            loose = [m for d in self.devices if (m := self._match(d, bag, loosely=True)) is not None and not m.left]
            if self.able is not None:
                loose = [m for m in loose if self.able(m.device)]
            covering = [m for m in loose if m.kind or m.partial]
        elif (
            self.able is not None
            and not any(self.able(m.device) for m in covering)
            and not any(m.full for m in covering)
        ):
            loose = [m for d in self.devices if (m := self._match(d, bag, loosely=True)) is not None and not m.left]
            covering = [m for m in loose if self.able(m.device)] or covering
        if not covering:
            return self._nothing(matches, bag, kept)
        return self._choose(covering, bag, kept, here, house, everything, plural, said, exclude)

    def _nameless(self, every: bool, here: bool, house: bool, things: bool, plural: bool, said: Words) -> Targets:
        """No name at all: "everything", "it is too dark in here", or nothing but what the sentence implies."""
        pool = [d for d in self.devices if self.implied is None or self.implied(d)]
        if self.able is not None:
            pool = [d for d in pool if self.able(d)]
        if things:
            pool = [d for d in pool if d.config.get("placement") != "person"]
        if not every and self.implied is None and not here:
            return Targets(said=said)
        if self.near and not house:
            near = [d for d in pool if name_words(d.area) == self.near]
            pool = near if near or here else pool
        if len(pool) > 1 and any(d.type in GUARDED_TYPES for d in pool) and not every:
            return Targets(ambiguous=tuple(pool), said=said)
        return Targets(
            devices=tuple(pool), plural=plural or every, said=said, area=pool[0].area if here and pool else ""
        )

    def _spans(self, bag: list[str]) -> set[int]:
        """Positions that belong to an area, a floor or a device's full name."""
        held: set[int] = set()
        forms = {*self.areas, *self.floors, *(name_words(n) for d in self.devices for n in (d.name, *d.aliases))}
        for form in forms:
            size = len(form)
            for at in range(len(bag) - size + 1):
                if size and tuple(bag[at : at + size]) == form:
                    held.update(range(at, at + size))
        return held

    def _places(self, bag: list[str]) -> tuple[list[_Span], list[_Span], list[tuple[int, int, Test]]]:
        """Where the phrase names areas, floors and kinds."""
        key = tuple(bag)
        if self._seen is None or self._seen[0] != key:
            at_area = [(at, f) for f in self.areas for at in range(len(bag)) if f and key[at : at + len(f)] == f]
            at_floor = [(at, f) for f in self.floors for at in range(len(bag)) if f and key[at : at + len(f)] == f]
            at_kind = [
                (at, size, KINDS[key[at : at + size]])
                for at in range(len(bag))
                for size in range(1, min(_LONGEST_KIND, len(bag) - at) + 1)
                if key[at : at + size] in KINDS
            ]
            self._seen = key, (at_area, at_floor, at_kind)
        return self._seen[1]

    def _touches(self, device: Device, bag: list[str]) -> bool:
        """Whether any word of the phrase can have to do with the device: most devices are done with here."""
        own = _own_words((device.name, *device.aliases), device.area, device.floor)
        if not own.isdisjoint(bag) or (own & _FLOOR_WORDS and not FLOORS.keys().isdisjoint(bag)):
            return True
        return any(test(device) for _, _, test in self._places(bag)[2])

    def _match(self, device: Device, bag: list[str], loosely: bool = False) -> _Match | None:
        if not self._touches(device, bag):
            return None
        forms = [name_words(n) for n in (device.name, *device.aliases)]
        explained = [False] * len(bag)
        full = 0
        for form in forms:
            for at in range(len(bag) - len(form) + 1):
                if form and tuple(bag[at : at + len(form)]) == form:
                    full = max(full, len(form))
                    explained[at : at + len(form)] = [True] * len(form)
        in_area = False
        areas, floors, kinds = self._places(bag)
        for place, spans in ((device.area, areas), (device.floor, floors)):
            own = name_words(place) if place else ()
            for at, form in spans:
                if form == own or (full and not place):
                    explained[at : at + len(form)] = [True] * len(form)
                    in_area = in_area or form == own
        floor_words = set(name_words(device.floor))
        for at, word in enumerate(bag):
            if word in FLOORS and not explained[at] and floor_words & (FLOORS[word] - not_upstairs(word, self.floors)):
                explained[at] = in_area = True
            if word == "floor" and at and explained[at - 1] and bag[at - 1] in floor_words:
                explained[at] = True
        of_kind = False
        for at, size, test in kinds:
            if test(device):
                explained[at : at + size] = [True] * size
                of_kind = True
        partial = 0
        own_words = {w for form in forms for w in form}
        for at, word in enumerate(bag):
            if not explained[at] and word in own_words:
                explained[at] = True
                partial += 1
        if loosely:
            place_words = set(name_words(device.area)) if device.area else set()
            for at, word in enumerate(bag):
                if not explained[at] and word in place_words:
                    explained[at] = in_area = True
        if not (full or in_area or of_kind or partial):
            return None
        extra = min((len(set(form) - set(bag)) for form in forms), default=0)
        left = tuple(w for w, ok in zip(bag, explained, strict=True) if not ok)
        return _Match(device, full, in_area, of_kind, partial, extra, left)

    def _choose(
        self, found: list[_Match], bag: list[str], kept: list[tuple[str, str]],
        here: bool, house: bool, everything: bool, plural: bool, said: Words, exclude: bool,
    ) -> Targets:  # fmt: skip
        kind = next((k for at in range(len(bag)) if (k := kind_at(bag, at))), ())
        area = next((m.device.area for m in found if m.area), "")
        if self.able is not None and any(self.able(m.device) for m in found):
            found = [m for m in found if self.able(m.device)]
        only_place = not kind and all(m.full == 0 and m.partial == 0 for m in found)
        if only_place and self.implied is not None:
            found = [m for m in found if self.implied(m.device)]
            if not found:
                return Targets(area=area, unmatched=(), said=said)
        exact = [m for m in found if m.full and m.full >= max(x.full for x in found)]
        surface = tuple(w for _, w in kept)
        named_exactly = any(tuple(plain_words(n)) == surface for m in exact for n in (m.device.name, *m.device.aliases))
        if exact and (not plural or named_exactly) and not everything:
            picked = exact
            inside = [m for m in picked if m.area]
            picked = inside or picked
            if len(picked) > 1 and self.near:
                picked = [m for m in picked if name_words(m.device.area) == self.near] or picked
            if len(picked) > 1:
                closest = [m for m in picked if m.extra == 0]
                picked = closest or picked
            return self._answer(picked, area, kind, said, by_name=True, plural=plural, group=exclude)
        group = plural or everything
        if not group:
            worded = [m for m in found if set(name_words(m.device.name)) == set(bag)]
            called = [m for m in found if kind and set(kind) <= set(name_words(m.device.name))]
            pick = worded if len(worded) == 1 else called if len(called) == 1 and bag == list(kind) else []
            if pick and not (self.near and not house and not worded):
                return self._answer(pick, area, kind, said, by_name=True, plural=False, group=False)
        of_kind = [m for m in found if m.kind] if kind else []
        if of_kind and any(m.area or not m.partial for m in of_kind):
            of_kind = [m for m in of_kind if m.area or not m.partial] if not group else of_kind
        picked = of_kind or found
        named_area = any(m.area for m in picked)
        if named_area and not any(m.full for m in picked):
            picked = [m for m in picked if m.area] if not group else picked
        if not named_area and self.near and not house and all(not m.partial and not m.full for m in picked):
            near = [m for m in picked if name_words(m.device.area) == self.near]
            picked = near or ([] if here else picked)
            if not picked:
                return Targets(area=self.areas.get(self.near, ""), kind=kind, unmatched=kind, said=said)
        by_name = all(m.partial or m.full for m in picked)
        placed = (
            named_area or house or (bool(self.near) and all(name_words(m.device.area) == self.near for m in picked))
        )
        return self._answer(
            picked, area, kind, said, by_name=by_name, plural=plural,
            group=group or exclude or (bool(kind or only_place) and not by_name and placed),
        )  # fmt: skip

    def _answer(
        self, picked: list[_Match], area: str, kind: Words, said: Words, *, by_name: bool, plural: bool, group: bool
    ) -> Targets:
        found = tuple(m.device for m in picked)
        floor = next((m.device.floor for m in picked if m.area), "")
        guarded = any(d.type in GUARDED_TYPES for d in found)
        if len(found) > 1 and ((not group) or (guarded and not plural)):
            if guarded or by_name or kind:
                return Targets(ambiguous=found, area=area, kind=kind, by_name=by_name, said=said, floor=floor)
            group = True
        return Targets(
            devices=found, area=area, floor=floor, kind=kind, by_name=by_name, plural=plural, said=said
        )  # fmt: skip

    def _nothing(self, matches: list[_Match], bag: list[str], kept: list[tuple[str, str]]) -> Targets:
        known = {w for m in matches for w in bag if w not in m.left}
        places = {w for form in (*self.areas, *self.floors) for w in form}
        missing = tuple(w for s, w in kept if s not in known and s not in places) or tuple(w for _, w in kept)
        area = next((name for form, name in self.areas.items() if set(form) <= set(bag)), "")
        kind = next((k for at in range(len(bag)) if (k := kind_at(bag, at))), ())
        return Targets(unmatched=missing, area=area, kind=kind, said=tuple(w for _, w in kept))

    def _mend(self, words: list[str]) -> list[str]:
        """The words with small typos of known words put right: one slip, two in words of eight letters and more."""
        known = {w for d in self.devices for n in (d.name, *d.aliases, d.area, d.floor) if n for w in name_words(n)}
        known |= {w for kind in KINDS for w in kind if w not in VAGUE} | {t for t in DEVICE_TYPES if "_" not in t}
        mended = []
        for word in words:
            base = singular(word)
            if len(base) < 4 or base in known or base in ARTICLES or base in ALL or base.isdigit():
                mended.append(word)
                continue
            near = {k for k in known if len(k) >= 4 and slips(base, k, 2 if len(base) >= 8 else 1)}
            mended.append((near.pop() + ("s" if word != base else "")) if len(near) == 1 else word)
        return mended
