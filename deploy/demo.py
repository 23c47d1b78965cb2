"""The demo homes: made at the first start, with thirty days of ordinary history written behind `ready`."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from homeguard.clock import Clock, iso, parse_time
from homeguard.errors import StoreUnavailable
from homeguard.identity.identity import Identity
from homeguard.ids import derived_id
from homeguard.model import Member, User
from homeguard.ports.stores import Stores
from homeguard.settings import Settings
from pipeline.intake.intake import Intake
from scenarios.history import write_history
from scenarios.homes import DemoHome, initial_events, load_homes

log = logging.getLogger("homeguard")

#: Published on purpose; the demo is served on this machine only unless someone says otherwise.
PASSWORD: Final = "demo123"  # noqa: S105 - the demo's own, shown on its sign-in page
ADMIN: Final = ("admin@demo.com", "Admin User")
_MARK: Final = "demo.json"
_HISTORY_PAUSE_S: Final = 5.0


class Demo:
    """The demo of one data folder; `begun` is when it was made, which every repetition goes by."""

    def __init__(
        self, mark: Path, begun: datetime, clock: Clock, *, is_first: bool, is_new: bool, has_history: bool
    ) -> None:
        """`is_first`: nothing of it was made from this folder yet; `is_new`: not all of it."""
        self._mark = mark
        self._clock = clock
        self._begun = begun
        self._is_first = is_first
        self.is_new = is_new
        self.has_history = has_history
        self.homes: Sequence[DemoHome] = load_homes(begun)

    def people(self) -> Sequence[Mapping[str, str]]:
        """Who can sign in, with the password that is the same for all."""
        owners = [(d.owner.email, d.owner.name) for d in self.homes]
        return [{"email": e, "name": n, "password": PASSWORD} for e, n in (*owners, ADMIN)]

    @property
    def doors_move_in(self) -> frozenset[str]:
        """The homes in which somebody goes in and out by themselves."""
        return frozenset(d.home.id for d in self.homes if d.doors_move)

    async def leave_to_others(self, stores: Stores) -> bool:
        """Whether another process made it in stores that this one shares: then it is not made again over what people
        changed since. Only devices that are kept elsewhere than the people, and all lack there, are put back."""
        if not self._is_first or await stores.users.home(self.homes[0].home.id) is None:
            return False
        if not any([await stores.devices.of_home(demo.home.id) for demo in self.homes]):
            log.warning("the demo's people are there and none of its devices: these are made again")
            for demo in self.homes:
                await stores.devices.put(demo.devices)
        self.is_new, self.has_history = False, True
        await asyncio.to_thread(self._write, has_history=True)
        return True

    async def make(self, stores: Stores, identity: Identity) -> None:
        """People, homes and devices. Safe to repeat after a crash."""
        await asyncio.to_thread(self._write, has_history=False, is_told=False)
        for demo in self.homes:
            await stores.users.put_home(demo.home)
            await identity.set_password(demo.owner, PASSWORD)
            await stores.users.put_member(Member(home_id=demo.home.id, user_id=demo.owner.id, role="owner"))
            await stores.devices.put(demo.devices)
        admin = User(
            id=derived_id("user", ADMIN[0]), email=ADMIN[0], name=ADMIN[1], role="admin", created_at=self._begun
        )
        await identity.set_password(admin, PASSWORD)

    async def tell(self, intake: Intake) -> None:
        """How the devices are at first start, through the intake like everything that devices say."""
        for demo in self.homes:
            await intake.submit(initial_events(demo, self._begun))
        await asyncio.to_thread(self._write, has_history=False)

    async def write_history(self, stores: Stores, days: int, ready: asyncio.Event) -> None:
        """The days before; `ready` is set when they are there. A store that is away is waited for; what fails
        otherwise is tried at the next start."""
        try:
            for demo in self.homes if days else ():
                await self._write_days(demo, stores, days)
            await asyncio.to_thread(self._write, has_history=True)
        except Exception:
            log.exception("the demo's history could not be written; it is tried again at the next start")
            return
        ready.set()

    async def _write_days(self, demo: DemoHome, stores: Stores, days: int) -> None:
        while True:
            try:
                await write_history(demo, events=stores.events, readings=stores.readings, now=self._begun, days=days)
            except StoreUnavailable as error:
                log.warning("the demo's history waits: %s", error.message)
                await self._clock.sleep(_HISTORY_PAUSE_S)
            else:
                return

    def _write(self, *, has_history: bool, is_told: bool = True) -> None:
        draft = self._mark.with_suffix(".draft")
        told = {"begun_at": iso(self._begun), "history": has_history, "told": is_told}
        draft.write_text(json.dumps(told), encoding="utf-8")
        draft.replace(self._mark)


def demo_of(settings: Settings, clock: Clock) -> Demo | None:
    """The demo of this folder as it stands, None when these settings have none."""
    if not settings.is_demo:
        return None
    mark = settings.data_dir / _MARK
    try:
        found = json.loads(mark.read_text(encoding="utf-8"))
        begun, is_new = parse_time(found["begun_at"]), not found.get("told", True)
        return Demo(mark, begun, clock, is_first=False, is_new=is_new, has_history=bool(found["history"]))
    except (OSError, ValueError, KeyError):
        begun = clock.now().replace(microsecond=0)
        return Demo(mark, begun, clock, is_first=True, is_new=True, has_history=False)
