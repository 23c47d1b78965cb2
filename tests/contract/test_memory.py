"""What is kept in mind: whose it is, how it is found, how it goes."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from homeguard.errors import HomeMismatch
from homeguard.ports.memory import SHARED, Memory

PORTS = ("memory",)

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def memory(number: int, text: str = "", **changes) -> Memory:
    return replace(
        Memory(
            id=f"m{number:03}", home_id="h1", user_id="anna", kind="fact", text=text or f"Thing {number}",
            source="words", at=AT + timedelta(seconds=number), said_by="anna", turn_id="t1",
        ),
        **changes,
    )  # fmt: skip


async def test_what_was_put_comes_back_newest_first_also_after_a_restart(opener):
    pet = memory(
        2, "A dog called Biscuit", user_id=SHARED, kind="pet", source="client", tainted=True,
        value={"name": "Biscuit", "age": 3, "likes": ["socks", {"a.b": None}], "": 2**63},
    )  # fmt: skip
    items = [memory(1), memory(3, "İstanbul ß 🏠\n\x00'"), pet]
    async with opener() as stores:
        await stores.memory.change("h1", "anna", put=items)
    async with opener() as stores:
        assert await stores.memory.of("h1", "anna") == [items[1], items[0]]
        assert await stores.memory.of("h1", SHARED) == [pet]
        assert await stores.memory.get("h1", "anna", "m002") == pet
        assert await stores.memory.get("h1", "anna", "m009") is None


async def test_an_item_put_again_takes_the_place_of_the_earlier_and_is_found_by_its_new_words_only(stores):
    await stores.memory.change("h1", "anna", put=[memory(1, "The key is under the mat")])
    await stores.memory.change("h1", "anna", put=[memory(1, "The spare is with Ana")])

    assert [m.text for m in await stores.memory.of("h1", "anna")] == ["The spare is with Ana"]
    assert await stores.memory.search("h1", "anna", "key mat") == []
    assert [m.id for m in await stores.memory.search("h1", "anna", "who has a spare?")] == ["m001"]


async def test_a_person_sees_their_own_and_the_households_and_nothing_of_others(stores):
    await stores.memory.change("h1", "anna", put=[memory(1, "Anna's diary is blue")])
    await stores.memory.change("h1", "ben", put=[memory(1, "Ben's diary is red", user_id="ben")])
    await stores.memory.change("h1", "ben", put=[memory(2, "The diary shop is closed", user_id=SHARED)])
    await stores.memory.change("h2", "anna", put=[memory(1, "Another home's diary", home_id="h2")])

    assert [m.text for m in await stores.memory.search("h1", "anna", "diary")] == [
        "The diary shop is closed", "Anna's diary is blue",
    ]  # fmt: skip
    assert [m.text for m in await stores.memory.of("h1", "ben")] == ["Ben's diary is red"]
    assert (await stores.memory.get("h1", "ben", "m001")).text == "Ben's diary is red"
    assert [m.text for m in await stores.memory.search("h1", "carl", "diary")] == ["The diary shop is closed"]
    assert await stores.memory.get("h1", "carl", "m001") is None
    assert await stores.memory.of("h3", "anna") == []


async def test_what_was_forgotten_is_told_in_the_order_asked_and_only_ones_own_or_the_households_goes(stores):
    await stores.memory.change("h1", "anna", put=[memory(1), memory(2), memory(3, user_id=SHARED, kind="pet")])
    await stores.memory.change("h1", "ben", put=[memory(4, user_id="ben")])

    gone = await stores.memory.change("h1", "anna", forget=["m003", "m004", "m009", "m001"])

    assert [m.id for m in gone] == ["m003", "m001"]
    assert [m.id for m in await stores.memory.of("h1", "anna")] == ["m002"]
    assert await stores.memory.of("h1", SHARED) == []
    assert [m.id for m in await stores.memory.of("h1", "ben")] == ["m004"]
    assert await stores.memory.search("h1", "anna", "pet") == []
    assert await stores.memory.change("h1", "anna", forget=["m001"]) == []


async def test_ones_own_goes_before_the_households_of_the_same_id(stores):
    await stores.memory.change("h1", "anna", put=[memory(1, "Mine"), memory(1, "Ours", user_id=SHARED)])

    assert (await stores.memory.get("h1", "anna", "m001")).text == "Mine"
    assert [m.text for m in await stores.memory.change("h1", "anna", forget=["m001"])] == ["Mine"]
    assert [m.text for m in await stores.memory.of("h1", SHARED)] == ["Ours"]


async def test_an_item_of_another_home_or_person_is_refused_with_all_that_came_with_it(stores):
    for wrong in (memory(2, home_id="h2"), memory(2, user_id="ben")):
        with pytest.raises(HomeMismatch):
            await stores.memory.change("h1", "anna", put=[memory(1), wrong])

    assert await stores.memory.of("h1", "anna") == []
    assert await stores.memory.of("h1", "ben") == []


@pytest.mark.parametrize(
    ("said", "question"),
    [
        ("My sister Ana has a key", "who has keys?"), ("Die Küche ist KALT", "kuche"),
        ("The Straße is loud", "strasse"),
        ("ΣΊΣΥΦΟΣ climbs", "σίσυφος"), ("It costs 100% of \"it\"", '"100%"'), ("a) b* c: NEAR (x)", "near*"),
        ("東京 is far", "東京"), ("the vet, Dr. O'Neil", "oneil's vet"), ("ab cd", "ab"), ("call 555-0199", "0199"),
    ],
)  # fmt: skip
async def test_words_find_without_case_accents_marks_and_plurals(stores, said, question):
    await stores.memory.change("h1", "anna", put=[memory(1, said), memory(2, "zzz")])

    assert [m.id for m in await stores.memory.search("h1", "anna", question)] == ["m001"]


@pytest.mark.parametrize("question", ["", " \n", "what do you know about me", '"', "* OR (", "a", "\x00", "x" * 5_000])
async def test_a_question_without_words_of_its_own_finds_nothing(stores, question):
    await stores.memory.change("h1", "anna", put=[memory(1, "You know what me means")])

    assert await stores.memory.search("h1", "anna", question) == []


async def test_more_words_come_first_then_newer_ones_and_a_limit_holds(stores):
    items = [
        memory(1, "red car"), memory(2, "red house"), memory(3, "blue car"), memory(4, "a red car of Ben's"),
        memory(5, "reddish hat"), memory(6, "hat"),
    ]  # fmt: skip
    await stores.memory.change("h1", "anna", put=items)

    assert [m.id for m in await stores.memory.search("h1", "anna", "red car")] == [
        "m004", "m001", "m005", "m003", "m002",
    ]  # fmt: skip
    assert [m.id for m in await stores.memory.search("h1", "anna", "red car", limit=1)] == ["m004"]
    assert await stores.memory.search("h1", "anna", "red car", limit=0) == []


async def test_a_pet_is_found_by_its_kind_and_by_what_its_value_says(stores):
    pet = memory(1, "Biscuit", kind="pet", user_id=SHARED, value={"name": "Biscuit", "species": "dog"})
    await stores.memory.change("h1", "anna", put=[pet])

    for question in ("do we have pets", "dogs", "biscuit"):
        assert await stores.memory.search("h1", "ben", question) == [pet]


async def test_clearing_takes_all_of_one_person_in_one_home(opener):
    async with opener() as stores:
        await stores.memory.change("h1", "anna", put=[memory(n) for n in range(3)])
        await stores.memory.change("h1", "ben", put=[memory(9, user_id="ben"), memory(8, user_id=SHARED)])
        await stores.memory.change("h2", "anna", put=[memory(1, home_id="h2")])
        assert await stores.memory.clear("h1", "anna") == 3
        assert await stores.memory.clear("h1", "anna") == 0
    async with opener() as stores:
        assert await stores.memory.of("h1", "anna") == []
        assert await stores.memory.search("h1", "anna", "thing 1") == [memory(8, user_id=SHARED)]
        assert len(await stores.memory.of("h1", "ben")) == 1
        assert len(await stores.memory.of("h2", "anna")) == 1
        assert await stores.memory.clear("h1", SHARED) == 1


async def test_ids_that_look_alike_when_joined_are_kept_apart(stores):
    for home, user, id_ in (("a/b", "c", "d"), ("a", "b/c", "d"), ("a", "b", "c/d"), ("a%2Fb", "c", "d")):
        item = memory(1, f"{home} {user} {id_}", home_id=home, user_id=user, id=id_)
        await stores.memory.change(home, user, put=[item])

    assert (await stores.memory.get("a", "b/c", "d")).text == "a b/c d"
    assert await stores.memory.clear("a", "b") == 1
    assert (await stores.memory.get("a/b", "c", "d")).text == "a/b c d"


async def test_many_at_the_same_time_are_all_kept(stores):
    await asyncio.gather(*(stores.memory.change("h1", "anna", put=[memory(n)]) for n in range(40)))

    assert len(await stores.memory.of("h1", "anna")) == 40
