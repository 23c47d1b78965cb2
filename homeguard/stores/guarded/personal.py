"""All that is kept about one person: on every engine, in what waits for one, and in this folder."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from homeguard.clock import Clock
from homeguard.errors import HomeGuardError, StoreUnavailable
from homeguard.ports.devices import DeviceStore
from homeguard.ports.live_state import LiveStateStore
from homeguard.ports.personal import Erasure, Erasures, PersonalData, Subject
from homeguard.ports.spool import Spool
from homeguard.stores.guarded.audit import CONCERN as AUDIT
from homeguard.stores.guarded.copies import LocalCopy
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithErasures, WithPersonal
from homeguard.stores.guarded.forwarder import Forwarder

#: Reading or deleting years of somebody takes longer than a question.
LIMIT_S: Final = 150.0
#: How long what waits for an engine that answers may take to reach it.
_DRAIN_S: Final = 20.0
_LOOK_S: Final = 0.05


class GuardedPersonalData:
    """A `PersonalData`. Tables of an engine are told under its name (`PostgreSQL.users`), this folder's under theirs.

    What this folder has goes first from the engines, so that no copy of it comes back.
    """

    def __init__(
        self,
        engines: Mapping[str, GuardedEngine[WithPersonal]],
        forwarders: Mapping[str, Forwarder],
        copies: Sequence[LocalCopy[Any]],
        spool: Spool,
        clock: Clock,
        *,
        local: PersonalData,
        devices: DeviceStore,
        live: LiveStateStore,
    ) -> None:
        """By technology; `local`, `devices`: of this folder; `live`: as everybody sees it."""
        self._engines = engines
        self._forwarders = forwarders
        self._copies = tuple(copies)
        self._spool = spool
        self._clock = clock
        self._local = local
        self._devices = devices
        self._live = live

    async def export(self, subject: Subject) -> Mapping[str, list[dict[str, Any]]]:
        found = dict(await self._local.export(subject))
        for name, engine in self._engines.items():
            there = await engine.call(lambda s: s.personal.export(subject), deadline_s=LIMIT_S)
            found |= {f"{name}.{table}": rows for table, rows in there.items()}
        return found

    async def erase(self, subject: Subject) -> Mapping[str, int]:
        if not subject.user_id:
            return {}
        gone: dict[str, int] = {}
        away: list[str] = []
        for home_id in subject.sole_homes:
            # what this process knows of these devices would be handed over again
            for device in await self._devices.of_home(home_id):
                await _unless_away(away, lambda d=device: self._live.forget(d.home_id, d.id))  # type: ignore[misc]
        for name, engine in self._engines.items():
            counted = await _unless_away(away, lambda n=name, e=engine: self._erase_there(n, e, subject))  # type: ignore[misc]
            gone |= {f"{name}.{table}": count for table, count in (counted or {}).items()}
        async with AsyncExitStack() as stack:
            for copy in self._copies:
                await stack.enter_async_context(copy.lock)
                # what was read from an engine before this is old news
                copy.version += 1
            gone |= await self._local.erase(subject)
        if away:
            raise StoreUnavailable("; ".join(dict.fromkeys(away)), retry_after_s=10)
        return gone

    async def _erase_there(self, name: str, engine: GuardedEngine[WithPersonal], subject: Subject) -> Mapping[str, int]:
        """What waits for it first, or it would come behind the erasure."""
        forwarder = self._forwarders.get(name)
        if forwarder is not None and engine.is_up:
            waited_s = 0.0
            while forwarder.waiting() and waited_s < _DRAIN_S:
                await self._clock.sleep(_LOOK_S)
                waited_s += _LOOK_S
            if forwarder.waiting():
                raise StoreUnavailable(f"{name} has not taken yet what waits for it")
        named = (subject.user_id, *subject.sole_homes)
        await self._spool.forget_aside(engine.name, named, but=AUDIT)
        return await engine.call(lambda s: s.personal.erase(subject), deadline_s=LIMIT_S)


class GuardedErasures:
    """An `Erasures`. The engine says who is to be erased, this folder what it has carried out of that."""

    def __init__(self, engine: GuardedEngine[WithErasures], local: Erasures) -> None:
        self._engine = engine
        self._local = local
        #: Those that this folder has heard of since the start.
        self._heard: set[str] = set()

    async def begin(self, erasure: Erasure) -> None:
        await self._engine.call(lambda s: s.erasures.begin(erasure))
        await self._local.begin(erasure)

    async def unfinished(self) -> list[Erasure]:
        """Those that this folder knows of, while the engine is away."""
        try:
            there = await self._engine.call(lambda s: s.erasures.all())
        except StoreUnavailable:
            there = []
        for erasure in there:
            if erasure.subject.user_id not in self._heard:
                await self._local.begin(erasure)
                self._heard.add(erasure.subject.user_id)
        return await self._local.unfinished()

    async def finish(self, user_id: str, *, remembered: bool = False) -> None:
        await self._local.finish(user_id, remembered=True)


async def _unless_away(away: list[str], ask: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await ask()
    except HomeGuardError as error:
        away.append(error.message)
        return None
