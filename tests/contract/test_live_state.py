"""How devices are now, and the feed of what just happened."""

import asyncio
import random
from datetime import UTC, datetime, timedelta, timezone

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


async def test_nothing_said_is_nothing_changed(stores):
    assert await stores.live.apply([]) == []
    assert await stores.live.adopt([]) == 0
    assert await stores.live.all("h1") == {}
    assert await stores.live.silent_since(AT) == []


async def test_states_come_in_the_order_in_which_their_devices_were_first_named(stores):
    def said(device_id: str, second: int, home_id: str = "h1") -> StateChange:
        return StateChange(
            home_id=home_id, device_id=device_id, at=AT + second * SECOND, sequence=0, attributes={"n": second}
        )

    states = await stores.live.apply([said("z", 1), said("a", 1), said("z", 3), said("a", 2, "h2"), said("a", 0)])

    assert [(s.home_id, s.device_id, s.attributes) for s in states] == [
        ("h1", "z", {"n": 3}), ("h1", "a", {"n": 1}), ("h2", "a", {"n": 2}),
    ]  # fmt: skip


async def test_only_states_that_look_different_come_back(stores):
    await stores.live.apply([change(1, a=1), change(5, a=2)])

    assert await stores.live.apply([change(3, a=3)]) == []
    assert await stores.live.apply([change(5, sequence=1, a=2)]) == []
    assert await stores.live.apply([change(5, sequence=2, a=2.0)]) == []
    assert [s.last_seen_at for s in await stores.live.apply([change(6, a=2)])] == [AT + 6 * SECOND]


async def test_a_batch_of_many_devices_is_kept_whole(stores):
    changes = [
        StateChange(home_id="h1", device_id=f"d{n}", at=AT, sequence=n, attributes={"n": n}, available=True)
        for n in range(450)
    ]

    assert [s.device_id for s in await stores.live.apply(changes)] == [c.device_id for c in changes]

    found = await stores.live.all("h1")
    assert {id_: state.attributes for id_, state in found.items()} == {f"d{n}": {"n": n} for n in range(450)}
    assert len(await stores.live.silent_since(AT + SECOND)) == 450


async def test_a_batch_that_is_all_of_one_device_ends_where_single_records_do(stores):
    changes = [change(n % 700, n, n % 5 != 0, **{f"a{n % 40}": n % 3, "last": n % 7}) for n in range(1_000)]

    (state,) = await stores.live.apply(changes)

    expected = replayed(changes)
    assert (state.attributes, state.available, state.last_seen_at) == (
        expected.attributes, expected.available, expected.last_seen_at,
    )  # fmt: skip
    assert await stores.live.get("h1", "d1") == state


async def test_who_applies_at_the_same_time_loses_nothing(stores):
    changes = [change(n, n, None if n % 3 else bool(n % 2), **{f"a{n % 4}": n}) for n in range(120)]
    random.Random(5).shuffle(changes)

    await asyncio.gather(*(stores.live.apply(changes[start::10]) for start in range(10)))

    found, expected = await stores.live.get("h1", "d1"), replayed(changes)
    assert (found.attributes, found.available, found.last_seen_at) == (
        expected.attributes, expected.available, expected.last_seen_at,
    )  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        "", " a  b ", "line\nline\ttab", 'say "hi" \\ /', "Küche 🔑", "5", "true", "null", "{}", "x" * 2_000,
        0, -7, 2**53 + 1, 2**62, 0.1 + 0.2, -2.5e-9, 1e300, 2.0, True, False,
    ],
    ids=repr,
)  # fmt: skip
async def test_a_value_comes_back_as_it_went_in(stores, value):
    (state,) = await stores.live.apply([change(1, a=value)])

    found = (await stores.live.get("h1", "d1")).attributes["a"]
    assert (type(found), found) == (type(value), value)
    assert state.attributes == {"a": value}
    assert await stores.live.apply([change(1, a=value)]) == []


async def test_attributes_of_any_name_come_sorted(stores):
    names = ["", "-", "a b", "a/b", 'a"b', "a\\", "Ü", "z", "state", "seen", "home", "%s", "a\nb"]

    (state,) = await stores.live.apply([change(1, **dict.fromkeys(reversed(names), 1))])

    assert list(state.attributes) == list(state.changed_at) == sorted(names)
    assert list((await stores.live.get("h1", "d1")).attributes) == sorted(names)


async def test_an_equal_number_of_another_kind_is_no_change_and_a_truth_value_is_one(stores):
    (state,) = await stores.live.apply([change(1, a=2, b=1), change(2, a=2.0, b=True)])

    assert [(type(v), v) for v in state.attributes.values()] == [(float, 2.0), (bool, True)]
    assert state.changed_at == {"a": AT + SECOND, "b": AT + 2 * SECOND}


async def test_great_whole_numbers_that_differ_by_one_differ(stores):
    (state,) = await stores.live.apply([change(1, a=2**53), change(2, a=2**53 + 1)])

    assert state.changed_at == {"a": AT + 2 * SECOND}


@pytest.mark.parametrize(
    ("less", "greater"), [("x", "y"), (10, 2), ("é", True), ("z", "é"), (1, 1.5), (False, True), ("a", "ab")], ids=repr
)
async def test_two_values_of_one_moment_and_sequence_end_the_same_whichever_came_first(stores, less, greater):
    for home_id, order in (("h1", (less, greater)), ("h2", (greater, less))):
        for value in order:
            await stores.live.apply(
                [StateChange(home_id=home_id, device_id="d1", at=AT, sequence=3, attributes={"a": value})]
            )

    one, other = await stores.live.get("h1", "d1"), await stores.live.get("h2", "d1")
    assert one.attributes == other.attributes == {"a": greater}
    assert type(one.attributes["a"]) is type(greater)


async def test_a_time_of_any_zone_is_the_same_moment_in_utc(stores):
    # Half an hour before midnight in New York is the next day in UTC.
    new_york = timezone(timedelta(hours=-5))
    at = datetime(2026, 3, 1, 23, 30, 0, 123_000, tzinfo=new_york)
    await stores.live.apply(
        [StateChange(home_id="h1", device_id="d1", at=at, sequence=0, attributes={"a": 1}, available=True)]
    )

    state = await stores.live.get("h1", "d1")

    expected = datetime(2026, 3, 2, 4, 30, 0, 123_000, tzinfo=UTC)
    assert (state.last_seen_at, state.changed_at["a"]) == (expected, expected)
    assert state.last_seen_at.tzinfo is UTC
    assert await stores.live.silent_since(at) == []
    assert await stores.live.silent_since(at + timedelta(milliseconds=1)) == [state]


async def test_records_a_millisecond_apart_are_in_order(stores):
    first, second = AT, AT + timedelta(milliseconds=1)
    for at, value in ((second, "new"), (first, "old")):
        await stores.live.apply([StateChange(home_id="h1", device_id="d1", at=at, sequence=0, attributes={"a": value})])

    state = await stores.live.get("h1", "d1")
    assert (state.attributes, state.changed_at) == ({"a": "new"}, {"a": second})


async def test_whether_a_device_is_there_is_what_was_said_last(stores):
    (state,) = await stores.live.apply([change(1, available=False)])
    assert (state.available, state.last_seen_at) == (False, None)

    await stores.live.apply([change(5, sequence=2, available=True), change(4, available=False)])
    await stores.live.apply([change(5, sequence=1, available=False)])
    assert (await stores.live.get("h1", "d1")).available is True

    await stores.live.apply([change(5, sequence=3, available=False), change(6, on=True)])
    state = await stores.live.get("h1", "d1")
    assert (state.available, state.last_seen_at) == (False, AT + 6 * SECOND)


async def test_the_silent_ones_come_longest_silent_first_and_leave_when_they_speak_or_go(stores):
    def seen(home_id: str, device_id: str, second: int, available: bool = True) -> StateChange:
        return StateChange(
            home_id=home_id, device_id=device_id, at=AT + second * SECOND, sequence=0, available=available
        )

    await stores.live.apply(
        [seen("h2", "a", 1), seen("h1", "b", 1), seen("h1", "a", 1), seen("h1", "old", 0), seen("h1", "new", 4)]
    )
    silent = await stores.live.silent_since(AT + 4 * SECOND)
    assert [(s.home_id, s.device_id) for s in silent] == [("h1", "old"), ("h1", "a"), ("h1", "b"), ("h2", "a")]
    assert silent[0] == await stores.live.get("h1", "old")

    await stores.live.apply([seen("h1", "old", 9), seen("h2", "a", 2, available=False)])
    await stores.live.forget("h1", "b")
    assert [s.device_id for s in await stores.live.silent_since(AT + 4 * SECOND)] == ["a"]

    await stores.live.apply([seen("h2", "a", 3)])
    assert [s.home_id for s in await stores.live.silent_since(AT + 4 * SECOND)] == ["h1", "h2"]


async def test_what_is_forgotten_begins_anew(stores):
    await stores.live.forget("h1", "nobody")
    await stores.live.apply([change(9, available=True, a=1, b=2)])
    await stores.live.forget("h1", "d1")

    (state,) = await stores.live.apply([change(1, a=3)])

    assert state == LiveState(
        home_id="h1", device_id="d1", attributes={"a": 3}, changed_at={"a": AT + SECOND}, last_seen_at=AT + SECOND
    )
    assert await stores.live.silent_since(AT + 99 * SECOND) == []


async def test_homes_and_devices_whose_ids_look_alike_are_kept_apart(stores):
    pairs = [("a", "b:c"), ("a:b", "c"), ("a", "b"), ("", "a:b:c"), ("*", "b")]
    await stores.live.apply(
        [
            StateChange(home_id=home_id, device_id=device_id, at=AT, sequence=0, attributes={"n": n})
            for n, (home_id, device_id) in enumerate(pairs)
        ]
    )

    for n, (home_id, device_id) in enumerate(pairs):
        assert (await stores.live.get(home_id, device_id)).attributes == {"n": n}
    assert list(await stores.live.all("a:b")) == ["c"]
    assert set(await stores.live.all("a")) == {"b", "b:c"}
    assert list(await stores.live.all("*")) == ["b"]


# --- taking over from another store


def whole(second: int | None, available: bool = True, home_id: str = "h1", **attributes) -> LiveState:
    """Each attribute has been so for ten seconds."""
    return LiveState(
        home_id=home_id, device_id="d1", attributes=attributes,
        changed_at=dict.fromkeys(attributes, AT + ((second or 0) - 10) * SECOND), available=available,
        last_seen_at=None if second is None else AT + second * SECOND,
    )  # fmt: skip


async def test_a_state_that_is_taken_over_is_as_it_was(opener):
    states = [
        whole(20, on=True, level=5, share=2.0, word="x: y"), whole(30, available=False, home_id="h2"),
        whole(None, available=False, home_id="h3"), whole(None, available=False, home_id="h4", on=True),
    ]  # fmt: skip
    async with opener() as stores:
        assert await stores.live.adopt(states) == 4
    async with opener() as stores:
        found = [await stores.live.get(state.home_id, "d1") for state in states]
        assert found == states
        assert [type(value) for value in found[0].attributes.values()] == [int, bool, float, str]
        assert await stores.live.silent_since(AT + 99 * SECOND) == [states[0]]
        assert await stores.live.all("h2") == {"d1": states[1]}


async def test_what_was_seen_later_here_stays(stores):
    await stores.live.apply([change(20, available=True, on=True, level=3)])

    assert await stores.live.adopt([whole(19, on=False), whole(None, available=False)]) == 0
    assert (await stores.live.get("h1", "d1")).attributes == {"on": True, "level": 3}

    assert await stores.live.adopt([whole(21, on=False)]) == 1
    assert await stores.live.get("h1", "d1") == whole(21, on=False)


async def test_what_was_seen_at_the_same_moment_is_taken_over_and_may_be_again(stores):
    await stores.live.apply([change(20, sequence=7, available=True, on=True)])

    assert [await stores.live.adopt([whole(20, available=False, on=False)]) for _ in range(3)] == [1, 1, 1]
    assert await stores.live.get("h1", "d1") == whole(20, available=False, on=False)


async def test_of_two_states_of_one_device_the_later_is_taken(stores):
    assert await stores.live.adopt([whole(5, a=1), whole(9, a=2), whole(7, a=3)]) == 2

    assert await stores.live.get("h1", "d1") == whole(9, a=2)


async def test_a_device_that_was_never_seen_here_is_taken_over(stores):
    await stores.live.apply([change(50, available=False, on=True)])

    assert await stores.live.adopt([whole(1, on=False)]) == 1

    assert await stores.live.get("h1", "d1") == whole(1, on=False)


async def test_after_taking_over_a_record_counts_if_it_is_of_that_moment_or_later(stores):
    await stores.live.adopt([whole(20, on=True, level=5)])

    assert await stores.live.apply([change(19, sequence=99, available=False, on=False, level=9)]) == []
    (state,) = await stores.live.apply([change(20, sequence=0, on=False)])
    assert (state.attributes, state.changed_at["on"]) == ({"on": False, "level": 5}, AT + 20 * SECOND)

    (state,) = await stores.live.apply([change(30, level=5)])
    assert (state.changed_at["level"], state.last_seen_at) == (AT + 10 * SECOND, AT + 30 * SECOND)

    (state,) = await stores.live.apply([change(40, available=False, level=6)])
    assert (state.changed_at["level"], state.available) == (AT + 40 * SECOND, False)


# --- the feed


def live(number: int, home_id: str = "h1", user_id: str = "") -> Live:
    return Live(home_id=home_id, kind="device_event", data={"n": number}, user_id=user_id)


async def read(feed, count: int) -> list[Live]:
    return [await asyncio.wait_for(anext(feed), 10) for _ in range(count)]


async def test_a_subscriber_gets_what_its_home_and_person_may_see_in_order(stores):
    async with (
        stores.feed.subscribe("h1", user_id="anna") as anna,
        stores.feed.subscribe("h1") as home,
        stores.feed.subscribe("*") as everything,
        stores.feed.subscribe("*", user_id="anna") as hers,
    ):
        items = [live(1), live(2, home_id="h2"), live(3, user_id="anna"), live(4, user_id="ben"), live(5)]
        await stores.feed.publish(items)

        assert await read(anna, 3) == [items[0], items[2], items[4]]
        assert await read(home, 2) == [items[0], items[4]]
        assert await read(everything, 5) == items
        assert await read(hers, 4) == [items[0], items[1], items[2], items[4]]


@pytest.mark.parametrize(("limit", "missed"), [(3, 6), (1, 7), (0, 7), (8, 0)])
async def test_a_slow_subscriber_gets_one_gap_and_goes_on(stores, limit, missed):
    async with stores.feed.subscribe("h1", limit=limit) as slow, stores.feed.subscribe("h1") as quick:
        await stores.feed.publish([live(n) for n in range(8)])
        # What the quick one has read has reached the slow one too.
        await read(quick, 8)

        gaps = [Live(home_id="h1", kind="gap", data={"missed": missed})] if missed else []
        kept = [live(n) for n in range(missed, 8)]
        assert await read(slow, len(gaps + kept)) == gaps + kept

        await stores.feed.publish([live(8)])
        assert await read(slow, 1) == [live(8)]


async def test_nothing_from_before_the_subscription_and_nothing_after_it(stores):
    await stores.feed.publish([live(0)])
    async with stores.feed.subscribe("h1") as feed:
        waiting = asyncio.ensure_future(anext(feed))
        await asyncio.sleep(0)
        await stores.feed.publish([live(1)])
        assert await asyncio.wait_for(waiting, 10) == live(1)
    await stores.feed.publish([live(2)])

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(feed), 0.01)


async def test_who_joins_a_home_that_others_watch_gets_only_what_comes_then(stores):
    async with stores.feed.subscribe("h1", limit=2_000) as first:
        for number in range(5):
            await stores.feed.publish([live(number)] * 300)
            async with stores.feed.subscribe("h1") as joined:
                await stores.feed.publish([live(100 + number)])
                assert await read(joined, 1) == [live(100 + number)]
        expected = [item for n in range(5) for item in [live(n)] * 300 + [live(100 + n)]]
        assert await read(first, len(expected)) == expected


async def test_one_who_leaves_takes_nothing_from_the_others_and_may_come_again(stores):
    async with stores.feed.subscribe("h1") as stays:
        async with stores.feed.subscribe("h1") as leaves:
            await stores.feed.publish([live(1)])
            assert await read(leaves, 1) == [live(1)]
        await stores.feed.publish([live(2)])
        assert await read(stays, 2) == [live(1), live(2)]
    await stores.feed.publish([live(3)])
    async with stores.feed.subscribe("h1") as again:
        await stores.feed.publish([live(4)])
        assert await read(again, 1) == [live(4)]


async def test_what_is_told_comes_as_it_was(stores):
    data = {
        "text": 'Küche "offen"\n',
        "n": 1.5,
        "none": None,
        "list": [1, {"a": [True]}],
        "device_id": "d:1",
        "deep": {"b": {}},
    }
    item = Live(home_id="h1:x", kind="agent_response", data=data, user_id="anna")
    async with stores.feed.subscribe("h1:x", user_id="anna") as anna, stores.feed.subscribe("h1") as other:
        await stores.feed.publish([item, live(1)])

        assert await read(anna, 1) == [item]
        assert await read(other, 1) == [live(1)]


async def test_many_items_come_in_order_to_every_home(stores):
    items = [live(n, home_id=f"h{n % 3}") for n in range(900)]
    async with stores.feed.subscribe("*", limit=1_000) as everything, stores.feed.subscribe("h1", limit=1_000) as home:
        await asyncio.gather(*(stores.feed.publish(items[start::3]) for start in range(3)))

        assert await read(home, 300) == items[1::3]
        seen = await read(everything, 900)
    assert [[item for item in seen if item.home_id == f"h{n}"] for n in range(3)] == [items[n::3] for n in range(3)]


async def test_publishing_nothing_and_to_nobody_is_allowed(stores):
    await stores.feed.publish([])
    await stores.feed.publish([live(1), Live(home_id="h9", kind="device_event", data={"device_id": 5})])

    async with stores.feed.subscribe("h9") as feed:
        await stores.feed.publish([live(2, home_id="h9")])
        assert await read(feed, 1) == [live(2, home_id="h9")]
