"""Automations at work: the data plane and the one way to act, put together as one process does."""

import asyncio
from contextlib import asynccontextmanager

from pipeline_fakes import NOW

from homeguard.automation import parse
from homeguard.clock import HomeClocks
from homeguard.errors import DriverFailed
from pipeline.command.execution import Execution
from pipeline.command.service import CommandService
from pipeline.command.waiting import Reports
from pipeline.drivers.simulated import SimulatedDriver
from pipeline.handlers.automation_runs import RunAutomations, concerns
from pipeline.handlers.automations import DecideAutomations
from pipeline.handlers.events import StoreEvents
from pipeline.handlers.live_state import KeepLiveState
from pipeline.handlers.subscribers import TellSubscribers
from pipeline.intake.intake import Intake
from pipeline.processor import Processor
from pipeline.ringing import Ringing
from pipeline.schedule import Scheduler
from pipeline.topics import AUTOMATE, RECORD, REFLEX, TOPICS_OF

LIGHT_ON = {"type": "device_command", "device_id": "lamp", "command": "turn_on"}
UNLOCK = {"type": "device_command", "device_id": "front_door_lock", "command": "unlock"}
SAY = {"type": "notification", "message": "Somebody is in the hall"}


def rule(rule_id="a1", *, now=NOW, **changes):
    body = {
        "name": "Hall light",
        "trigger": {"type": "device_event", "device_id": "hall_motion", "event_type": "motion_detected"},
        "actions": [LIGHT_ON, SAY],
        **changes,
    }
    return parse(body, home_id="h1", automation_id=rule_id, created_by="u1", now=now)


class Dead:
    """A driver whose devices never answer: `asked` when one was told something, `released` ends the waiting."""

    def __init__(self) -> None:
        self.asked, self.released = asyncio.Event(), asyncio.Event()

    async def send(self, device, command) -> None:
        self.asked.set()
        await self.released.wait()
        raise DriverFailed("it does not answer")


class System:
    """`sent`: the devices that were told something, in order. `before_mend`: see the handlers."""

    def __init__(self, stores, clock, standing=None, before_mend=None) -> None:
        self.stores, self.clock, self.clocks = stores, clock, HomeClocks(clock)
        s = stores
        self.intake = Intake(log=s.log, devices=s.devices, clock=clock, clocks=self.clocks)
        self.reports = Reports(feed=s.feed, live=s.live)
        self.dead = Dead()
        self.sent = []
        simulated = SimulatedDriver(
            self.intake, clock, self.clocks, on_command=lambda device, command: self.sent.append(command)
        )
        drivers = {"simulated": simulated, "dead": self.dead}
        execution = Execution(
            drivers=drivers, journal=s.journal, feed=s.feed,
            intake=self.intake, reports=self.reports, clock=clock, confirm_timeout_s=5.0,
        )  # fmt: skip
        self.commands = CommandService(
            users=s.users, devices=s.devices, live=s.live, feed=s.feed, journal=s.journal,
            confirmations=s.confirmations, audit=s.audit, execution=execution, acts={}, clock=clock,
        )  # fmt: skip
        decide = DecideAutomations(
            automations=s.automations, live=s.live, users=s.users, intake=self.intake, clock=clock, clocks=self.clocks,
            before_mend=before_mend,
        )  # fmt: skip
        run = RunAutomations(
            automations=s.automations, commands=self.commands, outbox=s.outbox, users=s.users, feed=s.feed,
            intake=self.intake, clock=clock, clocks=self.clocks, standing=standing, before_mend=before_mend,
            schedules=s.schedules,
        )  # fmt: skip
        self.scheduler = self.scheduler_of("here", before_mend=before_mend)
        handlers = {
            REFLEX: [KeepLiveState(s.live), TellSubscribers(s.feed, self.clocks), decide],
            AUTOMATE: [run],
            RECORD: [StoreEvents(s.events)],
        }
        options = {REFLEX: {"flush": s.live.flush}, AUTOMATE: {"apart": concerns}, RECORD: {}}
        self.processors = {g: Processor(s.log, g, TOPICS_OF[g], h, clock, **options[g]) for g, h in handlers.items()}

    def scheduler_of(self, by, *, is_shared=False, changed=None, deliver=None, before_mend=None):
        """As one process has it."""
        s = self.stores
        return Scheduler(
            schedules=s.schedules, automations=s.automations, live=s.live, users=s.users, intake=self.intake,
            ringing=Ringing(outbox=s.outbox, clock=self.clock, clocks=self.clocks, deliver=deliver),
            clock=self.clock, clocks=self.clocks, by=by, is_shared=is_shared, changed=changed,
            before_mend=before_mend,
        )  # fmt: skip

    async def settle(self) -> None:
        """What was appended is decided, what was decided is carried out, what came of it is stored."""
        for group in (REFLEX, AUTOMATE, REFLEX, RECORD):
            async with asyncio.timeout(20):
                await self.processors[group].caught_up()

    async def events(self, event_type):
        page = await self.stores.events.query("h1", event_types=[event_type])
        return list(reversed(page.items))


@asynccontextmanager
async def running(stores, clock, standing=None, before_mend=None):
    system, stop, ready = System(stores, clock, standing, before_mend), asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(system.reports.run(ready))
        await ready.wait()
        for processor in system.processors.values():
            group.create_task(processor.run(stop))
        try:
            yield system
        finally:
            stop.set()
            watch.cancel()
