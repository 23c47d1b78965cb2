"""What may reach the chat from outside: one pure decision per request, and the headers every answer carries."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote, urlsplit

PREFIX: Final = "/chat"
COOKIE: Final = "homeguard_session"

#: Served to anyone: the files of the page itself, nothing that knows a person or a home.
OPEN: Final = re.compile(
    r"^/(assets/|public/|favicon$|logo$|avatars/|auth/config$|project/translations$|words$|health$)"
)
#: Never served: parts of the chat library that are not ours to offer (uploads, sharing, other logins, its own docs).
DENY: Final = re.compile(
    r"^/(mcp|copilot|docs|redoc|openapi\.json|slack|teams|auth/(oauth|header|jwt|azure)|login(/|$)|share(/|$)"
    r"|project/(share|thread/share|file$|element)|feedback)"
)
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

#: `unsafe-eval` is needed by custom elements; `img-src 'self'` stops an answer from fetching a picture elsewhere.
CHAT_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; frame-ancestors 'none'; "
    "base-uri 'self'; form-action 'self'"
)
_HTML: Final = re.compile(rb"<html\b[^>]*>")
_FOREIGN_LINK: Final = re.compile(rb"<link\b[^>]*https?://[^>]*>")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`pass`: on to the chat. Anything else is an answer with `status` (and `location` for a redirect)."""

    kind: Literal["pass", "reject", "redirect"]
    status: int = 200
    location: str = ""


_PASS: Final = Verdict("pass")


def judge_outside(kind: str, method: str, path: str, headers: Mapping[str, str]) -> Verdict:
    """The part of the decision that needs no session: `path` is below `/chat`, header names are lower case."""
    if kind == "http" and method in SAFE_METHODS and path == "/login":
        return Verdict("redirect", 303, login_url(f"{PREFIX}/"))
    if DENY.match(path):
        return Verdict("reject", 404)
    unsafe = kind == "websocket" or method not in SAFE_METHODS
    origin = headers.get("origin")
    if unsafe and origin is not None and urlsplit(origin).netloc != headers.get("host"):
        return Verdict("reject", 403)
    return _PASS


def needs_session(kind: str, path: str) -> bool:
    return kind == "websocket" or not OPEN.match(path)


def judge_stranger(kind: str, method: str, path: str, query: str, headers: Mapping[str, str]) -> Verdict:
    """What someone without a valid session gets: a page visit goes to the login page, the rest is 401."""
    if kind == "http" and method in SAFE_METHODS and "text/html" in headers.get("accept", ""):
        return Verdict("redirect", 303, login_url(f"{PREFIX}{path}" + (f"?{query}" if query else "")))
    return Verdict("reject", 401)


def login_url(then: str) -> str:
    """`/login` that returns to `then`, a path of this origin."""
    return f"/login?next={quote(then, safe='/')}"


def cookie(headers: Mapping[str, str], name: str = COOKIE) -> str | None:
    """The value of cookie `name`, None if absent; the first one wins."""
    for part in headers.get("cookie", "").split(";"):
        key, found, value = part.strip().partition("=")
        if found and key == name:
            return value.strip().strip('"') or None
    return None


def safe_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, without cross-origin permissions and with our own policy."""
    kept = [
        (k, v)
        for k, v in headers
        if not k.lower().startswith(b"access-control-") and k.lower() not in (b"content-security-policy", b"server")
    ]
    return [
        *kept,
        (b"content-security-policy", CHAT_POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
    ]


def without_foreign_links(html: bytes) -> bytes:
    """The page without `<link>`s to other hosts: with those hosts unreachable it would stay blank."""
    return _FOREIGN_LINK.sub(b"", html)


def in_language(html: bytes, language: str) -> bytes:
    """The page with its language named, for those who have it read to them; `language` is a code of ours."""
    return _HTML.sub(b'<html lang="' + language.encode() + b'">', html, count=1)
