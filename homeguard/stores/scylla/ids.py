"""Which ids of a home are stored already, and one writer at a time for each that is not."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias
from zlib import crc32

from homeguard.stores.scylla.cql import Ask, Cql

#: (home, id).
Key: TypeAlias = tuple[str, str]

#: Parts of a home, the same for ever.
BUCKETS: Final = 8
#: Scylla takes at most a hundred keys in one question.
_ASKED_AT_ONCE: Final = 100


def bucket(id_: str) -> int:
    """Which part of its home an id lies in; the same for ever."""
    return crc32(id_.encode()) % BUCKETS


async def stored(cql: Cql, text: str, keys: Iterable[Key]) -> set[Key]:
    """Those that are stored; `text` asks for the ids of (home, bucket) that are in a list."""
    partitions: dict[tuple[str, int], list[str]] = defaultdict(list)
    for home_id, id_ in keys:
        partitions[home_id, bucket(id_)].append(id_)
    asks: list[Ask] = [
        (text, (home_id, part, ids[start : start + _ASKED_AT_ONCE]))
        for (home_id, part), ids in partitions.items()
        for start in range(0, len(ids), _ASKED_AT_ONCE)
    ]
    found = await cql.each(asks)
    return {(home_id, id_) for (_, (home_id, *_)), rows in zip(asks, found, strict=True) for (id_,) in rows}


class Claims:
    """Of several writers of one id in this process, one at a time, so that the second finds what the first stored.

    Between processes nothing holds: they write the same rows under the same keys, and both may call them new.
    """

    def __init__(self) -> None:
        self._held: dict[Key, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def hold(self, keys: Collection[Key]) -> AsyncIterator[None]:
        """Wait until nobody has any of them, and have them all."""
        while others := {self._held[key] for key in keys if key in self._held}:
            await asyncio.wait(others)
        free: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held.update(dict.fromkeys(keys, free))
        try:
            yield
        finally:
            for key in keys:
                del self._held[key]
            free.set_result(None)
