"""The PIN of a home and the tries at it; what was allowed beforehand."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from homeguard.permissions import Evidence, Permission
from homeguard.ports.pins import Pin
from homeguard.tries import LOCKED_FOR, MOST_TRIES, WITHIN

PORTS = ("pins", "permissions")

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
PIN = Pin(home_id="h1", pin_hash="$argon2id$one", set_by="anna", set_at=AT)
FIRE = Permission(
    id="p1", home_id="h1", name="Way out", kind="fire_egress", device_ids=("front", "back"), created_by="anna",
    created_at=AT, evidence=Evidence(sources=3, when_away=True),
)  # fmt: skip
VISIT = Permission(
    id="p2", home_id="h1", name="Mom", kind="guest_window", device_ids=("front",), valid_from=AT,
    valid_until=AT + 90 * MINUTE, evidence=Evidence(person="Mom", confidence=0.9), created_by="ben",
    created_at=AT + SECOND,
)  # fmt: skip


async def test_a_home_has_one_pin_that_survives_a_reopen_and_goes_when_it_is_removed(opener):
    async with opener() as stores:
        assert await stores.pins.get("h1") is None
        await stores.pins.put(PIN)
        await stores.pins.put(replace(PIN, pin_hash="$argon2id$two", set_at=AT + SECOND))
    async with opener() as stores:
        assert await stores.pins.get("h1") == replace(PIN, pin_hash="$argon2id$two", set_at=AT + SECOND)
        assert await stores.pins.get("h2") is None
        assert [await stores.pins.remove("h1") for _ in range(2)] == [True, False]
        assert await stores.pins.get("h1") is None


async def test_five_tries_are_judged_and_then_none_for_ten_minutes_also_after_a_reopen(opener):
    async with opener() as stores:
        first = [await stores.pins.attempt("h1", "anna", AT + n * SECOND) for n in range(MOST_TRIES)]
    locked = AT + 4 * SECOND + LOCKED_FOR
    async with opener() as stores:
        assert first == [None] * MOST_TRIES
        assert abs(await stores.pins.attempt("h1", "anna", AT + MINUTE) - locked) < SECOND
        assert abs(await stores.pins.attempt("h1", "anna", locked - SECOND) - locked) < SECOND
        assert await stores.pins.attempt("h1", "ben", AT + MINUTE) is None
        assert await stores.pins.attempt("h2", "anna", AT + MINUTE) is None
        assert await stores.pins.attempt("h1", "anna", locked + SECOND) is None


async def test_a_right_one_begins_the_count_anew_and_so_does_another_pin(stores):
    for number in range(MOST_TRIES):
        await stores.pins.attempt("h1", "anna", AT + number * SECOND)
    await stores.pins.succeeded("h1", "anna")
    assert await stores.pins.attempt("h1", "anna", AT + MINUTE) is None
    for number in range(MOST_TRIES):
        await stores.pins.attempt("h1", "anna", AT + MINUTE + number * SECOND)
    await stores.pins.put(PIN)
    assert await stores.pins.attempt("h1", "anna", AT + 2 * MINUTE) is None


async def test_tries_that_are_far_apart_never_lock(stores):
    for number in range(4 * MOST_TRIES):
        assert await stores.pins.attempt("h1", "anna", AT + number * WITHIN / (MOST_TRIES - 1)) is None


async def test_of_fifty_tries_at_once_five_are_judged(stores):
    told = await asyncio.gather(*(stores.pins.attempt("h1", "anna", AT) for _ in range(50)))

    assert sum(until is None for until in told) == MOST_TRIES


async def test_a_lock_of_a_clock_that_stood_far_ahead_ends_ten_minutes_from_now(stores):
    for _ in range(MOST_TRIES):
        await stores.pins.attempt("h1", "anna", AT + 10_000 * MINUTE)

    until = await stores.pins.attempt("h1", "anna", AT)
    assert abs(until - (AT + LOCKED_FOR)) < SECOND
    assert await stores.pins.attempt("h1", "anna", until + SECOND) is None


async def test_permissions_are_kept_as_they_were_given_oldest_first(opener):
    async with opener() as stores:
        assert [await stores.permissions.put(p) for p in (VISIT, FIRE, replace(FIRE, name="Other"))] == [
            True, True, False,
        ]  # fmt: skip
        await stores.permissions.put(replace(FIRE, home_id="h2"))
    async with opener() as stores:
        assert await stores.permissions.of_home("h1") == [FIRE, VISIT]
        assert await stores.permissions.get("h1", "p2") == VISIT
        assert await stores.permissions.get("h3", "p1") is None


async def test_a_revoked_permission_stays_and_is_used_no_more(stores):
    await stores.permissions.put(FIRE)
    revoke = stores.permissions.revoke

    assert await stores.permissions.use("h1", "p1", AT + SECOND)
    revoked = await revoke("h1", "p1", by="ben", at=AT + MINUTE)
    assert (revoked.revoked_by, revoked.revoked_at, revoked.uses) == ("ben", AT + MINUTE, 1)
    assert await revoke("h1", "p1", by="carl", at=AT + 2 * MINUTE) == revoked
    assert not await stores.permissions.use("h1", "p1", AT + 3 * MINUTE)
    assert await stores.permissions.get("h1", "p1") == replace(revoked, last_used_at=AT + SECOND)
    assert await revoke("h2", "p1", by="ben", at=AT) is None
    assert not await stores.permissions.use("h1", "p9", AT)


async def test_many_uses_at_once_are_all_counted(stores):
    await stores.permissions.put(FIRE)

    assert all(await asyncio.gather(*(stores.permissions.use("h1", "p1", AT) for _ in range(30))))
    assert (await stores.permissions.get("h1", "p1")).uses == 30
