"""Structures as JSON text, for stores that keep them so."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

_DECODER: Final = msgspec.json.Decoder()


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_plain)


def json_bytes(value: object) -> bytes:
    """The value as JSON in UTF-8. Mappings of any kind are objects, tuples are arrays."""
    return _ENCODER.encode(value)


def json_text(value: object) -> str:
    """As `json_bytes`, as text."""
    return json_bytes(value).decode()


def json_value(text: str) -> Any:
    return _DECODER.decode(text)
