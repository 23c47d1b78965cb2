"""What agents last knew of the person in front of them."""

import asyncio
from datetime import timedelta

import pytest

from homeguard.errors import PayloadTooLarge

PORTS = ("contexts",)


async def test_a_context_comes_back_as_it_was_put(stores):
    context = {
        "current_mode": "away", "recent_actions": [{"device": "Küche", "set": {"on": True}}, []], "n": 0.5,
        "none": None, "": {"deep": {"er": "\n\"'"}},
    }  # fmt: skip
    assert await stores.contexts.get("h1", "anna") is None

    await stores.contexts.put("h1", "anna", context)

    assert await stores.contexts.get("h1", "anna") == context


async def test_a_context_is_a_copy(stores):
    actions = ["one"]
    await stores.contexts.put("h1", "anna", {"actions": actions})
    actions.append("two")
    found = await stores.contexts.get("h1", "anna")
    found["actions"].append("three")

    assert await stores.contexts.get("h1", "anna") == {"actions": ["one"]}


async def test_a_later_context_takes_the_place_of_the_earlier(stores):
    await stores.contexts.put("h1", "anna", {"a": 1, "b": 2})
    await stores.contexts.put("h1", "anna", {"a": 3})
    assert await stores.contexts.get("h1", "anna") == {"a": 3}

    await stores.contexts.put("h1", "anna", {})
    assert await stores.contexts.get("h1", "anna") == {}


@pytest.mark.parametrize(
    ("home_id", "user_id"),
    [("h2", "anna"), ("h1", "ben"), ("h1:anna", ""), ("", "h1:anna"), ("h1%3Aanna", ""), ("anna", "h1")],
)
async def test_nobody_reads_the_context_of_another_home_or_person(stores, home_id, user_id):
    await stores.contexts.put("h1", "anna", {"whose": "anna's"})
    assert await stores.contexts.get(home_id, user_id) is None

    await stores.contexts.put(home_id, user_id, {"whose": "another's"})

    assert await stores.contexts.get("h1", "anna") == {"whose": "anna's"}


async def test_ids_that_look_alike_side_by_side_are_kept_apart(stores):
    pairs = [("a", "b:c"), ("a:b", "c"), ("a%3Ab", "c"), ("a", "b%3Ac"), ("a%", "3Ab:c")]
    for n, (home_id, user_id) in enumerate(pairs):
        await stores.contexts.put(home_id, user_id, {"n": n})

    found = [await stores.contexts.get(home_id, user_id) for home_id, user_id in pairs]

    assert found == [{"n": n} for n in range(len(pairs))]


async def test_a_context_lives_an_hour_from_when_it_was_put_last(stores, clock):
    await stores.contexts.put("h1", "anna", {"n": 1})
    clock.at += timedelta(minutes=59, seconds=59)
    assert await stores.contexts.get("h1", "anna") == {"n": 1}

    await stores.contexts.put("h1", "anna", {"n": 2})
    clock.at += timedelta(minutes=59, seconds=59)
    assert await stores.contexts.get("h1", "anna") == {"n": 2}

    clock.at += timedelta(seconds=1)
    assert await stores.contexts.get("h1", "anna") is None


async def test_a_context_that_is_too_long_is_refused_and_the_old_one_stays(stores):
    fits = {"text": "x" * (64 * 1024 - len('{"text":""}'))}
    await stores.contexts.put("h1", "anna", fits)

    with pytest.raises(PayloadTooLarge):
        await stores.contexts.put("h1", "anna", {"text": fits["text"] + "x"})

    assert await stores.contexts.get("h1", "anna") == fits


async def test_many_at_the_same_time_keep_their_own(stores):
    await asyncio.gather(*(stores.contexts.put("h1", f"u{n}", {"n": n}) for n in range(40)))

    found = await asyncio.gather(*(stores.contexts.get("h1", f"u{n}") for n in range(40)))

    assert found == [{"n": n} for n in range(40)]
