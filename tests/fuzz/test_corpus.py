"""The named corpus over HTTP, MQTT and WebSocket: an exact answer for each case, and nobody else notices."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import websockets.sync.client as websockets
from brokers import Bridge, Broker
from corpus import Case, cases, event_id, same
from instances import Up, until
from neighbour import SETTINGS, Neighbour, rss_mib
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.timeout(180)

DEVICE = "hall_motion"
JSON = {"content-type": "application/json"}
#: What a process may grow by, over the whole corpus.
MAY_GROW_MIB = 20.0


def device_of(up: Up) -> str:
    with up.http(up.token()) as http:
        items = http.get("/api/v1/devices").json()["items"]
    return str(next(d["id"] for d in items if "motion" in d["capabilities"]))


def judged(case: Case, status: int, body: bytes) -> str:
    """A sentence for what is wrong with the answer; "" when it is exactly what it has to be."""
    if status != case.status:
        return f"{case.name}: {status} instead of {case.status}: {body[:200]!r}"
    told = json.loads(body)
    if case.is_stored:
        return "" if told["accepted"] == 1 else f"{case.name}: {told}"
    if set(told) != {"error"} or told["error"]["code"] != case.code or len(body) > 2_000:
        return f"{case.name}: not {case.code} but {body[:300]!r}"
    return ""


def not_as_sent(up: Up, run: str, stored: list[Case]) -> list[str]:
    """A sentence for each of these that the store does not give back as it was sent."""
    wrong = []
    with up.http(up.token()) as http:
        wanted = {case_id(run, case): case for case in stored}
        found = until(lambda: f if len(f := by_id(up, http, run)) >= len(wanted) else None)
        for name, case in wanted.items():
            event = found.get(name)
            if event is None:
                wrong.append(f"{case.name}: not stored")
            elif not same(case.payload, event["payload"]):
                wrong.append(f"{case.name}: {event['payload']!r}"[:300])
    return wrong


def case_id(run: str, case: Case) -> str:
    return str(json.loads(case.body)["event_id"])


def by_id(up: Up, http: Any, run: str) -> dict[str, Any]:
    return {e["event_id"]: e for e in up.events(http) if e["event_id"].startswith(f"{run}-")}


def test_over_http_each_case_has_its_exact_answer_and_is_given_back_as_sent(up: Up, neighbour: Neighbour) -> None:
    device = device_of(up)
    with up.http(up.token(), **JSON) as http:
        wrong: list[str] = []
        before = 0.0
        # the second time shows whether anything was kept of the first
        for turn in ("first", "again"):
            found = cases(device, f"http-{turn}")
            assert len(found) >= 150
            for case in found:
                answer = http.post("/telemetry", content=case.body)
                wrong.append(judged(case, answer.status_code, answer.content))
                if not neighbour.is_served():
                    wrong.append(f"{case.name}: the neighbour is not served")
            before = before or rss_mib(up.process.pid)
        grown = rss_mib(up.process.pid) - before
    assert list(filter(None, wrong)) == []
    assert not_as_sent(up, "http-again", [c for c in found if c.is_stored]) == []
    assert grown <= MAY_GROW_MIB


def test_in_a_batch_each_case_is_judged_alone(up: Up) -> None:
    """As items of an array, those that can be items; and one bad line of NDJSON spoils no other."""
    found = cases(device_of(up), "batch")
    whole = [c for c in found if len(c.body) <= 65_536 and _is_item(c.body)]
    assert sum(not c.is_stored for c in whole) > 50
    with up.http(up.token(), **JSON) as http:
        answer = http.post("/api/v1/events", content=b"[" + b",".join(c.body for c in whole) + b"]")
        assert answer.status_code == 202, answer.text
        told = answer.json()
        refused = {r["index"]: r["code"] for r in told["rejected"]}
        assert refused == {i: c.code for i, c in enumerate(whole) if not c.is_stored}
        lines = [c for c in found if b"\n" not in c.body and c.body.strip()]
        answer = http.post(
            "/api/v1/events",
            content=b"\n".join(c.body for c in lines),
            headers={"content-type": "application/x-ndjson"},
        )
        refused = {r["index"]: r["code"] for r in answer.json()["rejected"]}
        assert refused == {i: c.code for i, c in enumerate(lines) if not c.is_stored}
    assert not_as_sent(up, "batch", [c for c in whole if c.is_stored]) == []


def _is_item(body: bytes) -> bool:
    """Can it stand in an array at all? What is wrong with it beyond that is judged item by item."""
    try:
        return len(msgspec.json.decode(b"[" + body + b"]", type=list[msgspec.Raw])) == 1
    except (ValueError, RecursionError):
        return False


class Stream:
    """A reader of the live stream that counts what it gets."""

    def __init__(self, up: Up) -> None:
        self.seen: Counter[str] = Counter()
        self.is_open = True
        self._socket = websockets.connect(
            f"ws://127.0.0.1:{up.port}/api/v1/events/stream",
            additional_headers={"Authorization": f"Bearer {up.token()}"},
            max_size=None,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for text in self._socket:
                self.seen[json.loads(text)["type"]] += 1
        except ConnectionClosed:
            pass
        self.is_open = False

    def close(self) -> None:
        self._socket.close()
        self._thread.join(10)


@pytest.fixture
def other_stream(up: Up) -> Iterator[Stream]:
    made = Stream(up)
    yield made
    made.close()


def test_over_a_websocket_each_case_is_answered_or_ends_only_its_own_connection(
    up: Up, neighbour: Neighbour, other_stream: Stream
) -> None:
    found = cases(device_of(up), "socket")
    address = f"ws://127.0.0.1:{up.port}/api/v1/events/stream"
    headers = {"Authorization": f"Bearer {up.token()}"}
    wrong = []
    before = 0.0
    for case in found:
        before = before or rss_mib(up.process.pid)
        with websockets.connect(address, additional_headers=headers, open_timeout=20) as socket:
            socket.send(case.body)
            try:
                told = json.loads(socket.recv(timeout=20))
                while told["type"] == "device_event":
                    told = json.loads(socket.recv(timeout=20))
            except ConnectionClosed as closed:
                # as text that is not text, or larger than any message of ours
                if closed.rcvd is None or closed.rcvd.code not in (1007, 1008, 1009):
                    wrong.append(f"{case.name}: closed with {closed.rcvd}")
            else:
                if (told["type"], told["error"]["code"]) != ("error", "INVALID_INPUT"):
                    wrong.append(f"{case.name}: {told}")
        if not neighbour.is_served() or not other_stream.is_open:
            wrong.append(f"{case.name}: somebody else noticed")
    assert wrong == []
    seen = other_stream.seen["device_event"]
    with up.http(up.token()) as http:
        said = {"device_id": device_of(up), "event_type": "motion_detected"}
        assert http.post("/telemetry", json=said).status_code == 202
    until(lambda: other_stream.seen["device_event"] > seen)
    assert rss_mib(up.process.pid) - before <= MAY_GROW_MIB


@pytest.mark.broker
def test_over_mqtt_each_case_is_stored_as_sent_or_kept_as_a_dead_letter(
    broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    up = Up(tmp_path_factory.mktemp("linked"), "--no-simulator", env={**SETTINGS, "MQTT_URL": broker.url})
    bridge = Bridge(broker, "corpus")
    try:
        up.wait_for_the_assistant()
        device = device_of(up)
        with up.http(up.token()) as http:
            home = http.get("/api/v1/users/me").json()["home"]["id"]
            until(lambda: http.get("/ready").json()["checks"]["mqtt"]["connected"])
        # the topic names the device, so what a body says of it is another matter; and nothing at all clears a topic
        found = [
            c for c in cases(device, "mqtt") if c.body.strip() and not c.name.startswith(("device_id", "another home"))
        ]
        before = 0.0
        for number, case in enumerate(found):
            if number == len(found) // 2:
                before = rss_mib(up.process.pid)
            bridge.say(f"homeguard/{home}/{device}/events", case.body, anywhere=True)
        stored = [case for case in found if case.is_stored]
        assert not_as_sent(up, "mqtt", stored) == []
        refused = len(found) - len(stored)
        letters = until(lambda: f if len(f := dead_letters(up)) >= refused else None)
        assert len(letters) == refused
        assert all(letter["reason"] for letter in letters)
        # the link has not noticed
        bridge.say(
            f"homeguard/{home}/{device}/events", {"event_type": "motion_detected", "event_id": "after"}, anywhere=True
        )
        with up.http(up.token()) as http:
            until(lambda: any(e["event_id"] == "after" for e in up.events(http)))
            assert http.get("/ready").json()["checks"]["mqtt"]["connected"] is True
        assert rss_mib(up.process.pid) - before <= MAY_GROW_MIB
    finally:
        bridge.close()
        code, _, rest = up.stop()
    assert (code, rest) == (0, "")
    assert "Traceback" not in up.log.read_text()


def dead_letters(up: Up) -> list[dict[str, Any]]:
    with up.http(up.token()) as http:
        return list(http.get("/operator/dead-letters", params={"limit": 1000}).json()["items"])


def test_a_case_that_is_answered_otherwise_is_noticed() -> None:
    """The judge itself: a wrong status, a wrong code, a chatty error and a changed payload are all faults."""
    [good] = [c for c in cases("d", "r") if c.name == "minus zero"]
    [bad] = [c for c in cases("d", "r") if c.name == "value: NaN"]
    error: Callable[[str], bytes] = lambda code: json.dumps({"error": {"code": code}}).encode()  # noqa: E731
    assert judged(good, 202, b'{"accepted": 1}') == ""
    assert judged(bad, 422, error("INVALID_INPUT")) == ""
    assert judged(good, 500, b"{}")
    assert judged(good, 202, b'{"accepted": 0}')
    assert judged(bad, 202, b'{"accepted": 1}')
    assert judged(bad, 422, error("OTHER"))
    assert judged(bad, 422, error("INVALID_INPUT")[:-1] + b" " * 3_000 + b"}")
    assert same(good.payload, {"value": -0.0})
    assert not same(good.payload, {"value": 0.0})
    assert not same('{"a": 1}', {"a": 1.0})
    assert event_id("r", "a b") == "r-a_b"
