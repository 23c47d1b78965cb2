"""A proxy on loopback between a program and a server that can be as ill as a network: for tests of faults."""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from random import Random
from typing import Any, Final, Literal, TypeAlias

#: pass: as if it were not there. refused: nobody listens, what was open is reset. black_holed: connections are taken,
#: and nothing passes either way until it is over. reset: every connection is reset in the middle of an answer. late:
#: everything arrives two seconds later. slow: a few hundred bytes a second.
Fault: TypeAlias = Literal["pass", "refused", "black_holed", "reset", "late", "slow"]

FAULTS: Final[tuple[Fault, ...]] = ("refused", "black_holed", "reset", "late", "slow")
LATE_S: Final = 2.0
_CHUNK: Final = 65_536
_TRICKLE: Final = 32
_TRICKLE_S: Final = 0.1
#: Chunks of one direction that wait to be written; behind them the sender is held back.
_WAITING: Final = 256
#: An answer is cut after so many bytes, at random.
_CUT: Final = (1, 2_000)


class FaultProxy:
    """Listens on `port` and passes on to `upstream` (a port of this machine too, which may be set later).

    Made by `proxies`; every method may be called from any thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, port: int, upstream: int = 0) -> None:
        self.port = port
        self.upstream = upstream
        #: Connections that were taken so far.
        self.taken = 0
        self._loop = loop
        self._fault: Fault = "pass"
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._random = Random(port)

    @property
    def fault(self) -> Fault:
        return self._fault

    def be(self, fault: Fault) -> None:
        """From the return of this on it is so."""
        self._run(self._be(fault))

    @contextmanager
    def having(self, fault: Fault) -> Iterator[None]:
        """So for the length of the block, and well afterwards."""
        self.be(fault)
        try:
            yield
        finally:
            self.be("pass")

    def close(self) -> None:
        self._run(self._close())

    # --- in the loop

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port, limit=_CHUNK)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in list(self._links):
            link.cut()

    async def _be(self, fault: Fault) -> None:
        before, self._fault = self._fault, fault
        if fault == "refused":
            await self._close()
        elif before == "refused":
            await self._listen()
        for link in self._links:
            link.budget = self._budget()
        self._changed.set()
        self._changed = asyncio.Event()

    def _budget(self) -> int:
        return self._random.randint(*_CUT)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        link = _Link(writer, self._budget())
        self._links.add(link)
        try:
            await self._passes()
            there, back = await asyncio.open_connection("127.0.0.1", self.upstream, limit=_CHUNK)
            link.back = back
            asked = asyncio.create_task(self._pump(reader, back, link, is_answer=False))
            answered = asyncio.create_task(self._pump(there, writer, link, is_answer=True))
            try:
                await asyncio.wait((asked, answered, link.is_cut), return_when=asyncio.FIRST_COMPLETED)
                if not link.is_cut.done():
                    # one side has said all that it wanted; the other may still have something to say
                    await asyncio.wait((asked, answered, link.is_cut), timeout=5.0)
            finally:
                asked.cancel()
                answered.cancel()
                await asyncio.gather(asked, answered, return_exceptions=True)
        except OSError:
            link.cut()
        finally:
            self._links.discard(link)
            link.close()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, link: "_Link", *, is_answer: bool
    ) -> None:
        """One direction, until its source ends; a chunk is written when it is due."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_WAITING)
        writing = asyncio.create_task(self._write(waiting, sink, link, is_answer=is_answer))
        try:
            while True:
                data = await source.read(_CHUNK)
                due = self._loop.time() + (LATE_S if self._fault == "late" else 0.0)
                put = asyncio.create_task(waiting.put((due, data)))
                await asyncio.wait((put, writing), return_when=asyncio.FIRST_COMPLETED)
                if writing.done():
                    put.cancel()
                    return
                if not data:
                    await writing
                    return
        except OSError:
            # the side that is gone is gone for the other too
            link.cut()
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _write(
        self,
        waiting: "asyncio.Queue[tuple[float, bytes]]",
        sink: asyncio.StreamWriter,
        link: "_Link",
        *,
        is_answer: bool,
    ) -> None:
        try:
            while True:
                due, data = await waiting.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                await self._passes()
                if not data:
                    with suppress(OSError, NotImplementedError):
                        sink.write_eof()
                    return
                while data:
                    await self._passes()
                    part = data[:_TRICKLE] if self._fault == "slow" else data
                    if is_answer and self._fault == "reset" and len(part) >= link.budget:
                        sink.write(part[: link.budget - 1])
                        # what was written so far goes out first: the stream breaks in its middle
                        await asyncio.sleep(0.01)
                        link.cut()
                        return
                    if self._fault == "reset":
                        link.budget -= len(part) if is_answer else 0
                    sink.write(part)
                    await sink.drain()
                    data = data[len(part) :]
                    if data and self._fault == "slow":
                        await asyncio.sleep(_TRICKLE_S)
        except OSError:
            link.cut()

    async def _passes(self) -> None:
        """Waits while nothing passes."""
        while self._fault == "black_holed":
            await self._changed.wait()

    def _run(self, work: Any) -> None:
        told: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        told.result(timeout=10)


class _Link:
    """A connection and its other half; `budget`: bytes of answers that still pass while it is to be reset."""

    def __init__(self, front: asyncio.StreamWriter, budget: int) -> None:
        self.front = front
        self.back: asyncio.StreamWriter | None = None
        self.budget = budget
        self.is_cut: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def cut(self) -> None:
        """Both halves are reset, as by a machine that knows nothing of them any more."""
        for writer in (self.front, self.back):
            if writer is not None:
                with suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
                writer.transport.abort()
        if not self.is_cut.done():
            self.is_cut.set_result(None)

    def close(self) -> None:
        for writer in (self.front, self.back):
            if writer is not None:
                writer.close()


@contextmanager
def proxies(*ports: tuple[int, int]) -> Iterator[list[FaultProxy]]:
    """A proxy for each pair of its own port and the server's, in a loop and thread of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxies", daemon=True)
    thread.start()
    made = [FaultProxy(loop, port, upstream) for port, upstream in ports]
    try:
        for proxy in made:
            proxy._run(proxy._listen())
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(_end(made), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()


async def _end(made: list[FaultProxy]) -> None:
    for proxy in made:
        await proxy._close()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
