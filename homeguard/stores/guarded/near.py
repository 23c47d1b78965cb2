"""Stores as reflexes see them: what this folder knows is asked, so nothing remote is waited for; writes go on whole.

Only a home that this folder does not know at all, which another process may have made a moment ago, is asked for.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from homeguard.errors import StoreUnavailable
from homeguard.model import ArmState, Automation, Device, Home, HomeMode, LiveState, Member, User
from homeguard.ports.automations import AutomationStore
from homeguard.ports.devices import DeviceStore
from homeguard.ports.live_state import LiveStateStore, StateChange
from homeguard.ports.users import UserStore

__all__: Final = ["MergedLive", "NearAutomations", "NearDevices", "NearUsers"]

T = TypeVar("T")


class NearUsers:
    """A `UserStore`: reads `local`, writes `whole` (which keeps `local` up to date)."""

    def __init__(self, local: UserStore, whole: UserStore) -> None:
        self._local = local
        self._whole = whole

    async def put_user(self, user: User, password_hash: str) -> None:
        await self._whole.put_user(user, password_hash)

    async def user(self, user_id: str) -> User | None:
        return await self._local.user(user_id)

    async def user_by_email(self, email: str) -> tuple[User, str] | None:
        return await self._local.user_by_email(email)

    async def set_password_hash(self, user_id: str, password_hash: str) -> None:
        await self._whole.set_password_hash(user_id, password_hash)

    async def users(self) -> list[User]:
        return await self._local.users()

    async def put_home(self, home: Home) -> None:
        await self._whole.put_home(home)

    async def home(self, home_id: str) -> Home | None:
        home = await self._local.home(home_id)
        return home if home is not None or not home_id else await _unless_away(self._whole.home(home_id), None)

    async def homes(self) -> list[Home]:
        return await self._local.homes()

    async def set_mode(self, home_id: str, mode: HomeMode, arm_state: ArmState) -> None:
        await self._whole.set_mode(home_id, mode, arm_state)

    async def put_member(self, member: Member) -> None:
        await self._whole.put_member(member)

    async def members(self, home_id: str) -> list[Member]:
        return await self._local.members(home_id)

    async def homes_of(self, user_id: str) -> list[Member]:
        members = await self._local.homes_of(user_id)
        return members if members or not user_id else await _unless_away(self._whole.homes_of(user_id), [])


class NearDevices:
    """A `DeviceStore`: reads `local`, writes `whole` (which keeps `local` up to date)."""

    def __init__(self, local: DeviceStore, whole: DeviceStore) -> None:
        self._local = local
        self._whole = whole

    async def put(self, devices: Sequence[Device]) -> None:
        await self._whole.put(devices)

    async def get(self, home_id: str, device_id: str) -> Device | None:
        device = await self._local.get(home_id, device_id)
        if device is not None or not home_id or await self._local.of_home(home_id):
            return device
        return await _unless_away(self._whole.get(home_id, device_id), None)

    async def of_home(self, home_id: str) -> list[Device]:
        devices = await self._local.of_home(home_id)
        return devices if devices or not home_id else await _unless_away(self._whole.of_home(home_id), [])

    async def delete(self, home_id: str, device_id: str) -> bool:
        return await self._whole.delete(home_id, device_id)

    async def by_device_id(self, device_id: str) -> list[Device]:
        return await self._local.by_device_id(device_id)


class NearAutomations:
    """An `AutomationStore`: reads `local`, writes `whole` (which keeps `local` up to date)."""

    def __init__(self, local: AutomationStore, whole: AutomationStore) -> None:
        self._local = local
        self._whole = whole

    async def put(self, automation: Automation) -> None:
        await self._whole.put(automation)

    async def get(self, home_id: str, automation_id: str) -> Automation | None:
        return await self._local.get(home_id, automation_id)

    async def of_home(self, home_id: str) -> list[Automation]:
        return await self._local.of_home(home_id)

    async def versions(self, home_id: str, automation_id: str) -> list[Automation]:
        return await self._local.versions(home_id, automation_id)

    async def delete(self, home_id: str, automation_id: str) -> bool:
        return await self._whole.delete(home_id, automation_id)


class MergedLive:
    """A `LiveStateStore` of one processor among several: `near` has the devices whose partitions it reads, `far` has
    everybody's. Each attribute is as it changed last; while `far` is away, `near` alone answers."""

    def __init__(self, near: LiveStateStore, far: LiveStateStore) -> None:
        self._near = near
        self._far = far

    async def apply(self, changes: Sequence[StateChange]) -> list[LiveState]:
        return await self._near.apply(changes)

    async def flush(self) -> None:
        await self._near.flush()

    async def adopt(self, states: Sequence[LiveState]) -> int:
        return await self._near.adopt(states)

    async def get(self, home_id: str, device_id: str) -> LiveState | None:
        near = await self._near.get(home_id, device_id)
        try:
            far = await self._far.get(home_id, device_id)
        except StoreUnavailable:
            return near
        return _merged(near, far) if near is not None and far is not None else near or far

    async def all(self, home_id: str) -> Mapping[str, LiveState]:
        merged = dict(await self._near.all(home_id))
        try:
            there = await self._far.all(home_id)
        except StoreUnavailable:
            return merged
        for device_id, far in there.items():
            near = merged.get(device_id)
            merged[device_id] = _merged(near, far) if near is not None else far
        return merged

    async def forget(self, home_id: str, device_id: str) -> None:
        await self._near.forget(home_id, device_id)

    async def silent_since(self, before: datetime) -> list[LiveState]:
        return await self._near.silent_since(before)


async def _unless_away(asked: Awaitable[T], otherwise: T) -> T:
    try:
        return await asked
    except StoreUnavailable:
        return otherwise


def _merged(near: LiveState, far: LiveState) -> LiveState:
    first, last = (near, far) if _seen(far) >= _seen(near) else (far, near)
    attributes, changed_at = dict(first.attributes), dict(first.changed_at)
    for name, value in last.attributes.items():
        if name not in attributes or last.changed_at[name] >= changed_at[name]:
            attributes[name], changed_at[name] = value, last.changed_at[name]
    # That a device went is said after its last word, which both may know.
    is_same_word = first.last_seen_at == last.last_seen_at
    return replace(
        last,
        attributes={name: attributes[name] for name in sorted(attributes)},
        changed_at={name: changed_at[name] for name in sorted(attributes)},
        available=last.available and (first.available or not is_same_word),
    )


def _seen(state: LiveState) -> float:
    return state.last_seen_at.timestamp() if state.last_seen_at is not None else 0.0
