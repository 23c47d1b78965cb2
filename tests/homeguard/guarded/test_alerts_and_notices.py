"""Alerts and notices are decided here, whatever is away, and the engine gets each of them once."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from homeguard.model import Alert, Notice
from homeguard.staleness import collect
from homeguard.stores.guarded.alerts import ForwardedAlerts
from homeguard.stores.guarded.outbox import ForwardedOutbox

HOUR = timedelta(hours=1)


@pytest.fixture
def alerts(rig) -> ForwardedAlerts:
    return ForwardedAlerts(rig.local.alerts, rig.engine, rig.forwarder)


@pytest.fixture
def outbox(rig) -> ForwardedOutbox:
    return ForwardedOutbox(rig.local.outbox, rig.engine, rig.forwarder)


def alert(rig, number: int) -> Alert:
    return Alert(
        id=f"a{number:03}", home_id="h1", at=rig.clock.began + timedelta(seconds=number // 2), kind="smoke",
        severity="critical", title="Smoke", text="In the hall", event_ids=("e1",),
    )  # fmt: skip


def notice(rig, number: int) -> Notice:
    return Notice(
        id=f"n{number:03}", home_id="h1", at=rig.clock.began + timedelta(seconds=number), channel="app",
        recipient="anna", priority="critical", title="Smoke", text="In the hall",
    )  # fmt: skip


async def found(rig, store, limit: int = 100):
    return await store.query("h1", start=rig.clock.began - HOUR, end=rig.clock.began + HOUR, limit=limit)


@pytest.mark.parametrize("mode", ["ok", "refused", "hangs"])
async def test_an_alert_is_new_once_and_never_waits_for_the_engine(rig, alerts, outbox, mode, monkeypatch):
    monkeypatch.setattr("homeguard.stores.guarded.forwarder.BATCH_LIMIT_S", 0.2)
    rig.wire.mode = mode
    async with asyncio.timeout(20):
        assert await alerts.raise_([alert(rig, 1), alert(rig, 2)]) == [alert(rig, 1), alert(rig, 2)]
        assert await alerts.raise_([alert(rig, 2), alert(rig, 3)]) == [alert(rig, 3)]
        assert await outbox.put([notice(rig, 1)]) == [notice(rig, 1)]
        assert await outbox.put([notice(rig, 1)]) == []
        assert await outbox.undelivered() == [notice(rig, 1)]
    await rig.come_back()
    assert await found(rig, rig.remote.alerts) == await found(rig, rig.local.alerts)
    assert await found(rig, rig.remote.outbox) == [notice(rig, 1)]


async def test_an_alert_that_a_crash_kept_from_the_spool_is_handed_over_when_it_is_raised_again(rig, alerts):
    await rig.local.alerts.raise_([alert(rig, 1)])
    assert await alerts.raise_([alert(rig, 1)]) == []
    await rig.come_back()
    assert await found(rig, rig.remote.alerts) == [alert(rig, 1)]


async def test_a_delivery_follows_its_notice(rig, outbox):
    await rig.go_away()
    await outbox.put([notice(rig, 1), notice(rig, 2)])
    at = rig.clock.now()
    await outbox.delivered("h1", "n001", at)
    await outbox.delivered("h1", "n001", at + HOUR)
    await rig.come_back()
    assert await found(rig, rig.remote.outbox) == [notice(rig, 2), replace(notice(rig, 1), delivered_at=at)]
    assert await outbox.undelivered() == [notice(rig, 2)]


async def test_reads_are_the_local_ones_and_noted_while_the_engine_is_away(rig, alerts, outbox):
    await alerts.raise_([alert(rig, 1)])
    await outbox.put([notice(rig, 1)])
    await rig.come_back()
    await rig.go_away()
    await alerts.raise_([alert(rig, 5)])
    with collect() as stale:
        assert await found(rig, alerts) == [alert(rig, 5), alert(rig, 1)]
        assert await found(rig, outbox) == [notice(rig, 1)]
    assert set(stale) == {"alerts", "notices"}


async def test_what_waits_is_seen_beside_what_others_raised(rig, alerts, outbox):
    rig.takers.update(alerts=never, notices=never)
    await alerts.raise_([alert(rig, n) for n in (1, 2, 4)])
    await rig.remote.alerts.raise_([alert(rig, n) for n in (3, 2, 5)])
    await outbox.put([notice(rig, 1), notice(rig, 2)])
    await rig.remote.outbox.put([notice(rig, 3)])
    assert [a.id for a in await found(rig, alerts)] == ["a004", "a005", "a002", "a003", "a001"]
    assert [a.id for a in await found(rig, alerts, 2)] == ["a004", "a005"]
    assert [a.id for a in await found(rig, alerts, 0)] == ["a004"]
    assert [n.id for n in await found(rig, outbox)] == ["n003", "n002", "n001"]
    assert await found(rig, outbox, 1) == [notice(rig, 3)]


async def never(stores, values) -> None:
    await asyncio.Event().wait()


async def test_a_full_spool_keeps_no_alert_from_being_raised(rig, alerts, outbox):
    await rig.go_away()
    rig.spool._row_limit = 2
    for number in range(6):
        assert await alerts.raise_([alert(rig, number)]) == [alert(rig, number)]
        assert await outbox.put([notice(rig, number)]) == [notice(rig, number)]
    assert rig.forwarder.lost == 10
    assert len(await found(rig, rig.local.alerts)) == 6
