"""The data plane of one process: intake, the consumer groups, the link to a broker, and the one way to act."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from agent.graph.assent import assent
from deploy.roles import ROLES, Role
from homeguard import automation as rules
from homeguard.chain import leaves_before
from homeguard.clock import Clock, HomeClocks, OnwardClock
from homeguard.errors import HomeGuardError, StartRefused, StoreUnavailable
from homeguard.identity.passwords import Passwords
from homeguard.ids import new_id
from homeguard.model import Automation, Lane
from homeguard.ports.log import Log
from homeguard.ports.readings import ReadingStore
from homeguard.ports.stores import Stores
from homeguard.runtime import Opened, instance_of
from homeguard.settings import Settings
from memory.remember import Memories
from pipeline.canary import STAGES, Canary, WarnOwners
from pipeline.command.acts import Acts
from pipeline.command.execution import Execution
from pipeline.command.lists import ListActs
from pipeline.command.pin import HomePin
from pipeline.command.recovery import Recovery
from pipeline.command.service import EXPIRE_EVERY, CommandService
from pipeline.command.standing import Standing
from pipeline.command.timers import Timers
from pipeline.command.waiting import Reports
from pipeline.dead_letters import DeadLetters
from pipeline.delivery import Delivery
from pipeline.detectors.bank import SeriesBank
from pipeline.drivers.mqtt import MqttDriver
from pipeline.drivers.protocol import Driver
from pipeline.drivers.simulated import SimulatedDriver
from pipeline.handlers.alerts import RaiseAlerts
from pipeline.handlers.automation_runs import RunAutomations, concerns
from pipeline.handlers.automations import DecideAutomations
from pipeline.handlers.before_mend import BeforeMend
from pipeline.handlers.canary import PassCanary
from pipeline.handlers.events import StoreEvents
from pipeline.handlers.hearing import HearDevices
from pipeline.handlers.live_state import KeepLiveState
from pipeline.handlers.notices import TellBatteryLow
from pipeline.handlers.readings import StoreReadings
from pipeline.handlers.scoring import StoreAnomalies
from pipeline.handlers.subscribers import TellSubscribers
from pipeline.intake.admission import Admission, Backlog, limits_of
from pipeline.intake.intake import Intake
from pipeline.intake.lanes import HomeLanes
from pipeline.mqtt.link import MqttLink
from pipeline.planning import Planning
from pipeline.processor import Decoder, Handler, Processor
from pipeline.ringing import Ringing
from pipeline.schedule import Scheduler
from pipeline.shipper import SHIP, FrontLog, Shipper
from pipeline.silence import Ears, Silence
from pipeline.simulator.simulator import Simulator
from pipeline.topics import AUTOMATE, RECORD, REFLEX, SAFETY, TOPICS_OF, is_ordinary, is_urgent

log = logging.getLogger("homeguard")

DRAIN_S: Final = 5.0
#: Under a light load the events of so long are stored together; nobody waits for that.
RECORD_GATHERS_S: Final = 0.04
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
    pin: HomePin
    processors: Mapping[str, Processor]
    #: Group -> the log that it reads, wherever it runs.
    logs: Mapping[str, Log]
    dead_letters: DeadLetters
    shipper: Shipper | None
    link: MqttLink | None
    simulator: Simulator | None
    canary: Canary
    engines: Callable[[], Mapping[str, Mapping[str, Any]]]
    #: Told the home whose rules, zone or place changed: when its rules run is worked out anew.
    planned: Callable[[str], Awaitable[None]]

    async def caught_up(self) -> None:
        """Returns when every group has done all that was appended before; what another process does is not waited
        for."""
        for name in (SAFETY, REFLEX, AUTOMATE, SAFETY, REFLEX):
            if name in self.processors:
                await self.processors[name].caught_up()
        if self.shipper is not None:
            await self.shipper.caught_up()
        for processor in self.processors.values():
            await processor.caught_up()

    def close_home(self, home_id: str) -> None:
        """It is being erased: nothing is taken in for it any more, whoever sends it."""
        self.intake.close_home(home_id)

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
        if self.processors:
            told["canary"] = self.canary.health()
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
    tell_shed: Callable[[Lane, int], None] | None = None,
    drivers: Mapping[str, Driver] | None = None,
) -> AsyncIterator[DataPlane]:
    """Everything flowing; at the end new work stops first, then what was taken is processed.

    With a stream (Kafka) beside the local log, every record is written to the local log first and shipped from there.
    One process then keeps its reflexes on the local log, so that they wait for nothing remote, and records from the
    stream; in a split installation the processors read everything from the stream. `tell_shed` hears how many events of
    a lane were refused because too much waits.
    """
    stores, shipper, front = opened.near, None, opened.stores.log
    if opened.stream is not None:
        held_back = FrontLog(opened.stores.log, settings.spool_mb << 20)
        held_back.found_waiting(await held_back.lag(SHIP))
        elsewhere = (RECORD,) if not role.is_split else (SAFETY, REFLEX, RECORD, AUTOMATE)
        shipper, front = Shipper(held_back, opened.stream, clock, elsewhere=elsewhere), held_back
    logs = {
        name: opened.stream if opened.stream is not None and (role.is_split or name == RECORD) else front
        for name in (SAFETY, REFLEX, RECORD, AUTOMATE)
    }
    # what waits for the stream is bounded by the spool; only groups that read this folder's log show how busy it is
    near_groups = [name for name in (REFLEX, RECORD) if role.runs_groups and logs[name] is front]
    admission = None
    if isinstance(opened.stores.log, Backlog):
        admission = Admission(opened.stores.log, clock, limits_of(near_groups, slow=(RECORD,)), tell=tell_shed)
    lanes = HomeLanes(stores.users.home, clock)
    intake = Intake(log=front, devices=stores.devices, clock=clock, clocks=clocks, lanes=lanes, admission=admission)
    reports = Reports(feed=stores.feed, live=stores.live)
    link = await _link(settings, stores, intake, first_home, role, admission, lanes)
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
    known: dict[str, Driver] = {
        **(drivers or {}),
        "simulated": SimulatedDriver(
            intake, clock, clocks, on_command=simulator.note_command if simulator is not None else None
        ),
    }
    if link is not None:
        known["mqtt"] = MqttDriver(link)
    planning = Planning(schedules=stores.schedules, automations=stores.automations, clock=clock)
    woken = asyncio.Event()

    async def planned(home_id: str) -> None:
        home = await stores.users.home(home_id)
        if home is not None:
            await planning.plan(home)
        woken.set()

    acts = Acts(
        users=stores.users, devices=stores.devices, live=stores.live, automations=stores.automations,
        feed=stores.feed, intake=intake, clock=clock, permissions=stores.permissions, clocks=clocks, planned=planned,
    )  # fmt: skip
    timers = Timers(schedules=stores.schedules, clock=clock, clocks=clocks, wake=woken.set)
    lists = ListActs(lists=stores.lists, clock=clock)
    # a question that was over stays over, and what is too old to be sent stays so
    onward = OnwardClock(clock)
    # one thread of its own: a storm of sign-ins does not keep a person from the door
    pin = HomePin(
        pins=stores.pins, passwords=Passwords(threads=1, waiting=16), audit=stores.audit, clock=onward
    )  # fmt: skip
    memories = Memories(stores.memory, clock, stores.conversations, is_yes=lambda words: assent(words) == "yes")
    execution = Execution(
        drivers=known, journal=stores.journal, feed=stores.feed, intake=intake, reports=reports, clock=onward,
        confirm_timeout_s=settings.confirm_timeout_s,
    )  # fmt: skip
    kinds = {**acts.registry(), **memories.registry(), **timers.registry(), **lists.registry()}
    commands = CommandService(
        users=stores.users,
        devices=stores.devices,
        live=stores.live,
        feed=stores.feed,
        journal=stores.journal,
        confirmations=stores.confirmations,
        audit=stores.audit,
        execution=execution,
        acts=kinds,
        clock=onward,
        pin=pin,
        standing=Standing(stores.permissions),
    )
    recovery = Recovery(
        journal=stores.journal, confirmations=stores.confirmations, live=stores.live, execution=execution, acts=kinds,
        is_done=acts.is_done, clock=onward,
    )  # fmt: skip
    # in a split installation another process may just be carrying out what looks unfinished
    left = await recovery.unfinished(at_least_old=_SURELY_OVER if role.is_split else timedelta())
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
    ears = Ears(clock)
    before_mend = BeforeMend(
        logs[REFLEX], opened.folder.mended_at, opened.folder.decided if logs[REFLEX] is front else {}
    )
    if role.runs_groups:
        await _warm(slow, stores.readings, homes, clock)
        if fast is not None:
            fast.take_over(slow)
        processors = _processors(
            stores, logs, intake, commands, clock, clocks, fast, slow, settings, is_current, ears,
            before_mend, woken.set,
        )  # fmt: skip

    ready, stop_sources, stop_loops = asyncio.Event(), asyncio.Event(), asyncio.Event()
    watcher = tasks.create_task(reports.run(ready), name="device reports")
    await ready.wait()
    loops = [tasks.create_task(p.run(stop_loops), name=f"group {n}") for n, p in processors.items()]
    shipping = tasks.create_task(shipper.run(stop_loops), name="shipper") if shipper is not None else None
    if left and REFLEX in processors:
        # what the devices reported before the crash says what became of these
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                for name in (SAFETY, REFLEX):
                    await processors[name].caught_up()
    if left:
        await recovery.settle(left)
    for home_id in homes:
        await recovery.record_missing(home_id, is_recorded)
    sources = []
    if link is not None:
        sources.append(tasks.create_task(link.run(stop_sources), name="mqtt"))
    if simulator is not None:
        sources.append(tasks.create_task(simulator.run(stop_sources), name="simulator"))
    delivery = Delivery(outbox=stores.outbox, feed=stores.feed, clock=clock, submit=intake.submit)
    upkeep = tasks.create_task(_upkeep(stores, intake, commands, recovery, delivery, front, clock, role), name="upkeep")
    canary = Canary(
        intake=intake, feed=stores.feed, clock=clock, every_s=settings.canary_s if processors else 0.0,
        processed=lambda: {name: processor.processed for name, processor in processors.items()},
        excused=lambda: _held_up(opened.health(), role, shipper), warn=WarnOwners(stores.users, stores.outbox, clock),
    )  # fmt: skip
    watches = [tasks.create_task(canary.run(), name="canary")]
    if processors:
        silence = Silence(
            ears=ears, intake=intake, live=stores.live, devices=stores.devices, users=stores.users,
            outbox=stores.outbox, clock=clock, clocks=clocks,
        )  # fmt: skip
        watches.append(tasks.create_task(silence.run(), name="silence"))
        scheduler = Scheduler(
            schedules=stores.schedules, automations=stores.automations, live=stores.live, users=stores.users,
            intake=intake, clock=clock, clocks=clocks, changed=woken,
            ringing=Ringing(outbox=stores.outbox, clock=clock, clocks=clocks, deliver=delivery.deliver),
            by=instance_of(settings.data_dir) if role.is_split else "here", is_shared=role.is_split,
            before_mend=before_mend,
        )  # fmt: skip
        watches.append(tasks.create_task(scheduler.run(), name="schedules"))
    plane = DataPlane(
        intake=intake, commands=commands, pin=pin, processors=processors, logs=logs,
        dead_letters=DeadLetters(opened.stream if opened.stream is not None else front, front),
        shipper=shipper, link=link, simulator=simulator, canary=canary, engines=opened.health, planned=planned,
    )  # fmt: skip
    try:
        yield plane
    finally:
        stop_sources.set()
        for task in (upkeep, *watches):
            task.cancel()
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
        pin.close()


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
    ears: Ears,
    before_mend: BeforeMend,
    wake: Callable[[], None],
) -> Mapping[str, Processor]:
    """`safety` and `reflex`, which do the same, each in its lane, and `record`; what an automation decided runs in a
    group of its own, because it waits for devices."""

    async def standing(automation: Automation) -> frozenset[str]:
        if not is_current("automations"):
            return frozenset()
        is_as_approved = automation.version == rules.version_hash(automation)
        return frozenset(automation.approved) if is_as_approved else frozenset()

    reflex: list[Handler] = [
        HearDevices(ears),
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
            clocks=clocks, before_mend=before_mend,
        ),
    ]  # fmt: skip
    record: list[Handler] = [StoreEvents(stores.events), StoreReadings(stores.readings)]
    if settings.enable_anomaly_detection:
        record.append(StoreAnomalies(stores.anomalies, slow, intake.submit))
    automate = RunAutomations(
        automations=stores.automations, commands=commands, outbox=stores.outbox, users=stores.users, feed=stores.feed,
        intake=intake, clock=clock, clocks=clocks, standing=standing, before_mend=before_mend,
        journal=stores.journal, schedules=stores.schedules, wake=wake,
    )  # fmt: skip
    groups: dict[str, list[Handler]] = {SAFETY: reflex, REFLEX: reflex, RECORD: record, AUTOMATE: [automate]}
    takes = {SAFETY: is_urgent, REFLEX: is_ordinary}
    last: dict[str, Handler] = {
        name: PassCanary(stores.feed, name, has_lane=name in takes) for name in (SAFETY, REFLEX, RECORD)
    }
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
            last=last.get(name),
            takes=takes.get(name),
            flush=stores.live.flush if name in takes else None,
            apart=concerns if name == AUTOMATE else None,
            gather_s=RECORD_GATHERS_S if name == RECORD else 0.0,
        )
        for name, handlers in groups.items()
    }


def _held_up(engines: Mapping[str, Mapping[str, Any]], role: Role, shipper: Shipper | None) -> Collection[str]:
    """What waits while an engine is away: the records; in a split installation the reflexes read a stream too."""
    if all(engine.get("ok") for engine in engines.values()) and not (shipper is not None and shipper.reason):
        return ()
    return STAGES if role.is_split else (RECORD,)


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


async def _link(
    settings: Settings,
    stores: Stores,
    intake: Intake,
    first_home: str,
    role: Role,
    admission: Admission | None,
    lanes: HomeLanes,
) -> MqttLink | None:
    """Every role may send to devices; only the one that takes events hears them."""
    if not settings.mqtt_url:
        return None
    homes = await stores.users.homes()
    wanted = settings.mqtt_home or first_home
    home = next((h for h in homes if wanted in (h.id, h.name) or not wanted), None)
    if home is None and settings.mqtt_home:
        raise StartRefused(f"MQTT_HOME={wanted!r} is no home here")
    if home is None:
        log.warning("MQTT_URL is set, but there is no home for it: set MQTT_HOME, or start again when there is one")
        return None
    return MqttLink(
        settings.mqtt_url, home.id, intake, stores.devices, live=stores.live,
        session_file=settings.data_dir / "mqtt-session", listens=role.takes_events,
        sender=f"{role.name}-{new_id()[-8:]}", admission=admission, lanes=lanes,
    )  # fmt: skip


async def _upkeep(
    stores: Stores,
    intake: Intake,
    commands: CommandService,
    recovery: Recovery,
    delivery: Delivery,
    front: Log,
    clock: Clock,
    role: Role,
) -> None:
    """Questions that lapse, messages that wait, old segments of the log, what other processes deleted or left behind;
    each for itself, and what fails is tried again."""

    async def forget_devices() -> None:
        for home in await stores.users.homes():
            intake.forget_devices(home.id)

    async def settle() -> None:
        await recovery.settle(await recovery.unfinished(at_least_old=_SURELY_OVER))

    async def trim() -> None:
        await front.trim(clock.now() - LOG_RETENTION)

    async def trim_audit() -> None:
        now = clock.now()
        await stores.audit.trim(leaves_before(now), at=now)

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
            if role.runs_groups:
                jobs.append(trim_audit)
        for job in jobs:
            try:
                await job()
            except HomeGuardError as error:
                log.warning("upkeep: %s", error.message)
            except Exception:  # whatever it is, alarms go on
                log.exception("upkeep: %s", job.__name__)
