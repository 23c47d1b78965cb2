"""The lists of a home: each item once, done or open, and nobody else's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from homeguard.ports.lists import ListItem

PORTS = ("lists",)
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def item(text: str, second: int = 0, **changed) -> ListItem:
    made = ListItem(
        home_id="h1", id=f"i-{text}", list_name="shopping", text=text, added_by="anna",
        added_at=AT + timedelta(seconds=second),
    )  # fmt: skip
    return replace(made, **changed)


async def test_items_are_kept_oldest_first_after_a_reopen(opener):
    async with opener() as stores:
        assert await stores.lists.add([item("milk", 2), item("bread", 1)]) == [item("milk", 2), item("bread", 1)]
        await stores.lists.add([item("tent", list_name="packing"), item("milk", home_id="h2")])
    async with opener() as stores:
        assert await stores.lists.of("h1", "shopping") == [item("bread", 1), item("milk", 2)]
        assert await stores.lists.names("h1") == ["packing", "shopping"]
        assert await stores.lists.of("h2", "shopping") == [item("milk", home_id="h2")]
        assert await stores.lists.of("h1", "none") == []
        assert await stores.lists.names("h3") == []


async def test_what_is_open_already_stays_as_it_is_and_what_was_done_is_open_again(stores):
    await stores.lists.add([item("milk"), item("bread")])
    assert await stores.lists.set_done("h1", ["i-milk", "i-none"], True) == 1
    assert await stores.lists.set_done("h1", ["i-milk"], True) == 0
    again, known = item("milk", 9, added_by="bob"), item("bread", 9, added_by="bob")

    assert await stores.lists.add([again, known]) == [again]

    assert await stores.lists.of("h1", "shopping") == [item("bread"), again]


async def test_nobody_changes_anothers_list(stores):
    await stores.lists.add([item("milk")])

    assert await stores.lists.set_done("h2", ["i-milk"], True) == 0
    assert await stores.lists.remove("h2", ["i-milk"]) == 0
    assert await stores.lists.of("h1", "shopping") == [item("milk")]
    assert await stores.lists.remove("h1", ["i-milk", "i-none"]) == 1
    assert await stores.lists.names("h1") == []
    assert await stores.lists.remove("h1", []) == 0
