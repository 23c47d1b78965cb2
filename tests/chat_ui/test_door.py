"""The door of the chat: who comes in, what never answers, and what is shown while the chat is being opened."""

import asyncio
import json
import threading
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from chat_ui.door import BODY_LIMIT, SIGNED_OUT, ChatDoor, Unsure
from chat_ui.guard import without_foreign_links

Message = MutableMapping[str, Any]
GOOD = "good-token"
HTML = [("accept", "text/html,*/*")]
SIGNED_IN = [("cookie", f"other=1; homeguard_session={GOOD}")]
PAGE = b'<html><head><link href="https://fonts.gstatic.com"/><link rel="icon" href="/chat/favicon"></head></html>'


async def verify(token: str) -> dict[str, Any] | None:
    return {"session_id": "s1"} if token == GOOD else None


async def outside(scope: Message, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"outside"})


class Inside:
    """Stands where the chat library does; keeps what reached it."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.headers: list[Any] = []
        self.query = b""
        self.body = b""
        self.ended = asyncio.Event()
        self.left: Message | None = None

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])
        self.headers = scope["headers"]
        self.query = scope.get("query_string", b"")
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            self.left = await receive()
            self.ended.set()
            return
        while True:
            message = await receive()
            self.body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.left = message
        headers = [(b"content-type", b"text/html"), (b"access-control-allow-origin", b"*"), (b"content-length", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE[:20], "more_body": True})
        await send({"type": "http.response.body", "body": PAGE[20:]})


class Answer:
    def __init__(self, messages: list[Message]) -> None:
        self.status = messages[0]["status"]
        self.headers = {k.decode().lower(): v.decode() for k, v in messages[0]["headers"]}
        self.body = b"".join(m.get("body", b"") for m in messages[1:])


async def ask(
    door: ChatDoor,
    path: str,
    method: str = "GET",
    headers: list[tuple[str, str]] | None = None,
    chunks: tuple[bytes, ...] = (b"",),
) -> Answer:
    sent: list[Message] = []
    rest = list(chunks)

    async def receive() -> Message:
        if not rest:
            return {"type": "http.disconnect"}
        chunk = rest.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(rest)}

    async def send(message: Message) -> None:
        sent.append(message)

    path, _, query = path.partition("?")
    given = [("host", "home.local"), *(headers or [])]
    scope = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(), "scheme": "http",
        "headers": [(k.encode(), v.encode()) for k, v in given],
    }  # fmt: skip
    await door(scope, receive, send)
    return Answer(sent)


async def knock(door: ChatDoor, path: str, headers: list[tuple[str, str]]) -> list[Message]:
    """A WebSocket handshake; gives what the door sent."""
    sent: list[Message] = []
    first = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]

    async def receive() -> Message:
        return first.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    given = [("host", "home.local"), *headers]
    await door(_socket_scope(path, given), receive, send)
    return sent


def _socket_scope(path: str, headers: list[tuple[str, str]]) -> Message:
    raw = [(k.encode(), v.encode()) for k, v in headers]
    return {"type": "websocket", "path": path, "query_string": b"", "scheme": "ws", "headers": raw}


def make(tmp_path: Path, load: Any) -> ChatDoor:
    return ChatDoor(
        outside, state_dir=tmp_path, api_url="http://127.0.0.1:1", secret="s" * 32, verify=verify, load=load
    )


@pytest.fixture
async def inside() -> Inside:
    return Inside()


@pytest.fixture
async def door(tmp_path: Path, inside: Inside) -> ChatDoor:
    """A door whose chat is open already."""
    made = make(tmp_path, lambda root, api_url, secret: inside)
    await ask(made, "/chat/", headers=HTML + SIGNED_IN)
    assert made._opening is not None
    await made._opening
    return made


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/chat/mcp"), ("DELETE", "/chat/mcp"), ("GET", "/chat/docs"), ("GET", "/chat/redoc"),
        ("GET", "/chat/openapi.json"), ("GET", "/chat/copilot/index.js"), ("POST", "/chat/login"),
        ("GET", "/chat/login/callback"), ("POST", "/chat/auth/jwt"), ("POST", "/chat/auth/header"),
        ("GET", "/chat/auth/oauth/github"), ("POST", "/chat/project/file"), ("PUT", "/chat/project/thread/share"),
        ("PUT", "/chat/project/element"), ("DELETE", "/chat/project/element"),
        ("GET", "/chat/project/share/t1"), ("GET", "/chat/share/t1"), ("PUT", "/chat/feedback"),
        ("DELETE", "/chat/feedback"), ("POST", "/chat/slack/events"), ("POST", "/chat/teams/events"),
    ],
)  # fmt: skip
async def test_what_is_not_ours_to_offer_is_not_there_even_when_signed_in(
    door: ChatDoor, inside: Inside, method: str, path: str
) -> None:
    answer = await ask(door, path, method, SIGNED_IN)

    assert (answer.status, inside.paths) == (404, [])


@pytest.mark.parametrize(
    "path",
    ["/chat/assets/a.js", "/chat/public/logo.svg", "/chat/favicon", "/chat/logo", "/chat/avatars/HomeGuard",
     "/chat/auth/config", "/chat/project/translations"],
)  # fmt: skip
async def test_files_of_the_page_are_served_to_anyone(door: ChatDoor, inside: Inside, path: str) -> None:
    assert (await ask(door, path)).status == 200
    assert inside.paths == [path]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/chat/user"), ("POST", "/chat/project/action"), ("POST", "/chat/project/threads"),
     ("GET", "/chat/project/settings"), ("GET", "/chat/project/thread/t1"), ("DELETE", "/chat/project/thread"),
     ("POST", "/chat/set-session-cookie"), ("POST", "/chat/logout"), ("GET", "/chat/ready")],
)  # fmt: skip
@pytest.mark.parametrize("cookie", [[], [("cookie", "homeguard_session=forged")], [("cookie", "homeguard_session=")]])
async def test_without_a_valid_session_everything_else_is_401(
    door: ChatDoor, inside: Inside, method: str, path: str, cookie: list[tuple[str, str]]
) -> None:
    answer = await ask(door, path, method, cookie)

    assert (answer.status, inside.paths) == (401, [])


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/chat", "/login?next=/chat"),
        ("/chat/", "/login?next=/chat/"),
        ("/chat/thread/a%20b?x=1&y=//evil", "/login?next=/chat/thread/a%2520b%3Fx%3D1%26y%3D//evil"),
        ("/chat/login", "/login?next=/chat/"),
    ],
)
async def test_a_stranger_who_opens_a_page_comes_to_the_login(door: ChatDoor, path: str, location: str) -> None:
    answer = await ask(door, path, headers=HTML)

    assert (answer.status, answer.headers["location"]) == (303, location)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://home.local", 200),
        (None, 200),
        ("http://evil.example", 403),
        ("null", 403),
        ("http://home.local:1", 403),
    ],
)
async def test_a_write_from_another_site_is_refused(door: ChatDoor, origin: str | None, status: int) -> None:
    headers = SIGNED_IN + ([("origin", origin)] if origin else [])

    assert (await ask(door, "/chat/project/action", "POST", headers)).status == status


@pytest.mark.parametrize(
    ("headers", "first"),
    [
        ([*SIGNED_IN, ("origin", "http://home.local")], {"type": "websocket.accept"}),
        ([*SIGNED_IN, ("origin", "http://evil.example")], {"type": "websocket.close", "code": 1008}),
        ([("origin", "http://home.local")], {"type": "websocket.close", "code": SIGNED_OUT}),
        ([("cookie", "homeguard_session=forged")], {"type": "websocket.close", "code": SIGNED_OUT}),
    ],
)
async def test_a_socket_opens_only_from_our_page_and_with_a_session(
    door: ChatDoor, headers: list[tuple[str, str]], first: Message
) -> None:
    assert (await knock(door, "/chat/ws/socket.io/", headers))[0] == first


async def test_a_page_has_our_policy_no_foreign_permissions_and_no_foreign_links(door: ChatDoor) -> None:
    answer = await ask(door, "/chat/", headers=HTML + SIGNED_IN)

    assert answer.body == b'<html lang="en"><head><link rel="icon" href="/chat/favicon"></head></html>'
    assert answer.headers["content-length"] == str(len(answer.body))
    assert "access-control-allow-origin" not in answer.headers
    assert "img-src 'self' data: blob:;" in answer.headers["content-security-policy"]
    assert (answer.headers["x-content-type-options"], answer.headers["referrer-policy"]) == ("nosniff", "same-origin")


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ([("accept-language", "de-CH, en;q=0.5")], "de"),
        ([("accept-language", "de"), ("cookie", f"homeguard_language=fr; homeguard_session={GOOD}")], "fr"),
        ([("cookie", 'homeguard_language="><script>; homeguard_session=good-token')], "en"),
    ],
)
async def test_a_visitor_is_answered_in_their_language(
    door: ChatDoor, inside: Inside, headers: list[tuple[str, str]], language: str
) -> None:
    signed = headers if any(k == "cookie" for k, _ in headers) else [*headers, *SIGNED_IN]
    words = await ask(door, "/chat/words", headers=headers)
    page = await ask(door, "/chat/", headers=HTML + signed)

    assert json.loads(words.body)["language"] == language
    assert page.body.startswith(f'<html lang="{language}">'.encode())
    await ask(door, "/chat/project/translations?language=xx&b=1", headers=signed)
    assert inside.query == b"language=" + language.encode() + b"&b=1"


async def test_a_page_is_asked_for_uncompressed_because_it_is_rewritten(door: ChatDoor, inside: Inside) -> None:
    await ask(door, "/chat/", headers=[*HTML, *SIGNED_IN, ("accept-encoding", "gzip")])
    assert not any(k == b"accept-encoding" for k, _ in inside.headers)

    await ask(door, "/chat/assets/a.js", headers=[("accept-encoding", "gzip")])
    assert (b"accept-encoding", b"gzip") in inside.headers


def test_only_links_to_other_hosts_are_removed() -> None:
    page = b'<link rel="x"\n href="https://cdn.jsdelivr.net/k.css"\n/><link href="/a.css"><a href="https://b">c</a>'

    assert without_foreign_links(page) == b'<link href="/a.css"><a href="https://b">c</a>'


async def test_a_long_body_does_not_reach_the_chat(door: ChatDoor, inside: Inside) -> None:
    said = str(BODY_LIMIT + 1)
    refused = await ask(door, "/chat/project/action", "POST", [*SIGNED_IN, ("content-length", said)], (b"x" * 99,))
    assert (refused.status, inside.body) == (413, b"")

    await ask(door, "/chat/project/action", "POST", SIGNED_IN, (b"x" * 1000, b"x" * BODY_LIMIT, b"x"))
    assert (inside.left, len(inside.body)) == ({"type": "http.disconnect"}, 1000)


async def test_the_chat_is_loaded_at_the_first_signed_in_visit_and_once(tmp_path: Path) -> None:
    begin, loads = threading.Event(), []

    def load(root: Path, api_url: str, secret: str) -> Inside:
        loads.append((root, api_url, secret))
        assert begin.wait(10)
        return Inside()

    door = make(tmp_path, load)
    await door.open()
    await ask(door, "/chat/", headers=HTML)
    await ask(door, "/chat/assets/a.js")
    assert loads == []

    first = await ask(door, "/chat/thread/t1", headers=HTML + SIGNED_IN)
    second = await ask(door, "/chat/", headers=HTML + SIGNED_IN)
    ready = await ask(door, "/chat/ready", headers=SIGNED_IN)
    waiting = asyncio.create_task(ask(door, "/chat/user", headers=SIGNED_IN))
    assert [first.status, second.status, ready.body] == [200, 200, b'{"ready": false, "problem": null}']
    assert b"Your chat is opening" in first.body
    assert b"/chat/opening.js" in first.body
    assert (await ask(door, "/chat/opening.js", headers=SIGNED_IN)).headers["content-type"].startswith("text/javasc")

    assert not waiting.done()
    begin.set()
    assert (await waiting).status == 200
    assert (await ask(door, "/chat/ready", headers=SIGNED_IN)).body == b'{"ready": true, "problem": null}'
    assert (await ask(door, "/chat", headers=HTML + SIGNED_IN)).headers["location"] == "/chat/"
    assert loads == [(tmp_path, "http://127.0.0.1:1", "s" * 32)]


async def test_a_chat_that_cannot_be_opened_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def load(root: Path, api_url: str, secret: str) -> Inside:
        raise ModuleNotFoundError("No module named '<chat>'")

    door = make(tmp_path, load)
    await ask(door, "/chat/", headers=HTML + SIGNED_IN)
    assert door._opening is not None
    await door._opening

    answer = await ask(door, "/chat/", headers=HTML + SIGNED_IN)
    assert answer.status == 500
    assert b"The chat could not be opened" in answer.body
    assert b"&lt;chat&gt;" in answer.body
    assert "the chat could not be opened" in caplog.text


async def test_a_revoked_session_loses_its_sockets_and_no_other(door: ChatDoor, inside: Inside) -> None:
    sent: list[Message] = []
    accepted, never = asyncio.Event(), asyncio.Event()
    first = [{"type": "websocket.connect"}]

    async def receive() -> Message:
        if first:
            return first.pop(0)
        await never.wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)
        accepted.set()

    scope = _socket_scope("/chat/ws/socket.io/", [("host", "home.local"), *SIGNED_IN])
    serving = asyncio.create_task(door(scope, receive, send))
    await accepted.wait()

    assert door.kick("another") == 0
    assert door.kick("s1") == 1
    await asyncio.wait_for(serving, 5)
    assert inside.left == {"type": "websocket.disconnect", "code": SIGNED_OUT}
    assert sent[-1] == {"type": "websocket.close", "code": SIGNED_OUT, "reason": ""}
    assert door.kick("s1") == 0


async def test_everything_outside_the_chat_passes_untouched(door: ChatDoor) -> None:
    for path in ("/", "/api/v1/devices", "/chatter", "/login"):
        answer = await ask(door, path)
        assert (answer.status, answer.headers, answer.body) == (299, {}, b"outside")


async def test_who_cannot_be_verified_now_is_told_to_come_back_and_not_sent_to_sign_in(tmp_path: Path, inside: Inside):
    async def unsure(_: str) -> None:
        raise Unsure

    door = ChatDoor(
        outside, state_dir=tmp_path, api_url="http://127.0.0.1:1", secret="s" * 32, verify=unsure,
        load=lambda root, api_url, secret: inside,
    )  # fmt: skip
    assert (await ask(door, "/chat/", headers=HTML + SIGNED_IN)).status == 503
    assert inside.paths == []
