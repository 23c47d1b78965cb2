"""What outlasts an erasure in this installation, and for how long: told to whoever takes a copy or leaves."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from homeguard.identity.leaving import LASTING, Lasting
from homeguard.settings import Settings

#: Alerts and what could not be read stay in the stream for thirty days, the rest for less.
_STREAM: Final = Lasting(
    what="the stream keeps events and alerts as they came in, and names people by their id alone",
    span=timedelta(days=31),
)
#: Rows expire after ninety days, wherever their files are.
_CLUSTER: Final = Lasting(
    what="files of the event store may hold deleted rows until they are compacted", span=timedelta(days=92)
)
_SERVERS: Final = Lasting(
    what="files of the database servers may hold what was deleted until they use its room again", span=None
)


def lasting(settings: Settings) -> Sequence[Lasting]:
    """What the engines add to what every folder has."""
    more = []
    if settings.kafka_brokers:
        more.append(_STREAM)
    if settings.scylla_hosts:
        more.append(_CLUSTER)
    if settings.postgres_url or settings.timescale_url or settings.mongo_url or settings.redis_url:
        more.append(_SERVERS)
    return (*LASTING, *more)
