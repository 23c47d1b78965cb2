"""Who signed in lately stays so while the engine is away, and who was signed out does not."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from homeguard.errors import StoreUnavailable
from homeguard.ports.users import AccessToken, Session
from homeguard.staleness import collect
from homeguard.stores.guarded.sessions import REMEMBERED, GuardedSessions


@pytest.fixture
def sessions(rig) -> GuardedSessions:
    return GuardedSessions(rig.engine, rig.forwarder, rig.clock)


@pytest.fixture
def one(rig) -> Session:
    now = rig.clock.began
    return Session(
        id="s1", user_id="anna", home_id="h1", refresh_hash="r0", created_at=now, expires_at=now + timedelta(days=7)
    )


@pytest.fixture
def token(rig) -> AccessToken:
    return AccessToken(
        id="t1", home_id="h1", user_id="anna", kind="client", name="desk", token_hash="x", scopes=("read",),
        servers=(), created_at=rig.clock.began,
    )  # fmt: skip


async def test_a_session_that_was_seen_is_known_for_fifteen_minutes(rig, sessions, one):
    await rig.remote.sessions.put_session(one)
    assert await sessions.session("s1") == one
    seen = rig.clock.now()
    await rig.go_away()
    with collect() as stale:
        assert await sessions.session("s1") == one
    assert stale == {"sessions": seen}
    await rig.clock.advance(15 * 60)
    with pytest.raises(StoreUnavailable):
        await sessions.session("s1")


async def test_one_that_was_never_seen_is_not_taken_for_absent(rig, sessions, one):
    await rig.remote.sessions.put_session(one)
    await rig.go_away()
    with pytest.raises(StoreUnavailable):
        await sessions.session("s1")
    with pytest.raises(StoreUnavailable):
        await sessions.token_by_hash("x")


async def test_a_token_that_was_seen_is_known_too(rig, sessions, token):
    await sessions.put_token(token)
    await rig.go_away()
    assert await sessions.token_by_hash("x") == token


@pytest.mark.parametrize(
    "write",
    [
        lambda s, one, token: s.put_session(one),
        lambda s, one, token: s.put_token(token),
        lambda s, one, token: s.rotate("s1", "r0", "r1", one.expires_at),
        lambda s, one, token: s.sessions(),
        lambda s, one, token: s.tokens(),
    ],
)
async def test_nobody_signs_in_and_nothing_is_listed_while_the_engine_is_away(rig, sessions, one, token, write):
    await rig.go_away()
    with pytest.raises(StoreUnavailable):
        await write(sessions, one, token)


async def test_a_session_ended_while_the_engine_is_away_ends_here_at_once_and_there_later(rig, sessions, one):
    await sessions.put_session(one)
    await rig.go_away()
    at = rig.clock.now()
    with pytest.raises(StoreUnavailable):
        await sessions.revoke_session("s1", at)
    assert (await sessions.session("s1")).revoked_at == at
    assert await sessions.rotate("s1", "r0", "r1", one.expires_at) is False
    await rig.come_back()
    assert (await rig.remote.sessions.session("s1")).revoked_at == at


async def test_a_token_ended_while_the_engine_is_away_ends_here_at_once_and_there_later(rig, sessions, token):
    await sessions.put_token(token)
    await rig.go_away()
    at = rig.clock.now()
    with pytest.raises(StoreUnavailable):
        await sessions.revoke_token("t1", at)
    assert (await sessions.token_by_hash("x")).revoked_at == at
    await rig.come_back()
    assert (await rig.remote.sessions.token_by_hash("x")).revoked_at == at


async def test_one_that_was_ended_stays_so_when_the_engine_goes_away_afterwards(rig, sessions, one, token):
    await sessions.put_session(one)
    await sessions.put_token(token)
    await sessions.revoke_session("s1", rig.clock.now())
    await sessions.revoke_token("t1", rig.clock.now())
    await rig.go_away()
    with pytest.raises(StoreUnavailable):
        await sessions.session("s1")
    assert (await sessions.token_by_hash("x")).revoked_at is not None


async def test_one_that_another_process_ended_is_remembered_as_ended(rig, sessions, one):
    await sessions.put_session(one)
    at = rig.clock.now()
    await rig.remote.sessions.revoke_session("s1", at)
    await sessions.session("s1")
    await rig.go_away()
    assert (await sessions.session("s1")).revoked_at == at


async def test_after_a_rotation_the_new_hash_is_remembered(rig, sessions, one):
    await sessions.put_session(one)
    later = one.expires_at + timedelta(days=1)
    assert await sessions.rotate("s1", "r0", "r1", later)
    await rig.go_away()
    assert await sessions.session("s1") == replace(one, refresh_hash="r1", expires_at=later)


async def test_a_rotation_whose_answer_was_lost_does_not_look_like_a_stolen_token(rig, sessions, one):
    await sessions.put_session(one)
    rig.wire.mode, rig.wire.ping_mode = "lost", "ok"
    with pytest.raises(StoreUnavailable):
        await sessions.rotate("s1", "r0", "r1", one.expires_at)
    rig.wire.mode = "ok"
    assert (await rig.remote.sessions.session("s1")).refresh_hash == "r1"
    assert await sessions.rotate("s1", "r0", "r2", one.expires_at) is True
    assert (await rig.remote.sessions.session("s1")).refresh_hash == "r2"
    assert await sessions.rotate("s1", "r0", "r3", one.expires_at) is False


async def test_only_so_many_are_remembered(rig, sessions, one, monkeypatch):
    assert REMEMBERED == 10_000
    monkeypatch.setattr("homeguard.stores.guarded.sessions.REMEMBERED", 3)
    for number in range(4):
        await sessions.put_session(replace(one, id=f"s{number}"))
    await rig.go_away()
    with pytest.raises(StoreUnavailable):
        await sessions.session("s0")
    assert (await sessions.session("s1")).id == "s1"


async def test_one_that_is_ended_while_it_is_being_looked_up_stays_ended(rig, sessions, one):
    await sessions.put_session(one)
    rig.wire.mode = "slow"
    looking = asyncio.create_task(sessions.session("s1"))
    await rig.wire.answered.wait()
    rig.wire.mode = "ok"
    await sessions.revoke_session("s1", rig.clock.now())
    rig.wire.gate.set()
    await looking
    await rig.go_away()
    assert (await sessions.session("s1")).revoked_at == rig.clock.began


async def test_a_rotation_that_the_engine_took_is_not_told_as_an_old_answer(rig, sessions, one):
    await sessions.put_session(one)
    with collect() as stale:
        assert await sessions.rotate("s1", "r0", "r1", one.expires_at)
    assert stale == {}
