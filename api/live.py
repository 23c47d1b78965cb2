"""What just happened, for those who watch: which channel it belongs to, and who publishes that a session is over."""

from collections.abc import Iterable, Mapping
from typing import Final

from api.deps import ApiDeps
from homeguard.errors import InvalidInput
from homeguard.ports.live_state import Live

CHANNELS: Final = ("events", "devices", "agent", "alerts")
#: Kind -> the channels that carry it. `session` and `gap` reach everyone.
_CARRIED: Final[Mapping[str, frozenset[str]]] = {
    "device_event": frozenset(("events", "devices")),
    "command": frozenset(("devices",)),
    "mode": frozenset(("devices",)),
    "alert": frozenset(("alerts", "events")),
    "notice": frozenset(("alerts",)),
    "confirmation": frozenset(("agent",)),
    "agent_response": frozenset(("agent",)),
}


def is_wanted(kind: str, channels: frozenset[str]) -> bool:
    """Does somebody who listens to these channels get what is of this kind?"""
    carried = _CARRIED.get(kind)
    return carried is None or bool(carried & channels)


def read_channels(names: Iterable[object]) -> frozenset[str]:
    """Raises InvalidInput: there is no channel of that name."""
    found = frozenset(n for n in names if isinstance(n, str) and n in CHANNELS)
    if not found or found != frozenset(names):
        raise InvalidInput(f"channels are {', '.join(CHANNELS)}", field="channels", allowed=list(CHANNELS))
    return found


async def publish_revocation(deps: ApiDeps, user_id: str, session_id: str) -> None:
    """Tell every stream of that person, in each of their homes, that a session is over."""
    data = {"type": "session", "session_id": session_id, "revoked": True}
    homes = [m.home_id for m in await deps.users.homes_of(user_id)]
    await deps.feed.publish([Live(home_id=h, kind="session", data=data, user_id=user_id) for h in homes])
