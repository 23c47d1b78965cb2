"""Token buckets: how often one key may do one thing."""

import asyncio
import time

import pytest

PORTS = ("limits",)


async def until_taken(stores, clock, key: str, *, per_minute: float, burst: float) -> float:
    """Waits as it is told until there is a token; the seconds that it was told to wait first. Stores that go by a
    server's clock need real time, the others the stepped one."""
    first = wait_s = await stores.limits.take(key, per_minute=per_minute, burst=burst)
    async with asyncio.timeout(10):
        while wait_s:
            await clock.sleep(max(wait_s, 0.001))
            await asyncio.sleep(wait_s)
            wait_s = await stores.limits.take(key, per_minute=per_minute, burst=burst)
    return first


@pytest.mark.parametrize("burst", [1, 3, 120])
async def test_a_bucket_starts_full_and_holds_its_burst(stores, burst):
    waits = [await stores.limits.take("anna", per_minute=1, burst=burst) for _ in range(burst + 2)]

    assert waits[:burst] == [0.0] * burst
    assert all(0 < wait_s <= 60 for wait_s in waits[burst:])


async def test_what_is_refused_takes_nothing(stores):
    await stores.limits.take("anna", per_minute=1, burst=1)

    waits = [await stores.limits.take("anna", per_minute=1, burst=1) for _ in range(50)]

    # If a refusal took something, each would have to wait a minute longer than the one before.
    assert all(50 < wait_s <= 60 for wait_s in waits)
    assert waits == sorted(waits, reverse=True)


async def test_tokens_come_back_one_by_one_when_it_was_said(stores, clock):
    told = [await until_taken(stores, clock, "anna", per_minute=600, burst=1) for _ in range(3)]

    assert told[0] == 0.0
    assert all(wait_s <= 0.1 for wait_s in told)


async def test_a_bucket_never_holds_more_than_its_burst(stores, clock):
    a_second = 10.0
    for _ in range(2):
        await stores.limits.take("anna", per_minute=60 * a_second, burst=2)
    # Time for five tokens, of which two can be held.
    await clock.sleep(0.5)
    await asyncio.sleep(0.5)

    began, taken = time.monotonic(), 0
    while await stores.limits.take("anna", per_minute=60 * a_second, burst=2) == 0.0:
        taken += 1

    # What a slow machine is given while it asks is not what was held.
    assert 2 <= taken <= 2 + a_second * (time.monotonic() - began)


@pytest.mark.parametrize(
    "other", ["ben", "anna ", "ANNA", "anna:minute", "anna /api/v1/events", "2001:db8::1", "ä", ""]
)
async def test_keys_do_not_share(stores, other):
    assert await stores.limits.take("anna", per_minute=1, burst=1) == 0.0
    assert await stores.limits.take("anna", per_minute=1, burst=1) > 0

    assert await stores.limits.take(other, per_minute=1, burst=1) == 0.0


async def test_who_takes_at_the_same_time_gets_no_token_twice(stores):
    waits = await asyncio.gather(*(stores.limits.take("anna", per_minute=1, burst=10) for _ in range(40)))

    assert sum(wait_s == 0.0 for wait_s in waits) == 10
