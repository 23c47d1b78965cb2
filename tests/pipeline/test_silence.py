"""Devices that fall silent: found by their own rhythm, told once, and never by a silence that means nothing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pipeline_fakes import ManualClock, MemoryLog, device, event, furnish

from homeguard.clock import HomeClocks
from homeguard.model import Device
from homeguard.ports.live_state import StateChange
from homeguard.ports.stores import Stores
from pipeline.handlers.hearing import HearDevices
from pipeline.handlers.live_state import KeepLiveState
from pipeline.intake.intake import Intake
from pipeline.processor import Processor
from pipeline.silence import LOOK_EVERY_S, SENSOR_S, Ears, Silence, period_s
from pipeline.topics import REFLEX, TOPICS_OF

MINUTE = timedelta(minutes=1)


class House:
    """A home, its reflexes as far as they hear, and the look for who is silent."""

    def __init__(self, stores: Stores, log: MemoryLog, clock: ManualClock, clocks: HomeClocks) -> None:
        self.stores, self.clock, self.log, self.clocks = stores, clock, log, clocks
        self.intake = Intake(log=log, devices=stores.devices, clock=clock, clocks=clocks)  # type: ignore[arg-type]
        self.restart()

    def restart(self) -> None:
        self.ears = Ears(self.clock)
        self.silence = Silence(
            ears=self.ears, intake=self.intake, live=self.stores.live, devices=self.stores.devices,
            users=self.stores.users, outbox=self.stores.outbox, clock=self.clock, clocks=self.clocks,
        )  # fmt: skip
        self.reflex = Processor(
            self.log, REFLEX, TOPICS_OF[REFLEX],  # type: ignore[arg-type]
            [HearDevices(self.ears), KeepLiveState(self.stores.live)], self.clock,
        )  # fmt: skip

    async def say(self, kind: str, device_id: str, **fields: Any) -> None:
        at = self.clock.now()
        said = {"received_at": at, **fields}
        await self.intake.submit([event(kind, device_id, at=at, **said)])
        await self.reflex._turn()

    async def look(self) -> list[str]:
        found = [state.device_id for state in await self.silence.look()]
        await self.reflex._turn()
        return found

    async def messages(self) -> list[str]:
        now = self.clock.now()
        told = await self.stores.outbox.query("h1", start=now - timedelta(days=99), end=now + MINUTE, limit=1000)
        return [n.title for n in told if n.recipient == "u1"]


@pytest.fixture
async def house(stores: Stores, log: MemoryLog, clock: ManualClock, clocks: HomeClocks) -> House:
    await furnish(stores, device("climate", "sensor"), device("hall", "motion"), device("lamp", "light"))
    return House(stores, log, clock, clocks)


async def beats(house: House, device_id: str, n: int, every: timedelta = MINUTE) -> None:
    for _ in range(n):
        await house.say("heartbeat", device_id)
        house.clock.advance(every)


async def test_a_device_that_misses_three_of_its_beats_is_unavailable_and_told_once(house: House) -> None:
    await beats(house, "climate", 10)
    assert await house.look() == []
    house.clock.advance(2 * MINUTE)
    assert await house.look() == []
    house.clock.advance(MINUTE)
    assert await house.look() == ["climate"]
    state = await house.stores.live.get("h1", "climate")
    assert state is not None
    assert state.available is False
    assert await house.messages() == ["Climate is silent"]
    for _ in range(3):
        house.clock.advance(timedelta(hours=1))
        assert await house.look() == []
    assert await house.messages() == ["Climate is silent"]


async def test_once_it_has_spoken_it_is_there_and_its_next_silence_is_told(house: House) -> None:
    for _ in range(2):
        await beats(house, "climate", 10)
        house.clock.advance(4 * MINUTE)
        assert await house.look() == ["climate"]
        await house.say("heartbeat", "climate")
        state = await house.stores.live.get("h1", "climate")
        assert state is not None
        assert state.available is True
        house.clock.advance(MINUTE)
        assert await house.look() == []
        house.restart()
    assert await house.messages() == ["Climate is silent"] * 2


async def test_what_only_speaks_when_something_happens_has_a_day_and_an_hour(house: House) -> None:
    for gap in (1, 2, 1, 30, 1, 1, 90, 2, 1, 1):
        await house.say("motion_detected", "hall")
        house.clock.advance(gap * MINUTE)
    house.clock.advance(timedelta(hours=24))
    assert await house.look() == []
    house.clock.advance(timedelta(hours=1))
    assert await house.look() == ["hall"]


async def test_a_lamp_may_be_silent_for_months(house: House) -> None:
    await house.say("state_changed", "lamp", payload={"attributes": {"on": True}})
    house.clock.advance(timedelta(days=90))
    assert "lamp" not in await house.look()


async def test_nobody_is_blamed_for_the_time_before_the_start(house: House) -> None:
    await beats(house, "climate", 10)
    house.clock.advance(timedelta(days=9))
    house.restart()
    assert await house.look() == []
    house.clock.advance(timedelta(hours=24))
    assert await house.look() == []
    house.clock.advance(timedelta(hours=2))
    assert await house.look() == ["climate"]


async def test_a_replay_is_no_word_of_the_device(house: House) -> None:
    await beats(house, "climate", 10)
    house.clock.advance(4 * MINUTE)
    await house.say("heartbeat", "climate", source="replay")
    assert house.ears.silence_s("h1", "climate") > 180
    await house.say("heartbeat", "climate")
    assert house.ears.silence_s("h1", "climate") == 0


async def test_many_at_once_are_one_message(house: House) -> None:
    names = [f"probe_{i}" for i in range(5)]
    await house.stores.devices.put([device(name, "sensor") for name in names])
    for name in names:
        await house.say("telemetry", name, payload={"metrics": {"temperature": 20}})
    house.clock.advance(timedelta(seconds=3 * SENSOR_S + LOOK_EVERY_S))
    assert sorted(await house.look()) == names
    assert await house.messages() == ["5 devices are silent"]


async def test_a_home_on_a_scenarios_clock_is_left_alone(house: House) -> None:
    await beats(house, "climate", 10)
    house.clock.advance(timedelta(hours=1))
    house.clocks.set("h1", house.clock.now() - timedelta(days=1))
    assert await house.look() == []
    house.clocks.reset("h1")
    assert await house.look() == ["climate"]


async def test_a_device_that_is_gone_from_the_home_is_not_told(house: House) -> None:
    await beats(house, "climate", 10)
    await house.stores.devices.delete("h1", "climate")
    house.clock.advance(timedelta(hours=1))
    assert await house.look() == []


async def test_a_device_whose_own_clock_is_slow_is_not_silent_while_it_speaks(house: House) -> None:
    change = StateChange(
        home_id="h1", device_id="climate", at=house.clock.now() - timedelta(days=2), sequence=1, available=True
    )
    await house.stores.live.apply([change])
    await beats(house, "climate", 10)
    assert await house.look() == []


@pytest.mark.parametrize(
    ("kind", "config", "rhythm", "simulated", "period"),
    [
        ("sensor", {"report_every_s": 600}, None, False, 600.0),
        ("light", {"report_every_s": 600}, 30.0, False, 600.0),
        ("sensor", {"report_every_s": True}, None, False, SENSOR_S),
        ("sensor", {"report_every_s": 1}, None, False, 60.0),
        ("sensor", {}, 5.0, False, 60.0),
        ("sensor", {}, 300.0, True, 300.0),
        ("light", {}, 300.0, False, 300.0),
        ("light", {}, None, False, None),
        ("contact", {}, None, False, SENSOR_S),
        ("contact", {}, None, True, None),
    ],
)
def test_the_period_is_declared_learned_or_that_of_its_kind(
    kind: str, config: dict[str, Any], rhythm: float | None, simulated: bool, period: float | None
) -> None:
    made: Device = replace(device("x", kind), config=config, is_simulated=simulated)
    assert period_s(made, rhythm) == period
