"""A wall clock that is wrong, is set right, or changes to and from summer time: nothing is lost, told twice or valid
that should not be."""

import asyncio
import signal
import sqlite3
import struct
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest
from instances import JOHN, PASSWORD
from ledger import Ledger, faults
from nursing import RULE, Nursery, furnish, furnished, nursery
from recording import switched_on
from visitor import ALARMS, Visitor, arrived, found_in

from homeguard import automation
from homeguard.clock import SystemClock, iso
from homeguard.identity.keys import local_key
from homeguard.identity.passwords import Passwords
from homeguard.stores.sqlite.open import open_embedded

YEAR, HOUR = timedelta(days=365), timedelta(hours=1)
NEW_YORK = ZoneInfo("America/New_York")
#: The rule of the home holds only then, by the home's clock.
FROM, TO = "01:30", "02:30"

pytestmark = pytest.mark.timeout(240)


class WallClock(SystemClock):
    """What the instance takes for the time, set from here."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._passed = timedelta()
        self.set(timedelta())

    def set(self, ahead: timedelta) -> None:
        self._ahead = ahead
        seen = struct.pack("<qq", *(round(part.total_seconds() * 1e9) for part in (ahead, self._passed)))
        # in place: the instance has this very file in its memory
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.write(seen)

    def set_to(self, at: datetime) -> None:
        self.set(at - super().now())

    def step(self, by: timedelta) -> None:
        self.set(self._ahead + by)

    def pass_by(self, by: timedelta) -> None:
        """That much time goes by, not only on the wall."""
        self._passed += by
        self.step(by)

    def now(self) -> datetime:
        return super().now() + self._ahead


class Person:
    """Signs in with a password, and keeps the tokens."""

    def __init__(self, server: Nursery) -> None:
        self._server = server
        self.access = self.refresh = ""

    async def sign_in(self) -> None:
        answer = await self._call("POST", "/api/v1/auth/login", json={"email": JOHN, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        self._keep(answer)

    async def renew(self) -> int:
        answer = await self._call("POST", "/api/v1/auth/refresh", json={"refresh_token": self.refresh})
        if answer.status_code == 200:
            self._keep(answer)
        return answer.status_code

    async def is_let_in(self) -> bool:
        answer = await self.call("GET", "/api/v1/devices")
        assert answer.status_code in (200, 401), answer.text
        return answer.status_code == 200

    async def call(self, method: str, path: str, **more: Any) -> httpx2.Response:
        return await self._call(method, path, headers={"Authorization": f"Bearer {self.access}"}, **more)

    def _keep(self, answer: httpx2.Response) -> None:
        self.access, self.refresh = answer.json()["access_token"], answer.json()["refresh_token"]

    async def _call(self, method: str, path: str, **more: Any) -> httpx2.Response:
        async with httpx2.AsyncClient(base_url=self._server.url, timeout=30, trust_env=False) as http:
            return await http.request(method, path, **more)


async def furnish_with_password(data: Path) -> str:
    home_id = await furnish(data)
    passwords = Passwords()
    async with open_embedded(data, SystemClock()) as stores:
        found = await stores.users.user_by_email(JOHN)
        assert found is not None
        await stores.users.set_password_hash(found[0].id, await passwords.hash(PASSWORD))
    passwords.close()
    return home_id


async def worked(server: Nursery, visitor: Visitor, wall: WallClock, *, alarms: bool = True, events: int = 30) -> None:
    """Events, alarms and commands for a while."""
    wanted = visitor.answered + events
    async with server.client(wall) as http, asyncio.TaskGroup() as tasks:
        work = [tasks.create_task(visitor.tell(http, size)) for size in (1, 5)]
        work.append(tasks.create_task(visitor.order(http)))
        if alarms:
            work.append(tasks.create_task(visitor.alarm(http)))
        while visitor.answered < wanted:  # noqa: ASYNC110 - the ledger is only filled
            await asyncio.sleep(0.002)
        for task in work:
            task.cancel()
    if alarms:
        # a jump of the clock makes late what was not followed up before it
        async with server.client(wall) as http:
            await visitor.settle(http)
            await arrived(http, visitor.ledger)


async def followed_up(http: httpx2.AsyncClient, event_id: str) -> None:
    """Returns when the event was stored and its alert raised: what comes behind 15 minutes more is late for both."""
    async with asyncio.timeout(20):
        while True:
            alerts = (await http.get("/api/v1/alerts", params={"limit": 5})).json()["items"]
            events = (await http.get("/api/v1/events", params={"limit": 20})).json()["items"]
            if any(event_id in a["event_ids"] for a in alerts) and any(e["event_id"] == event_id for e in events):
                return
            await asyncio.sleep(0.02)


async def handed_over(data: Path, ledger: Ledger) -> None:
    """Returns when every alarm's message of the rule, and all that the alerts said, went out to the people: while the
    server runs, whose file is only read."""
    told = "SELECT count(DISTINCT cause) FROM outbox WHERE title = ? AND delivered_at IS NOT NULL"
    warned = (
        "SELECT count(*) FILTER (WHERE delivered_at IS NULL), count(*) FROM outbox WHERE cause LIKE 'alarm-%'"
        " AND title <> ?"
    )
    async with asyncio.timeout(20):
        with closing(sqlite3.connect(f"file:{data / 'home.db'}?mode=ro", uri=True)) as file:
            while True:
                done, (waiting, every) = (file.execute(sql, (RULE["name"],)).fetchone() for sql in (told, warned))
                if done[0] == len(ledger.alarms) and every and not waiting:
                    return
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("wrong", [YEAR, -YEAR], ids=["ahead", "behind"])
async def test_a_year_off_loses_and_repeats_nothing_and_no_token_outlives_its_time(
    tmp_path: Path, recorder: str, wrong: timedelta
) -> None:
    # no alarms: one that was not yet followed up when the clock jumps is late by a year, and sets nothing off
    wall = WallClock(tmp_path / "clock")
    visitor = Visitor(Ledger(), wall)
    home_id = await furnish_with_password(tmp_path / "data")
    with nursery(tmp_path, preload=recorder) as server:
        old, new = Person(server), Person(server)
        settings = switched_on(server.data, clock=wall.path)
        await server.start(env=settings)
        await old.sign_in()
        assert await old.is_let_in()
        await worked(server, visitor, wall, alarms=False)
        assert await server.end(signal.SIGKILL) == -signal.SIGKILL

        wall.set(wrong)
        await server.start(env=settings)
        assert not await old.is_let_in()
        assert await old.renew() == 401
        await new.sign_in()
        assert await new.is_let_in()
        await worked(server, visitor, wall, alarms=False)
        assert await server.end(signal.SIGKILL) == -signal.SIGKILL

        wall.set(timedelta())
        await server.start(env=settings)
        assert not await new.is_let_in()
        assert await new.renew() == 401
        async with server.client(wall) as http:
            await visitor.settle(http)
            await arrived(http, visitor.ledger)
            assert (await http.get("/ready")).status_code == 200
        assert await server.end(signal.SIGTERM) == 0
    async with open_embedded(server.data, SystemClock()) as stores:
        assert faults(visitor.ledger, await found_in(stores, home_id)) == []
        await stores.audit.verify()
        assert await stores.journal.pending() == []


async def test_an_hour_back_while_it_runs_brings_nothing_back_to_life(tmp_path: Path, recorder: str) -> None:
    wall = WallClock(tmp_path / "clock")
    visitor = Visitor(Ledger(), wall)
    home_id = await furnish_with_password(tmp_path / "data")
    # time that goes by at once looks to the canary as if everything had stood still
    with nursery(tmp_path, env={"HOMEGUARD_CANARY_S": "0"}, preload=recorder) as server:
        person, later = Person(server), Person(server)
        await server.start(env=switched_on(server.data, clock=wall.path))
        await person.sign_in()
        await worked(server, visitor, wall)
        wall.pass_by(timedelta(minutes=20))
        assert not await person.is_let_in()
        await later.sign_in()
        asked = await later.call("POST", "/api/v1/devices/front_door_lock/command", json={"command": "unlock"})
        assert asked.status_code == 202, asked.text
        card = asked.json()["confirmation"]["id"]

        wall.step(-HOUR)
        assert not await person.is_let_in()
        assert await later.is_let_in()
        await worked(server, visitor, wall)
        # what is due every few seconds is still due every few seconds
        await handed_over(server.data, visitor.ledger)
        async with server.client(wall) as http:
            ready = await http.get("/ready")
            assert ready.status_code == 200, ready.text
        assert (await later.call("GET", f"/api/v1/confirmations/{card}")).json()["state"] == "open"
        wall.pass_by(timedelta(minutes=6))
        pressed = await later.call("POST", f"/api/v1/confirmations/{card}", json={"approve": True})
        assert pressed.status_code == 409, pressed.text
        wall.pass_by(timedelta(minutes=10))
        assert not await later.is_let_in()
        assert await later.renew() == 200
        assert await later.is_let_in()
        assert await server.end(signal.SIGTERM) == 0
    async with open_embedded(server.data, SystemClock()) as stores:
        assert faults(visitor.ledger, await found_in(stores, home_id)) == []


async def test_a_rule_of_the_night_keeps_to_the_homes_wall_clock_at_both_changes_and_on_a_leap_day(
    tmp_path: Path, recorder: str
) -> None:
    nights = [
        datetime(2027, 3, 14, 5, tzinfo=UTC),
        datetime(2027, 11, 7, 4, tzinfo=UTC),
        datetime(2028, 2, 29, 5, tzinfo=UTC),
    ]
    wall, due, sent = WallClock(tmp_path / "clock"), set[str](), Ledger()
    rule = {**RULE, "trigger": {**RULE["trigger"], "conditions": {"time_range": {"start": FROM, "end": TO}}}}
    wall.set_to(nights[0] - HOUR)
    async with open_embedded(tmp_path / "data", wall) as stores:
        home_id = await furnished(stores)
        made = automation.parse(rule, home_id=home_id, automation_id="broken-pane", now=wall.now())
        await stores.automations.put(
            replace(made, created_by=(await stores.automations.of_home(home_id))[0].created_by)
        )
    local_key(tmp_path / "data")
    with nursery(tmp_path, preload=recorder) as server:
        await server.start(env=switched_on(server.data, clock=wall.path))
        for night in nights:
            for minutes in range(0, 240, 10):
                at = night + timedelta(minutes=minutes)
                wall.set_to(at)
                event_id = f"alarm-{at:%Y%m%d%H%M}"
                sent.sent[event_id] = {}
                if FROM <= at.astimezone(NEW_YORK).strftime("%H:%M") < TO:
                    due.add(event_id)
                async with server.client(wall) as http:
                    body = {
                        "event_id": event_id,
                        "device_id": ALARMS,
                        "event_type": "glass_break",
                        "timestamp": iso(at),
                    }
                    assert (await http.post("/api/v1/events", json={**body, "payload": {}})).status_code == 202
                    await followed_up(http, event_id)
                sent.acknowledged.add(event_id)
        assert await server.end(signal.SIGTERM) == 0
    async with open_embedded(server.data, SystemClock()) as stores:
        found = await found_in(stores, home_id)
    # 30 minutes in spring, which has no half past two; 90 in autumn, which has half past one twice
    assert sorted(len([i for i in due if night.strftime("%Y%m%d") in i]) for night in nights) == [3, 6, 9]
    assert set(found.stored) == sent.acknowledged
    assert sorted(cause for cause, _ in found.ran) == sorted(due)
    assert sorted(found.told) == sorted(due)
    assert sorted(found.alerted) == sorted(sent.acknowledged)


async def test_a_rule_by_the_clock_runs_once_in_the_night_that_has_its_time_twice(
    tmp_path: Path, recorder: str
) -> None:
    wall = WallClock(tmp_path / "clock")
    first, second = datetime(2027, 11, 7, 5, 30, tzinfo=UTC), datetime(2027, 11, 7, 6, 30, tzinfo=UTC)
    wall.set_to(first - HOUR)
    async with open_embedded(tmp_path / "data", wall) as stores:
        home_id = await furnished(stores)
        owner = (await stores.automations.of_home(home_id))[0].created_by
        for number, trigger in enumerate(({"type": "time", "at": "01:30"}, {"type": "once", "at": iso(second)})):
            body = {"name": "Night", "trigger": trigger, "actions": [{"type": "notification", "message": "x"}]}
            await stores.automations.put(
                automation.parse(body, home_id=home_id, automation_id=f"night-{number}", created_by=owner)
            )
    local_key(tmp_path / "data")
    # time that goes by at once looks to the canary as if everything had stood still
    with nursery(tmp_path, env={"HOMEGUARD_CANARY_S": "0"}, preload=recorder) as server:
        await server.start(env=switched_on(server.data, clock=wall.path))
        for at, runs in ((first, 1), (first + HOUR / 2, 1), (second, 2), (second + HOUR, 2)):
            wall.pass_by(at - wall.now())
            async with server.client(wall) as http, asyncio.timeout(60):
                while True:
                    found = (await http.get("/api/v1/events?event_type=automation_ran")).json()["items"]
                    if len(found) >= runs:
                        break
                    await asyncio.sleep(0.05)
        assert await server.end(signal.SIGTERM) == 0
    async with open_embedded(server.data, SystemClock()) as stores:
        page = await stores.events.query(home_id, event_types=["automation_ran"])
        assert sorted((e.payload["automation_id"], e.payload["due_at"]) for e in page.items) == [
            ("night-0", iso(first)), ("night-1", iso(second)),
        ]  # fmt: skip
        assert [e.payload.get("missed") for e in page.items] == [None, None]
        assert "night-1" not in {a.id for a in await stores.automations.of_home(home_id)}
        (kept,) = await stores.schedules.of_home(home_id, kind="rule")
        assert kept.due_at == first + 25 * HOUR
