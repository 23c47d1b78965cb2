"""Old events and readings go from the embedded stores by when they came, and nothing else does."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from homeguard.clock import SystemClock
from homeguard.errors import StartRefused
from homeguard.model import Anomaly, Event, Reading
from homeguard.runtime import open_stores
from homeguard.settings import Settings, load
from homeguard.stores.sqlite import retention
from homeguard.stores.sqlite.anomalies import SqliteAnomalies
from homeguard.stores.sqlite.database import Database, open_database
from homeguard.stores.sqlite.events import SqliteEvents
from homeguard.stores.sqlite.open import migrations
from homeguard.stores.sqlite.readings import SqliteReadings
from homeguard.stores.sqlite.retention import Gone, Keep, Retention

NOW = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)
DAY = timedelta(days=1)
FOR_90 = Keep(events=90 * DAY, readings=90 * DAY)
NOTHING = Gone(events=0, hours=0, anomalies=0)


class House:
    """An `events.db`, and a clock that stands where it is put."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.events, self.readings = SqliteEvents(database), SqliteReadings(database)
        self.anomalies = SqliteAnomalies(database)

    async def hear(self, *days_ago: float, received: float | None = None, home_id: str = "h1") -> None:
        """A measurement of each of these moments, as the record group stores it."""
        for ago in days_ago:
            at, came = NOW - ago * DAY, NOW - (ago if received is None else received) * DAY
            event_id = f"{home_id}-{ago}"
            said: dict[str, Any] = {"home_id": home_id, "device_id": "meter", "event_id": event_id, "at": at}
            await self.events.append([Event(**said, event_type="telemetry", received_at=came)])
            await self.readings.append([Reading(**said, metric="power_w", unit="W", value=ago)])
            await self.anomalies.append(
                [Anomaly(**said, id=event_id, kind="zscore", score=1.0, severity="low", explanation="odd")]
            )

    async def retain(self, keep: Keep = FOR_90, now: datetime = NOW) -> Gone:
        return await Retention(database=self.database, clock=SystemClock(), keep=keep).retain(now)

    async def heard(self, home_id: str = "h1") -> list[float]:
        found = (await self.events.query(home_id, limit=1000)).items
        return sorted(_ago(e.at) for e in found)

    async def measured(self, home_id: str = "h1") -> list[float]:
        """Days ago; fails when the rollups do not say the same."""
        span: dict[str, Any] = {"start": NOW - 9999 * DAY, "end": NOW + DAY}
        found = await self.readings.raw(home_id, "meter", "power_w", **span)
        for every in (timedelta(minutes=1), timedelta(hours=1), DAY):
            windows = await self.readings.windows(home_id, "meter", "power_w", **span, every=every)
            assert sum(w.count for w in windows) == len(found)
            assert sum(w.average * w.count for w in windows) == pytest.approx(sum(r.value for r in found))
        return sorted(_ago(r.at) for r in found)


def _ago(at: datetime) -> float:
    return (NOW - at) / DAY


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(retention, "PAUSE_S", 0.0)
    async with open_database(tmp_path / "events.db", migrations("events")) as database:
        yield House(database)


async def test_what_came_more_than_ninety_days_ago_goes_and_the_rest_stays(house: House) -> None:
    await house.hear(400, 100, 92, 91, 89, 30, 0)
    await house.hear(100, 1, home_id="h2")

    gone = await house.retain()

    assert gone == Gone(events=5, hours=5, anomalies=5)
    assert await house.heard() == await house.measured() == [0, 30, 89]
    assert await house.heard("h2") == await house.measured("h2") == [1]
    found = await house.anomalies.query("h1", start=NOW - 9999 * DAY, end=NOW + DAY)
    assert sorted(_ago(a.at) for a in found) == [0, 30, 89]
    assert await house.retain() == NOTHING


async def test_it_goes_on_as_the_days_pass(house: House) -> None:
    await house.hear(*range(10))
    left = []
    for day in range(80, 101, 5):
        await house.retain(now=NOW + day * DAY)
        left.append((len(await house.heard()), len(await house.measured())))
    assert left == [(10, 10), (6, 6), (1, 1), (0, 0), (0, 0)]


async def test_what_speaks_of_long_ago_and_came_lately_stays(house: House) -> None:
    await house.hear(400, 399, received=5)
    await house.hear(300)

    assert (await house.retain()).hours == 1
    assert await house.heard() == await house.measured() == [399, 400]
    await house.retain(now=NOW + 86 * DAY)
    assert await house.heard() == await house.measured() == []


async def test_each_can_be_kept_without_end(house: House) -> None:
    await house.hear(200, 1)
    assert await house.retain(Keep(events=None, readings=None)) == NOTHING

    assert (await house.retain(Keep(events=None, readings=90 * DAY))).events == 0
    assert await house.heard() == [1, 200]
    assert await house.measured() == [1]


async def test_many_rows_go_in_steps_between_which_others_write(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP", 7)
    old = [Event(home_id="h1", event_id=f"e{n}", event_type="telemetry", at=NOW - 95 * DAY, received_at=NOW - 95 * DAY)
           for n in range(100)]  # fmt: skip
    await house.events.append(old)
    sizes: list[int] = []
    change = house.database.change

    async def counted(sql: str, given: Sequence[object]) -> int:
        sizes.append(await change(sql, given))  # type: ignore[arg-type]
        return sizes[-1]

    monkeypatch.setattr(house.database, "change", counted)
    deleting = asyncio.create_task(house.retain())
    while not sizes:  # noqa: ASYNC110 - it runs beside this
        await asyncio.sleep(0)
    await house.hear(0)
    gone = await deleting

    assert gone.events == 100
    assert max(sizes) <= 7
    assert await house.heard() == [0]


async def test_the_settings_say_how_long_and_too_short_is_refused(tmp_path: Path) -> None:
    clock = SystemClock()
    assert (Settings().keep_events_days, Settings().keep_readings_days) == (90, 90)
    settings = load({"data_dir": tmp_path}, {"HOMEGUARD_KEEP_EVENTS_DAYS": "3"}, tmp_path / "none")
    with pytest.raises(StartRefused, match="HOMEGUARD_KEEP_EVENTS_DAYS=3"):
        async with open_stores(settings, clock):
            pass


async def test_a_running_home_lets_go_of_old_events_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "FIRST_S", 0.0)
    settings = load({"data_dir": tmp_path}, {"HOMEGUARD_KEEP_EVENTS_DAYS": "30"}, tmp_path / "none")
    at = datetime.now(UTC)
    async with open_stores(settings, SystemClock()) as opened:
        for ago in (31, 29):
            came = at - ago * DAY
            event = Event(home_id="h1", event_id=str(ago), event_type="telemetry", at=came, received_at=came)
            await opened.stores.events.append([event])
    async with open_stores(settings, SystemClock()) as opened, asyncio.timeout(20):
        while await opened.stores.events.count("h1") > 1:  # noqa: ASYNC110 - it happens beside this
            await asyncio.sleep(0.01)
        assert await opened.stores.events.get("h1", "29") is not None
