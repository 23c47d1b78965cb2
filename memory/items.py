"""What can be kept in mind, and how each kind reads as a sentence. Pure: from what was given to items to be kept."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast, get_args

from homeguard.errors import InvalidInput
from homeguard.ids import derived_id
from homeguard.model import Json
from homeguard.ports.memory import HOUSEHOLD_KINDS, SHARED, MemoryKind
from homeguard.recollection import folded

#: Characters of a sentence, and of a name.
LONGEST: Final = 500
LONGEST_NAME: Final = 100
#: Fields of each kind of the household; the first one is what tells two apart.
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "resident": ("name", "relation"),
    "pet": ("name", "species"),
    "contact": ("name", "relation", "phone", "email", "role"),
    "vehicle": ("name", "plate"),
}
CONTACT_ROLES: Final = ("", "trusted", "emergency")
STYLES: Final = ("proactive", "balanced", "reserved")
_CLOCK: Final = re.compile(r"^(?:[01]\d|2[0-3]):[0-5]\d$")
_NAME: Final = re.compile(r"^[a-z][a-z0-9_]{0,39}(?:\.[a-z][a-z0-9_]{0,39})?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something to be kept, before it is known whose it is and who said it."""

    kind: MemoryKind
    text: str
    value: Mapping[str, Json] = field(default_factory=dict)
    shared: bool = False

    def as_json(self) -> dict[str, Json]:
        return {"kind": self.kind, "text": self.text, "value": dict(self.value), "shared": self.shared}


def item_from(given: Mapping[str, Any]) -> Item:
    """The inverse of `Item.as_json`.

    Raises:
        InvalidInput: it is none.
    """
    kind, text, value = given.get("kind"), given.get("text"), given.get("value")
    if kind not in get_args(MemoryKind) or not isinstance(text, str) or not text or not isinstance(value, Mapping):
        raise InvalidInput("this is nothing that can be remembered", field="items")
    return Item(kind=cast("MemoryKind", kind), text=text, value=dict(value), shared=bool(given.get("shared")))


def id_of(item: Item, home_id: str, user_id: str) -> str:
    """The same for the same thing, so that what is said again replaces what was said before."""
    owner = SHARED if item.shared else user_id
    match item.kind:
        case "fact":
            key = folded(item.text) or item.text
        case "address" | "quiet_hours":
            key = ""
        case _:
            key = folded(str(item.value.get("name") or "")) if item.kind != "preference" else str(item.value["name"])
    return derived_id("memory", home_id, owner, item.kind, key)


def fact(text: str, *, shared: bool = False) -> Item:
    """Free text. Raises InvalidInput: empty, or too long."""
    return Item(kind="fact", text=_sentence(text, "text"), shared=shared)


def preference(name: str, value: object, text: str = "") -> Item:
    """A learning with a name: `alert_preferences.suppress_pet_motion`, `routines.morning_departure`, any of that form.

    Raises:
        InvalidInput: the name or the value is not one.
    """
    if not _NAME.match(name):
        raise InvalidInput("a preference is named such as routines.morning_departure", field="preference")
    if not isinstance(value, bool | int | float | str) or (isinstance(value, str) and len(value) > LONGEST_NAME):
        raise InvalidInput("the value of a preference is a short text, a number, true or false", field="value")
    group = name.partition(".")[0]
    if group == "routines" and not (isinstance(value, str) and _CLOCK.match(value)):
        raise InvalidInput("a routine is a time of day such as 07:15", field="value")
    if name == "automation_style" and value not in STYLES:
        raise InvalidInput(f"automation_style is one of {', '.join(STYLES)}", field="value", allowed=list(STYLES))
    if name.endswith("_threshold") and not (type(value) in (int, float) and 0 <= cast("float", value) <= 1):
        raise InvalidInput("a threshold is a number from 0 to 1", field="value", low=0, high=1)
    shown = value if not isinstance(value, bool) else "yes" if value else "no"
    said = text or f"{name.replace('.', ': ').replace('_', ' ')}: {shown}"
    return Item(kind="preference", text=_sentence(said, "text"), value={"name": name, "value": value})


def member_of_household(kind: str, given: Mapping[str, Any]) -> Item:
    """A resident, pet, contact or vehicle by its fields (`FIELDS`); texts, the name is needed.

    Raises:
        InvalidInput: a field is unknown, no text or too long.
    """
    fields = FIELDS[kind]
    unknown = sorted(set(given) - set(fields) - {"id", "text"})
    if unknown:
        raise InvalidInput(f"a {kind} has no field '{unknown[0][:40]}'", field=kind, allowed=list(fields))
    value = {name: _named(given.get(name), f"{kind}.{name}") for name in fields if given.get(name)}
    if not value.get("name"):
        raise InvalidInput(f"a {kind} has a name", field=f"{kind}.name")
    if value.get("role", "") not in CONTACT_ROLES:
        raise InvalidInput(
            "a contact's role is trusted or emergency", field="contact.role", allowed=["trusted", "emergency"]
        )
    return Item(kind=cast("MemoryKind", kind), text=_told(kind, value), value=value, shared=True)


def address(text: str) -> Item:
    said = _sentence(text, "address")
    return Item(kind="address", text=f"The address is {said}"[:LONGEST], value={"address": said}, shared=True)


def quiet_hours(start: str, end: str) -> Item:
    """From `start` to `end` by the home's clock, past midnight when `end` is the earlier one.

    Raises:
        InvalidInput: one is no time of day such as 22:00.
    """
    for at in (start, end):
        if not _CLOCK.match(at):
            raise InvalidInput("quiet hours are from one time such as 22:00 to another", field="quiet_hours")
    text = f"Quiet hours are from {start} to {end}"
    return Item(kind="quiet_hours", text=text, value={"start": start, "end": end}, shared=True)


def is_households(kind: str) -> bool:
    return kind in HOUSEHOLD_KINDS


def _told(kind: str, value: Mapping[str, str]) -> str:
    name, relation = value["name"], value.get("relation", "")
    match kind:
        case "resident":
            return f"{name} lives here{f' ({relation})' if relation else ''}"
        case "pet":
            return f"There is a pet called {name}{_a(value['species']) if value.get('species') else ''}"
        case "vehicle":
            return f"There is a vehicle: {name}{', plate ' + value['plate'] if value.get('plate') else ''}"
        case _:
            whom = f"{name} ({relation})" if relation else name
            role = (
                f" is {'an' if value['role'] == 'emergency' else 'a'} {value['role']} contact"
                if value.get("role")
                else ""
            )
            ways = ", ".join(value[w] for w in ("phone", "email") if value.get(w))
            return f"{whom}{role or ' is a contact'}{f': {ways}' if ways else ''}"


def _a(species: str) -> str:
    return f", {'an' if species[:1].lower() in 'aeiou' else 'a'} {species}"


def _sentence(text: object, field_name: str) -> str:
    said = " ".join(text.split()) if isinstance(text, str) else ""
    if not 0 < len(said) <= LONGEST:
        raise InvalidInput(f"{field_name} is a text of 1 to {LONGEST} characters", field=field_name)
    return said


def _named(text: object, field_name: str) -> str:
    said = " ".join(text.split()) if isinstance(text, str) else ""
    if not 0 < len(said) <= LONGEST_NAME:
        raise InvalidInput(f"{field_name} is a text of 1 to {LONGEST_NAME} characters", field=field_name)
    return said
