"""One deed in a small home, in a process that may be killed at a named step of it: forked from one that is loaded.

Each line on stdin is `{"data": folder, "deed": name, "step": name, "when": "before" | "after", "n": 1}`; it is answered
with the child's exit code when it has ended. A door's motor writes every order that reaches it into `motor.log`, past
the page cache's mercy: what stands there happened. `python deeds.py MUTANT` plants a defect first.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from homeguard.clock import HomeClocks, SystemClock
from homeguard.model import Command, Device, Effect, Home, Member, Principal, User
from homeguard.ports.log import EVENTS, HEARTBEATS
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.open import open_embedded
from pipeline.command.acts import Acts
from pipeline.command.execution import Execution
from pipeline.command.recovery import Recovery
from pipeline.command.service import CommandService
from pipeline.command.waiting import Reports
from pipeline.command.words import DeviceRequest
from pipeline.drivers.simulated import SimulatedDriver
from pipeline.handlers.live_state import KeepLiveState
from pipeline.handlers.subscribers import TellSubscribers
from pipeline.intake.intake import Intake
from pipeline.processor import Processor

OWNER: Final = Principal(home_id="h", user_id="h", role="owner", caller="person")
AGENT: Final = replace(OWNER, caller="agent", cause="turn/call")
AWAY: Final = Effect(
    kind="set_mode", parameters={"mode": "away"}, set={"mode": "away", "arm_state": "armed_away"},
    before={"mode": "home", "arm_state": "disarmed"},
)  # fmt: skip
HOME: Final = Effect(
    kind="set_mode", parameters={"mode": "home"}, set={"mode": "home", "arm_state": "disarmed"},
    before={"mode": "away", "arm_state": "armed_away"},
)  # fmt: skip

#: The steps of a command, in the order in which they come: (port, method).
STEPS: Final[dict[str, tuple[str, str]]] = {
    "judge": ("audit", "write"),
    "ask": ("confirmations", "ask"),
    "grant": ("confirmations", "decide"),
    "begin": ("journal", "begin"),
    "send": ("driver", "send"),
    "act": ("users", "set_mode"),
    "report": ("live", "apply"),
    "finish": ("journal", "finish"),
    "tell": ("feed", "publish"),
    "record": ("log", "append"),
    "settle": ("confirmations", "settle"),
}
#: Deed -> the steps that it has.
DEEDS: Final[dict[str, tuple[str, ...]]] = {
    "lock": ("judge", "begin", "send", "report", "finish", "tell", "record"),
    "unlock": ("judge", "ask", "grant", "send", "report", "finish", "tell", "record", "settle"),
    "arm": ("judge", "begin", "act", "finish", "tell", "record"),
    "disarm": ("judge", "ask", "grant", "act", "finish", "tell", "record", "settle"),
}


class Motor:
    """The door's motor: it does what it is told each time it is told, and its report comes through the log."""

    def __init__(self, inner: SimulatedDriver, path: Path) -> None:
        self._inner = inner
        self._path = path

    async def send(self, device: Device, command: Command) -> None:
        late_s = (datetime.now(UTC) - command.requested_at).total_seconds()
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(file, f"{command.id} {command.command} {late_s:.3f}\n".encode())
        os.close(file)
        await self._inner.send(device, command)


def deadly(target: Any, method: str, when: str, n: int) -> None:
    """Die before or after the n-th call of that method."""
    really: Callable[..., Awaitable[Any]] = getattr(target, method)
    calls = 0

    async def call(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == n and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        told = await really(*given, **named)
        if calls == n:
            os.kill(os.getpid(), signal.SIGKILL)
        return told

    setattr(target, method, call)


class Wrapped:
    """Ports have slots or none: a face before one whose methods can be replaced."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


async def furnished(stores: Stores) -> None:
    if await stores.users.home("h") is not None:
        return
    await stores.users.put_user(User(id="h", email="h@x.com", name="H", created_at=datetime.now(UTC)), "-")
    await stores.users.put_home(Home(id="h", name="Home"))
    await stores.users.put_member(Member(home_id="h", user_id="h", role="owner"))
    door = Device(
        home_id="h", id="door", name="Front door", type="lock", capabilities=("lock",), binding={"driver": "motor"}
    )
    await stores.devices.put([door])


async def life(order: dict[str, Any]) -> None:
    """Open the folder, settle what a crash left, do the deed, and close."""
    data, clock = Path(order["data"]), SystemClock()
    async with open_embedded(data, clock) as opened:
        await furnished(opened)
        named = {n: Wrapped(getattr(opened, n)) for n in ("audit", "confirmations", "journal", "users", "live", "feed")}
        stores = replace(opened, log=Wrapped(opened.log), **named)  # type: ignore[arg-type]
        clocks = HomeClocks(clock)
        intake = Intake(log=stores.log, devices=stores.devices, clock=clock, clocks=clocks)
        reports = Reports(feed=stores.feed, live=stores.live)
        motor = Wrapped(Motor(SimulatedDriver(intake, clock, clocks), data / "motor.log"))
        execution = Execution(
            drivers={"motor": motor}, journal=stores.journal, feed=stores.feed, intake=intake, reports=reports,
            clock=clock, confirm_timeout_s=3,
        )  # fmt: skip
        acts = Acts(
            users=stores.users, devices=stores.devices, live=stores.live, automations=stores.automations,
            feed=stores.feed, intake=intake, clock=clock,
        )  # fmt: skip
        commands = CommandService(
            users=stores.users, devices=stores.devices, live=stores.live, feed=stores.feed, journal=stores.journal,
            confirmations=stores.confirmations, audit=stores.audit, execution=execution, acts=acts.registry(),
            clock=clock,
        )  # fmt: skip
        recovery = Recovery(
            journal=stores.journal, confirmations=stores.confirmations, live=stores.live, execution=execution,
            acts=acts.registry(), is_done=acts.is_done, clock=clock,
        )  # fmt: skip
        handlers = [KeepLiveState(stores.live), TellSubscribers(stores.feed, clocks)]
        reflex = Processor(stores.log, "reflex", (EVENTS, HEARTBEATS), handlers, clock)
        left, stop, ready = await recovery.unfinished(), asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(reports.run(ready))
            looping = tasks.create_task(reflex.run(stop))
            await ready.wait()
            await reflex.caught_up()
            await recovery.settle(left)
            if order.get("deed"):
                if order.get("step"):
                    port, method = STEPS[order["step"]]
                    target = motor if port == "driver" else getattr(stores, port)
                    deadly(target, method, order["when"], order["n"])
                await DO[order["deed"]](commands, stores)
                await reflex.caught_up()
            stop.set()
            await looping
            watching.cancel()


async def lock(commands: CommandService, stores: Stores) -> None:
    await commands.perform(AGENT, [DeviceRequest(device_id="door", command="lock", command_id="deed")])


async def unlock(commands: CommandService, stores: Stores) -> None:
    [asked] = await commands.perform(AGENT, [DeviceRequest(device_id="door", command="unlock")])
    assert asked.confirmation is not None
    await commands.decide(OWNER, asked.confirmation.id, approve=True)


async def arm(commands: CommandService, stores: Stores) -> None:
    await commands.act(AGENT, AWAY)


async def disarm(commands: CommandService, stores: Stores) -> None:
    asked = await commands.act(AGENT, HOME)
    assert asked.confirmation is not None
    await commands.decide(OWNER, asked.confirmation.id, approve=True)


DO: Final = {"lock": lock, "unlock": unlock, "arm": arm, "disarm": disarm}


def sends_again() -> None:
    """What a crash left is sent once more, as one would do with an order that nobody confirmed."""
    really = Recovery._as_reported

    async def again(self: Recovery, command: Command) -> Any:
        device = Device(home_id="h", id="door", name="Front door", type="lock", capabilities=("lock",))
        await self._execution._drivers["motor"].send(device, command)
        return await really(self, command)

    Recovery._as_reported = again  # type: ignore[method-assign]


def grants_after_the_deed() -> None:
    """The grant is used up without the commands that it begins: what is carried out stands nowhere."""
    from homeguard.stores.sqlite.confirmations import SqliteConfirmations

    really = SqliteConfirmations.decide

    async def decide(self: SqliteConfirmations, *given: Any, **named: Any) -> Any:
        return await really(self, *given, **(named | {"commands": ()}))

    SqliteConfirmations.decide = decide  # type: ignore[method-assign]


def forgets_acts() -> None:
    """An act of the home that a crash cut off is neither carried out nor told."""

    async def nothing(self: Recovery, command: Command) -> tuple[str, str]:
        return "sent", "nobody knows"

    Recovery._act = nothing  # type: ignore[method-assign, assignment]


MUTANTS: Final = {f.__name__: f for f in (sends_again, grants_after_the_deed, forgets_acts)}


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
