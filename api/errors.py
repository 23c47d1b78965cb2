"""Every error as the one body that HomeGuard's HTTP answers with (ERR-01)."""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Scope

from homeguard.clock import SystemClock, iso
from homeguard.errors import HomeGuardError, InvalidInput, StoreUnavailable
from homeguard.ids import new_id

_log = logging.getLogger("homeguard.api")
_CODES: Final[Mapping[int, tuple[str, str]]] = {
    400: ("BAD_REQUEST", "the request cannot be read"),
    404: ("NOT_FOUND", "there is nothing at this address"),
    405: ("METHOD_NOT_ALLOWED", "this address does not take that method"),
    406: ("NOT_ACCEPTABLE", "this address cannot answer in that form"),
    413: ("PAYLOAD_TOO_LARGE", "the request is too large"),
    415: ("UNSUPPORTED_MEDIA_TYPE", "send JSON, with Content-Type: application/json"),
}
_INTERNAL: Final = "something went wrong here; it is in the log under the trace id"
_UNPRINTABLE: Final = re.compile(r"[^\w.\-\[\]$ ]")


class UnsupportedMediaType(InvalidInput):
    """A body in a form that this address does not read."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415


def encode(data: object) -> bytes:
    """JSON; NaN and infinities become null."""
    return msgspec.json.encode(data)


def trace_id_of(connection: HTTPConnection) -> str:
    """The trace id that the edge gave this request, or a fresh one."""
    return _trace_id(connection.scope)


def _trace_id(scope: Scope) -> str:
    return str(scope.get("state", {}).get("trace_id") or new_id())


def error_body(code: str, message: str, details: Mapping[str, Any], trace_id: str) -> dict[str, Any]:
    """`{"error": {"code", "message", "details", "trace_id", "timestamp"}}`."""
    timestamp = iso(SystemClock().now())
    return {
        "error": {
            "code": code,
            "message": message,
            "details": dict(details),
            "trace_id": trace_id,
            "timestamp": timestamp,
        }
    }


def error_response(error: HomeGuardError, trace_id: str) -> Response:
    """The answer to an error of ours; `retry_after_s` also becomes the `Retry-After` header."""
    headers = {}
    wait_s = error.details.get("retry_after_s")
    if wait_s is None and error.status in (429, 503, 507):
        wait_s = 1
    if wait_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(float(wait_s))))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    message = _INTERNAL if error.status == 500 else error.message
    if isinstance(error, StoreUnavailable) and "engine" in error.details and wait_s is not None:
        # the rest of it says where the server is: that stands in the log, and in `/ready` for an owner
        message = f"{error.details['engine']} does not answer; try again in {wait_s:g} s"
    details = {} if error.status == 500 else error.details
    return _json(error.status, error_body(error.code, message, details, trace_id), headers)


def internal_error_response(trace_id: str) -> Response:
    """The answer to a defect: it says nothing of what is inside."""
    return _json(500, error_body("INTERNAL", _INTERNAL, {}, trace_id), {})


def install(app: FastAPI) -> None:
    """Have every error of this app answered here."""
    app.add_exception_handler(HomeGuardError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(WebSocketRequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)


def answer_to(error: HomeGuardError, scope: Scope) -> Response:
    """The answer to an error of ours in this request; a defect is also in the log."""
    trace_id = _trace_id(scope)
    if error.status == 500:
        _log.error("trace %s: %s", trace_id, error.message, exc_info=error)
    return error_response(error, trace_id)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, HomeGuardError)
    return answer_to(error, request.scope)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError | WebSocketRequestValidationError)
    found = [{"field": _place(e["loc"]), "message": _sentence(e)} for e in error.errors()[:20]]
    first = found[0] if found else {"field": "", "message": "not valid"}
    message = f"{first['field'] or 'the request'}: {first['message']}"
    details = {"field": first["field"], "errors": found}
    return _json(422, error_body("INVALID_INPUT", message, details, trace_id_of(request)), {})


def _place(where: Sequence[object]) -> str:
    """`parameters.value`: the path without `body`; a name that a caller made up is shortened to plain characters."""
    parts = [str(p) for p in where if p not in ("body", "query", "path", "header")]
    return ".".join(_UNPRINTABLE.sub("?", p)[:60] for p in parts)


def _sentence(error: Mapping[str, Any]) -> str:
    """What the model says, never what was sent."""
    return "unknown field" if error["type"] == "extra_forbidden" else str(error["msg"])[:200]


async def _plain(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, message = _CODES.get(error.status_code, ("HTTP_ERROR", "the request was refused"))
    body = error_body(code, message, {}, trace_id_of(request))
    return _json(error.status_code, body, dict(error.headers or {}))


def _json(status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    return Response(encode(body), status_code=status, headers=dict(headers), media_type="application/json")
