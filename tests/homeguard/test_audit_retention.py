"""Rows of the audit leave after a year without a hole that nobody sees: what is left begins at a sealed anchor."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from homeguard.chain import Anchor, Row, leaves_before, linked, microseconds, sealed
from homeguard.clock import SystemClock
from homeguard.errors import Conflict
from homeguard.stores.sqlite.audit import verify_file
from homeguard.stores.sqlite.open import open_embedded

KEY, NOW = b"the key of this installation", datetime(2027, 7, 9, 3, tzinfo=UTC)
FIRST = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (datetime(2027, 7, 9, 3, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)),
        (datetime(2027, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
        (datetime(2028, 2, 29, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)),
        (datetime(2027, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_rows_leave_with_their_month_when_all_of_it_is_a_year_old(now: datetime, before: datetime) -> None:
    assert leaves_before(now) == before


async def trimmed(folder: Path) -> int:
    """Twenty rows, one every two weeks; those of the first four months left. Returns how many."""
    async with open_embedded(folder, SystemClock(), audit_key=lambda: KEY) as stores:
        for number in range(20):
            await stores.audit.write(
                "h1", at=FIRST + number * timedelta(days=14), actor="person:anna", action=f"act{number}",
                decision="allow", rule="r", detail={},
            )  # fmt: skip
        gone = await stores.audit.trim(leaves_before(NOW), at=NOW)
        assert await stores.audit.verify() == 20 - gone
        return gone


def change(folder: Path, sql: str, *given: Any) -> None:
    with closing(sqlite3.connect(folder / "home.db")) as connection, connection:
        connection.execute(sql, given)


def swap(folder: Path, one: int, other: int) -> None:
    change(folder, "UPDATE audit SET seq = -seq WHERE seq IN (?, ?)", one, other)
    change(folder, "UPDATE audit SET seq = ?1 + ?2 + seq WHERE seq < 0", one, other)


def rows_of(folder: Path) -> list[Row]:
    with closing(sqlite3.connect(folder / "home.db")) as connection:
        found = connection.execute(
            "SELECT home_id, seq, at, actor, action, decision, rule, detail, hash FROM audit ORDER BY seq"
        )
        return [Row(*row) for row in found]


def anchored_at(folder: Path, row: Row, key: bytes) -> None:
    """As somebody would who lets rows go that must stay."""
    change(folder, "DELETE FROM audit WHERE seq <= ?", row.seq)
    change(
        folder, "INSERT OR REPLACE INTO audit_anchors (home_id, seq, hash, left_at, seal) VALUES (?, ?, ?, ?, ?)",
        *sealed(key, Anchor("h1", row.seq, row.hash, microseconds(NOW))),
    )  # fmt: skip


TAMPERINGS: dict[str, Callable[[Path], None]] = {
    "a row was changed": lambda f: change(f, "UPDATE audit SET decision = 'deny' WHERE seq = 15"),
    "the first row was changed": lambda f: change(f, "UPDATE audit SET actor = 'ben' WHERE seq = 10"),
    "a row was dropped": lambda f: change(f, "DELETE FROM audit WHERE seq = 15"),
    "the first row was dropped": lambda f: change(f, "DELETE FROM audit WHERE seq = 10"),
    "the last row was dropped": lambda f: change(f, "DELETE FROM audit WHERE seq = 20"),
    "two rows changed places": lambda f: swap(f, 12, 13),
    "the anchor is not there": lambda f: change(f, "DELETE FROM audit_anchors"),
    "the anchor has another hash": lambda f: change(f, "UPDATE audit_anchors SET hash = ?", "0" * 64),
    "the anchor has another number": lambda f: change(f, "UPDATE audit_anchors SET seq = seq + 1"),
    "the anchor is of another time": lambda f: change(f, "UPDATE audit_anchors SET left_at = left_at + 1"),
    "more rows were let go, with an anchor of one's own": lambda f: anchored_at(f, rows_of(f)[3], b"another key"),
    "all rows were let go, with an anchor of one's own": lambda f: anchored_at(f, rows_of(f)[-1], b""),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_what_was_done_to_an_anchored_audit_is_seen(tmp_path: Path, tampering: str) -> None:
    assert await trimmed(tmp_path) == 9
    assert verify_file(tmp_path / "home.db", KEY) == 11

    TAMPERINGS[tampering](tmp_path)

    with pytest.raises(Conflict):
        verify_file(tmp_path / "home.db", KEY)


async def test_who_has_the_key_of_the_installation_can_let_go_of_more(tmp_path: Path) -> None:
    """What the seal does not show, as docs/security.md says: it is there for who has the store and not the key."""
    await trimmed(tmp_path)

    anchored_at(tmp_path, rows_of(tmp_path)[3], KEY)

    assert verify_file(tmp_path / "home.db", KEY) == 7


async def test_rows_that_were_changed_do_not_leave_with_the_trace_of_it(tmp_path: Path) -> None:
    async with open_embedded(tmp_path, SystemClock(), audit_key=lambda: KEY) as stores:
        for home_id in ("h1", "h2"):
            await stores.audit.write(
                home_id, at=FIRST, actor="a", action="unlock", decision="allow", rule="r", detail={}
            )
    change(tmp_path, "UPDATE audit SET decision = 'deny' WHERE home_id = 'h1'")
    async with open_embedded(tmp_path, SystemClock(), audit_key=lambda: KEY) as stores:
        with pytest.raises(Conflict, match="h1 was changed"):
            await stores.audit.trim(leaves_before(NOW), at=NOW)
        assert [len(await stores.audit.rows(home_id)) for home_id in ("h1", "h2")] == [1, 0]


async def test_a_chain_that_goes_on_behind_a_forged_row_of_before_is_seen(tmp_path: Path) -> None:
    """The planted defect: a walk that takes any beginning for granted would not see it."""
    await trimmed(tmp_path)
    rows = rows_of(tmp_path)
    forged = linked((rows[0].seq - 1, "0" * 64), rows[0])
    change(tmp_path, "UPDATE audit SET hash = ? WHERE seq = ?", forged.hash, forged.seq)
    with pytest.raises(Conflict, match=f"row {forged.seq} "):
        verify_file(tmp_path / "home.db", KEY)
