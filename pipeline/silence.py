"""Devices that fell silent: how often each one speaks, and what is said of one that has not for too long."""

import asyncio
import logging
import statistics
from collections import OrderedDict, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from homeguard.clock import Clock, HomeClocks, iso
from homeguard.errors import HomeGuardError
from homeguard.ids import derived_id
from homeguard.model import Device, Event, LiveState, Notice
from homeguard.ports.devices import DeviceStore
from homeguard.ports.live_state import LiveStateStore
from homeguard.ports.outbox import Outbox
from homeguard.ports.users import UserStore
from pipeline.canary import Submit

log = logging.getLogger("homeguard.silence")

#: Silent for so many periods: not there any more.
PERIODS: Final = 3
LOOK_EVERY_S: Final = 30.0
#: A period is never taken to be shorter.
SHORTEST_S: Final = 60.0
#: Most battery devices check in at least every eight hours or so, whatever happens around them.
SENSOR_S: Final = 30_000.0
#: Intervals that are remembered, how many it takes to know a rhythm, and how even they must be for one: at most so
#: many times as long as the middle one. What only speaks when something happens has none.
_KEPT: Final = 16
_ENOUGH: Final = 6
_EVEN: Final = 2.0
_MAX_DEVICES: Final = 100_000
_NAMED: Final = 3

#: What only an instrument has; lamps and locks may have nothing to say for months.
_SENSES: Final = frozenset(
    ("contact", "motion", "occupancy", "smoke", "heat", "co", "gas", "water_leak", "glass_break", "vibration", "tamper",
     "climate", "battery")
)  # fmt: skip


@dataclass(slots=True)
class _Heard:
    at: float
    report_at: datetime | None = None
    intervals_s: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))


class Ears:
    """When each device was last heard, and the rhythm of its regular reports. In memory: learned anew after a start,
    and nobody is blamed for the time before it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_at = clock.monotonic()
        self._heard: OrderedDict[tuple[str, str], _Heard] = OrderedDict()

    def hear(self, home_id: str, device_id: str, *, report_at: datetime | None = None) -> None:
        """It spoke just now; `report_at`: with a regular report, which we received then."""
        now = self._clock.monotonic()
        heard = self._heard.get((home_id, device_id))
        if heard is None:
            heard = self._heard[home_id, device_id] = _Heard(now)
            if len(self._heard) > _MAX_DEVICES:
                self._heard.popitem(last=False)
        heard.at = now
        if report_at is not None:
            if heard.report_at is not None and report_at > heard.report_at:
                heard.intervals_s.append((report_at - heard.report_at).total_seconds())
            heard.report_at = report_at

    def silence_s(self, home_id: str, device_id: str) -> float:
        """Since it was last heard; at most since the start."""
        heard = self._heard.get((home_id, device_id))
        return self._clock.monotonic() - (heard.at if heard is not None else self._started_at)

    def rhythm_s(self, home_id: str, device_id: str) -> float | None:
        """The longest of its last intervals when they are even; None when it has no rhythm, or none is known yet."""
        heard = self._heard.get((home_id, device_id))
        if heard is None or len(heard.intervals_s) < _ENOUGH:
            return None
        longest = max(heard.intervals_s)
        return longest if longest <= _EVEN * max(statistics.median(heard.intervals_s), SHORTEST_S / _EVEN) else None


def period_s(device: Device, rhythm_s: float | None) -> float | None:
    """How often a device speaks when it is well: as its `config["report_every_s"]` says, as it was heard to, or as
    devices of its kind do. None: nothing follows from its silence."""
    declared = device.config.get("report_every_s")
    if isinstance(declared, int | float) and not isinstance(declared, bool) and declared > 0:
        return max(float(declared), SHORTEST_S)
    if rhythm_s is not None:
        return max(rhythm_s, SHORTEST_S)
    if device.is_simulated or _SENSES.isdisjoint(device.capabilities):
        return None
    return SENSOR_S


class Silence:
    """Looks for devices that were silent for three of their periods: each becomes unavailable, by an event
    `device_offline` of our own, and its people are told once, until it has spoken again."""

    def __init__(
        self, *, ears: Ears, intake: Submit, live: LiveStateStore, devices: DeviceStore, users: UserStore,
        outbox: Outbox, clock: Clock, clocks: HomeClocks,
    ) -> None:  # fmt: skip
        self._ears = ears
        self._intake = intake
        self._live = live
        self._devices = devices
        self._users = users
        self._outbox = outbox
        self._clock = clock
        self._clocks = clocks
        #: (home, device) -> when it had last been seen, as it was told.
        self._told: dict[tuple[str, str], datetime] = {}

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self.look()
            except (HomeGuardError, TimeoutError) as error:
                log.warning("nobody can look for silent devices: %s", error)
            except Exception:  # the next look may go well
                log.exception("nobody can look for silent devices")

    async def look(self) -> list[LiveState]:
        """The devices that were found silent, as they were until now.

        Raises:
            HomeGuardError: a store or the log does not answer; those of it are found again.
        """
        quiet: defaultdict[str, list[LiveState]] = defaultdict(list)
        for state in await self._live.silent_since(self._clock.now() - timedelta(seconds=PERIODS * SHORTEST_S)):
            key = (state.home_id, state.device_id)
            if self._told.get(key) == state.last_seen_at or self._clocks.is_shifted(state.home_id):
                continue
            if self._ears.silence_s(*key) > PERIODS * SHORTEST_S:
                quiet[state.home_id].append(state)
        found: list[LiveState] = []
        for home_id, states in quiet.items():
            devices = {device.id: device for device in await self._devices.of_home(home_id)}
            gone = [s for s in states if s.device_id in devices and self._is_gone(devices[s.device_id])]
            if gone:
                await self._tell(home_id, gone, [devices[state.device_id] for state in gone])
                found += gone
        return found

    def _is_gone(self, device: Device) -> bool:
        period = period_s(device, self._ears.rhythm_s(device.home_id, device.id))
        return period is not None and self._ears.silence_s(device.home_id, device.id) > PERIODS * period

    async def _tell(self, home_id: str, gone: Sequence[LiveState], devices: Sequence[Device]) -> None:
        silent_s = [self._ears.silence_s(home_id, device.id) for device in devices]
        events = [
            Event(
                home_id=home_id, event_id=_id_of(state), event_type="device_offline", at=self._clocks.now(home_id),
                received_at=self._clock.now(), device_id=state.device_id,
                payload={"reason": f"silent for {_span(silent)}"}, trust="core",
            )
            for state, silent in zip(gone, silent_s, strict=True)
        ]  # fmt: skip
        await self._intake.submit(events)
        title = f"{devices[0].name} is silent" if len(devices) == 1 else f"{len(devices)} devices are silent"
        names = ", ".join(device.name for device in devices[:_NAMED])
        more = f" and {len(devices) - _NAMED} more" if len(devices) > _NAMED else ""
        verb, whose = ("has", "its") if len(devices) == 1 else ("have", "their")
        text = f"{names}{more} {verb} said nothing for {_span(min(silent_s))}. Look at {whose} power and {whose} link."
        await self._outbox.put(
            [
                Notice(
                    id=derived_id("silent", member.user_id, *sorted(event.event_id for event in events)),
                    home_id=home_id, at=self._clocks.now(home_id), channel="app", recipient=member.user_id,
                    priority="normal", title=title, text=text, cause=events[0].event_id,
                )
                for member in await self._users.members(home_id)
            ]
        )  # fmt: skip
        for state in gone:
            if state.last_seen_at is not None:
                self._told[home_id, state.device_id] = state.last_seen_at


def _id_of(state: LiveState) -> str:
    """The same for the same silence, whoever notices it and however often."""
    seen = iso(state.last_seen_at) if state.last_seen_at is not None else ""
    return derived_id("silent", state.home_id, state.device_id, seen)


def _span(seconds: float) -> str:
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // 1440} days"
