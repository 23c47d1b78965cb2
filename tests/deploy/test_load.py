"""`homeguard load`: it sends what was asked for, when it was due, and its report says what became of it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from brokers import Broker
from instances import Up, command, until

from deploy.cli.main import main
from evals.load.events import Events, Source, source_of
from evals.load.http import HttpSender
from evals.load.pace import paced
from evals.load.plan import PROFILES, Plan, seconds
from evals.load.result import Result
from homeguard.clock import iso
from homeguard.errors import InvalidInput

pytestmark = pytest.mark.timeout(120)

QUIET = {"HOMEGUARD_RATE_LIMITS": "off", "HOMEGUARD_DEMO_HISTORY_DAYS": "0"}


def load(up: Up, *arguments: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    done = command(up.folder, "load", "--data-dir", up.data, "--json", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def sent_events(up: Up) -> list[dict[str, Any]]:
    since = iso(datetime.now(UTC) - timedelta(minutes=10))
    with up.http(up.token()) as http:
        return [e for e in up.events(http, **{"from": since}) if e["event_id"].startswith("load-")]


def test_what_the_report_calls_accepted_is_stored_once(up: Up) -> None:
    report = load(up, "--create-devices", "--rate", "200", "--duration", "2s", "--devices", "10", "--anomalies", "0.2")
    assert (report["requests"], report["accepted"], report["failed"]) == (400, 400, 0)
    assert report["statuses"] == {"202": 400}
    assert 0 < report["min_ms"] <= report["p50_ms"] <= report["p95_ms"] <= report["p99_ms"] <= report["max_ms"]
    assert report["memory_mib"] > 0
    stored = until(lambda: found if len(found := sent_events(up)) >= 400 else None)
    assert len({e["event_id"] for e in stored}) == len(stored) == 400
    assert {e["device_id"] for e in stored} == {f"load-{i}" for i in range(1, 11)}
    temperatures = [
        e["payload"]["metrics"]["temperature"] for e in stored if "temperature" in e["payload"].get("metrics", {})
    ]
    assert 0.05 < sum(t > 40 for t in temperatures) / len(temperatures) < 0.5
    before = len(stored)
    variables = {"TARGET_URL": up.url, "RATE": "100", "DURATION": "1s", "DEVICE_COUNT": "3"}
    report = load(up, "--batch", "10", env=variables)
    assert (report["requests"], report["accepted"]) == (10, 100)
    until(lambda: len(sent_events(up)) == before + 100)


def test_people_get_a_block_of_figures(up: Up) -> None:
    done = command(up.folder, "load", "--data-dir", up.data, "--rate", "50", "--duration", "1s", "--devices", "5")
    assert done.returncode == 0, done.stderr
    assert "FINAL LOAD TEST RESULTS" in done.stdout
    figures = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
    assert figures["Total requests"].strip() == "50"
    assert figures["Accepted"].strip().startswith("50 ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--url", "ftp://x"), "ftp://x"),
        (("--url", "http://127.0.0.1:9"), "does not answer"),
        (("--rate", "many"), "--rate many is no number"),
        (("--rate", "0"), "--rate lies between"),
        (("--duration", "soon"), "no length of time"),
        (("--anomalies", "2"), "--anomalies lies between"),
        (("--token", "nonsense"), "does not take the token"),
        (("--protocol", "mqtt"), "--mqtt-url"),
        (("--protocol", "mqtt", "--mqtt-url", "mqtt://127.0.0.1:9"), "does not answer"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    up: Up, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    assert main(["load", "--data-dir", str(up.data), "--url", up.url, "--duration", "1s", *arguments]) == 1
    told = capsys.readouterr()
    assert says in told.err
    assert (len(told.err.splitlines()), told.out) == (1, "")


@pytest.mark.broker
def test_over_mqtt_what_the_broker_confirmed_is_stored(start: Callable[..., Up], broker: Broker) -> None:
    linked = start("--no-simulator", env={**QUIET, "MQTT_URL": broker.url})
    report = load(
        linked, "--create-devices", "--protocol", "mqtt", "--mqtt-url", broker.url, "--rate", "200", "--duration", "2s",
        "--devices", "10",
    )  # fmt: skip
    assert (report["requests"], report["accepted"], report["failed"]) == (400, 400, 0)
    stored = until(lambda: found if len(found := sent_events(linked)) >= 400 else None)
    assert len(stored) == 400


Answer = Callable[[int], Awaitable[bytes | None]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    """A server that says what it is told to, by the number of the request; None: it hangs up."""
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                at = head.index(b"content-length:") + 15
                await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
                number, count = count, count + 1
                said = await answer(number)
                if said is None:
                    break
                writer.write(said)
        except (EOFError, OSError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


def said(status: int, body: bytes = b"{}") -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


async def against(answer: Answer, plan: Plan) -> Result:
    result = Result()
    events = Events([Source(id="d", moves=True)], run="load-x")
    async with server(answer) as url:
        senders = [HttpSender(url, lambda: "t", events, plan) for _ in range(plan.connections)]
        await paced(plan, senders, result)
    return result


async def test_each_kind_of_answer_is_counted_as_what_it_is() -> None:
    answers = [said(202), said(429), said(503), said(507), said(422), said(500), None, b"nonsense\r\n\r\n"]

    async def answer(number: int) -> bytes | None:
        return answers[number % len(answers)]

    plan = Plan(rate=400, duration_s=0.2, connections=1)
    result = await against(answer, plan)
    assert result.requests == plan.requests == 80
    assert (result.accepted, result.shed, result.rejected, result.failed) == (10, 30, 10, 30)
    assert result.statuses == {202: 10, 422: 10, 429: 10, 500: 10, 503: 10, 507: 10}
    assert sum(result.failures.values()) == 20


async def test_what_a_batch_refuses_one_by_one_is_rejected() -> None:
    async def answer(number: int) -> bytes:
        return said(202, b'{"accepted":7,"rejected":[{"index":0},{"index":1},{"index":2}]}')

    result = await against(answer, Plan(rate=1000, duration_s=0.1, batch=10, connections=2))
    assert (result.requests, result.accepted, result.rejected) == (10, 70, 30)


async def test_a_server_that_stalls_is_charged_for_all_that_had_to_wait() -> None:
    async def answer(number: int) -> bytes:
        if number == 0:
            await asyncio.sleep(0.4)
        return said(202)

    result = await against(answer, Plan(rate=100, duration_s=0.5, connections=1))
    # 40 requests were due while it stalled; a generator that only looks at its own requests finds one
    assert sum(latency > 0.05 for latency in result.latencies_s) >= 30


async def test_a_request_is_never_sent_before_it_is_due() -> None:
    times: list[float] = []

    async def answer(number: int) -> bytes:
        times.append(time.perf_counter())
        return said(202)

    plan = Plan(rate=50, duration_s=0.4, connections=4)
    begun = time.perf_counter()
    await against(answer, plan)
    assert all(at - begun >= plan.due_s(number) for number, at in enumerate(sorted(times)))


async def test_who_does_not_answer_in_time_has_failed() -> None:
    async def answer(number: int) -> bytes:
        await asyncio.sleep(30)
        return said(202)

    result = await against(answer, Plan(rate=20, duration_s=0.1, connections=2, timeout_s=0.05))
    assert (result.failed, result.failures) == (2, {"no answer in time": 2})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("120", 120.0), ("120s", 120.0), ("5m", 300.0), ("1h", 3600.0), ("250ms", 0.25), ("1.5m", 90.0)],
)
def test_lengths_of_time(text: str, wanted: float) -> None:
    assert seconds(text) == wanted


@pytest.mark.parametrize("text", ["", "s", "-1s", "1 day", "1e3", "٣s"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(InvalidInput):
        seconds(text)


def test_the_profiles_are_those_that_people_ask_for() -> None:
    rates = {name: (plan.rate, plan.duration_s, plan.devices, plan.anomalies) for name, plan in PROFILES.items()}
    assert rates == {
        "basic": (100, 120, 100, 0), "high": (1000, 300, 50, 0), "anomalies": (200, 180, 25, 0.05),
        "steady": (500, 300, 30, 0),
    }  # fmt: skip
    assert replace(PROFILES["basic"], batch=100).requests == 120


def test_the_same_seed_gives_the_same_values_and_the_wanted_share_is_anomalous() -> None:
    sources = [source for source in (source_of("a", ("climate", "battery")), source_of("b", ("motion",))) if source]
    one, two = (Events(sources, run="r", anomalies=0.1) for _ in range(2))
    assert [next(one)["payload"] for _ in range(2_000)] == [next(two)["payload"] for _ in range(2_000)]
    assert 0.07 < one.anomalous / one.values < 0.13
    assert source_of("lamp", ("on_off", "brightness")) is None


def test_the_folder_of_nobody_needs_a_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["load", "--data-dir", str(tmp_path / "none"), "--url", "http://127.0.0.1:9"]) == 1
    assert "give --token" in capsys.readouterr().err
    assert not (tmp_path / "none" / "local.key").exists()


def test_load_testing_is_one_command() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    assert "\nload-test: install\n\t$(BIN)/homeguard load $(ARGS)\n" in makefile
