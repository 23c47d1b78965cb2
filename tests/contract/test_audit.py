"""Who asked for what and what was decided: one chain a home, in every store the same."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from homeguard.chain import (
    EMPTY,
    Anchor,
    Row,
    anchor_as_told,
    as_told,
    canonical_json,
    leaves_before,
    linked,
    microseconds,
    sealed,
)
from homeguard.errors import Conflict, InvalidInput

PORTS = ("audit",)

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def note(stores, home_id: str, number: int) -> None:
    await stores.audit.write(
        home_id, at=AT, actor="anna", action=f"act{number}", decision="allow", rule="T1", detail={"n": number}
    )


async def test_the_audit_is_numbered_per_home_newest_first_and_chained(opener):
    async with opener() as stores:
        await asyncio.gather(*(note(stores, f"h{n % 2}", n) for n in range(10)))
    async with opener() as stores:
        await note(stores, "h0", 10)
        rows = await stores.audit.rows("h0", limit=3)

        assert [row["seq"] for row in rows] == [6, 5, 4]
        assert {**rows[0], "hash": ""} == {
            "seq": 6, "at": "2026-03-01T12:00:00.000Z", "at_us": 1772366400000000, "actor": "anna", "action": "act10",
            "decision": "allow", "rule": "T1", "detail": {"n": 10}, "hash": "",
        }  # fmt: skip
        assert len({row["hash"] for row in rows}) == 3
        assert await stores.audit.rows("h9") == []
        assert await stores.audit.verify() == 11


async def test_many_who_write_at_once_make_one_chain(stores):
    await asyncio.gather(*(note(stores, "h1", n) for n in range(60)))

    rows = await stores.audit.rows("h1")
    assert [row["seq"] for row in rows] == list(range(60, 0, -1))
    assert sorted(row["detail"]["n"] for row in rows) == list(range(60))
    assert await stores.audit.verify() == 60


async def test_the_audit_is_read_on_from_a_row(stores):
    for number in range(5):
        await note(stores, "h1", number)
    await note(stores, "h2", 9)

    async def numbers(**query) -> list[int]:
        return [row["seq"] for row in await stores.audit.rows("h1", **query)]

    assert await numbers(before=4) == [3, 2, 1]
    assert await numbers(before=4, limit=2) == [3, 2]
    assert await numbers(before=99) == [5, 4, 3, 2, 1]
    assert await numbers(before=1) == []
    assert await numbers(limit=0) == []


async def test_every_store_makes_the_same_hashes_over_microseconds(stores):
    at = datetime(2026, 3, 1, 13, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    for number in range(2):
        await stores.audit.write(
            "h1", at=at, actor="Zoë", action="unlock", decision="ask", rule="T3", detail={"z": [1.5, None], "a": number}
        )

    newest, oldest = await stores.audit.rows("h1")
    assert (oldest["at"], oldest["at_us"]) == ("2026-03-01T12:00:00.123Z", 1772366400123456)
    assert oldest["detail"] == {"a": 0, "z": [1.5, None]}
    assert [oldest["hash"], newest["hash"]] == [
        "6a381a0b11fb8df30a262bda114ae0ad262dca7c75f7c45c026b68300d823c8b",
        "5cea2d4b3b1a07dd07871b82884fa735495ff848f9de456b0c7d92cee8c8cb2a",
    ]


async def written(stores, count: int, home_id: str = "h1", first: int = 0) -> list:
    """The chain of a home, oldest first, as another store would tell it."""
    for number in range(first, first + count):
        await stores.audit.write(
            home_id, at=AT + timedelta(microseconds=number), actor="a", action=f"act{number}", decision="allow",
            rule="r", detail={"b": number, "a": [0.1, {"é": None}]},
        )  # fmt: skip
    return (await stores.audit.rows(home_id, limit=1_000))[::-1]


@pytest.fixture
def chain() -> list:
    """Six rows of the home h9, made without any store."""
    rows, head = [], EMPTY
    for number in range(6):
        at_us = microseconds(AT) + number
        row = linked(head, Row("h9", 0, at_us, "ben", f"act{number}", "ask", "T3", canonical_json({"n": number})))
        head = (row.seq, row.hash)
        rows.append(as_told(row))
    return rows


async def test_a_chain_of_another_store_is_taken_over_and_goes_on(opener, chain):
    async with opener() as stores:
        assert await stores.audit.adopt("h9", chain[:4]) == 4
        assert await stores.audit.adopt("h9", chain[2:]) == 2
        assert await stores.audit.adopt("h9", chain) == 0
        assert await stores.audit.adopt("h9", []) == 0
    async with opener() as stores:
        assert await stores.audit.rows("h9") == chain[::-1]
        await note(stores, "h9", 7)
        assert await stores.audit.verify() == 7
        assert [row["seq"] for row in await stores.audit.rows("h9", limit=2)] == [7, 6]
        assert await stores.audit.adopt("h9", chain) == 0


async def test_a_row_in_whole_milliseconds_is_taken_over_without_its_microseconds(stores, chain):
    told = [{key: value for key, value in chain[0].items() if key != "at_us"}]

    assert await stores.audit.adopt("h9", told) == 1
    assert await stores.audit.rows("h9") == chain[:1]


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(lambda rows: rows[3:], id="one is missing"),
        pytest.param(lambda rows: [*rows[:3], *rows[4:]], id="one is missing in the middle"),
        pytest.param(lambda rows: rows[::-1], id="newest first"),
        pytest.param(lambda rows: [*rows[:5], rows[5] | {"decision": "allow"}], id="a word was changed"),
        pytest.param(lambda rows: [*rows[:5], rows[5] | {"at_us": rows[5]["at_us"] + 1}], id="a microsecond later"),
        pytest.param(lambda rows: [*rows[:5], rows[5] | {"detail": {"n": 5.5}}], id="the detail was changed"),
        pytest.param(lambda rows: [rows[0], rows[1] | {"hash": "0" * 64}, *rows[2:]], id="not the row that is here"),
    ],
)
async def test_rows_that_do_not_go_on_are_refused_and_none_is_taken(stores, chain, told):
    await stores.audit.adopt("h9", chain[:2])

    with pytest.raises(Conflict):
        await stores.audit.adopt("h9", told(chain))

    assert await stores.audit.rows("h9") == chain[1::-1]
    assert await stores.audit.verify() == 2


async def test_another_homes_chain_is_refused(stores, chain):
    with pytest.raises(Conflict):
        await stores.audit.adopt("h1", chain)

    assert await stores.audit.rows("h1") == []
    assert await stores.audit.verify() == 0


async def test_a_chain_does_not_take_over_the_beginning_of_another(stores, chain):
    await note(stores, "h9", 1)

    with pytest.raises(Conflict):
        await stores.audit.adopt("h9", chain)

    assert await stores.audit.verify() == 1


@pytest.mark.parametrize("damage", [{"seq": "one"}, {"at_us": None}, {"actor": None, "hash": None}])
async def test_what_is_no_row_of_an_audit_is_refused(stores, chain, damage):
    broken = {key: value for key, value in (chain[0] | damage).items() if value is not None or key == "at_us"}

    with pytest.raises(InvalidInput):
        await stores.audit.adopt("h9", [broken])

    assert await stores.audit.verify() == 0


async def test_a_chain_taken_over_by_many_at_once_is_taken_over_once(stores, chain):
    counts = await asyncio.gather(*(stores.audit.adopt("h9", chain) for _ in range(10)))

    assert sum(counts) == 6
    assert await stores.audit.verify() == 6


async def test_a_home_may_be_read_and_taken_over_page_by_page(stores):
    given = await written(stores, 25)
    pages, before = [], None
    while page := await stores.audit.rows("h1", limit=10, before=before):
        pages.extend(page)
        before = page[-1]["seq"]

    assert pages[::-1] == given
    assert await stores.audit.adopt("h1", given) == 0


MONTH = timedelta(days=30)


async def grown(stores, home_id: str, months: int) -> list:
    """A chain with three rows a month, oldest first."""
    for number in range(3 * months):
        await stores.audit.write(
            home_id,
            at=AT + number // 3 * MONTH,
            actor="a",
            action=f"act{number}",
            decision="allow",
            rule="r",
            detail={},
        )
    return (await stores.audit.rows(home_id, limit=1_000))[::-1]


def year_after(months: int) -> datetime:
    return AT + months * MONTH + timedelta(days=365)


async def test_rows_leave_with_their_month_after_a_year_and_the_chain_goes_on(opener):
    async with opener() as stores:
        chain = await grown(stores, "h1", 15)
        await note(stores, "h2", 1)
        now = year_after(2)
        before = leaves_before(now)
        assert before == datetime(2026, 4, 1, tzinfo=UTC)

        assert await stores.audit.trim(before, at=now) == 7

        assert await stores.audit.rows("h1", limit=1_000) == chain[6:][::-1]
        anchor = await stores.audit.anchor("h1")
        assert (anchor["seq"], anchor["hash"]) == (6, chain[5]["hash"])
        assert await stores.audit.anchor("h9") is None
        assert await stores.audit.verify() == 39
        assert await stores.audit.trim(before, at=now) == 0
    async with opener() as stores:
        await note(stores, "h1", 99)
        assert [row["seq"] for row in await stores.audit.rows("h1", limit=1)] == [46]
        assert await stores.audit.verify() == 40
        assert await stores.audit.trim(now + 99 * MONTH, at=now) == 40
        assert await stores.audit.rows("h1") == []
        assert await stores.audit.verify() == 0
        await note(stores, "h1", 100)
        assert [row["seq"] for row in await stores.audit.rows("h1")] == [47]
        assert await stores.audit.verify() == 1


async def test_a_chain_whose_first_rows_left_is_taken_over_from_its_anchor_on(opener, stores, chain):
    await stores.audit.adopt("h9", chain)
    await stores.audit.trim(AT + timedelta(microseconds=3), at=AT)
    anchor, rows = await stores.audit.anchor("h9"), (await stores.audit.rows("h9"))[::-1]
    assert [row["seq"] for row in rows] == [4, 5, 6]

    assert await stores.audit.adopt("h9", chain, anchor=anchor) == 0
    with pytest.raises(Conflict):
        await stores.audit.adopt("h8", rows)


async def test_an_empty_store_begins_where_the_other_one_begins(stores, chain):
    row = as_told(linked((3, chain[2]["hash"]), Row("h9", 0, microseconds(AT), "b", "act", "ask", "T3", "{}")))
    begins = sealed(b"", Anchor("h9", 3, chain[2]["hash"], microseconds(AT)))

    with pytest.raises(Conflict):
        await stores.audit.adopt("h9", [row])
    assert await stores.audit.adopt("h9", [row], anchor=anchor_as_told(begins)) == 1

    assert await stores.audit.verify() == 1
    assert await stores.audit.anchor("h9") == anchor_as_told(begins)
    with pytest.raises(InvalidInput):
        await stores.audit.adopt("h7", [], anchor={"seq": "one"})
