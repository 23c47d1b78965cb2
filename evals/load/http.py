"""Requests of a load run over HTTP/1.1: one keep-alive connection a sender, opened again when it breaks."""

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from evals.load.events import Events
from evals.load.plan import Plan
from evals.load.result import Result
from homeguard.errors import InvalidInput

_PATH: Final = "/api/v1/events"
_LIMIT: Final = 1 << 22


class _Receipt(msgspec.Struct):
    rejected: tuple[msgspec.Raw, ...] = ()


class HttpSender:
    """A `Sender` of events. `token` is asked for each request: tokens may end before a run does."""

    def __init__(self, url: str, token: Callable[[], str], events: Events, plan: Plan) -> None:
        """Raises InvalidInput: the address is none of HTTP."""
        self._place = _read(url)
        self._token = token
        self._events = events
        self._plan = plan
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, due: float, result: Result) -> None:
        body = self._events.body(self._plan.batch)
        try:
            async with asyncio.timeout(self._plan.timeout_s):
                status, answer = await self._exchange(self._request(body))
        except TimeoutError:
            result.unanswered(self._plan.batch, "no answer in time")
            await self.close()
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            result.unanswered(self._plan.batch, type(error).__name__)
            await self.close()
        else:
            result.sent_bytes += len(body)
            refused = _refused(answer) if status == 202 and self._plan.batch > 1 else 0
            result.answered(status, self._plan.batch, time.perf_counter() - due, refused)

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    def _request(self, body: bytes) -> bytes:
        token = self._token()
        shown = f"X-Device-Token: {token}" if token.startswith("hgd_") else f"Authorization: Bearer {token}"
        head = (
            f"POST {self._place.path}{_PATH} HTTP/1.1\r\nHost: {self._place.netloc}\r\n"
            f"Content-Type: application/json\r\n{shown}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def _exchange(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. Raises ValueError: it is no HTTP/1.1 answer with a length."""
        if self._streams is None:
            port = self._place.port or (443 if self._place.scheme == "https" else 80)
            tls = ssl.create_default_context() if self._place.scheme == "https" else None
            self._streams = await asyncio.open_connection(self._place.hostname, port, limit=_LIMIT, ssl=tls)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        at = head.find(b"\r\ncontent-length:")
        length = int(head[at + 17 : head.index(b"\r\n", at + 2)]) if at >= 0 else -1
        if length < 0:
            raise ValueError("an answer without a length")
        body = await reader.readexactly(length)
        if b"\r\nconnection: close" in head:
            await self.close()
        return status, body


def _read(url: str) -> SplitResult:
    try:
        place = urlsplit(url.rstrip("/"))
        known = place.scheme in ("http", "https") and bool(place.hostname) and place.port != 0
    except ValueError:
        known = False
    if not known:
        raise InvalidInput(f"'{url[:200]}' is no address of HomeGuard, such as http://127.0.0.1:8000", field="url")
    return place


def _refused(answer: bytes) -> int:
    return len(msgspec.json.decode(answer, type=_Receipt).rejected)
