"""Rows of the audit are written once each and in their order, whatever happened to the engine in between."""

from datetime import timedelta

import pytest

from homeguard.errors import Overloaded, StoreUnavailable
from homeguard.stores.guarded.audit import GuardedAudit


@pytest.fixture
def audit(rig) -> GuardedAudit:
    return GuardedAudit(rig.engine, rig.forwarder)


async def write(rig, audit, number: int, home_id: str = "h1", **detail) -> None:
    await audit.write(
        home_id, at=rig.clock.began + timedelta(seconds=number), actor="person:anna", action="unlock",
        decision="refuse", rule=f"r{number}", detail=detail,
    )  # fmt: skip


async def rules(rig, home_id: str = "h1") -> list[str]:
    return [str(row["rule"]) for row in reversed(await rig.remote.audit.rows(home_id, limit=1000))]


async def test_rows_of_an_outage_come_behind_those_before_it_and_before_those_after_it(rig, audit):
    await write(rig, audit, 1, names=["a", "b"], much=1.0)
    await rig.go_away()
    for number in range(2, 30):
        await write(rig, audit, number, "h2" if number == 7 else "h1", n=number)
    rig.wire.mode = "ok"
    await rig.until(lambda: rig.engine.is_up, step_s=0.1)
    for number in range(30, 40):
        await write(rig, audit, number)
    await rig.come_back()
    await write(rig, audit, 40)
    assert await rules(rig) == [f"r{number}" for number in range(1, 41) if number != 7]
    assert await rules(rig, "h2") == ["r7"]
    assert await rig.remote.audit.verify() == 40
    assert await audit.verify() == 40


@pytest.mark.parametrize("losses", [1, 2, 3])
async def test_a_row_that_was_written_without_an_answer_is_not_written_again(rig, audit, losses):
    await write(rig, audit, 0)
    rig.wire.losses = losses
    for number in range(1, 6):
        await write(rig, audit, number, n=[number])
    await rig.come_back()
    assert await rules(rig) == [f"r{number}" for number in range(6)]


async def test_two_equal_rows_of_one_moment_are_two_rows(rig, audit):
    await write(rig, audit, 1)
    await rig.go_away()
    await write(rig, audit, 1)
    await write(rig, audit, 1)
    await rig.come_back()
    rows = await rig.remote.audit.rows("h1")
    assert [row["rule"] for row in rows] == ["r1"] * 3
    assert len({row["at"] for row in rows}) == 1


async def test_a_row_is_found_again_behind_many_that_others_wrote_meanwhile(rig, audit):
    rig.wire.losses = 1
    rig.wire.mode, rig.wire.ping_mode = "ok", "ok"
    rig.takers["audit"], real = refusing, rig.takers["audit"]
    await write(rig, audit, 1)
    for number in range(150):
        await write(rig, rig.remote.audit, 2, n=number)
    rig.takers["audit"] = real
    await rig.come_back()
    assert (await rules(rig)).count("r1") == 1


async def refusing(stores, values) -> None:
    raise StoreUnavailable("not yet")


async def test_when_nothing_more_can_wait_the_caller_hears_so(rig, audit):
    await rig.go_away()
    rig.spool._row_limit = 4
    for number in range(5):
        await write(rig, audit, number)
    with pytest.raises(Overloaded, match="what may wait for it here is full"):
        await write(rig, audit, 5)


async def test_rows_cannot_be_read_while_the_engine_is_away(rig, audit):
    await rig.go_away()
    with pytest.raises(StoreUnavailable):
        await audit.rows("h1")
