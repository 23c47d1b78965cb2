"""Tells a scenario in a home: sets the stage, injects its events through the intake in their time, clears up."""

import asyncio
import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, cast, get_args

from homeguard.clock import Clock, HomeClocks
from homeguard.errors import Conflict, HomeGuardError, InvalidInput, NotFound
from homeguard.ids import derived_id, new_id
from homeguard.model import ArmState, Device, Event, Home, HomeMode, Json, Metadata
from homeguard.ports.devices import DeviceStore
from homeguard.ports.live_state import LiveStateStore, StateChange
from homeguard.ports.users import UserStore
from homeguard.vocabulary import EVENT_TYPES
from pipeline.intake.intake import Intake
from scenarios.homes import read_device, read_initial
from scenarios.schema import Beat, Scenario, load_scenario, starts_at

_log = logging.getLogger(__name__)

#: What the handlers get to see the stage after the last event of a story that was told faster than it lasts.
_SETTLE_S: Final = 2.0


class ScenarioRun:
    """One telling. `state` is `running`, `finished`, `stopped` or `failed`; `injected` are the ids, in order."""

    def __init__(self, scenario: Scenario, home: Home, *, speed: float, keep: bool, clock: Clock) -> None:
        self.id = new_id()
        self.scenario = scenario
        self.home_id = home.id
        self.state: Literal["running", "finished", "stopped", "failed"] = "running"
        self.injected: list[str] = []
        self.started_at = clock.now()
        self.home = home
        self.speed = speed
        self.keep = keep
        self.virtual: list[Device] = []
        self.is_shifted = False
        self.is_clean = False
        self.stopping = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._clock = clock
        self._began = clock.monotonic()
        self._elapsed: timedelta | None = None

    @property
    def elapsed(self) -> timedelta:
        """Scenario time since the start, at most the duration."""
        if self._elapsed is not None:
            return self._elapsed
        if math.isinf(self.speed):
            return self.scenario.duration
        told = timedelta(seconds=(self._clock.monotonic() - self._began) * self.speed)
        return min(told, self.scenario.duration)

    @property
    def status(self) -> str:
        """`break_in (T+5s of 30s)`."""
        done, whole = (f"{span.total_seconds():.0f}s" for span in (self.elapsed, self.scenario.duration))
        ended = "" if self.state == "running" else f", {self.state}"
        return f"{self.scenario.name} (T+{done} of {whole}{ended})"

    def end(self, state: Literal["finished", "stopped", "failed"]) -> None:
        self._elapsed = self.elapsed
        self.state = state

    async def finished(self) -> None:
        """Returns when the telling is over and, unless it was to be kept, the stage cleared."""
        if self.task is not None:
            await asyncio.wait([self.task])

    async def until(self, at: timedelta) -> bool:
        """Wait for that moment of the story; False when it was stopped first."""
        if not math.isinf(self.speed):
            delay = self._began + at.total_seconds() / self.speed - self._clock.monotonic()
            if delay > 0:
                await self.pause(delay)
        return not self.stopping.is_set()

    async def pause(self, delay_s: float) -> None:
        """That long, or until it is stopped."""
        sleeping = asyncio.ensure_future(self._clock.sleep(delay_s))
        stopping = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiting in (sleeping, stopping):
                waiting.cancel()
            await asyncio.gather(sleeping, stopping, return_exceptions=True)


class ScenarioEngine:
    """At most one story a home. `close` stops them all; `recover` clears what a crash left on a stage."""

    def __init__(
        self,
        intake: Intake,
        devices: DeviceStore,
        users: UserStore,
        live: LiveStateStore,
        clocks: HomeClocks,
        clock: Clock,
    ) -> None:
        self._intake = intake
        self._devices = devices
        self._users = users
        self._live = live
        self._clocks = clocks
        self._clock = clock
        self._runs: dict[str, ScenarioRun] = {}

    async def run(
        self, scenario: str | Scenario, home_id: str, *, speed: float = 1.0, keep: bool = False
    ) -> ScenarioRun:
        """Set the stage and begin; returns at once. `speed` is scenario seconds a second, `math.inf` without waiting.

        When the story is over, mode, clock and virtual devices are as before; with `keep` only `reset` does that.

        Raises:
            NotFound: no such scenario or home. Conflict: a story is being told there.
            InvalidInput: the speed or the stage makes no sense (an event of a device that is nowhere).
        """
        story = load_scenario(scenario) if isinstance(scenario, str) else scenario
        if not speed > 0:
            raise InvalidInput("speed is more than 0", field="speed")
        home = await self._users.home(home_id)
        if home is None:
            raise NotFound("there is no such home")
        current = self._runs.get(home_id)
        if current is not None and not current.is_clean:
            if current.state == "running":
                raise Conflict(f"{current.status} is running in this home")
            await self.reset(home_id)
        run = ScenarioRun(story, home, speed=speed, keep=keep, clock=self._clock)
        self._runs[home_id] = run
        try:
            await self._set_stage(run)
        except BaseException:
            await self._clear_stage(run)
            raise
        run.task = asyncio.create_task(self._tell(run), name=f"scenario {story.name}")
        return run

    def current(self, home_id: str) -> ScenarioRun | None:
        """The last story of that home, running or over."""
        return self._runs.get(home_id)

    async def stop(self, home_id: str) -> ScenarioRun | None:
        """End the story of that home now and clear the stage; None when none was told."""
        run = self._runs.get(home_id)
        if run is not None:
            run.keep = False
            run.stopping.set()
            await run.finished()
            await self._clear_stage(run)
        return run

    async def reset(self, home_id: str) -> None:
        """The stage as it was before the last story, which is stopped if it still runs."""
        await self.stop(home_id)

    async def close(self) -> None:
        """Stop every story."""
        for home_id in list(self._runs):
            await self.stop(home_id)

    async def recover(self, homes: Sequence[Home]) -> int:
        """After a crash: remove virtual devices and put back the mode; returns how many devices were removed."""
        removed = 0
        for home in homes:
            left = [d for d in await self._devices.of_home(home.id) if "scenario" in d.binding]
            for device in left:
                await self._remove(device)
                removed += 1
            before = left[0].binding.get("before") if left else None
            if isinstance(before, list | tuple) and len(before) == 2:
                mode, arm_state = before
                if mode in get_args(HomeMode) and arm_state in get_args(ArmState):
                    await self._users.set_mode(home.id, cast(HomeMode, mode), cast(ArmState, arm_state))
        return removed

    # --- the telling

    async def _tell(self, run: ScenarioRun) -> None:
        try:
            start = self._clocks.now(run.home_id)
            for index, beat in enumerate(run.scenario.beats):
                if not await run.until(beat.at):
                    break
                if run.speed != 1:
                    self._clocks.set(run.home_id, start + beat.at)
                    run.is_shifted = True
                event = self._event(run, index, beat, start + beat.at)
                await self._intake.submit([event])
                run.injected.append(event.event_id)
            if not run.stopping.is_set():
                await run.until(run.scenario.duration)
                if run.speed != 1 and not run.keep:
                    await run.pause(_SETTLE_S)
            run.end("stopped" if run.stopping.is_set() else "finished")
        except HomeGuardError as error:
            _log.warning("scenario %s: %s", run.scenario.name, error.message)
            run.end("failed")
        finally:
            if run.state == "running":
                run.end("stopped")
            if not run.keep:
                try:
                    await self._clear_stage(run)
                except HomeGuardError as error:  # `stop` tries again
                    _log.warning("scenario %s: the stage is not cleared: %s", run.scenario.name, error.message)

    def _event(self, run: ScenarioRun, index: int, beat: Beat, at: datetime) -> Event:
        return Event(
            home_id=run.home_id,
            event_id=derived_id("scenario", run.id, str(index)),
            event_type=beat.type,
            at=at,
            received_at=self._clock.now(),
            device_id=beat.device,
            payload=beat.payload,
            metadata=Metadata(is_simulated=True),
            source="scenario",
            lane=EVENT_TYPES[beat.type].lane,
            cause=run.id,
        )

    # --- the stage

    async def _set_stage(self, run: ScenarioRun) -> None:
        given, home = run.scenario.given, run.home
        now = self._clocks.now(home.id)
        start = starts_at(given, home.time_zone, now)
        known = {d.id for d in await self._devices.of_home(home.id)}
        initial = {}
        for index, item in enumerate(given.devices):
            device = read_device(item, home.id, f"given.devices[{index}]", now)
            if device.id in known:
                continue
            before: Json = [home.mode, home.arm_state]
            binding: dict[str, Json] = {"driver": "simulated", "scenario": run.id, "before": before}
            run.virtual.append(replace(device, binding=binding))
            initial[device.id] = read_initial(device, item.get("initial") or {}, f"given.devices[{index}]")
        missing = sorted({b.device for b in run.scenario.beats} - known - {d.id for d in run.virtual})
        if missing:
            raise InvalidInput(f"{run.scenario.name} needs devices that are nowhere: {', '.join(missing)}")
        if start != now:
            await self._move_states(home.id, start - timedelta(seconds=1))
            self._clocks.set(home.id, start)
            run.is_shifted = True
        if run.virtual:
            await self._devices.put(run.virtual)
            self._intake.forget_devices(home.id)
            await self._live.apply(
                [
                    StateChange(
                        home_id=home.id,
                        device_id=device_id,
                        at=start - timedelta(seconds=1),
                        sequence=0,
                        attributes=attributes,
                        available=True,
                    )
                    for device_id, attributes in initial.items()
                ]
            )
        mode, arm_state = given.mode or home.mode, given.arm_state or home.arm_state
        if (mode, arm_state) != (home.mode, home.arm_state):
            await self._users.set_mode(home.id, mode, arm_state)
        told: dict[str, Json] = {
            "scenario": run.scenario.name,
            "mode": mode,
            "arm_state": arm_state,
            "duration_s": run.scenario.duration.total_seconds(),
        }
        await self._intake.submit([self._note(run, "scenario_started", told)])

    async def _clear_stage(self, run: ScenarioRun) -> None:
        if run.is_clean:
            return
        home = await self._users.home(run.home_id)
        given = run.scenario.given
        # A person who changed the mode meanwhile has the last word.
        if home is not None and (given.mode or given.arm_state) and home.mode == (given.mode or run.home.mode):
            await self._users.set_mode(home.id, run.home.mode, run.home.arm_state)
        for device in run.virtual:
            await self._remove(device)
        if run.is_shifted:
            self._clocks.reset(run.home_id)
            await self._move_states(run.home_id, self._clock.now())
            run.is_shifted = False
        told: dict[str, Json] = {"scenario": run.scenario.name, "state": run.state}
        await self._intake.submit([self._note(run, "scenario_stopped", told)])
        run.is_clean = True

    async def _remove(self, device: Device) -> None:
        await self._devices.delete(device.home_id, device.id)
        await self._live.forget(device.home_id, device.id)
        self._intake.forget_devices(device.home_id)

    async def _move_states(self, home_id: str, at: datetime) -> None:
        """Live state takes only what is newer: when the clock is set, what is known was said at that time."""
        for device_id, state in (await self._live.all(home_id)).items():
            await self._live.forget(home_id, device_id)
            await self._live.apply(
                [
                    StateChange(
                        home_id=home_id,
                        device_id=device_id,
                        at=at,
                        sequence=0,
                        attributes=state.attributes,
                        available=state.available,
                    )
                ]
            )

    def _note(self, run: ScenarioRun, event_type: str, payload: dict[str, Json]) -> Event:
        return Event(
            home_id=run.home_id,
            event_id=derived_id("scenario", run.id, event_type),
            event_type=event_type,
            at=self._clocks.now(run.home_id).astimezone(UTC),
            received_at=self._clock.now(),
            payload=payload,
            metadata=Metadata(is_simulated=True),
            source="scenario",
            trust="core",
            cause=run.id,
        )
