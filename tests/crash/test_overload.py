"""More than can be done: what fills up history is refused first and says when to come back, alarms never are.

Nothing here is a matter of speed: the groups that everything else waits for are held until the overload is over.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from deploy.one_process import Running, open_homeguard
from homeguard.clock import SystemClock
from homeguard.identity.keys import local_key
from homeguard.identity.tokens import Tokens
from homeguard.settings import Settings
from pipeline.intake.admission import Admission, Limits
from pipeline.processor import Batch

pytestmark = pytest.mark.timeout(120)

#: Far below the real ones, so that a few requests are an overload.
LIMITS = Limits(
    bulk_behind={"safety": 300, "reflex": 300, "record": 300},
    state_behind={"safety": 600, "reflex": 600, "record": 600},
)
FLOOD = 60
BATCH = 50


class Gate:
    """A handler that holds its group while it is shut."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, batch: Batch) -> None:
        await self.open.wait()


@dataclass
class Crowd:
    """What was sent, what became of it, and what each refusal said."""

    http: httpx2.AsyncClient
    accepted: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    number: int = 0

    def events(self, kind: str, device_id: str, count: int) -> list[dict[str, Any]]:
        made = []
        for _ in range(count):
            self.number += 1
            payload: dict[str, Any] = {"metrics": {"temperature": 21}} if kind == "telemetry" else {}
            made.append(
                {"event_id": f"crowd-{self.number}", "device_id": device_id, "event_type": kind, "payload": payload}
            )
        return made

    async def batch(self, kind: str, device_id: str, count: int = BATCH) -> None:
        await self.send(self.events(kind, device_id, count))

    async def send(self, events: list[dict[str, Any]]) -> None:
        """One request; what was refused for want of room must say when to come back."""
        answer = await self.http.post("/api/v1/events", json=events if len(events) > 1 else events[0])
        ids = [event["event_id"] for event in events]
        self.answers[str(answer.status_code)] += 1
        if answer.status_code == 202:
            told = answer.json()
            out = {ids[r["index"]] for r in told["rejected"]}
            if any(r["code"] != "OVERLOADED" for r in told["rejected"]):
                self.faults.append(f"refused for another reason: {told['rejected'][:2]}")
            self.accepted |= set(ids) - out
            self.refused |= out
            is_told_when = not out or "retry-after" in answer.headers
        elif answer.status_code in (429, 503):
            self.refused |= set(ids)
            is_told_when = int(answer.headers.get("retry-after", "0")) > 0
            if answer.json()["error"]["code"] != "OVERLOADED":
                self.faults.append(answer.text)
        else:
            is_told_when = True
            self.faults.append(f"{answer.status_code}: {answer.text[:200]}")
        if not is_told_when:
            self.faults.append(f"{answer.status_code} without Retry-After")


@dataclass
class House:
    running: Running
    http: httpx2.AsyncClient
    gates: dict[str, Gate]
    home_id: str
    devices: dict[str, str]

    async def alerts(self) -> int:
        now = self.running.clocks.now("")
        found = await self.running.stores.alerts.query(
            self.home_id, start=now - timedelta(days=1), end=now + timedelta(days=1), limit=1000
        )
        return len(found)

    async def stored(self) -> set[str]:
        """Ids of the crowd's events, by way of the store; each is there once or the pages would not end."""
        now, found, cursor = self.running.clocks.now(""), [], None
        while True:
            page = await self.running.stores.events.query(
                self.home_id, start=now - timedelta(days=1), end=now + timedelta(days=1), limit=1000, cursor=cursor
            )
            found += [e.event_id for e in page.items if e.event_id.startswith("crowd-")]
            cursor = page.next_cursor
            if not cursor:
                assert len(found) == len(set(found))
                return set(found)


@asynccontextmanager
async def house(folder: Path, *, admits_all: bool = False) -> AsyncIterator[House]:
    """The demo on a free port, with gates in its groups and the lowered limits; `admits_all` is the planted defect."""
    settings = Settings(
        data_dir=folder / "data", port=0, demo=True, demo_history_days=0, simulator=False, rate_limits=False, canary_s=0
    )
    async with open_homeguard(settings, stop=asyncio.Event()) as running:
        assert running.demo is not None
        plane, home = running.plane, running.demo.homes[0]
        gates = {}
        for name in ("reflex", "record"):
            gates[name] = Gate()
            plane.processors[name]._handlers = (gates[name], *plane.processors[name]._handlers)
        plane.intake._admission = None if admits_all else Admission(running.stores.log, SystemClock(), LIMITS)  # type: ignore[arg-type]
        devices = {c: d.id for d in home.devices for c in reversed(d.capabilities)}
        token = Tokens(local_key(settings.data_dir), SystemClock()).operator(home.owner.email, "api")
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{running.settings.port}", timeout=30, trust_env=False,
            headers={"Authorization": f"Bearer {token}"},
        ) as http:  # fmt: skip
            yield House(running, http, gates, home.home.id, devices)
        for gate in gates.values():
            gate.open.set()


def _head(place: House, length: int) -> bytes:
    token = place.http.headers["authorization"]
    head = f"POST /telemetry HTTP/1.1\r\nHost: here\r\nAuthorization: {token}\r\nContent-Length: {length}\r\n\r\n"
    return head.encode()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[bytes, bytes]]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines if line)
    await reader.readexactly(int(headers[b"content-length"]))
    return int(first.split()[1]), headers


async def until(holds: Callable[[], Awaitable[Any]], *, within_s: float = 60.0) -> Any:
    async with asyncio.timeout(within_s):
        while not (value := await holds()):  # noqa: ASYNC110 - asks a store, which has no event to wait for
            await asyncio.sleep(0.02)
        return value


async def flood(place: House) -> Crowd:
    """Hold what everything waits for, then send ten times what the limits let in, first bulk and then states."""
    crowd = Crowd(place.http)
    for gate in place.gates.values():
        gate.open.clear()
    for _ in range(FLOOD):
        await crowd.batch("telemetry", place.devices["climate"])
    for _ in range(FLOOD):
        await crowd.batch("motion_detected", place.devices["motion"])
    return crowd


async def test_bulk_is_refused_first_then_states_and_both_say_when_to_come_back(tmp_path: Path) -> None:
    async with house(tmp_path) as place:
        crowd = Crowd(place.http)
        for gate in place.gates.values():
            gate.open.clear()
        while not crowd.refused:
            await crowd.batch("telemetry", place.devices["climate"])
        bulk_ends = len(crowd.accepted)
        await crowd.batch("motion_detected", place.devices["motion"])
        assert len(crowd.accepted) == bulk_ends + BATCH, "a state goes in where bulk does not"
        while len(crowd.accepted) > bulk_ends:
            before = len(crowd.accepted)
            await crowd.batch("motion_detected", place.devices["motion"])
            if len(crowd.accepted) == before:
                break
        assert len(crowd.accepted) < 12 * BATCH * 10
        assert crowd.faults == []
        await crowd.batch("telemetry", place.devices["climate"], count=1)
        assert crowd.answers["503"] >= 1
        assert crowd.faults == []


async def test_an_alarm_gets_through_ten_times_what_fits_and_is_told_before_any_of_it(tmp_path: Path) -> None:
    async with house(tmp_path) as place:
        crowd = await flood(place)
        assert len(crowd.refused) > len(crowd.accepted) > 0
        assert crowd.faults == []
        alerts = await place.alerts()
        alarms = Crowd(place.http, number=1_000_000)
        device = place.devices["motion"]
        for kind in ("smoke_detected", "glass_break", "co_detected", "water_leak_detected", "tamper_detected"):
            await alarms.batch(kind, device, count=1)
        mixed = alarms.events("telemetry", place.devices["climate"], 20)
        mixed += alarms.events("gas_detected", device, 1)
        await alarms.send(mixed)
        assert mixed[-1]["event_id"] in alarms.accepted
        assert {event["event_id"] for event in mixed[:-1]} == alarms.refused
        assert alarms.answers.keys() == {"202"}
        assert alarms.faults == []

        async def told() -> bool:
            return await place.alerts() >= alerts + 6

        # both gates are shut: nothing of what came before has been handled yet
        await until(told)
        assert not any(gate.open.is_set() for gate in place.gates.values())


async def test_afterwards_everything_that_was_taken_is_there_once_and_all_may_come_again(tmp_path: Path) -> None:
    async with house(tmp_path) as place:
        crowd = await flood(place)
        for gate in place.gates.values():
            gate.open.set()
        await place.running.plane.caught_up()
        assert await place.stored() == crowd.accepted
        refused = len(crowd.refused)
        await crowd.batch("telemetry", place.devices["climate"])
        await crowd.batch("motion_detected", place.devices["motion"])
        assert len(crowd.refused) == refused
        await place.running.plane.caught_up()
        assert await place.stored() == crowd.accepted
        assert crowd.faults == []


async def test_who_is_refused_in_the_middle_of_a_large_body_sees_the_answer_and_goes_on(tmp_path: Path) -> None:
    async with house(tmp_path) as place:
        place.running.plane.intake.turns._line = 0
        events = Crowd(place.http).events("telemetry", place.devices["climate"], 10_000)
        large = json.dumps(events).encode()
        alarm = json.dumps(Crowd(place.http).events("smoke_detected", place.devices["motion"], 1)[0]).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", place.running.settings.port)
        async with asyncio.timeout(30):
            head = _head(place, len(large))
            writer.write(head + large[:1000])
            status, headers = await _answer(reader)
            assert (status, headers[b"retry-after"]) == (503, b"3")
            writer.write(large[1000:])
            writer.write(_head(place, len(alarm)) + alarm)
            assert (await _answer(reader))[0] == 202
        writer.close()


async def test_an_intake_that_takes_whatever_comes_is_noticed(tmp_path: Path) -> None:
    """The planted defect: without admission nothing is refused, and the backlog has no end but the disk's."""
    async with house(tmp_path, admits_all=True) as place:
        crowd = await flood(place)
        assert crowd.refused == set()
        assert len(crowd.accepted) == 2 * FLOOD * BATCH
