"""What just happened, told to every process through Redis' channels: at most once, in order, bounded."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec
from redis.asyncio import Connection

from homeguard.ids import new_id
from homeguard.ports.live_state import Live
from homeguard.stores.json_text import json_bytes
from homeguard.stores.redis.keys import Keys
from homeguard.stores.redis.server import CONNECT_DEADLINE_S, FAILURES, Server
from homeguard.stores.watching import EVERY_HOME, Watcher, gap

#: A connection that is silent for so long is asked whether it lives; after as long again it is given up.
_SILENT_S: Final = 2.0
_RETRY_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)

_log = logging.getLogger(__name__)


class _Wire(msgspec.Struct):
    """One item in a channel. `origin` names the process that published it."""

    origin: str
    home_id: str
    kind: str
    data: dict[str, Any]
    user_id: str = ""


class _Place:
    """Who listens to one channel in this process: `waiting` until the server confirms, then `watchers`."""

    def __init__(self) -> None:
        self.watchers: list[_Listener] = []
        self.waiting: deque[tuple[_Listener, asyncio.Future[None]]] = deque()
        #: The connection broke since the last confirmation.
        self.is_torn = False


class _Listener:
    def __init__(self, watcher: Watcher, without: str) -> None:
        self.watcher = watcher
        #: Items of this origin are left out.
        self.without = without


class RedisFeed:
    """A `LiveFeed`. One connection listens for all subscribers of this process; `listen` keeps it and runs as long as
    the feed is open. When it broke, each subscriber gets a `gap` (`{"missed": 0}`: nobody knows how many) as soon as it
    hears again.
    """

    def __init__(self, server: Server, keys: Keys) -> None:
        self._server = server
        self._keys = keys
        self._origin = new_id()
        self._places: dict[str, _Place] = {}
        self._connection: Connection | None = None
        self._sending = asyncio.Lock()
        self._wanted = asyncio.Event()

    async def publish(self, items: Sequence[Live]) -> None:
        """To `events:user:{home}` and `events:global`; a device's events also to `device:state:{uuid}`, the agent's
        answers also to `agent:response:{user}`."""
        commands = []
        for item in items:
            body = json_bytes(_Wire(self._origin, item.home_id, item.kind, dict(item.data), item.user_id))
            commands += [("PUBLISH", channel, body) for channel in self._channels(item)]
        if commands:
            await self._server.call_all(commands)

    def _channels(self, item: Live) -> list[str]:
        channels = [self._keys.events(item.home_id), self._keys.every_event]
        device_id = item.data.get("device_id")
        if item.kind == "device_event" and isinstance(device_id, str):
            channels.append(self._keys.changes(self._keys.uuid(item.home_id, device_id)))
        if item.kind == "agent_response" and item.user_id:
            channels.append(self._keys.answers(item.user_id))
        return channels

    @asynccontextmanager
    async def subscribe(
        self, home_id: str, *, user_id: str = "", limit: int = 256
    ) -> AsyncIterator[AsyncIterator[Live]]:
        """What is published from now on, by any process.

        Raises:
            StoreUnavailable: the server did not confirm it. Afterwards an outage is a `gap`, never an error.
        """
        channel = self._keys.every_event if home_id == EVERY_HOME else self._keys.events(home_id)
        listener = _Listener(Watcher(home_id, user_id, limit), "")
        async with self._listening(channel, listener):
            yield listener.watcher

    @asynccontextmanager
    async def subscribe_foreign(self, limit: int = 256) -> AsyncIterator[AsyncIterator[Live]]:
        """What other processes publish from now on, of every home: for a bridge into this process's own feed.

        Raises:
            StoreUnavailable: the server did not confirm it.
        """
        listener = _Listener(Watcher(EVERY_HOME, "", limit), self._origin)
        async with self._listening(self._keys.every_event, listener):
            yield listener.watcher

    @asynccontextmanager
    async def _listening(self, channel: str, listener: _Listener) -> AsyncIterator[None]:
        place = self._places.setdefault(channel, _Place())
        waiting = (listener, asyncio.get_running_loop().create_future())
        try:
            async with self._server.bounded():
                async with self._sending:
                    # Also for a channel that is heard already: the confirmation tells what comes before from after.
                    place.waiting.append(waiting)
                    self._wanted.set()
                    if self._connection is not None:
                        await self._connection.send_command("SUBSCRIBE", channel, check_health=False)
                await waiting[1]
            yield
        finally:
            with suppress(ValueError):
                place.watchers.remove(listener)
            with suppress(ValueError):
                place.waiting.remove(waiting)

    async def listen(self) -> None:
        """Keep the connection as long as somebody listens, for ever."""
        failures = 0
        while True:
            await self._wanted.wait()
            try:
                await self._follow()
            except Exception as error:
                if self._connection is not None:
                    failures = 0
                    # What is not the server's doing is our mistake: its place in the code is worth knowing.
                    traceback = None if isinstance(error, FAILURES) else error
                    _log.warning(
                        "the feed from Redis at %s broke off: %r", self._server.where, error, exc_info=traceback
                    )
                self._break_off(error)
            await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
            failures += 1

    def _break_off(self, error: Exception) -> None:
        self._connection = None
        for channel, place in list(self._places.items()):
            place.is_torn = place.is_torn or bool(place.watchers)
            while place.waiting:
                confirmed = place.waiting.popleft()[1]
                if not confirmed.done():
                    confirmed.set_exception(error)
            if not place.watchers:
                del self._places[channel]
        if not self._places:
            self._wanted.clear()

    async def _follow(self) -> None:
        """Connect, subscribe to all that is wanted, and hand out what comes, until the connection breaks."""
        connection = self._server.connection()
        try:
            async with asyncio.timeout(2 * CONNECT_DEADLINE_S):
                await connection.connect()
                async with self._sending:
                    channels = [
                        channel
                        for channel, place in self._places.items()
                        for _ in range(max(len(place.waiting), 1 if place.watchers else 0))
                    ]
                    if channels:
                        await connection.send_command("SUBSCRIBE", *channels, check_health=False)
                    self._connection = connection
            is_asked = False
            while True:
                message = await connection.read_response(timeout=_SILENT_S)
                if message is not None:
                    is_asked = False
                    await self._take(connection, message)
                elif is_asked:
                    raise TimeoutError("the connection is silent")
                else:
                    is_asked = True
                    async with self._sending:
                        await connection.send_command("PING", check_health=False)
        finally:
            await connection.disconnect(nowait=True)

    async def _take(self, connection: Connection, message: Sequence[Any]) -> None:
        if message[0] == b"subscribe":
            self._confirm(message[1].decode())
        elif message[0] == b"message":
            channel = message[1].decode()
            place = self._places.get(channel)
            if place is None or not (place.watchers or place.waiting):
                await self._leave(connection, channel)
            elif place.watchers:
                self._hand_out(place, message[2])

    def _confirm(self, channel: str) -> None:
        place = self._places.get(channel)
        if place is None:
            return
        if place.is_torn:
            place.is_torn = False
            for listener in place.watchers:
                listener.watcher.put(gap(listener.watcher.home_id, 0))
        if place.waiting:
            listener, confirmed = place.waiting.popleft()
            place.watchers.append(listener)
            if not confirmed.done():
                confirmed.set_result(None)

    async def _leave(self, connection: Connection, channel: str) -> None:
        """Nobody listens there any more. (Found out by a message, so that leaving never waits.)"""
        async with self._sending:
            place = self._places.get(channel)
            if place is None or not (place.watchers or place.waiting):
                self._places.pop(channel, None)
                await connection.send_command("UNSUBSCRIBE", channel, check_health=False)

    def _hand_out(self, place: _Place, body: bytes) -> None:
        try:
            wire = msgspec.json.decode(body, type=_Wire)
        except msgspec.DecodeError:
            _log.warning("something that is not ours was published in a channel of ours")
            return
        item = Live(home_id=wire.home_id, kind=wire.kind, data=wire.data, user_id=wire.user_id)
        for listener in place.watchers:
            if wire.origin != listener.without and listener.watcher.sees(item):
                listener.watcher.put(item)
