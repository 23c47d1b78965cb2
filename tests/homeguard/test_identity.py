"""Signing in, sessions, and what each token stands for."""

import asyncio
import base64
import hashlib
import hmac
import json
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bcrypt
import jwt
import pytest

from homeguard.errors import InvalidInput, NotFound, NotSignedIn, Overloaded, RateLimited, StartRefused
from homeguard.identity.identity import Identity, SignIn
from homeguard.identity.keys import chat_secret, derive, local_key
from homeguard.identity.limits import TokenBuckets
from homeguard.identity.passwords import Passwords
from homeguard.model import ALL_SCOPES, Home, Member, Principal, User
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.open import open_embedded

KEY = b"0123456789abcdef" * 3
PASSWORD = "a long enough password"
T0 = datetime(2026, 11, 21, 8, tzinfo=UTC)


class ManualClock:
    def __init__(self) -> None:
        self._passed = timedelta()

    def now(self) -> datetime:
        return T0 + self._passed

    def monotonic(self) -> float:
        return 500 + self._passed.total_seconds()

    async def sleep(self, delay_s: float) -> None:
        self.forward(seconds=delay_s)

    def forward(self, **span: float) -> None:
        self._passed += timedelta(**span)


@dataclass
class Setting:
    identity: Identity
    stores: Stores
    clock: ManualClock

    async def sign_in(self) -> SignIn:
        return await self.identity.login("ann@home.test", PASSWORD)


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    clock = ManualClock()
    async with open_embedded(tmp_path, clock) as stores:
        identity = Identity(users=stores.users, sessions=stores.sessions, clock=clock, key=KEY)
        await identity.set_password(User(id="ann", email="Ann@Home.test", name="Ann", created_at=T0), PASSWORD)
        for home in ("ann", "cabin", "elsewhere"):
            await stores.users.put_home(Home(id=home, name=home))
        await stores.users.put_member(Member(home_id="ann", user_id="ann", role="owner"))
        await stores.users.put_member(Member(home_id="cabin", user_id="ann", role="guest"))
        yield Setting(identity, stores, clock)
        identity.close()


async def test_a_sign_in_stands_for_the_person_in_their_own_home(setting: Setting) -> None:
    signed_in = await setting.identity.login(" ANN@home.TEST ", PASSWORD)
    expected = Principal(
        home_id="ann", user_id="ann", role="owner", caller="person", name="Ann", session_id=signed_in.session_id
    )
    assert await setting.identity.principal(signed_in.access_token) == expected
    assert await setting.identity.principal(signed_in.chat_token) == expected
    assert signed_in.expires_in == 900


async def test_another_home_is_chosen_only_by_its_member(setting: Setting) -> None:
    token = (await setting.sign_in()).access_token
    there = await setting.identity.principal(token, home_id="cabin")
    assert (there.home_id, there.role, there.scopes) == ("cabin", "guest", {"read"})
    for foreign in ("elsewhere", "nowhere"):
        with pytest.raises(NotFound, match="there is no such home"):
            await setting.identity.principal(token, home_id=foreign)


@pytest.mark.parametrize(
    ("email", "password"),
    [("ann@home.test", "wrong"), ("ann@home.test", ""), ("nobody@home.test", PASSWORD), ("\ud800", PASSWORD),
     ("ann@home.test", "\ud800"), ("ann@home.test\0", PASSWORD), ("", "")],
)  # fmt: skip
async def test_a_wrong_sign_in_says_nothing_of_what_was_wrong(setting: Setting, email: str, password: str) -> None:
    with pytest.raises(NotSignedIn, match=r"^the e-mail or the password is not right$"):
        await setting.identity.login(email, password)


async def test_five_failures_delay_and_never_lock(setting: Setting) -> None:
    for _ in range(5):
        with pytest.raises(NotSignedIn):
            await setting.identity.login("ann@home.test", "wrong", remote="10.0.0.9")
    with pytest.raises(RateLimited) as refused:
        await setting.identity.login("ann@home.test", PASSWORD, remote="10.0.0.9")
    assert refused.value.details == {"retry_after_s": 12}
    assert await setting.identity.login("ann@home.test", PASSWORD, remote="10.0.0.10")
    setting.clock.forward(seconds=12)
    assert await setting.identity.login("ann@home.test", PASSWORD, remote="10.0.0.9")


async def test_good_sign_ins_are_not_counted(setting: Setting) -> None:
    for _ in range(8):
        assert await setting.identity.login("ann@home.test", PASSWORD, remote="10.0.0.9")


async def test_one_place_cannot_try_every_e_mail(setting: Setting) -> None:
    for n in range(30):
        with pytest.raises(NotSignedIn):
            await setting.identity.login(f"p{n}@home.test", "wrong", remote="10.0.0.9")
    with pytest.raises(RateLimited):
        await setting.identity.login("p99@home.test", "wrong", remote="10.0.0.9")


async def test_a_bcrypt_hash_lets_in_and_is_replaced(setting: Setting) -> None:
    old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    await setting.stores.users.set_password_hash("ann", old)
    with pytest.raises(NotSignedIn):
        await setting.identity.login("ann@home.test", "wrong")
    await setting.sign_in()
    found = await setting.stores.users.user_by_email("ann@home.test")
    assert found is not None
    assert found[1].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await setting.sign_in()


async def test_a_storm_of_sign_ins_is_turned_away() -> None:
    passwords = Passwords(threads=1, waiting=2)
    outcomes = await asyncio.gather(*(passwords.verify("x", None) for _ in range(10)), return_exceptions=True)
    passwords.close()
    assert [isinstance(o, Overloaded) for o in outcomes] == [False] * 3 + [True] * 7


async def test_a_refresh_token_works_once_and_its_second_use_ends_the_session(setting: Setting) -> None:
    first = await setting.sign_in()
    second = await setting.identity.refresh(first.refresh_token)
    assert second.session_id == first.session_id
    assert await setting.identity.principal(second.access_token)
    with pytest.raises(NotSignedIn, match="used before"):
        await setting.identity.refresh(first.refresh_token)
    for token in (first.access_token, second.access_token, second.chat_token):
        with pytest.raises(NotSignedIn):
            await setting.identity.principal(token)
    with pytest.raises(NotSignedIn):
        await setting.identity.refresh(second.refresh_token)


async def test_noise_does_not_end_a_session(setting: Setting) -> None:
    signed_in = await setting.sign_in()
    start, _, end = signed_in.refresh_token.rpartition(".")
    for forged in (
        f"hgr_{signed_in.session_id}.aaaa.bbbb",
        f"{start}.{end[::-1]}",
        "hgr_",
        "",
        "é",
        signed_in.chat_token,
    ):
        with pytest.raises(NotSignedIn):
            await setting.identity.refresh(forged)
    assert await setting.identity.principal(signed_in.access_token)


async def test_a_session_lasts_seven_days_from_its_last_refresh(setting: Setting) -> None:
    signed_in = await setting.sign_in()
    setting.clock.forward(days=6)
    renewed = await setting.identity.refresh(signed_in.refresh_token)
    setting.clock.forward(days=6)
    renewed = await setting.identity.refresh(renewed.refresh_token)
    setting.clock.forward(days=7)
    with pytest.raises(NotSignedIn):
        await setting.identity.refresh(renewed.refresh_token)


async def test_each_token_ends_when_its_time_is_over(setting: Setting) -> None:
    signed_in = await setting.sign_in()
    setting.clock.forward(minutes=14, seconds=59)
    assert await setting.identity.principal(signed_in.access_token)
    setting.clock.forward(seconds=1)
    with pytest.raises(NotSignedIn):
        await setting.identity.principal(signed_in.access_token)
    setting.clock.forward(hours=11)
    assert await setting.identity.principal(signed_in.chat_token)
    setting.clock.forward(hours=1)
    with pytest.raises(NotSignedIn):
        await setting.identity.principal(signed_in.chat_token)


async def test_signing_out_ends_every_token_of_the_session_and_tells_who_listens(setting: Setting) -> None:
    told: list[tuple[str, str]] = []

    async def listen(user_id: str, session_id: str) -> None:
        told.append((user_id, session_id))

    setting.identity.on_revoked(listen)
    gone, kept = await setting.sign_in(), await setting.sign_in()
    principal = await setting.identity.principal(gone.access_token)
    await setting.identity.logout(principal)
    await setting.identity.logout(principal)
    assert told == [("ann", gone.session_id)]
    assert not await setting.identity.is_signed_in(principal)
    for token in (gone.access_token, gone.chat_token):
        with pytest.raises(NotSignedIn):
            await setting.identity.principal(token)
    assert await setting.identity.principal(kept.access_token)


async def test_a_ticket_opens_once_and_within_thirty_seconds(setting: Setting) -> None:
    principal = await setting.identity.as_user("ann@home.test")
    ticket = setting.identity.issue_ticket(principal)
    assert setting.identity.redeem_ticket(ticket) == principal
    late = setting.identity.issue_ticket(principal)
    setting.clock.forward(seconds=30)
    for used in (ticket, late, "", "\ud800"):
        with pytest.raises(NotSignedIn):
            setting.identity.redeem_ticket(used)


async def test_a_client_token_acts_for_its_person_with_its_scopes_only(setting: Setting) -> None:
    owner = await setting.identity.as_user("ann@home.test")
    row, token = await setting.identity.create_client_token(owner, "Desk", servers=["devices"])
    assert token.startswith("hg_")
    assert token not in repr(row)
    principal = await setting.identity.principal(token, audience="mcp")
    assert (principal.caller, principal.user_id, principal.scopes) == ("client", "ann", {"read", "control"})
    assert (await setting.identity.client_token(token)).servers == ("devices",)
    await setting.identity.revoke_token(row.id)
    with pytest.raises(NotSignedIn):
        await setting.identity.principal(token, audience="mcp")


async def test_a_client_token_never_has_more_rights_than_its_person(setting: Setting) -> None:
    guest = await setting.identity.as_user("ann@home.test", home_id="cabin")
    _, token = await setting.identity.create_client_token(guest, "Desk", scopes=sorted(ALL_SCOPES))
    assert (await setting.identity.principal(token)).scopes == {"read"}
    with pytest.raises(NotFound):
        await setting.identity.principal(token, home_id="ann")


async def test_a_client_token_ends_with_its_time(setting: Setting) -> None:
    owner = await setting.identity.as_user("ann@home.test")
    _, token = await setting.identity.create_client_token(owner, "Desk", expires_in=timedelta(days=30))
    setting.clock.forward(days=30)
    with pytest.raises(NotSignedIn):
        await setting.identity.principal(token)


@pytest.mark.parametrize("wrong", [{"scopes": ["root"]}, {"servers": ["shell"]}, {"expires_in": timedelta()}])
async def test_a_client_token_is_refused_with_unknown_words(setting: Setting, wrong: dict) -> None:
    owner = await setting.identity.as_user("ann@home.test")
    with pytest.raises(InvalidInput):
        await setting.identity.create_client_token(owner, "Desk", **wrong)


async def test_a_device_token_is_no_persons_token_and_the_other_way_round(setting: Setting) -> None:
    owner = await setting.identity.as_user("ann@home.test")
    row, device = await setting.identity.create_device_token(owner, "porch_sensor")
    _, client = await setting.identity.create_client_token(owner, "Desk")
    assert await setting.identity.device(device) == row
    assert (row.home_id, row.device_id, row.kind) == ("ann", "porch_sensor", "device")
    with pytest.raises(NotSignedIn):
        await setting.identity.principal(device)
    with pytest.raises(NotSignedIn):
        await setting.identity.device(client)


async def test_the_operators_token_is_for_one_audience_and_five_minutes(setting: Setting) -> None:
    token = setting.identity.operator_token("ann@home.test", audience="mcp")
    assert (await setting.identity.principal(token, audience="mcp")).user_id == "ann"
    with pytest.raises(NotSignedIn):
        await setting.identity.principal(token, audience="api")
    setting.clock.forward(minutes=5)
    with pytest.raises(NotSignedIn):
        await setting.identity.principal(token, audience="mcp")


def _segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _signed(claims: dict, key: bytes | str, **header: object) -> str:
    raw = key.encode() if isinstance(key, str) else key
    head = {"alg": "HS256", "typ": "JWT", **header}
    body = f"{_segment(head)}.{_segment(claims)}"
    mac = hmac.new(raw, body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _attacks(good: str, chat: str, now: int) -> dict[str, str]:
    """Forged tokens by name; those that are signed are signed with the right key, so only the claim can refuse them."""
    access = derive(KEY, "access")
    claims = jwt.decode(good, options={"verify_signature": False})
    head, body, mac = good.split(".")
    chat_claims = jwt.decode(chat, options={"verify_signature": False})

    def changed(**values: object) -> str:
        return _signed({**claims, **values}, access)

    def without(name: str) -> str:
        return _signed({k: v for k, v in claims.items() if k != name}, access)

    return {
        "alg none": f"{_segment({'alg': 'none', 'typ': 'JWT'})}.{body}.",
        "alg None": f"{_segment({'alg': 'None', 'typ': 'JWT'})}.{body}.",
        "alg none with the signature": f"{_segment({'alg': 'none'})}.{body}.{mac}",
        "no signature": f"{head}.{body}.",
        "signature of another": f"{head}.{_segment({**claims, 'sub': 'bob'})}.{mac}",
        "HS512": jwt.encode(claims, access * 2, algorithm="HS512"),
        "HS384": jwt.encode(claims, access * 2, algorithm="HS384"),
        "alg RS256 in the header": _signed(claims, access, alg="RS256"),
        "wrong key": _signed(claims, b"x" * 32),
        "empty key": _signed(claims, b""),
        "the file's key itself": _signed(claims, KEY),
        "the chat's key": _signed(claims, chat_secret(KEY)),
        "kid": _signed(claims, access, kid="../../etc/passwd"),
        "jku": _signed(claims, access, jku="http://evil.test/keys"),
        "jwk": _signed(claims, access, jwk={"kty": "oct", "k": "AA"}),
        "crit": _signed(claims, access, crit=["exp"]),
        "b64 false": _signed(claims, access, b64=False, crit=["b64"]),
        "expired": changed(exp=now - 1),
        "expires now": changed(exp=now),
        "no exp": without("exp"),
        "exp as text": changed(exp=str(now + 900)),
        "exp true": changed(exp=True),
        "exp beyond numbers": changed(exp=1e400),
        "not yet valid": changed(nbf=now + 3600),
        "issued in the future": changed(iat=now + 3600),
        "no iat": without("iat"),
        "other audience": changed(aud="homeguard-mcp"),
        "no audience": without("aud"),
        "audience empty": changed(aud=""),
        "other issuer": changed(iss="evil"),
        "no issuer": without("iss"),
        "no jti": without("jti"),
        "no sub": without("sub"),
        "sub of another": changed(sub="bob"),
        "sub as number": changed(sub=7),
        "typ chat": changed(typ="chat"),
        "typ refresh": changed(typ="refresh"),
        "no typ": without("typ"),
        "no session": without("sid"),
        "unknown session": changed(sid="00000000-0000-0000-0000-000000000000"),
        "session as list": changed(sid=["x"]),
        "chat claims with the access key": _signed(chat_claims, access),
        "chat with an audience": _signed({**chat_claims, "aud": "homeguard-api"}, chat_secret(KEY)),
        "chat that says access": _signed({**chat_claims, "typ": "access"}, chat_secret(KEY)),
        "chat expired": _signed({**chat_claims, "exp": now - 1}, chat_secret(KEY)),
        "operator with the access key": changed(typ="operator", sub="ann@home.test"),
        "four parts": f"{good}.x",
        "two parts": f"{head}.{body}",
        "empty": "",
        "blank": " ",
        "not ascii": good + "é",
        "very long": good + "A" * 5000,
        "deep claims": f"{head}.{base64.urlsafe_b64encode(b'[' * 3000).rstrip(b'=').decode()}.{mac}",
        "claims are a list": f"{head}.{_segment([1])}.{mac}",
    }


NOW = int(T0.timestamp())
NAMES = sorted(_attacks(_signed({"sid": "x"}, b"k"), _signed({}, b"k"), NOW))


@pytest.mark.parametrize("name", NAMES)
async def test_a_forged_token_is_refused(setting: Setting, name: str) -> None:
    signed_in = await setting.sign_in()
    token = _attacks(signed_in.access_token, signed_in.chat_token, NOW)[name]
    with pytest.raises(NotSignedIn):
        await setting.identity.principal(token)


async def test_the_forger_of_this_file_can_sign(setting: Setting) -> None:
    claims = jwt.decode((await setting.sign_in()).access_token, options={"verify_signature": False})
    assert await setting.identity.principal(_signed(claims, derive(KEY, "access")))


async def test_only_tokens_made_for_mcp_open_mcp(setting: Setting) -> None:
    signed_in = await setting.sign_in()
    for token in (signed_in.access_token, signed_in.chat_token, signed_in.refresh_token):
        with pytest.raises(NotSignedIn):
            await setting.identity.principal(token, audience="mcp")


async def test_a_refresh_token_is_no_access_token(setting: Setting) -> None:
    signed_in = await setting.sign_in()
    with pytest.raises(NotSignedIn):
        await setting.identity.principal(signed_in.refresh_token)


async def test_the_chat_reads_its_cookie_with_the_secret_it_is_given(setting: Setting) -> None:
    claims = jwt.decode(
        (await setting.sign_in()).chat_token, setting.identity.chat_secret, algorithms=["HS256"],
        options={"verify_exp": False, "verify_iat": False},
    )  # fmt: skip
    assert "aud" not in claims
    assert (claims["identifier"], claims["display_name"], claims["typ"]) == ("Ann@Home.test", "Ann", "chat")
    assert claims["metadata"] == {"role": "owner", "jti": claims["jti"]}


async def test_a_person_without_a_home_may_sign_in_and_only_look(setting: Setting) -> None:
    await setting.identity.set_password(User(id="bob", email="bob@home.test", name="Bob", created_at=T0), PASSWORD)
    signed_in = await setting.identity.login("bob@home.test", PASSWORD)
    principal = await setting.identity.principal(signed_in.access_token)
    assert (principal.home_id, principal.role, principal.scopes) == ("", "guest", {"read"})


def test_the_local_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    first = local_key(tmp_path)
    assert len(first) >= 32
    assert local_key(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "local.key").stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["local.key"]
    other = tmp_path / "other"
    other.mkdir()
    assert local_key(other) != first


def test_a_local_key_that_others_can_read_or_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    local_key(tmp_path)
    path = tmp_path / "local.key"
    path.chmod(0o644)
    with pytest.raises(StartRefused, match="chmod 600"):
        local_key(tmp_path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(StartRefused, match="damaged"):
        local_key(tmp_path)


def test_a_bucket_holds_its_burst_and_fills_with_time() -> None:
    clock = ManualClock()
    buckets = TokenBuckets(clock, per_minute=60, burst=2)
    assert [buckets.take("a") for _ in range(3)] == [0.0, 0.0, 1.0]
    assert buckets.take("b") == 0.0
    clock.forward(seconds=1)
    assert [buckets.take("a"), buckets.take("a")] == [0.0, 1.0]
    buckets.give_back("a")
    assert buckets.take("a") == 0.0


def test_buckets_forget_the_key_that_was_used_longest_ago() -> None:
    buckets = TokenBuckets(ManualClock(), per_minute=1, burst=1, keys=2)
    for key in ("a", "b", "c"):
        assert buckets.take(key) == 0.0
    assert buckets.take("a") == 0.0
    assert buckets.take("c") > 0


async def test_the_operator_acts_with_the_persons_own_rights(setting: Setting) -> None:
    signed_in = await setting.sign_in()
    principal = await setting.identity.principal(signed_in.access_token)
    assert replace(principal, session_id="") == await setting.identity.as_user("ann@home.test")
