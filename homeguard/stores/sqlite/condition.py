"""What a data folder says of itself between two starts: what it held, how that looked, and whether it ended well."""

import hashlib
import logging
import zlib
from pathlib import Path
from typing import Final

import msgspec

from homeguard.files import replace_file

#: What a restore leaves to know, for the first start after it.
RESTORED: Final = "mended.json"
_CONDITION: Final = "condition.json"

_log = logging.getLogger(__name__)


class Condition(msgspec.Struct, frozen=True):
    """`parts`: databases that were here. `digests`: of files that only change while HomeGuard runs, at its good end."""

    is_clean: bool
    parts: tuple[str, ...] = ()
    key: str = ""
    digests: dict[str, str] = {}
    mended_at: str = ""
    crc: int = 0


def read_condition(data_dir: Path) -> Condition | None:
    """None when there is none, or it cannot be relied on."""
    try:
        found = msgspec.json.decode((data_dir / _CONDITION).read_bytes(), type=Condition)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    if found is None or zlib.crc32(msgspec.json.encode(msgspec.structs.replace(found, crc=0))) != found.crc:
        _log.warning("%s is damaged: every file is checked", data_dir / _CONDITION)
        return None
    return found


def restored_condition(data_dir: Path) -> Condition | None:
    """What a restore has left to know, on the first start after it."""
    try:
        return msgspec.json.decode((data_dir / RESTORED).read_bytes(), type=Condition)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        _log.warning("%s is damaged: every file is checked", data_dir / RESTORED)
        return None


def write_condition(data_dir: Path, condition: Condition) -> Condition:
    """Replace it, durably; as it was written. Raises OSError."""
    made = msgspec.structs.replace(condition, crc=0)
    made = msgspec.structs.replace(made, crc=zlib.crc32(msgspec.json.encode(made)))
    replace_file(data_dir / _CONDITION, msgspec.json.encode(made))
    return made


def size_of(path: Path) -> int:
    """In bytes; 0 for a file that is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint_of(key: Path) -> str:
    """Says whether it is the same key, and nothing else of it."""
    try:
        return hashlib.sha256(b"homeguard/fingerprint/v1" + key.read_bytes().strip()).hexdigest()[:32]
    except FileNotFoundError:
        return ""
