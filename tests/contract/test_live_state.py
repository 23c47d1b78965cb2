"""How devices are now, and the feed of what just happened."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeguard.model import LiveState
from homeguard.ports.live_state import Live, StateChange

PORTS = ("live", "feed")

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def change(second: int, sequence: int = 0, available: bool | None = None, **attributes) -> StateChange:
    return StateChange(
        home_id="h1", device_id="d1", at=AT + second * SECOND, sequence=sequence, attributes=attributes,
        available=available,
    )  # fmt: skip


async def test_a_change_is_merged_attribute_by_attribute(stores):
    await stores.live.apply([change(1, available=True, on=True, level=5)])
    states = await stores.live.apply([change(2, level=6), change(3, level=6)])

    expected = LiveState(
        home_id="h1", device_id="d1", attributes={"level": 6, "on": True},
        changed_at={"level": AT + 2 * SECOND, "on": AT + SECOND}, available=True, last_seen_at=AT + 3 * SECOND,
    )  # fmt: skip
    assert states == [expected]
    assert await stores.live.get("h1", "d1") == expected
    assert await stores.live.all("h1") == {"d1": expected}


async def test_what_is_older_than_what_is_known_changes_nothing(stores):
    await stores.live.apply([change(5, sequence=2, on=True)])

    assert await stores.live.apply([change(5, sequence=1, on=False)]) == []
    assert await stores.live.apply([change(5, sequence=2, on=True)]) == []

    assert (await stores.live.get("h1", "d1")).attributes == {"on": True}


async def test_a_late_record_corrects_since_when(stores):
    await stores.live.apply([change(1, on=True), change(5, on=True)])

    (state,) = await stores.live.apply([change(3, on=False)])

    assert state.attributes == {"on": True}
    assert state.changed_at == {"on": AT + 5 * SECOND}


async def test_that_a_device_is_gone_is_not_a_sign_of_life(stores):
    await stores.live.apply([change(1, available=True, on=True)])
    (state,) = await stores.live.apply([change(9, available=False)])

    assert (state.available, state.last_seen_at) == (False, AT + SECOND)


async def test_a_home_sees_only_its_own_states(stores):
    await stores.live.apply([change(1, on=True)])

    assert await stores.live.get("h2", "d1") is None
    assert await stores.live.all("h2") == {}
    await stores.live.forget("h2", "d1")
    assert (await stores.live.get("h1", "d1")).attributes == {"on": True}
    await stores.live.forget("h1", "d1")
    assert await stores.live.all("h1") == {}


async def test_the_silent_ones_are_available_and_were_last_seen_before(stores):
    def seen(device_id: str, second: int, available: bool) -> StateChange:
        return StateChange(home_id="h1", device_id=device_id, at=AT + second * SECOND, sequence=0, available=available)

    await stores.live.apply([seen("b", 2, True), seen("a", 1, True), seen("c", 5, True), seen("gone", 1, False)])

    assert [s.device_id for s in await stores.live.silent_since(AT + 5 * SECOND)] == ["a", "b"]


async def test_states_survive_a_reopen_with_their_types_and_their_order(opener):
    async with opener() as stores:
        await stores.live.apply([change(5, available=True, on=True, level=5, share=2.0, word="x"), change(1, level=4)])
        before = await stores.live.get("h1", "d1")
    async with opener() as stores:
        after = await stores.live.get("h1", "d1")
        assert after == before
        assert {name: type(value) for name, value in after.attributes.items()} == {
            "on": bool, "level": int, "share": float, "word": str,
        }  # fmt: skip
        assert await stores.live.apply([change(3, on=False), change(5, on=True)]) == []
        await stores.live.forget("h1", "d1")
    async with opener() as stores:
        assert await stores.live.get("h1", "d1") is None


CHANGES = st.lists(
    st.builds(
        lambda second, a, b, available: (second, a, b, available),
        st.integers(0, 4),
        st.none() | st.booleans() | st.integers(0, 2),
        st.none() | st.sampled_from(["x", "y"]),
        st.none() | st.booleans(),
    ),
    max_size=8,
)


def built(drawn: list[tuple]) -> list[StateChange]:
    return [
        change(second, number, available, **({} if a is None else {"a": a}), **({} if b is None else {"b": b}))
        for number, (second, a, b, available) in enumerate(drawn)
    ]


def replayed(changes: list[StateChange]) -> LiveState:
    """What the port promises: the records in order."""
    attributes, changed_at, available, seen = {}, {}, False, None
    for c in sorted(changes, key=lambda c: (c.at, c.sequence)):
        for name, value in c.attributes.items():
            if name not in attributes or (type(attributes[name]), attributes[name]) != (type(value), value):
                changed_at[name] = c.at
            attributes[name] = value
        available = available if c.available is None else c.available
        seen = seen if c.available is False else c.at
    return LiveState(
        home_id="h1", device_id="d1", attributes=attributes, changed_at=changed_at, available=available,
        last_seen_at=seen,
    )  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=CHANGES, seed=st.integers(0, 2**32), cut=st.integers(1, 8))
async def test_shuffled_repeated_and_split_changes_end_where_the_ordered_ones_do(opener, drawn, seed, cut):
    changes = built(drawn)
    mixed = changes * 2
    random.Random(seed).shuffle(mixed)

    async with opener() as stores:
        await stores.live.forget("h1", "d1")
        for start in range(0, len(mixed), cut):
            await stores.live.apply(mixed[start : start + cut])

        assert await stores.live.get("h1", "d1") == (replayed(changes) if changes else None)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), count=st.integers(20, 200))
async def test_values_converge_however_late_a_record_is(opener, seed, count):
    chance = random.Random(seed)
    changes = [change(chance.randrange(30), n, chance.choice([None, True, False]), a=n % 3) for n in range(count)]
    mixed = list(changes)
    chance.shuffle(mixed)

    async with opener() as stores:
        await stores.live.forget("h1", "d1")
        await stores.live.apply(mixed)
        found, expected = await stores.live.get("h1", "d1"), replayed(changes)

    assert (found.attributes, found.available, found.last_seen_at) == (
        expected.attributes, expected.available, expected.last_seen_at,
    )  # fmt: skip


async def test_a_long_run_of_the_same_value_keeps_its_beginning(stores):
    await stores.live.apply([change(0, on=False)])
    for second in range(1, 101):
        await stores.live.apply([change(second, on=True)])

    assert (await stores.live.get("h1", "d1")).changed_at == {"on": AT + SECOND}


# --- the feed


def live(number: int, home_id: str = "h1", user_id: str = "") -> Live:
    return Live(home_id=home_id, kind="device_event", data={"n": number}, user_id=user_id)


async def test_a_subscriber_gets_what_its_home_and_person_may_see_in_order(stores):
    async with (
        stores.feed.subscribe("h1", user_id="anna") as anna,
        stores.feed.subscribe("h1") as home,
        stores.feed.subscribe("*") as everything,
    ):
        items = [live(1), live(2, home_id="h2"), live(3, user_id="anna"), live(4, user_id="ben"), live(5)]
        await stores.feed.publish(items)

        assert [await anext(anna) for _ in range(3)] == [items[0], items[2], items[4]]
        assert [await anext(home) for _ in range(2)] == [items[0], items[4]]
        assert [await anext(everything) for _ in range(5)] == items


async def test_a_slow_subscriber_gets_one_gap_and_goes_on(stores):
    async with stores.feed.subscribe("h1", limit=3) as slow:
        await stores.feed.publish([live(n) for n in range(8)])

        gap, *rest = [await anext(slow) for _ in range(3)]
        assert gap == Live(home_id="h1", kind="gap", data={"missed": 6})
        assert rest == [live(6), live(7)]

        await stores.feed.publish([live(8)])
        assert await anext(slow) == live(8)


async def test_nothing_from_before_the_subscription_and_nothing_after_it(stores):
    await stores.feed.publish([live(0)])
    async with stores.feed.subscribe("h1") as feed:
        waiting = asyncio.ensure_future(anext(feed))
        await asyncio.sleep(0)
        await stores.feed.publish([live(1)])
        assert await waiting == live(1)
    await stores.feed.publish([live(2)])

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(feed), 0.01)
