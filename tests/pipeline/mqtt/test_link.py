"""The link against a real Mosquitto: discovery, states, orders, dead letters, and nothing acknowledged too early."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homeguard.errors import DriverFailed, Overloaded
from homeguard.model import Command, Event
from homeguard.ports.log import DEAD_LETTERS
from pipeline.drivers.mqtt import MqttDriver
from pipeline.intake.intake import Intake
from pipeline.mqtt.link import MqttLink

pytestmark = pytest.mark.broker

LAMP = {
    "ieee_address": "0x00a1", "type": "Router", "friendly_name": "hall/lamp", "interview_completed": True,
    "definition": {"vendor": "Acme", "model": "L1", "description": "Bulb", "exposes": [
        {"type": "light", "features": [
            {"type": "binary", "name": "state", "property": "state", "access": 7, "value_on": "ON", "value_off": "OFF"},
            {"type": "numeric", "name": "brightness", "property": "brightness", "access": 7, "value_max": 254},
        ]}]},
}  # fmt: skip
DOOR = {
    "ieee_address": "0x00a2", "type": "EndDevice", "friendly_name": "back door", "interview_completed": True,
    "definition": {"vendor": "Acme", "model": "D1", "description": "Contact sensor", "exposes": [
        {"type": "binary", "name": "contact", "property": "contact", "access": 1, "value_on": False, "value_off": True},
        {"type": "numeric", "name": "battery", "property": "battery", "access": 1, "unit": "%"},
    ]},
}  # fmt: skip


def link_of(broker: Any, bridge: Any, home: Any, intake: Intake | None = None, **more: Any) -> MqttLink:
    url = f"{broker.url}?base={bridge.base}&client_id=test-{bridge.base}"
    return MqttLink(url, home.id, intake or home.intake, home.stores.devices, live=home.stores.live, **more)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not await condition():  # noqa: ASYNC110 - asks a store, which has no event to wait for
            await asyncio.sleep(0.02)


async def known(home: Any, count: int) -> None:
    async def is_there() -> bool:
        return len(await home.stores.devices.of_home(home.id)) == count

    await until(is_there)


async def test_devices_appear_by_discovery_and_their_states_become_events(
    broker: Any, bridge: Any, home: Any, running: Any
) -> None:
    await bridge.say("bridge/devices", [LAMP, DOOR], retain=True)
    async with running(link_of(broker, bridge, home)):
        await known(home, 2)
        await bridge.say("hall/lamp", {"state": "ON", "brightness": 127})
        await bridge.say("back door", {"contact": False, "battery": 71})
        await bridge.say("back door/availability", {"state": "offline"})
        events = await home.events(4)
    [door, lamp] = await home.stores.devices.of_home(home.id)
    assert (lamp.name, lamp.area, lamp.type, door.type) == ("hall/lamp", "hall", "light", "contact")
    assert [(e["device_id"], e["event_type"], e["payload"]) for e in events] == [
        ("0x00a1", "state_changed", {"on": True, "brightness_pct": 50}),
        ("0x00a2", "door_open", {"open": True}),
        ("0x00a2", "telemetry", {"metrics": {"battery_pct": 71}}),
        ("0x00a2", "device_offline", {}),
    ]


async def test_a_command_reaches_the_device_and_its_echo_comes_back(
    broker: Any, bridge: Any, home: Any, running: Any
) -> None:
    await bridge.say("bridge/devices", [LAMP], retain=True)
    async with running(link_of(broker, bridge, home)) as link:
        await known(home, 1)
        [lamp] = await home.stores.devices.of_home(home.id)
        now = datetime.now(UTC)
        command = Command(
            id="c1", home_id=home.id, device_id=lamp.id, command="set_brightness", parameters={"brightness_pct": 40},
            set={"brightness_pct": 40, "on": True}, before={}, tier=1, caller="person", user_id="u", cause="",
            requested_at=now, not_after=now + timedelta(seconds=30),
        )  # fmt: skip
        await MqttDriver(link).send(lamp, command)
        async with asyncio.timeout(10):
            topic, payload = await bridge.heard.get()
        assert topic == f"{bridge.base}/hall/lamp/set"
        await bridge.say("hall/lamp", payload)
        [event] = await home.events(1)
        assert event["payload"] == {"brightness_pct": 40, "on": True}
        with pytest.raises(DriverFailed, match="no property"):
            await MqttDriver(link).send(lamp, replace(command, set={"lock": "locked"}, command="lock"))


async def test_a_link_that_is_down_says_so_at_once(broker: Any, bridge: Any, home: Any) -> None:
    with pytest.raises(DriverFailed, match="not connected"):
        await link_of(broker, bridge, home).publish("x/set", b"{}")


async def test_what_cannot_be_read_becomes_a_dead_letter_with_a_reason(
    broker: Any, bridge: Any, home: Any, running: Any
) -> None:
    await bridge.say("bridge/devices", [LAMP], retain=True)
    async with running(link_of(broker, bridge, home)):
        await known(home, 1)
        for body in (b"not json", b"[1, 2]", b'{"state": NaN}', b"\xff\xfe"):
            await bridge.say("hall/lamp", body)
        await bridge.say("hall/lamp/availability", b"perhaps")
        await bridge.say("nobody", {"state": "ON"})
        await bridge.say_anywhere(f"homeguard/{home.id}/0x00a1/events", b'{"event_type": 7}')
        letters = await home.records(DEAD_LETTERS, 7)
        await bridge.say("hall/lamp", {"state": "OFF"})
        [event] = await home.events(1)
    assert event["payload"] == {"on": False}
    assert all(headers["reason"] and headers["source"].startswith("mqtt:") for _, headers in letters)
    assert {headers["topic"].rpartition("/")[2] for _, headers in letters} >= {
        "lamp",
        "availability",
        "nobody",
        "events",
    }


async def test_our_own_simple_form_is_taken_as_over_http(broker: Any, bridge: Any, home: Any, running: Any) -> None:
    await bridge.say("bridge/devices", [LAMP, DOOR], retain=True)
    async with running(link_of(broker, bridge, home)):
        await known(home, 2)
        topic = f"homeguard/{home.id}/0x00a2/events"
        for number in range(20):
            await bridge.say_anywhere(topic, {"event_type": "telemetry", "payload": {"metrics": {"n": number}}})
        await bridge.say_anywhere(topic, {"device_id": "0x00a1", "event_type": "telemetry", "payload": {}})
        events = await home.events(20)
        [(letter, headers)] = await home.records(DEAD_LETTERS, 1)
    assert [e["payload"]["metrics"]["n"] for e in events] == list(range(20))
    assert {e["device_id"] for e in events} == {"0x00a2"}
    assert "0x00a1" in headers["reason"]
    assert b"0x00a1" in letter["body"]


class Failing(Intake):
    """Refuses the first `times` submits, after or before the events are on disk."""

    def __init__(self, inner: Intake, times: int, *, after_append: bool) -> None:
        self._inner, self._times, self._after = inner, times, after_append
        self.refused = asyncio.Event()

    async def submit(self, events: Sequence[Event]) -> None:
        if self._times == 0:
            return await self._inner.submit(events)
        self._times -= 1
        if self._after:
            await self._inner.submit(events)
        self.refused.set()
        raise Overloaded("the disk is busy")

    def forget_devices(self, home_id: str) -> None:
        self._inner.forget_devices(home_id)


async def test_an_intake_that_is_busy_is_tried_again_and_nothing_is_lost(
    broker: Any, bridge: Any, home: Any, running: Any
) -> None:
    await bridge.say("bridge/devices", [LAMP], retain=True)
    async with running(link_of(broker, bridge, home, Failing(home.intake, 2, after_append=False))):
        await known(home, 1)
        await bridge.say("hall/lamp", {"state": "ON"})
        assert [e["payload"] for e in await home.events(1)] == [{"on": True}]


async def test_a_message_taken_and_not_acknowledged_comes_again_and_is_the_same_event(
    broker: Any, bridge: Any, home: Any, running: Any, tmp_path: Any
) -> None:
    """The process dies between the append and the acknowledgement: the next one gets the message again."""
    await bridge.say("bridge/devices", [LAMP], retain=True)
    file = tmp_path / "session.json"
    dying = Failing(home.intake, 1_000, after_append=True)
    async with running(link_of(broker, bridge, home, dying, session_file=file)):
        await known(home, 1)
        await bridge.say("hall/lamp", {"state": "ON"})
        async with asyncio.timeout(10):
            await dying.refused.wait()
    async with running(link_of(broker, bridge, home, session_file=file)):
        await bridge.say("hall/lamp", {"state": "OFF"})

        async def has_off() -> bool:
            seen.extend(await home.events(1))
            return any(e["payload"] == {"on": False} for e in seen)

        seen: list[dict[str, Any]] = []
        await until(has_off)
    assert {json.dumps(e["payload"]) for e in seen} == {'{"on": true}', '{"on": false}'}
    assert len({e["event_id"] for e in seen}) == 2
    assert sum(e["payload"] == {"on": True} for e in seen) >= 2


async def test_it_comes_back_after_the_broker_was_away(
    broker: Any, home: Any, running: Any, tmp_path: Any, own_broker: Any, bridge_of: Any
) -> None:
    bridge = await bridge_of(own_broker)
    await bridge.say("bridge/devices", [LAMP], retain=True)
    async with running(link_of(own_broker, bridge, home)) as link:
        await known(home, 1)
        bridge.close()
        own_broker.stop()

        async def is_down() -> bool:
            return not link.is_connected

        await until(is_down)
        own_broker.start()
        async with asyncio.timeout(15):
            await link.connected()
        again = await bridge_of(own_broker, bridge.base)
        await again.say("hall/lamp", {"state": "ON"})
        assert [e["payload"] for e in await home.events(1)] == [{"on": True}]


async def test_a_rename_on_the_bridge_keeps_what_the_person_said(
    broker: Any, bridge: Any, home: Any, running: Any
) -> None:
    await bridge.say("bridge/devices", [LAMP], retain=True)
    async with running(link_of(broker, bridge, home)):
        await known(home, 1)
        [lamp] = await home.stores.devices.of_home(home.id)
        await home.stores.devices.put([replace(lamp, area="Cellar", aliases=(*lamp.aliases, "old lamp"))])
        await bridge.say("bridge/devices", [LAMP | {"friendly_name": "cellar lamp"}], retain=True)

        async def is_renamed() -> bool:
            [found] = await home.stores.devices.of_home(home.id)
            return bool(found.name == "cellar lamp")

        await until(is_renamed)
        [lamp] = await home.stores.devices.of_home(home.id)
        await bridge.say("cellar lamp", {"state": "ON"})
        assert [e["device_id"] for e in await home.events(1)] == ["0x00a1"]
    assert (lamp.area, lamp.aliases) == ("Cellar", ("old lamp",))
