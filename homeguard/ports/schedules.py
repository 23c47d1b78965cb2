"""What is to be done at a time: the next run of a rule, the rest of one that waits, a person's timer."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias

from homeguard.model import Json

#: `rule`: the next run of an automation that goes by the clock. `rest`: what an automation does behind a delay.
ScheduleKind: TypeAlias = Literal["rule", "rest", "timer"]
#: Timers of one home, running or held.
MOST_TIMERS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One thing that is due at `due_at` (aware UTC); None: it is held, a paused timer. A rule's time is by the home's
    clock, that of the others by the system's.

    `id` is unique in its home: a rule's is the automation's. `made_from` says what a rule's time was worked out from (a
    rule that reads otherwise by now is worked out anew), and of a rest the id of its decision. `detail` is the kind's
    own.
    """

    home_id: str
    id: str
    kind: ScheduleKind
    due_at: datetime | None
    user_id: str = ""
    made_from: str = ""
    detail: Mapping[str, Json] = field(default_factory=dict)
    created_at: datetime | None = None


class Schedules(Protocol):
    async def put(self, schedule: Schedule) -> None:
        """Insert or replace by (home, id); nobody has taken it then."""
        ...

    async def get(self, home_id: str, schedule_id: str) -> Schedule | None: ...

    async def of_home(self, home_id: str, *, kind: ScheduleKind | None = None) -> list[Schedule]:
        """Those of one kind, or all, by `due_at`, then id; held ones last."""
        ...

    async def delete(self, home_id: str, schedule_id: str) -> bool: ...

    async def take(
        self,
        due_at: datetime,
        *,
        by: str,
        now: datetime,
        until: datetime,
        without_rules: Collection[str] = (),
        limit: int = 500,
    ) -> list[Schedule]:
        """Those of all homes that are due at or before `due_at`, the earliest first, then by home and id.

        They are `by`'s until `until`: nobody else takes them before (`now` says what time it is), and `by` itself takes
        them again. Of the homes in `without_rules` no rules.
        """
        ...

    async def next_due(self, *, without_rules: Collection[str] = ()) -> datetime | None:
        """The earliest `due_at` of all homes, with the same exception; taken ones count."""
        ...

    async def move(self, moves: Sequence[tuple[Schedule, Schedule | None]]) -> list[bool]:
        """(as it was read, as it is to be) each, None for gone, in one transaction; nobody has taken them then. Of the
        new one only `due_at` and `detail` count. False for one whose `due_at` or `made_from` is another by now: it
        stays as it is."""
        ...
