"""Reading what a person or a model wrote as JSON, part by part: what is wrong is named by its path."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from homeguard.errors import InvalidInput
from homeguard.model import Json

Shape: TypeAlias = Mapping[str, Any]


def object_at(value: object, where: str) -> Shape:
    """Raises InvalidInput: it is no object."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise InvalidInput(f"{where} is an object", field=where)
    return value


def list_at(value: object, where: str, least: int, most: int) -> Sequence[Any]:
    """Raises InvalidInput: it is no list, or has too few or too many items."""
    if not isinstance(value, list | tuple) or not least <= len(value) <= most:
        raise InvalidInput(f"{where} is a list of {least} to {most}", field=where)
    return value


def text_at(value: object, where: str, most: int) -> str:
    """The text without space around it. Raises InvalidInput: it is none, empty, too long or holds what nobody sees."""
    if (
        not isinstance(value, str)
        or not value.strip()
        or len(value) > most
        or not value.replace("\n", "").isprintable()
    ):
        raise InvalidInput(f"{where} is a text of 1 to {most} characters", field=where)
    return value.strip()


def number_at(value: object, where: str, least: float, most: float) -> float:
    """Raises InvalidInput: it is no number within `[least, most]`."""
    if not is_number(value) or not least <= value <= most:  # type: ignore[operator]
        raise InvalidInput(f"{where} is a number from {least:g} to {most:g}", field=where, low=least, high=most)
    return value  # type: ignore[return-value]


def one_or_more(value: object, where: str, allowed: Sequence[str]) -> Json:
    """A word or a list of words, as it was given. Raises InvalidInput: one of them is not allowed."""
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not words or any(word not in allowed for word in words):
        raise InvalidInput(f"this is one or more of {', '.join(allowed)}", field=where, allowed=list(allowed))
    return value if isinstance(value, str) else list(words)


def only(given: Shape, allowed: Sequence[str], where: str) -> None:
    """Raises InvalidInput: it has a key that is not allowed."""
    for name in given:
        if name not in allowed:
            path = f"{where}.{name[:64]}" if where else name[:64]
            raise InvalidInput(f"'{path}' is not known here; known are {', '.join(allowed)}", field=path)


def is_number(value: object) -> bool:
    """Finite, and neither true nor false."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
