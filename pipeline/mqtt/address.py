"""Where the broker is: `mqtt[s]://user:pass@host:port?base=zigbee2mqtt&version=5`."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from homeguard.errors import StartRefused

_BASE: Final = re.compile(r"[^#+\x00]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """`bases` are the base topics of Zigbee2MQTT bridges on this broker; `version` 0 tries 5, then 3.1.1."""

    host: str
    port: int
    is_tls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    bases: tuple[str, ...] = ("zigbee2mqtt",)
    version: int = 0
    client_id: str = ""

    @property
    def text(self) -> str:
        """Without the password: for logs."""
        return f"{'mqtts' if self.is_tls else 'mqtt'}://{self.host}:{self.port}"


def parse_address(url: str) -> BrokerAddress:
    """The address in a URL.

    Raises:
        StartRefused: it cannot be read; the sentence says what is wrong and never holds the password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise StartRefused("MQTT_URL cannot be read: use mqtt://user:password@host:port") from error
    if parts.scheme not in ("mqtt", "mqtts", "tcp", "ssl") or not parts.hostname:
        raise StartRefused("MQTT_URL starts with mqtt:// or mqtts:// and names a host")
    options = parse_qs(parts.query)
    bases = tuple(b.strip("/") for value in options.get("base", []) for b in value.split(",") if b.strip("/"))
    if any(not _BASE.fullmatch(b) for b in bases):
        raise StartRefused("MQTT_URL: base is a topic without wildcards")
    version = options.get("version", ["0"])[-1]
    if version not in ("0", "5", "3", "3.1.1", "4"):
        raise StartRefused("MQTT_URL: version is 5 or 3.1.1")
    is_tls = parts.scheme in ("mqtts", "ssl")
    return BrokerAddress(
        host=parts.hostname,
        port=port or (8883 if is_tls else 1883),
        is_tls=is_tls,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        bases=bases or ("zigbee2mqtt",),
        version={"0": 0, "5": 5}.get(version, 4),
        client_id=options.get("client_id", [""])[-1][:64],
    )
