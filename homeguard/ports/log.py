"""The log: what happened, in order, on disk before anyone is told that it was taken."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

import msgspec

EVENTS: Final = "device.events"
HEARTBEATS: Final = "device.heartbeats"
COMMANDS: Final = "device.commands"
ALERTS: Final = "device.alerts"
DEAD_LETTERS: Final = "dead.letters"
ANOMALIES: Final = "anomaly-scores"
AGENT_ACTIONS: Final = "agent-actions"
SCENARIO_EVENTS: Final = "scenario-events"
NOTIFICATIONS: Final = "notifications"
TOPICS: Final = (
    EVENTS, HEARTBEATS, COMMANDS, ALERTS, DEAD_LETTERS, ANOMALIES, AGENT_ACTIONS, SCENARIO_EVENTS, NOTIFICATIONS,
)  # fmt: skip

#: The group that remembers which dead letters were sent on their way again. It may lie far behind, so nothing is kept
#: for it: `trim` does not wait for this one.
RETRIES: Final = "dead-letters"


# Both are made for every event, and a frozen dataclass costs ten times as much to make.
class NewRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record to append: `key` is `home_id/device_id`, `value` the encoded envelope, headers are short texts."""

    topic: str
    key: str
    value: bytes
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record as read back. `offset` grows within its partition; `appended_at` is the system's time."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: Mapping[str, str]
    appended_at: datetime


class Log(Protocol):
    """Records of one key stay in order; a log of several partitions promises no order between them.

    A group is shared by all who read under its name: each record goes to one of them, and what a reader that died had
    not committed goes to another.
    """

    async def append(self, records: Sequence[NewRecord]) -> None:
        """Append all or none, those of one key in order; returns when they are safe (fsync, or acks=all).

        A log of several partitions may keep a part of them when it raises StoreUnavailable: append them again.

        Raises:
            Overloaded: the queue in front of the disk is full; nothing was taken.
            StorageFull: the disk is full; nothing was taken.
            StoreUnavailable: nothing is known of the outcome.
        """
        ...

    async def read(self, group: str, topics: Sequence[str], *, limit: int, wait_s: float) -> list[Record]:
        """The next records of this group (at most `limit`), oldest first by partition; waits up to `wait_s` for one.

        Reading moves the group's position in this process only: after a restart it goes on from `commit`. `limit`
        and `wait_s` bound every call, also while partitions are handed round.

        Raises:
            InvalidInput: a group cannot be called so (letters, digits, `_`, `.`, `-`; at most 64).
            StoreUnavailable: the log does not answer.
        """
        ...

    async def commit(self, group: str, records: Sequence[Record]) -> None:
        """These records and all before them in their partitions are done for this group.

        Records of a partition that went to another reader meanwhile are left to it, without an error.
        """
        ...

    async def seek(self, group: str, at: datetime | None) -> None:
        """Set the group to the first record appended at `at` or later; `None`: to the start.

        Raises:
            Conflict: another process reads the group as well.
        """
        ...

    async def tail(self, topic: str, *, limit: int) -> list[Record]:
        """The last records of a topic (at most `limit`), oldest first by `appended_at`; no group moves."""
        ...

    async def lag(self, group: str) -> int:
        """Records appended and not yet committed by this group."""
        ...

    async def trim(self, older_than: datetime) -> int:
        """Delete files whose records are all older and committed by every known group but `RETRIES`; returns how
        many went.

        A log that keeps its own retention deletes nothing here and returns 0.
        """
        ...
