"""How far each consumer group has come: one small file a group, replaced as a whole."""

import logging
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from homeguard.errors import InvalidInput
from homeguard.files import sync_directory

#: Beside the groups' own files: how far the log's readers had come when a backup took the place of what they fill.
DECIDED: Final = "decided"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


_log = logging.getLogger(__name__)


class _Committed(msgspec.Struct, forbid_unknown_fields=True):
    """`crc`: of the offset's digits; absent in the files of older versions."""

    offset: int
    crc: int | None = None


def check_group(name: str) -> None:
    """Raises InvalidInput when a group cannot be called so: its name is a file's."""
    if _NAME.fullmatch(name) is None:
        raise InvalidInput(f"'{name}' cannot name a consumer group", field="group")


def load_offsets(directory: Path) -> dict[str, int]:
    """Group -> the offset that it reads next. A group whose file is damaged is left out: it reads the log from its
    start, which is safe to do twice."""
    found = {}
    for path in sorted(directory.glob("*.json")):
        try:
            said = msgspec.json.decode(path.read_bytes(), type=_Committed)
            if said.crc not in (None, _crc(said.offset)) or said.offset < 0:
                raise msgspec.ValidationError("the checksum differs")
            found[path.stem] = said.offset
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            _log.error("%s is damaged (%s): '%s' reads the log from its start", path, error, path.stem)
            path.replace(path.with_suffix(".damaged"))
    return found


def _crc(offset: int) -> int:
    return zlib.crc32(str(offset).encode())


def save_offsets(directory: Path, offsets: Mapping[str, int]) -> None:
    """Replace the files of these groups, durably. Raises OSError."""
    for group, offset in offsets.items():
        new = directory / f"{group}.new"
        with new.open("wb") as file:
            file.write(msgspec.json.encode(_Committed(offset, _crc(offset))))
            file.flush()
            os.fsync(file.fileno())
        new.replace(directory / f"{group}.json")
    sync_directory(directory)


def come_to(log: Path, groups: Sequence[str]) -> dict[str, int]:
    """How far these groups ever came in the log of that folder, also if they were set back since."""
    found = [load_offsets(folder) for folder in (log / "groups", log / DECIDED) if folder.is_dir()]
    return {group: max([offsets.get(group, 0) for offsets in found], default=0) for group in groups}


def note_decided(log: Path, offsets: Mapping[str, int]) -> None:
    """What lies before was acted on, whatever these groups read again. Raises OSError."""
    (log / DECIDED).mkdir(mode=0o700, exist_ok=True)
    save_offsets(log / DECIDED, offsets)


def forget_offsets(directory: Path, groups: Sequence[str]) -> None:
    """These groups, in this order, read the log from its start when they come again. Raises OSError."""
    for group in groups:
        (directory / f"{group}.json").unlink(missing_ok=True)
        sync_directory(directory)
