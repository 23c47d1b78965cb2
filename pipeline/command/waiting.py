"""Waits for a device to say that it did what it was told."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from homeguard.model import Attributes, Value
from homeguard.ports.live_state import LiveFeed, LiveStateStore

#: How long after a device's word its state is looked at again, at first and at most.
_LOOK_S: Final = 0.02
_LONGEST_LOOK_S: Final = 0.32


def matches(wanted: Attributes, reported: Mapping[str, Any]) -> bool:
    """Every wanted attribute is reported with that value, numbers within the steps that devices have."""
    return all(_same(name, value, reported.get(name)) for name, value in wanted.items())


def _same(name: str, wanted: Value, reported: object) -> bool:
    if isinstance(wanted, (bool, str)):
        return reported == wanted
    if isinstance(reported, bool) or not isinstance(reported, int | float):
        return False
    return abs(reported - wanted) <= _slack(name, wanted)


def _slack(name: str, wanted: float) -> float:
    """How far a device's word may lie from the order: its own steps, not a different answer."""
    if name.endswith("_c"):
        return 0.3  # thermostats move in steps of half a degree
    if name.endswith("_k"):
        return 0.01 * wanted  # lamps count in mireds
    return 1.01  # brightness in 254 steps, positions in whole percent


class Reports:
    """One watch on every home's live feed, shared by all who wait for a device's word."""

    def __init__(self, *, feed: LiveFeed, live: LiveStateStore) -> None:
        self._feed = feed
        self._live = live
        self._waiting: dict[tuple[str, str], set[asyncio.Event]] = defaultdict(set)

    async def run(self, ready: asyncio.Event) -> None:
        """Wake whoever waits for the device that just spoke; runs until cancelled."""
        async with self._feed.subscribe("*", limit=10_000) as items:
            ready.set()
            async for item in items:
                if item.kind == "gap":
                    for events in self._waiting.values():
                        for event in events:
                            event.set()
                elif self._waiting and item.kind == "device_event":
                    for event in self._waiting.get((item.home_id, str(item.data.get("device_id"))), ()):
                        event.set()

    @asynccontextmanager
    async def watching(self, home_id: str, device_id: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set each time the device says something, from now on."""
        key, event = (home_id, device_id), asyncio.Event()
        self._waiting[key].add(event)
        try:
            yield event
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    async def until(
        self, spoke: asyncio.Event, home_id: str, device_id: str, wanted: Attributes, wait_s: float
    ) -> bool:
        """True as soon as the device has spoken and the live state is what was wanted, False when `wait_s` is over
        first. Another process may tell that a device spoke before its state is where this one looks."""
        try:
            async with asyncio.timeout(wait_s):
                await spoke.wait()
                look_s = _LOOK_S
                while True:
                    spoke.clear()
                    state = await self._live.get(home_id, device_id)
                    if state is not None and matches(wanted, state.attributes):
                        return True
                    with suppress(TimeoutError):
                        async with asyncio.timeout(look_s):
                            await spoke.wait()
                    look_s = min(2 * look_s, _LONGEST_LOOK_S)
        except TimeoutError:
            return False
