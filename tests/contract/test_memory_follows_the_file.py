"""What the embedded stores keep in memory is what a restart would read, whatever became of a write."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from homeguard.errors import Conflict
from homeguard.model import Automation, Home, Member, User
from homeguard.stores.sqlite.open import open_embedded

PORTS = ("users", "automations")
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)

ANN = User(id="u1", email="Ann@example.com", name="Ann", created_at=AT)
BEN = User(id="u2", email="ben@example.com", name="Ben", created_at=AT)
HOME = Home(id="h1", name="One")
RULE = Automation(
    id="a1", home_id="h1", name="Lamp", trigger={"event_type": "motion_detected"},
    actions=({"type": "notification", "message": "moved"},),
)  # fmt: skip


async def known(stores) -> tuple[object, ...]:
    """All that the ports tell of the people, homes and rules of this file."""
    users, rules = stores.users, stores.automations
    return (
        await users.users(), await users.user("u1"), await users.user("u2"), await users.homes(),
        await users.home("h1"), await users.members("h1"), await users.homes_of("u1"), await users.homes_of("u2"),
        await rules.of_home("h1"), await rules.get("h1", "a1"), await rules.of_home("h2"),
    )  # fmt: skip


async def test_a_restart_reads_what_memory_had(tmp_path, clock):
    async with open_embedded(tmp_path, clock) as stores:
        await stores.users.put_user(BEN, "x")
        await stores.users.put_user(ANN, "x")
        await stores.users.put_user(replace(ANN, name="Anna"), "y")
        await stores.users.put_home(HOME)
        await stores.users.put_home(Home(id="h0", name="Other"))
        await stores.users.put_member(Member(home_id="h1", user_id="u2", role="member"))
        await stores.users.put_member(Member(home_id="h1", user_id="u2", role="owner"))
        await stores.users.put_member(Member(home_id="h0", user_id="u1", role="owner"))
        await stores.users.set_mode("h1", "away", "armed_away")
        await stores.users.set_mode("h9", "away", "armed_away")
        for rule in (RULE, replace(RULE, id="a0"), replace(RULE, id="a2", name="A lamp"), replace(RULE, enabled=False)):
            await stores.automations.put(rule)
        assert await stores.automations.delete("h1", "a0")
        before = await known(stores)
    async with open_embedded(tmp_path, clock) as stores:
        assert await known(stores) == before

    assert [rule.id for rule in before[8]] == ["a2", "a1"]
    assert before[4] == Home(id="h1", name="One", mode="away", arm_state="armed_away")
    assert before[0] == [replace(ANN, name="Anna"), BEN]


async def test_a_write_that_is_refused_changes_nothing_in_memory(tmp_path, clock):
    async with open_embedded(tmp_path, clock) as stores:
        await stores.users.put_user(ANN, "x")
        await stores.users.put_user(BEN, "x")
        with pytest.raises(Conflict):
            await stores.users.put_user(replace(BEN, email="ANN@example.com"), "x")
        before = await known(stores)
    async with open_embedded(tmp_path, clock) as stores:
        assert await known(stores) == before

    assert before[2] == BEN


async def test_callers_that_are_cancelled_leave_memory_and_file_the_same(tmp_path, clock):
    async with open_embedded(tmp_path, clock) as stores:
        users = stores.users
        writes = [
            users.put_user(ANN, "x"), users.put_home(HOME), stores.automations.put(RULE),
        ]  # fmt: skip
        tasks = [asyncio.ensure_future(write) for write in writes]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await users.put_home(Home(id="h2", name="Two"))  # commits behind them
        before = await known(stores)
    async with open_embedded(tmp_path, clock) as stores:
        assert await known(stores) == before


async def test_what_a_caller_does_with_a_rule_that_it_put_changes_nothing_here(tmp_path, clock):
    trigger = {"event_type": "motion_detected"}
    async with open_embedded(tmp_path, clock) as stores:
        await stores.automations.put(replace(RULE, trigger=trigger))
        trigger["event_type"] = "door_open"

        assert (await stores.automations.get("h1", "a1")).trigger == {"event_type": "motion_detected"}
