"""Cuts what a broker sends into packets: PUBLISH is read here, because there are thousands a second; others are not."""

from collections.abc import Sequence
from typing import Final

import msgspec

#: Of a packet that is larger only so much is kept: more than any payload that is taken (the longest is 8 MiB).
MAX_PACKET_BYTES: Final = 9 * 1024 * 1024

_PUBLISH: Final = 3
_EMPTY: Final[Sequence["Publish | bytes"]] = ()


class Malformed(Exception):
    """These bytes are not MQTT; the text says why."""


class Publish(msgspec.Struct, frozen=True, gc=False):
    """A message with QoS 0 or 1; `mid` is 0 for QoS 0. A topic that is not UTF-8 holds U+FFFD."""

    topic: str
    body: bytes
    qos: int
    mid: int
    is_retained: bool
    is_repeat: bool


class Frames:
    """The packets of one connection, in order, from pieces of any length."""

    def __init__(self, *, is_v5: bool, limit: int = MAX_PACKET_BYTES) -> None:
        self._is_v5 = is_v5
        self._limit = limit
        self._pieces: list[bytes] = []
        self._have = 0
        self._need = 0
        self._skip = 0

    def feed(self, data: bytes) -> Sequence[Publish | bytes]:
        """The packets that are complete now: messages, and whole packets of other kinds as they came.

        A message that is larger than the limit loses its end, so that whoever reads it finds it too large.

        Raises:
            Malformed: nothing behind these bytes can be read any more.
        """
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if self._pieces:
            self._pieces.append(data)
            self._have += len(data)
            if self._have < self._need:
                return _EMPTY
            data = b"".join(self._pieces)
            self._pieces.clear()
        found: list[Publish | bytes] = []
        at, end = 0, len(data)
        while end - at >= 2:
            start, length = at + 2, data[at + 1]
            if length & 0x80:
                # nearly every message has 128 to 16,383 bytes
                if start < end and data[start] < 0x80:
                    length, start = (length & 0x7F) | data[start] << 7, start + 1
                else:
                    length, start = _length(data, at + 1, end)
                if not start:  # the length itself is not complete
                    self._need = end - at + 1
                    break
            after = start + length
            cut = after
            if after - at > self._limit:
                if data[at] >> 4 != _PUBLISH:
                    raise Malformed(f"a packet of {length} bytes")
                cut = at + self._limit
            if cut > end:
                self._need = cut - at
                break
            if data[at] >> 4 == _PUBLISH and data[at] & 0x06 != 0x04:
                found.append(self._publish(data, data[at], start, cut))
            else:
                found.append(data[at:cut])
            if after > end:
                self._skip = after - end
                return found
            at = after
        else:
            self._need = 2
        if at < end:
            self._pieces.append(data[at:])
        self._have = end - at
        return found

    def _publish(self, data: bytes, head: int, at: int, end: int) -> Publish:
        """The message between these places; `head` is its first byte."""
        qos = head >> 1 & 3
        if qos == 3:
            raise Malformed("a message with QoS 3")
        named = at + 2
        at = named + (data[at] << 8 | data[at + 1]) if named <= end else end + 1
        text = data[named:at]
        mid = 0
        if qos:
            at += 2
            if at <= end:
                mid = data[at - 2] << 8 | data[at - 1]
        if self._is_v5:
            at = _behind_properties(data, at, end) if at < end else end + 1
        if at > end:
            raise Malformed("a message that ends too early")
        if not text or (qos and not mid):
            raise Malformed("a message without a topic or an id")
        return Publish(text.decode("utf-8", "replace"), data[at:end], qos, mid, head & 1 == 1, head & 8 == 8)


def _behind_properties(data: bytes, at: int, end: int) -> int:
    """The place behind them, which lies behind `end` when they are cut off. What they say is not asked."""
    if data[at] < 0x80:
        return at + 1 + data[at]
    size, at = _length(data, at, end)
    return at + size if at else end + 1


def _length(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A length of one to four bytes, and the place behind it; 0 for the place when it is not complete."""
    length = shift = 0
    while at < end:
        digit = data[at]
        at += 1
        length |= (digit & 0x7F) << shift
        if digit < 0x80:
            return length, at
        shift += 7
        if shift > 21:
            raise Malformed("a length of more than four bytes")
    return 0, 0
