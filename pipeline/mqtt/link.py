"""The one link to a broker: what devices say goes to the intake and is acknowledged after it, orders go out.

A message is acknowledged only when the intake has it on disk. Messages that wait are taken together (at most 500), go
to the log in one append, and are acknowledged together.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from homeguard.clock import Clock, SystemClock
from homeguard.errors import DriverFailed, HomeGuardError
from homeguard.model import Event
from homeguard.ports.devices import DeviceStore
from homeguard.ports.live_state import LiveStateStore
from pipeline.intake.intake import Intake, Origin, Receipt
from pipeline.mqtt.address import parse_address
from pipeline.mqtt.connection import Connection, ConnectionRefused
from pipeline.mqtt.delivery import Delivery, DeliveryNames
from pipeline.mqtt.zigbee import DeadLetter, ZigbeeBridge

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_TAKE_S: Final = 0.5
_RETRY_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_RECONNECT_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_PUBLISH_S: Final = 3.0
#: Messages of one device that go to the intake as one body.
_JOIN_ITEMS: Final = 100
_JOIN_BYTES: Final = 256 * 1024


class MqttLink:
    """One broker, one home. `run` keeps it connected until it is told to stop.

    `session_file` keeps the name of the broker's session across restarts (see `pipeline.mqtt.delivery`); `live` lets
    the link tell news from repetition after a restart. Both are optional and only make it more exact. A link that does
    not listen (`listens`) only sends: another process takes what devices say. `sender` tells such links apart.
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
                    await self._store(batch, stop)
                except _Stopped:
                    return  # not acknowledged: it comes again
                connection.acknowledge(batch)
            elif connection.is_lost:
                _log.warning("mqtt %s: lost (%s)", self._address.text, connection.reason)
                return

    async def _store(self, batch: Sequence[Delivery], stop: asyncio.Event) -> None:
        """Bring the batch to disk, however often that takes. Raises _Stopped when `stop` came first."""
        events: list[Event] = []
        dead: list[DeadLetter] = []
        own: list[Delivery] = []
        for delivery in batch:
            meaning = None
            for bridge in self._bridges:
                meaning = await self._durably(partial(bridge.read, delivery), stop)
                if meaning is not None:
                    break
            if meaning is None:
                own.append(delivery)
                continue
            if meaning.devices:
                await self._durably(partial(self._devices.put, meaning.devices), stop)
                self._intake.forget_devices(self._home_id)
            events.extend(meaning.events)
            dead.extend(meaning.dead)
        if events:
            await self._durably(partial(self._intake.submit, events), stop)
        if own:
            dead.extend(await self._durably(partial(self._receive, own), stop))
        for letter in dead:
            await self._durably(partial(self._bury, letter), stop)

    async def _receive(self, deliveries: Sequence[Delivery]) -> list[DeadLetter]:
        """Our own simple form: envelopes of one device a topic; each device's in order, the devices side by side."""
        dead: list[DeadLetter] = []
        by_device: dict[str, list[Delivery]] = {}
        for delivery in deliveries:
            parts = delivery.topic.split("/")
            if len(parts) != 4 or parts[0] != "homeguard" or parts[3] != "events":
                dead.append(
                    DeadLetter(topic=delivery.topic, body=delivery.body, reason="nothing is known of this topic")
                )
            elif parts[1] != self._home_id:
                dead.append(DeadLetter(topic=delivery.topic, body=delivery.body, reason="the topic names another home"))
            else:
                by_device.setdefault(parts[2], []).append(delivery)
        for letters in await asyncio.gather(*(self._receive_from(d, own) for d, own in by_device.items())):
            dead.extend(letters)
        return dead

    async def _receive_from(self, device_id: str, deliveries: Sequence[Delivery]) -> list[DeadLetter]:
        """Raises Overloaded or StoreUnavailable when the log did not take them; the ids make a second try harmless."""
        origin = Origin(home_id=self._home_id, source=self._origin.source, device_id=device_id)
        dead: list[DeadLetter] = []
        for joined in _joined(deliveries):
            body = b"\n".join(_named(d) for d in joined)
            try:
                receipt = await self._intake.receive(body, origin, ndjson=len(joined) > 1)
            except HomeGuardError as error:
                if error.status >= 500:
                    raise
                if len(joined) == 1:
                    dead.append(DeadLetter(topic=joined[0].topic, body=joined[0].body, reason=error.message))
                    continue
                for one in joined:  # one unreadable body must not take its neighbours with it
                    dead.extend(await self._receive_from(device_id, [one]))
                continue
            dead.extend(_refused(receipt, joined))
        return dead

    async def _bury(self, letter: DeadLetter) -> None:
        await self._intake.dead_letter(origin=self._origin, topic=letter.topic, body=letter.body, reason=letter.reason)

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


def _named(delivery: Delivery) -> bytes:
    """The body with an event id of its own, so that a redelivery is the same event; a device's own id stands."""
    body = delivery.body.strip()
    if not body.startswith(b"{") or b'"event_id"' in body:
        return body
    rest = body[1:].lstrip()
    comma = b"" if rest.startswith(b"}") else b","
    return b'{"event_id":"' + delivery.token.encode() + b'"' + comma + rest


def _joined(deliveries: Sequence[Delivery]) -> list[list[Delivery]]:
    """Runs of single-line objects that one body can hold; anything else stands alone."""
    runs: list[list[Delivery]] = []
    size = 0
    could_join = False
    for delivery in deliveries:
        body = delivery.body.strip()
        is_line = body.startswith(b"{") and b"\n" not in body and b"\r" not in body
        if is_line and could_join and len(runs[-1]) < _JOIN_ITEMS and size + len(delivery.body) < _JOIN_BYTES:
            runs[-1].append(delivery)
            size += len(delivery.body)
        else:
            runs.append([delivery])
            size = len(delivery.body)
        could_join = is_line
    return runs


def _refused(receipt: Receipt, joined: Sequence[Delivery]) -> list[DeadLetter]:
    """One letter for each refused item; several items of one message are one body."""
    letters = []
    for rejection in receipt.rejected:
        source = joined[rejection.index] if len(joined) > 1 else joined[0]
        reason = f"item {rejection.index}: {rejection.message}" if len(joined) == 1 else rejection.message
        letters.append(DeadLetter(topic=source.topic, body=source.body, reason=reason))
    return letters


async def _wait(stop: asyncio.Event, delay_s: float) -> None:
    try:
        async with asyncio.timeout(delay_s):
            await stop.wait()
    except TimeoutError:
        return
