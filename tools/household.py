"""Who and what belongs to the home: residents, pets, contacts, vehicles, address, quiet hours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from homeguard.errors import InvalidInput, NotAllowed
from homeguard.ports.memory import SHARED, Memory
from memory.items import FIELDS, Item, address, is_households, member_of_household, quiet_hours
from tools.answers import CommandAnswer
from tools.context import ToolContext, the_home
from tools.memory import keep
from tools.shapes import SHAPE
from tools.text import clean

#: Things in one change.
MOST_CHANGES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongs:
    """One resident, pet, contact or vehicle; empty fields were not told."""

    __pydantic_config__: ClassVar = SHAPE
    id: str
    name: str
    text: str
    relation: str = ""
    species: str = ""
    phone: str = ""
    email: str = ""
    role: str = ""
    """Of a contact: trusted, emergency or empty. It permits nothing: it says whom people would call."""
    plate: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    __pydantic_config__: ClassVar = SHAPE
    start: str
    """By the home's clock, such as 22:00"""
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    __pydantic_config__: ClassVar = SHAPE
    residents: tuple[Belongs, ...]
    pets: tuple[Belongs, ...]
    contacts: tuple[Belongs, ...]
    vehicles: tuple[Belongs, ...]
    address: str
    time_zone: str
    latitude: float | None
    """Where the home stands, in degrees; by this the sun rises and sets for its rules"""
    longitude: float | None
    quiet_hours: QuietHours | None
    third_party: bool
    """Text that no person of this home said is among it"""


async def get_household(context: ToolContext) -> Household:
    """The household as its members told it, each list by name.

    Raises:
        NotAllowed: the caller is a guest.
    """
    if context.principal.role == "guest":
        raise NotAllowed("guests do not see the household")
    home = await the_home(context)
    kept = await context.memory.of(context.home_id, SHARED)
    by_kind: dict[str, list[Memory]] = {}
    for memory in kept:
        by_kind.setdefault(memory.kind, []).append(memory)

    def listed(kind: str) -> tuple[Belongs, ...]:
        return tuple(sorted((_belongs(m) for m in by_kind.get(kind, ())), key=lambda b: (b.name.casefold(), b.id)))

    where = next((clean(m.value.get("address"), 500) for m in by_kind.get("address", ())), "")
    hours = next((m.value for m in by_kind.get("quiet_hours", ())), None)
    return Household(
        residents=listed("resident"),
        pets=listed("pet"),
        contacts=listed("contact"),
        vehicles=listed("vehicle"),
        address=where,
        time_zone=home.time_zone,
        latitude=home.latitude,
        longitude=home.longitude,
        quiet_hours=QuietHours(start=str(hours["start"]), end=str(hours["end"])) if hours is not None else None,
        third_party=any(m.tainted for m in kept if is_households(m.kind)),
    )


async def update_household(
    context: ToolContext,
    *,
    residents: Sequence[Mapping[str, Any]] = (),
    pets: Sequence[Mapping[str, Any]] = (),
    contacts: Sequence[Mapping[str, Any]] = (),
    vehicles: Sequence[Mapping[str, Any]] = (),
    where: str = "",
    quiet_from: str = "",
    quiet_to: str = "",
    remove: Sequence[str] = (),
) -> CommandAnswer:
    """Add or replace by name, set what is given, and take away those of `remove` (ids of this household).

    Raises:
        InvalidInput: a field is unknown or wrong, an id is none of the household, or nothing is to be changed.
    """
    items: list[Item] = []
    for kind, rows in (("resident", residents), ("pet", pets), ("contact", contacts), ("vehicle", vehicles)):
        items += [member_of_household(kind, _cleaned(row)) for row in rows]
    if where:
        items.append(address(clean(where, 500)))
    if quiet_from or quiet_to:
        items.append(quiet_hours(quiet_from, quiet_to))
    if not 0 < len(items) + len(remove) <= MOST_CHANGES:
        raise InvalidInput(f"say what to change: 1 to {MOST_CHANGES} things at a time", field="household")
    if remove:
        known = {m.id for m in await context.memory.of(context.home_id, SHARED) if is_households(m.kind)}
        wrong = next((id_ for id_ in remove if id_ not in known), None)
        if wrong is not None:
            raise InvalidInput(f"the household has nothing with the id '{clean(wrong, 60)}'", field="remove")
    return await keep(context, items, remove)


def _cleaned(row: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): clean(value) if isinstance(value, str) else value for name, value in list(row.items())[:20]}


def _belongs(memory: Memory) -> Belongs:
    told = {name: clean(memory.value.get(name) or "") for name in FIELDS[memory.kind]}
    return Belongs(id=memory.id, text=clean(memory.text, 500), **told)
