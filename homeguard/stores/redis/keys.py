"""The names of keys and channels in Redis, as other programs may read them too.

Where a name holds one device, it is `ids.device_uuid(home, device)`. `namespace` goes before all of them, so that
several installations can share a server.
"""

from functools import lru_cache

from homeguard.ids import device_uuid

_DEVICES = 20_000


class Keys:
    """Texts, made of ids. Two that stand side by side are escaped, or one could run into the other."""

    def __init__(self, namespace: str = "", *, database: int = 0) -> None:
        self._before = f"{namespace}:" if namespace else ""
        #: Channels are the whole server's: those of another database than 0 name it, or its homes would be heard here.
        self._told = f"{self._before}db{database}:" if database else self._before
        #: Made for every event: a hash over both ids costs more than looking it up.
        self.uuid = lru_cache(_DEVICES)(_uuid)
        #: The version of what lies in this namespace.
        self.schema = f"{self._before}homeguard:schema"
        #: Sorted set: uuid of each device that is available, by when it was last seen (microseconds since 1970).
        self.seen = f"{self._before}device:seen"
        #: Channel: every item of every home.
        self.every_event = f"{self._told}events:global"

    def state(self, uuid: str) -> str:
        """Hash: `state` (JSON of all attributes), `stamps` (JSON, microseconds of each one's last change), `battery`,
        `signal`, `updated_at` (epoch seconds), `available` (1 or 0), `seen` (microseconds), `home`, `device`.
        """
        return f"{self._before}device:state:{uuid}"

    def points(self, uuid: str) -> str:
        """String: all that is known of it, so that records may come in any order, as `scripts/device.lua` packs it."""
        return f"{self._before}device:points:{uuid}"

    def online(self, uuid: str) -> str:
        """String: when it was last heard (epoch seconds); is there while that is less than a minute ago."""
        return f"{self._before}device:online:{uuid}"

    def devices(self, home_id: str) -> str:
        """Set of device ids."""
        return f"{self._before}user:devices:{home_id}"

    def context(self, home_id: str, user_id: str) -> str:
        """String: JSON, for an hour."""
        return f"{self._before}agent:context:{_part(home_id)}:{_part(user_id)}"

    def limit(self, key: str) -> str:
        """Hash: `tokens` that were there at `at` (epoch seconds)."""
        return f"{self._before}ratelimit:user:{key}:minute"

    def events(self, home_id: str) -> str:
        """Channel: every item of that home."""
        return f"{self._told}events:user:{home_id}"

    def changes(self, uuid: str) -> str:
        """Channel: the events of that device."""
        return f"{self._told}device:state:{uuid}"

    def answers(self, user_id: str) -> str:
        """Channel: what the agent says to that person."""
        return f"{self._told}agent:response:{user_id}"


def _uuid(home_id: str, device_id: str) -> str:
    return str(device_uuid(home_id, device_id))


def _part(text: str) -> str:
    return text.replace("%", "%25").replace(":", "%3A")
