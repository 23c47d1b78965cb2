"""Moving a home from one set of stores to another, here between two folders."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.migration import CONCERNS, Ledger, Migration
from homeguard.clock import SystemClock
from homeguard.errors import Conflict, StoreUnavailable
from homeguard.model import (
    Alert,
    Anomaly,
    Automation,
    Command,
    Confirmation,
    Device,
    Effect,
    Event,
    Home,
    Member,
    Message,
    Notice,
    Reading,
    User,
)
from homeguard.permissions import Permission
from homeguard.ports.lists import ListItem
from homeguard.ports.live_state import StateChange
from homeguard.ports.memory import SHARED, Memory
from homeguard.ports.pins import Pin
from homeguard.ports.stores import Stores
from homeguard.ports.users import AccessToken, Session
from homeguard.stores.sqlite.open import open_embedded

AT = datetime(2026, 3, 1, 23, 50, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@asynccontextmanager
async def sides(tmp_path: Path) -> AsyncIterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(open_embedded(tmp_path / name, SystemClock())) for name in ("from", "to")
        ]
        first, second = ({name: getattr(stores, name) for name in CONCERNS} for stores in opened)
        yield first, second


async def fill(side: Mapping[str, Any]) -> None:
    """Two homes with some of everything."""
    for number, home_id in enumerate(("h1", "h2")):
        person = f"p{number}"
        await side["users"].put_home(Home(id=home_id, name=home_id, mode="away", arm_state="armed_away"))
        await side["users"].put_user(User(id=person, email=f"{person}@x.org", name="P", created_at=AT), "hash")
        await side["users"].put_member(Member(home_id=home_id, user_id=person, role="owner"))
        await side["sessions"].put_session(
            Session(id=f"s{number}", user_id=person, home_id=home_id, refresh_hash="r", created_at=AT,
                    expires_at=AT + 9 * MINUTE)
        )  # fmt: skip
        await side["sessions"].put_token(
            AccessToken(id=f"t{number}", home_id=home_id, user_id=person, kind="client", name="n",
                        token_hash=f"h{number}", scopes=("read",), servers=(), created_at=AT)
        )  # fmt: skip
        await side["devices"].put(
            [Device(home_id=home_id, id=f"d{n}", name=f"D{n}", type="lock", capabilities=("lock",)) for n in range(3)]
        )
        await side["automations"].put(
            Automation(id="a", home_id=home_id, name="A", trigger={"type": "event"}, actions=({"type": "notify"},))
        )
        await side["live"].apply(
            [StateChange(home_id=home_id, device_id="d1", at=AT, sequence=1, attributes={"locked": True},
                         available=True)]
        )  # fmt: skip
        command = Command(
            id="c1", home_id=home_id, device_id="d1", command="lock", parameters={}, set={"locked": True}, before={},
            tier=1, caller="person", user_id=person, cause="", requested_at=AT, not_after=AT + MINUTE,
        )  # fmt: skip
        await side["journal"].begin(command)
        await side["journal"].finish(home_id, "c1", "confirmed", "", AT + MINUTE)
        await side["confirmations"].ask(
            Confirmation(id="q", home_id=home_id, user_id=person, text="t", detail="d", tier=3,
                         effects=(Effect(kind="device", device_id="d1", command="unlock"),), created_at=AT,
                         expires_at=AT + MINUTE, caller="agent")
        )  # fmt: skip
        await side["pins"].put(Pin(home_id=home_id, pin_hash="$argon2id$x", set_by=person, set_at=AT))
        for row in range(2):
            await side["permissions"].put(
                Permission(id=f"pm{row}", home_id=home_id, name="Way out", kind="fire_egress", device_ids=("d1",),
                           created_by=person, created_at=AT + row * MINUTE)
            )  # fmt: skip
        await side["permissions"].revoke(home_id, "pm1", by=person, at=AT + MINUTE)
        for row in range(5):
            await side["audit"].write(
                home_id, at=AT + timedelta(microseconds=7 * row + 1), actor=person, action=f"act {row}",
                decision="allow", rule="r", detail={"n": row},
            )  # fmt: skip
        await side["outbox"].put(
            [Notice(id="n", home_id=home_id, at=AT, channel="app", recipient=person, priority="high", title="t",
                    text="x", delivered_at=AT)]
        )  # fmt: skip
        await side["alerts"].raise_(
            [Alert(id="al", home_id=home_id, at=AT, kind="glass_break", severity="high", title="t", text="x")]
        )
        await side["anomalies"].append(
            [Anomaly(id="an", home_id=home_id, device_id="d1", at=AT, kind="z", score=0.9, severity="low",
                     explanation="e", event_id="e1")]
        )  # fmt: skip
        await side["conversations"].append(
            home_id,
            [Message(id=f"m{n}", home_id=home_id, user_id=person, thread_id="th", turn_id="u", role="user",
                     text=f"line {n}", at=AT + n * MINUTE) for n in range(4)],
        )  # fmt: skip
        await side["conversations"].set_context(home_id, person, "th", {"return_date": "2026-03-09"})
        notes = [
            Memory(
                id=f"k{owner}", home_id=home_id, user_id=owner, kind="fact", text="Ana has a key", source="words", at=AT
            )
            for owner in (person, SHARED)
        ]  # fmt: skip
        await side["memory"].change(home_id, person, put=notes)
        item = ListItem(
            home_id=home_id, id="i1", list_name="shopping", text="milk", added_by=person, added_at=AT, done=True
        )
        await side["lists"].add([item, replace(item, id="i2", list_name="packing", done=False)])
        await side["events"].append(
            [Event(home_id=home_id, event_id=f"e{n}", event_type="door_open", at=AT + n * MINUTE, received_at=AT,
                   device_id="d1", payload={"n": n}) for n in range(2_500)]
        )  # fmt: skip
        await side["readings"].append(
            [Reading(home_id=home_id, device_id="d1", metric="temperature_c", value=float(n), unit="°C",
                     at=AT + n * MINUTE, event_id=f"e{n}") for n in range(3_000)]
        )  # fmt: skip


async def everything(side: Mapping[str, Any]) -> dict[str, Any]:
    """All that can be read, in the words of the ports."""
    span = {"start": AT - 99 * MINUTE, "end": AT + timedelta(days=30)}
    found: dict[str, Any] = {
        "users": await side["users"].users(), "homes": await side["users"].homes(),
        "login": await side["users"].user_by_email("p1@x.org"), "sessions": await side["sessions"].sessions(),
        "tokens": await side["sessions"].tokens(),
    }  # fmt: skip
    for home_id, person in (("h1", "p0"), ("h2", "p1")):
        page = await side["events"].query(home_id, limit=1000)
        found[home_id] = {
            "members": await side["users"].members(home_id),
            "devices": await side["devices"].of_home(home_id),
            "automations": await side["automations"].of_home(home_id),
            "live": {d: (dict(s.attributes), s.available, s.last_seen_at)
                     for d, s in (await side["live"].all(home_id)).items()},
            "commands": await side["journal"].commands(home_id, since=AT - MINUTE),
            "cards": await side["confirmations"].all(home_id),
            "pin": await side["pins"].get(home_id),
            "permissions": await side["permissions"].of_home(home_id),
            "audit": await side["audit"].rows(home_id),
            "outbox": await side["outbox"].query(home_id, **span),
            "lists": [await side["lists"].of(home_id, name) for name in await side["lists"].names(home_id)],
            "alerts": await side["alerts"].query(home_id, **span),
            "anomalies": await side["anomalies"].query(home_id, **span),
            "threads": await side["conversations"].threads(home_id, person),
            "lines": await side["conversations"].messages(home_id, person, "th"),
            "context": await side["conversations"].context(home_id, person, "th"),
            "memory": [await side["memory"].of(home_id, owner) for owner in (person, SHARED)],
            "events": (await side["events"].count(home_id), page.items[:5], page.items[-5:]),
            "readings": await side["readings"].raw(home_id, "d1", "temperature_c", **span),
            "hours": await side["readings"].windows(home_id, "d1", "temperature_c", **span, every=60 * MINUTE),
        }  # fmt: skip
    return found


def migration(source, target, tmp_path: Path, told=lambda _: None) -> Migration:
    return Migration(source, target, Ledger(tmp_path / "migration.json", "there"), told)


async def test_everything_arrives_as_it_was_and_the_audit_still_verifies(tmp_path: Path):
    told = []
    async with sides(tmp_path) as (source, target):
        await fill(source)

        counts = await migration(source, target, tmp_path, told.append).run()

        assert await everything(target) == await everything(source)
        assert await target["audit"].verify() == 10
    assert [(c.concern, c.source, c.target) for c in counts if c.source != c.target] == []
    assert {c.concern: c.source for c in counts} == {
        "users": 6, "sessions": 4, "devices": 6, "automations": 2, "live": 2, "journal": 2,
        "confirmations": 2, "pins": 2, "permissions": 4, "audit": 10,
        "outbox": 2, "lists": 4, "alerts": 2, "anomalies": 2, "conversations": 8, "memory": 4,
        "events": 5000, "readings": 6000,
    }  # fmt: skip
    last = {p.concern: (p.moved, p.total) for p in told}
    assert last["events"] == (5000, 5000)
    assert not (tmp_path / "migration.json").exists()


async def test_a_second_run_changes_nothing(tmp_path: Path):
    async with sides(tmp_path) as (source, target):
        await fill(source)
        await migration(source, target, tmp_path).run()
        once = await everything(target)

        counts = await migration(source, target, tmp_path).run()

        assert await everything(target) == once
    assert all(c.source == c.target for c in counts)


@pytest.mark.parametrize("calls", [1, 2, 5])
async def test_a_run_that_was_cut_off_goes_on_where_it_stood(tmp_path: Path, calls: int):
    class CutOff:
        """A store behind a line that breaks after some writes."""

        def __init__(self, store, left: int) -> None:
            self._store, self._left = store, left
            self.appended = 0

        async def append(self, items):
            if self._left == 0:
                raise StoreUnavailable("the line broke")
            self._left -= 1
            self.appended += len(items)
            return await self._store.append(items)

        def __getattr__(self, name):
            return getattr(self._store, name)

    async with sides(tmp_path) as (source, target):
        await fill(source)
        first = {**target, "readings": CutOff(target["readings"], calls)}
        with pytest.raises(StoreUnavailable):
            await migration(source, first, tmp_path).run()
        again = CutOff(target["readings"], 1_000)
        counts = await migration(source, {**target, "readings": again}, tmp_path).run()

        assert await everything(target) == await everything(source)
        assert all(c.source == c.target for c in counts)
        # Days that arrived before are not written once more.
        assert again.appended == 6000 - first["readings"].appended


async def test_stores_that_stay_are_left_alone(tmp_path: Path):
    async with sides(tmp_path) as (source, target):
        await fill(source)
        mixed = {**source, "devices": target["devices"]}

        counts = await migration(source, mixed, tmp_path).run()

        assert [c.concern for c in counts] == ["devices"]
        assert await target["devices"].of_home("h1") == await source["devices"].of_home("h1")
        assert await target["users"].homes() == []


async def test_an_audit_of_another_past_is_not_mixed_in(tmp_path: Path):
    async with sides(tmp_path) as (source, target):
        await fill(source)
        await target["audit"].write("h1", at=AT, actor="x", action="y", decision="allow", rule="r", detail={})

        with pytest.raises(Conflict):
            await migration(source, target, tmp_path).run()


async def test_back_again_brings_what_happened_there(tmp_path: Path):
    async with sides(tmp_path) as (source, target):
        await fill(source)
        await migration(source, target, tmp_path).run()
        await target["audit"].write("h1", at=AT, actor="x", action="later", decision="allow", rule="r", detail={})
        event = (await target["events"].query("h1", limit=1)).items[0]
        await target["events"].append([msgspec.structs.replace(event, event_id="new", at=AT + timedelta(days=9))])

        await Migration(target, source, Ledger(tmp_path / "back.json", "back")).run()

        assert await everything(source) == await everything(target)
        assert await source["audit"].verify() == 11


async def test_back_where_it_was_the_way_from_there_wins(tmp_path: Path):
    async with sides(tmp_path) as (there, here):
        await fill(there)
        await migration(there, here, tmp_path).run()
        # what happened there meanwhile, of which the folder knows nothing
        await there["devices"].delete("h1", "d2")
        await there["automations"].delete("h1", "a")
        await there["live"].forget("h1", "d2")
        [command] = await there["journal"].commands("h1", since=AT - MINUTE)
        sent = replace(command, id="sent", outcome="sent", reason="", finished_at=AT)
        await here["journal"].adopt([sent])
        await there["journal"].adopt([replace(sent, outcome="confirmed", finished_at=AT + MINUTE)])
        [notice] = await there["outbox"].query("h1", start=AT - MINUTE, end=AT + MINUTE)
        await there["outbox"].delivered("h1", notice.id, AT + MINUTE)
        for number, state in enumerate(("approved", "denied", "expired")):
            card = Confirmation(
                id=f"c{number}", home_id="h1", user_id="p0", text="?", detail="", tier=3, effects=(), caller="agent",
                created_at=AT, expires_at=AT + MINUTE * (number + 1),
            )  # fmt: skip
            await here["confirmations"].ask(card)
            await there["confirmations"].ask(card)
            if state != "expired":
                await there["confirmations"].decide(
                    "h1", card.id, approve=state == "approved", by="p0", now=AT + MINUTE / 2, commands=()
                )
        await there["confirmations"].settle("h1", "c0", [{"outcome": "confirmed"}])
        await there["confirmations"].expire(AT + 9 * MINUTE)
        await there["conversations"].clear("h1", "p0")

        back = Migration(there, here, Ledger(tmp_path / "back.json", "back"), is_return=True)
        counts = await back.run()

        assert await everything(here) == await everything(there)
        assert all(c.source == c.target for c in counts)
        # another home has what it had
        assert len(await here["devices"].of_home("h2")) == 3


async def test_what_only_the_target_has_stays_when_it_is_no_return(tmp_path: Path):
    async with sides(tmp_path) as (source, target):
        await fill(source)
        await migration(source, target, tmp_path).run()
        await source["devices"].delete("h1", "d2")
        await migration(source, target, tmp_path).run()
        assert len(await target["devices"].of_home("h1")) == 3


async def test_events_that_came_after_a_run_was_cut_off_are_moved_by_the_next(tmp_path: Path):
    async with sides(tmp_path) as (source, target):
        await fill(source)
        ledger = Ledger(tmp_path / "migration.json", "there")
        ledger.note("events/h1", await source["events"].count("h1"))
        event = (await source["events"].query("h1", limit=1)).items[0]
        await source["events"].append([msgspec.structs.replace(event, event_id="new", at=AT + timedelta(days=9))])
        counts = await migration(source, target, tmp_path).run()
        assert await target["events"].get("h1", "new") is not None
        assert [c for c in counts if c.source != c.target] == []


async def test_who_was_signed_out_there_is_not_signed_in_again_by_a_second_run(tmp_path: Path):
    async with sides(tmp_path) as (source, target):
        await fill(source)
        await Migration(source, target, Ledger(tmp_path / "ledger.json", "x")).run()
        await target["sessions"].revoke_session("s0", AT)
        await target["sessions"].revoke_token("t0", AT)
        await Migration(source, target, Ledger(tmp_path / "ledger.json", "x")).run()
        ended = [s.id for s in await target["sessions"].sessions() if s.revoked_at]
        assert ended + [t.id for t in await target["sessions"].tokens() if t.revoked_at] == ["s0", "t0"]


def test_no_store_is_forgotten(tmp_path: Path):
    """A store that is new is moved, or stands here: what the folder keeps anyway, what lives for an hour at most, what
    is another one's view or the work of this very process."""
    moved = {name for name, *_ in Migration({}, {}, Ledger(tmp_path / "ledger", ""))._steps()}
    assert moved == CONCERNS
    stays = {"schedules", "log", "feed", "contexts", "limits", "personal", "erasures"}
    assert {field.name for field in fields(Stores)} - moved == stays
