"""The commits of a group: the log forgets a record only when what was done with it survives a crash."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from homeguard.errors import HomeGuardError
from homeguard.ports.log import Log, Record

log = logging.getLogger("homeguard.processor")

#: A record is committed at most this long after its handlers, and at once when somebody waits for the group.
EVERY_S: Final = 0.25
#: Seconds before a flush or commit that failed is tried again; twice as long each time, up to the longest.
FIRST_WAIT_S: Final = 0.05
LONGEST_WAIT_S: Final = 5.0


class Trailing:
    """What one group has done and not committed; what a log does not take stays due. `run` settles beside the handlers,
    so that many batches share one flush; a group without a flush may `settle` by itself."""

    def __init__(self, log: Log, group: str, flush: Callable[[], Awaitable[None]] | None, hurry: asyncio.Event) -> None:
        """`hurry` is set while somebody waits for the group."""
        self._log = log
        self._group = group
        self._flush = flush
        #: The last record of each partition that is done and not committed.
        self._done: dict[tuple[str, int], Record] = {}
        self._is_unflushed = False
        self._anything_done = asyncio.Event()
        self._settling = asyncio.Lock()
        self._hurry = hurry

    def note(self, records: Sequence[Record], *, is_unflushed: bool) -> None:
        """These are done; `is_unflushed`: something came of them."""
        for record in records:
            self._done[record.topic, record.partition] = record
        self._is_unflushed |= is_unflushed
        self._anything_done.set()

    async def run(self, settled: Callable[[], Awaitable[None]]) -> None:
        """Settle now and then, for ever; `settled` is called after each time that went well."""
        failures = 0
        while True:
            await self._anything_done.wait()
            wait_s = EVERY_S
            if failures:
                await asyncio.sleep(min(FIRST_WAIT_S * 2 ** min(failures, 16), LONGEST_WAIT_S))
                wait_s = 0.0
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._hurry.wait()
            if await self.settle():
                failures = 0
                await settled()
            else:
                failures += 1

    async def settle(self) -> bool:
        """Flush what is done, and only then commit it; False when that failed: it is all due as before."""
        async with self._settling:
            done, self._done = self._done, {}
            is_unflushed, self._is_unflushed = self._is_unflushed, False
            self._anything_done.clear()
            try:
                await self._keep(list(done.values()), is_unflushed=is_unflushed)
            except BaseException as error:
                self._done = {**done, **self._done}
                self._is_unflushed |= is_unflushed
                self._anything_done.set()
                if not isinstance(error, Exception):
                    raise
                reason = error.message if isinstance(error, HomeGuardError) else f"{type(error).__name__}: {error}"
                log.warning("group %s cannot commit: %s", self._group, reason)
                return False
        return True

    async def _keep(self, records: Sequence[Record], *, is_unflushed: bool) -> None:
        if is_unflushed and self._flush is not None:
            await self._flush()
        if records:
            await self._log.commit(self._group, records)
