"""What was allowed beforehand, where things are done: which permission stands for a card now, and how one is asked for.

The acts that rely on one (the answer to a fire, a guest's arrival) come with the circumstances that they have seen.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from homeguard.clock import iso
from homeguard.errors import InvalidInput, StoreUnavailable
from homeguard.model import Device, Effect, Home, Json, Principal
from homeguard.permissions import Circumstances, Evidence, Permission, checked, ruling
from homeguard.ports.permissions import Permissions

log = logging.getLogger("homeguard.command")

#: Only HomeGuard's own reflexes act on a permission. A person has the card; an agent and a client may not use one.
_MAY_RELY: Final = frozenset(("system", "automation"))


class Standing:
    """Looks for the permission that stands for a card, and counts its use."""

    def __init__(self, permissions: Permissions) -> None:
        self._permissions = permissions

    async def covering(
        self, principal: Principal, effect: Effect, seen: Circumstances | None, now: datetime
    ) -> Permission | None:
        """The permission that allows this effect now, its use counted; None without one. `now` is the system's clock,
        that of `seen` the home's. A store that does not answer allows nothing."""
        if seen is None or principal.caller not in _MAY_RELY:
            return None
        try:
            for permission in await self._permissions.of_home(principal.home_id):
                if not ruling(permission, effect, seen).allowed:
                    continue
                # one that was revoked just now does not count
                if await self._permissions.use(principal.home_id, permission.id, now):
                    return permission
        except StoreUnavailable as error:
            log.warning("nothing is allowed beforehand while it cannot be looked up: %s", error.message)
        return None


def asked_permission(
    home: Home,
    devices: Sequence[Device],
    *,
    name: str,
    kind: str,
    device_ids: Sequence[str],
    valid_from: datetime | None,
    valid_until: datetime | None,
    evidence: Evidence,
    now: datetime,
) -> Effect:
    """The effect of giving a permission, with all that its card says. `now` is the home's clock.

    Raises:
        InvalidInput: it may not be asked for (`permissions.checked`).
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= 100:
        raise InvalidInput("a permission has a name of 1 to 100 characters", field="name")
    locks = {device.id: device.name for device in devices if device.type == "lock"}
    kind = checked(
        kind=kind, device_ids=device_ids, locks=locks, valid_from=valid_from, valid_until=valid_until,
        evidence=evidence, now=now,
    )  # fmt: skip
    return Effect(
        kind="create_permission",
        parameters={
            "name": name,
            "kind": kind,
            "device_ids": list(device_ids),
            "valid_from": iso(valid_from) if valid_from is not None else None,
            "valid_until": iso(valid_until) if valid_until is not None else None,
            "evidence": asdict(evidence),
            "says": _in_words(home, kind, [locks[d] for d in device_ids], valid_from, valid_until, evidence),
        },
    )


def described(permission: Permission, home: Home, names: Mapping[str, str]) -> str:
    """The permission as a sentence, in the home's time; `names` are the devices' names by id."""
    doors = [names.get(device_id, device_id) for device_id in permission.device_ids]
    return _in_words(
        home, permission.kind, doors, permission.valid_from, permission.valid_until, permission.evidence
    )  # fmt: skip


def permission_of(effect: Effect, *, permission_id: str, home_id: str, by: str, now: datetime) -> Permission:
    """The permission that an approved `asked_permission` gives."""
    given: Mapping[str, Any] = effect.parameters
    return Permission(
        id=permission_id,
        home_id=home_id,
        name=given["name"],
        kind=given["kind"],
        device_ids=tuple(given["device_ids"]),
        valid_from=_time(given["valid_from"]),
        valid_until=_time(given["valid_until"]),
        evidence=Evidence(**given["evidence"]),
        created_by=by,
        created_at=now,
    )


def _in_words(
    home: Home,
    kind: str,
    doors: Sequence[str],
    valid_from: datetime | None,
    valid_until: datetime | None,
    evidence: Evidence,
) -> str:
    zone = ZoneInfo(home.time_zone)
    named = " and ".join(doors)
    if kind == "fire_egress":
        who = "also when nobody is at home" if evidence.when_away else "while someone is at home"
        when = "when two sensors tell of a fire" if evidence.sources == 2 else f"on {evidence.sources} sensors' word"
        end = f", until {_local(valid_until, zone)}" if valid_until is not None else ""
        return f"Unlock {named} without asking {when}, {who}{end}"
    assert valid_from is not None
    assert valid_until is not None
    guest = f"the face of {evidence.person}" if evidence.person else f"the code {evidence.code_id}"
    return f"Unlock {named} for {guest} without asking, {_local(valid_from, zone)} to {_local(valid_until, zone)}"


def _local(at: datetime, zone: ZoneInfo) -> str:
    there = at.astimezone(zone)
    return f"{there:%a} {there.day} {there:%b %Y %H:%M}"


def _time(text: Json) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
