"""The headers of a request as they came: looked through once, without an object around them."""

from starlette.types import Scope


def first_of(scope: Scope, name: bytes) -> str:
    """The first value of that header, "" without one; `name` is lower-case, as ASGI has it."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""


def all_of(scope: Scope, name: bytes) -> list[str]:
    """Every value of that header, in order."""
    return [str(value, "latin-1") for key, value in scope["headers"] if key == name]
