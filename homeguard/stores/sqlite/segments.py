"""The files of the log: how a record lies on disk, where a file ends in good order, how records are read back.

A record is `length, crc32` and a body of that length: flags, time, lengths of topic, key and headers, then these and
the value. The last record of an append carries a flag, so that an append is whole or not there after a crash.
"""

import mmap
import os
import re
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

from homeguard.errors import PayloadTooLarge, StoreUnavailable
from homeguard.ports.log import NewRecord, Record
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.sqlite.columns import moment

RECORD_LIMIT: Final = 8 * 1024 * 1024

_FRAME: Final = struct.Struct("<II")
_HEAD: Final = struct.Struct("<BqHHI")
_LAST_OF_APPEND: Final = 1
_CHUNK: Final = 1024 * 1024
_NAME: Final = re.compile(r"(\d{20})\.log")
_NO_HEADERS: Final[dict[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Segment:
    """One file: the records from `first` (an offset) on."""

    first: int
    path: Path


@dataclass(frozen=True, slots=True)
class Scan:
    """What a file holds: `count` whole records in its first `good` bytes of `size`, the last appended at `last_at`."""

    count: int
    good: int
    size: int
    last_at: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where the record of an offset lies."""

    segment: Segment
    offset: int
    position: int


def segment_path(directory: Path, first: int) -> Path:
    return directory / f"{first:020d}.log"


def segments_in(directory: Path) -> list[Segment]:
    """Oldest first."""
    found = [(_NAME.fullmatch(path.name), path) for path in directory.iterdir()]
    return sorted((Segment(int(m[1]), path) for m, path in found if m is not None), key=lambda s: s.first)


def encode(records: Sequence[NewRecord], appended_at: int) -> bytes:
    """The records of one append as bytes; `appended_at` is in microseconds.

    Raises:
        PayloadTooLarge: a record is larger than 8 MiB, or a topic or key longer than 65,535 bytes.
    """
    parts: list[bytes] = []
    last = len(records) - 1
    # Records that came together share their headers: one object for each lane.
    written: dict[int, bytes] = {}
    for number, record in enumerate(records):
        topic, key, value = record.topic.encode(), record.key.encode(), record.value
        headers = written.get(id(record.headers))
        if headers is None:
            headers = json_text(record.headers).encode() if record.headers else b""
            written[id(record.headers)] = headers
        if len(value) + len(headers) > RECORD_LIMIT or len(topic) > 0xFFFF or len(key) > 0xFFFF:
            raise PayloadTooLarge("a record of the log holds at most 8 MiB", field=f"records.{number}")
        flags = _LAST_OF_APPEND if number == last else 0
        head = _HEAD.pack(flags, appended_at, len(topic), len(key), len(headers))
        body = b"".join((head, topic, key, headers, value))
        parts += (_FRAME.pack(len(body), crc32(body)), body)
    return b"".join(parts)


def scan(segment: Segment) -> Scan:
    """Walk the whole file and check every record; what follows the last whole append is not good."""
    count = good = whole = last_at = 0
    size = segment.path.stat().st_size
    if size == 0:
        return Scan(0, 0, 0, 0)
    with segment.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        view = memoryview(data)
        try:
            position = number = 0
            while (length := _body_length(view, position)) is not None:
                body = position + _FRAME.size
                flags, at, *_ = _HEAD.unpack_from(view, body)
                position = body + length
                number += 1
                if flags & _LAST_OF_APPEND:
                    good, whole, last_at = position, number, at
            count = whole
        finally:
            view.release()
    return Scan(count, good, size, last_at)


def _body_length(view: memoryview, position: int) -> int | None:
    """The length of the body of the sound record at `position`; None when there is none."""
    if position + _FRAME.size + _HEAD.size > len(view):
        return None
    length, checksum = _FRAME.unpack_from(view, position)
    start = position + _FRAME.size
    if length < _HEAD.size or start + length > len(view) or crc32(view[start : start + length]) != checksum:
        return None
    return int(length)


def read_from(
    place: Place, *, end: int, wanted: frozenset[str] | None, limit: int, chunk: int
) -> tuple[list[Record], Place]:
    """Records of the wanted topics (None: of all) with offsets up to `end`, from one read of about `chunk` bytes.

    At most `limit`. Also where to go on; that is behind the last record looked at, wanted or not.

    Raises:
        StoreUnavailable: a record is damaged; names the file and the position.
    """
    found: list[Record] = []
    offset, position = place.offset, place.position
    data = _bytes_at(place, chunk)
    at = 0
    while offset < end and len(found) < limit and at + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(data, at)
        start = at + _FRAME.size
        if start + length > len(data):
            break
        body = data[start : start + length]
        if crc32(body) != checksum:
            raise StoreUnavailable(f"the record at byte {position + at} of {place.segment.path} is damaged")
        record = _record(body, offset, wanted)
        if record is not None:
            found.append(record)
        offset += 1
        at = start + length
    return found, Place(place.segment, offset, position + at)


def _bytes_at(place: Place, chunk: int) -> bytes:
    """About `chunk` bytes from there on: at least one whole record, when there is one."""
    try:
        fd = os.open(place.segment.path, os.O_RDONLY)
        try:
            data = os.pread(fd, chunk, place.position)
            if len(data) >= _FRAME.size:
                needed = _FRAME.size + _FRAME.unpack_from(data, 0)[0]
                if len(data) < needed <= _FRAME.size + _HEAD.size + 2 * 0xFFFF + RECORD_LIMIT:
                    data = os.pread(fd, needed, place.position)
            return data
        finally:
            os.close(fd)
    except OSError as error:
        raise StoreUnavailable(f"{place.segment.path} cannot be read: {error.strerror}") from error


def _record(body: bytes, offset: int, wanted: frozenset[str] | None) -> Record | None:
    _, at, topic_length, key_length, headers_length = _HEAD.unpack_from(body, 0)
    key = _HEAD.size + topic_length
    topic = body[_HEAD.size : key].decode()
    if wanted is not None and topic not in wanted:
        return None
    headers = key + key_length
    value = headers + headers_length
    return Record(
        topic=topic,
        partition=0,
        offset=offset,
        key=body[key:headers].decode(),
        value=body[value:],
        headers=json_value(body[headers:value].decode()) if headers_length else _NO_HEADERS,
        appended_at=moment(at),
    )


def locate(segment: Segment, offset: int) -> Place:
    """Where that offset lies in its segment, or where the segment ends when it does not reach so far."""
    for place, _ in _heads(segment):
        if place.offset == offset:
            return place
    return Place(segment, offset, segment.path.stat().st_size)


def first_since(segment: Segment, at: int) -> int | None:
    """The offset of the first record of the file that was appended at `at` (microseconds) or later."""
    return next((place.offset for place, appended_at in _heads(segment) if appended_at >= at), None)


def last_of(segment: Segment, topic: str, end: int, limit: int) -> list[Record]:
    """The last records of a topic in the file, before the offset `end`, oldest first.

    Raises:
        StoreUnavailable: a record is damaged; names the file and the position.
    """
    found: deque[Record] = deque(maxlen=limit)
    place, wanted = Place(segment, segment.first, 0), frozenset((topic,))
    while place.offset < end:
        some, after = read_from(place, end=end, wanted=wanted, limit=end, chunk=_CHUNK)
        if after == place:
            raise StoreUnavailable(f"the record at byte {place.position} of {segment.path} is cut off")
        found += some
        place = after
    return list(found)


def starts_at(segment: Segment) -> int | None:
    """When the first record of the file was appended, in microseconds; None when it has none."""
    return next((appended_at for _, appended_at in _heads(segment)), None)


def _heads(segment: Segment) -> Iterator[tuple[Place, int]]:
    """Every record's place and time, by the lengths alone."""
    size = segment.path.stat().st_size
    if size == 0:
        return
    with segment.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        position, offset = 0, segment.first
        while position + _FRAME.size + _HEAD.size <= size:
            length, _ = _FRAME.unpack_from(data, position)
            yield Place(segment, offset, position), _HEAD.unpack_from(data, position + _FRAME.size)[1]
            position += _FRAME.size + length
            offset += 1
