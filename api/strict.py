"""JSON as it may come in: bounded in bytes, depth and keys; no NaN, no infinity, no NUL, no lone surrogate."""

from typing import Any, Final

import msgspec
from starlette.requests import Request

from api.errors import UnsupportedMediaType
from homeguard.errors import InvalidInput, PayloadTooLarge

MAX_BODY: Final = 1024 * 1024
MAX_DEPTH: Final = 32
MAX_KEYS: Final = 256


class StrictRequest(Request):
    """A request whose JSON body was read and judged here, before anything else sees it."""

    def __init__(self, request: Request, raw: bytes, decoded: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._raw = raw
        self._decoded = decoded

    async def body(self) -> bytes:
        return self._raw

    async def json(self) -> Any:
        return self._decoded


async def read_strictly(request: Request) -> StrictRequest:
    """The request with its JSON decoded (no body: None).

    Raises:
        PayloadTooLarge, UnsupportedMediaType, InvalidInput: it is not for us.
    """
    raw = await read_body(request, MAX_BODY)
    if not raw:
        return StrictRequest(request, raw, None)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMediaType("send JSON, with Content-Type: application/json", field="content-type")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("send the body uncompressed", field="content-encoding")
    return StrictRequest(request, raw, decode(raw))


async def read_body(request: Request, limit: int) -> bytes:
    """The body, read no further than the limit.

    Raises:
        PayloadTooLarge: it is longer than `limit` bytes.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and len(declared) < 20 and int(declared) > limit:
        raise PayloadTooLarge(f"a request has at most {limit} bytes", limit=limit)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise PayloadTooLarge(f"a request has at most {limit} bytes", limit=limit)
        parts.append(part)
    return b"".join(parts)


def decode(raw: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        InvalidInput: it is no JSON, or beyond the bounds of this module.
    """
    try:
        value = msgspec.json.decode(raw)
    except RecursionError as error:
        raise InvalidInput(f"the JSON is nested deeper than {MAX_DEPTH}", field="") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInput("the body is not JSON", code="INVALID_JSON", field="") from error
    _check(value)
    return value


def _check(value: Any) -> None:
    todo: list[tuple[Any, int]] = [(value, 1)]
    while todo:
        item, depth = todo.pop()
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, dict | list):
            if depth > MAX_DEPTH:
                raise InvalidInput(f"the JSON is nested deeper than {MAX_DEPTH}", field="")
            if isinstance(item, dict):
                if len(item) > MAX_KEYS:
                    raise InvalidInput(f"an object has at most {MAX_KEYS} keys", field="")
                todo.extend((key, depth) for key in item)
                todo.extend((inner, depth + 1) for inner in item.values())
            else:
                todo.extend((inner, depth + 1) for inner in item)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise InvalidInput("a text may not hold NUL", field="")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("a text may not hold half a character (a lone surrogate)", field="") from error
