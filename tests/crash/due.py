"""What is due in a small home, in a process that may be killed at a named step of it: forked from one that is loaded.

Each line on stdin is `{"data": folder, "step": name, "when": "before" | "after", "n": 1}`; it is answered with the
child's exit code when it has ended. Two doors' motors write every order that reaches them into `motor.log`. A rule is
due once, now: it locks the front door, waits, locks the back door and tells its people; and a timer ends.
`python due.py MUTANT` plants a defect first.
"""

import asyncio
import json
import os
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from deeds import Motor, Wrapped, deadly

from homeguard.automation import parse
from homeguard.clock import HomeClocks, SystemClock, iso
from homeguard.model import Device, Home, Member, User
from homeguard.ports.schedules import Schedule
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.open import open_embedded
from pipeline.command.execution import Execution
from pipeline.command.recovery import Recovery
from pipeline.command.service import CommandService
from pipeline.command.waiting import Reports
from pipeline.drivers.simulated import SimulatedDriver
from pipeline.handlers.automation_runs import RunAutomations, concerns
from pipeline.handlers.events import StoreEvents
from pipeline.handlers.live_state import KeepLiveState
from pipeline.handlers.subscribers import TellSubscribers
from pipeline.intake.intake import Intake
from pipeline.processor import Processor
from pipeline.ringing import Ringing
from pipeline.schedule import Scheduler
from pipeline.topics import AUTOMATE, RECORD, REFLEX, TOPICS_OF

#: The steps of what is due, about in the order in which they come: (port, method).
STEPS: Final[dict[str, tuple[str, str]]] = {
    "plan": ("schedules", "put"),
    "take": ("schedules", "take"),
    "ring": ("outbox", "put"),
    "decide": ("log", "append"),
    "move": ("schedules", "move"),
    "begin": ("journal", "begin"),
    "send": ("driver", "send"),
    "finish": ("journal", "finish"),
    "end": ("automations", "delete"),
}
#: So long a life may last, and the wait in the rule.
LIFE_S: Final = 15.0
WAIT_S: Final = 1


async def furnished(stores: Stores) -> None:
    """The home, its doors, the rule and the timer; a kill in the middle of this is not what is looked at."""
    if await stores.users.home("h") is not None:
        return
    now = datetime.now(UTC)
    await stores.users.put_user(User(id="h", email="h@x.com", name="H", created_at=now), "-")
    await stores.users.put_member(Member(home_id="h", user_id="h", role="owner"))
    doors = [
        Device(home_id="h", id=n, name=f"{n} door", type="lock", capabilities=("lock",), binding={"driver": "motor"})
        for n in ("front", "back")
    ]
    await stores.devices.put(doors)
    body = {
        "name": "Lock up",
        "trigger": {"type": "once", "at": iso(now)},
        "actions": [
            {"type": "device_command", "device_id": "front", "command": "lock"},
            {"type": "delay", "seconds": WAIT_S},
            {"type": "device_command", "device_id": "back", "command": "lock"},
            {"type": "notification", "message": "All is locked"},
        ],
    }
    await stores.automations.put(parse(body, home_id="h", automation_id="rule", created_by="h", now=now))
    timer = Schedule(home_id="h", id="timer", kind="timer", due_at=now, user_id="h", detail={"label": "tea"})
    await stores.schedules.put(timer)
    await stores.users.put_home(Home(id="h", name="Home"))


async def life(order: dict[str, Any]) -> None:
    """Open the folder, settle what a crash left, do what is due until nothing is, and close."""
    data, clock = Path(order["data"]), SystemClock()
    async with open_embedded(data, clock) as opened:
        await furnished(opened)
        names = ("schedules", "outbox", "journal", "automations")
        stores = replace(opened, log=Wrapped(opened.log), **{n: Wrapped(getattr(opened, n)) for n in names})  # type: ignore[arg-type]
        clocks = HomeClocks(clock)
        intake = Intake(log=stores.log, devices=stores.devices, clock=clock, clocks=clocks)
        reports = Reports(feed=stores.feed, live=stores.live)
        motor = Wrapped(Motor(SimulatedDriver(intake, clock, clocks), data / "motor.log"))
        execution = Execution(
            drivers={"motor": motor}, journal=stores.journal, feed=stores.feed, intake=intake, reports=reports,
            clock=clock, confirm_timeout_s=3,
        )  # fmt: skip
        commands = CommandService(
            users=stores.users, devices=stores.devices, live=stores.live, feed=stores.feed, journal=stores.journal,
            confirmations=stores.confirmations, audit=stores.audit, execution=execution, acts={}, clock=clock,
        )  # fmt: skip
        recovery = Recovery(
            journal=stores.journal, confirmations=stores.confirmations, live=stores.live, execution=execution, acts={},
            is_done=None, clock=clock,
        )  # fmt: skip
        changed = asyncio.Event()
        run = RunAutomations(
            automations=stores.automations, commands=commands, outbox=stores.outbox, users=stores.users,
            feed=stores.feed, intake=intake, clock=clock, clocks=clocks, schedules=stores.schedules, wake=changed.set,
        )  # fmt: skip
        scheduler = Scheduler(
            schedules=stores.schedules, automations=stores.automations, live=stores.live, users=stores.users,
            intake=intake, ringing=Ringing(outbox=stores.outbox, clock=clock, clocks=clocks), clock=clock,
            clocks=clocks, by="here", changed=changed,
        )  # fmt: skip
        handlers: dict[str, Any] = {
            REFLEX: [KeepLiveState(stores.live), TellSubscribers(stores.feed, clocks)],
            AUTOMATE: [run],
            RECORD: [StoreEvents(stores.events)],
        }
        groups = {
            name: Processor(
                stores.log, name, TOPICS_OF[name], made, clock, apart=concerns if name == AUTOMATE else None
            )
            for name, made in handlers.items()
        }
        left, stop, ready = await recovery.unfinished(), asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(reports.run(ready))
            await ready.wait()
            await recovery.settle(left)
            if order.get("step"):
                port, method = STEPS[order["step"]]
                deadly(motor if port == "driver" else getattr(stores, port), method, order["when"], order["n"])
            loops = [tasks.create_task(group.run(stop)) for group in groups.values()]
            scheduling = tasks.create_task(scheduler.run())
            with suppress(TimeoutError):
                async with asyncio.timeout(LIFE_S):
                    while await is_busy(opened):  # noqa: ASYNC110 - several work on it, and none says when all is through
                        await asyncio.sleep(0.05)
            for name in (AUTOMATE, REFLEX, RECORD):
                await groups[name].caught_up()
            scheduling.cancel()
            stop.set()
            for loop in loops:
                await loop
            watching.cancel()


async def is_busy(stores: Stores) -> bool:
    return bool(await stores.automations.of_home("h")) or await stores.schedules.next_due() is not None


def moves_on_first() -> None:
    """The next time is written before the run is decided: a kill in between loses it."""

    async def done(self: Scheduler, taken: Any) -> int:
        made = [await self._one(schedule) for schedule in taken]
        await self._schedules.move([(s, one.then) for s, one in zip(taken, made, strict=True)])
        if events := [event for one in made for event in one.events]:
            await self._intake.submit(events)
        return len(made)

    Scheduler._do = done  # type: ignore[method-assign]


def fresh_ids() -> None:
    """Each decision is one of its own: a kill in between doubles it."""
    from msgspec.structs import replace as changed

    really = Scheduler._decided

    def decided(self: Scheduler, *given: Any) -> Any:
        return changed(really(self, *given), event_id=str(uuid4()), cause=f"schedule:{uuid4()}")

    Scheduler._decided = decided  # type: ignore[method-assign]


MUTANTS: Final = {f.__name__: f for f in (moves_on_first, fresh_ids)}


def main() -> None:
    for name in sys.argv[1:]:
        MUTANTS[name]()
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                asyncio.run(life(order))
                status = 0
            finally:
                os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
