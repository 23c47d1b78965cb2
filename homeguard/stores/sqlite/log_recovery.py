"""What the log's files hold after a crash, a power cut or bit rot: cut, repaired, and told.

What lies behind the last whole append of the last file was never acknowledged, as long as it lies behind the place up
to which the file is known to have been synced (`Seen`). Damage before that place, or in a file that is not the last,
is a loss: the sound records stay, empty ones stand for the lost, so that offsets keep their meaning, and the damaged
file is put aside.
"""

import itertools
import logging
import os
import re
import shutil
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from homeguard.errors import StartRefused
from homeguard.files import sync_directory
from homeguard.ports.log import RETRIES, NewRecord
from homeguard.stores.sqlite.seen import last_seen
from homeguard.stores.sqlite.segments import Scan, Segment, encode, scan, segment_path, segments_in

#: The topic of the empty records that stand for lost ones. No group reads it.
LOST: Final = "lost"
#: More than this many lost at one place is no damage but another log.
LOST_LIMIT: Final = 5_000_000
#: One group commit is at most about so long: sound records farther behind a damaged one were synced after it.
_GROUP_BYTES: Final = 2 * 1024 * 1024

_FRAME: Final = struct.Struct("<II")
_HEAD: Final = struct.Struct("<BqHHI")
#: A record's length and checksum, its flags, and a time between 1970 and 2112.
_LIKELY: Final = re.compile(rb"(?s)(?=.{8}[\x00\x01].{6}[\x00-\x0f]\x00)")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDamage:
    """One damaged place: so many bytes from `position` in the file were not readable. `records` were lost for sure;
    `is_loss` False: they may just as well never have been acknowledged. `offset`: the first that is lost."""

    path: Path
    position: int
    bytes_lost: int
    records: int
    offset: int
    is_loss: bool
    put_aside: Path | None

    @property
    def text(self) -> str:
        what = f"{self.bytes_lost} bytes at byte {self.position} of {self.path.name}"
        if self.is_loss and not self.bytes_lost:
            return f"the log lacks {self.records} records from offset {self.offset} on: a file is gone or was cut off"
        if self.is_loss:
            return f"the log was damaged: {what}, {self.records} records are lost"
        return f"the log ended in what was not whole: {what}; acknowledged records are hardly among them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """The files as they are now, what the last one holds, how far the groups are, and what was wrong."""

    segments: list[Segment]
    last: Scan
    offsets: dict[str, int]
    damage: tuple[LogDamage, ...] = ()


def recover_log(directory: Path, offsets: Mapping[str, int]) -> Recovered:
    """Put the files in order before the log is opened. Every file that a group has yet to read is checked, and the
    last one. Groups that were past a loss go back to it: they are safe to run twice.

    Raises:
        StartRefused: so much is missing that it is another log.
        OSError: a file cannot be read or written.
    """
    segments = segments_in(directory) or [Segment(0, segment_path(directory, 0))]
    segments[-1].path.touch(mode=0o600)
    sync_directory(directory)
    unread = min((at for name, at in offsets.items() if name != RETRIES), default=0)
    damage: list[LogDamage] = []
    whole: list[Segment] = []
    if unread < segments[0].first and offsets:
        damage.append(_gone(segments[0].path, unread, segments[0].first))
    for segment, following in itertools.pairwise(segments):
        whole.append(segment)
        if following.first <= unread:
            continue
        found = scan(segment)
        end = segment.first + found.count
        if found.good < found.size or end > following.first:
            damage.append(_repair(segment, found, end=following.first, seen_end=following.first, is_loss=True))
        elif end < following.first:
            gap, made = _fill(directory, end, following.first)
            whole.append(made)
            damage.append(gap)
    last = segments[-1]
    whole.append(last)
    seen = last_seen(directory)
    if seen is not None and seen[0] > last.first:
        # the file that was written last is gone
        found = scan(last)
        if found.good < found.size:
            damage.append(_repair(last, found, end=seen[0], seen_end=seen[0], is_loss=True))
        elif last.first + found.count < seen[0]:
            gap, made = _fill(directory, last.first + found.count, seen[0])
            whole.append(made)
            damage.append(gap)
        last = Segment(seen[0], segment_path(directory, seen[0]))
        last.path.touch(mode=0o600)
        whole.append(last)
    damage += _mend_last(last, seen if seen is not None and seen[0] == last.first else None)
    found = scan(last)
    end = last.first + found.count
    ahead = max((at for name, at in offsets.items() if name != RETRIES), default=0)
    if ahead > end:
        damage.append(_gone(last.path, end, ahead))
    lost = min((d.offset for d in damage if d.is_loss), default=end)
    return Recovered(
        segments=whole,
        last=found,
        offsets={name: min(at, lost) for name, at in offsets.items()} if damage else dict(offsets),
        damage=tuple(damage),
    )


def _mend_last(segment: Segment, seen: tuple[int, int, int] | None) -> list[LogDamage]:
    found = scan(segment)
    synced, seen_end = (seen[1], seen[2]) if seen is not None else (0, 0)
    end = segment.first + found.count
    if found.good < synced:
        if found.good == found.size and end >= seen_end:
            return []
        return [_repair(segment, found, end=None, seen_end=max(seen_end, end), is_loss=True)]
    if found.good == found.size:
        return []
    rest = segment.path.read_bytes()[found.good :]
    behind = _sound(rest)
    if behind and behind[-1][1] > _GROUP_BYTES:
        return [_repair(segment, found, end=None, seen_end=end, is_loss=True)]
    if _whole_appends(rest, behind):
        return [_repair(segment, found, end=None, seen_end=end, is_loss=False)]
    _log.warning("cut %d unfinished bytes off the end of %s", found.size - found.good, segment.path)
    with segment.path.open("r+b") as file:
        file.truncate(found.good)
        os.fsync(file.fileno())
    return []


def _repair(segment: Segment, found: Scan, *, end: int | None, seen_end: int, is_loss: bool) -> LogDamage:
    """Write the file anew from what is sound in it, with empty records for the lost, and put the damaged one aside.

    `end`: the offset behind its last record, None when more may follow; `seen_end`: one that it surely reached.
    """
    data = segment.path.read_bytes()
    # records of an append that is not whole to its end are sound, and were acknowledged when something lies behind
    start, count = _end_of_sound(data) if is_loss else (found.good, found.count)
    behind = _sound(data[start:])
    if not is_loss:
        behind = _whole_appends(data[start:], behind)
    kept = b"".join(data[start + a : start + b] for a, b in behind)
    lost = max(0, (seen_end if end is None else end) - segment.first - count - len(behind))
    if is_loss and end is None and lost == 0:
        lost = 1
    if lost > LOST_LIMIT:
        raise StartRefused(
            f"{segment.path} lacks {lost:,} records: this is not the folder that it was; homeguard restore PATH"
        )
    bytes_lost = len(data) - start - len(kept)
    # an append that lost its end is closed by an empty record, or it would be cut off as unfinished
    closing = 1 if lost and behind and not data[start + behind[-1][0] + _FRAME.size] & 1 else 0
    draft = segment.path.with_suffix(".repaired")
    with draft.open("wb") as file:
        file.write(data[:start])
        file.write(_empty(lost - closing, found.last_at))
        file.write(kept)
        file.write(_empty(closing, found.last_at))
        file.flush()
        os.fsync(file.fileno())
    aside = put_aside(segment.path, keep_name=True)
    draft.replace(segment.path)
    sync_directory(segment.path.parent)
    damage = LogDamage(
        path=segment.path, position=start, bytes_lost=max(0, bytes_lost), records=lost,
        offset=segment.first + count, is_loss=is_loss, put_aside=aside,
    )  # fmt: skip
    _log.error("%s; put aside as %s", damage.text, aside)
    return damage


def _fill(directory: Path, first: int, end: int) -> tuple[LogDamage, Segment]:
    """A file of empty records for one that is gone."""
    if end - first > LOST_LIMIT:
        raise StartRefused(
            f"the log lacks {end - first:,} records before {segment_path(directory, end)}: homeguard restore PATH"
        )
    made = Segment(first, segment_path(directory, first))
    draft = made.path.with_suffix(".repaired")
    with draft.open("wb") as file:
        file.write(_empty(end - first, 0))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(made.path)
    sync_directory(directory)
    return _gone(made.path, first, end), made


def _gone(path: Path, first: int, end: int) -> LogDamage:
    """Records that no file has any more."""
    damage = LogDamage(
        path=path, position=0, bytes_lost=0, records=end - first, offset=first, is_loss=True, put_aside=None
    )
    _log.error("%s", damage.text)
    return damage


def _empty(count: int, at: int) -> bytes:
    return encode([NewRecord(topic=LOST, key="", value=b"")] * count, at) if count else b""


def put_aside(path: Path, *, keep_name: bool = False) -> Path:
    """Move a file of the data folder into `quarantine/<time>/`; `keep_name`: it stays where it is as well, to be
    replaced as one step. Returns its new place. Raises OSError."""
    data_dir = path.parent.parent if path.parent.name == "log" else path.parent
    folder = data_dir / "quarantine" / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = folder / path.name
    if not keep_name:
        path.replace(aside)
    else:
        try:
            os.link(path, aside)
        except OSError:
            shutil.copy2(path, aside)
    sync_directory(folder)
    return aside


def _end_of_sound(data: bytes) -> tuple[int, int]:
    """Where the first record that is not sound begins, and how many come before it."""
    position = count = 0
    while (end := _sound_at(data, position)) is not None:
        position, count = end, count + 1
    return position, count


def _sound(data: bytes) -> list[tuple[int, int]]:
    """(start, end) of every sound record that can be found, in order. The first bytes are damaged."""
    found: list[tuple[int, int]] = []
    position = 0
    while (likely := _LIKELY.search(data, position)) is not None:
        position = likely.start()
        end = _sound_at(data, position)
        if end is None:
            position += 1
        else:
            found.append((position, end))
            position = end
    return found


def _sound_at(data: bytes, position: int) -> int | None:
    """The end of the sound record at that place; None when there is none."""
    if position + _FRAME.size + _HEAD.size > len(data):
        return None
    length, checksum = _FRAME.unpack_from(data, position)
    end = position + _FRAME.size + int(length)
    if length < _HEAD.size or end > len(data) or zlib.crc32(data[position + _FRAME.size : end]) != checksum:
        return None
    return end


def _whole_appends(data: bytes, records: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Of these sound records those whose append is whole: what runs up to the first end of an append may lack its
    beginning, and what follows a gap as well."""
    whole: list[tuple[int, int]] = []
    held: list[tuple[int, int]] | None = None
    before = -1
    for start, end in records:
        if start != before:
            held = None
        before = end
        if held is not None:
            held.append((start, end))
        if data[start + _FRAME.size] & 1:
            whole += held or []
            held = []
    return whole
