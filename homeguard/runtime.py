"""Opens the stores that the settings name, one per concern, and closes them."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from homeguard.clock import Clock
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.lock import Held, Holder, hold, holder
from homeguard.stores.sqlite.open import open_embedded

__all__ = ["Held", "Holder", "Stores", "hold", "holder", "open_stores"]


def open_stores(data_dir: Path, clock: Clock, *, held: Held | None = None) -> AbstractAsyncContextManager[Stores]:
    """Every store, opened for the length of the block; all of them embedded in `data_dir`.

    `held` says that the caller has the folder already (`hold`).

    Raises:
        StartRefused: another process has the folder, or what lies in it is damaged or newer than this program.
    """
    return open_embedded(data_dir, clock, held=held)
