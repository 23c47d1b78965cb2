"""One connection to a broker: paho's network thread on one side, asyncio on the other, a bounded queue between."""

import asyncio
import collections
import contextlib
import logging
import ssl
import threading
from collections.abc import Sequence
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from homeguard.errors import DriverFailed
from pipeline.mqtt.address import BrokerAddress
from pipeline.mqtt.delivery import Delivery, DeliveryNames

_log = logging.getLogger(__name__)

MAX_BATCH: Final = 500
_QUEUE: Final = 4 * MAX_BATCH
_KEEPALIVE_S: Final = 30
_CONNECT_TIMEOUT_S: Final = 5.0
_SESSION_EXPIRY_S: Final = 7 * 24 * 3600
#: How many unacknowledged messages a v5 broker may have under way (Mosquitto's own default of 20 starves a commit).
_RECEIVE_MAXIMUM: Final = 2000


class ConnectionRefused(Exception):
    """The broker said no, or did not answer; `spoke` is False when it did not even say so."""

    def __init__(self, reason: str, *, spoke: bool) -> None:
        super().__init__(reason)
        self.spoke = spoke


class Connection:
    """Messages in, in order, acknowledged only by `acknowledge`; messages out, awaited until the broker has them.

    When the queue is full the network thread stops reading, so the broker keeps the rest: nothing is dropped here.
    """

    def __init__(self, address: BrokerAddress, client_id: str, names: DeliveryNames, *, version: int) -> None:
        self._address = address
        self._names = names
        self._version = version
        self._loop = asyncio.get_running_loop()
        self._queue: collections.deque[Delivery] = collections.deque()
        self._room = threading.BoundedSemaphore(_QUEUE)
        self._closing = threading.Event()
        self._arrived = asyncio.Event()
        self._lost = asyncio.Event()
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._unconfirmed: dict[int, asyncio.Future[None]] = {}
        protocol = paho.MQTTv5 if version == 5 else paho.MQTTv311
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=protocol,
            clean_session=None if version == 5 else False,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if address.user:
            self._client.username_pw_set(address.user, address.password)
        if address.is_tls:
            self._client.tls_set_context(ssl.create_default_context())
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        self._client.on_subscribe = self._on_subscribe
        self._unanswered = 0
        #: Set when the broker has answered every subscription: from then on nothing that is said is missed.
        self.subscribed = asyncio.Event()
        self.reason = ""

    async def open(self, subscriptions: Sequence[str]) -> None:
        """Connect and subscribe with QoS 1, in that order of topics; `subscribed` is set later, while messages come.

        Raises:
            ConnectionRefused: no connection came about within five seconds.
        """
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await self._loop.run_in_executor(None, self._connect)
                self._client.loop_start()
                await self._connected
        except (OSError, ValueError) as error:
            raise ConnectionRefused(f"{type(error).__name__}: {error}", spoke=False) from error
        except TimeoutError as error:
            raise ConnectionRefused("no answer", spoke=False) from error
        self._unanswered = len(subscriptions)
        if not subscriptions:
            self.subscribed.set()
        for topic in subscriptions:
            options = SubscribeOptions(qos=1, noLocal=True) if self._version == 5 else None
            if options is not None:
                self._client.subscribe(topic, options=options)
            else:
                self._client.subscribe(topic, qos=1)

    def _connect(self) -> None:
        host, port = self._address.host, self._address.port
        if self._version == 5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = _SESSION_EXPIRY_S
            properties.ReceiveMaximum = _RECEIVE_MAXIMUM
            self._client.connect(host, port, _KEEPALIVE_S, clean_start=False, properties=properties)
        else:
            self._client.connect(host, port, _KEEPALIVE_S)

    async def take(self, wait_s: float) -> list[Delivery]:
        """What has arrived, at most 500, in order; waits for a first message. Empty: none came, or the link is down."""
        if not self._queue:
            self._arrived.clear()
            if not self._queue and not self._lost.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._arrived.wait()
        taken = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]
        if taken:
            self._room.release(len(taken))
        return taken

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these are safe. On a connection that is gone it does nothing: they come again."""
        for delivery in deliveries:
            if delivery.qos:
                self._client.ack(delivery.mid, delivery.qos)

    async def publish(self, topic: str, payload: bytes, qos: int, wait_s: float) -> None:
        """Raises DriverFailed when the broker has not confirmed it in that time (`qos` 1), or is not there."""
        if self.is_lost:
            raise DriverFailed("the MQTT broker is not connected")
        info = self._client.publish(topic, payload, qos=qos)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise DriverFailed("the MQTT broker did not take the message")
        if qos == 0:
            return
        # The confirmation is told to this loop, so it cannot come between these two lines.
        confirmed = self._unconfirmed[info.mid] = self._loop.create_future()
        try:
            async with asyncio.timeout(wait_s):
                await confirmed
        except TimeoutError as error:
            raise DriverFailed("the MQTT broker did not confirm the message") from error
        finally:
            self._unconfirmed.pop(info.mid, None)

    @property
    def is_lost(self) -> bool:
        return self._lost.is_set() or not self._connected.done()

    async def close(self) -> None:
        """Disconnect (the session stays at the broker) and end the network thread."""
        self._closing.set()
        self._client.disconnect()
        await self._loop.run_in_executor(None, self._client.loop_stop)
        self._mark_lost("closed")

    # --- below: called on the network thread

    def _on_connect(self, _c: Any, _u: Any, flags: paho.ConnectFlags, code: ReasonCode, _p: Any) -> None:
        if code.is_failure:
            self._tell(self._refuse, str(code), True)
            return
        self._names.begin(session_present=flags.session_present)
        self._tell(self._accept)

    def _on_connect_fail(self, _c: Any, _u: Any) -> None:
        self._tell(self._refuse, "the connection failed", False)

    def _on_disconnect(self, _c: Any, _u: Any, _f: Any, code: ReasonCode, _p: Any) -> None:
        self._tell(self._mark_lost, str(code))

    def _on_subscribe(self, _c: Any, _u: Any, _mid: int, codes: list[ReasonCode], _p: Any) -> None:
        refused = [str(code) for code in codes if code.is_failure]
        if refused:
            _log.warning("mqtt %s: a subscription was refused: %s", self._address.text, refused[0])
        self._tell(self._answered)

    def _on_publish(self, _c: Any, _u: Any, mid: int, _r: Any, _p: Any) -> None:
        self._tell(self._confirm, mid)

    def _on_message(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        if self._closing.is_set():
            return  # not acknowledged: it comes again
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "?"
        body = bytes(message.payload)
        token = self._names.name(topic, body, message.qos, message.mid)
        while not self._room.acquire(timeout=0.2):
            if self._closing.is_set():
                return
        self._queue.append(
            Delivery(
                topic=topic, body=body, qos=message.qos, mid=message.mid,
                is_retained=message.retain, is_repeat=message.dup, token=token,
            )
        )  # fmt: skip
        if not self._arrived.is_set():
            self._tell(self._arrived.set)

    def _tell(self, call: Any, *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop ended before the thread did
            self._loop.call_soon_threadsafe(call, *args)

    # --- below: on the event loop, by the network thread's wish

    def _accept(self) -> None:
        if not self._connected.done():
            self._connected.set_result(None)

    def _answered(self) -> None:
        self._unanswered -= 1
        if self._unanswered <= 0:
            self.subscribed.set()

    def _refuse(self, reason: str, spoke: bool) -> None:
        if not self._connected.done():
            self._connected.set_exception(ConnectionRefused(reason, spoke=spoke))

    def _mark_lost(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._refuse(reason, False)
        if self._connected.done() and not self._connected.cancelled():
            self._connected.exception()  # seen: nobody may be waiting any more
        self._lost.set()
        self._arrived.set()
        self.subscribed.set()  # nobody waits for an answer that will not come

    def _confirm(self, mid: int) -> None:
        future = self._unconfirmed.pop(mid, None)
        if future is not None and not future.done():
            future.set_result(None)
