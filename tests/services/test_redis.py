"""What only Redis promises: names that other programs read, outages, a server that refuses, several processes."""

import asyncio
import contextlib
import random
import secrets
import shutil
import socket
import subprocess
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from freezing import freeze, thaw
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from api.access import Limits
from homeguard.clock import SystemClock
from homeguard.errors import RateLimited, StartRefused, StorageFull, StoreUnavailable
from homeguard.ids import device_uuid
from homeguard.model import LiveState, Principal
from homeguard.ports.live_state import Live, StateChange
from homeguard.stores.redis.keys import Keys
from homeguard.stores.redis.open import open_redis
from homeguard.stores.redis.schema import migrate
from homeguard.stores.redis.server import Server

SECOND = timedelta(seconds=1)
UUID = str(device_uuid("h1", "d1"))


class OwnRedis:
    """A server of this test alone, which it may kill."""

    def __init__(self, folder: Path) -> None:
        self.password = secrets.token_hex(12)
        self.port = free_port()
        self.where = f"127.0.0.1:{self.port}"
        self.url = f"redis://:{self.password}@{self.where}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "redis.conf").write_text(
            f"bind 127.0.0.1\nport {self.port}\ndir {folder}\nrequirepass {self.password}\nappendonly yes\n"
            'appendfsync always\nsave ""\nmaxmemory 64mb\nmaxmemory-policy noeviction\n'
        )

    async def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - it forks at once, and the command is ours
                [shutil.which("redis-server") or "redis-server", str(self._folder / "redis.conf")],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(Exception):
                    async with Redis.from_url(self.url) as server:
                        await server.ping()
                        return
                assert self._process.poll() is None, (self._folder / "log").read_text()
                await asyncio.sleep(0.02)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)


def free_port() -> int:
    """Outside of the range from which connections take theirs, or a client could connect to itself."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    await server.start()
    yield server
    server.kill()


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """The shared server, which no test stops."""
    lines = Path(request.config.getoption("services")).read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return given.get("REDIS_URL") or pytest.fail("the file of services names no REDIS_URL")


@pytest.fixture
async def space(url: str) -> AsyncIterator[str]:
    """A namespace of this test, gone afterwards."""
    name = f"t{uuid.uuid4().hex[:12]}"
    yield name
    async with Redis.from_url(url) as server:
        async for key in server.scan_iter(match=f"{name}:*", count=1000):
            await server.delete(key)


@pytest.fixture
async def bare(url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(url, decode_responses=True) as server:
        yield server


def change(second: float = 0, sequence: int = 0, available: bool | None = True, **attributes) -> StateChange:
    return StateChange(
        home_id="h1", device_id="d1", at=datetime.now(UTC).replace(microsecond=0) + second * SECOND, sequence=sequence,
        attributes=attributes, available=available,
    )  # fmt: skip


def live(number: int, home_id: str = "h1") -> Live:
    return Live(home_id=home_id, kind="device_event", data={"n": number})


async def read(feed, count: int) -> list[Live]:
    async with asyncio.timeout(20):
        return [await anext(feed) for _ in range(count)]


# --- names


async def test_a_devices_state_is_a_hash_that_other_programs_can_read(url, space, bare):
    said = change(on=True, battery_pct=85, signal_dbm=-45)
    async with open_redis(url, SystemClock(), namespace=space) as stores:
        await stores.live.apply([said])

    micros = round(said.at.timestamp() * 1_000_000)
    found = await bare.hgetall(f"{space}:device:state:{UUID}")
    stamps, state = found.pop("stamps"), found.pop("state")
    assert found == {
        "home": "h1", "device": "d1", "battery": "85", "signal": "-45", "available": "1", "seen": str(micros),
        "updated_at": f"{said.at.timestamp():.3f}",
    }  # fmt: skip
    assert sorted(state.strip("{}").split(",")) == ['"battery_pct":85', '"on":true', '"signal_dbm":-45']
    assert f'"on":{micros}' in stamps
    assert await bare.smembers(f"{space}:user:devices:h1") == {"d1"}
    assert await bare.zscore(f"{space}:device:seen", UUID) == micros


async def test_a_device_is_online_for_a_minute_after_it_was_heard(url, space, bare):
    online = f"{space}:device:online:{UUID}"
    async with open_redis(url, SystemClock(), namespace=space) as stores:
        await stores.live.apply([change(-90, on=True)])
        assert await bare.exists(online) == 0

        heard = change(-30, on=True)
        await stores.live.apply([heard])
        assert await bare.get(online) == f"{heard.at.timestamp():.3f}"
        assert 20_000 < await bare.pttl(online) <= 30_000

        await stores.live.apply([change(0, on=True)])
        assert 50_000 < await bare.pttl(online) <= 60_000

        await stores.live.apply([change(1, available=False)])
        assert await bare.exists(online) == 0
        assert await bare.zscore(f"{space}:device:seen", UUID) is None


async def test_a_context_and_a_limit_have_their_names_and_end_by_themselves(url, space, bare):
    async with open_redis(url, SystemClock(), namespace=space) as stores:
        await stores.contexts.put("h1", "anna", {"current_mode": "away"})
        await stores.limits.take("anna", per_minute=60, burst=60)

    assert 3_590 < await bare.ttl(f"{space}:agent:context:h1:anna") <= 3_600
    assert float(await bare.hget(f"{space}:ratelimit:user:anna:minute", "tokens")) == 59
    assert 0 < await bare.pttl(f"{space}:ratelimit:user:anna:minute") <= 60_000


async def test_forgetting_leaves_nothing_behind(url, space, bare):
    async with open_redis(url, SystemClock(), namespace=space) as stores:
        await stores.live.apply([change(on=True)])
        await stores.live.forget("h1", "d1")

    assert await bare.keys(f"{space}:*") == [f"{space}:homeguard:schema"]


async def test_every_channel_carries_what_it_is_for(url, space, bare):
    channels = [
        f"{space}:{name}" for name in ("events:user:h1", "events:global", f"device:state:{UUID}", "agent:response:anna")
    ]
    event = Live(home_id="h1", kind="device_event", data={"device_id": "d1", "set": {"on": True}})
    answer = Live(home_id="h1", kind="agent_response", data={"message": "done"}, user_id="anna")
    async with open_redis(url, SystemClock(), namespace=space) as stores, bare.pubsub() as listening:
        await listening.subscribe(*channels)
        for _ in channels:
            assert (await listening.get_message(timeout=10))["type"] == "subscribe"
        await stores.feed.publish([event, answer, live(1, "h2")])
        heard = [await listening.get_message(timeout=10) for _ in range(7)]

    short = [(m["channel"].removeprefix(f"{space}:"), "device_event" in m["data"], "done" in m["data"]) for m in heard]
    assert short == [
        ("events:user:h1", True, False), ("events:global", True, False), (f"device:state:{UUID}", True, False),
        ("events:user:h1", False, True), ("events:global", False, True), ("agent:response:anna", False, True),
        ("events:global", True, False),
    ]  # fmt: skip


async def test_homes_of_another_database_are_not_heard(own):
    third = own.url.removesuffix("/0") + "/3"
    async with (
        open_redis(own.url, SystemClock()) as here,
        open_redis(third, SystemClock()) as there,
        here.feed.subscribe("h1") as ours,
        there.feed.subscribe("*") as theirs,
    ):
        await there.feed.publish([live(1)])
        await here.feed.publish([live(2)])

        assert await read(ours, 1) == [live(2)]
        await there.feed.publish([live(3)])
        assert await read(theirs, 2) == [live(1), live(3)]


async def test_who_joins_does_not_get_what_is_still_on_its_way_to_others(url, space):
    body = '{"origin":"other","home_id":"h1","kind":"device_event","data":{"n":%d}}'
    async with open_redis(url, SystemClock(), namespace=space) as stores, stores.feed.subscribe("h1") as first:
        # It blocks, so that this process cannot have read it when the second one joins.
        with BlockingRedis.from_url(url) as server:
            server.publish(f"{space}:events:user:h1", body % 1)
        async with stores.feed.subscribe("h1") as second:
            await stores.feed.publish([live(2)])

            assert await read(second, 1) == [live(2)]
            assert await read(first, 2) == [live(1), live(2)]


async def test_what_is_not_ours_in_a_channel_is_passed_over(url, space, bare):
    async with open_redis(url, SystemClock(), namespace=space) as stores, stores.feed.subscribe("h1") as feed:
        for body in ("", "junk", "{}", '{"origin":1}', "[" * 10_000, b"\xff\x00"):
            await bare.publish(f"{space}:events:user:h1", body)
        await stores.feed.publish([live(1)])

        assert await read(feed, 1) == [live(1)]


# --- several processes


async def test_a_bridge_hears_the_others_and_not_its_own_process(url, space):
    async with (
        open_redis(url, SystemClock(), namespace=space) as one,
        open_redis(url, SystemClock(), namespace=space) as other,
        one.feed.subscribe_foreign(100) as bridge,
        one.feed.subscribe("*") as everything,
    ):
        for number in range(6):
            await (one, other)[number % 2].feed.publish([live(number, f"h{number}")])

        assert await read(everything, 6) == [live(n, f"h{n}") for n in range(6)]
        assert await read(bridge, 3) == [live(n, f"h{n}") for n in (1, 3, 5)]


async def test_processes_that_apply_at_once_end_where_one_would(url, space):
    at = datetime(2026, 3, 1, tzinfo=UTC)
    changes = [
        StateChange(
            home_id="h1", device_id=f"d{n % 3}", at=at + (n // 3) * SECOND, sequence=n, attributes={f"a{n % 2}": n},
            available=n % 7 != 0,
        )
        for n in range(300)
    ]  # fmt: skip
    mixed = changes * 2
    random.Random(1).shuffle(mixed)

    async def one_process(mine: list[StateChange]) -> None:
        async with open_redis(url, SystemClock(), namespace=space) as stores:
            for start in range(0, len(mine), 7):
                await stores.live.apply(mine[start : start + 7])

    await asyncio.gather(*(one_process(mixed[n::4]) for n in range(4)))
    async with open_redis(url, SystemClock(), namespace=space) as stores:
        found = await stores.live.all("h1")

    for device, state in found.items():
        of_it = [c for c in changes if c.device_id == device]
        assert state.attributes == {k: v for c in of_it for k, v in c.attributes.items()}
        assert state.available is of_it[-1].available
        assert state.last_seen_at == max(c.at for c in of_it if c.available)


async def test_a_limit_is_one_for_all_processes(url, space):
    async with (
        open_redis(url, SystemClock(), namespace=space) as one,
        open_redis(url, SystemClock(), namespace=space) as other,
    ):
        waits = await asyncio.gather(
            *((one, other)[n % 2].limits.take("anna", per_minute=1, burst=10) for n in range(30))
        )

    assert sum(wait_s == 0.0 for wait_s in waits) == 10


async def connections(server: Redis) -> int:
    """How many connections of HomeGuard the server has."""
    return sum(client["name"] == "homeguard" for client in await server.client_list())


async def test_more_calls_than_connections_wait_for_their_turn(own):
    async with open_redis(own.url, SystemClock(), pool_size=2) as stores, Redis.from_url(own.url) as server:
        await stores.live.apply([change(on=True)])

        found = await asyncio.gather(*(stores.live.get("h1", "d1") for _ in range(200)))

        assert {state.attributes["on"] for state in found} == {True}
        assert await connections(server) == 2


async def test_closing_ends_every_connection(own):
    async with Redis.from_url(own.url) as server:
        async with open_redis(own.url, SystemClock()) as stores, stores.feed.subscribe("h1"):
            await asyncio.gather(*(stores.live.get("h1", "d1") for _ in range(5)))
            assert await connections(server) >= 2

        async with asyncio.timeout(10):
            while True:
                if not await connections(server):
                    break
                await asyncio.sleep(0.02)


# --- a server that refuses


async def refused(url: str) -> str:
    with pytest.raises(StartRefused) as caught:
        async with open_redis(url, SystemClock(), deadline_s=2):
            pass
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("shown", [":wrong-pass@", "somebody:wrong-pass@", ""])
async def test_a_wrong_password_is_one_clear_line(own, shown):
    assert await refused(f"redis://{shown}{own.where}/0") == f"Redis at {own.where} refused the user or the password"


@pytest.mark.parametrize(
    "wrong", ["http://:s3cret@127.0.0.1:6379", ":s3cret@127.0.0.1", "redis://:s3cret@127.0.0.1:port/0", "s3cret"]
)
async def test_a_url_that_cannot_be_read_is_one_clear_line_without_what_it_held(wrong):
    message = await refused(wrong)

    assert message.startswith("a Redis URL reads redis://")
    assert "s3cret" not in message


async def test_an_unknown_database_is_one_clear_line(own):
    url = own.url.removesuffix("/0") + "/99"

    assert await refused(url) == f"Redis at {own.where} has no database of that number"


async def test_a_replica_is_one_clear_line(own):
    async with Redis.from_url(own.url) as server:
        await server.execute_command("REPLICAOF", "127.0.0.1", "1")

    assert await refused(own.url) == f"Redis at {own.where} is a replica that nobody may write to"


async def test_a_newer_schema_is_one_clear_line_and_stays_as_it_is(own):
    async with Redis.from_url(own.url) as server:
        await server.set("homeguard:schema", 99)
        message = await refused(own.url)
        assert await server.get("homeguard:schema") == b"99"

    assert message.startswith(f"Redis at {own.where} was used by a newer HomeGuard (schema 99, this one knows 1)")


@contextlib.asynccontextmanager
async def stranger(answer: bytes) -> AsyncIterator[str]:
    """Something else that listens: it says `answer` to whatever comes, nothing when that is empty."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            writer.write(answer)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", free_port()) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_something_that_is_no_redis_is_one_clear_line():
    async with stranger(b"HTTP/1.1 400 Bad Request\r\n\r\n") as where:
        assert await refused(f"redis://{where}/0") == f"Redis at {where} does not answer like a Redis"


async def test_a_server_that_is_not_there_or_never_answers_is_unavailable():
    async with stranger(b"") as where:
        for url in (f"redis://{where}/0", f"redis://127.0.0.1:{free_port()}/0"):
            async with asyncio.timeout(10):
                with pytest.raises(StoreUnavailable):
                    async with open_redis(url, SystemClock(), deadline_s=0.5):
                        pass


async def test_each_step_of_the_schema_is_taken_once_however_many_start(url, space, bare):
    steps = [f"redis.call('RPUSH', '{space}:steps', '{n}')" for n in range(1, 4)]
    servers = [Server(url) for _ in range(6)]
    try:
        await asyncio.gather(*(migrate(server, Keys(space), steps[:2]) for server in servers))
        await asyncio.gather(*(migrate(server, Keys(space), steps) for server in servers))
        with pytest.raises(StartRefused):
            await migrate(servers[0], Keys(space), steps[:2])
    finally:
        for server in servers:
            await server.close()

    assert await bare.lrange(f"{space}:steps", 0, -1) == ["1", "2", "3"]


async def test_a_step_that_fails_is_not_counted(url, space, bare):
    server = Server(url)
    try:
        with pytest.raises(StoreUnavailable):
            await migrate(server, Keys(space), ["error('no')"])
        assert await bare.exists(f"{space}:homeguard:schema") == 0
        await migrate(server, Keys(space), ["return 0"])
    finally:
        await server.close()

    assert await bare.get(f"{space}:homeguard:schema") == "1"


# --- outages


async def every_call(stores) -> list[str]:
    """The kind of each call's outcome."""
    calls = [
        stores.live.apply([change(on=True)]), stores.live.adopt([LiveState(home_id="h9", device_id="d9")]),
        stores.live.get("h1", "d1"), stores.live.all("h1"), stores.live.forget("h1", "d9"),
        stores.live.silent_since(datetime.now(UTC)), stores.feed.publish([live(1)]),
        stores.limits.take("anna", per_minute=600, burst=60), stores.contexts.put("h1", "anna", {}),
        stores.contexts.get("h1", "anna"), stores.engine.ping(),
    ]  # fmt: skip
    return [type(answer).__name__ for answer in await asyncio.gather(*calls, return_exceptions=True)]


async def test_a_killed_server_makes_every_call_unavailable_and_its_return_needs_no_restart(own):
    async with open_redis(own.url, SystemClock()) as stores:
        before = await stores.live.apply([change(on=True, level=3)])
        own.kill()
        async with asyncio.timeout(10):
            assert set(await every_call(stores)) == {"StoreUnavailable"}

        await own.start()

        # Nobody does anything here but ask again; the scripts are gone from the server.
        async with asyncio.timeout(15):
            while "StoreUnavailable" in await every_call(stores):  # noqa: ASYNC110 - a server tells nobody that it is back
                await asyncio.sleep(0.05)
        assert [await stores.live.get("h1", "d1")] == before


async def test_a_frozen_server_makes_every_call_unavailable_in_time_and_nothing_is_mixed_up_later(own):
    async with open_redis(own.url, SystemClock(), deadline_s=0.5, pool_size=4) as stores:
        await stores.live.apply(
            [
                StateChange(home_id="h1", device_id=f"d{n}", at=datetime.now(UTC), sequence=0, attributes={"n": n})
                for n in range(20)
            ]
        )
        freeze(own.pid)
        try:
            async with asyncio.timeout(10):
                assert set(await every_call(stores)) == {"StoreUnavailable"}
        finally:
            thaw(own.pid)
        # Given up half way, by their callers.
        given_up = [asyncio.create_task(stores.live.all("h1")) for _ in range(20)]
        await asyncio.sleep(0)
        for task in given_up:
            task.cancel()
        await asyncio.gather(*given_up, return_exceptions=True)

        async with asyncio.timeout(15):
            while True:
                with contextlib.suppress(StoreUnavailable):
                    await stores.engine.ping()
                    break
        found = await asyncio.gather(*(stores.live.get("h1", f"d{n}") for n in range(20)))
        assert [state.attributes["n"] for state in found] == list(range(20))


async def test_a_script_that_the_server_forgot_is_taught_again(own):
    async with open_redis(own.url, SystemClock()) as stores, Redis.from_url(own.url) as server:
        await stores.live.apply([change(on=True)])
        await server.script_flush()

        changes = [
            StateChange(home_id="h1", device_id=f"d{n}", at=datetime.now(UTC), sequence=0, attributes={"n": n})
            for n in range(500)
        ]
        assert len(await stores.live.apply(changes)) == 500
        assert await stores.limits.take("anna", per_minute=1, burst=1) == 0.0


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_subscriber_hears_again_after_an_outage_and_is_told_of_the_gap(own, how):
    async with (
        open_redis(own.url, SystemClock()) as stores,
        stores.feed.subscribe("h1") as feed,
        stores.feed.subscribe("*") as everything,
    ):
        await stores.feed.publish([live(1)])
        assert await read(feed, 1) == await read(everything, 1) == [live(1)]

        if how == "killed":
            own.kill()
            with pytest.raises(StoreUnavailable):
                await stores.feed.publish([live(2)])
            with pytest.raises(StoreUnavailable):
                async with stores.feed.subscribe("h2"):
                    pass
            await own.start()
        else:
            freeze(own.pid)
            waiting = asyncio.create_task(read(feed, 1))
            # Silence is noticed after four seconds.
            done, _ = await asyncio.wait([waiting], timeout=6)
            assert not done
            thaw(own.pid)
            feed = chained(await asyncio.wait_for(waiting, 15), feed)

        gap = Live(home_id="h1", kind="gap", data={"missed": 0})
        assert await read(feed, 1) == [gap]
        assert await read(everything, 1) == [Live(home_id="*", kind="gap", data={"missed": 0})]
        await stores.feed.publish([live(3)])
        assert await read(feed, 1) == await read(everything, 1) == [live(3)]


async def chained(first: list[Live], rest: AsyncIterator[Live]) -> AsyncIterator[Live]:
    for item in first:
        yield item
    async for item in rest:
        yield item


async def test_a_full_server_says_so_and_still_answers(own):
    async with open_redis(own.url, SystemClock()) as stores, Redis.from_url(own.url) as server:
        before = await stores.live.apply([change(on=True)])
        await server.config_set("maxmemory", 1)

        for call in (stores.live.apply([change(5, on=False)]), stores.contexts.put("h1", "anna", {})):
            with pytest.raises(StorageFull):
                await call
        assert [await stores.live.get("h1", "d1")] == before

        await server.config_set("maxmemory", 0)
        assert len(await stores.live.apply([change(5, on=False)])) == 1


async def test_an_outage_leaves_the_doors_limits_as_they_are_for_one_process(own):
    anna = Principal(home_id="h1", user_id="anna", role="owner", caller="person")
    async with open_redis(own.url, SystemClock()) as stores:
        limits = Limits(SystemClock(), on=True, shared=stores.limits)
        await limits.check_person(anna, "POST /api/v1/devices/{device_id}/command")
        own.kill()

        # Of its own, this process has the whole allowance of ten.
        for _ in range(10):
            await limits.check_person(anna, "POST /api/v1/devices/{device_id}/command")
        with pytest.raises(RateLimited):
            await limits.check_person(anna, "POST /api/v1/devices/{device_id}/command")


async def test_the_engine_names_itself(own):
    async with open_redis(own.url, SystemClock()) as stores:
        await stores.engine.ping()

        assert stores.engine.name in ("Redis", "Valkey")
        assert stores.engine.version.split(".")[0].isdecimal()
