"""People, homes, memberships, sessions and tokens."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from homeguard.errors import Conflict
from homeguard.model import Home, Member, User
from homeguard.ports.users import AccessToken, Session

PORTS = ("users", "sessions")

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ANNA = User(id="anna", email="Anna@Example.org", name="Anna", created_at=AT)
BEN = User(id="ben", email="ben@example.org", name="Ben", role="admin", created_at=AT)
SESSION = Session(
    id="s1", user_id="anna", home_id="h1", refresh_hash="one", created_at=AT, expires_at=AT + timedelta(days=7)
)
TOKEN = AccessToken(
    id="t1", home_id="h1", user_id="anna", kind="client", name="desk", token_hash="abc", scopes=("read", "control"),
    servers=("devices",), created_at=AT, expires_at=AT + timedelta(days=30),
)  # fmt: skip


async def test_a_person_is_found_by_id_and_by_email_in_any_case(stores):
    await stores.users.put_user(ANNA, "hash")

    assert await stores.users.user("anna") == ANNA
    assert await stores.users.user_by_email("anna@EXAMPLE.org") == (ANNA, "hash")
    assert await stores.users.user("nobody") is None
    assert await stores.users.user_by_email("nobody@example.org") is None


async def test_an_email_belongs_to_one_person(stores):
    await stores.users.put_user(ANNA, "hash")

    with pytest.raises(Conflict):
        await stores.users.put_user(replace(BEN, email="ANNA@example.org"), "other")

    assert await stores.users.user("ben") is None


async def test_putting_a_person_again_replaces_them(stores):
    await stores.users.put_user(ANNA, "hash")
    await stores.users.put_user(replace(ANNA, email="new@example.org"), "hash")
    await stores.users.set_password_hash("anna", "newer")

    assert await stores.users.user_by_email("anna@example.org") is None
    assert await stores.users.user_by_email("new@example.org") == (replace(ANNA, email="new@example.org"), "newer")


async def test_users_come_by_email(stores):
    await stores.users.put_user(BEN, "b")
    await stores.users.put_user(ANNA, "a")

    assert await stores.users.users() == [ANNA, BEN]


async def test_the_mode_of_one_home_leaves_the_others_alone(stores):
    one, two = Home(id="h1", name="One", time_zone="Europe/Paris", unit_system="us"), Home(id="h2", name="Two")
    await stores.users.put_home(two)
    await stores.users.put_home(one)

    await stores.users.set_mode("h1", "away", "armed_away")

    assert await stores.users.homes() == [replace(one, mode="away", arm_state="armed_away"), two]
    assert await stores.users.home("h2") == two
    assert await stores.users.home("h3") is None


async def test_a_persons_own_home_comes_first(stores):
    for home_id in ("a", "z", "m"):
        await stores.users.put_member(Member(home_id=home_id, user_id="m", role="guest"))
    await stores.users.put_member(Member(home_id="m", user_id="m", role="owner"))
    await stores.users.put_member(Member(home_id="a", user_id="anna", role="owner"))

    assert [(m.home_id, m.role) for m in await stores.users.homes_of("m")] == [
        ("m", "owner"),
        ("a", "guest"),
        ("z", "guest"),
    ]
    assert [m.user_id for m in await stores.users.members("a")] == ["anna", "m"]
    assert await stores.users.members("nowhere") == []


async def test_of_many_rotations_with_the_same_hash_one_wins(stores):
    await stores.sessions.put_session(SESSION)
    later = AT + timedelta(days=8)

    won = await asyncio.gather(*(stores.sessions.rotate("s1", "one", f"new-{n}", later) for n in range(50)))

    assert won.count(True) == 1
    assert await stores.sessions.session("s1") == replace(
        SESSION, refresh_hash=f"new-{won.index(True)}", expires_at=later
    )


async def test_a_revoked_session_rotates_no_more(stores):
    await stores.sessions.put_session(SESSION)
    await stores.sessions.revoke_session("s1", AT)
    await stores.sessions.revoke_session("s1", AT + timedelta(hours=1))

    assert not await stores.sessions.rotate("s1", "one", "two", AT)
    assert await stores.sessions.session("s1") == replace(SESSION, revoked_at=AT)
    assert not await stores.sessions.rotate("unknown", "one", "two", AT)
    assert await stores.sessions.session("unknown") is None


async def test_a_token_is_found_by_its_hash_and_revoked_once(stores):
    newer = replace(
        TOKEN, id="t2", token_hash="def", kind="device", device_id="d", expires_at=None, created_at=AT + timedelta(1)
    )
    await stores.sessions.put_token(TOKEN)
    await stores.sessions.put_token(newer)

    assert await stores.sessions.token_by_hash("abc") == TOKEN
    assert await stores.sessions.token_by_hash("xyz") is None
    assert await stores.sessions.revoke_token("t1", AT)
    assert await stores.sessions.revoke_token("t1", AT + timedelta(1))
    assert not await stores.sessions.revoke_token("t9", AT)
    assert list(await stores.sessions.tokens()) == [newer, replace(TOKEN, revoked_at=AT)]


async def test_people_and_sessions_survive_a_reopen(opener):
    async with opener() as stores:
        await stores.users.put_user(ANNA, "hash")
        await stores.users.put_home(Home(id="h1", name="One"))
        await stores.sessions.put_session(SESSION)
        await stores.sessions.put_token(TOKEN)
    async with opener() as stores:
        assert await stores.users.user_by_email("anna@example.org") == (ANNA, "hash")
        assert await stores.users.home("h1") == Home(id="h1", name="One")
        assert await stores.sessions.session("s1") == SESSION
        assert list(await stores.sessions.tokens()) == [TOKEN]
