"""Stands where the MQTT library expects its socket: reads much at once, keeps messages for us, writes much at once.

The library asks its socket for a byte, a byte and the rest of each packet, and builds a dozen objects for each message.
Here one read serves hundreds of messages, which never reach the library; everything else does, as it came.
"""

import socket
import ssl
from collections.abc import Sequence
from typing import Final

from pipeline.mqtt.frames import Frames, Publish

_READ_BYTES: Final = 128 * 1024
#: Reads in a row, so that others get their turn.
_READS: Final = 4


class Wire:
    """A connected socket. `recv` and `send` are the library's side: they never block and never touch the network."""

    def __init__(self, connected: socket.socket, *, is_v5: bool) -> None:
        self._socket = connected
        self._frames = Frames(is_v5=is_v5)
        self._inbox = b""
        self._outbox: list[bytes] = []
        self._waiting = 0

    def fileno(self) -> int:
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:
        self._socket.setblocking(flag)

    def recv(self, size: int) -> bytes:
        """Raises BlockingIOError when there is no more."""
        if not self._inbox:
            raise BlockingIOError
        taken, self._inbox = self._inbox[:size], self._inbox[size:]
        return taken

    def send(self, data: bytes | bytearray) -> int:
        self._outbox.append(bytes(data))
        self._waiting += len(data)
        return len(data)

    def pending(self) -> int:
        return len(self._inbox)

    def close(self) -> None:
        """What is still to be written is tried once: it may be the goodbye."""
        try:
            self.flush()
        except OSError:
            pass
        finally:
            self._socket.close()

    # --- below: our side

    def receive(self) -> Sequence[Publish | bytes]:
        """The packets that have arrived since.

        Raises:
            Malformed: what came is not MQTT.
            ConnectionError: the other side has closed.
            OSError: the connection is broken.
        """
        data, reads = b"", 0
        while reads < _READS or self._has_more():
            reads += 1
            try:
                piece = self._socket.recv(_READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            if not piece:
                if data:
                    break  # what came before the end counts; the end is met again at the next read
                raise ConnectionResetError("the broker closed the connection")
            data = data + piece if data else piece
            if len(piece) < _READ_BYTES and not self._has_more():
                break
        return self._frames.feed(data) if data else ()

    def _has_more(self) -> bool:
        """A TLS record may be read and not handed out yet: no readiness tells of it."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def hand_over(self, packet: bytes) -> None:
        """The library reads this packet next."""
        self._inbox += packet

    @property
    def waiting_bytes(self) -> int:
        """Still to be written."""
        return self._waiting

    def flush(self) -> bool:
        """Write what waits; False when the network takes no more just now.

        Raises:
            OSError: the connection is broken.
        """
        while self._outbox:
            data = self._outbox[0] if len(self._outbox) == 1 else b"".join(self._outbox)
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                sent = 0
            self._waiting -= sent
            self._outbox = [data[sent:]] if sent < len(data) else []
            if not sent:
                return False
        return True

    def say_no_more(self) -> None:
        """Nothing is written from here on; what comes can still be read.

        Raises:
            OSError: the connection is broken.
        """
        self._socket.shutdown(socket.SHUT_WR)

    def is_over(self) -> bool:
        """Whether the other side has closed; what it says until then is read and dropped.

        Raises:
            OSError: the connection is broken.
        """
        try:
            return not all(self._socket.recv(_READ_BYTES) for _ in range(_READS))
        except BlockingIOError:
            return False
