"""A clock that only moves when told, a log in memory with the port's own rules, and builders: real behaviour, small."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from homeguard.clock import HomeClocks
from homeguard.model import Device, Event, Home, Member, Metadata, User
from homeguard.ports.log import NewRecord, Record
from homeguard.vocabulary import DEVICE_TYPES

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


class ManualClock:
    """Time stands still until `advance`; sleeping moves it on at once."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def advance(self, by: timedelta) -> None:
        self.at += by

    async def sleep(self, delay_s: float) -> None:
        self.slept.append(delay_s)
        self.at += timedelta(seconds=delay_s)
        await asyncio.sleep(0)


class MemoryLog:
    """One partition a topic. `reopen` is the log as another process finds it: positions are those committed."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.topics: dict[str, list[Record]] = defaultdict(list)
        self.committed: dict[tuple[str, str], int] = defaultdict(int)
        self.positions: dict[tuple[str, str], int] = {}
        self.read_by: dict[str, set[str]] = defaultdict(set)
        self.fails: list[Exception] = []

    def reopen(self) -> None:
        self.positions.clear()

    async def append(self, records: Sequence[NewRecord]) -> None:
        if self.fails:
            raise self.fails.pop(0)
        for new in records:
            topic = self.topics[new.topic]
            topic.append(
                Record(
                    topic=new.topic, partition=0, offset=len(topic), key=new.key, value=new.value,
                    headers=dict(new.headers), appended_at=self.clock.now(),
                )
            )  # fmt: skip

    async def read(self, group: str, topics: Sequence[str], *, limit: int, wait_s: float) -> list[Record]:
        self.read_by[group].update(topics)
        found: list[Record] = []
        for topic in topics:
            key = (group, topic)
            start = self.positions.setdefault(key, self.committed[key])
            taken = self.topics[topic][start : start + limit - len(found)]
            self.positions[key] += len(taken)
            found += taken
        await asyncio.sleep(0)
        return found

    async def commit(self, group: str, records: Sequence[Record]) -> None:
        for record in records:
            key = (group, record.topic)
            self.committed[key] = max(self.committed[key], record.offset + 1)

    async def seek(self, group: str, at: datetime | None) -> None:
        for topic in self.read_by[group]:
            self.committed[group, topic] = self.positions[group, topic] = 0

    async def lag(self, group: str) -> int:
        return sum(len(self.topics[t]) - self.committed[group, t] for t in self.read_by[group])


def device(device_id: str, device_type: str, *, home_id: str = "h1", name: str = "", **fields: object) -> Device:
    return Device(
        home_id=home_id, id=device_id, name=name or device_id.replace("_", " ").title(), type=device_type,
        capabilities=DEVICE_TYPES[device_type].capabilities, **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def event(event_type: str, device_id: str = "", *, at: datetime = NOW, event_id: str = "", **fields: object) -> Event:
    event_id = event_id or f"{event_type}/{device_id}/{at.isoformat()}"
    given: dict[str, object] = {"home_id": "h1", "received_at": NOW, "source": "http", **fields}
    return Event(event_id=event_id, event_type=event_type, at=at, device_id=device_id, **given)  # type: ignore[arg-type]


def simulated() -> Metadata:
    return Metadata(is_simulated=True)


async def furnish(stores, *devices: Device, **home: object) -> Home:  # type: ignore[no-untyped-def]
    """A home `h1` with the owner `u1` and the member `u2`, and these devices."""
    for user_id in ("u1", "u2"):
        user = User(id=user_id, email=f"{user_id}@example.com", name=user_id, created_at=NOW)
        await stores.users.put_user(user, "x")
    made = Home(id="h1", name="Home", time_zone="America/New_York", **home)  # type: ignore[arg-type]
    await stores.users.put_home(made)
    await stores.users.put_member(Member(home_id="h1", user_id="u1", role="owner"))
    await stores.users.put_member(Member(home_id="h1", user_id="u2", role="member"))
    await stores.devices.put(list(devices))
    return made


def clocks(clock: ManualClock) -> HomeClocks:
    return HomeClocks(clock)
