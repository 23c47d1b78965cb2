"""What records said of one device, merged so that their order of arrival does not matter. Pure."""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec

from homeguard.model import Value

#: When a record was true: (at in microseconds, sequence).
Key: TypeAlias = tuple[int, int]
#: (at, sequence, value)
Point: TypeAlias = tuple[int, int, Value]

#: How many records of an attribute are remembered: so far may a record come late and still count for `since`.
REMEMBERED: Final = 8


@dataclass(slots=True)
class Attribute:
    """The newest points of one attribute, oldest first, and what was true before them.

    `value` is right for any order of any records. `since` is right while a record is overtaken by fewer than
    `REMEMBERED` others of the same attribute; what comes later than that is taken as known.
    """

    points: list[Point] = field(default_factory=list)
    #: (since, value) that held just before the first point; None when nothing was forgotten.
    before: tuple[int, Value] | None = None

    def add(self, at: int, sequence: int, value: Value) -> bool:
        """Take one record; False when it is known, or older than what is remembered."""
        points = self.points
        point = (at, sequence, value)
        last = points[-1] if points else None
        if last is None or at > last[0] or (at == last[0] and sequence > last[1]):
            points.append(point)
        else:
            place = bisect_left(points, (at, sequence), key=lambda p: p[:2])
            if points[place][:2] == (at, sequence):
                return self._settle_tie(place, point)
            if place == 0 and self.before is not None:
                return False
            points.insert(place, point)
        if len(points) > REMEMBERED:
            first = points.pop(0)
            if self.before is None or not same(self.before[1], first[2]):
                self.before = (first[0], first[2])
        return True

    def _settle_tie(self, place: int, point: Point) -> bool:
        """Two values of one moment and sequence: the greater JSON text wins, byte by byte, whichever came first."""
        if msgspec.json.encode(point[2]) <= msgspec.json.encode(self.points[place][2]):
            return False
        self.points[place] = point
        return True

    @property
    def value(self) -> Value:
        """What it is now; there is one point at least."""
        return self.points[-1][2]

    @property
    def since(self) -> int:
        """When it became `value`, in microseconds."""
        value = self.value
        since = self.points[-1][0]
        for at, _, earlier in reversed(self.points):
            if not same(earlier, value):
                return since
            since = at
        if self.before is not None and same(self.before[1], value):
            return self.before[0]
        return since

    def copy(self) -> "Attribute":
        return Attribute(list(self.points), self.before)


def same(one: Value, other: Value) -> bool:
    """Equal, and not a truth value on one side and a number on the other."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)
