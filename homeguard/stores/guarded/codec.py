"""Our values as text and back, exactly: what goes into the spool comes out the same."""

import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from homeguard.model import Json, Scalar

T = TypeVar("T")


def encode(value: object) -> str:
    """A dataclass, or JSON, as JSON text in ASCII. Times are kept to the microsecond.

    Raises:
        ValueError: it holds a number that is none (NaN, infinite).
        TypeError: it holds something that is neither.
    """
    return json.dumps(_plain(value), allow_nan=False, separators=(",", ":"))


def decode(kind: type[T], text: str) -> T:
    """The value of that dataclass. Inside its JSON fields every array is a list; fields that are tuples are tuples.

    Fields that the text lacks have their defaults; those that this program does not know are passed over.
    """
    value: T = _typed(kind, json.loads(text))
    return value


def _plain(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a key that is no text")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot be kept")


def _typed(kind: Any, value: Any) -> Any:
    """`value` as the annotation `kind` says; what is plain JSON stays as it is."""
    if kind is datetime:
        return datetime.fromisoformat(value).astimezone(UTC)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _typed(hints[name], item) for name, item in value.items() if name in hints})
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(_typed(inner[0], item) for item in value)
    if origin in (Mapping, dict) and inner[1] is datetime:
        return {key: _typed(datetime, item) for key, item in value.items()}
    if origin in (Union, types.UnionType):
        others = [each for each in inner if each is not types.NoneType]
        if value is not None and len(others) == 1 and len(inner) == 2:
            return _typed(others[0], value)
    return value


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    # `Json` names itself and `Scalar`, which only its own module knows.
    return get_type_hints(kind, localns={"Json": Json, "Scalar": Scalar})
