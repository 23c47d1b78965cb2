"""How each device is now: whole in memory at once, and written behind to `home.db`, the latest of each device."""

import asyncio
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import apsw
import msgspec

from homeguard.model import LiveState
from homeguard.ports.live_state import StateChange
from homeguard.stores.sqlite.attribute_history import Attribute, same
from homeguard.stores.sqlite.columns import Cell, micros, moment, moment_or_none
from homeguard.stores.sqlite.database import Database

_Key = tuple[str, str]

#: Rows of one statement: a step of SQLite hands the interpreter back and asks for it again, whatever it has done.
_ROWS: Final = (100, 10, 1)
_PUT_ONE: Final = "INSERT OR REPLACE INTO live_states (home_id, device_id, body) VALUES (?, ?, ?)"
_PUT: Final = {rows: _PUT_ONE + ", (?, ?, ?)" * (rows - 1) for rows in _ROWS}
#: Devices that are written at a stretch.
_PART: Final = 500


@dataclass(slots=True)
class _Merged:
    """All that is known of one device."""

    attributes: dict[str, Attribute] = field(default_factory=dict)
    #: (at, sequence, available), of the newest record that said so.
    available: tuple[int, int, bool] | None = None
    seen: int | None = None

    def take(self, change: StateChange, turned: set[str]) -> bool:
        """Merge one change; False when it was known or too old to matter. Attributes that may show otherwise than
        before are added to `turned`."""
        at, sequence, changed = micros(change.at), change.sequence, False
        attributes = self.attributes
        for name, value in change.attributes.items():
            known = attributes.get(name)
            if known is None:
                known = attributes[name] = Attribute()
                last = None
            else:
                last = known.points[-1]
            if known.add(at, sequence, value):
                changed = True
                # The same again, and behind all others, shows the same as before.
                if last is None or at < last[0] or known.points[-1] is last or not same(last[2], value):
                    turned.add(name)
        if change.available is not None:
            said = (at, sequence, change.available)
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
    """A `LiveStateStore`. `apply` changes memory, `flush` makes it last, as do `adopt` and `forget`. `load` comes
    first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._merged: dict[_Key, _Merged] = {}
        self._states: dict[str, dict[str, LiveState]] = {}
        #: Devices of which the file does not have the latest, in the order in which they changed.
        self._due: dict[_Key, None] = {}
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """Read all states into memory."""
        for home_id, device_id, body in await self._database.rows("SELECT home_id, device_id, body FROM live_states"):
            merged = _DECODER.decode(body)
            self._merged[home_id, device_id] = merged
            self._states.setdefault(home_id, {})[device_id] = _state(home_id, device_id, merged)

    async def apply(self, changes: Sequence[StateChange]) -> list[LiveState]:
        """As the port says; one state a device, in the order in which the devices first occur in `changes`. What
        cannot be written is refused as a whole."""
        _ENCODER.encode([change.attributes for change in changes])
        changed: dict[_Key, set[str]] = {}
        for change in changes:
            key = (change.home_id, change.device_id)
            merged = self._merged.get(key)
            if merged is None:
                merged = self._merged[key] = _Merged()
            turned = changed.get(key)
            if turned is None:
                turned = set()
            if merged.take(change, turned):
                changed[key] = turned
        return [state for key, turned in changed.items() if (state := self._show(key, turned)) is not None]

    def _show(self, key: _Key, turned: Set[str] | None = None) -> LiveState | None:
        """Publish in memory what is known of a device, of which only `turned` may show otherwise than before (None: all
        may); None when nothing does."""
        home_id, device_id = key
        self._due[key] = None
        states = self._states.setdefault(home_id, {})
        before = states.get(device_id)
        after = states[device_id] = _state(home_id, device_id, self._merged[key], before, turned)
        return after if after != before else None

    async def adopt(self, states: Sequence[LiveState]) -> int:
        """As the port says. The last word on a device that occurs twice is the one that was seen later."""
        count = 0
        for state in states:
            key, merged = (state.home_id, state.device_id), _adopted(state)
            here = self._merged.get(key)
            if here is None or here.seen is None or (merged.seen is not None and here.seen <= merged.seen):
                self._merged[key] = merged
                self._show(key)
                count += 1
        if count:
            await self.flush()
        return count

    async def flush(self) -> None:
        """As the port says; a part of the devices may be written when it raises, the others stay due."""
        async with self._writing:
            while self._due:
                keys = list(self._due)[:_PART]
                for key in keys:
                    del self._due[key]
                try:
                    await self._write([(*key, _ENCODER.encode(self._merged[key])) for key in keys])
                except BaseException:
                    self._due = {**dict.fromkeys(keys), **self._due}
                    raise

    async def _write(self, rows: Sequence[tuple[str, str, bytes]]) -> None:
        calls: list[tuple[str, tuple[Cell, ...]]] = []
        first = 0
        for size in _ROWS:
            while len(rows) - first >= size:
                calls.append((_PUT[size], tuple(cell for row in rows[first : first + size] for cell in row)))
                first += size

        def put(c: apsw.Connection) -> None:
            for sql, cells in calls:
                c.execute(sql, cells)

        await self._database.write(put)

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
                self._due.pop((home_id, device_id), None)
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


def _state(
    home_id: str, device_id: str, merged: _Merged, before: LiveState | None = None, turned: Set[str] | None = None
) -> LiveState:
    """What shows; taken over from `before` but for the attributes that `turned`, where both are known."""
    if before is None or turned is None or not turned <= before.attributes.keys():
        names = sorted(merged.attributes)
        attributes = {name: merged.attributes[name].value for name in names}
        changed_at = {name: moment(merged.attributes[name].since) for name in names}
    elif turned:
        attributes = {**before.attributes, **{name: merged.attributes[name].value for name in turned}}
        changed_at = {**before.changed_at, **{name: moment(merged.attributes[name].since) for name in turned}}
    else:
        attributes, changed_at = dict(before.attributes), dict(before.changed_at)
    return LiveState(
        home_id=home_id,
        device_id=device_id,
        attributes=attributes,
        changed_at=changed_at,
        available=merged.available is not None and merged.available[2],
        last_seen_at=moment_or_none(merged.seen),
    )
