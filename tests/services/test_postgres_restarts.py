"""A PostgreSQL that dies, freezes and comes back, under stores that stay open."""

import asyncio
import contextlib
import os
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import psutil
import pytest
from freezing import freeze, thaw

from homeguard.clock import SystemClock
from homeguard.errors import StoreUnavailable
from homeguard.model import Command, Home
from homeguard.stores.postgres.open import open_postgres

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLOCK = SystemClock()
RECOVERY_S = 15


def command(number: int) -> Command:
    return Command(
        id=f"c{number:04}", home_id="h1", device_id="lock", command="lock", parameters={}, set={}, before={}, tier=1,
        caller="person", user_id="anna", cause="", requested_at=AT, not_after=AT + timedelta(minutes=1),
    )  # fmt: skip


async def note(stores, number: int) -> None:
    await stores.audit.write(
        "h1", at=AT, actor="anna", action=f"act{number}", decision="allow", rule="r", detail={"n": number}
    )


async def told(url: str, sql: str) -> list:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetch(sql)
    finally:
        await connection.close(timeout=5)


class Server:
    """A PostgreSQL of its own; the folder is readable by the user that it runs as."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
        assert found, "these tests start a PostgreSQL of their own, and none is installed in /usr/lib/postgresql"
        self._programs = found[-1].parent
        self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.getuid() == 0 else []
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen: list[int] = []
        self.port = _free_port()
        self.url = f"postgresql://app@127.0.0.1:{self.port}/postgres"
        self._run("initdb", "-D", str(folder / "data"), "-U", "app", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8")

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                *self._as, str(self._programs / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port),
                "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}",
                "-c", "shared_buffers=32MB", "-c", "max_connections=30",
            ],
            cwd=self.folder, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 30
        while self._answers() != 0:
            assert self._process.poll() is None, "PostgreSQL ended while it started"
            assert time.monotonic() < until, "PostgreSQL did not start within 30 s"
            time.sleep(0.05)

    def kill(self) -> None:
        """All of its processes at once, as a power cut would."""
        if self._process is None:
            return
        mine = self._all()
        for process in mine:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait(20)
        until = time.monotonic() + 20
        while any(_lives(process) for process in mine):
            assert time.monotonic() < until, "PostgreSQL's processes did not end within 20 s"
            time.sleep(0.01)
        self._process = None

    def freeze(self) -> None:
        """It keeps its connections, takes new ones into the queue, and answers nobody."""
        self._frozen = [process.pid for process in self._all()]
        freeze(*self._frozen)

    def thaw(self) -> None:
        thaw(*self._frozen)
        self._frozen = []

    def _all(self) -> list[psutil.Process]:
        assert self._process is not None
        parent = psutil.Process(self._process.pid)
        return [parent, *parent.children(recursive=True)]

    def _answers(self) -> int:
        given = ["-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "2"]
        return subprocess.run([str(self._programs / "pg_isready"), *given], check=False, timeout=10).returncode

    def _run(self, program: str, *given: str) -> None:
        done = subprocess.run(
            [*self._as, str(self._programs / program), *given], cwd=self.folder, capture_output=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()


def _lives(process: psutil.Process) -> bool:
    """A killed one may wait long for whoever counts the dead."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _free_port() -> int:
    """Below the range that clients get: one of them could take the port while the server is down."""
    for port in random.sample(range(20_000, 32_000), 200):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@pytest.fixture(scope="module")
def installed() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="homeguard-postgres-") as name:
        folder = Path(name)
        if os.getuid() == 0:
            subprocess.run(["chown", "postgres:", name], check=True)
            folder.chmod(0o755)
        server = Server(folder)
        yield server
        server.kill()


@pytest.fixture
async def server(installed: Server) -> AsyncIterator[Server]:
    """Running, with an empty schema."""
    await asyncio.to_thread(installed.kill)
    await asyncio.to_thread(installed.start)
    await told(installed.url, "DROP SCHEMA public CASCADE")
    await told(installed.url, "CREATE SCHEMA public")
    yield installed
    installed.thaw()


async def answered(call, within_s: float = RECOVERY_S):
    """What `call` answers as soon as the store is there again."""
    until = time.monotonic() + within_s
    while True:
        try:
            return await call()
        except StoreUnavailable:
            assert time.monotonic() < until, f"no answer within {within_s} s of its return"
            await asyncio.sleep(0.05)


async def test_what_was_acknowledged_is_there_after_the_server_was_killed_and_the_same_stores_go_on(server):
    acknowledged: list[int] = []
    async with open_postgres(server.url, CLOCK) as stores:

        async def write(first: int) -> None:
            for number in range(first, 10_000, 8):
                await asyncio.gather(stores.journal.begin(command(number)), note(stores, number))
                acknowledged.append(number)

        writing = [asyncio.ensure_future(write(n)) for n in range(8)]
        until = time.monotonic() + 20
        while len(acknowledged) < 150:
            assert time.monotonic() < until
            await asyncio.sleep(0.01)
        await asyncio.to_thread(server.kill)
        ends = await asyncio.gather(*writing, return_exceptions=True)
        assert {type(end) for end in ends} == {StoreUnavailable}
        with pytest.raises(StoreUnavailable):
            await stores.engine.ping()

        await asyncio.to_thread(server.start)
        await answered(stores.engine.ping)

        kept = {c.id for c in await stores.journal.pending()}
        assert {f"c{n:04}" for n in acknowledged} <= kept
        audited = {row["detail"]["n"] for row in await stores.audit.rows("h1", limit=20_000)}
        assert set(acknowledged) <= audited
        assert len(kept) <= len(acknowledged) + 8
        assert await stores.audit.verify() == len(audited)
        await note(stores, 10_001)


async def test_a_frozen_server_is_unavailable_to_all_and_serves_all_when_it_goes_on(server):
    async with open_postgres(server.url, CLOCK, size=4) as stores:
        await stores.users.put_home(Home(id="h1", name="One"))
        await asyncio.gather(*(stores.users.homes() for _ in range(20)))
        server.freeze()

        answers = await asyncio.gather(
            stores.engine.ping(), *(stores.users.home("h1") for _ in range(12)), note(stores, 1), return_exceptions=True
        )
        assert {type(answer) for answer in answers} == {StoreUnavailable}

        server.thaw()
        assert await answered(lambda: stores.users.home("h1")) == Home(id="h1", name="One")
        assert await asyncio.gather(*(stores.users.home("h1") for _ in range(20))) == [Home(id="h1", name="One")] * 20
        await note(stores, 2)
        assert [row["detail"]["n"] for row in await stores.audit.rows("h1", limit=1)] == [2]
        await stores.audit.verify()


async def test_a_server_that_is_frozen_at_the_end_does_not_hold_up_the_end(server):
    async with open_postgres(server.url, CLOCK) as stores:
        await stores.users.homes()
        server.freeze()


async def test_a_server_that_starts_again_between_calls_is_noticed_by_nobody_for_long(server):
    async with open_postgres(server.url, CLOCK) as stores:
        for number in range(3):
            await stores.users.put_home(Home(id=f"h{number}", name="N"))
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await answered(stores.users.homes)
        assert [home.id for home in await stores.users.homes()] == ["h0", "h1", "h2"]


async def test_a_password_that_was_changed_while_we_run_is_unavailable_until_it_is_right_again(server):
    await told(server.url, "CREATE ROLE anna LOGIN SUPERUSER PASSWORD 'one'")
    access = server.folder / "data" / "pg_hba.conf"
    access.write_text("host all app 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n", encoding="utf-8")
    await told(server.url, "SELECT pg_reload_conf()")
    try:
        async with open_postgres(f"postgresql://anna:one@127.0.0.1:{server.port}/postgres", CLOCK) as stores:
            await stores.users.homes()
            await told(server.url, "ALTER ROLE anna PASSWORD 'two'")
            await told(server.url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'anna'")
            refused = await asyncio.gather(*(stores.users.homes() for _ in range(9)), return_exceptions=True)
            assert StoreUnavailable in {type(answer) for answer in refused}
            with pytest.raises(StoreUnavailable) as caught:
                await stores.users.homes()
            assert "one" not in caught.value.message.split()

            await told(server.url, "ALTER ROLE anna PASSWORD 'one'")
            assert await answered(stores.users.homes) == []
    finally:
        access.write_text("host all all 127.0.0.1/32 trust\n", encoding="utf-8")
        await told(server.url, "SELECT pg_reload_conf()")
        await told(server.url, "DROP OWNED BY anna CASCADE")
        await told(server.url, "DROP ROLE anna")
