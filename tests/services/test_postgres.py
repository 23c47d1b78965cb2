"""What only PostgreSQL promises: refusals at the start, migrations, many processes on one schema."""

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from homeguard.clock import SystemClock
from homeguard.errors import Conflict, InvalidInput, Overloaded, StartRefused, StoreUnavailable
from homeguard.model import Command, Confirmation, Home, User
from homeguard.stores import postgresql
from homeguard.stores.postgres.open import LEDGER, migrations, open_postgres
from homeguard.stores.postgresql import open_pool
from homeguard.stores.sqlite.open import open_embedded

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLOCK = SystemClock()


def command(number: int) -> Command:
    return Command(
        id=f"c{number:04}", home_id="h1", device_id="lock", command="lock", parameters={}, set={}, before={}, tier=1,
        caller="person", user_id="anna", cause="", requested_at=AT, not_after=AT + timedelta(minutes=1),
    )  # fmt: skip


async def note(stores, number: int, home_id: str = "h1") -> None:
    await stores.audit.write(
        home_id, at=AT, actor="anna", action=f"act{number}", decision="allow", rule="r", detail={"n": number}
    )


async def told(url: str, sql: str, *args) -> list:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetch(sql, *args)
    finally:
        await connection.close(timeout=5)


def in_schema(url: str, name: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}search_path={name}"


@pytest.fixture
def server_url(request: pytest.FixtureRequest) -> str:
    lines = Path(request.config.getoption("services")).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)["POSTGRES_URL"]


@pytest.fixture
async def url(server_url: str) -> AsyncIterator[str]:
    """A schema of its own on the shared server."""
    name = f"t{uuid.uuid4().hex[:12]}"
    await told(server_url, f'CREATE SCHEMA "{name}"')
    yield in_schema(server_url, name)
    await told(server_url, f'DROP SCHEMA "{name}" CASCADE')


# --- refused at the start


def other(url: str, **changes: str) -> str:
    """The URL with another user, password, host, port or database."""
    parts = urlsplit(url)
    given = {
        "user": parts.username, "password": parts.password, "host": parts.hostname, "port": parts.port,
        "database": parts.path.strip("/"),
    } | changes  # fmt: skip
    return "postgresql://{user}:{password}@{host}:{port}/{database}".format(**given)


@pytest.mark.parametrize(
    "wrong", [{"password": "s3cret-guess"}, {"user": "nobody", "password": "s3cret-guess"}, {"database": "no_such_one"}]
)
async def test_a_wrong_sign_in_or_database_is_refused_in_one_line_without_the_password(server_url, wrong):
    with pytest.raises(StartRefused) as caught:
        async with open_postgres(other(server_url, **wrong), CLOCK):
            pass

    line = caught.value.message
    assert "\n" not in line
    assert "{0.hostname}:{0.port}".format(urlsplit(server_url)) in line
    assert "s3cret-guess" not in line
    assert str(urlsplit(server_url).password) not in line


@pytest.mark.parametrize(
    "wrong",
    [
        "mysql://app:s3cret@127.0.0.1/homeguard",
        "127.0.0.1:5432",
        "postgresql://app:s3cret@127.0.0.1:port/homeguard",
        "postgresql://app:s3cret/tail@127.0.0.1:5432/homeguard",
        "postgresql://app:s3cret#tail@127.0.0.1:5432/homeguard",
        "postgresql://app:s3cret@[::1/homeguard",
        "postgresql://app:s3cret@127.0.0.1:99999/homeguard",
        "postgresql://app:s3cret@127.0.0.1/homeguard?sslmode=sometimes",
        "",
    ],
)
async def test_a_url_that_is_none_is_refused_in_one_line_without_the_password(wrong):
    with pytest.raises(StartRefused) as caught:
        async with open_postgres(wrong, CLOCK):
            pass

    assert "s3cret" not in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("query", ["search_path=no_such_schema", "no_such_setting=1"])
async def test_a_url_whose_query_the_server_cannot_follow_is_refused(server_url, query):
    with pytest.raises(StartRefused):
        async with open_postgres(f"{server_url}?{query}", CLOCK):
            pass


async def test_a_server_that_is_not_there_is_unavailable(server_url):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}"):
            async with open_postgres(other(server_url, host="127.0.0.1", port=str(port)), CLOCK):
                pass


async def test_a_server_that_never_answers_is_unavailable(server_url):
    with socket.create_server(("127.0.0.1", 0)) as deaf, pytest.raises(StoreUnavailable, match="did not answer within"):
        async with open_postgres(other(server_url, host="127.0.0.1", port=str(deaf.getsockname()[1])), CLOCK):
            pass


async def test_a_server_with_no_connection_left_is_unavailable_and_not_refused(server_url):
    name = f"few{uuid.uuid4().hex[:8]}"
    await told(server_url, f"CREATE ROLE {name} LOGIN PASSWORD 'pw' CONNECTION LIMIT 0")
    try:
        with pytest.raises(StoreUnavailable, match="too many connections"):
            async with open_postgres(other(server_url, user=name, password="pw"), CLOCK):
                pass
    finally:
        await told(server_url, f"DROP ROLE {name}")


async def test_a_user_who_may_not_make_tables_is_refused(server_url, url):
    name, schema = f"low{uuid.uuid4().hex[:8]}", url.rpartition("=")[2]
    await told(server_url, f"CREATE ROLE {name} LOGIN PASSWORD 'pw'")
    await told(server_url, f"GRANT USAGE ON SCHEMA {schema} TO {name}")
    try:
        with pytest.raises(StartRefused, match="does not let this user"):
            async with open_postgres(in_schema(other(server_url, user=name, password="pw"), schema), CLOCK):
                pass
    finally:
        await told(server_url, f"DROP OWNED BY {name}")
        await told(server_url, f"DROP ROLE {name}")


# --- migrations


async def test_migrations_run_once_whoever_comes_first(url):
    async def opened(number: int) -> None:
        async with open_postgres(url, CLOCK, size=2) as stores:
            await stores.users.put_home(Home(id=f"h{number}", name="N"))

    await asyncio.gather(*(opened(n) for n in range(6)))
    await opened(6)

    rows = await told(url, f"SELECT number, name FROM {LEDGER} ORDER BY number")
    assert [tuple(row) for row in rows] == [(n + 1, name) for n, (name, _) in enumerate(migrations())]
    async with open_postgres(url, CLOCK) as stores:
        assert [home.id for home in await stores.users.homes()] == [f"h{n}" for n in range(7)]


STEPS = [
    ("0001_one", "CREATE TABLE one (x TEXT)"),
    ("0002_two", "CREATE TABLE two (x TEXT); CREATE TABLE three (x TEXT)"),
]


@pytest.mark.parametrize("known", [STEPS[:1], [], [STEPS[0], ("0002_other", "SELECT 1")]])
async def test_a_newer_schema_is_refused_and_left_as_it_is(url, known):
    async with open_pool(url, STEPS, ledger="steps"):
        pass

    with pytest.raises(StartRefused, match=r"written by a newer HomeGuard: it holds 000\d_\w+"):
        async with open_pool(url, known, ledger="steps"):
            pass

    assert [row[0] for row in await told(url, "SELECT name FROM steps ORDER BY number")] == ["0001_one", "0002_two"]


async def test_a_step_that_fails_is_undone_whole_and_runs_when_it_was_mended(url):
    broken = [STEPS[0], ("0002_two", "CREATE TABLE two (x TEXT); nonsense")]
    with pytest.raises(StartRefused, match="syntax error"):
        async with open_pool(url, broken, ledger="steps"):
            pass
    assert (await told(url, "SELECT to_regclass('one') IS NOT NULL, to_regclass('two') IS NOT NULL"))[0] == (
        True,
        False,
    )

    async with open_pool(url, STEPS, ledger="steps") as pool:
        assert await pool.fetch("SELECT * FROM three") == []


async def test_two_ledgers_share_a_schema_and_a_name_is_never_read_as_sql(url):
    odd = 'x"; DROP TABLE one; --'
    async with (
        open_pool(url, STEPS[:1], ledger="steps"),
        open_pool(url, [("0001_it's", "SELECT 1")], ledger=odd) as pool,
    ):
        assert await pool.fetch("SELECT * FROM one") == []


async def test_a_schema_that_is_up_to_date_opens_where_nothing_may_be_written(url):
    async with open_postgres(url, CLOCK) as stores:
        await stores.users.put_home(Home(id="h1", name="One"))

    async with open_postgres(f"{url}&default_transaction_read_only=on", CLOCK) as stores:
        assert await stores.users.homes() == [Home(id="h1", name="One")]
        with pytest.raises(StoreUnavailable, match="read-only"):
            await stores.users.put_home(Home(id="h2", name="Two"))


# --- many processes, one schema


async def test_two_processes_that_answer_one_question_have_one_winner_and_one_chain(url):
    question = Confirmation(
        id="q1", home_id="h1", user_id="anna", text="?", detail="", tier=3, effects=(), created_at=AT,
        expires_at=AT + timedelta(minutes=5), caller="agent",
    )  # fmt: skip
    async with open_postgres(url, CLOCK) as one, open_postgres(url, CLOCK) as two:
        await one.confirmations.ask(question)

        async def answer(number: int) -> bool:
            stores = (one, two)[number % 2]
            await note(stores, number)
            return await stores.confirmations.decide(
                "h1", "q1", approve=True, by=f"p{number}", now=AT, commands=[command(number)]
            ) is not None  # fmt: skip

        won = await asyncio.gather(*(answer(n) for n in range(40)))

        assert won.count(True) == 1
        assert [c.id for c in await two.journal.pending()] == [f"c{won.index(True):04}"]
        assert await one.audit.verify() == await two.audit.verify() == 40


async def test_rows_sort_by_code_point_in_a_database_that_sorts_by_english(server_url):
    name = f"english{uuid.uuid4().hex[:8]}"
    await told(
        server_url, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
    )
    try:
        async with open_postgres(other(server_url, database=name), CLOCK) as stores:
            for id_ in ("b", "A", "a", "B", "_"):
                await stores.users.put_home(Home(id=id_, name=id_))
                await note(stores, 1, home_id=id_)
            assert [home.id for home in await stores.users.homes()] == ["A", "B", "_", "a", "b"]
            assert await stores.audit.verify() == 5
    finally:
        await told(server_url, f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_chain_moves_between_the_stores_and_back(url, tmp_path):
    async with open_embedded(tmp_path, CLOCK) as near, open_postgres(url, CLOCK) as far:
        for number in range(30):
            at = AT + timedelta(microseconds=number * 1_001)
            detail = {"n": number / 3, "é": ["家", None, {"z": 1, "a": 2**60}]}
            await near.audit.write("h1", at=at, actor="a", action="x", decision="ask", rule="r", detail=detail)

        assert await far.audit.adopt("h1", (await near.audit.rows("h1"))[::-1]) == 30
        await note(far, 31)
        assert await near.audit.adopt("h1", (await far.audit.rows("h1"))[::-1]) == 1

        assert await far.audit.verify() == await near.audit.verify() == 31
        assert await far.audit.rows("h1") == await near.audit.rows("h1")


# --- the audit


@pytest.mark.parametrize(
    ("damage", "row"),
    [
        ("UPDATE audit_logs SET decision = 'refuse' WHERE home_id = 'h1' AND seq = 2", 2),
        ("UPDATE audit_logs SET at = at + interval '1 microsecond' WHERE home_id = 'h1' AND seq = 3", 3),
        ("DELETE FROM audit_logs WHERE home_id = 'h1' AND seq = 1", 1),
        ("DELETE FROM audit_logs WHERE home_id = 'h1' AND seq = 4", 4),
        ("DELETE FROM audit_logs", 1),
        ("UPDATE audit_logs SET seq = 5 - seq + 100; UPDATE audit_logs SET seq = seq - 100", 1),
        ("DELETE FROM audit_heads", 4),
    ],
)
async def test_a_changed_dropped_or_moved_row_of_the_audit_is_named(url, damage, row):
    async with open_postgres(url, CLOCK) as stores:
        for number in range(4):
            await note(stores, number)
        assert await stores.audit.verify() == 4
        for statement in damage.split("; "):
            await told(url, statement)

        with pytest.raises(Conflict) as caught:
            await stores.audit.verify()

    assert (caught.value.details["home_id"], caught.value.details["seq"]) == ("h1", row)


# --- what a call does when it cannot go on


async def test_a_writer_waits_for_who_holds_the_chain_and_gives_up_at_the_deadline(url):
    async with open_postgres(url, CLOCK) as stores:
        await note(stores, 1)
        holder = await asyncpg.connect(url)
        held = holder.transaction()
        await held.start()
        await holder.execute("SELECT * FROM audit_heads FOR UPDATE")

        with pytest.raises(StoreUnavailable, match="did not answer within 5 s"):
            await note(stores, 2)
        await note(stores, 3, home_id="h2")

        await held.rollback()
        await holder.close()
        await note(stores, 4)
        assert await stores.audit.verify() == 3
        assert [row["detail"]["n"] for row in await stores.audit.rows("h1")] == [4, 1]


async def test_too_many_calls_are_refused_and_those_that_wait_are_answered(url):
    async with open_postgres(url, CLOCK, size=2) as stores:
        await stores.users.put_home(Home(id="h1", name="One"))

        answers = await asyncio.gather(
            *(stores.users.home("h1") for _ in range(postgresql.CALLS_LIMIT + 5)), return_exceptions=True
        )

        assert {type(answer) for answer in answers} == {Home, Overloaded}
        assert sum(isinstance(answer, Overloaded) for answer in answers) == 5
        assert await stores.users.home("h1") == Home(id="h1", name="One")


async def test_callers_that_went_away_leave_the_others_the_right_answers(url):
    async with open_postgres(url, CLOCK, size=3) as stores:
        for number in range(20):
            await stores.users.put_home(Home(id=f"h{number}", name=f"N{number}"))
        for round_ in range(30):
            leaving = [asyncio.ensure_future(stores.users.home(f"h{n}")) for n in range(6)]
            for _ in range(round_):
                await asyncio.sleep(0)
            for task in leaving:
                task.cancel()
            await asyncio.gather(*leaving, return_exceptions=True)

            found = await asyncio.gather(*(stores.users.home(f"h{n}") for n in range(20)))
            assert [home.name for home in found] == [f"N{n}" for n in range(20)]


async def test_a_text_that_the_server_cannot_keep_is_the_callers_error(url):
    async with open_postgres(url, CLOCK) as stores:
        for name in ("a\x00b", "lone \ud800"):
            with pytest.raises(InvalidInput):
                await stores.users.put_home(Home(id="h1", name=name))

        assert await stores.users.homes() == []


async def test_a_closed_pool_says_so_and_the_schema_stays(url):
    async with open_postgres(url, CLOCK) as stores:
        await stores.users.put_home(Home(id="h1", name="One"))
    with pytest.raises(StoreUnavailable):
        await stores.users.homes()
    with pytest.raises(StoreUnavailable):
        await stores.engine.ping()


async def test_the_engine_has_a_name_and_the_servers_version(url):
    async with open_postgres(url, CLOCK) as stores:
        await stores.engine.ping()
        (row,) = await told(url, "SHOW server_version")
        assert (stores.engine.name, stores.engine.version) == ("PostgreSQL", row[0].split()[0])


async def test_the_tables_have_the_columns_that_others_look_for(url):
    async with open_postgres(url, CLOCK) as stores:
        await stores.users.put_user(User(id="anna", email="a@x", name="Anna", created_at=AT), "hash")
        rows = await told(
            url, "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        )
        columns: dict[str, set[str]] = {}
        for table, column in rows:
            columns.setdefault(table, set()).add(column)
        assert columns["users"] >= {"id", "email", "password_hash", "name", "role", "created_at", "updated_at"}
        assert columns["user_sessions"] >= {"id", "user_id", "token_hash", "expires_at", "created_at"}
        assert columns["subscriptions"] == {"id", "user_id", "plan", "state", "started_at", "ends_at"}
        assert columns["audit_logs"] >= {"home_id", "seq", "at", "actor", "action", "decision", "hash"}
        for wrong in ("role = 'root'", "email = NULL", f"email = '{'x' * 256}'"):
            with pytest.raises(asyncpg.PostgresError):
                await told(url, f"UPDATE users SET {wrong}")
