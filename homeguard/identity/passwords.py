"""Passwords: argon2id in two threads behind a bounded queue; bcrypt hashes still verify and are then replaced."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from homeguard.errors import InvalidInput, Overloaded

#: 19 MiB, two passes, one lane: about 70 ms on one core.
_ARGON2: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
#: What an unknown e-mail is checked against, so that it takes as long as a known one. Nobody has its password.
_DECOY: Final = "$argon2id$v=19$m=19456,t=2,p=1$GdtC9fgSc/8W5mHmRP+Ceg$RHYKkh1icTkQXkmSSjXlcoKB2ArsO3KSGrfbsvSuY0E"
_MAX_BYTES: Final = 1024
_BCRYPT_BYTES: Final = 72
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`upgraded`: a fresh hash to store instead of the one that was checked, when that one is of an older kind."""

    good: bool
    upgraded: str = ""


class Passwords:
    """Hashes and checks off the event loop. At most `waiting` callers queue; the next one is turned away."""

    def __init__(self, *, threads: int = 2, waiting: int = 32) -> None:
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="password")
        self._places = threads + waiting
        self._taken = 0

    async def hash(self, password: str) -> str:
        """An argon2id hash in PHC form.

        Raises:
            InvalidInput: it is empty or over 1024 bytes.
            Overloaded: too many are waiting.
        """
        raw = _bytes(password)
        if not 0 < len(raw) <= _MAX_BYTES:
            raise InvalidInput("a password has 1 to 1024 bytes", field="password")
        return await self._run(lambda: _ARGON2.hash(raw))

    async def verify(self, password: str, stored: str | None) -> Verdict:
        """Does the password fit the stored hash (`None`: there is no such person, which takes as long)?

        Raises:
            Overloaded: too many are waiting.
        """
        return await self._run(lambda: _verify(_bytes(password)[: _MAX_BYTES + 1], stored))

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._taken >= self._places:
            raise Overloaded("too many people are signing in right now", retry_after_s=2)
        self._taken += 1
        # Counted down when the thread is done, not when the caller leaves: a caller who hangs up frees no core.
        future = self._pool.submit(work)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave) if not loop.is_closed() else None)
        return await asyncio.wrap_future(future)

    def _leave(self) -> None:
        self._taken -= 1


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", errors="surrogatepass")


def _verify(raw: bytes, stored: str | None) -> Verdict:
    if stored is not None and stored.startswith(("$2a$", "$2b$", "$2y$")):
        # bcrypt reads 72 bytes and no NUL; more was cut off when the hash was made.
        good = b"\0" not in raw and bcrypt.checkpw(raw[:_BCRYPT_BYTES], stored.encode())
        return Verdict(good=good, upgraded=_ARGON2.hash(raw) if good else "")
    known = stored or _DECOY
    try:
        _ARGON2.verify(known, raw)
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return Verdict(good=False)
    if stored is None or len(raw) > _MAX_BYTES:
        return Verdict(good=False)
    return Verdict(good=True, upgraded=_ARGON2.hash(raw) if _ARGON2.check_needs_rehash(known) else "")
