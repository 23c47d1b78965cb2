"""Our own simple form: envelopes under `homeguard/<home>/<device>/events`, as they could be sent over HTTP."""

from typing import Final

from homeguard.errors import InvalidInput
from pipeline.intake.bounds import split
from pipeline.intake.intake import Origin
from pipeline.mqtt.delivery import Delivery
from pipeline.mqtt.said import DeadLetter, Own, Said

_MAX_ORIGINS: Final = 10_000
_END: Final = "/events"


class OwnTopics:
    """Reads the messages of one home. Only the device that the topic names may speak in them."""

    def __init__(self, home_id: str, source: str) -> None:
        self._home_id = home_id
        self._source = source
        self._prefix = f"homeguard/{home_id}/"
        self._origins: dict[str, Origin] = {}

    def read(self, delivery: Delivery, into: Said) -> None:
        """Add what this message amounts to."""
        origin = self._origins.get(delivery.topic) or self._origin_of(delivery.topic)
        if origin is None:
            into.dead.append(DeadLetter(topic=delivery.topic, body=delivery.body, reason=self._unknown(delivery.topic)))
            return
        topic, body, token = delivery.topic, delivery.body, delivery.token
        if body[:1] == b"{":
            into.own.append(Own((origin, _named(body, token)), topic, body))
            return
        try:
            items, is_single = split(body, ndjson=False)
        except InvalidInput as error:
            into.dead.append(DeadLetter(topic=topic, body=body, reason=error.message))
            return
        for place, item in enumerate(items):
            name = token if is_single else f"{token}.{place}"
            into.own.append(Own((origin, _named(item, name)), topic, item, -1 if is_single else place))

    def _origin_of(self, topic: str) -> Origin | None:
        device_id = topic[len(self._prefix) : -len(_END)]
        if not (topic.startswith(self._prefix) and topic.endswith(_END)) or "/" in device_id or not device_id:
            return None
        if len(self._origins) >= _MAX_ORIGINS:
            self._origins.clear()
        origin = Origin(home_id=self._home_id, source=self._source, device_id=device_id)
        self._origins[topic] = origin
        return origin

    def _unknown(self, topic: str) -> str:
        parts = topic.split("/")
        is_ours = len(parts) == 4 and parts[0] == "homeguard" and parts[3] == "events"
        return (
            "the topic names another home"
            if is_ours and parts[1] != self._home_id
            else "nothing is known of this topic"
        )


def _named(body: bytes, token: str) -> bytes:
    """The object with an event id in front, so that a redelivery is the same event; a device's own id comes behind it
    and stands."""
    if body[:1] != b"{":
        return body  # no object: it is refused
    rest = body[1:].lstrip()
    return b'{"event_id":"%b"%b%b' % (token.encode(), b"" if rest[:1] == b"}" else b",", rest)
