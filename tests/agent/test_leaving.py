"""Whoever leaves takes all with them: what was said, kept and asked, and the turn that still waits for a card."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from homeguard.clock import SystemClock
from homeguard.errors import Conflict, DeviceNotFound
from homeguard.identity.leaving import Leaving
from homeguard.model import Member
from homeguard.ports.personal import Erasure, Subject
from pipeline.intake.intake import Origin

WORD = "canary7391"
SAID = f"remember that {WORD} likes tea"
UNLOCK = ("control_device", {"device_id": "front_door_lock", "command": "unlock"})


def leaving_of(house: Any, **changed: Any) -> Leaving:
    running = house.running
    given = {
        "stores": running.stores, "identity": running.identity, "forget_turns": running.agent.forget_person,
        "settled": running.plane.caught_up, "clock": SystemClock(),
    }  # fmt: skip
    return Leaving(**{**given, **changed})


def all_text(folder: Path) -> str:
    """Every value of every table of every database of the folder."""
    found = []
    for path in sorted(folder.glob("*.db")):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                if not table.startswith("memory_words"):
                    found += [repr(row) for row in connection.execute(f'SELECT * FROM "{table}"')]
    return "\n".join(found)


async def test_nothing_that_a_person_said_or_asked_is_left_when_they_go(
    open_house: Any, calls: Any, tmp_path: Path
) -> None:
    script = {f"let {WORD} in": [calls(UNLOCK)], SAID: [calls(("remember", {"text": f"{WORD} likes tea"}))]}
    folder = tmp_path / "data"
    async with open_house(script) as house:
        stores = house.running.stores
        others = [h.id for h in await stores.users.homes() if h.id != house.home_id]
        await house.say(SAID)
        waiting = await house.say(f"let {WORD} in")
        assert waiting.status == "waiting"
        assert [m.text for m in await stores.memory.of(house.home_id, house.home_id)] == [f"{WORD} likes tea"]
        assert WORD in all_text(folder)
        told = await leaving_of(house).export(house.owner)
        assert {name for name, rows in told.data.items() if WORD in repr(rows)} >= {"messages", "memories", "threads"}
        before = {home: await stores.devices.of_home(home) for home in others}

        gone = await leaving_of(house).leave(house.owner)

        assert gone.homes == (house.home_id,)
        assert await house.running.plane.commands.inbox(house.owner) == []
        assert {home: await stores.devices.of_home(home) for home in others} == before
        assert [h.id for h in await stores.users.homes()] == sorted(others)
    left = all_text(folder)
    assert WORD not in left
    assert f"'{house.home_id}'" not in left


async def test_who_is_the_only_owner_of_others_is_told_so(open_house: Any) -> None:
    async with open_house() as house:
        stores = house.running.stores
        admin = next(u for u in await stores.users.users() if u.role == "admin")
        await stores.users.put_member(Member(home_id=house.home_id, user_id=admin.id, role="member"))
        with pytest.raises(Conflict, match="owner first"):
            await leaving_of(house).leave(house.owner)
        assert await stores.users.user(house.home_id) is not None


async def gone(stores: Any, home_id: str) -> None:
    """Returns when nobody of that id is left; ten seconds at most."""
    async with asyncio.timeout(10):
        while await stores.users.user(home_id) is not None or await stores.erasures.unfinished():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_an_erasure_that_a_crash_cut_off_is_carried_out_at_the_next_start(
    open_house: Any, calls: Any, tmp_path: Path
) -> None:
    script = {SAID: [calls(("remember", {"text": f"{WORD} likes tea"}))]}
    async with open_house(script) as house:
        stores, home_id = house.running.stores, house.home_id
        await house.say(SAID)
        subject = Subject(user_id=home_id, homes=(home_id,), sole_homes=(home_id,))
        await stores.erasures.begin(Erasure(subject=subject, begun_at=SystemClock().now()))
        # the power goes here
    assert WORD in all_text(tmp_path / "data")
    async with open_house(script) as house:
        stores = house.running.stores
        await gone(stores, home_id)
        assert await stores.devices.of_home(home_id) == []
    left = all_text(tmp_path / "data")
    assert WORD not in left
    assert f"'{home_id}'" not in left


async def test_what_was_not_through_is_gone_on_with_and_somebody_new_of_that_id_is_left_alone(open_house: Any) -> None:
    async def never() -> None:
        raise TimeoutError

    async with open_house() as house:
        stores, home_id = house.running.stores, house.home_id
        user = await stores.users.user(home_id)
        told = await leaving_of(house, settled=never).leave(house.owner)
        assert told.pending == ("what was on its way has not come through",)
        assert len(await stores.erasures.unfinished()) == 1

        assert await leaving_of(house).go_on() == 1

        assert await stores.erasures.unfinished() == []
        before = Erasure(subject=Subject(user_id=home_id), begun_at=user.created_at.replace(year=2001))
        await stores.users.put_user(user, "hash")
        await stores.erasures.begin(before)
        assert await leaving_of(house).go_on() == 0
        assert await stores.users.user(home_id) == user
        assert await stores.erasures.unfinished() == []


async def test_nothing_is_taken_in_for_a_home_from_the_moment_that_it_goes(open_house: Any) -> None:
    async with open_house() as house:
        plane, home_id = house.running.plane, house.home_id
        device = (await house.running.stores.devices.of_home(home_id))[0].id
        body = json.dumps({"device_id": device, "event_type": "motion_detected", "payload": {}}).encode()
        origins = [Origin(home_id=home_id, source="mqtt:x"),
                   Origin(home_id=home_id, source="replay", may_create_devices=True)]  # fmt: skip
        for origin in origins:
            assert (await plane.intake.receive(body, origin)).accepted == 1

        await leaving_of(house, close_home=plane.close_home).leave(house.owner)

        for origin in origins:
            with pytest.raises(DeviceNotFound):
                await plane.intake.receive(body, origin)
        await plane.caught_up()
        assert (await house.running.stores.events.query(home_id)).items == ()
        assert await house.running.stores.devices.of_home(home_id) == []
