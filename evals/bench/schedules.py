"""What ten thousand schedules cost while nothing is due, and how late a thousand are that are due in the same second.

`python -m evals.bench.schedules`. The rooms of the data plane run in this process, with every handler that schedules
need; each rule turns on a lamp of its own, whose report is waited for.
"""

import argparse
import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw

from evals.bench.bare import fdatasync_ms, woken
from evals.bench.instance import in_a_folder, machine, pinned
from evals.bench.table import Row, spread, table
from homeguard.automation import parse
from homeguard.clock import HomeClocks, SystemClock
from homeguard.ids import new_id
from homeguard.model import Automation, Command, Device, Event, Home, Member
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.open import open_embedded
from pipeline.command.execution import Execution
from pipeline.command.service import CommandService
from pipeline.command.waiting import Reports
from pipeline.handlers.automation_runs import RunAutomations, concerns
from pipeline.handlers.events import StoreEvents
from pipeline.handlers.live_state import KeepLiveState
from pipeline.handlers.subscribers import TellSubscribers
from pipeline.intake.intake import Intake
from pipeline.processor import Processor
from pipeline.ringing import Ringing
from pipeline.schedule import Scheduler
from pipeline.topics import AUTOMATE, RECORD, REFLEX, TOPICS_OF

#: Homes over which the rules are spread: a home has at most 200.
HOMES = 50
_QUIET = {"n": 0, "plan all s": 2, "round p50 ms": 3, "round p99 ms": 3, "bare p50 ms": 3, "x bare": 1}
_DUE = {
    "n": 0, "on disk p50 ms": 0, "on disk p99 ms": 0, "x fdatasync p99": 1, "at lamp p50 ms": 0, "at lamp p99 ms": 0,
    "a second": 0, "found": 0,
}  # fmt: skip


class Ahead(SystemClock):
    """The machine's clock, that can be set so far ahead that a full minute comes soon."""

    def __init__(self) -> None:
        self.due_at = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=10)
        self._ahead = timedelta()

    def come_near(self, left_s: float) -> None:
        self._ahead = self.due_at - timedelta(seconds=left_s) - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--due", type=int, default=1_000, help="of these, in the same second")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--dir", type=Path, default=None, help="where the data folder goes (default: a temporary one)")
    options = parser.parse_args()
    return in_a_folder(
        lambda folder: _bench(folder, options.schedules, options.due, options.repeat), within=options.dir
    )


async def _bench(folder: Path, count: int, due: int, repeat: int) -> None:
    print(f"machine: {machine(pinned())}")
    print(
        f"in one process: schedules, reflex (live state, watchers), automate, record; {count} rules in {HOMES} homes, "
        f"{due} lamps; log: fdatasync before a decision counts; stores: WAL, synchronous=FULL"
    )
    quiet: dict[str, list[Row]] = defaultdict(list)
    late: dict[str, list[Row]] = defaultdict(list)
    syncs: list[float] = []
    rests: list[float] = []
    for number in range(repeat):
        syncs.append(fdatasync_ms(folder)[1])
        rests.append(woken())
        bench = _Bench(folder / f"data-{number}", count, due)
        await bench.run()
        quiet[f"{count} schedules, nothing due"].append(bench.quiet)
        ratio = bench.late["on disk p99 ms"] / syncs[-1]
        late[f"{due} due in one second"].append({**bench.late, "x fdatasync p99": ratio})
    print(f"fdatasync p99 ms: {spread(syncs, 2)}")
    print(f"the same work after 2 ms of rest takes so many times as long: {spread(rests, 1)}")
    print(f"each figure: median (smallest-largest) of {repeat}\n")
    print(table(quiet, _QUIET))
    print()
    print(table(late, _DUE))


class _Bench:
    def __init__(self, data: Path, count: int, due: int) -> None:
        self._data, self._count, self._due = data, count, due
        self._clock = Ahead()
        self._decided: list[datetime] = []
        self._ordered: list[datetime] = []
        self._done = asyncio.Event()
        self.quiet: dict[str, float] = {}
        self.late: dict[str, float] = {}

    async def run(self) -> None:
        async with open_embedded(self._data, self._clock) as stores:
            await self._furnish(stores)
            async with self._rooms(stores) as scheduler:
                await self._nothing_due(scheduler)
                await self._all_at_once(scheduler)
        async with open_embedded(self._data, self._clock) as stores:
            found = 0
            for home in await stores.users.homes():
                page = await stores.events.query(home.id, event_types=["automation_ran"], limit=1_000)
                found += len(page.items)
            self.late["found"] = found

    async def _furnish(self, stores: Stores) -> None:
        """The rules that are due stand evenly among the homes; the others are for the next minutes of the hour."""
        at = self._clock.due_at
        for number in range(HOMES):
            await stores.users.put_home(Home(id=f"h{number}", name="Bench"))
            await stores.users.put_member(Member(home_id=f"h{number}", user_id="anna", role="owner"))
        every = max(self._count // self._due, 1)
        devices: list[Device] = []
        rules: list[Automation] = []
        for number in range(self._count):
            home, is_due = f"h{number % HOMES}", number // HOMES % every == 0 and len(devices) < self._due
            when = at if is_due else at + timedelta(minutes=5 + number % 50)
            if is_due:
                lamp = f"lamp-{number}"
                devices.append(
                    Device(
                        home_id=home, id=lamp, name=lamp, type="light", capabilities=("on_off",),
                        binding={"driver": "lamps"},
                    )
                )  # fmt: skip
            action: dict[str, Any] = {"type": "notification", "message": "x"}
            if is_due:
                action = {"type": "device_command", "device_id": f"lamp-{number}", "command": "turn_on"}
            body = {"name": f"Rule {number}", "trigger": {"type": "time", "at": f"{when:%H:%M}"}, "actions": [action]}
            rules.append(parse(body, home_id=home, automation_id=f"r{number}", created_by="anna"))
        await stores.devices.put(devices)
        for first in range(0, len(rules), 500):
            await asyncio.gather(*(stores.automations.put(rule) for rule in rules[first : first + 500]))

    @asynccontextmanager
    async def _rooms(self, stores: Stores) -> AsyncIterator[Scheduler]:
        clock, clocks = self._clock, HomeClocks(self._clock)
        intake = Intake(log=stores.log, devices=stores.devices, clock=clock, clocks=clocks)
        reports = Reports(feed=stores.feed, live=stores.live)
        execution = Execution(
            drivers={"lamps": _Lamps(intake, clock, self._order)}, journal=stores.journal, feed=stores.feed,
            intake=intake, reports=reports, clock=clock, confirm_timeout_s=10,
        )  # fmt: skip
        commands = CommandService(
            users=stores.users, devices=stores.devices, live=stores.live, feed=stores.feed, journal=stores.journal,
            confirmations=stores.confirmations, audit=stores.audit, execution=execution, acts={}, clock=clock,
        )  # fmt: skip
        run = RunAutomations(
            automations=stores.automations, commands=commands, outbox=stores.outbox, users=stores.users,
            feed=stores.feed, intake=intake, clock=clock, clocks=clocks, schedules=stores.schedules,
        )  # fmt: skip
        handlers: dict[str, Any] = {
            REFLEX: [KeepLiveState(stores.live), TellSubscribers(stores.feed, clocks)],
            AUTOMATE: [run],
            RECORD: [StoreEvents(stores.events)],
        }
        options: dict[str, Any] = {REFLEX: {"flush": stores.live.flush}, AUTOMATE: {"apart": concerns}, RECORD: {}}
        groups = [Processor(stores.log, n, TOPICS_OF[n], h, clock, **options[n]) for n, h in handlers.items()]
        scheduler = Scheduler(
            schedules=stores.schedules, automations=stores.automations, live=stores.live, users=stores.users,
            intake=_Stamped(intake, self._decided, clock), clock=clock, clocks=clocks, by="here",
            ringing=Ringing(outbox=stores.outbox, clock=clock, clocks=clocks),
        )  # fmt: skip
        stop, ready = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(reports.run(ready))
            await ready.wait()
            loops = [tasks.create_task(group.run(stop)) for group in groups]
            yield scheduler
            for group in groups:
                await group.caught_up()
            stop.set()
            await asyncio.gather(*loops)
            watching.cancel()

    def _order(self) -> None:
        self._ordered.append(self._clock.now())
        if len(self._ordered) >= self._due:
            self._done.set()

    async def _nothing_due(self, scheduler: Scheduler) -> None:
        began = time.perf_counter()
        await scheduler.round()
        self.quiet = {"n": 200, "plan all s": time.perf_counter() - began}
        times = []
        for _ in range(200):
            began = time.perf_counter()
            await scheduler.round()
            times.append((time.perf_counter() - began) * 1_000)
        bare = _bare_ms(self._data / "home.db")
        self.quiet |= {
            "round p50 ms": statistics.median(times), "round p99 ms": _p99(times), "bare p50 ms": bare,
            "x bare": statistics.median(times) / bare,
        }  # fmt: skip

    async def _all_at_once(self, scheduler: Scheduler) -> None:
        self._clock.come_near(3)
        going = asyncio.create_task(scheduler.run())
        async with asyncio.timeout(120):
            await self._done.wait()
        going.cancel()
        late = [(at - self._clock.due_at).total_seconds() * 1_000 for at in self._decided]
        lamps = [(at - self._clock.due_at).total_seconds() * 1_000 for at in self._ordered]
        self.late = {
            "n": len(lamps), "on disk p50 ms": statistics.median(late), "on disk p99 ms": _p99(late),
            "at lamp p50 ms": statistics.median(lamps), "at lamp p99 ms": _p99(lamps),
            "a second": len(lamps) / max(lamps) * 1_000,
        }  # fmt: skip


class _Lamps:
    """A driver whose lamps do what they are told at once and say so."""

    def __init__(self, intake: Intake, clock: SystemClock, told: Callable[[], None]) -> None:
        self._intake, self._clock, self._told = intake, clock, told

    async def send(self, device: Device, command: Command) -> None:
        self._told()
        now = self._clock.now()
        report = Event(
            home_id=device.home_id, event_id=new_id(), event_type="state_changed", at=now, received_at=now,
            device_id=device.id, payload={"on": True}, cause=command.id,
        )  # fmt: skip
        await self._intake.submit([report])


class _Stamped:
    """An intake that notes when each decision was on disk."""

    def __init__(self, intake: Intake, stamps: list[datetime], clock: SystemClock) -> None:
        self._intake, self._stamps, self._clock = intake, stamps, clock

    async def submit(self, events: Sequence[Event]) -> None:
        await self._intake.submit(events)
        self._stamps += [self._clock.now()] * len(events)


def _bare_ms(path: Path, n: int = 200) -> float:
    """The question for what is due, asked of the same file without HomeGuard."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    times = []
    for _ in range(n):
        began = time.perf_counter()
        connection.execute("SELECT * FROM schedules WHERE due_at <= 0 ORDER BY due_at LIMIT 500").fetchall()
        connection.execute("SELECT due_at FROM schedules WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1").fetchall()
        times.append((time.perf_counter() - began) * 1_000)
    connection.close()
    return statistics.median(times)


def _p99(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


if __name__ == "__main__":
    raise SystemExit(main())
