"""Errors as a client reads them: one sentence for the model, and the same as structured content."""

import json
from collections.abc import Mapping
from typing import Any, Final

from mcp.types import CallToolResult, TextContent
from pydantic import ValidationError

from homeguard.errors import HomeGuardError, InvalidInput, PayloadTooLarge

#: Bounds of a call's arguments.
MAX_ARGUMENTS_BYTES: Final = 64 * 1024
_MAX_DEPTH: Final = 16


def fault(error: HomeGuardError) -> CallToolResult:
    """`{"error": {"code", "message", ...details}}`, and as text `CODE: message (field: ...; allowed: ...)`."""
    details = {k: v for k, v in error.details.items() if isinstance(v, str | int | float | bool | list | tuple)}
    body = {"code": error.code, "message": error.message, **details}
    notes = []
    if details.get("field"):
        notes.append(f"field: {details['field']}")
    if isinstance(allowed := details.get("allowed"), list | tuple) and allowed:
        notes.append(f"allowed: {', '.join(map(str, allowed))}")
    if "low" in details and "high" in details:
        notes.append(f"allowed: {details['low']} to {details['high']}")
    text = f"{error.code}: {error.message}" + (f" ({'; '.join(notes)})" if notes else "")
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content={"error": body},
        is_error=True,
    )


def bad_arguments(error: ValidationError) -> InvalidInput:
    """The first thing that is wrong with the arguments, without echoing what was sent."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    what = "is missing" if first["type"] == "missing" else f"is wrong: {first['msg'][:1].lower()}{first['msg'][1:]}"
    return InvalidInput(f"{field} {what}", field=field)


def check_arguments(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Unknown names, half characters, NUL, depth and size are refused before anything looks at the values.

    Raises:
        InvalidInput: names the place and what is allowed.
    """
    known = schema.get("properties", {})
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        name = unknown[0][:64].encode("ascii", "replace").decode()
        raise InvalidInput(f"there is no argument '{name}'", field=name, allowed=sorted(known))
    for name, value in arguments.items():
        _check(value, name, 0)
    if len(json.dumps(arguments)) > MAX_ARGUMENTS_BYTES:
        raise PayloadTooLarge(f"the arguments are larger than {MAX_ARGUMENTS_BYTES} bytes", field="arguments")


def _check(value: object, field: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise InvalidInput(f"{field} is nested deeper than {_MAX_DEPTH} levels", field=field)
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise InvalidInput(f"{field} holds characters that are not text", field=field)
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise InvalidInput(f"{field} is not a finite number", field=field)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            _check(key, field, depth + 1)
            _check(inner, field, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, field, depth + 1)
