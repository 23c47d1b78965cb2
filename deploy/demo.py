"""The demo homes: written at the first start, with thirty days of ordinary history behind `ready`."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from scenarios.history import write_history

from deploy.data_plane import DataPlane
from homeguard.clock import Clock, iso, parse_time
from homeguard.identity.identity import Identity
from homeguard.ids import derived_id
from homeguard.model import Event, Metadata, User
from homeguard.ports.stores import Stores
from homeguard.settings import Settings
from scenarios.homes import HomeFile, load_homes

log = logging.getLogger("homeguard")

#: Published on purpose; the demo is served on this machine only unless someone says otherwise.
PASSWORD: Final = "demo123"  # noqa: S105 - the demo's own, shown on its sign-in page
ADMIN: Final = ("admin@demo.com", "Admin User")
_MARK: Final = "demo.json"


def people() -> Sequence[Mapping[str, str]]:
    """Who can sign in, with the password that is the same for all."""
    owners = [(f.owner_email, f.owner_name) for f in load_homes()]
    return [{"email": e, "name": n, "password": PASSWORD} for e, n in (*owners, ADMIN)]


async def prepare(
    settings: Settings,
    stores: Stores,
    identity: Identity,
    plane: DataPlane,
    clock: Clock,
    tasks: asyncio.TaskGroup,
    history_ready: asyncio.Event,
) -> None:
    """Make what is missing of the demo; sets `history_ready` once the past is written. Safe to repeat after a crash."""
    if not settings.is_demo:
        history_ready.set()
        return
    mark = settings.data_dir / _MARK
    known = _read(mark)
    if known is None:
        now = clock.now()
        for file in load_homes():
            await _make(file, stores, identity, plane, now)
        admin = User(id=derived_id("user", ADMIN[0]), email=ADMIN[0], name=ADMIN[1], role="admin", created_at=now)
        await identity.set_password(admin, PASSWORD)
        await plane.processors["reflex"].caught_up()
        known = (now, False)
        _write(mark, now, done=False)
    begun, done = known
    if done:
        history_ready.set()
    else:
        tasks.create_task(_history(stores, begun, mark, history_ready), name="demo history")


async def _make(file: HomeFile, stores: Stores, identity: Identity, plane: DataPlane, now: datetime) -> None:
    await stores.users.put_home(file.home)
    owner = User(id=file.home.id, email=file.owner_email, name=file.owner_name, created_at=now)
    await identity.set_password(owner, PASSWORD)
    for member in file.members:
        await stores.users.put_member(member)
    await stores.devices.put(file.devices)
    plane.intake.forget_devices(file.home.id)
    await plane.intake.submit(
        [
            Event(
                home_id=file.home.id,
                event_id=derived_id("demo-start", file.home.id, device.id),
                event_type="state_changed",
                at=now,
                received_at=now,
                device_id=device.id,
                payload=dict(file.states.get(device.id, {})),
                metadata=Metadata(is_simulated=True),
                source="simulator",
            )
            for device in file.devices
        ]
    )


async def _history(stores: Stores, begun: datetime, mark: Path, history_ready: asyncio.Event) -> None:
    try:
        for file in load_homes():
            await write_history(file.home, file.devices, events=stores.events, readings=stores.readings, now=begun)
        await asyncio.to_thread(_write, mark, begun, done=True)
    except Exception:
        log.exception("the demo's history could not be written; it is tried again at the next start")
        return
    history_ready.set()


def _read(mark: Path) -> tuple[datetime, bool] | None:
    try:
        found = json.loads(mark.read_text(encoding="utf-8"))
        return parse_time(found["begun_at"]), bool(found["history"])
    except (OSError, ValueError, KeyError):
        return None


def _write(mark: Path, begun: datetime, *, done: bool) -> None:
    draft = mark.with_suffix(".draft")
    draft.write_text(json.dumps({"begun_at": iso(begun), "history": done}), encoding="utf-8")
    draft.replace(mark)
