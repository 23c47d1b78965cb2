"""The HTTP door of the intake: a plain ASGI endpoint, because a framework's route costs more than the work."""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from homeguard.errors import HomeGuardError, InvalidInput, PayloadTooLarge
from pipeline.intake.bounds import MAX_BODY_BYTES
from pipeline.intake.intake import Intake, Origin, Receipt

_NDJSON: Final = frozenset(
    ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
)


class IntakeEndpoint:
    """`POST /telemetry` and `POST /api/v1/events`: 202 once it is on disk.

    `authenticate` turns the request's headers into an origin, or raises; `error_response` gives an error its HTTP
    shape. An array or NDJSON is answered `{"accepted", "rejected": [{"index", "code", "message", "field"}]}` also
    when every item was refused; a single object that is refused is an error.
    """

    def __init__(
        self,
        intake: Intake,
        authenticate: Callable[[Headers], Awaitable[Origin]],
        error_response: Callable[[HomeGuardError], Response],
    ) -> None:
        self._intake = intake
        self._authenticate = authenticate
        self._error_response = error_response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            origin = await self._authenticate(headers)
            body = await _read(headers, receive)
            if body is None:
                return
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            receipt = await self._intake.receive(body, origin, ndjson=kind in _NDJSON)
        except HomeGuardError as error:
            await self._error_response(error)(scope, receive, send)
            return
        answer = msgspec.json.encode(_shown(receipt))
        await send(
            {
                "type": "http.response.start",
                "status": 202,
                "headers": [
                    (b"content-type", b"application/json"),
                    (b"content-length", str(len(answer)).encode()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": answer})


def _shown(receipt: Receipt) -> dict[str, object]:
    shown: dict[str, object] = {
        "accepted": receipt.accepted,
        "rejected": [
            {"index": r.index, "code": r.code, "message": r.message, "field": r.field} for r in receipt.rejected
        ],
    }
    if receipt.is_single:
        shown["event_id"] = receipt.event_ids[0]
    return shown


async def _read(headers: Headers, receive: Receive) -> bytes | None:
    """The body, at most 8 MiB of it in memory; None when the client went away."""
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise InvalidInput("send the body uncompressed", field="content-encoding")
    declared = headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > MAX_BODY_BYTES:
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(f"a body has at most {MAX_BODY_BYTES} bytes", limit_bytes=MAX_BODY_BYTES)
