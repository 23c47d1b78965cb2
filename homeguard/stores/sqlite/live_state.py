"""How each device is now: whole in memory, and in `home.db` before anyone is told that it changed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import apsw
import msgspec

from homeguard.model import LiveState
from homeguard.ports.live_state import StateChange
from homeguard.stores.sqlite.attribute_history import Attribute
from homeguard.stores.sqlite.columns import micros, moment, moment_or_none
from homeguard.stores.sqlite.database import Database

_PUT: Final = "INSERT OR REPLACE INTO live_states (home_id, device_id, body) VALUES (?, ?, ?)"


@dataclass(slots=True)
class _Merged:
    """All that is known of one device."""

    attributes: dict[str, Attribute] = field(default_factory=dict)
    #: (at, sequence, available), of the newest record that said so.
    available: tuple[int, int, bool] | None = None
    seen: int | None = None

    def take(self, change: StateChange, mine: set[str]) -> bool:
        """Merge one change; `mine` names the attributes that are already this copy's own."""
        at, changed = micros(change.at), False
        for name, value in change.attributes.items():
            if name not in mine:
                known = self.attributes.get(name)
                self.attributes[name] = Attribute() if known is None else known.copy()
                mine.add(name)
            changed |= self.attributes[name].add(at, change.sequence, value)
        if change.available is not None:
            said = (at, change.sequence, change.available)
            if self.available is None or said > self.available:
                self.available = said
                changed = True
        # That a device is gone is said of it, not by it.
        if change.available is not False and (self.seen is None or at > self.seen):
            self.seen = at
            changed = True
        return changed


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(_Merged)


class SqliteLiveStates:
    """A `LiveStateStore`. A batch is one write; when it fails, memory is as before. `load` comes first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._merged: dict[tuple[str, str], _Merged] = {}
        self._states: dict[str, dict[str, LiveState]] = {}
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """Read all states into memory."""
        for home_id, device_id, body in await self._database.rows("SELECT home_id, device_id, body FROM live_states"):
            merged = _DECODER.decode(body)
            self._merged[home_id, device_id] = merged
            self._states.setdefault(home_id, {})[device_id] = _state(home_id, device_id, merged)

    async def apply(self, changes: Sequence[StateChange]) -> list[LiveState]:
        """As the port says; one state a device, in the order in which the devices first occur in `changes`."""
        async with self._writing:
            touched: dict[tuple[str, str], _Merged] = {}
            own: dict[tuple[str, str], set[str]] = {}
            changed: dict[tuple[str, str], None] = {}
            for change in changes:
                key = (change.home_id, change.device_id)
                merged = touched.get(key)
                if merged is None:
                    known = self._merged.get(key)
                    merged = (
                        _Merged() if known is None else _Merged(dict(known.attributes), known.available, known.seen)
                    )
                    touched[key] = merged
                    own[key] = set()
                if merged.take(change, own[key]):
                    changed[key] = None
            rows = [
                (home_id, device_id, _ENCODER.encode(touched[home_id, device_id])) for home_id, device_id in changed
            ]
            if not rows:
                return []
            shown: list[LiveState] = []

            def keep(_: object) -> None:
                for key in changed:
                    state = self._keep(key, touched[key])
                    if state is not None:
                        shown.append(state)

            await self._database.write(lambda c: c.executemany(_PUT, rows).fetchall(), then=keep)
            return shown

    def _keep(self, key: tuple[str, str], merged: _Merged) -> LiveState | None:
        """Publish in memory; None when nothing that shows has changed."""
        home_id, device_id = key
        states = self._states.setdefault(home_id, {})
        before = states.get(device_id)
        self._merged[key] = merged
        states[device_id] = _state(home_id, device_id, merged)
        return states[device_id] if states[device_id] != before else None

    async def adopt(self, states: Sequence[LiveState]) -> int:
        """As the port says; one write. The last word on a device that occurs twice is the one that was seen later."""
        async with self._writing:
            taken: dict[tuple[str, str], _Merged] = {}
            count = 0
            for state in states:
                key, merged = (state.home_id, state.device_id), _adopted(state)
                here = taken.get(key) or self._merged.get(key)
                if here is None or here.seen is None or (merged.seen is not None and here.seen <= merged.seen):
                    taken[key] = merged
                    count += 1
            rows = [(home_id, device_id, _ENCODER.encode(merged)) for (home_id, device_id), merged in taken.items()]

            def keep(_: object) -> None:
                for key, merged in taken.items():
                    self._keep(key, merged)

            if rows:
                await self._database.write(lambda c: c.executemany(_PUT, rows).fetchall(), then=keep)
            return count

    async def get(self, home_id: str, device_id: str) -> LiveState | None:
        return self._states.get(home_id, {}).get(device_id)

    async def all(self, home_id: str) -> Mapping[str, LiveState]:
        return dict(self._states.get(home_id, {}))

    async def forget(self, home_id: str, device_id: str) -> None:
        async with self._writing:

            def forget(c: apsw.Connection) -> None:
                c.execute("DELETE FROM live_states WHERE home_id = ? AND device_id = ?", (home_id, device_id))

            def drop(_: None) -> None:
                self._merged.pop((home_id, device_id), None)
                self._states.get(home_id, {}).pop(device_id, None)

            await self._database.write(forget, then=drop)

    async def silent_since(self, before: datetime) -> list[LiveState]:
        """Longest silent first."""
        silent = [
            (state.last_seen_at, state.home_id, state.device_id, state)
            for states in self._states.values()
            for state in states.values()
            if state.available and state.last_seen_at is not None and state.last_seen_at < before
        ]
        return [state for *_, state in sorted(silent, key=lambda found: found[:3])]


def _adopted(state: LiveState) -> _Merged:
    """What is known of a device of which only the outcome is known. Sequences begin at 0, so -1 is before them all."""
    seen = None if state.last_seen_at is None else micros(state.last_seen_at)
    said = max((micros(at) for at in state.changed_at.values()), default=0) if seen is None else seen
    return _Merged(
        attributes={
            name: Attribute([(said, -1, value)], (micros(state.changed_at[name]), value))
            for name, value in state.attributes.items()
        },
        available=(said, -1, state.available),
        seen=seen,
    )


def _state(home_id: str, device_id: str, merged: _Merged) -> LiveState:
    names = sorted(merged.attributes)
    return LiveState(
        home_id=home_id,
        device_id=device_id,
        attributes={name: merged.attributes[name].value for name in names},
        changed_at={name: moment(merged.attributes[name].since) for name in names},
        available=merged.available is not None and merged.available[2],
        last_seen_at=moment_or_none(merged.seen),
    )
