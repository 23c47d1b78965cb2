"""How our values lie in PostgreSQL: structures as JSON text, many rows of one statement as arrays of columns."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

_DECODER: Final = msgspec.json.Decoder()


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_plain)


def json_text(value: object) -> str:
    """The value as JSON. Mappings of any kind are objects, tuples are arrays."""
    return _ENCODER.encode(value).decode()


def json_value(text: str) -> Any:
    return _DECODER.decode(text)


def by_column(rows: Sequence[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """The rows' columns, as `unnest` takes them; there is one row at least."""
    return list(zip(*rows, strict=True))
