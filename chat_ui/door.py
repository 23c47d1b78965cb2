"""The door of `/chat`: guards every request, and brings in the chat library at the first signed-in visit."""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Final

from chat_ui import guard, opening
from chat_ui.languages import CHOICE, LANGUAGE, page_texts, wanted, words_in
from chat_ui.rest import TOKEN

log = logging.getLogger("homeguard.chat")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Verify = Callable[[str], Awaitable[dict[str, Any] | None]]

#: A body on its way to the chat: messages and button presses are small.
BODY_LIMIT: Final = 256 * 1024
#: A refused request's body is read up to here, so that the client sees the answer instead of a reset.
DRAIN_LIMIT: Final = 64 * 1024
#: Codes of a closed socket: the page goes to the login page, or tries again.
SIGNED_OUT: Final = 4401
RESTARTING: Final = 1012
_RETRY_AFTER_S: Final = 5.0
#: So long does a request wait for the chat library to be there.
_OPENING_WAIT_S: Final = 15.0
_LANGUAGE_ASKED: Final = re.compile(rb"((?:^|&)language=)[^&]*")


class _Leaving:
    """Tells one socket to close, and with which code."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.told = asyncio.Event()

    def leave(self, code: int) -> None:
        self.code = code
        self.told.set()


class Unsure(Exception):
    """Raised by `verify`: whether the token is good cannot be found out now."""


class ChatDoor:
    """ASGI: passes everything outside `/chat` on to `app`, answers `/chat` itself.

    `verify(token)` gives the claims of a valid session (with `session_id`, `sid` or `jti`) or None, or raises
    `Unsure`; it is asked on every request and every WebSocket handshake. `secret` signs the session cookie (HS256).
    `api_url` is where the chat reaches the REST API. `load(root, api_url, secret)` runs in a thread and gives the chat
    as an ASGI app.
    """

    def __init__(
        self,
        app: App,
        *,
        state_dir: Path,
        api_url: str,
        secret: str,
        verify: Verify,
        load: Callable[[Path, str, str], App] | None = None,
    ) -> None:
        self._app = app
        self._root = state_dir
        self._api_url = api_url
        self._secret = secret
        self._verify = verify
        self._load = load or _load_chainlit
        self._own_library = load is None
        self._chat: App | None = None
        self._opening: asyncio.Task[None] | None = None
        self._problem: str | None = None
        self._problem_at = 0.0
        self._sockets: dict[str, set[_Leaving]] = {}
        self._closed = False

    async def open(self) -> None:
        """Clears what an unclean end left behind. The chat library stays out until somebody visits."""
        await asyncio.to_thread(_clear_files, self._root)

    async def close(self) -> None:
        """Closes every socket of the chat, ends its tasks and its HTTP client, removes its temporary files.

        Call it before the server waits for its connections: each open chat holds a live stream of this same server.
        """
        self._closed = True
        for sockets in list(self._sockets.values()):
            for leaving in sockets:
                leaving.leave(RESTARTING)
        if self._opening is not None:
            await asyncio.wait({self._opening}, timeout=10)
        if self._chat is not None and self._own_library:
            from chat_ui.mounting import close_chainlit

            await close_chainlit()
        await asyncio.to_thread(_clear_files, self._root)

    def kick(self, session_id: str) -> int:
        """Closes the open sockets of a session that is no longer valid; gives how many there were."""
        sockets = self._sockets.get(session_id, set())
        for leaving in sockets:
            leaving.leave(SIGNED_OUT)
        return len(sockets)

    @property
    def ready(self) -> bool:
        return self._chat is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        inside = path == guard.PREFIX or path.startswith(guard.PREFIX + "/")
        if scope["type"] not in ("http", "websocket") or not inside:
            await self._app(scope, receive, send)
            return
        await self._answer(scope, path[len(guard.PREFIX) :], receive, send)

    async def _answer(self, scope: Scope, path: str, receive: Receive, send: Send) -> None:
        headers = {k.decode("latin1").lower(): v.decode("latin1") for k, v in scope["headers"]}
        kind, method = scope["type"], scope.get("method", "GET")
        verdict = guard.judge_outside(kind, method, path, headers)
        session_id, token = "", ""
        if verdict.kind == "pass" and guard.needs_session(kind, path):
            token = guard.cookie(headers) or ""
            try:
                claims = await self._verify(token) if token else None
            except Unsure:
                # no stranger: those are sent to sign in again
                await _refuse(scope, guard.Verdict("reject", 503), receive, send)
                return
            if claims is None:
                query = scope.get("query_string", b"").decode("latin1")
                verdict = guard.judge_stranger(kind, method, path, query, headers)
            else:
                session_id = str(claims.get("session_id") or claims.get("sid") or claims.get("jti") or token)
        if verdict.kind != "pass":
            await _refuse(scope, verdict, receive, send)
            return
        send = _guarded(send)
        language = wanted(guard.cookie(headers, CHOICE), headers.get("accept-language", ""))
        if kind == "http" and await self._own_page(path, method, bool(session_id), language, headers, send):
            return
        if self._chat is None and session_id:
            self._start()  # a page that outlived a restart knocks without being loaded again
        if self._chat is None and kind == "http" and self._opening is not None:
            # A page that is told "not now" where it asks who its person is takes them for signed out.
            await asyncio.wait({self._opening}, timeout=_OPENING_WAIT_S)
        chat = self._chat
        if chat is None or self._closed:
            await _refuse(scope, guard.Verdict("reject", 503), receive, send)
            return
        if kind == "http" and _too_long(headers):
            await _refuse(scope, guard.Verdict("reject", 413), receive, send)
            return
        TOKEN.set(token)
        LANGUAGE.set(language)
        known = {"homeguard.session_id": session_id, "homeguard.language": language}
        inner = {**scope, "root_path": guard.PREFIX, "query_string": _in(language, scope), **known}
        if "text/html" in headers.get("accept", ""):
            # A page must come uncompressed, it is rewritten on its way out.
            inner["headers"] = [(k, v) for k, v in scope["headers"] if k.lower() != b"accept-encoding"]
        if kind == "websocket":
            await self._socket(chat, inner, session_id, receive, send)
        else:
            await chat(inner, _bounded(receive), _rewriting(send, language))

    async def _own_page(
        self, path: str, method: str, signed_in: bool, language: str, headers: dict[str, str], send: Send
    ) -> bool:
        """Answers the door's own routes and the page shown while the chat library comes; True if it did."""
        if method not in guard.SAFE_METHODS:
            return False
        if path == "/words":
            kind, fresh = (b"content-type", b"application/json; charset=utf-8"), (b"cache-control", b"no-cache")
            await _respond(send, 200, page_texts(language), [kind, fresh])
            return True
        if not signed_in:
            return False
        if path == "":
            await _respond(send, 307, b"", [(b"location", f"{guard.PREFIX}/".encode())])
            return True
        if path == "/ready":
            if self._problem is None:
                self._start()
            body = json.dumps({"ready": self.ready, "problem": self._problem}).encode()
            await _respond(send, 200, body, [(b"content-type", b"application/json"), (b"cache-control", b"no-store")])
            return True
        if path == "/opening.js":
            await _respond(send, 200, opening.SCRIPT, [(b"content-type", b"text/javascript; charset=utf-8")])
            return True
        if self._chat is None and "text/html" in headers.get("accept", ""):
            self._start()
            page = opening.page(self._problem, words_in(language))
            kind = (b"content-type", b"text/html; charset=utf-8")
            await _respond(send, 500 if self._problem else 200, page, [kind, (b"cache-control", b"no-store")])
            return True
        return False

    def _start(self) -> None:
        if self._closed or self._chat is not None or (self._opening is not None and not self._opening.done()):
            return
        if self._problem and asyncio.get_running_loop().time() - self._problem_at < _RETRY_AFTER_S:
            return
        self._problem = None
        self._opening = asyncio.create_task(self._bring_in(), name="chat opening")

    async def _bring_in(self) -> None:
        try:
            self._chat = await asyncio.to_thread(self._load, self._root, self._api_url, self._secret)
        except Exception as error:
            log.exception("the chat could not be opened")
            self._problem = f"{type(error).__name__}: {error}"[:300]
            self._problem_at = asyncio.get_running_loop().time()

    async def _socket(self, chat: App, scope: Scope, session_id: str, receive: Receive, send: Send) -> None:
        leaving = _Leaving()
        self._sockets.setdefault(session_id, set()).add(leaving)
        told = asyncio.create_task(leaving.told.wait())

        async def receive_or_leave() -> Message:
            arriving = asyncio.ensure_future(receive())
            try:
                await asyncio.wait({arriving, told}, return_when=asyncio.FIRST_COMPLETED)
                if arriving.done():
                    return arriving.result()
            finally:
                if not arriving.done():
                    arriving.cancel()
            await send({"type": "websocket.close", "code": leaving.code, "reason": ""})
            return {"type": "websocket.disconnect", "code": leaving.code}

        async def send_unless_gone(message: Message) -> None:
            if leaving.code is None:
                await send(message)

        try:
            await chat(scope, receive_or_leave, send_unless_gone)
        finally:
            told.cancel()
            left = self._sockets.get(session_id, set())
            left.discard(leaving)
            if not left:
                self._sockets.pop(session_id, None)


def _load_chainlit(root: Path, api_url: str, secret: str) -> App:
    # Imported here because the library costs 90 MiB and over a second, which a home without chat must not pay.
    from chat_ui.mounting import load_chainlit

    return load_chainlit(root, api_url, secret)


def _clear_files(root: Path) -> None:
    import shutil

    shutil.rmtree(root / ".files", ignore_errors=True)


def _too_long(headers: dict[str, str]) -> bool:
    length = headers.get("content-length", "0")
    return not length.isdigit() or int(length) > BODY_LIMIT


def _bounded(receive: Receive) -> Receive:
    """A body that grows past the limit looks like a client that left."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return message if seen <= BODY_LIMIT else {"type": "http.disconnect"}

    return bounded


async def _refuse(scope: Scope, verdict: guard.Verdict, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": SIGNED_OUT if verdict.status == 401 else 1008})
        return
    drained = 0
    while drained <= DRAIN_LIMIT:
        message = await receive()
        drained += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    headers = [(b"cache-control", b"no-store")]
    if verdict.kind == "redirect":
        await _respond(_guarded(send), verdict.status, b"", [*headers, (b"location", verdict.location.encode())])
        return
    body = json.dumps({"error": {"code": _CODES.get(verdict.status, "REFUSED"), "message": _WORDS[verdict.status]}})
    await _respond(_guarded(send), verdict.status, body.encode(), [*headers, (b"content-type", b"application/json")])


_CODES: Final = {401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND", 413: "TOO_LARGE", 503: "NOT_READY"}
_WORDS: Final = {
    401: "Sign in first.",
    403: "This request came from another site.",
    404: "There is nothing here.",
    413: "That is too long.",
    503: "The chat is still opening.",
}


async def _respond(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


def _guarded(send: Send) -> Send:
    done = False

    async def guarded(message: Message) -> None:
        nonlocal done
        if message["type"] == "http.response.start" and not done:
            done = True
            message = {**message, "headers": guard.safe_headers(message.get("headers", []))}
        await send(message)

    return guarded


def _in(language: str, scope: Scope) -> bytes:
    """The query of a request, which asks for the visitor's language where the page asked for one."""
    query: bytes = scope.get("query_string", b"")
    return _LANGUAGE_ASKED.sub(b"\\g<1>" + language.encode(), query)


def _rewriting(send: Send, language: str) -> Send:
    """Holds an HTML answer back until it is whole, then sends it without links to other hosts, in its language."""
    start: Message | None = None
    body = b""

    async def rewriting(message: Message) -> None:
        nonlocal start, body
        if message["type"] == "http.response.start":
            names = {k.lower(): v for k, v in message.get("headers", [])}
            if names.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in names:
                start = message
                return
        elif start is not None and message["type"] == "http.response.body":
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            page = guard.in_language(guard.without_foreign_links(body), language)
            kept = [(k, v) for k, v in start["headers"] if k.lower() != b"content-length"]
            await _respond(send, start["status"], page, kept)
            return
        await send(message)

    return rewriting
