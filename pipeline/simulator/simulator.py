"""The simulator: what demo devices do by themselves, at a given rate, the same for the same seed."""

import heapq
import itertools
import logging
import random
from asyncio import Event as Signal
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from homeguard.clock import Clock, HomeClocks, iso
from homeguard.errors import HomeGuardError
from homeguard.ids import derived_id
from homeguard.model import Command, Device, Event, Home, Json, Metadata, Value
from homeguard.ports.devices import DeviceStore
from homeguard.ports.live_state import LiveStateStore
from homeguard.ports.users import UserStore
from homeguard.vocabulary import EVENT_TYPES
from pipeline.intake.intake import Intake
from pipeline.simulator import behaviour

_log = logging.getLogger(__name__)

TICK_S: Final = 0.5
HEARTBEAT_S: Final = 30.0
#: How long a device is left alone after a command, and after the start.
LEFT_ALONE_S: Final = 600.0
ANOMALY_RATE: Final = 0.01
_LOOK_AGAIN_S: Final = 30.0
#: A pause (a laptop that slept) is not made up for: at most this much of it.
_CATCH_UP_S: Final = 1.0


@dataclass(slots=True)
class _Simulated:
    """One device as the simulator knows it. `steps` counts what cancels a story under way: a command does."""

    device: Device
    state: dict[str, Value] = field(default_factory=dict)
    next_heartbeat: float = 0.0
    measured_at: float = 0.0
    commanded_at: float = float("-inf")
    is_target_commanded: bool = False
    is_silent: bool = False
    story: int = 0


@dataclass(frozen=True, slots=True, order=True)
class _Due:
    at: float
    order: int
    key: tuple[str, str] = field(compare=False)
    what: str = field(compare=False)
    story: int = field(compare=False, default=0)


class Simulator:
    """Drives every device whose driver is `simulated` in the given homes.

    Doors and locks move only in `doors_move_in`; lights, garages and targets never move by themselves. A home that is
    empty (away, vacation), asleep, armed or on a scenario's clock has no motion and no visitors from here. One
    heartbeat in a hundred comes with an anomaly: a low battery is reported, a sensor drops out for a minute, a device
    restarts. `rate` is events a second over all devices with heartbeats among them; 0 leaves only the heartbeats.
    """

    def __init__(
        self,
        intake: Intake,
        devices: DeviceStore,
        clock: Clock,
        clocks: HomeClocks,
        *,
        homes: Sequence[Home],
        rate: float = 10.0,
        seed: int = 42,
        users: UserStore | None = None,
        live: LiveStateStore | None = None,
        doors_move_in: Collection[str] = (),
    ) -> None:
        self._intake = intake
        self._store = devices
        self._clock = clock
        self._clocks = clocks
        self._homes = {home.id: home for home in homes}
        self._zones = {home.id: ZoneInfo(home.time_zone) for home in homes}
        self._rate = rate
        self._users = users
        self._live = live
        self._doors_move_in = frozenset(doors_move_in)
        self._rng = random.Random(seed)  # noqa: S311 - behaviour, not secrets
        self._began = clock.monotonic()
        self._run = f"{seed}/{iso(clock.now())}"
        self._count = itertools.count()
        self._orders = itertools.count()
        self._known: dict[tuple[str, str], _Simulated] = {}
        self._due: list[_Due] = []
        self._turn = 0
        self._budget = 0.0
        self._last = self._began
        self._looked_at = float("-inf")

    def note_command(self, device: Device, command: Command) -> None:
        """A command was carried out: leave the device alone for ten minutes, and know what it was set to."""
        simulated = self._known.get((device.home_id, device.id))
        if simulated is None:
            simulated = self._known[(device.home_id, device.id)] = self._fresh(device)
        simulated.commanded_at = self._clock.monotonic()
        simulated.state.update(command.set)
        simulated.is_target_commanded |= "target_c" in command.set
        simulated.story += 1

    async def run(self, stop: Signal) -> None:
        """Behave until `stop` is set; what the log does not take is lost, as with real devices."""
        while not stop.is_set():
            try:
                await self.tick()
            except HomeGuardError as error:
                _log.warning("simulator: %s", error.message)
            await self._clock.sleep(TICK_S)

    async def tick(self) -> int:
        """Everything that is due now, as one append; returns how many events that was."""
        now = self._clock.monotonic()
        if now - self._looked_at >= _LOOK_AGAIN_S:
            await self._look(now)
        elapsed, self._last = min(now - self._last, _CATCH_UP_S), now
        events = self._heartbeats(now)
        if self._rate > 0:
            self._budget = min(self._budget + self._rate * elapsed, self._rate * _CATCH_UP_S) - len(events)
            happened = self._happenings(now)
            self._budget -= len(happened)
            events += happened
            while self._budget >= 1 and (reading := self._measure(now)) is not None:
                events.append(reading)
                self._budget -= 1
        if events:
            await self._intake.submit(events)
        return len(events)

    # --- who is there

    async def _look(self, now: float) -> None:
        """Devices that joined or left, and the homes' modes, twice a minute."""
        self._looked_at = now
        present: set[tuple[str, str]] = set()
        for home_id in self._homes:
            if self._users is not None:
                self._homes[home_id] = await self._users.home(home_id) or self._homes[home_id]
            for device in await self._store.of_home(home_id):
                if device.binding.get("driver") != "simulated" or "scenario" in device.binding:
                    continue
                key = (home_id, device.id)
                present.add(key)
                simulated = self._known.get(key)
                if simulated is None:
                    simulated = self._known[key] = self._fresh(device)
                simulated.device = device
                if not simulated.next_heartbeat:
                    simulated.next_heartbeat = now + self._rng.uniform(0, HEARTBEAT_S)
                    self._schedule(simulated, now)
                if self._live is not None and (state := await self._live.get(home_id, device.id)) is not None:
                    simulated.state = {**simulated.state, **_followed(state.attributes, simulated.state)}
                if "climate" in device.capabilities:
                    simulated.state.setdefault("temperature_c", 22.0)
        for key in [k for k in self._known if k not in present]:
            del self._known[key]

    def _fresh(self, device: Device) -> _Simulated:
        state: dict[str, Value] = {}
        initial = device.config.get("battery_pct")
        if "battery" in device.capabilities and isinstance(initial, int | float):
            state["battery_pct"] = initial
        return _Simulated(device=device, state=state, measured_at=self._clock.monotonic())

    def _schedule(self, simulated: _Simulated, now: float) -> None:
        device = simulated.device
        hour = self._local(device.home_id).hour
        if device.type == "motion":
            self._later(simulated, now + self._rng.expovariate(1 / behaviour.motion_gap_s(hour)), "motion")
        if device.type in ("camera", "doorbell"):
            self._later(simulated, now + self._rng.expovariate(1 / behaviour.visitor_gap_s(hour)), "visitor")
        if device.type == "lock" and device.home_id in self._doors_move_in:
            self._later(simulated, now + LEFT_ALONE_S + self._rng.expovariate(1 / behaviour.door_gap_s(hour)), "door")

    def _later(self, simulated: _Simulated, at: float, what: str) -> None:
        key = (simulated.device.home_id, simulated.device.id)
        limit = self._clock.monotonic() + 3600.0
        if at > limit:  # by then the hour, and with it the rate, is another: draw again (waiting has no memory)
            at, what = limit, "again"
        heapq.heappush(self._due, _Due(at, next(self._orders), key, what, simulated.story))

    # --- what happens

    def _heartbeats(self, now: float) -> list[Event]:
        made = []
        for simulated in self._known.values():
            if now < simulated.next_heartbeat or not simulated.next_heartbeat:
                continue
            missed = (now - simulated.next_heartbeat) // HEARTBEAT_S
            simulated.next_heartbeat += (missed + 1) * HEARTBEAT_S
            if simulated.is_silent:
                continue
            made.append(self._event(simulated, "heartbeat", {"uptime_s": round(now - self._began)}))
            if self._rate > 0 and self._rng.random() < ANOMALY_RATE and not self._is_left_alone(simulated, now):
                made.append(self._anomaly(simulated, now))
        return made

    def _anomaly(self, simulated: _Simulated, now: float) -> Event:
        battery = simulated.state.get("battery_pct")
        if isinstance(battery, int | float) and battery <= behaviour.LOW_BATTERY_PCT:
            return self._event(simulated, "battery_low", {"battery_pct": round(battery, 1)})
        if simulated.device.type in behaviour.FRAGILE_TYPES and not self._is_paused(simulated.device.home_id):
            simulated.is_silent = True
            self._later(simulated, now + self._rng.uniform(30, 90), "back")
            return self._event(simulated, "device_offline", {"reason": "signal lost"})
        return self._event(simulated, "device_online", {"reason": "restarted"})

    def _happenings(self, now: float) -> list[Event]:
        made: list[Event] = []
        while self._due and self._due[0].at <= now:
            due = heapq.heappop(self._due)
            simulated = self._known.get(due.key)
            if simulated is not None:
                made += self._happen(simulated, due, now)
        return made

    def _happen(self, simulated: _Simulated, due: _Due, now: float) -> list[Event]:
        rng, device = self._rng, simulated.device
        is_free = not (self._is_paused(device.home_id) or self._is_left_alone(simulated, now) or simulated.is_silent)
        match due.what:
            case "back":
                simulated.is_silent = False
                return [self._event(simulated, "device_online", {"reason": "signal is back"})]
            case "still":
                return [self._event(simulated, "motion_stopped", {})] if not simulated.is_silent else []
            case "motion":
                self._schedule(simulated, now + 60)
                if not is_free:
                    return []
                self._later(simulated, now + rng.uniform(15, 60), "still")
                payload: dict[str, Json] = {
                    "zone": device.area.lower(),
                    "intensity": round(rng.uniform(0.3, 0.9), 2),
                    "confidence": round(rng.uniform(0.7, 0.98), 2),
                }
                return [self._event(simulated, "motion_detected", payload)]
            case "again":
                self._schedule(simulated, now)
                return []
            case "visitor":
                self._schedule(simulated, now)
                if not is_free:
                    return []
                kind = "doorbell_pressed" if device.type == "doorbell" else "person_detected"
                seen: dict[str, Json] = (
                    {} if kind == "doorbell_pressed" else {"confidence": round(rng.uniform(0.8, 0.99), 2)}
                )
                return [self._event(simulated, kind, seen)]
            case "door":
                self._schedule(simulated, now)
                home = self._homes[device.home_id]
                is_still = home.arm_state != "disarmed" or simulated.state.get("lock") != "locked"
                if not is_free or is_still:
                    return []
                simulated.story += 1
                simulated.state["lock"] = "unlocked"
                self._later(simulated, now + rng.uniform(10, 25), "relock")
                return [self._event(simulated, "door_unlocked", {"method": "keypad"})]
            case "relock" if due.story == simulated.story:
                simulated.state["lock"] = "locked"
                return [self._event(simulated, "door_locked", {"method": "auto"})]
            case _:
                return []

    def _measure(self, now: float) -> Event | None:
        """The next device's readings, in turn; `None` when nobody speaks."""
        keys = list(self._known)
        for _ in keys:
            simulated = self._known[keys[self._turn % len(keys)]]
            self._turn += 1
            if simulated.is_silent:
                continue
            self._pass_time(simulated, now)
            metrics = behaviour.measured(simulated.device, simulated.state, self._rng)
            return self._event(simulated, "telemetry", {"metrics": metrics})
        return None

    def _pass_time(self, simulated: _Simulated, now: float) -> None:
        elapsed, simulated.measured_at = now - simulated.measured_at, now
        state = simulated.state
        temperature, battery = state.get("temperature_c"), state.get("battery_pct")
        if isinstance(battery, int | float):
            state["battery_pct"] = behaviour.battery_after(battery, elapsed)
        if isinstance(temperature, int | float):
            target = state.get("target_c") if simulated.is_target_commanded else None
            goal = float(target) if isinstance(target, int | float) else None
            room = behaviour.room_after(temperature, goal, elapsed, now - self._began)
            state["temperature_c"] = room
            known = state.get("target_c")
            wanted = float(known) if isinstance(known, int | float) else None
            state["hvac_action"] = behaviour.hvac_action(room, wanted, str(state.get("hvac_mode", "auto")))

    # --- common ground

    def _local(self, home_id: str) -> datetime:
        return self._clocks.now(home_id).astimezone(self._zones[home_id])

    def _is_left_alone(self, simulated: _Simulated, now: float) -> bool:
        return now - simulated.commanded_at < LEFT_ALONE_S

    def _is_paused(self, home_id: str) -> bool:
        """Nobody moves there: the home is empty, asleep or armed, or a scenario tells its story."""
        home = self._homes[home_id]
        return self._clocks.is_shifted(home_id) or home.mode not in ("home", "party") or home.arm_state != "disarmed"

    def _event(self, simulated: _Simulated, event_type: str, payload: Mapping[str, Json]) -> Event:
        device = simulated.device
        return Event(
            home_id=device.home_id,
            event_id=derived_id("simulator", self._run, str(next(self._count))),
            event_type=event_type,
            at=self._clocks.now(device.home_id),
            received_at=self._clock.now(),
            device_id=device.id,
            payload=payload,
            metadata=Metadata(
                firmware_version=(device.hardware.firmware or None) if device.hardware else None, is_simulated=True
            ),
            source="simulator",
            lane=EVENT_TYPES[event_type].lane,
        )


def _followed(attributes: Mapping[str, Value], own: Mapping[str, Value]) -> dict[str, Value]:
    """What others set is followed (a lock, a light, a target); what is simulated here goes its own way."""
    simulated = ("temperature_c", "humidity_pct", "battery_pct", "power_w", "hvac_action")
    return {name: value for name, value in attributes.items() if name not in simulated or name not in own}
