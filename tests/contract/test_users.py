"""People, homes, memberships, sessions and tokens."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from homeguard.errors import Conflict, InvalidInput
from homeguard.model import Home, Member, User
from homeguard.ports.users import LONGEST, AccessToken, Session

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


async def test_an_empty_store_answers_with_nothing(stores):
    assert await stores.users.users() == []
    assert await stores.users.homes() == []
    assert await stores.users.homes_of("anna") == []
    assert await stores.sessions.sessions() == []
    assert list(await stores.sessions.tokens()) == []
    assert await stores.users.user_by_email("") is None


async def test_what_is_not_there_is_changed_without_an_error_and_not_made(stores):
    await stores.users.set_password_hash("nobody", "hash")
    await stores.users.set_mode("nowhere", "away", "armed_away")
    await stores.sessions.revoke_session("none", AT)

    assert await stores.users.users() == []
    assert await stores.users.homes() == []
    assert await stores.sessions.sessions() == []


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("Zoë@example.org", "ZOË@EXAMPLE.ORG"),
        ("straße@example.org", "STRASSE@example.org"),
        ("ΣΊΣΥΦΟΣ@example.org", "σίσυφος@example.org"),
    ],
)
async def test_emails_of_any_alphabet_are_compared_without_case(stores, stored, asked):
    await stores.users.put_user(replace(ANNA, email=stored), "hash")

    assert await stores.users.user_by_email(asked) == (replace(ANNA, email=stored), "hash")
    with pytest.raises(Conflict) as caught:
        await stores.users.put_user(replace(BEN, email=asked), "other")
    assert caught.value.details["field"] == "email"


async def test_of_many_people_with_one_email_one_is_kept(stores):
    people = [replace(ANNA, id=f"p{n:02}", email=f"{'ANNA' if n % 2 else 'anna'}@example.org") for n in range(20)]

    done = await asyncio.gather(*(stores.users.put_user(p, p.id) for p in people), return_exceptions=True)

    kept = [p for p, answer in zip(people, done, strict=True) if answer is None]
    assert await stores.users.users() == kept
    assert len(kept) == 1
    assert {type(answer) for answer in done} == {type(None), Conflict}


async def test_a_person_put_many_times_at_once_is_one_person(stores):
    await asyncio.gather(*(stores.users.put_user(replace(ANNA, name=f"Anna {n}"), f"hash {n}") for n in range(20)))

    found, hash_ = await stores.users.user_by_email(ANNA.email)
    assert found.name.removeprefix("Anna ") == hash_.removeprefix("hash ")
    assert await stores.users.users() == [found]


@pytest.mark.parametrize("field", ["email", "name", "password_hash"])
async def test_what_is_too_long_for_a_person_is_refused_by_name_and_the_longest_is_kept(stores, field):
    fits, too_long = "é" * LONGEST, "é" * (LONGEST + 1)

    def given(text: str) -> tuple[User, str]:
        return (ANNA, text) if field == "password_hash" else (replace(ANNA, **{field: text}), "hash")

    with pytest.raises(InvalidInput) as caught:
        await stores.users.put_user(*given(too_long))
    assert caught.value.details["field"] == field
    assert await stores.users.user("anna") is None

    await stores.users.put_user(*given(fits))
    assert await stores.users.user_by_email(given(fits)[0].email) == given(fits)


async def test_lists_are_sorted_by_code_point_whatever_language_the_store_speaks(stores):
    ids = ["Z", "a", "ä", "B", "c", "_", "10", "9"]
    for id_ in ids:
        await stores.users.put_home(Home(id=id_, name="Same"))
        await stores.users.put_user(replace(ANNA, id=id_, email=f"{id_}@x"), "hash")
        await stores.users.put_member(Member(home_id="h1", user_id=id_, role="member"))
        await stores.users.put_member(Member(home_id=id_, user_id="anna", role="guest"))
        await stores.sessions.put_session(replace(SESSION, id=id_))

    in_order = ["10", "9", "B", "Z", "_", "a", "c", "ä"]
    assert [home.id for home in await stores.users.homes()] == in_order
    assert [member.user_id for member in await stores.users.members("h1")] == in_order
    assert [member.home_id for member in await stores.users.homes_of("anna")] == in_order
    assert [session.id for session in await stores.sessions.sessions()] == in_order
    assert [user.id for user in await stores.users.users()] == ["10", "9", "_", "a", "B", "c", "Z", "ä"]


@pytest.mark.parametrize("text", ['O\'Brien "x" \\ %s $1 ; --', "Ωmega 家 🏠", "two\nlines\tand a tab", ""])
async def test_names_of_any_letters_are_read_as_they_were_put(stores, text):
    home, token = Home(id="h1", name=text), replace(TOKEN, name=text, scopes=(text, "read"), servers=())
    await stores.users.put_user(replace(ANNA, name=text), text)
    await stores.users.put_home(home)
    await stores.sessions.put_token(token)

    assert await stores.users.user_by_email(ANNA.email) == (replace(ANNA, name=text), text)
    assert await stores.users.home("h1") == home
    assert await stores.sessions.token_by_hash("abc") == token


async def test_a_moment_of_any_time_zone_comes_back_as_the_same_moment_in_utc(stores):
    for number, hours in enumerate((-12, 0, 5.75, 14)):
        zone = timezone(timedelta(hours=hours))
        await stores.sessions.put_session(
            replace(SESSION, id=f"s{number}", created_at=AT.astimezone(zone), revoked_at=AT.astimezone(zone))
        )

    found = await stores.sessions.sessions()

    assert [(s.created_at, s.revoked_at) for s in found] == [(AT, AT)] * 4
    assert {s.created_at.utcoffset() for s in found} == {timedelta()}


async def test_a_member_put_again_has_the_new_role_in_that_home_only(stores):
    for home_id in ("h1", "h2"):
        await stores.users.put_member(Member(home_id=home_id, user_id="anna", role="guest"))
    await stores.users.put_member(Member(home_id="h1", user_id="anna", role="owner"))

    assert [(m.home_id, m.role) for m in await stores.users.homes_of("anna")] == [("h1", "owner"), ("h2", "guest")]
    assert await stores.users.members("h1") == [Member(home_id="h1", user_id="anna", role="owner")]


async def test_all_sessions_are_listed_revoked_and_expired_ones_too(opener):
    over = replace(SESSION, id="s0", expires_at=AT - timedelta(days=1))
    async with opener() as stores:
        for session in (replace(SESSION, id="s2"), over, SESSION):
            await stores.sessions.put_session(session)
        await stores.sessions.revoke_session("s2", AT)
    async with opener() as stores:
        assert await stores.sessions.sessions() == [over, SESSION, replace(SESSION, id="s2", revoked_at=AT)]


async def test_a_session_put_again_is_replaced_also_when_it_was_revoked(stores):
    await stores.sessions.put_session(replace(SESSION, revoked_at=AT))
    anew = replace(SESSION, refresh_hash="two", home_id="h2", expires_at=AT + timedelta(days=9))
    await stores.sessions.put_session(anew)

    assert await stores.sessions.session("s1") == anew
    assert not await stores.sessions.rotate("s1", "one", "three", AT)
    assert await stores.sessions.rotate("s1", "two", "three", AT)


async def test_a_hash_belongs_to_one_token_and_a_token_put_again_is_replaced(stores):
    await stores.sessions.put_token(TOKEN)
    with pytest.raises(Conflict):
        await stores.sessions.put_token(replace(TOKEN, id="t2"))
    changed = replace(TOKEN, token_hash="new", scopes=("read",), revoked_at=AT)
    await stores.sessions.put_token(changed)

    assert list(await stores.sessions.tokens()) == [changed]
    assert await stores.sessions.token_by_hash("abc") is None
    assert await stores.sessions.token_by_hash("new") == changed


async def test_tokens_of_one_moment_come_by_id_backwards(stores):
    for id_ in ("t1", "t3", "t2"):
        await stores.sessions.put_token(replace(TOKEN, id=id_, token_hash=id_))

    assert [token.id for token in await stores.sessions.tokens()] == ["t3", "t2", "t1"]


async def test_a_hundred_calls_at_once_are_all_answered(stores):
    await stores.users.put_user(ANNA, "hash")

    calls = (
        stores.users.user("anna") if n % 2 else stores.users.put_home(Home(id=f"h{n:03}", name="N")) for n in range(100)
    )
    answers = await asyncio.gather(*calls)

    assert answers[1::2] == [ANNA] * 50
    assert len(await stores.users.homes()) == 50
