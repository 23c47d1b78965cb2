"""What a MongoDB says when it is ill, told as our errors: by a server that speaks just enough of the wire to say it."""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import bson
import pytest

from homeguard.clock import SystemClock
from homeguard.errors import HomeGuardError, StartRefused, StorageFull, StoreUnavailable
from homeguard.model import Automation, Device
from homeguard.stores.mongo.migrate import MIGRATIONS
from homeguard.stores.mongo.open import open_mongo

Answer: TypeAlias = Mapping[str, Any] | list[Mapping[str, Any]]

_MESSAGE, _OLD_QUERY, _OLD_REPLY = 2013, 2004, 1
HELLO = {
    "ok": 1.0, "helloOk": True, "isWritablePrimary": True, "minWireVersion": 0, "maxWireVersion": 21,
    "maxBsonObjectSize": 16_777_216, "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000,
}  # fmt: skip
LAMP = Device(home_id="h1", id="lamp", name="Lamp", type="light", capabilities=())
NEWEST = len(list(MIGRATIONS.glob("[0-9]*.json")))
VERSION = {
    "ok": 1.0,
    "cursor": {"id": 0, "ns": "homeguard.schema", "firstBatch": [{"_id": "version", "number": NEWEST}]},
}
NOTHING = {"ok": 1.0, "cursor": {"id": 0, "ns": "homeguard.automations", "firstBatch": []}}
RULE = Automation(id="r1", home_id="h1", name="Night", trigger={}, actions=())


def refusal(code: int, name: str) -> dict[str, Any]:
    return {"ok": 0.0, "code": code, "codeName": name, "errmsg": f"{name} it is"}


@asynccontextmanager
async def answering(answers: Mapping[str, Answer]) -> AsyncIterator[str]:
    """The URL of a server that answers these commands so, `hello` as a new server would, and `{"ok": 1}` to others.

    Of a list each answer is given once, the last for ever.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                size, number, _, kind = struct.unpack("<iiii", await reader.readexactly(16))
                body = await reader.readexactly(size - 16)
                answer = answers.get(_command(kind, body), {"ok": 1.0})
                if isinstance(answer, list):
                    answer = answer.pop(0) if len(answer) > 1 else answer[0]
                writer.write(_reply(kind, number, answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    answers = {"hello": HELLO, "isMaster": HELLO, "ismaster": HELLO, "buildInfo": {"ok": 1.0, "version": "7.0.0"}} | {
        **answers
    }
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"mongodb://127.0.0.1:{port}/homeguard"


def _command(kind: int, body: bytes) -> str:
    """The name of the command: the first field of the document."""
    start = 5 if kind == _MESSAGE else 4 + body.index(b"\0", 4) - 4 + 1 + 8
    (size,) = struct.unpack_from("<i", body, start)
    return next(iter(bson.decode(body[start : start + size])))


def _reply(kind: int, number: int, answer: Mapping[str, Any]) -> bytes:
    document = bson.encode(answer)
    if kind == _MESSAGE:
        body, code = struct.pack("<iB", 0, 0) + document, _MESSAGE
    else:
        body, code = struct.pack("<iqii", 0, 0, 0, 1) + document, _OLD_REPLY
    return struct.pack("<iiii", 16 + len(body), 0, number, code) + body


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"buildInfo": refusal(13, "Unauthorized")}, StartRefused),
        ({"buildInfo": refusal(10107, "NotWritablePrimary")}, StoreUnavailable),
        ({"find": refusal(13, "Unauthorized")}, StartRefused),
        ({"find": refusal(11600, "InterruptedAtShutdown")}, StoreUnavailable),
        ({"hello": {**HELLO, "maxWireVersion": 2}, "isMaster": {**HELLO, "maxWireVersion": 2},
          "ismaster": {**HELLO, "maxWireVersion": 2}}, StartRefused),
    ],
)  # fmt: skip
async def test_what_a_server_says_at_the_start_is_told_as_ours(answers, error):
    async with answering(answers) as url:
        with pytest.raises(HomeGuardError) as failure:
            async with open_mongo(url, SystemClock()):
                pass

    assert type(failure.value) is error
    assert "127.0.0.1" in failure.value.message


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(14031, "OutOfDiskSpace"), StorageFull),
        (refusal(10107, "NotWritablePrimary"), StoreUnavailable),
        (refusal(13, "Unauthorized"), StoreUnavailable),
        (
            {"ok": 1.0, "n": 0, "nModified": 0, "writeErrors": [{"index": 0, "code": 14031, "errmsg": "full"}]},
            StorageFull,
        ),
        (
            {"ok": 1.0, "n": 1, "nModified": 1, "writeConcernError": {"code": 64, "errmsg": "waited too long"}},
            StoreUnavailable,
        ),
        (
            {"ok": 1.0, "n": 0, "nModified": 0, "writeErrors": [{"index": 0, "code": 11000, "errmsg": "taken"}]},
            StoreUnavailable,
        ),
    ],
)
async def test_what_a_server_says_to_a_write_is_told_as_ours(answer, error):
    async with (
        answering({"find": [VERSION, NOTHING], "update": answer}) as url,
        open_mongo(url, SystemClock()) as stores,
    ):
        failures = await asyncio.gather(
            stores.devices.put([LAMP]), stores.automations.put(RULE), return_exceptions=True
        )
        assert [type(failure) for failure in failures] == [error, error]


@pytest.mark.parametrize(
    "taken",
    [{"code": 11000, "errmsg": "E11000 duplicate key"}, {"code": 1, "errmsg": "UNIQUE constraint failed: devices._id"}],
)
async def test_an_upsert_that_another_was_faster_with_is_done_again(taken):
    lost = {"ok": 1.0, "n": 0, "nModified": 0, "writeErrors": [{"index": 0, **taken}]}
    done = {"ok": 1.0, "n": 1, "nModified": 1}
    for put in ("device", "automation"):
        left = [lost, lost, done, refusal(14031, "OutOfDiskSpace")]
        async with (
            answering({"find": [VERSION, NOTHING], "update": left}) as url,
            open_mongo(url, SystemClock()) as stores,
        ):
            await (stores.devices.put([LAMP]) if put == "device" else stores.automations.put(RULE))

        assert len(left) == 1
