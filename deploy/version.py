"""The version of this HomeGuard, from its package."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final


def _read() -> str:
    try:
        return version("homeguard")
    except PackageNotFoundError:
        return "0.1.0"


VERSION: Final = _read()
