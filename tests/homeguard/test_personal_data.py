"""What is kept about a person is exported, and is gone after an erasure; what is others' stays to the byte."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from homeguard.clock import SystemClock
from homeguard.model import (
    Automation,
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
from homeguard.ports.memory import SHARED, Memory
from homeguard.ports.personal import Subject
from homeguard.ports.stores import Stores
from homeguard.ports.users import AccessToken, Session
from homeguard.stores.sqlite import personal
from homeguard.stores.sqlite.data_map import TABLES
from homeguard.stores.sqlite.open import open_embedded

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MIGRATIONS = Path(__file__).parents[2] / "homeguard" / "stores" / "sqlite" / "migrations"
HOUR = timedelta(hours=1)


def test_every_table_is_in_the_data_map_and_says_what_an_erasure_does() -> None:
    for file in ("home", "events"):
        schema = "".join(p.read_text(encoding="utf-8") for p in sorted(MIGRATIONS.glob(f"{file}_*.sql")))
        made = set(re.findall(r"CREATE (?:VIRTUAL )?TABLE (\w+)", schema))
        assert made == {t.name for t in TABLES if t.file == file}, "a table without a row in the data map"
    assert [t.name for t in TABLES if not (t.erase or t.stays)] == []
    assert [t.name for t in TABLES if not (t.purpose and t.kept)] == []


def subject(user_id: str, *sole_homes: str) -> Subject:
    return Subject(user_id=user_id, homes=("h1",), sole_homes=sole_homes)


def rows_of(folder: Path) -> dict[str, list[Any]]:
    """Every row of every table, as it lies in the files."""
    found: dict[str, list[Any]] = {}
    for file in ("home", "events"):
        connection = apsw.Connection(str(folder / f"{file}.db"), flags=apsw.SQLITE_OPEN_READONLY)
        for table in (t for t in TABLES if t.file == file and t.whose != "file"):
            found[table.name] = sorted(map(repr, connection.execute(f"SELECT * FROM {table.name}")))
        connection.close()
    return found


async def furnish(stores: Stores, home: str, person: str, word: str) -> None:
    """A person with something in every place, `word` among it."""
    user = User(id=person, email=f"{word}@{person}.test", name=f"{word} {person}", created_at=AT)
    await stores.users.put_user(user, f"hash of {word}")
    await stores.users.put_member(Member(home_id=home, user_id=person, role="member"))
    await stores.sessions.put_session(
        Session(id=f"s-{person}", user_id=person, home_id=home, refresh_hash="r", created_at=AT, expires_at=AT + HOUR)
    )
    for kind in ("client", "device"):
        token = AccessToken(
            id=f"{kind}-{person}", home_id=home, user_id=person, kind=kind, name=f"{word} {kind}"  # type: ignore[arg-type]
            if kind == "client" else "a sensor", token_hash=f"{kind}{person}", scopes=("read",), servers=(),
            device_id="" if kind == "client" else "lamp", created_at=AT,
        )  # fmt: skip
        await stores.sessions.put_token(token)
    said = Message(
        id=f"m-{person}", home_id=home, user_id=person, thread_id=f"t-{person}", turn_id="u", role="user",
        text=f"{word} is a secret", at=AT, calls=({"tool": "x", "arguments": {"q": word}},),
    )  # fmt: skip
    await stores.conversations.append(home, [said])
    await stores.conversations.set_context(home, person, said.thread_id, {"summary": [{"asked": word}]})
    for owner, kind in ((person, "fact"), (person, "preference"), (SHARED, "fact")):
        note = Memory(
            id=f"{kind}-{owner}-{person}", home_id=home, user_id=owner, kind=kind, text=f"{word} likes tea",  # type: ignore[arg-type]
            source="words", said_by=person, turn_id="u", at=AT, value={"name": "x", "value": word},
        )  # fmt: skip
        await stores.memory.change(home, person, put=[note])
    pet = Memory(id=f"pet-{person}", home_id=home, user_id=SHARED, kind="pet", text="A dog called Rex", source="words",
                 said_by=person, turn_id="u", at=AT)  # fmt: skip
    await stores.memory.change(home, person, put=[pet])
    card = Confirmation(
        id=f"q-{person}", home_id=home, user_id=person, text=f"Unlock for {word}?", detail=word, tier=3,
        effects=(Effect(kind="device", device_id="lamp", parameters={"query": word}),), created_at=AT,
        expires_at=AT + HOUR, caller="agent", thread_id=said.thread_id,
    )  # fmt: skip
    await stores.confirmations.ask(card)
    await stores.outbox.put([Notice(id=f"n-{person}", home_id=home, at=AT, channel="app", recipient=person,
                                        priority="normal", title=word, text=word)])  # fmt: skip
    await stores.audit.write(
        home, at=AT, actor=f"person:{person}", action="unlock", decision="allow", rule="r", detail={}
    )
    rule = Automation(
        id=f"r-{person}", home_id=home, name="A rule", trigger={}, actions=(), created_by=person, created_at=AT
    )
    await stores.automations.put(rule)
    await stores.events.append([Event(home_id=home, event_id=f"e-{person}", event_type="mode_changed", at=AT,
                                      received_at=AT, user_id=person)])  # fmt: skip


async def house(stores: Stores, home: str) -> None:
    await stores.users.put_home(Home(id=home, name=f"Home of {home}"))
    await stores.devices.put([Device(home_id=home, id="lamp", name="Lamp", type="light", capabilities=("on_off",))])
    await stores.readings.append([Reading(home_id=home, device_id="lamp", metric="power_w", value=3.0, unit="W", at=AT,
                                          event_id="x")])  # fmt: skip


async def test_a_person_of_a_shared_home_is_exported_and_gone_and_the_others_are_as_they_were(tmp_path: Path) -> None:
    word = "canary7391"
    async with open_embedded(tmp_path, SystemClock()) as stores:
        await house(stores, "h1")
        await house(stores, "h2")
        await furnish(stores, "h2", "zoe", "zebra")
        await furnish(stores, "h1", "ben", "badger")
        before = rows_of(tmp_path)
        await furnish(stores, "h1", "anna", word)

        told = await stores.personal.export(subject("anna"))
        places = {"users", "tokens", "threads", "messages", "memories", "confirmations", "outbox"}
        assert {name for name, rows in told.items() if word in repr(rows)} == places
        named = {"members", "sessions", "audit", "automations", "events", *places}
        assert {name for name, rows in told.items() if rows} == {*named, "homes"}
        assert "hash of" not in repr(told)
        assert "badger" not in repr(told)
        assert "zebra" not in repr(told)

        gone = await stores.personal.erase(subject("anna"))
        assert gone["messages"] + gone["users"] >= 2
        after = rows_of(tmp_path)
        assert word not in repr(after)
        left = {name: sorted(set(rows) - set(before[name])) for name, rows in after.items()}
        assert {name for name, rows in left.items() if rows} == {
            "audit", "audit_heads", "automations", "events", "memories", "tokens",
        }  # fmt: skip
        lost = {name: set(rows) - set(after[name]) for name, rows in before.items() if name != "audit_heads"}
        assert [name for name, rows in lost.items() if rows] == []
        assert "Rex" in repr(left["memories"])
        assert "'anna'" not in repr(left["memories"] + left["tokens"]).replace("\\", "")
        assert await stores.users.user("anna") is None
        assert [m.user_id for m in await stores.users.members("h1")] == ["ben"]
        assert await stores.audit.verify() == 3
        assert await stores.memory.search("h1", "anna", word) == []
        assert await stores.personal.erase(subject("anna")) == {}
    assert word.encode() not in (tmp_path / "home.db").read_bytes()
    assert b"badger" in (tmp_path / "home.db").read_bytes()
    async with open_embedded(tmp_path, SystemClock()) as stores:
        assert await stores.users.user("anna") is None


async def test_a_home_with_only_that_person_goes_with_all_that_it_holds(tmp_path: Path) -> None:
    async with open_embedded(tmp_path, SystemClock()) as stores:
        await house(stores, "h2")
        await furnish(stores, "h2", "zoe", "zebra")
        before = rows_of(tmp_path)
        await house(stores, "h1")
        await furnish(stores, "h1", "anna", "canary7391")

        await stores.personal.erase(subject("anna", "h1"))

        after = rows_of(tmp_path)
        assert {name: rows for name, rows in after.items() if name != "series"} == {
            name: rows for name, rows in before.items() if name != "series"
        }
        assert "'h1'" not in repr(after)
        assert [h.id for h in await stores.users.homes()] == ["h2"]


@pytest.mark.parametrize("user", ["", "nobody", "%", "' OR 1=1 --"])
async def test_erasing_nobody_changes_nothing(tmp_path: Path, user: str) -> None:
    async with open_embedded(tmp_path, SystemClock()) as stores:
        await house(stores, "h1")
        await furnish(stores, "h1", "anna", "badger")
        before = rows_of(tmp_path)

        await stores.personal.erase(subject(user))

        assert rows_of(tmp_path) == before


async def test_an_erasure_that_forgets_a_table_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted defect: without its row in the map, what lies in `memories` stays."""
    monkeypatch.setattr(personal, "TABLES", tuple(t for t in TABLES if t.name != "memories"))
    async with open_embedded(tmp_path, SystemClock()) as stores:
        await house(stores, "h1")
        await furnish(stores, "h1", "anna", "canary7391")

        await stores.personal.erase(subject("anna"))

        assert {name for name, rows in rows_of(tmp_path).items() if "canary7391" in repr(rows)} == {"memories"}
