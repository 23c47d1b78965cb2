"""Identifiers: new ones sort by time, derived ones are the same for the same cause."""

import os
import time
from functools import lru_cache
from typing import Final
from uuid import UUID, uuid5

#: Fixed for ever: a store that needs one id for a device, and every effect that must happen once, derive from it.
NAMESPACE: Final = UUID("6f2e9b52-6f0c-5d0e-9a57-0d5a3c1f7e11")
#: A hexadecimal digit with its two first bits made `10`, which is what RFC 9562 wants there.
_VARIANTS: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def new_id() -> str:
    """A fresh UUIDv7 (RFC 9562): the first 48 bits are milliseconds, so ids sort by creation."""
    raw = bytearray((time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10))
    raw[6] = (raw[6] & 0x0F) | 0x70
    raw[8] = (raw[8] & 0x3F) | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class FreshIds:
    """Ids as `new_id` makes them, for those who need many: the system is asked for chance once for 256 of them.

    Not for a process that forks afterwards: both would make the same ids.
    """

    def __init__(self) -> None:
        self._chance: list[str] = []

    def __call__(self) -> str:
        if not self._chance:
            drawn = os.urandom(256 * 10).hex()
            self._chance = [
                f"-7{drawn[i : i + 3]}-{_VARIANTS[drawn[i + 3]]}{drawn[i + 4 : i + 7]}-{drawn[i + 7 : i + 19]}"
                for i in range(0, len(drawn), 20)
            ]
        moment = f"{time.time_ns() // 1_000_000:012x}"
        return f"{moment[:8]}-{moment[8:]}{self._chance.pop()}"


@lru_cache(maxsize=20_000)
def device_uuid(home_id: str, device_id: str) -> UUID:
    """The one id of a device for stores that know no homes: UUIDv5 over both. Asked for with every event: the hash
    costs more than looking it up."""
    return UUID(derived_id("device", home_id, device_id))


def derived_id(*parts: str) -> str:
    """UUIDv5 over the parts in their order: the same parts give the same id, on every machine."""
    return str(uuid5(NAMESPACE, "\x1f".join(parts)))
