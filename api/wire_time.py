"""What goes over the wire about timers and lists."""

from typing import Annotated, TypeAlias

from pydantic import Field

from api.wire import Answer, Body, Time

Texts: TypeAlias = list[str]
Words = Annotated[str, Field(min_length=1, max_length=100)]


class NewTimer(Body):
    """`minutes` (0.5 is 30 seconds), or `at`: a time of the home's clock such as `17:30`, or ISO 8601."""

    minutes: float = Field(default=0, ge=0, le=10080)
    at: str = Field(default="", max_length=40)
    label: str = Field(default="", max_length=100)


class ChangedTimer(Body):
    """Minutes to add (less with a minus); `paused` holds it or lets it go on."""

    add_minutes: float = Field(default=0, ge=-10080, le=10080)
    paused: bool | None = None


class TimerView(Answer):
    id: str
    label: str
    state: str
    ends_at: Time | None
    seconds_left: int
    minutes: float


class Timers(Answer):
    items: list[TimerView]


class CancelledTimer(Answer):
    id: str
    cancelled: bool


class NewItems(Body):
    items: list[Words] = Field(min_length=1, max_length=50)


class ChangedItem(Body):
    done: bool


class ListLine(Answer):
    id: str
    text: str
    done: bool
    added_at: Time


Lines: TypeAlias = list[ListLine]


class ListView(Answer):
    """Items oldest first; `lists` names all lists of the home that have an item."""

    list: str
    items: Lines
    lists: Texts


class Added(Answer):
    list: str
    added: Texts
    already: Texts


class Changed(Answer):
    list: str
    item: str
    done: bool


class Removed(Answer):
    list: str
    removed: Texts
