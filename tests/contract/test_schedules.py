"""What is to be done at a time: taken by one, moved on only as it was read, and there after a reopen."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from homeguard.ports.schedules import Schedule

PORTS = ("schedules",)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=30)


def schedule(id_: str, due_s: float | None = 0, **changed) -> Schedule:
    return replace(
        Schedule(
            home_id="h1", id=id_, kind="rule", due_at=NOW + due_s * SECOND if due_s is not None else None,
            user_id="anna", made_from="m1", detail={"label": "tea", "seconds": 2.5, "parts": [1, True]}, created_at=NOW,
        ),
        **changed,
    )  # fmt: skip


async def take(stores, *, by="one", at=NOW, **how):
    return await stores.schedules.take(at, by=by, now=at, until=at + LEASE, **how)


async def test_what_is_put_is_there_after_a_reopen_whole(opener):
    held = schedule("held", None, kind="timer")
    async with opener() as stores:
        for one in (schedule("b", 2), held, schedule("a", 2), schedule("c", 1), schedule("a", 5, home_id="h2")):
            await stores.schedules.put(one)
    async with opener() as stores:
        assert await stores.schedules.of_home("h1") == [schedule("c", 1), schedule("a", 2), schedule("b", 2), held]
        assert await stores.schedules.of_home("h1", kind="timer") == [held]
        assert await stores.schedules.get("h1", "held") == held
        assert await stores.schedules.get("h2", "held") is None
        assert await stores.schedules.of_home("h3") == []
        assert await stores.schedules.next_due() == NOW + SECOND


async def test_putting_it_again_replaces_it_and_deleting_says_whether_it_was_there(stores):
    await stores.schedules.put(schedule("a"))
    await stores.schedules.put(schedule("a", None, made_from="m2", detail={}, kind="timer", user_id="bob"))

    assert await stores.schedules.of_home("h1") == [
        schedule("a", None, made_from="m2", detail={}, kind="timer", user_id="bob")
    ]
    assert await stores.schedules.next_due() is None
    assert not await stores.schedules.delete("h2", "a")
    assert await stores.schedules.delete("h1", "a")
    assert not await stores.schedules.delete("h1", "a")


async def test_what_is_due_is_taken_in_order_and_by_one_only(stores):
    for one in (schedule("c", -1), schedule("late", 1), schedule("held", None), schedule("b", -2, home_id="h2"),
                schedule("a", 0)):  # fmt: skip
        await stores.schedules.put(one)

    assert [s.id for s in await take(stores, limit=2)] == ["b", "c"]
    assert [s.id for s in await take(stores, by="other")] == ["a"]
    assert await take(stores, by="third") == []
    assert await stores.schedules.next_due() == NOW - 2 * SECOND


async def test_who_took_it_takes_it_again_and_others_when_its_time_is_over(stores):
    await stores.schedules.put(schedule("a"))

    assert [s.id for s in await take(stores)] == ["a"]
    assert [s.id for s in await take(stores)] == ["a"]
    assert await take(stores, by="other", at=NOW + LEASE - SECOND) == []
    assert [s.id for s in await take(stores, by="other", at=NOW + LEASE)] == ["a"]
    assert await take(stores, at=NOW + LEASE) == []


async def test_many_who_take_at_once_get_each_one_once(stores):
    for n in range(40):
        await stores.schedules.put(schedule(f"s{n:02}", -n))

    taken = await asyncio.gather(*(take(stores, by=f"p{n}", limit=10) for n in range(8)))

    ids = [s.id for part in taken for s in part]
    assert sorted(ids) == sorted(set(ids))
    while left := await take(stores, by="last"):
        ids += [s.id for s in left]
        await stores.schedules.move([(s, None) for s in left])
    assert sorted(set(ids)) == [f"s{n:02}" for n in range(40)]


async def test_of_homes_with_a_time_of_their_own_no_rule_is_due(stores):
    for one in (schedule("rule"), schedule("rest", 1, kind="rest"), schedule("timer", 2, kind="timer"),
                schedule("other", 3, home_id="h2")):  # fmt: skip
        await stores.schedules.put(one)

    found = await take(stores, at=NOW + 9 * SECOND, without_rules=["h1"])

    assert [s.id for s in found] == ["rest", "timer", "other"]
    assert await stores.schedules.next_due(without_rules=["h1"]) == NOW + SECOND
    assert await stores.schedules.next_due(without_rules=["h1", "h2"]) == NOW + SECOND


async def test_it_is_moved_on_as_it_was_read_or_not_at_all(stores):
    for name in ("gone", "on", "changed", "moved", "held"):
        await stores.schedules.put(schedule(name))
    await stores.schedules.put(schedule("changed", made_from="m2"))
    await stores.schedules.put(schedule("moved", 7))
    later = schedule("on", 60, detail={"ran": 1})

    done = await stores.schedules.move(
        [
            (schedule("on"), later), (schedule("changed"), None), (schedule("gone"), None),
            (schedule("moved"), schedule("moved", 90)), (schedule("held"), schedule("held", None)),
            (schedule("never"), None),
        ]
    )  # fmt: skip

    assert done == [True, False, True, False, True, False]
    assert await stores.schedules.of_home("h1") == [
        schedule("changed", made_from="m2"), schedule("moved", 7), later, schedule("held", None),
    ]  # fmt: skip
    assert await stores.schedules.move([]) == []


async def test_what_was_moved_on_is_nobodys(stores):
    await stores.schedules.put(schedule("a"))
    (read,) = await take(stores)
    await stores.schedules.move([(read, replace(read, due_at=NOW + SECOND))])

    assert [s.id for s in await take(stores, by="other", at=NOW + SECOND)] == ["a"]
