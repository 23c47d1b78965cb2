"""Which topic an event goes to, and which topics each consumer group reads."""

from collections.abc import Mapping
from typing import Final

from homeguard.ports.log import AGENT_ACTIONS, ALERTS, ANOMALIES, COMMANDS, EVENTS, HEARTBEATS, NOTIFICATIONS, Record

#: Group names, as the log keeps their positions under.
SAFETY: Final = "safety"
REFLEX: Final = "reflex"
RECORD: Final = "record"
AUTOMATE: Final = "automate"

#: `safety` and `reflex` share the records by their lane, and do the same with them: what may be an alarm waits behind
#: nothing else.
#: `automate` carries out what `reflex` decided: it waits for devices to answer, and their answers come through
#: `reflex`, so the two cannot be one loop.
TOPICS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    SAFETY: (EVENTS, HEARTBEATS),
    REFLEX: (EVENTS, HEARTBEATS),
    RECORD: (EVENTS, HEARTBEATS, COMMANDS, ALERTS),
    AUTOMATE: (COMMANDS,),
}

#: What HomeGuard tells others in topics of their own, that no group of ours reads: what was strange, what an assistant
#: or a program got done, which messages went out. Each has an id that follows from what it tells of, so that a
#: repetition is known.
ANOMALY_SCORED: Final = "anomaly_scored"
AGENT_ACTED: Final = "agent_acted"
NOTICE_SENT: Final = "notice_sent"

_ELSEWHERE: Final[Mapping[str, str]] = {
    "heartbeat": HEARTBEATS,
    "command_requested": COMMANDS,
    "alert_raised": ALERTS,
    ANOMALY_SCORED: ANOMALIES,
    AGENT_ACTED: AGENT_ACTIONS,
    NOTICE_SENT: NOTIFICATIONS,
}


def topic_of(event_type: str) -> str:
    """The topic of an event: `device.events` for all but heartbeats, requested commands, alerts and what only others
    read."""
    return _ELSEWHERE.get(event_type, EVENTS)


def is_urgent(record: Record) -> bool:
    """It is of the safety lane: for the group `safety`."""
    return record.headers.get("lane") == "safety"


def is_ordinary(record: Record) -> bool:
    """It is of another lane: for the group `reflex`."""
    return record.headers.get("lane") != "safety"
