"""What goes over the wire about memory, the household and a person's own data."""

from typing import Annotated, Any

from pydantic import Field

from api.wire import Answer, Body, Scalar, Time

Short = Annotated[str, Field(max_length=100)]
Clock = Annotated[str, Field(pattern=r"^(?:[01]\d|2[0-3]):[0-5]\d$", examples=["22:00"])]


class NewMemory(Body):
    """A sentence, or with `preference` a setting by its name (`routines.morning_departure`) and `value`."""

    text: str = Field(default="", max_length=500)
    for_household: bool = False
    preference: Short = ""
    value: Scalar | None = None


class MemoryView(Answer):
    id: str
    text: str
    kind: str
    whose: str
    source: str
    at: Time


class Memories(Answer):
    items: list[MemoryView]
    total: int


class Belonging(Body):
    """One of the household; `id` and `text` may come back as they were told and are not read."""

    name: str = Field(min_length=1, max_length=100)
    relation: Short = ""
    species: Short = ""
    phone: Short = ""
    email: Short = ""
    role: Short = ""
    plate: Short = ""
    id: str = Field(default="", max_length=128)
    text: str = Field(default="", max_length=500)


class QuietHours(Body):
    start: Clock
    end: Clock


class NewHousehold(Body):
    """A list that is given replaces the one that was; what is left out, or null, stays. An empty `address` clears it.
    `time_zone` and the place (`latitude` with `longitude`, in degrees) are set by the owner only."""

    residents: list[Belonging] | None = Field(default=None, max_length=50)
    pets: list[Belonging] | None = Field(default=None, max_length=50)
    contacts: list[Belonging] | None = Field(default=None, max_length=50)
    vehicles: list[Belonging] | None = Field(default=None, max_length=50)
    address: str | None = Field(default=None, max_length=450)
    time_zone: str | None = Field(default=None, max_length=64)
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    quiet_hours: QuietHours | None = None
    no_quiet_hours: bool = False


class HouseholdView(Answer):
    residents: list[dict[str, str]]
    pets: list[dict[str, str]]
    contacts: list[dict[str, str]]
    vehicles: list[dict[str, str]]
    address: str
    time_zone: str
    latitude: float | None
    longitude: float | None
    quiet_hours: QuietHours | None


class Export(Answer):
    """Everything that is kept about the person, table by table, as the stores have it."""

    person: dict[str, Any]
    exported_at: Time
    data: dict[str, list[dict[str, Any]]]
    elsewhere: list[str]


class Erased(Answer):
    """`homes`: homes that went with their only person. `rows`: table -> rows that went. `pending`: why it is not
    through yet; it goes on by itself. `elsewhere`: what keeps something for a while, and until when."""

    homes: list[str]
    rows: dict[str, int]
    pending: list[str]
    elsewhere: list[str]
