"""Kafka as `/ready` and `homeguard doctor` name it."""

from typing import Any, Final

from aiokafka.protocol.api import Request, RequestStruct, Response, ResponseHeader_v0
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from homeguard.stores.kafka.failures import answering

PING_S: Final = 2.0

#: Releases by the highest level of `metadata.version` that they know: all that a cluster says of its own version.
_RELEASES: Final = {
    7: "3.3", 8: "3.4", 11: "3.5", 14: "3.6", 19: "3.7", 20: "3.8", 21: "3.9", 25: "4.0", 27: "4.1", 30: "4.3",
}  # fmt: skip
_FINALIZED_FEATURES: Final = 2


class KafkaEngine:
    """An `Engine`. `open_kafka` makes it."""

    def __init__(self, admin: Any, where: str, version: str) -> None:
        self._admin = admin
        self._where = where
        self._version = version

    @property
    def name(self) -> str:
        return "Kafka"

    @property
    def version(self) -> str:
        return self._version

    async def ping(self) -> None:
        async with answering(self._where, PING_S):
            await self._admin.describe_cluster()


async def version_of(admin: Any) -> str:
    """The release that the cluster runs as, or the level of its metadata when that is one not known here."""
    # the driver's own question is of a version that leaves the features out
    client = admin._client
    answer = await client.send(client.get_random_node(), _Features())
    level = _level(answer.tags.get(_FINALIZED_FEATURES, b""))
    return _RELEASES.get(level, f"metadata level {level}")


def _level(features: bytes) -> int:
    """The level of `metadata.version` in the encoded list of finalized features; 0 when it is not there."""
    name = b"metadata.version"
    at = features.find(name)
    return int.from_bytes(features[at + len(name) : at + len(name) + 2], "big") if at >= 0 else 0


class _FeaturesResponse(Response):  # type: ignore[misc]
    API_KEY = 18
    API_VERSION = 3
    SCHEMA = Schema(
        ("error_code", Int16),
        ("api_versions", CompactArray(("api_key", Int16), ("min", Int16), ("max", Int16), ("tags", TaggedFields))),
        ("throttle_time_ms", Int32),
        ("tags", TaggedFields),
    )


class _FeaturesStruct(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 18
    API_VERSION = 3
    RESPONSE_TYPE = _FeaturesResponse
    SCHEMA = Schema(("name", CompactString("utf-8")), ("version", CompactString("utf-8")), ("tags", TaggedFields))

    def parse_response_header(self, read_buffer: Any) -> Any:
        # the one answer that keeps the old header, so that every client can read it
        return ResponseHeader_v0.decode(read_buffer)


class _Features(Request[_FeaturesStruct]):  # type: ignore[misc]
    API_KEY = 18

    def build(self, request_struct_class: type[_FeaturesStruct]) -> _FeaturesStruct:
        return request_struct_class("homeguard", "1", {})
