"""How far each consumer group has come: one small file a group, replaced as a whole."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from homeguard.errors import InvalidInput, StartRefused
from homeguard.stores.sqlite.appender import sync_directory

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class _Committed(msgspec.Struct):
    offset: int


def check_group(name: str) -> None:
    """Raises InvalidInput when a group cannot be called so: its name is a file's."""
    if _NAME.fullmatch(name) is None:
        raise InvalidInput(f"'{name}' cannot name a consumer group", field="group")


def load_offsets(directory: Path) -> dict[str, int]:
    """Group -> the offset that it reads next.

    Raises:
        StartRefused: a file is damaged.
    """
    found = {}
    for path in sorted(directory.glob("*.json")):
        try:
            found[path.stem] = max(0, msgspec.json.decode(path.read_bytes(), type=_Committed).offset)
        except msgspec.DecodeError as error:
            raise StartRefused(f"{path} is damaged; without it, '{path.stem}' reads the log from its start") from error
    return found


def save_offsets(directory: Path, offsets: Mapping[str, int]) -> None:
    """Replace the files of these groups, durably. Raises OSError."""
    for group, offset in offsets.items():
        new = directory / f"{group}.new"
        with new.open("wb") as file:
            file.write(msgspec.json.encode(_Committed(offset)))
            file.flush()
            os.fsync(file.fileno())
        new.replace(directory / f"{group}.json")
    sync_directory(directory)


def forget_offsets(directory: Path, groups: Sequence[str]) -> None:
    """These groups, in this order, read the log from its start when they come again. Raises OSError."""
    for group in groups:
        (directory / f"{group}.json").unlink(missing_ok=True)
        sync_directory(directory)
