"""The tokens that HomeGuard issues: how each is made and how it is read. No store, no decision."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

import jwt

from homeguard.clock import Clock
from homeguard.errors import NotSignedIn
from homeguard.identity.keys import chat_secret, derive
from homeguard.ids import new_id

ISSUER: Final = "homeguard"
ACCESS_TTL: Final = timedelta(minutes=15)
REFRESH_TTL: Final = timedelta(days=7)
CHAT_TTL: Final = timedelta(hours=12)
OPERATOR_TTL: Final = timedelta(minutes=5)
Audience = Literal["api", "mcp"]
Kind = Literal["access", "chat", "operator"]

_AUDIENCES: Final[Mapping[Audience, str]] = {"api": "homeguard-api", "mcp": "homeguard-mcp"}
_MAX_LENGTH: Final = 4096
#: How far ahead of our clock a token's times may lie.
SKEW: Final = timedelta(seconds=60)
#: 256 bits in base64 as we write them: a reader would also take other last letters, and padding.
_SIGNATURE: Final = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
_REFRESH: Final = "hgr_"
_CLIENT: Final = "hg_"
_DEVICE: Final = "hgd_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a signed token says, once signature, kind, audience and times are checked. `email` is an operator's."""

    kind: Kind
    user_id: str = ""
    session_id: str = ""
    email: str = ""


def digest(token: str) -> str:
    """The SHA-256 of a token, in hex: all that a store keeps of an opaque one."""
    return hashlib.sha256(token.encode("utf-8", errors="surrogatepass")).hexdigest()


def new_client_token() -> str:
    """`hg_` and 256 random bits."""
    return _CLIENT + secrets.token_urlsafe(32)


def new_device_token() -> str:
    """`hgd_` and 256 random bits."""
    return _DEVICE + secrets.token_urlsafe(32)


def is_client_token(token: str) -> bool:
    return token.startswith(_CLIENT)


def is_device_token(token: str) -> bool:
    return token.startswith(_DEVICE)


class Tokens:
    """Makes and reads the tokens of one installation. Each kind has its own key, so none passes for another."""

    def __init__(self, key: bytes, clock: Clock, wall: Clock | None = None) -> None:
        """`wall` is for operators' tokens, which another process makes by the machine's clock."""
        self._clock = clock
        self._wall = wall or clock
        self._keys: Mapping[Kind, str | bytes] = {
            "access": derive(key, "access"),
            "chat": chat_secret(key),
            "operator": derive(key, "operator"),
        }
        self._refresh_key = derive(key, "refresh")

    def access(self, user_id: str, session_id: str) -> str:
        """15 minutes, for the API."""
        return self._sign("access", ACCESS_TTL, {"aud": _AUDIENCES["api"], "sub": user_id, "sid": session_id})

    def chat(self, user_id: str, session_id: str, *, email: str, name: str, role: str) -> str:
        """12 hours, the cookie that chat and REST share: the chat asks for `identifier` and refuses an audience."""
        jti = new_id()
        claims = {
            "identifier": email,
            "display_name": name,
            "metadata": {"role": role, "jti": jti},
            "sub": user_id,
            "sid": session_id,
            "jti": jti,
        }
        return self._sign("chat", CHAT_TTL, claims)

    def operator(self, email: str, audience: Audience) -> str:
        """5 minutes, for a command of the operator who acts as that person; there is no session behind it."""
        return self._sign("operator", OPERATOR_TTL, {"aud": _AUDIENCES[audience], "sub": email})

    def refresh(self, session_id: str) -> str:
        """`hgr_<session>.<256 random bits>.<mac>`: the mac tells a used one of ours from noise."""
        body = f"{session_id}.{secrets.token_urlsafe(32)}"
        return f"{_REFRESH}{body}.{self._mac(body)}"

    def read_refresh(self, token: str) -> str:
        """The session that this refresh token was issued for.

        Raises:
            NotSignedIn: it is not one of ours.
        """
        body, _, mac = token.removeprefix(_REFRESH).rpartition(".")
        ours = token.startswith(_REFRESH) and len(token) <= _MAX_LENGTH and token.isascii()
        if not ours or not hmac.compare_digest(self._mac(body), mac):
            raise NotSignedIn("this refresh token is not valid")
        return body.partition(".")[0]

    def read(self, token: str, audience: Audience) -> Claims:
        """The claims of a signed token for that audience; a chat token counts for the API.

        Raises:
            NotSignedIn: not ours, not for this audience, or its time is over. The message says no more than that.
        """
        is_ours = 0 < len(token) <= _MAX_LENGTH and token.isascii()
        if not is_ours or _SIGNATURE.fullmatch(token.rpartition(".")[2]) is None:
            raise _refused()
        for kind in ("access", "chat", "operator"):
            claims = self._verify(token, kind, audience)
            if claims is not None:
                return claims
        raise _refused()

    def _sign(self, kind: Kind, ttl: timedelta, claims: Mapping[str, Any]) -> str:
        now = int(self._clock_of(kind).now().timestamp())
        payload = {"iss": ISSUER, "typ": kind, "jti": new_id(), "iat": now, "exp": now + int(ttl.total_seconds())}
        return jwt.encode({**payload, **claims}, self._keys[kind], algorithm="HS256")

    def _verify(self, token: str, kind: Kind, audience: Audience) -> Claims | None:
        if kind == "chat" and audience != "api":
            return None
        required = ["iss", "sub", "jti", "iat", "exp", "typ"] + ([] if kind == "chat" else ["aud"])
        # Times are compared with our own clock below: the library knows only the machine's.
        try:
            decoded = jwt.decode_complete(
                token,
                self._keys[kind],
                algorithms=["HS256"],
                issuer=ISSUER,
                audience=None if kind == "chat" else _AUDIENCES[audience],
                options={"require": required, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            return None
        claims = decoded["payload"]
        if not set(decoded["header"]) <= {"alg", "typ"} or claims["typ"] != kind or not self._in_time(kind, claims):
            return None
        if kind == "operator":
            return Claims(kind=kind, email=claims["sub"])
        if not isinstance(claims.get("sid"), str):
            return None
        return Claims(kind=kind, user_id=claims["sub"], session_id=claims["sid"])

    def _clock_of(self, kind: Kind) -> Clock:
        return self._wall if kind == "operator" else self._clock

    def _in_time(self, kind: Kind, claims: Mapping[str, Any]) -> bool:
        now = self._clock_of(kind).now().timestamp()
        times = [claims["iat"], claims["exp"], claims.get("nbf", claims["iat"])]
        if any(not isinstance(t, int) or isinstance(t, bool) for t in times):
            return False
        issued, expires, not_before = times
        latest = now + SKEW.total_seconds()
        return bool(issued <= latest and not_before <= latest and now < expires)

    def _mac(self, body: str) -> str:
        raw = hmac.new(self._refresh_key, body.encode("utf-8", errors="surrogatepass"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _refused() -> NotSignedIn:
    return NotSignedIn("sign in: the token is missing, not valid, or its time is over")
