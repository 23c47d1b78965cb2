"""The chat's one way to the home: the REST API, asked with the session cookie of the person who chats."""

import base64
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from contextvars import ContextVar
from datetime import datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import quote

import httpx2

from chat_ui.languages import Words

#: The session cookie's value of the request or socket being served; set by the door.
TOKEN: ContextVar[str] = ContextVar("homeguard_chat_token", default="")

_WAIT: Final = httpx2.Timeout(15.0, connect=5.0)
#: Between two bytes of a stream; the server pings every 15 s.
_STREAM_WAIT: Final = httpx2.Timeout(15.0, connect=5.0, read=60.0)
#: A turn may wait for a slow model without a byte.
_TURN_WAIT: Final = httpx2.Timeout(15.0, connect=5.0, read=180.0)
_EVENT_LIMIT: Final = 1024 * 1024

Json = dict[str, Any]


class RestProblem(Exception):
    """The REST API did not do it. `kind` names what the person is told of it (`problem.<kind>`), `said` is what the
    server had to say, `status` the HTTP status (0: not reached), `wait_s` when to try again, empty if unknown."""

    def __init__(self, kind: str, *, said: str = "", status: int = 0, code: str = "", wait_s: str = "") -> None:
        super().__init__(said or kind)
        self.kind = kind
        self.said = said
        self.status = status
        self.code = code
        self.wait_s = wait_s

    def sentence(self, words: Words) -> str:
        """For the person."""
        if self.kind == "told":
            return self.said or words.say("problem.told")
        if self.kind == "busy" and self.wait_s:
            return words.say("problem.busy_for", n=self.wait_s)
        return words.say(f"problem.{self.kind}")


class SignedOut(RestProblem):
    """The person's session is over."""

    def __init__(self) -> None:
        super().__init__("signed_out", status=401, code="UNAUTHORIZED")


class Rest:
    """Calls of the REST API below `api_url`. Every call takes the session `token` of the person it is for.

    Raises:
        SignedOut: the session is over.
        RestProblem: anything else that went wrong, which has a sentence for the person.
    """

    def __init__(self, api_url: str, *, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        # A jar that keeps nothing: a cookie set for one person must never travel with another's request.
        jar = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        self._http = httpx2.AsyncClient(
            base_url=api_url.rstrip("/"),
            timeout=_WAIT,
            cookies=jar,
            trust_env=False,
            follow_redirects=False,
            transport=transport,
            limits=httpx2.Limits(max_connections=2000, max_keepalive_connections=20),
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def me(self, token: str) -> Json:
        return await self._json("GET", "/api/v1/users/me", token)

    async def devices(self, token: str) -> list[Json]:
        return _items(await self._json("GET", "/api/v1/devices", token, params={"limit": "200"}))

    async def windows(
        self, token: str, device_id: str, metric: str, *, start: datetime, end: datetime, every_minutes: int
    ) -> Json:
        """`{"items": [{"start", "average", "minimum", "maximum"}], "unit"}` of one metric, oldest first."""
        params = {
            "device_id": device_id, "metric": metric, "from": start.isoformat(), "to": end.isoformat(),
            "every": str(every_minutes), "limit": "1000",
        }  # fmt: skip
        return await self._json("GET", "/api/v1/analytics/aggregates", token, params=params)

    async def measured(self, token: str) -> list[Json]:
        """What each device measures: `{"device_id", "metric", "unit"}`."""
        metrics = (await self._json("GET", "/api/v1/analytics/summary", token)).get("metrics")
        return [item for item in metrics if isinstance(item, dict)] if isinstance(metrics, list) else []

    async def threads(self, token: str, *, limit: int, search: str | None, cursor: str | None) -> Json:
        """`{"items": [{"id", "title", "created_at", "updated_at"}], "next_cursor"}`, newest first."""
        params = {"limit": str(limit)} | ({"search": search} if search else {}) | ({"cursor": cursor} if cursor else {})
        return await self._json("GET", "/api/v1/ai/chat/threads", token, params=params)

    async def history(self, token: str, thread_id: str) -> list[Json]:
        """The messages of a conversation, oldest first; at most 1000."""
        params = {"thread_id": thread_id, "limit": "1000"}
        return _items(await self._json("GET", "/api/v1/ai/chat/history", token, params=params))

    async def rename(self, token: str, thread_id: str, title: str) -> None:
        await self._json("PATCH", f"/api/v1/ai/chat/threads/{quote(thread_id, safe='')}", token, body={"title": title})

    async def forget(self, token: str, thread_id: str) -> None:
        await self._json("DELETE", "/api/v1/ai/chat/history", token, params={"thread_id": thread_id})

    async def cards(self, token: str) -> list[Json]:
        """The confirmations that are open in this person's home."""
        return _items(await self._json("GET", "/api/v1/confirmations", token))

    async def card(self, token: str, card_id: str) -> Json:
        return await self._json("GET", f"/api/v1/confirmations/{quote(card_id, safe='')}", token)

    async def answer(self, token: str, card_id: str, *, approve: bool, pin: str | None) -> Json:
        """The card as it is after the answer, with what came of it."""
        body: Json = {"approve": approve} | ({"pin": pin} if pin else {})
        told = await self._json("POST", f"/api/v1/confirmations/{quote(card_id, safe='')}", token, body=body)
        card = told.get("confirmation")
        return card if isinstance(card, dict) else told

    async def sign_out(self, token: str) -> None:
        await self._json("POST", "/api/v1/auth/logout", token, body={})

    async def turn(self, token: str, message: str, thread_id: str | None) -> AsyncGenerator[tuple[str, Json], None]:
        """The events of one turn as `(name, data)`, until the server ends the stream; None begins a conversation."""
        body: Json = {"message": message} | ({"thread_id": thread_id} if thread_id else {"new_thread": True})
        async with aclosing(self._events("POST", "/api/v1/ai/chat/stream", token, _TURN_WAIT, body)) as events:
            async for event in events:
                if event[0] != "connected":
                    yield event

    async def live(self, token: str) -> AsyncGenerator[tuple[str, Json], None]:
        """`("connected", {})`, then what happens in the home as `(name, data)`, until the connection ends."""
        async with aclosing(self._events("GET", "/api/v1/events/stream", token, _STREAM_WAIT, None)) as events:
            async for event in events:
                yield event

    async def _events(
        self, method: str, path: str, token: str, wait: httpx2.Timeout, body: Json | None
    ) -> AsyncGenerator[tuple[str, Json], None]:
        try:
            async with self._http.sse(
                path, method=method, json=body, headers=_headers(token), timeout=wait, max_event_size=_EVENT_LIMIT
            ) as source:
                if source.response.status_code >= 400:
                    await source.response.aread()
                    raise _problem(source.response)
                yield "connected", {}
                async for event in source:
                    data = _object(event.data)
                    if data is not None:
                        yield (event.event if event.event != "message" else str(data.get("type", ""))), data
        except httpx2.HTTPError as error:
            raise RestProblem("away") from error

    async def _json(
        self, method: str, path: str, token: str, *, params: dict[str, str] | None = None, body: Json | None = None
    ) -> Json:
        try:
            answer = await self._http.request(method, path, params=params, json=body, headers=_headers(token))
        except httpx2.HTTPError as error:
            raise RestProblem("away") from error
        if answer.status_code >= 400:
            raise _problem(answer)
        return _object(answer.text) or {}


def identifier(token: str) -> str:
    """The e-mail that a session cookie belongs to; empty for nonsense."""
    return _claim(token, "identifier")


def user_id(token: str) -> str:
    """The id of the person that a session cookie belongs to; empty for nonsense."""
    return _claim(token, "sub")


def display_name(token: str) -> str:
    """How the person of a session cookie is called; empty for nonsense."""
    return _claim(token, "display_name")


def _claim(token: str, name: str) -> str:
    # The door has already checked the signature.
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return str(claims[name])
    except (IndexError, KeyError, ValueError, TypeError):
        return ""


def _headers(token: str) -> dict[str, str]:
    return {"cookie": f"homeguard_session={token}"}


def _object(text: str) -> Json | None:
    try:
        value = json.loads(text) if text else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _items(answer: Json) -> list[Json]:
    items = answer.get("items")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _problem(answer: httpx2.Response) -> RestProblem:
    error = (_object(answer.text) or {}).get("error")
    details = error if isinstance(error, dict) else {}
    code, said = str(details.get("code", "")), str(details.get("message", ""))
    status = answer.status_code
    if status == 401:
        return SignedOut()
    if status == 429 and code != "PIN_LOCKED":
        wait = answer.headers.get("retry-after", "")
        return RestProblem("busy", status=status, code=code, wait_s=wait if wait.isdigit() else "")
    if status >= 500:
        return RestProblem("broken", status=status, code=code)
    return RestProblem("told", said=said, status=status, code=code)
