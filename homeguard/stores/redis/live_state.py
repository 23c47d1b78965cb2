"""How each device is now: merged inside Redis, one step a device, so that many processes may apply at once."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from homeguard.clock import Clock
from homeguard.model import LiveState, Value
from homeguard.ports.live_state import StateChange
from homeguard.stores.redis.keys import Keys
from homeguard.stores.redis.server import Run, Server, script

#: What goes to the server in one go: devices, and what is said of one of them.
_DEVICES: Final = 200
_CHANGES: Final = 200
#: Lua hands a call a few thousand arguments at most.
_WORDS: Final = 1_000
_SHOWN: Final = ("state", "stamps", "available", "seen")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_ENCODE: Final = msgspec.json.Encoder().encode
_STATE: Final = msgspec.json.Decoder(dict[str, bool | int | float | str])
_STAMPS: Final = msgspec.json.Decoder(dict[str, int])


class RedisLiveStates:
    """A `LiveStateStore`. `apply` writes through: what it returns is what everyone reads from then on.

    A batch of many devices goes in parts; when one fails those before it stay applied (`apply` is safe to repeat).
    Whole numbers beyond 2^53 keep their value; a sequence stays below that.
    """

    def __init__(self, server: Server, keys: Keys, clock: Clock) -> None:
        self._server = server
        self._keys = keys
        self._clock = clock
        self._apply = script("device", "apply")
        self._adopt = script("device", "adopt")

    async def apply(self, changes: Sequence[StateChange]) -> list[LiveState]:
        """As the port says; one state a device, in the order in which the devices first occur in `changes`."""
        parts = [(key, part) for key, all_of_one in _by_device(changes).items() for part in _bounded(all_of_one)]
        shown: dict[tuple[str, str], LiveState] = {}
        for first in range(0, len(parts), _DEVICES):
            few = parts[first : first + _DEVICES]
            runs = [self._run(*key, _ENCODE([_told(change) for change in part])) for key, part in few]
            for (key, _), answer in zip(few, await self._server.run(self._apply, runs), strict=True):
                if answer is not None:
                    shown[key] = _state(*key, answer)
        return list(shown.values())

    async def flush(self) -> None:
        """The server has everything already."""

    async def adopt(self, states: Sequence[LiveState]) -> int:
        """As the port says; the last word on a device that occurs twice is the one that was seen later."""
        taken = 0
        for first in range(0, len(states), _DEVICES):
            few = states[first : first + _DEVICES]
            runs = [self._run(state.home_id, state.device_id, _ENCODE(_whole(state))) for state in few]
            taken += sum(await self._server.run(self._adopt, runs))
        return taken

    def _run(self, home_id: str, device_id: str, told: bytes) -> Run:
        keys, uuid = self._keys, self._keys.uuid(home_id, device_id)
        return (
            (keys.state(uuid), keys.points(uuid), keys.online(uuid), keys.devices(home_id), keys.seen),
            (home_id, device_id, _micros(self._clock.now()), told),
        )

    async def get(self, home_id: str, device_id: str) -> LiveState | None:
        answer = await self._server.call("HMGET", self._keys.state(self._keys.uuid(home_id, device_id)), *_SHOWN)
        return None if answer[0] is None else _state(home_id, device_id, answer)

    async def all(self, home_id: str) -> Mapping[str, LiveState]:
        ids = sorted(id_.decode() for id_ in await self._server.call("SMEMBERS", self._keys.devices(home_id)))
        states = {}
        for first in range(0, len(ids), _DEVICES):
            few = ids[first : first + _DEVICES]
            commands = [("HMGET", self._keys.state(self._keys.uuid(home_id, id_)), *_SHOWN) for id_ in few]
            for id_, answer in zip(few, await self._server.call_all(commands), strict=True):
                # Forgotten since the set was read.
                if answer[0] is not None:
                    states[id_] = _state(home_id, id_, answer)
        return states

    async def forget(self, home_id: str, device_id: str) -> None:
        keys, uuid = self._keys, self._keys.uuid(home_id, device_id)
        await self._server.call_all(
            [
                ("DEL", keys.state(uuid), keys.points(uuid), keys.online(uuid)),
                ("SREM", keys.devices(home_id), device_id),
                ("ZREM", keys.seen, uuid),
            ],
            at_once=True,
        )

    async def silent_since(self, before: datetime) -> list[LiveState]:
        """Longest silent first."""
        limit = _micros(before)
        uuids = [
            uuid.decode() for uuid in await self._server.call("ZRANGEBYSCORE", self._keys.seen, "-inf", f"({limit}")
        ]
        silent = []
        for first in range(0, len(uuids), _DEVICES):
            commands = [
                ("HMGET", self._keys.state(u), *_SHOWN, "home", "device") for u in uuids[first : first + _DEVICES]
            ]
            for *answer, home, device in await self._server.call_all(commands):
                # Forgotten, gone or heard since the index was read.
                if answer[0] is None or answer[2] != b"1" or int(answer[3]) >= limit:
                    continue
                silent.append((int(answer[3]), home.decode(), device.decode(), answer))
        silent.sort(key=lambda found: found[:3])
        return [_state(home_id, device_id, answer) for _, home_id, device_id, answer in silent]


def _by_device(changes: Sequence[StateChange]) -> dict[tuple[str, str], list[StateChange]]:
    found: dict[tuple[str, str], list[StateChange]] = {}
    for change in changes:
        found.setdefault((change.home_id, change.device_id), []).append(change)
    return found


def _bounded(changes: Sequence[StateChange]) -> Iterator[Sequence[StateChange]]:
    first = words = 0
    for n, change in enumerate(changes):
        words += len(change.attributes)
        if n > first and (n - first == _CHANGES or words > _WORDS):
            yield changes[first:n]
            first, words = n, len(change.attributes)
    yield changes[first:]


def _told(change: StateChange) -> tuple[int, int, int, dict[str, str]]:
    return (
        _micros(change.at),
        change.sequence,
        -1 if change.available is None else int(change.available),
        {name: _text(value) for name, value in change.attributes.items()},
    )


def _whole(state: LiveState) -> tuple[int, int, int, dict[str, tuple[int, str]]]:
    seen = None if state.last_seen_at is None else _micros(state.last_seen_at)
    said = max((_micros(at) for at in state.changed_at.values()), default=0) if seen is None else seen
    attributes = {name: (_micros(state.changed_at[name]), _text(value)) for name, value in state.attributes.items()}
    return said, -1 if seen is None else seen, int(state.available), attributes


def _text(value: Value) -> str:
    return _ENCODE(value).decode()


def _state(home_id: str, device_id: str, answer: Sequence[Any]) -> LiveState:
    """From `_SHOWN` as the server gives it."""
    state, stamps, available, seen = answer
    attributes, changed_at = _STATE.decode(state), _STAMPS.decode(stamps)
    names = sorted(attributes)
    return LiveState(
        home_id=home_id,
        device_id=device_id,
        attributes={name: attributes[name] for name in names},
        changed_at={name: _EPOCH + timedelta(microseconds=changed_at[name]) for name in names},
        available=available == b"1",
        last_seen_at=_EPOCH + timedelta(microseconds=int(seen)) if seen else None,
    )


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
