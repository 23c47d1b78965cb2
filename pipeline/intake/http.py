"""The HTTP door of the intake: a plain ASGI endpoint, because a framework's route costs more than the work."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from homeguard.errors import HomeGuardError, InvalidInput, Overloaded, PayloadTooLarge
from pipeline.intake.bounds import MAX_BODY_BYTES
from pipeline.intake.intake import Intake, Origin, Receipt
from pipeline.intake.turns import SMALL_BYTES, Turns

_NDJSON: Final = frozenset(
    (b"application/x-ndjson", b"application/ndjson", b"application/jsonl", b"application/x-jsonlines")
)


class IntakeEndpoint:
    """`POST /telemetry` and `POST /api/v1/events`: 202 once it is on disk.

    `authenticate` turns a request into an origin by its headers, or raises; `error_response` gives an error its HTTP
    shape. An array or NDJSON is answered `{"accepted", "rejected": [{"index", "code", "message", "field"}]}` also
    when every item was refused; a single object that is refused is an error. Under load, items that are OVERLOADED may
    be sent again after `Retry-After` seconds; when nothing but them was sent, the answer is 503. That is also the
    answer, unread, to a body of more than 16 KiB for which there is no turn; a single event of less is always judged.
    """

    def __init__(
        self,
        intake: Intake,
        authenticate: Callable[[Scope], Awaitable[Origin]],
        error_response: Callable[[HomeGuardError], Response],
    ) -> None:
        self._intake = intake
        self._authenticate = authenticate
        self._error_response = error_response
        self._turns = intake.turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            receipt = await self._take(scope, receive)
        except HomeGuardError as error:
            response = self._error_response(error)
            if isinstance(error, Overloaded):
                # its traceback holds the body, which need not wait as well
                error.with_traceback(None)
                await self._turns.hesitate()
                if _must_end(scope):
                    response.headers["connection"] = "close"
            await response(scope, receive, send)
            return
        if receipt is None:
            return
        answer = msgspec.json.encode(_shown(receipt))
        told = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        if receipt.retry_after_s is not None:
            told.append((b"retry-after", str(receipt.retry_after_s).encode()))
        await send({"type": "http.response.start", "status": 202, "headers": told})
        await send({"type": "http.response.body", "body": answer})

    async def _take(self, scope: Scope, receive: Receive) -> Receipt | None:
        """None when the client went away."""
        said = dict(scope["headers"])
        if SMALL_BYTES < _declared(said) <= MAX_BODY_BYTES:
            # before all else, because finding out who sends it costs more than the refusal
            self._turns.begin()
        origin = await self._authenticate(scope)
        kind = said.get(b"content-type", b"").partition(b";")[0].strip().lower()
        body = await _read(said, receive, self._turns)
        if body is None:
            return None
        try:
            return await self._intake.receive(body, origin, ndjson=kind in _NDJSON)
        finally:
            if len(body) > SMALL_BYTES:
                self._turns.let_go(len(body))


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


async def _read(said: Mapping[bytes, bytes], receive: Receive, turns: Turns) -> bytes | None:
    """The body, at most 8 MiB of it in memory; None when the client went away. A large one counts as held when it is
    given."""
    if said.get(b"content-encoding", b"identity").lower() != b"identity":
        raise InvalidInput("send the body uncompressed", field="content-encoding")
    if _declared(said) > MAX_BODY_BYTES:
        raise _too_large()
    chunks: list[bytes] = []
    size = held = 0
    is_given = False
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise _too_large()
            if size > SMALL_BYTES:
                turns.hold(size - held)
                held = size
            chunks.append(chunk)
            if not message.get("more_body", False):
                is_given = True
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    finally:
        if not is_given:
            turns.let_go(held)


def _declared(said: Mapping[bytes, bytes]) -> int:
    """Bytes, 0 when nothing is said."""
    length = said.get(b"content-length", b"")
    return int(length[:20]) if length.isdigit() else 0


def _must_end(scope: Scope) -> bool:
    """After a refusal the rest of the body is read and dropped, so that senders in the middle of it see the answer and
    can go on; but not one that has no end, nor one that was never asked for."""
    said = dict(scope["headers"])
    return b"content-length" not in said or b"expect" in said


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(f"a body has at most {MAX_BODY_BYTES} bytes", limit_bytes=MAX_BODY_BYTES)
