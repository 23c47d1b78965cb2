"""How each device is: decided on this machine and mirrored to an engine, or read from the engine with a memory."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

from homeguard.clock import Clock, pause
from homeguard.errors import HomeGuardError, StoreUnavailable
from homeguard.model import Home, LiveState
from homeguard.ports.live_state import LiveStateStore, StateChange
from homeguard.staleness import note
from homeguard.stores.guarded.background import beside
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithLive

log = logging.getLogger("homeguard.engines")

_Key: TypeAlias = tuple[str, str]

#: Changes that wait, for all devices and for one; beyond that a device's whole state is handed over.
CHANGES: Final = 10_000
CHANGES_OF_ONE: Final = 16
BATCH: Final = 500
BATCH_LIMIT_S: Final = 5.0
IDLE_S: Final = 1.0
#: How often the engine is looked at for states that it lost without a word.
COMPARE_S: Final = 60.0
#: A device that was heard here this lately has not been another process's since.
OWN_S: Final = 2.0
#: Homes whose states `GuardedLive` remembers.
HOMES: Final = 200


@dataclass(slots=True)
class _Due:
    """What the engine does not know yet of one device: forget it first, then its whole state, or these changes."""

    forget: bool = False
    whole: bool = False
    changes: list[StateChange] = field(default_factory=list)


@asynccontextmanager
async def mirror(
    local: LiveStateStore,
    engine: GuardedEngine[WithLive],
    clock: Clock,
    homes: Callable[[], Awaitable[Sequence[Home]]],
    *,
    is_shared: bool = False,
) -> AsyncIterator["MirroredLive"]:
    """A store that mirrors `local` for the length of the block. `homes` lists the homes, from a local copy;
    `is_shared`: other processes hear some of the devices, now these, now those."""
    mirrored = MirroredLive(local, engine, clock, homes, is_shared=is_shared)
    async with beside(mirrored._run()):
        yield mirrored


async def learn_states(
    local: LiveStateStore, engine: GuardedEngine[WithLive], homes: Callable[[], Awaitable[Sequence[Home]]]
) -> int:
    """At the start of a folder: how devices are that it has not heard of, or not lately; returns how many."""
    learned = 0
    for home in await homes():
        try:
            there = await engine.call(_asking_all(home.id), deadline_s=BATCH_LIMIT_S)
        except StoreUnavailable:
            return learned
        newer = [s for s in there.values() if _is_newer(s, await local.get(s.home_id, s.device_id))]
        learned += await local.adopt(newer)
    return learned


class MirroredLive:
    """A `LiveStateStore`, made by `mirror`. This machine decides and answers; the engine follows, bounded, coalesced.

    When the engine returns, all states are handed over: it may have lost its memory.
    """

    def __init__(
        self,
        local: LiveStateStore,
        engine: GuardedEngine[WithLive],
        clock: Clock,
        homes: Callable[[], Awaitable[Sequence[Home]]],
        *,
        is_shared: bool = False,
    ) -> None:
        self._is_shared = is_shared
        #: When each device was last heard here, by this machine's own count of seconds.
        self._heard: dict[_Key, float] = {}
        self._local = local
        self._engine = engine
        self._clock = clock
        self._homes = homes
        self._due: OrderedDict[_Key, _Due] = OrderedDict()
        self._changes = 0
        #: When the latest word on each device was true.
        self._newest: dict[_Key, datetime] = {}
        self._wake = asyncio.Event()
        self._level = asyncio.Condition()
        self._is_handing = False
        self._all_due = True
        self._compared_at = clock.monotonic()
        engine.on_return(self._returned)

    async def apply(self, changes: Sequence[StateChange]) -> list[LiveState]:
        if self._is_shared:
            await self._learn({(change.home_id, change.device_id) for change in changes})
        for change in changes:
            key = (change.home_id, change.device_id)
            if key not in self._newest and (state := await self._local.get(*key)) is not None:
                self._newest[key] = state.last_seen_at or change.at
        changed = await self._local.apply(changes)
        for change in changes:
            self._add(change)
        self._wake.set()
        return changed

    async def flush(self) -> None:
        """On this machine's disk; the engine follows."""
        await self._local.flush()

    async def adopt(self, states: Sequence[LiveState]) -> int:
        count = await self._local.adopt(states)
        for state in states:
            self._make_whole((state.home_id, state.device_id))
        self._wake.set()
        return count

    async def get(self, home_id: str, device_id: str) -> LiveState | None:
        return await self._local.get(home_id, device_id)

    async def all(self, home_id: str) -> Mapping[str, LiveState]:
        return await self._local.all(home_id)

    async def forget(self, home_id: str, device_id: str) -> None:
        await self._local.forget(home_id, device_id)
        self._newest.pop((home_id, device_id), None)
        self._heard.pop((home_id, device_id), None)
        due = self._of((home_id, device_id))
        self._changes -= len(due.changes)
        due.forget, due.whole = True, False
        due.changes.clear()
        self._wake.set()

    async def silent_since(self, before: datetime) -> list[LiveState]:
        return await self._local.silent_since(before)

    def waiting(self) -> int:
        """Devices of which the engine does not know the latest."""
        return len(self._due)

    async def level(self) -> None:
        """Returns when the engine knows all that is known here."""
        async with self._level:
            await self._level.wait_for(lambda: not (self._due or self._all_due or self._is_handing))

    async def _learn(self, keys: Set[_Key]) -> None:
        """Take over what other processes have heard of these devices since this one last did: else this one would know
        a part only, and hand that on as the whole. While the engine is away, what is known here has to do."""
        now = self._clock.monotonic()
        strange = {key for key in keys if now - self._heard.get(key, -OWN_S) >= OWN_S}
        for home_id in {home_id for home_id, _ in strange}:
            try:
                there = await self._engine.call(_asking_all(home_id))
            except StoreUnavailable:
                continue
            newer = []
            for key in strange:
                state = there.get(key[1]) if key[0] == home_id else None
                if state is not None and _is_newer(state, await self._local.get(*key)):
                    newer.append(state)
            await self._local.adopt(newer)
            for state in newer:
                if state.last_seen_at is not None:
                    self._newest[state.home_id, state.device_id] = state.last_seen_at
        self._heard.update(dict.fromkeys(keys, now))

    def _returned(self) -> None:
        self._all_due = True
        self._wake.set()

    def _of(self, key: _Key) -> _Due:
        return self._due.setdefault(key, _Due())

    def _add(self, change: StateChange) -> None:
        key = (change.home_id, change.device_id)
        due = self._of(key)
        newest = self._newest.get(key)
        if newest is None or change.at > newest:
            self._newest[key] = change.at
        else:
            # A whole state that was handed over before may hide this one there: only another whole state is right.
            self._make_whole(key)
        if due.whole:
            return
        if len(due.changes) >= CHANGES_OF_ONE or self._changes >= CHANGES:
            self._make_whole(key)
            return
        due.changes.append(change)
        self._changes += 1

    def _make_whole(self, key: _Key) -> None:
        due = self._of(key)
        self._changes -= len(due.changes)
        due.changes.clear()
        due.whole = True

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            went_on = False
            try:
                went_on = self._engine.is_up and await self._hand_over()
            except HomeGuardError as error:
                log.debug("%s: states wait: %s", self._engine.name, error.message)
            except Exception:
                log.exception("%s: states wait", self._engine.name)
            if not went_on:
                await pause(self._clock, IDLE_S, until=self._wake)

    async def _hand_over(self) -> bool:
        """One batch; False when there is nothing to do."""
        if self._all_due:
            self._all_due = False
            await self._make_all_whole()
        elif not self._due and self._clock.monotonic() - self._compared_at >= COMPARE_S:
            await self._compare()
        if not self._due:
            async with self._level:
                self._level.notify_all()
            return False
        batch: dict[_Key, _Due] = {}
        size = 0
        while self._due and size < BATCH:
            key, due = self._due.popitem(last=False)
            self._changes -= len(due.changes)
            batch[key] = due
            size += max(1, len(due.changes))
        self._is_handing = True
        done = False
        try:
            await self._give(batch)
            done = True
        finally:
            self._is_handing = False
            if not done:
                self._put_back(batch)
        return True

    async def _give(self, batch: Mapping[_Key, _Due]) -> None:
        for (home_id, device_id), due in batch.items():
            if due.forget:
                await self._engine.call(_forgetting(home_id, device_id))
        whole = [state for key, due in batch.items() if due.whole and (state := await self._local.get(*key))]
        if whole:
            await self._engine.call(lambda s: s.live.adopt(whole), deadline_s=BATCH_LIMIT_S)
        changes = [change for due in batch.values() for change in due.changes]
        if changes:
            await self._engine.call(lambda s: s.live.apply(changes), deadline_s=BATCH_LIMIT_S)

    def _put_back(self, batch: Mapping[_Key, _Due]) -> None:
        """Nobody knows what of it arrived: whole states are right in any case."""
        for key, due in batch.items():
            newer = self._due.get(key)
            if newer is not None and newer.forget:
                continue
            self._make_whole(key)
            self._due[key].forget = due.forget

    async def _make_all_whole(self) -> None:
        try:
            for home in await self._homes():
                for device_id in await self._local.all(home.id):
                    self._make_whole((home.id, device_id))
        except BaseException:
            self._all_due = True
            raise

    async def _compare(self) -> None:
        self._compared_at = self._clock.monotonic()
        for home in await self._homes():
            here = await self._local.all(home.id)
            there = await self._engine.call(_asking_all(home.id), deadline_s=BATCH_LIMIT_S)
            for device_id in here.keys() - there.keys():
                self._make_whole((home.id, device_id))


class GuardedLive:
    """A `LiveStateStore` for a process without reflexes: the engine's states; while it is away, those seen last."""

    def __init__(self, engine: GuardedEngine[WithLive], clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        #: home -> (when all of them were asked for, the states)
        self._seen: OrderedDict[str, tuple[datetime, dict[str, LiveState]]] = OrderedDict()

    async def apply(self, changes: Sequence[StateChange]) -> list[LiveState]:
        return await self._engine.call(lambda s: s.live.apply(changes), deadline_s=BATCH_LIMIT_S)

    async def flush(self) -> None:
        await self._engine.call(lambda s: s.live.flush())

    async def adopt(self, states: Sequence[LiveState]) -> int:
        return await self._engine.call(lambda s: s.live.adopt(states), deadline_s=BATCH_LIMIT_S)

    async def get(self, home_id: str, device_id: str) -> LiveState | None:
        try:
            state = await self._engine.call(lambda s: s.live.get(home_id, device_id))
        except StoreUnavailable:
            return self._recall(home_id).get(device_id)
        if home_id in self._seen:
            seen = self._seen[home_id][1]
            if state is None:
                seen.pop(device_id, None)
            else:
                seen[device_id] = state
        return state

    async def all(self, home_id: str) -> Mapping[str, LiveState]:
        try:
            states = await self._engine.call(lambda s: s.live.all(home_id))
        except StoreUnavailable:
            return dict(self._recall(home_id))
        self._seen[home_id] = (self._clock.now(), dict(states))
        self._seen.move_to_end(home_id)
        if len(self._seen) > HOMES:
            self._seen.popitem(last=False)
        return states

    async def forget(self, home_id: str, device_id: str) -> None:
        await self._engine.call(lambda s: s.live.forget(home_id, device_id))
        if home_id in self._seen:
            self._seen[home_id][1].pop(device_id, None)

    async def silent_since(self, before: datetime) -> list[LiveState]:
        return await self._engine.call(lambda s: s.live.silent_since(before))

    def _recall(self, home_id: str) -> Mapping[str, LiveState]:
        """Raises StoreUnavailable when this home was never asked for."""
        if home_id not in self._seen:
            raise StoreUnavailable(
                f"{self._engine.name} does not answer, and how this home is was not asked lately", retry_after_s=5
            )
        at, states = self._seen[home_id]
        note("live", at)
        return states


def _is_newer(there: LiveState, here: LiveState | None) -> bool:
    if here is None or here.last_seen_at is None:
        return True
    return there.last_seen_at is not None and there.last_seen_at > here.last_seen_at


def _forgetting(home_id: str, device_id: str) -> Callable[[WithLive], Awaitable[None]]:
    return lambda s: s.live.forget(home_id, device_id)


def _asking_all(home_id: str) -> Callable[[WithLive], Awaitable[Mapping[str, LiveState]]]:
    return lambda s: s.live.all(home_id)
