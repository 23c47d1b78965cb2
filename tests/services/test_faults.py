"""Every engine refused, black-holed, reset, late and slow under a running home: alarms go on, nothing is lost (R5)."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import uvloop
from cassandra.cluster import Cluster, Session
from fault_proxy import FAULTS, Fault
from fault_rig import (
    ENGINES,
    METRIC,
    Rig,
    Stream,
    at_port,
    behind_proxies,
    eventually,
    in_a_loop,
    in_people,
    in_readings,
    port_of,
    ports_reached,
    twice,
)
from instances import Up, free_port, one_line_says, until
from instances import command as command_line
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from homeguard.clock import SystemClock
from homeguard.errors import StoreUnavailable
from homeguard.stores.mongo.open import open_mongo
from homeguard.stores.postgres.open import open_postgres
from homeguard.stores.redis.open import open_redis
from homeguard.stores.scylla.open import open_scylla

pytestmark = [pytest.mark.timeout(600)]

IS_LONG = os.environ.get("HOMEGUARD_LONG") == "1"
EVERY = tuple(ENGINES)
CASES: list[tuple[tuple[str, ...], Fault]] = (
    [((name,), fault) for fault in FAULTS for name in ENGINES] + [(EVERY, fault) for fault in FAULTS]
    if IS_LONG
    else [((name,), "refused") for name in ENGINES]
    + [(("PostgreSQL",), "black_holed"), (("Kafka",), "black_holed"), (EVERY, "refused")]
)
#: These let nothing through in time, so that the engine must be found away; through the others some calls pass.
SURE: tuple[Fault, ...] = ("refused", "black_holed", "late")
LATER = {"sent": "confirmed"}
LIGHT = "living_room_light"
#: Far more than each takes; what it took is in the table.
FOUND_WITHIN_S, ALARM_WITHIN_S, BACK_WITHIN_S, SETTLED_WITHIN_S = 30.0, 20.0, 60.0, 90.0

READS = {
    "devices": "/api/v1/devices", "device": f"/api/v1/devices/{LIGHT}", "me": "/api/v1/users/me",
    "events": "/api/v1/events?limit=20", "alerts": "/api/v1/alerts",
    "figures": f"/api/v1/analytics/aggregates?device_id=thermostat&metric={METRIC}",
    "automations": "/api/v1/automations", "said": "/api/v1/ai/chat/history", "cards": "/api/v1/confirmations",
}  # fmt: skip
#: While the engine is away this read is answered from a copy, which says of what.
COPIES = {
    "PostgreSQL": ("me", "users"), "TimescaleDB": ("figures", "readings"), "Scylla": ("events", "events"),
    "MongoDB": ("devices", "devices"),
}  # fmt: skip


@dataclass(slots=True)
class Row:
    """A line of the table."""

    engine: str
    fault: str
    found_s: float | None = None
    alert_s: float | None = None
    message_s: float | None = None
    back_s: float | None = None
    events: int = 0
    lost: int = 0
    doubled: int = 0
    wordless: int = 0
    command: str = ""

    def text(self) -> str:
        times = ["-" if s is None else f"{s:.1f}" for s in (self.found_s, self.alert_s, self.message_s, self.back_s)]
        counts = [self.events, self.lost, self.doubled, self.wordless]
        return line(self.engine, self.fault, [*times, *map(str, counts)], self.command)


HEADS = ["found s", "alert s", "message s", "back s", "events", "lost", "doubled", "wordless"]


def line(engine: str, fault: str, figures: Sequence[str], command: str) -> str:
    right = " ".join(f"{figure:>{max(7, len(head))}}" for head, figure in zip(HEADS, figures, strict=True))
    return f"{engine:12} {fault:12} {right}  {command}"


@pytest.fixture(scope="module")
def cache(request: pytest.FixtureRequest) -> Path:
    beside = Path(request.config.getoption("services")).absolute().parent / "cache"
    return Path(os.environ.get("HOMEGUARD_SERVICES_CACHE", beside))


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest) -> Iterator[list[Row]]:
    """The table, printed at the end."""
    found: list[Row] = []
    yield found
    text = "\n".join([line("engine", "fault", HEADS, "command"), *(row.text() for row in found)])
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{text}")
    if place := os.environ.get("HOMEGUARD_FAULTS_TABLE"):
        Path(place).write_text(text + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def rig(own_engines: dict[str, str], tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("faults")
    with behind_proxies(own_engines, folder / "site", cache) as behind:
        env = {**behind.through, "HOMEGUARD_DEMO_HISTORY_DAYS": "0", "HOMEGUARD_SPOOL_MB": "1"}
        up = Up(folder, "--no-simulator", env=env)
        made = Rig(up, behind.faults, behind.past)
        try:
            until(lambda: made.is_well() and not made.away(), within_s=120)
            made.begin()
            yield made
        finally:
            made.end()
            up.kill()


@pytest.fixture(scope="module")
def scylla(own_engines: dict[str, str]) -> Iterator[Session]:
    host, _, port = own_engines["SCYLLA_HOSTS"].partition(":")
    with Cluster([host], port=int(port)) as cluster:
        yield cluster.connect(own_engines["HOMEGUARD_SCYLLA_KEYSPACE"])


def test_every_connection_of_the_instance_goes_through_a_proxy(rig: Rig):
    reached = ports_reached(rig.up.process.pid)
    assert reached & {proxy.upstream for proxy in rig.faults.values()} == set()
    assert {proxy.port for proxy in rig.faults.values()} <= reached


@pytest.mark.parametrize(
    ("names", "fault"), CASES, ids=lambda v: v if isinstance(v, str) else "all" if len(v) > 1 else v[0]
)
def test_the_home_goes_on_and_loses_nothing(
    rig: Rig, scylla: Session, rows: list[Row], names: tuple[str, ...], fault: Fault
):
    row = Row("all" if len(names) > 1 else names[0], fault)
    rows.append(row)
    rig.sign_in()
    ledger, begun = rig.ledger, len(rig.ledger.events)
    wordless_before = len(ledger.wordless)
    ask_everything(rig)
    with rig.watching() as stream:
        with rig.fed():
            with ill(rig, names, fault):
                began = time.monotonic()
                at_once = alarm(rig, stream)
                if eventually(lambda: set(names) <= rig.away(), FOUND_WITHIN_S if fault in SURE else 10) is not None:
                    row.found_s = time.monotonic() - began
                later = alarm(rig, stream)
                answers = ask_everything(rig)
                row.command = command(rig)
                with rig.http() as http:
                    ledger.judge(http.post("/api/v1/ai/chat", json={"message": "Is the front door locked?"}))
            row.back_s = eventually(lambda: rig.ready()["status"] == "ready", BACK_WITHIN_S)
        ended = stream.ended
    if at_once is not None and later is not None:
        row.alert_s, row.message_s = (max(both) for both in zip(at_once, later, strict=True))
    settled = eventually(lambda: rig.is_well() and not missing(rig, scylla), SETTLED_WITHIN_S)
    row.events = len(ledger.events) - begun
    row.lost, row.doubled = len(missing(rig, scylla)), len(doubled(rig, scylla))
    row.wordless = len(ledger.wordless) - wordless_before

    assert row.message_s is not None, "an alarm came to nobody"
    assert fault not in SURE or row.found_s is not None, rig.ready()
    assert row.back_s is not None, rig.ready()
    assert settled is not None, (missing(rig, scylla)[:5], rig.ready())
    assert row.doubled == 0, doubled(rig, scylla)[:5]
    assert ledger.wordless[wordless_before:] == []
    assert ended == "", "the live stream broke off"
    if fault in SURE:
        for name in names:
            if name in COPIES:
                read, concern = COPIES[name]
                status, since = answers[read]
                assert status == 200, (read, answers)
                assert f"{concern}=" in since, (read, answers)
    whole(rig)


@contextmanager
def ill(rig: Rig, names: tuple[str, ...], fault: Fault) -> Iterator[None]:
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(rig.faults[name].having(fault))
        yield


def alarm(rig: Rig, stream: Stream) -> tuple[float, float] | None:
    """Seconds from the breaking of a pane until an alert shows, and until there is a message; None: not in time."""
    began = time.monotonic()
    event_id = rig.break_glass()
    if eventually(lambda: rig.told_of(event_id, stream), ALARM_WITHIN_S) is None:
        return None
    return stream.alerted_at(event_id) - began, time.monotonic() - began


def ask_everything(rig: Rig) -> dict[str, tuple[int, str]]:
    """Every read: (status, what it says of copies); a refusal has a code and a sentence, or it is noted."""
    found = {}
    with rig.http() as http:
        for name, path in READS.items():
            answer = http.get(path)
            rig.ledger.judge(answer)
            found[name] = (answer.status_code, answer.headers.get("X-HomeGuard-Stale-Since", ""))
    return found


def command(rig: Rig) -> str:
    """Switch a lamp: what was said of it, which must not be a "done" that is not so."""
    turn = "turn_on" if len(rig.ledger.commands) % 2 == 0 else "turn_off"
    outcome, reason = rig.command(LIGHT, turn)
    if outcome == "confirmed":
        with rig.http() as http:
            answer = http.get(f"/api/v1/devices/{LIGHT}")
        if rig.ledger.judge(answer):
            assert answer.json()["state"]["on"] is (turn == "turn_on")
    else:
        assert " " in reason, (outcome, reason)
    return outcome


def missing(rig: Rig, scylla: Session) -> list[str]:
    """What was promised and is not in the engines."""
    ledger, engines = rig.ledger, rig.real
    lost = []
    for table in ("events_by_user", "events_by_device", "events_by_type"):
        there = {row.event_id for row in scylla.execute(f"SELECT event_id FROM {table}")}
        lost += [f"{table} {i}" for i in ledger.events if i not in there]
    lost += [f"alert {i}" for i in ledger.alarms if i not in alerts_in(scylla)]
    readings, _, _ = in_a_loop(in_readings(engines["TIMESCALE_URL"]))
    lost += [f"reading {i}" for i in ledger.events if i.startswith("f-") and i not in readings]
    commands, messages = in_a_loop(in_people(engines["POSTGRES_URL"], rig.home_id))
    # a device that reports late turns `sent` into `confirmed`
    lost += [f"command {i} {o}" for i, o in ledger.commands.items() if commands.get(i) not in (o, LATER.get(o, o))]
    lost += [f"message {i}" for i in rig.outbox_here() if i not in messages]
    return lost


def doubled(rig: Rig, scylla: Session) -> list[str]:
    """What the engines have more than once."""
    found = []
    for table in ("events_by_user", "events_by_device", "events_by_type"):
        found += [f"{table} {i}" for i in twice([r.event_id for r in scylla.execute(f"SELECT event_id FROM {table}")])]
    found += [f"alert {i}" for i in twice(alerts_in(scylla))]
    readings, total, rolled = in_a_loop(in_readings(rig.real["TIMESCALE_URL"]))
    found += [f"reading {i}" for i, count in readings.items() if count != 1]
    if rolled != total:
        found.append(f"rollups count {rolled} of {total} readings")
    _, messages = in_a_loop(in_people(rig.real["POSTGRES_URL"], rig.home_id))
    told = [cause for cause in messages.values() if cause in rig.ledger.alarms]
    return found + [f"message of {i}" for i in twice(told)]


def alerts_in(scylla: Session) -> list[str]:
    """The event of every alert."""
    return [i for row in scylla.execute("SELECT event_ids FROM alerts") for i in json.loads(row.event_ids)]


def whole(rig: Rig) -> None:
    """Nothing waits, the audit is unbroken, and Redis knows the devices as this machine does."""
    assert rig.waits_in_spool() == {}
    assert in_a_loop(audit_rows(rig.real["POSTGRES_URL"])) > 0
    with rig.http() as http:
        here = {d["id"]: d["state"] for d in http.get("/api/v1/devices").json()["items"] if d["state"]}
    assert eventually(lambda: in_a_loop(states_in(rig.real["REDIS_URL"], rig.home_id)) == here, 10) is not None


async def audit_rows(url: str) -> int:
    async with open_postgres(url, SystemClock(), size=1) as stores:
        return await stores.audit.verify()


async def states_in(url: str, home_id: str) -> dict[str, dict]:
    async with open_redis(url, SystemClock()) as stores:
        return {i: dict(s.attributes) for i, s in (await stores.live.all(home_id)).items() if s.attributes}


def test_a_question_that_was_never_asked_is_refused_in_words_while_its_store_is_away(rig: Rig):
    rig.sign_in()
    with ill(rig, ("Scylla", "TimescaleDB"), "refused"), rig.http() as http:
        assert eventually(lambda: {"Scylla", "TimescaleDB"} <= rig.away(), FOUND_WITHIN_S) is not None
        for path in (
            "/api/v1/events?limit=3&device_id=doorbell",
            f"/api/v1/analytics/aggregates?device_id=garage_door&metric={METRIC}&every=7",
        ):
            answer = http.get(path)
            assert answer.status_code == 503
            error = answer.json()["error"]
            assert error["code"] == "STORE_UNAVAILABLE"
            assert " " in error["message"]
            assert int(answer.headers["Retry-After"]) > 0
    assert eventually(rig.is_well, BACK_WITHIN_S) is not None


def test_a_full_spool_refuses_in_words_takes_alarms_and_empties(rig: Rig, scylla: Session):
    rig.sign_in()
    refused = None
    with rig.watching() as stream, rig.http() as http:
        with ill(rig, ("Kafka",), "refused"):
            for _ in range(40):
                if not rig.post_events(http, 500):
                    refused = http.post("/api/v1/events", json=[reading(n) for n in range(500)])
                    break
            assert refused is not None, "it never was full"
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "OVERLOADED"
            assert "Kafka" in refused.json()["error"]["message"]
            assert int(refused.headers["Retry-After"]) > 0
            assert alarm(rig, stream) is not None
        assert eventually(lambda: rig.post_events(http, 100), BACK_WITHIN_S) is not None
    assert eventually(lambda: rig.is_well() and not missing(rig, scylla), SETTLED_WITHIN_S) is not None
    assert doubled(rig, scylla) == []


def reading(number: int) -> dict[str, object]:
    return {"event_id": f"x-{number}", "device_id": "thermostat", "event_type": "telemetry", "payload": {METRIC: 21}}


# --- the adapters alone, in the loop that `homeguard up` runs them in


#: Connections that were made anew.
ENOUGH = 5
ADAPTERS = {
    "PostgreSQL": lambda s: open_postgres(s["POSTGRES_URL"], SystemClock()),
    "Scylla": lambda s: open_scylla(s["SCYLLA_HOSTS"], SystemClock(), keyspace=s["HOMEGUARD_SCYLLA_KEYSPACE"]),
    "MongoDB": lambda s: open_mongo(s["MONGO_URL"], SystemClock()),
    "Redis": lambda s: open_redis(s["REDIS_URL"], SystemClock()),
}
ASK = {
    "PostgreSQL": lambda stores: stores.users.homes(),
    "Scylla": lambda stores: stores.events.get("h1", "e1"),
    "MongoDB": lambda stores: stores.devices.of_home("h1"),
    "Redis": lambda stores: stores.live.all("h1"),
}


@pytest.mark.parametrize("name", ADAPTERS)
def test_whatever_breaks_in_mid_stream_is_told_as_away_and_heals(rig: Rig, name: str):
    setting = ENGINES[name][0]
    proxy = rig.faults[name]
    through = {**rig.real, setting: at_port(rig.real[setting], proxy.port)}

    async def ask_while_it_breaks() -> set[str]:
        found, taken = set(), proxy.taken
        async with ADAPTERS[name](through) as stores:
            proxy.be("reset")
            try:
                for _ in range(600):
                    if proxy.taken - taken >= ENOUGH:
                        break
                    answers = await asyncio.gather(*(ASK[name](stores) for _ in range(8)), return_exceptions=True)
                    found |= {type(answer).__name__ for answer in answers if isinstance(answer, BaseException)}
                    # a driver waits a second before it connects anew
                    await asyncio.sleep(0.02)
            finally:
                proxy.be("pass")
            assert proxy.taken - taken >= ENOUGH, "hardly anything broke"
            # whatever connections are still broken are found out, and then it answers
            for _ in range(100):
                try:
                    await ASK[name](stores)
                except StoreUnavailable:
                    await asyncio.sleep(0.1)
                else:
                    break
            await ASK[name](stores)
        return found

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        # a driver that asks a second time by itself may hide all of it
        assert runner.run(ask_while_it_breaks()) <= {"StoreUnavailable"}
    assert eventually(rig.is_well, BACK_WITHIN_S) is not None


# --- starts that are refused; each takes seconds, so a few stand for all unless HOMEGUARD_LONG=1


def few(*short: Any, long: tuple[Any, ...]) -> list[Any]:
    return [*short, *(long if IS_LONG else ())]


def up_ends(folder: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return command_line(folder, "up", "--port", str(free_port()), "--data-dir", folder / "data", "--no-demo",
                        env=settings)  # fmt: skip


def password_of(url: str) -> str:
    return urlsplit(url).password or ""


@pytest.mark.parametrize("setting", few("TIMESCALE_URL", "REDIS_URL", long=("POSTGRES_URL",)))
def test_a_wrong_password_ends_the_start_in_one_line(tmp_path: Path, services: dict[str, str], setting: str):
    url = services[setting]
    wrong = url.replace(password_of(url), "opensesame")
    done = up_ends(tmp_path, {setting: wrong})
    assert one_line_says(done, setting, f"127.0.0.1:{port_of(url)}", "password"), done
    assert "opensesame" not in done.stderr


@pytest.mark.parametrize(
    ("setting", "written"),
    few(
        ("TIMESCALE_URL", "mysql://app:opensesame@127.0.0.1:5432/x"),
        ("KAFKA_BROKERS", "PLAINTEXT://app:opensesame@127.0.0.1:9092"),
        long=(
            ("POSTGRES_URL", "postgres//app:opensesame@127.0.0.1:5432/x"),
            ("SCYLLA_HOSTS", "cassandra://app:opensesame@127.0.0.1"),
            ("MONGO_URL", "mongo://app:opensesame@127.0.0.1/x"),
            ("REDIS_URL", "http://:opensesame@127.0.0.1:6379"),
        ),
    ),
)
def test_a_wrong_address_ends_the_start_in_one_line(tmp_path: Path, setting: str, written: str):
    done = up_ends(tmp_path, {setting: written})
    assert one_line_says(done, setting), done
    assert "opensesame" not in done.stderr


@pytest.mark.parametrize("setting", few("POSTGRES_URL", long=("TIMESCALE_URL",)))
def test_a_database_that_is_not_there_ends_the_start_in_one_line(
    tmp_path: Path, services: dict[str, str], setting: str
):
    url = urlunsplit(urlsplit(services[setting])._replace(path="/nobody_made_this"))
    done = up_ends(tmp_path, {setting: url})
    assert one_line_says(done, setting, f"127.0.0.1:{port_of(url)}", "no database of that name"), done
    assert password_of(url) not in done.stderr


def test_a_schema_that_is_newer_ends_the_start_in_one_line(tmp_path: Path, rig: Rig):
    """The last of this file: afterwards no HomeGuard of today may use these engines."""
    in_a_loop(age(rig.real))
    for name in few("PostgreSQL", "Scylla", long=("TimescaleDB", "MongoDB", "Redis")):
        setting, _ = ENGINES[name]
        folder = tmp_path / name
        folder.mkdir()
        kept = {k: v for k, v in rig.real.items() if k in (setting, "HOMEGUARD_SCYLLA_KEYSPACE")}
        done = up_ends(folder, kept)
        assert one_line_says(done, setting, f"127.0.0.1:{port_of(rig.real[setting])}", "newer"), (name, done)
        assert not (password := password_of(rig.real[setting])) or password not in done.stderr


async def age(engines: Mapping[str, str]) -> None:
    """Every engine as a later HomeGuard would leave it."""
    for setting in ("POSTGRES_URL", "TIMESCALE_URL"):
        server = await asyncpg.connect(engines[setting])
        name = await server.fetchval("SELECT tablename FROM pg_tables WHERE tablename LIKE '%migrations'")
        await server.execute(f"INSERT INTO {name} (number, name) VALUES (9999, '9999_of_a_later_program')")
        await server.close()
    keyspace = engines["HOMEGUARD_SCYLLA_KEYSPACE"]

    def age_scylla() -> None:
        host, _, port = engines["SCYLLA_HOSTS"].partition(":")
        with Cluster([host], port=int(port)) as cluster:
            cluster.connect(keyspace).execute("INSERT INTO schema_versions (part, number) VALUES ('events', 9999)")

    await asyncio.to_thread(age_scylla)
    mongo: AsyncMongoClient = AsyncMongoClient(engines["MONGO_URL"])
    await mongo.get_default_database()["schema"].update_one({"_id": "version"}, {"$set": {"number": 9999}}, upsert=True)
    await mongo.close()
    redis = Redis.from_url(engines["REDIS_URL"])
    await redis.set("homeguard:schema", 9999)
    await redis.aclose()
