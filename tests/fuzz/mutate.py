"""Bytes that are almost right: mutations of good ones, the same for the same seed."""

import random
from collections.abc import Iterator, Sequence
from typing import Final

#: What parsers trip over.
_TOKENS: Final = (
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"-0.0",
    b"9" * 400,
    b"\\ud800",
    b"\\u0000",
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"[" * 40,
    b'{"a":' * 40,
    b"]" * 40,
    b"}",
    b"{",
    b'"',
    b"\\",
    b",",
    b":",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'""',
    b"\n",
    b"\r\n",
    b" " * 500,
    b"2026-02-30",
    b"1969-12-31T23:59:59Z",
    b"18446744073709551616",
    b"../",
    b"%00",
    b"=",
    b"#",
    b"+",
)
LIMIT: Final = 100_000


def mutations(seeds: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """So many bytes objects, each one to six steps away from one of the seeds; none longer than `LIMIT`."""
    rng = random.Random(seed)
    for _ in range(count):
        body = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 6)):
            _step(body, seeds, rng)
        yield bytes(body[:LIMIT])


def _step(body: bytearray, seeds: Sequence[bytes], rng: random.Random) -> None:
    at = rng.randint(0, len(body))
    match rng.randrange(8):
        case 0 if body:
            body[min(at, len(body) - 1)] ^= 1 << rng.randrange(8)
        case 1:
            body[at:at] = bytes((rng.randrange(256),))
        case 2:
            del body[at : at + rng.randint(1, 8)]
        case 3:
            body[at:at] = rng.choice(_TOKENS)
        case 4:
            token = rng.choice(_TOKENS)
            body[at : at + len(token)] = token
        case 5:
            other = rng.choice(seeds)
            first = rng.randint(0, len(other))
            body[at:at] = other[first : first + rng.randint(1, 60)]
        case 6:
            body[at:at] = body[at : at + rng.randint(1, 40)] * rng.randint(1, 8)
        case _:
            del body[at:]
