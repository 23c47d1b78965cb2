"""A broker that speaks raw bytes: it does what a test says after the subscriptions, also what no broker may do."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

CONNACK_5 = b"\x20\x03\x00\x00\x00"
CONNACK_4 = b"\x20\x02\x00\x00"


def packed(kind: int, body: bytes) -> bytes:
    """A packet with its first byte and the length before its body."""
    return bytes((kind,)) + length(len(body)) + body


def length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, digit = divmod(size, 128)
        out.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(out)


def said(
    topic: bytes, body: bytes, mid: int = 0, *, is_v5: bool = True, is_repeat: bool = False, properties: bytes = b""
) -> bytes:
    """A PUBLISH: QoS 1 with a packet id, QoS 0 without."""
    head = 0x30 | (0x02 if mid else 0) | (0x08 if is_repeat else 0)
    told = (length(len(properties)) + properties) if is_v5 else b""
    name = len(topic).to_bytes(2, "big") + topic
    return packed(head, name + (mid.to_bytes(2, "big") if mid else b"") + told + body)


@dataclass
class Session:
    """One accepted connection. `acknowledged` holds the packet ids of PUBACKs in the order in which they came."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    is_v5: bool = True
    connect: bytes = b""
    acknowledged: list[int] = field(default_factory=list)
    #: The bodies of the packets that the client published, with topic and id in front.
    published: list[bytes] = field(default_factory=list)
    pings: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def packet(self) -> tuple[int, bytes]:
        head = (await self.reader.readexactly(1))[0]
        size = shift = 0
        while True:
            digit = (await self.reader.readexactly(1))[0]
            size |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return head, await self.reader.readexactly(size)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def listen(self) -> None:
        """Answers subscriptions and pings, notes acknowledgements, until the client is gone."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head, body = await self.packet()
                if head >> 4 == 8:
                    answer = body[:2] + (b"\x00" if self.is_v5 else b"") + b"\x01"
                    self.writer.write(packed(0x90, answer))
                elif head >> 4 == 3:
                    self.published.append(body)
                elif head >> 4 == 4:
                    self.acknowledged.append(int.from_bytes(body[:2], "big"))
                elif head >> 4 == 12:
                    self.pings += 1
                    self.writer.write(b"\xd0\x00")
                elif head >> 4 == 14:
                    return

    async def heard(self, count: int) -> list[bytes]:
        async with asyncio.timeout(20):
            while len(self.published) < count:  # noqa: ASYNC110 - as below
                await asyncio.sleep(0.005)
        return self.published

    async def acknowledgements(self, count: int, limit_s: float = 20) -> None:
        async with asyncio.timeout(limit_s):
            while len(self.acknowledged) < count:  # noqa: ASYNC110 - a poll with an end is all that a test needs
                await asyncio.sleep(0.005)


@dataclass
class RawBroker:
    """`plan` runs for each session beside its listener, once the client's first packet is read; `accept` is the answer
    to that one. `sessions` grows with every connection."""

    port: int
    sessions: list[Session] = field(default_factory=list)
    plan: Callable[[Session], Awaitable[None]] | None = None
    accept: bytes | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def session(self, number: int) -> Session:
        """The one with that number, from 0, as soon as it is there."""
        async with asyncio.timeout(20):
            while len(self.sessions) <= number:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.005)
        return self.sessions[number]


@contextlib.asynccontextmanager
async def raw_broker(tls: ssl.SSLContext | None = None) -> AsyncIterator[RawBroker]:
    serving: set[asyncio.Task[None]] = set()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(serve(reader, writer)))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(reader, writer)
        try:
            _, session.connect = await session.packet()
            session.is_v5 = session.connect[6] == 5
            writer.write(broker.accept or (CONNACK_5 if session.is_v5 else CONNACK_4))
            broker.sessions.append(session)
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(session.listen())
                if broker.plan is not None:
                    await broker.plan(session)
                await listening
        except* (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            session.ended.set()
            writer.close()

    server = await asyncio.start_server(accepted, "127.0.0.1", 0, limit=1 << 24, ssl=tls)
    broker = RawBroker(server.sockets[0].getsockname()[1])
    try:
        yield broker
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
