"""How far the log was synced, kept so that the next start can tell a torn end from a lost one."""

import mmap
import os
import struct
import zlib
from pathlib import Path
from typing import Final

_NAME: Final = "seen"
_SIZE: Final = 4096
_SAID: Final = struct.Struct("<QQQ")
_CRC: Final = struct.Struct("<I")


class Seen:
    """How far the last file was synced: written into a mapped page at every commit, so that it outlives the process
    and costs no I/O. After a power cut it may be old; it is never ahead."""

    def __init__(self, directory: Path) -> None:
        """Raises OSError."""
        fd = os.open(directory / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(fd).st_size < _SIZE:
                os.pwrite(fd, bytes(_SIZE), 0)
            self._map = mmap.mmap(fd, _SIZE)
        finally:
            os.close(fd)

    def note(self, segment: int, size: int, end: int) -> None:
        """`size` bytes of the file that begins with the offset `segment` are synced; the next offset is `end`."""
        said = _SAID.pack(segment, size, end)
        self._map[: _SAID.size + _CRC.size] = said + _CRC.pack(zlib.crc32(said))

    def close(self) -> None:
        self._map.close()


def last_seen(directory: Path) -> tuple[int, int, int] | None:
    """(first offset of the file, its synced bytes, the next offset); None when it is not known."""
    try:
        data = (directory / _NAME).read_bytes()
    except FileNotFoundError:
        return None
    said = data[: _SAID.size]
    if len(data) < _SAID.size + _CRC.size or _CRC.unpack_from(data, _SAID.size)[0] != zlib.crc32(said):
        return None
    first, size, end = _SAID.unpack(said)
    return (first, size, end) if size or end else None
