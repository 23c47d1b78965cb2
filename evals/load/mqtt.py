"""Messages of a load run over MQTT 3.1.1 with QoS 1: what counts as accepted is the broker's own confirmation."""

import asyncio
import ssl
import time
from typing import Final

from evals.load.events import Events
from evals.load.plan import Plan
from evals.load.result import Result
from homeguard.errors import InvalidInput, StoreUnavailable
from homeguard.ids import new_id
from pipeline.mqtt.address import BrokerAddress

#: Messages under way at a time on one connection.
IN_FLIGHT: Final = 50
_CONNACK, _PUBACK = 0x20, 0x40
#: MQTT's keep-alive is off: a run is never silent for long, and ends.
_KEEP_ALIVE_S: Final = 0


class MqttLine:
    """One connection to the broker, shared by `IN_FLIGHT` senders."""

    def __init__(self, address: BrokerAddress, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._next = 0

    async def open(self) -> None:
        """Raises StoreUnavailable: the broker does not answer, or does not let us in."""
        tls = ssl.create_default_context() if self._address.is_tls else None
        try:
            async with asyncio.timeout(self._timeout_s):
                reader, self._writer = await asyncio.open_connection(self._address.host, self._address.port, ssl=tls)
                self._writer.write(_connect(self._address))
                kind, body = await _packet(reader)
        except (OSError, EOFError, TimeoutError) as error:
            raise StoreUnavailable(f"{self._address.text} does not answer: {error}") from error
        if kind != _CONNACK or body[1:2] != b"\x00":
            raise StoreUnavailable(f"{self._address.text} does not let us in")
        self._reading = asyncio.create_task(self._read(reader))

    async def publish(self, topic: str, body: bytes) -> None:
        """Returns when the broker has confirmed it. Raises OSError: the connection is gone."""
        if self._writer is None or self._reading is None or self._reading.done():
            raise ConnectionError("the broker hung up")
        number = self._free_number()
        waits = self._waiting[number] = asyncio.get_running_loop().create_future()
        name = topic.encode()
        rest = len(name).to_bytes(2, "big") + name + number.to_bytes(2, "big") + body
        try:
            self._writer.write(b"\x32" + variable_length(len(rest)) + rest)
            await self._writer.drain()
            await waits
        finally:
            del self._waiting[number]

    async def close(self) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(b"\xe0\x00")
            self._writer.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def _free_number(self) -> int:
        while True:
            self._next = self._next % 65_535 + 1
            if self._next not in self._waiting:
                return self._next

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                kind, body = await _packet(reader)
                waits = self._waiting.get(int.from_bytes(body[:2], "big")) if kind == _PUBACK else None
                if waits is not None and not waits.done():
                    waits.set_result(None)
        except (OSError, EOFError):
            pass
        finally:
            for waits in self._waiting.values():
                if not waits.done():
                    waits.set_exception(ConnectionError("the broker hung up"))


class MqttSender:
    """A `Sender` on a line that it shares."""

    def __init__(self, line: MqttLine, home_id: str, events: Events, plan: Plan) -> None:
        if plan.batch != 1:
            raise InvalidInput("over MQTT each event is a message: leave --batch out", field="batch")
        self._line = line
        self._home_id = home_id
        self._events = events
        self._plan = plan

    async def send(self, due: float, result: Result) -> None:
        topic, body = self._events.message(self._home_id)
        try:
            async with asyncio.timeout(self._plan.timeout_s):
                await self._line.publish(topic, body)
        except TimeoutError:
            result.unanswered(1, "no answer in time")
        except OSError as error:
            result.unanswered(1, type(error).__name__)
            # nobody answers here any more: the rest of the run is not to be over in a moment
            await asyncio.sleep(0.1)
        else:
            result.sent_bytes += len(body)
            result.answered(200, 1, time.perf_counter() - due)

    async def close(self) -> None:
        await self._line.close()


def _connect(address: BrokerAddress) -> bytes:
    flags, texts = 0x02, [f"homeguard-load-{new_id()[-8:]}"]
    if address.user:
        flags, texts = flags | 0x80, [*texts, address.user]
        if address.password:
            flags, texts = flags | 0x40, [*texts, address.password]
    said = b"".join(len(raw).to_bytes(2, "big") + raw for raw in (text.encode() for text in texts))
    rest = b"\x00\x04MQTT\x04" + bytes((flags,)) + _KEEP_ALIVE_S.to_bytes(2, "big") + said
    return b"\x10" + variable_length(len(rest)) + rest


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    kind = (await reader.readexactly(1))[0] & 0xF0
    size = shift = 0
    while True:
        digit = (await reader.readexactly(1))[0]
        size |= (digit & 0x7F) << shift
        shift += 7
        if not digit & 0x80 or shift > 21:
            return kind, await reader.readexactly(size)


def variable_length(size: int) -> bytes:
    """MQTT's variable length."""
    out = bytearray()
    while True:
        size, digit = divmod(size, 128)
        out.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(out)
