"""The one link to a broker: what devices say goes to the intake and is acknowledged after it, orders go out.

A message is acknowledged only when the intake has it on disk. Messages that wait are taken together (at most 500), go
to the log in one append, and are acknowledged together, in the order in which they came. While HomeGuard is behind, the
urgent ones among those that were taken are stored, the others wait here, and the broker keeps the rest.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar

from homeguard.clock import Clock, SystemClock
from homeguard.errors import DriverFailed, HomeGuardError
from homeguard.model import Lane
from homeguard.ports.devices import DeviceStore
from homeguard.ports.live_state import LiveStateStore
from pipeline.intake.intake import Intake, Origin
from pipeline.intake.lanes import HomeLanes
from pipeline.mqtt.address import parse_address
from pipeline.mqtt.connection import RECEIVE_MAXIMUM, Connection, ConnectionRefused
from pipeline.mqtt.delivery import Delivery, DeliveryNames
from pipeline.mqtt.own import OwnTopics
from pipeline.mqtt.said import DeadLetter, Said, parted
from pipeline.mqtt.zigbee import ZigbeeBridge

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_TAKE_S: Final = 0.5
#: How often those that wait for room look for alarms behind them.
_LOOK_S: Final = 0.05
_RETRY_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_RECONNECT_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_PUBLISH_S: Final = 3.0
#: What may wait here for room, in messages and in bytes.
_MAX_HELD: Final = RECEIVE_MAXIMUM
_MAX_HELD_BYTES: Final = 32 * 1024 * 1024


class Admission(Protocol):
    """Says which lanes nothing may come in of just now."""

    def refused(self) -> frozenset[Lane]: ...

    async def room(self) -> None:
        """Returns when events of the state lane may come in."""
        ...


class MqttLink:
    """One broker, one home. `run` keeps it connected until it is told to stop.

    `session_file` keeps the name of the broker's session across restarts (see `pipeline.mqtt.delivery`); `live` lets
    the link tell news from repetition after a restart. Both are optional and only make it more exact. A link that does
    not listen (`listens`) only sends: another process takes what devices say. `sender` tells such links apart.
    `admission` says when to wait, and `lanes` what is urgent meanwhile.
    """

    def __init__(
        self,
        url: str,
        home_id: str,
        intake: Intake,
        devices: DeviceStore,
        *,
        live: LiveStateStore | None = None,
        clock: Clock | None = None,
        session_file: Path | None = None,
        listens: bool = True,
        sender: str = "",
        admission: Admission | None = None,
        lanes: HomeLanes | None = None,
    ) -> None:
        self._listens = listens
        self._address = parse_address(url)
        self._home_id = home_id
        self._intake = intake
        self._devices = devices
        self._clock = clock or SystemClock()
        digest = hashlib.sha256(f"{home_id}/{self._address.text}".encode()).hexdigest()[:12]
        self.client_id = self._address.client_id or f"homeguard-{digest}"
        if not listens:
            self.client_id = f"{self.client_id}-{sender}"
        self.name = self._address.text.partition("://")[2]
        self._origin = Origin(home_id=home_id, source=f"mqtt:{self.name}")
        self._names = DeliveryNames(session_file)
        self._own = OwnTopics(home_id, self._origin.source)
        self._admission = admission
        self._lanes = lanes or HomeLanes(None, self._clock)
        self._bridges = [
            ZigbeeBridge(
                base=base, home_id=home_id, source=self._origin.source, clock=self._clock, devices=devices, live=live
            )
            for base in self._address.bases
        ]
        self._connection: Connection | None = None
        self._is_up = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        return self._connection is not None and not self._connection.is_lost

    async def connected(self) -> None:
        """Returns when the link is up and hears everything."""
        await self._is_up.wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Connect, take, acknowledge; reconnect with growing pauses; returns soon after `stop` is set."""
        for bridge in self._bridges:
            await bridge.load()
        attempt, version = 0, self._address.version or 5
        while not stop.is_set():
            connection = Connection(self._address, self.client_id, self._names, version=version)
            try:
                await connection.open(self._subscriptions())
                _log.info("mqtt %s: connected", self._address.text)
                attempt = 0
                self._connection = connection
                for bridge in self._bridges:
                    bridge.reconnected()
                async with asyncio.TaskGroup() as tasks:
                    announcing = tasks.create_task(self._announce(connection))
                    await self._serve(connection, stop)
                    announcing.cancel()
            except ConnectionRefused as error:
                _log.warning("mqtt %s: %s", self._address.text, error)
                if not self._address.version and error.spoke:
                    version = 4 if version == 5 else 5  # an older broker knows only 3.1.1
            finally:
                self._is_up.clear()
                self._connection = None
                await connection.close()
            if not stop.is_set():
                await _wait(stop, _RECONNECT_S[min(attempt, len(_RECONNECT_S) - 1)])
                attempt += 1

    async def _announce(self, connection: Connection) -> None:
        await connection.subscribed.wait()
        if not connection.is_lost:
            self._is_up.set()

    async def publish(self, topic: str, payload: bytes, qos: int = 1) -> None:
        """Hand one message to the broker and wait until it has it (`qos` 1).

        Raises:
            DriverFailed: the link is down, or the broker did not confirm within three seconds.
        """
        connection = self._connection
        if connection is None:
            raise DriverFailed("the MQTT broker is not connected")
        await connection.publish(topic, payload, qos, _PUBLISH_S)

    def _subscriptions(self) -> list[str]:
        """The lists of devices first: retained states then find their devices known."""
        if not self._listens:
            return []
        listed = [f"{bridge.base}/bridge/devices" for bridge in self._bridges]
        everything = [f"{bridge.base}/#" for bridge in self._bridges]
        return [*listed, *everything, f"homeguard/{self._home_id}/+/events"]

    async def _serve(self, connection: Connection, stop: asyncio.Event) -> None:
        while not stop.is_set():
            batch = await connection.take(_TAKE_S)
            if batch:
                try:
                    said = await self._read(batch, stop)
                    if self._is_behind():
                        batch = await self._hold(batch, said, connection, stop)
                    else:
                        await self._store(said, stop)
                except _Stopped:
                    return  # not acknowledged: it comes again
                connection.acknowledge(batch)
            elif connection.is_lost:
                _log.warning("mqtt %s: lost (%s)", self._address.text, connection.reason)
                return

    def _is_behind(self) -> bool:
        return self._admission is not None and "state" in self._admission.refused()

    async def _hold(
        self, batch: Sequence[Delivery], said: Said, connection: Connection, stop: asyncio.Event
    ) -> list[Delivery]:
        """Store what is urgent of these and of what comes behind them, and the rest when there is room; all of them in
        the order in which they came. Nothing that was read may be left: the bridges have counted it as said."""
        assert self._admission is not None
        taken, held, size = list(batch), Said(), sum(len(d.body) for d in batch)
        while self._is_behind():
            urgent, others = await parted(said, self._lanes, self._home_id)
            await self._store(urgent, stop)
            held, said = held + others, Said()
            if stop.is_set():
                raise _Stopped
            if len(taken) < _MAX_HELD and size < _MAX_HELD_BYTES and not connection.is_lost:
                more = await connection.take(_LOOK_S, _MAX_HELD - len(taken))
                taken += more
                size += sum(len(d.body) for d in more)
                said = await self._read(more, stop)
            else:
                await _within(_TAKE_S, self._admission.room())
        await self._store(held + said, stop)
        return taken

    async def _read(self, batch: Sequence[Delivery], stop: asyncio.Event) -> Said:
        """What the batch amounts to; devices that were found in it are stored. Raises _Stopped when `stop` came
        first."""
        said = Said()
        for delivery in batch:
            meaning = None
            for bridge in self._bridges:
                if delivery.topic.startswith(bridge.prefix):
                    meaning = await self._durably(partial(bridge.read, delivery), stop)
                    if meaning is not None:
                        break
            if meaning is None:
                self._own.read(delivery, said)
                continue
            if meaning.devices:
                await self._durably(partial(self._devices.put, meaning.devices), stop)
                self._intake.forget_devices(self._home_id)
            said.events.extend(meaning.events)
            said.dead.extend(meaning.dead)
        return said

    async def _store(self, said: Said, stop: asyncio.Event) -> None:
        """Bring it to disk, however often that takes; the ids make a second try harmless. Raises _Stopped when `stop`
        came first."""
        if said.events:
            await self._durably(partial(self._intake.submit, said.events), stop)
        dead = said.dead
        if said.own:
            rejected = await self._durably(partial(self._intake.receive_each, [own.sent for own in said.own]), stop)
            dead = [*dead, *(said.own[r.index].refused(r.message) for r in rejected)]
        if dead:
            left = list(dead)
            await self._durably(partial(self._bury, left), stop)

    async def _bury(self, left: list[DeadLetter]) -> None:
        """Keep these letters, side by side; those that could not be kept stay in the list."""
        outcomes = await asyncio.gather(
            *(self._intake.dead_letter(origin=self._origin, topic=d.topic, body=d.body, reason=d.reason) for d in left),
            return_exceptions=True,
        )
        failed = [(d, o) for d, o in zip(left, outcomes, strict=True) if isinstance(o, BaseException)]
        left[:] = [letter for letter, _ in failed]
        for _, error in failed:
            raise error

    async def _durably(self, step: Callable[[], Awaitable[_T]], stop: asyncio.Event) -> _T:
        """Try until it is done. The broker keeps the messages meanwhile: nothing was acknowledged."""
        attempt = 0
        while True:
            try:
                return await step()
            except HomeGuardError as error:
                _log.warning("mqtt %s: not stored yet: %s", self._address.text, error.message)
            if stop.is_set():
                raise _Stopped
            await _wait(stop, _RETRY_S[min(attempt, len(_RETRY_S) - 1)])
            attempt += 1


class _Stopped(Exception):
    """The link was told to stop while something was not on disk yet."""


async def _wait(stop: asyncio.Event, delay_s: float) -> None:
    try:
        async with asyncio.timeout(delay_s):
            await stop.wait()
    except TimeoutError:
        return


async def _within(limit_s: float, what: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await what
    except TimeoutError:
        return
