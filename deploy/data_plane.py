"""The data plane of one process: intake, the consumer groups, the link to a broker, and the one way to act."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from deploy.roles import ROLES, Role
from homeguard import automation as rules
from homeguard.clock import Clock, HomeClocks
from homeguard.errors import HomeGuardError, StartRefused, StoreUnavailable
from homeguard.ids import new_id
from homeguard.model import Automation
from homeguard.ports.log import Log
from homeguard.ports.readings import ReadingStore
from homeguard.ports.stores import Stores
from homeguard.runtime import Opened
from homeguard.settings import Settings
from pipeline.command.acts import Acts
from pipeline.command.execution import Execution
from pipeline.command.service import EXPIRE_EVERY, CommandService
from pipeline.command.waiting import Reports
from pipeline.dead_letters import DeadLetters
from pipeline.delivery import Delivery
from pipeline.detectors.bank import SeriesBank
from pipeline.drivers.mqtt import MqttDriver
from pipeline.drivers.protocol import Driver
from pipeline.drivers.simulated import SimulatedDriver
from pipeline.handlers.alerts import RaiseAlerts
from pipeline.handlers.automation_runs import RunAutomations
from pipeline.handlers.automations import DecideAutomations
from pipeline.handlers.events import StoreEvents
from pipeline.handlers.live_state import KeepLiveState
from pipeline.handlers.notices import TellBatteryLow
from pipeline.handlers.readings import StoreReadings
from pipeline.handlers.scoring import StoreAnomalies
from pipeline.handlers.subscribers import TellSubscribers
from pipeline.intake.intake import Intake
from pipeline.mqtt.link import MqttLink
from pipeline.processor import Decoder, Handler, Processor
from pipeline.shipper import SHIP, FrontLog, Shipper
from pipeline.simulator.simulator import Simulator
from pipeline.topics import AUTOMATE, RECORD, REFLEX, TOPICS_OF

log = logging.getLogger("homeguard")

DRAIN_S: Final = 5.0
#: The log keeps what every group has read for this long.
LOG_RETENTION: Final = timedelta(days=7)
#: In a split installation a rule's standing permissions count while its copy is not older than this.
STANDING_AGE: Final = timedelta(minutes=2)
#: No process can still be carrying out a command that is this old.
_SURELY_OVER: Final = timedelta(seconds=60)
#: Every so many turns of the upkeep, what a process that died was carrying out is settled by another one.
_SETTLE_TURNS: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlane:
    """What of the data plane the rooms above it use. `simulator` is None when devices do nothing by themselves."""

    intake: Intake
    commands: CommandService
    processors: Mapping[str, Processor]
    #: Group -> the log that it reads, wherever it runs.
    logs: Mapping[str, Log]
    dead_letters: DeadLetters
    shipper: Shipper | None
    link: MqttLink | None
    simulator: Simulator | None
    engines: Callable[[], Mapping[str, Mapping[str, Any]]]

    async def caught_up(self) -> None:
        """Returns when every group has done all that was appended before; what another process does is not waited
        for."""
        for name in (REFLEX, AUTOMATE, REFLEX):
            if name in self.processors:
                await self.processors[name].caught_up()
        if self.shipper is not None:
            await self.shipper.caught_up()
        for processor in self.processors.values():
            await processor.caught_up()

    def health(self) -> Mapping[str, Mapping[str, Any]]:
        """Concern -> `{"ok", "engine", ...}` for `/ready`. An engine that is away is told with `"tolerated": True`:
        HomeGuard goes on without it."""
        told: dict[str, Mapping[str, Any]] = dict(self.engines())
        if self.shipper is not None:
            told["spool"] = {
                "ok": not self.shipper.reason, "tolerated": True, "waiting_bytes": self.shipper.front.waiting_bytes,
                "reason": self.shipper.reason, "engine": "embedded",
            }  # fmt: skip
        for name, processor in self.processors.items():
            told[name] = {"ok": True, "processed": processor.processed, "dead_letters": processor.poisoned}
        if self.link is not None:
            # a broker that is away is waited for; the rest of HomeGuard is ready without it
            told["mqtt"] = {"ok": True, "connected": self.link.is_connected}
        return told


@asynccontextmanager
async def open_data_plane(
    settings: Settings,
    opened: Opened,
    clock: Clock,
    clocks: HomeClocks,
    tasks: asyncio.TaskGroup,
    *,
    role: Role = ROLES["all"],
    doors_move_in: Collection[str] = (),
    first_home: str = "",
) -> AsyncIterator[DataPlane]:
    """Everything flowing; at the end new work stops first, then what was taken is processed.

    With a stream (Kafka) beside the local log, every record is written to the local log first and shipped from there.
    One process then keeps its reflexes on the local log, so that they wait for nothing remote, and records from the
    stream; in a split installation the processors read everything from the stream.
    """
    stores, shipper, front = opened.near, None, opened.stores.log
    if opened.stream is not None:
        held_back = FrontLog(opened.stores.log, settings.spool_mb << 20)
        held_back.found_waiting(await held_back.lag(SHIP))
        elsewhere = (RECORD,) if not role.is_split else (REFLEX, RECORD, AUTOMATE)
        shipper, front = Shipper(held_back, opened.stream, clock, elsewhere=elsewhere), held_back
    logs = {
        name: opened.stream if opened.stream is not None and (role.is_split or name == RECORD) else front
        for name in (REFLEX, RECORD, AUTOMATE)
    }
    intake = Intake(log=front, devices=stores.devices, clock=clock, clocks=clocks)
    reports = Reports(feed=stores.feed, live=stores.live)
    link = await _link(settings, stores, intake, first_home, role)
    simulator = None
    if settings.simulator and role.runs_groups and not role.is_split:
        simulator = Simulator(
            intake,
            stores.devices,
            clock,
            clocks,
            homes=await stores.users.homes(),
            rate=settings.simulator_rate,
            users=stores.users,
            live=stores.live,
            doors_move_in=doors_move_in,
        )
    drivers: dict[str, Driver] = {
        "simulated": SimulatedDriver(
            intake, clock, clocks, on_command=simulator.note_command if simulator is not None else None
        )
    }
    if link is not None:
        drivers["mqtt"] = MqttDriver(link)
    acts = Acts(
        users=stores.users, devices=stores.devices, live=stores.live, automations=stores.automations,
        feed=stores.feed, intake=intake, clock=clock,
    )  # fmt: skip
    commands = CommandService(
        users=stores.users,
        devices=stores.devices,
        live=stores.live,
        feed=stores.feed,
        journal=stores.journal,
        confirmations=stores.confirmations,
        audit=stores.audit,
        execution=Execution(
            drivers=drivers, journal=stores.journal, feed=stores.feed, intake=intake, reports=reports, clock=clock,
            confirm_timeout_s=settings.confirm_timeout_s,
        ),
        acts=acts.registry(),
        clock=clock,
    )  # fmt: skip
    # in a split installation another process may just be carrying out what looks unfinished
    left = await commands.unfinished(at_least_old=_SURELY_OVER if role.is_split else timedelta())
    fast = SeriesBank() if settings.enable_anomaly_detection else None
    slow = SeriesBank()
    homes = [home.id for home in await stores.users.homes()]

    async def is_recorded(home_id: str, event_id: str) -> bool:
        try:
            return await stores.events.get(home_id, event_id) is not None
        except StoreUnavailable:
            return False  # told again: it is stored once by its id

    def is_current(concern: str) -> bool:
        return may_rely_on(role, opened.in_step_at(concern), clock.now())

    processors: Mapping[str, Processor] = {}
    if role.runs_groups:
        for bank in (fast, slow):
            if bank is not None:
                await _warm(bank, stores.readings, homes, clock)
        processors = _processors(stores, logs, intake, commands, clock, clocks, fast, slow, settings, is_current)

    ready, stop_sources, stop_loops = asyncio.Event(), asyncio.Event(), asyncio.Event()
    watcher = tasks.create_task(reports.run(ready), name="device reports")
    await ready.wait()
    loops = [tasks.create_task(p.run(stop_loops), name=f"group {n}") for n, p in processors.items()]
    shipping = tasks.create_task(shipper.run(stop_loops), name="shipper") if shipper is not None else None
    if left and REFLEX in processors:
        # what the devices reported before the crash says what became of these
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await processors[REFLEX].caught_up()
    if left:
        await commands.settle(left)
    for home_id in homes:
        await commands.record_missing(home_id, is_recorded)
    sources = []
    if link is not None:
        sources.append(tasks.create_task(link.run(stop_sources), name="mqtt"))
    if simulator is not None:
        sources.append(tasks.create_task(simulator.run(stop_sources), name="simulator"))
    delivery = Delivery(outbox=stores.outbox, feed=stores.feed, clock=clock)
    upkeep = tasks.create_task(_upkeep(stores, intake, commands, delivery, front, clock, role), name="upkeep")
    plane = DataPlane(
        intake=intake, commands=commands, processors=processors, logs=logs,
        dead_letters=DeadLetters(opened.stream if opened.stream is not None else front, front),
        shipper=shipper, link=link, simulator=simulator, engines=opened.health,
    )  # fmt: skip
    try:
        yield plane
    finally:
        stop_sources.set()
        upkeep.cancel()
        if sources:
            await asyncio.wait(sources, timeout=DRAIN_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await plane.caught_up()
        stop_loops.set()
        last = [*loops, shipping] if shipping is not None else loops
        if last:
            await asyncio.wait(last, timeout=DRAIN_S)
        for task in (watcher, *sources, *last):
            task.cancel()


def _processors(
    stores: Stores,
    logs: Mapping[str, Log],
    intake: Intake,
    commands: CommandService,
    clock: Clock,
    clocks: HomeClocks,
    fast: SeriesBank | None,
    slow: SeriesBank,
    settings: Settings,
    is_current: Callable[[str], bool],
) -> Mapping[str, Processor]:
    """`reflex` and `record`; what an automation decided runs in a group of its own, because it waits for devices."""

    async def standing(automation: Automation) -> frozenset[str]:
        if not is_current("automations"):
            return frozenset()
        is_as_approved = automation.version == rules.version_hash(automation)
        return frozenset(automation.approved) if is_as_approved else frozenset()

    reflex: list[Handler] = [
        KeepLiveState(stores.live),
        TellSubscribers(stores.feed, clocks),
        RaiseAlerts(
            alerts=stores.alerts, outbox=stores.outbox, users=stores.users, devices=stores.devices, feed=stores.feed,
            intake=intake, clock=clock, clocks=clocks, bank=fast,
        ),
        TellBatteryLow(
            outbox=stores.outbox, users=stores.users, devices=stores.devices, feed=stores.feed, clocks=clocks
        ),
        DecideAutomations(
            automations=stores.automations, live=stores.live, users=stores.users, intake=intake, clock=clock,
            clocks=clocks,
        ),
    ]  # fmt: skip
    record: list[Handler] = [StoreEvents(stores.events), StoreReadings(stores.readings)]
    if settings.enable_anomaly_detection:
        record.append(StoreAnomalies(stores.anomalies, slow))
    automate = RunAutomations(
        automations=stores.automations, commands=commands, outbox=stores.outbox, users=stores.users, feed=stores.feed,
        intake=intake, clock=clock, clocks=clocks, standing=standing,
    )  # fmt: skip
    groups: dict[str, list[Handler]] = {REFLEX: reflex, RECORD: record, AUTOMATE: [automate]}
    decoder = Decoder()
    # offsets of two logs are not comparable, so a decoder is shared by the groups of one
    return {
        name: Processor(
            logs[name],
            name,
            TOPICS_OF[name],
            handlers,
            clock,
            decoder if logs[name] is logs[REFLEX] else Decoder(),
            together=name == RECORD,
        )
        for name, handlers in groups.items()
    }


def may_rely_on(role: Role, in_step_at: datetime | None, now: datetime) -> bool:
    """Does a permission count that stands in this folder's copy? Another process may have taken it back since it was
    last in step with its engine; the only process knows what it did itself."""
    return not role.is_split or (in_step_at is not None and now - in_step_at <= STANDING_AGE)


async def _warm(bank: SeriesBank, readings: ReadingStore, homes: Sequence[str], clock: Clock) -> None:
    """What is ordinary here, from the past; without the store of readings it is learned anew."""
    try:
        await bank.warm(readings, homes, clock.now())
    except StoreUnavailable as error:
        log.warning("the detectors start without a past: %s", error.message)


async def _link(settings: Settings, stores: Stores, intake: Intake, first_home: str, role: Role) -> MqttLink | None:
    """Every role may send to devices; only the one that takes events hears them."""
    if not settings.mqtt_url:
        return None
    homes = await stores.users.homes()
    wanted = settings.mqtt_home or first_home
    home = next((h for h in homes if wanted in (h.id, h.name) or not wanted), None)
    if home is None and wanted:
        raise StartRefused(f"MQTT_HOME={wanted!r} is no home here")
    if home is None:
        log.warning("MQTT_URL is set, but there is no home yet: start again when there is one")
        return None
    return MqttLink(
        settings.mqtt_url, home.id, intake, stores.devices, live=stores.live,
        session_file=settings.data_dir / "mqtt-session", listens=role.takes_events,
        sender=f"{role.name}-{new_id()[-8:]}",
    )  # fmt: skip


async def _upkeep(
    stores: Stores, intake: Intake, commands: CommandService, delivery: Delivery, front: Log, clock: Clock, role: Role
) -> None:
    """Questions that lapse, messages that wait, old segments of the log, what other processes deleted or left behind;
    each for itself, and what fails is tried again."""

    async def forget_devices() -> None:
        for home in await stores.users.homes():
            intake.forget_devices(home.id)

    async def settle() -> None:
        await commands.settle(await commands.unfinished(at_least_old=_SURELY_OVER))

    async def trim() -> None:
        await front.trim(clock.now() - LOG_RETENTION)

    turns = 0
    while True:
        await clock.sleep(EXPIRE_EVERY.total_seconds())
        turns += 1
        jobs: list[Callable[[], Awaitable[object]]] = []
        if role.runs_groups:
            jobs.append(delivery.deliver)
        if role.serves_people:
            jobs.append(commands.expire_open)
        if role.is_split:
            jobs.append(forget_devices)
        if role.is_split and role.runs_groups and turns % _SETTLE_TURNS == 0:
            jobs.append(settle)
        if turns % 1800 == 1:
            jobs.append(trim)
        for job in jobs:
            try:
                await job()
            except HomeGuardError as error:
                log.warning("upkeep: %s", error.message)
            except Exception:  # whatever it is, alarms go on
                log.exception("upkeep: %s", job.__name__)
