"""The installation's one secret on disk, and the keys that are derived from it, one for each use."""

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from homeguard.errors import StartRefused

_NAME: Final = "local.key"
_MINIMUM: Final = 32


def local_key(data_dir: Path, shared: str = "") -> bytes:
    """The content of `local.key` in the data folder, made on the first call, mode 0600, at least 32 bytes.

    Who can read the file is the operator of this installation. `shared` is the secret that several processes are given
    (`JWT_SECRET`): it becomes the content.

    Raises:
        StartRefused: the file is too short, is readable by others, or cannot be read or made; or it holds another
            secret than the shared one.
    """
    path, wanted = data_dir / _NAME, shared.strip().encode()
    if shared and len(wanted) < _MINIMUM:
        raise StartRefused(f"JWT_SECRET is too short: at least {_MINIMUM} bytes (openssl rand -hex 32)")
    try:
        if not path.exists():
            _create(path, wanted)
        mode = stat.S_IMODE(path.stat().st_mode)
        key = path.read_bytes().strip()
    except OSError as error:
        raise StartRefused(f"{path} cannot be read or made: {error.strerror}") from error
    if mode & 0o077:
        raise StartRefused(f"{path} is readable by others: chmod 600 {path}")
    if len(key) < _MINIMUM:
        raise StartRefused(
            f"{path} is damaged: put the file of your backup there, or remove it (everyone signs in anew)"
        )
    if shared and not hmac.compare_digest(key, wanted):
        raise StartRefused(
            f"JWT_SECRET is not the secret of {path}: unset it, or remove the file (everyone signs in anew)"
        )
    return key


def _create(path: Path, wanted: bytes) -> None:
    """Write beside and link: a second process sees no file or the whole one, and never another key."""
    draft = path.with_name(f"{_NAME}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write((wanted.decode() or secrets.token_urlsafe(48)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        draft.unlink()


def derive(key: bytes, use: str) -> bytes:
    """32 bytes for one use: HMAC-SHA-256 of the use's label under the installation's key."""
    return hmac.new(key, f"homeguard/{use}/v1".encode(), hashlib.sha256).digest()


def chat_secret(key: bytes) -> str:
    """The HS256 secret of the chat cookie, as text: the one derived key that the chat is told."""
    return derive(key, "chat").hex()
