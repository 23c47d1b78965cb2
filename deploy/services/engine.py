"""What every server of ours has to say about itself."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.services.process import Launch
from deploy.services.room import Room


class Lacking(Exception):
    """This machine has not got what the server needs; the text names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One server. It is installed by a package of Debian (`debian`) or built into the cache (`build`)."""

    name: str
    #: Prepares the data at the first start, writes the configuration, gives what to run.
    launch: Callable[[Room], Launch]
    is_healthy: Callable[[Room], bool]
    #: The lines of the file of services: NAME -> value.
    addresses: Callable[[Room], Mapping[str, str]]
    #: Finds the program of the Debian package, "" when it is not there.
    find: Callable[[], str] | None = None
    debian: str = ""
    #: Fills the cache unless it is filled. Raises Lacking.
    build: Callable[[Path], Any] | None = None
    #: What there is to do once when it answers.
    settle: Callable[[Room], None] | None = None
    ports: int = 1
    #: The user to run as when root starts it; "" is root.
    user: str = ""
    stop_signal: signal.Signals = signal.SIGTERM
    start_timeout_s: float = 60.0
    stop_timeout_s: float = 30.0
