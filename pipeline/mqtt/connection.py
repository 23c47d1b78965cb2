"""One connection to a broker: the MQTT library beside our own event loop, and a bounded queue of what was said."""

import asyncio
import collections
import contextlib
import logging
import socket
import ssl
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
from pipeline.mqtt.frames import MAX_PACKET_BYTES, Malformed, Publish
from pipeline.mqtt.wire import Wire

_log = logging.getLogger(__name__)

MAX_BATCH: Final = 500
#: How many unacknowledged messages a v5 broker may have under way (Mosquitto's own default of 20 starves a commit).
RECEIVE_MAXIMUM: Final = 2000
_QUEUE: Final = 4 * MAX_BATCH
_QUEUE_BYTES: Final = 32 * 1024 * 1024
_OUT_BYTES: Final = 4 * 1024 * 1024
_KEEPALIVE_S: Final = 30
_TICK_S: Final = 5.0
_CONNECT_TIMEOUT_S: Final = 5.0
_SESSION_EXPIRY_S: Final = 7 * 24 * 3600
_PINGREQ: Final = b"\xc0\x00"
_DISCONNECT: Final = b"\xe0\x00"
#: How long a broker may take to read to the end what was said before the goodbye.
_PARTING_S: Final = 2.0
_LOOK_S: Final = 0.005


class ConnectionRefused(Exception):
    """The broker said no, or did not answer; `spoke` is False when it did not even say so."""

    def __init__(self, reason: str, *, spoke: bool) -> None:
        super().__init__(reason)
        self.spoke = spoke


class _Client(paho.Client):
    """The library, with our wire in the place of its socket."""

    def _create_socket(self) -> Any:
        made: Any = super()._create_socket()
        # an order to a device is a small packet behind others: it would wait 40 ms for their acknowledgement
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Wire(made, is_v5=self._protocol == paho.MQTTv5)


class Connection:
    """Messages in, in order, acknowledged only by `acknowledge`; messages out, awaited until the broker has them.

    When the queue is full nothing is read any more, so the broker keeps the rest: nothing is dropped here. All of it
    runs on the event loop; only the connecting, which waits for the network, has a thread.
    """

    def __init__(self, address: BrokerAddress, client_id: str, names: DeliveryNames, *, version: int) -> None:
        self._address = address
        self._names = names
        self._version = version
        self._loop = asyncio.get_running_loop()
        self._queue: collections.deque[Publish] = collections.deque()
        self._queued_bytes = 0
        self._wire: Wire | None = None
        self._descriptor = -1
        self._is_reading = self._is_writing = False
        self._ticker: asyncio.TimerHandle | None = None
        self._connecting: asyncio.Future[None] | None = None
        self._arrived = asyncio.Event()
        self._lost = asyncio.Event()
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._unconfirmed: dict[int, asyncio.Future[None]] = {}
        self._client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=paho.MQTTv5 if version == 5 else paho.MQTTv311,
            clean_session=None if version == 5 else False,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if address.user:
            self._client.username_pw_set(address.user, address.password)
        if address.is_tls:
            self._client.tls_set_context(ssl.create_default_context())
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_socket_close = self._on_socket_close
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
                self._connecting = self._loop.run_in_executor(None, self._connect)
                await asyncio.shield(self._connecting)
                self._watch()
                await self._connected
        except (OSError, ValueError) as error:
            raise ConnectionRefused(f"{type(error).__name__}: {error}", spoke=False) from error
        except TimeoutError as error:
            raise ConnectionRefused("no answer", spoke=False) from error
        if self._names.is_new:
            await self._loop.run_in_executor(None, self._names.keep)
        self._unanswered = len(subscriptions)
        if not subscriptions:
            self.subscribed.set()
        for topic in subscriptions:
            if self._version == 5:
                self._client.subscribe(topic, options=SubscribeOptions(qos=1, noLocal=True))
            else:
                self._client.subscribe(topic, qos=1)
        self._flush()

    def _connect(self) -> None:
        host, port = self._address.host, self._address.port
        if self._version == 5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = _SESSION_EXPIRY_S
            properties.ReceiveMaximum = RECEIVE_MAXIMUM
            properties.MaximumPacketSize = MAX_PACKET_BYTES
            self._client.connect(host, port, _KEEPALIVE_S, clean_start=False, properties=properties)
        else:
            self._client.connect(host, port, _KEEPALIVE_S)

    def _watch(self) -> None:
        wire = self._client.socket()
        if not isinstance(wire, Wire):
            raise ConnectionResetError("the connection was closed at once")
        self._wire, self._descriptor = wire, wire.fileno()
        self._read_on()
        self._ticker = self._loop.call_later(_TICK_S, self._tick)
        self._flush()

    async def take(self, wait_s: float, limit: int = MAX_BATCH) -> list[Delivery]:
        """What has arrived, at most `limit`, in order; waits for a first message. Empty: none came, or the link is
        down."""
        if not self._queue:
            self._arrived.clear()
            if not self._queue and not self._lost.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._arrived.wait()
        taken = []
        for _ in range(min(len(self._queue), limit)):
            said = self._queue.popleft()
            self._queued_bytes -= len(said.body)
            taken.append(
                Delivery(
                    topic=said.topic, body=said.body, qos=said.qos, mid=said.mid, is_retained=said.is_retained,
                    is_repeat=said.is_repeat, token=self._names.name(said.topic, said.body, said.qos, said.mid),
                )
            )  # fmt: skip
        if self._names.is_new and taken:
            await self._loop.run_in_executor(None, self._names.keep)
        if not self._is_reading and not self._is_full(0.5) and not self._lost.is_set():
            self._read_on()
        return taken

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these are safe. On a connection that is gone it does nothing: they come again."""
        if self._wire is None or self._lost.is_set():
            return
        self._wire.send(b"".join([b"\x40\x02" + d.mid.to_bytes(2, "big") for d in deliveries if d.qos]))
        self._flush()

    async def publish(self, topic: str, payload: bytes, qos: int, wait_s: float) -> None:
        """Raises DriverFailed when the broker has not confirmed it in that time (`qos` 1), or is not there."""
        if self.is_lost or self._wire is None:
            raise DriverFailed("the MQTT broker is not connected")
        if self._wire.waiting_bytes > _OUT_BYTES:
            raise DriverFailed("the MQTT broker does not read")
        info = self._client.publish(topic, payload, qos=qos)
        self._flush()
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise DriverFailed("the MQTT broker did not take the message")
        if qos == 0:
            return
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
        """Disconnect; the session stays at the broker, which has read all that was acknowledged, or had two seconds."""
        if self._connecting is not None and not self._connecting.done():
            await asyncio.wait([self._connecting], timeout=_CONNECT_TIMEOUT_S)
        if self._connecting is not None and self._connecting.done() and not self._connecting.cancelled():
            self._connecting.exception()  # seen, if nobody waited for it any more
        open_wire = None if self.is_lost or self._connected.cancelled() else self._wire
        self._mark_lost("closed")
        try:
            if open_wire is not None:
                await _part(open_wire)
        finally:
            self._client.disconnect()

    def _is_full(self, share: float = 1.0) -> bool:
        return len(self._queue) >= _QUEUE * share or self._queued_bytes >= _QUEUE_BYTES * share

    def _read_on(self) -> None:
        self._is_reading = True
        self._loop.add_reader(self._descriptor, self._readable)

    def _read_no_more(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._descriptor)

    def _unwatch(self) -> None:
        self._read_no_more()
        if self._is_writing:
            self._is_writing = False
            self._loop.remove_writer(self._descriptor)

    def _readable(self) -> None:
        wire = self._wire
        if wire is None or self._lost.is_set():
            return
        try:
            for packet in wire.receive():
                if isinstance(packet, Publish):
                    self._put(packet)
                else:
                    wire.hand_over(packet)
                    while wire.pending() and not self._lost.is_set():
                        self._client.loop_read()
        except (Malformed, OSError) as error:
            self._mark_lost(str(error) or type(error).__name__)
        except Exception as error:  # whatever the library meets in these bytes is no reason to stop everything else
            _log.exception("mqtt %s: a packet could not be read", self._address.text)
            self._mark_lost(f"a packet could not be read ({type(error).__name__})")
        else:
            self._flush()
        if self._queue:
            self._arrived.set()
        if self._is_full():
            self._read_no_more()

    def _put(self, message: Publish) -> None:
        if not self._connected.done():
            raise Malformed("a message before the connection was accepted")
        self._queue.append(message)
        self._queued_bytes += len(message.body)

    def _flush(self) -> None:
        wire = self._wire
        if wire is None or self._lost.is_set():
            return
        try:
            if self._client.want_write():
                self._client.loop_write()
            is_out = self._lost.is_set() or wire.flush()
        except OSError as error:
            self._mark_lost(str(error) or type(error).__name__)
            return
        if is_out == self._is_writing and not self._lost.is_set():
            self._is_writing = not is_out
            if is_out:
                self._loop.remove_writer(self._descriptor)
            else:
                self._loop.add_writer(self._descriptor, self._flush)

    def _tick(self) -> None:
        """Keeps the connection alive. While nothing is read, an answer of the broker cannot be seen either."""
        if self._lost.is_set() or self._wire is None:
            return
        if self._is_reading:
            self._client.loop_misc()
        else:
            self._wire.send(_PINGREQ)
        self._flush()
        if not self._lost.is_set():
            self._ticker = self._loop.call_later(_TICK_S, self._tick)

    # --- below: the library's callbacks; they run within the calls above

    def _on_connect(self, _c: Any, _u: Any, flags: paho.ConnectFlags, code: ReasonCode, _p: Any) -> None:
        if code.is_failure:
            self._refuse(str(code), True)
            return
        self._names.begin(session_present=flags.session_present)
        if not self._connected.done():
            self._connected.set_result(None)

    def _on_disconnect(self, _c: Any, _u: Any, _f: Any, code: ReasonCode, _p: Any) -> None:
        if self._wire is not None:
            self._mark_lost(str(code))

    def _on_socket_close(self, _c: Any, _u: Any, _s: Any) -> None:
        self._unwatch()

    def _on_subscribe(self, _c: Any, _u: Any, _mid: int, codes: list[ReasonCode], _p: Any) -> None:
        refused = [str(code) for code in codes if code.is_failure]
        if refused:
            _log.warning("mqtt %s: a subscription was refused: %s", self._address.text, refused[0])
        self._unanswered -= 1
        if self._unanswered <= 0:
            self.subscribed.set()

    def _on_publish(self, _c: Any, _u: Any, mid: int, _r: Any, _p: Any) -> None:
        future = self._unconfirmed.pop(mid, None)
        if future is not None and not future.done():
            future.set_result(None)

    def _refuse(self, reason: str, spoke: bool) -> None:
        if not self._connected.done():
            self._connected.set_exception(ConnectionRefused(reason, spoke=spoke))

    def _mark_lost(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._refuse(reason, False)
        if self._connected.done() and not self._connected.cancelled():
            self._connected.exception()  # seen: nobody may be waiting any more
        self._lost.set()
        if self._ticker is not None:
            self._ticker.cancel()
        self._unwatch()
        self._arrived.set()
        self.subscribed.set()  # nobody waits for an answer that will not come


async def _part(wire: Wire) -> None:
    """Say goodbye, and hear the broker out: a socket closed on words that were not read resets the connection, and the
    last acknowledgements would be lost with it."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PARTING_S):
            wire.send(_DISCONNECT)
            while not wire.flush():  # noqa: ASYNC110 - two seconds at most, and only at the end
                await asyncio.sleep(_LOOK_S)
            wire.say_no_more()
            while not wire.is_over():  # noqa: ASYNC110 - as above
                await asyncio.sleep(_LOOK_S)
