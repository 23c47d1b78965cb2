"""The HTTP door: what is answered to a single event, a batch, lines, and to what cannot be read."""

import json

import pytest
from pipeline_fakes import device, furnish
from starlette.responses import JSONResponse

from homeguard.errors import NotSignedIn
from homeguard.ports.log import EVENTS
from pipeline.envelope import decode
from pipeline.intake.bounds import MAX_BODY_BYTES
from pipeline.intake.http import IntakeEndpoint
from pipeline.intake.intake import Intake, Origin

EVENT = {"device_id": "door", "event_type": "door_open", "event_id": "e1"}


async def by_token(scope):
    if dict(scope["headers"]).get(b"x-device-token") != b"good":
        raise NotSignedIn("sign in first")
    return Origin(home_id="h1", source="http", device_id="door")


def as_error(error):
    return JSONResponse({"error": {"code": error.code, "message": error.message}}, status_code=error.status)


class Caller:
    """Speaks ASGI to the endpoint, in chunks as a network would."""

    def __init__(self, endpoint) -> None:
        self.endpoint = endpoint

    async def post(self, body: bytes, *, chunk=65_536, leaves=False, **headers):
        given = {"x-device-token": "good", **{k.replace("_", "-"): v for k, v in headers.items()}}
        scope = {
            "type": "http", "method": "POST", "path": "/telemetry",
            "headers": [(k.encode(), v.encode()) for k, v in given.items()],
        }  # fmt: skip
        parts = [body[i : i + chunk] for i in range(0, len(body), chunk)] or [b""]
        answers = [{"type": "http.request", "body": p, "more_body": i + 1 < len(parts)} for i, p in enumerate(parts)]
        if leaves:
            answers = [{**answers[0], "more_body": True}, {"type": "http.disconnect"}]
        told = []

        async def receive():
            return answers.pop(0)

        async def send(message):
            told.append(message)

        await self.endpoint(scope, receive, send)
        if not told:
            return None
        return told[0]["status"], json.loads(b"".join(m.get("body", b"") for m in told[1:]))


@pytest.fixture
async def caller(stores, clock, clocks):
    await furnish(stores, device("door", "contact"))
    return Caller(
        IntakeEndpoint(Intake(log=stores.log, devices=stores.devices, clock=clock, clocks=clocks), by_token, as_error)
    )


async def stored(stores):
    return [decode(r).event_id for r in await stores.log.read("t", [EVENTS], limit=1000, wait_s=0.05)]


async def test_a_single_event_is_accepted_once_it_is_in_the_log(caller, stores):
    assert await caller.post(json.dumps(EVENT).encode(), chunk=7) == (
        202, {"accepted": 1, "rejected": [], "event_id": "e1"},
    )  # fmt: skip
    assert await stored(stores) == ["e1"]


async def test_a_batch_is_202_with_each_rejection_also_when_all_are_refused(caller, stores):
    status, answer = await caller.post(json.dumps([EVENT, {**EVENT, "device_id": "other"}]).encode())
    all_bad = await caller.post(b"[{}, 1]")

    assert (status, answer["accepted"]) == (202, 1)
    assert answer["rejected"] == [
        {
            "index": 1, "code": "DEVICE_NOT_FOUND", "message": "this home has no device 'other'",
            "field": "device_id",
        }
    ]  # fmt: skip
    assert (all_bad[0], all_bad[1]["accepted"], len(all_bad[1]["rejected"])) == (202, 0, 2)
    assert await stored(stores) == ["e1"]


async def test_lines_are_taken_by_their_content_type(caller):
    lines = json.dumps(EVENT).encode() + b"\n" + json.dumps({**EVENT, "event_id": "e2"}).encode()

    assert await caller.post(lines, content_type="application/x-ndjson; charset=utf-8") == (
        202, {"accepted": 2, "rejected": []},
    )  # fmt: skip
    assert (await caller.post(lines))[0] == 422


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {}, 422, "INVALID_INPUT"),
        (b"{nonsense", {}, 422, "INVALID_INPUT"),
        (json.dumps({**EVENT, "device_id": "x"}).encode(), {}, 404, "DEVICE_NOT_FOUND"),
        (json.dumps({**EVENT, "home_id": "h2"}).encode(), {}, 403, "HOME_MISMATCH"),
        (b"[" + b"1," * MAX_BODY_BYTES, {}, 413, "PAYLOAD_TOO_LARGE"),
        (b"{}", {"content_length": str(MAX_BODY_BYTES + 1)}, 413, "PAYLOAD_TOO_LARGE"),
        (b"{}", {"content_length": "9" * 5000}, 413, "PAYLOAD_TOO_LARGE"),
        (b"\x1f\x8b", {"content_encoding": "gzip"}, 422, "INVALID_INPUT"),
        (json.dumps(EVENT).encode(), {"x_device_token": "bad"}, 401, "NOT_SIGNED_IN"),
    ],
)
async def test_what_cannot_be_taken_is_an_error_and_nothing_is_written(caller, stores, body, headers, status, code):
    answer = await caller.post(body, **headers)

    assert (answer[0], answer[1]["error"]["code"]) == (status, code)
    assert await stored(stores) == []


async def test_a_caller_that_leaves_in_the_middle_is_not_answered(caller, stores):
    assert await caller.post(json.dumps(EVENT).encode(), leaves=True) is None
    assert await stored(stores) == []
