"""Small files that are replaced whole: after a crash or a power cut either the old content is there or the new one."""

import os
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Put this in the place of what is there, whole and durably. Raises OSError."""
    draft = path.with_name(path.name + ".new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make new, renamed and deleted names in a folder durable. Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
