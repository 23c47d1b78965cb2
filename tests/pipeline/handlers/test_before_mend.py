"""After a backup took the place of home.db: what ran does not run again, and what was only acknowledged still does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pipeline_fakes import device, event, furnish
from rules_at_work import LIGHT_ON, UNLOCK, System, rule, running

from homeguard.clock import SystemClock
from homeguard.effects import fingerprint, resolve
from homeguard.ids import derived_id
from homeguard.stores.sqlite.backup import BACKUPS, DATABASES, read_snapshot, stamp, take
from homeguard.stores.sqlite.offsets import load_offsets, save_offsets
from homeguard.stores.sqlite.open import open_embedded, schemas
from homeguard.stores.sqlite.recovery import Folder
from homeguard.stores.sqlite.restore import restore
from pipeline.envelope import encode
from pipeline.handlers import before_mend
from pipeline.handlers.before_mend import BeforeMend
from pipeline.topics import AUTOMATE, REFLEX

CLOCK = SystemClock()
UNLOCKS = {"type": "device_event", "device_id": "hall_motion", "event_type": "motion_stopped"}


class Home:
    """One data folder over several starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.groups = folder / "log" / "groups"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple]:
        folder = Folder(self.folder, CLOCK, schemas())
        async with open_embedded(self.folder, CLOCK, folder=folder) as stores:
            yield stores, BeforeMend(stores.log, folder.mended_at, folder.decided)

    async def furnish(self) -> None:
        binding = {"driver": "simulated"}
        async with self.open() as (stores, _):
            await furnish(
                stores,
                device("hall_motion", "motion"),
                device("lamp", "light", binding=binding),
                device("front_door_lock", "lock", binding=binding),
            )
            await stores.automations.put(rule("light", actions=[LIGHT_ON]))
            await stores.automations.put(rule("door", trigger=UNLOCKS, actions=[UNLOCK]))
        # who has the folder's key has its log
        (self.folder / "local.key").write_text("key")

    async def work(self, *ids: str, event_type: str = "motion_detected", knows=None) -> list[str]:
        """What devices are told from one start to its end, while these events come."""
        async with self.open() as (stores, before):
            lock = await stores.devices.get("h1", "front_door_lock")

            async def standing(_):
                return frozenset((fingerprint(resolve(lock, None, "unlock", {}, "metric")),))

            async with running(stores, CLOCK, standing, knows(before) if knows else before) as system:
                if ids:
                    await system.intake.submit([_motion(event_id, event_type) for event_id in ids])
                await system.settle()
        return [command.id for command in system.sent]

    async def take_only(self, *ids: str, minutes_ago: int = 0, event_type: str = "motion_detected") -> None:
        """These are acknowledged by an instance that ends before a group has read them."""
        async with self.open() as (stores, _):
            await stores.log.append([encode(_motion(i, event_type, minutes_ago)) for i in ids])

    async def decide_only(self, *ids: str, event_type: str = "motion_detected") -> None:
        """These are decided on by an instance that ends before anything was carried out."""
        async with self.open() as (stores, before):
            system, stop = System(stores, CLOCK, None, before), asyncio.Event()
            async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
                tasks.create_task(system.processors[REFLEX].run(stop))
                await system.intake.submit([_motion(event_id, event_type) for event_id in ids])
                await system.processors[REFLEX].caught_up()
                stop.set()

    def back_up(self) -> None:
        now = CLOCK.now()
        take(self.folder, self.folder / BACKUPS / f"home-{stamp(now)}", ["home.db"], version="1", now=now)

    def damage(self) -> None:
        (self.folder / "home.db").write_bytes(b"\xff" * 8192)


def _motion(event_id: str, event_type: str = "motion_detected", minutes_ago: int = 0):
    at = CLOCK.now() - timedelta(minutes=minutes_ago)
    return event(event_type, "hall_motion", at=at, received_at=CLOCK.now(), event_id=event_id)


def lit_by(*ids: str) -> list[str]:
    return [derived_id(event_id, "light", "0") for event_id in ids]


@pytest.fixture
async def home(tmp_path):
    made = Home(tmp_path / "home")
    await made.furnish()
    return made


async def test_what_was_only_acknowledged_sets_off_its_rules_and_what_ran_does_not_again(home):
    home.back_up()
    assert await home.work("m1") == lit_by("m1")
    await home.take_only("m2")
    home.damage()

    assert await home.work() == lit_by("m2")
    assert await home.work() == []


async def test_without_what_the_log_knows_it_would_run_twice_or_never(home):
    home.back_up()
    await home.work("m1")
    await home.take_only("m2")
    before = (home.groups / "reflex.json").read_bytes()
    home.damage()

    assert await home.work(knows=lambda _: None) == lit_by("m1", "m2")

    await home.take_only("m3")
    (home.groups / "reflex.json").write_bytes(before)
    home.damage()
    assert await home.work(knows=lambda b: BeforeMend(b._log, b._mended_at, {})) == []


@pytest.mark.parametrize("groups", [(REFLEX,), (REFLEX, AUTOMATE)])
async def test_what_a_kill_kept_from_being_committed_does_not_run_again(home, groups):
    await home.work("m0")
    home.back_up()
    before = load_offsets(home.groups)
    await home.work("m1")
    await home.take_only("m2")
    save_offsets(home.groups, {group: before[group] for group in groups})
    home.damage()

    assert await home.work() == lit_by("m2")


async def test_what_was_decided_and_not_carried_out_is_but_no_door_is_opened_for_it(home):
    await home.work("m0")
    home.back_up()
    await home.decide_only("m1")
    await home.decide_only("m2", event_type="motion_stopped")
    home.damage()

    assert await home.work() == lit_by("m1")


async def test_the_door_is_opened_where_nothing_was_mended(home):
    await home.work("m0")
    await home.decide_only("m2", event_type="motion_stopped")

    assert await home.work() == [derived_id("m2", "door", "0")]


async def test_what_is_late_by_then_sets_nothing_off(home):
    home.back_up()
    await home.take_only("m1", minutes_ago=16)
    home.damage()

    assert await home.work() == []


async def test_a_home_that_is_damaged_again_still_knows_what_was_decided_before_the_first_time(home):
    home.back_up()
    await home.work("m1")
    home.damage()
    async with home.open():
        pass  # it ends before its groups have read anything
    await home.take_only("m2")
    home.damage()

    assert await home.work() == lit_by("m2")


async def test_a_damaged_file_of_events_takes_nothing_from_the_rules(home):
    now = CLOCK.now()
    await home.work("m0")
    take(home.folder, home.folder / BACKUPS / f"events-{stamp(now)}", ["events.db"], version="1", now=now)
    await home.take_only("m1")
    await home.decide_only("m2", event_type="motion_stopped")
    (home.folder / "events.db").write_bytes(b"\xff" * 8192)

    assert sorted(await home.work()) == sorted([*lit_by("m1"), derived_id("m2", "door", "0")])


async def test_a_restore_on_its_own_log_sets_off_what_was_only_acknowledged(home, tmp_path):
    await home.work("m0")
    take(home.folder, tmp_path / "copy", DATABASES, version="1", now=CLOCK.now(), with_log=True)
    await home.work("m1")
    await home.take_only("m2")
    done = restore(read_snapshot(tmp_path / "copy"), home.folder, schemas(), CLOCK.now())

    assert done.is_from_own_log
    assert await home.work() == lit_by("m2")


async def test_a_restore_elsewhere_sets_off_nothing_of_before(home, tmp_path):
    await home.work("m0")
    await home.take_only("m1")
    take(home.folder, tmp_path / "copy", DATABASES, version="1", now=CLOCK.now(), with_log=True)
    other = Home(tmp_path / "other")
    other.folder.mkdir()
    done = restore(read_snapshot(tmp_path / "copy"), other.folder, schemas(), CLOCK.now())

    assert not done.is_from_own_log
    assert await other.work() == []
    assert await other.work("m3") == lit_by("m3")


async def test_where_the_log_is_too_long_to_be_looked_through_no_decision_is_made_twice(home, monkeypatch):
    await home.work("m0")
    home.back_up()
    before = load_offsets(home.groups)
    await home.work("m1", "m2", "m3")
    await home.take_only("m4")
    save_offsets(home.groups, {REFLEX: before[REFLEX]})
    home.damage()
    monkeypatch.setattr(before_mend, "STEPS", (1,))

    assert await home.work() == lit_by("m4")
