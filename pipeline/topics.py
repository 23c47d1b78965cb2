"""Which topic an event goes to, and which topics each consumer group reads."""

from collections.abc import Mapping
from typing import Final

from homeguard.ports.log import ALERTS, COMMANDS, EVENTS, HEARTBEATS

#: Group names, as the log keeps their positions under.
REFLEX: Final = "reflex"
RECORD: Final = "record"
AUTOMATE: Final = "automate"

#: `automate` carries out what `reflex` decided: it waits for devices to answer, and their answers come through
#: `reflex`, so the two cannot be one loop.
TOPICS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    REFLEX: (EVENTS, HEARTBEATS),
    RECORD: (EVENTS, HEARTBEATS, COMMANDS, ALERTS),
    AUTOMATE: (COMMANDS,),
}

_ELSEWHERE: Final[Mapping[str, str]] = {
    "heartbeat": HEARTBEATS,
    "command_requested": COMMANDS,
    "alert_raised": ALERTS,
}


def topic_of(event_type: str) -> str:
    """The topic of an event: `device.events` for all but heartbeats, requested commands and alerts."""
    return _ELSEWHERE.get(event_type, EVENTS)
