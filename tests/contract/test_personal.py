"""What is kept about a person is told, and is gone after an erasure; what is others' stays: in every store the same."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from homeguard.model import (
    Alert,
    Anomaly,
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
from homeguard.permissions import Permission
from homeguard.ports.live_state import StateChange
from homeguard.ports.memory import SHARED, Memory
from homeguard.ports.personal import Subject
from homeguard.ports.pins import Pin
from homeguard.ports.users import AccessToken, Session

PORTS = ("personal",)

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALL = {"start": AT - HOUR, "end": AT + HOUR}


async def furnish(stores: Any, ports: Collection[str], home: str) -> None:
    """A home with a lamp that has done something; `home` stands in all of it."""
    if "users" in ports:
        await stores.users.put_home(Home(id=home, name=f"Home {home}"))
    if "devices" in ports:
        lamp = Device(home_id=home, id="lamp", name=f"Lamp of {home}", type="light", capabilities=("on_off",))
        await stores.devices.put([lamp])
    if "live" in ports:
        change = StateChange(
            home_id=home, device_id="lamp", at=AT, sequence=1, attributes={"title": home}, available=True
        )
        await stores.live.apply([change])
    if "readings" in ports:
        metrics = ("power_w", "voltage_v")
        readings = [
            Reading(
                home_id=home, device_id="lamp", metric=metric, value=3.0, unit="W", at=AT + timedelta(days=n),
                event_id=f"{home}-{n}",
            )
            for metric in metrics for n in range(3)
        ]  # fmt: skip
        await stores.readings.append(readings)
    if "events" in ports:
        beat = Event(home_id=home, event_id="b1", event_type="heartbeat", at=AT, received_at=AT, device_id="lamp")
        await stores.events.append([beat])
    if "anomalies" in ports:
        odd = Anomaly(
            id="o1", home_id=home, device_id="lamp", at=AT, kind="zscore", score=4.0, severity="info",
            explanation=f"odd in {home}", event_id="b1", metric="power_w",
        )  # fmt: skip
        await stores.anomalies.append([odd])
    if "alerts" in ports:
        await stores.alerts.raise_([
            Alert(id="a1", home_id=home, at=AT, kind="smoke", severity="critical", title="Smoke", text=f"in {home}")
        ])  # fmt: skip


async def move_in(stores: Any, ports: Collection[str], home: str, person: str, word: str) -> None:
    """A person of that home with something in every place, `word` among it."""
    if "users" in ports:
        user = User(id=person, email=f"{word}@{person}.test", name=word, created_at=AT)
        await stores.users.put_user(user, f"hash of {word}")
        await stores.users.put_member(Member(home_id=home, user_id=person, role="member"))
    if "sessions" in ports:
        session = Session(
            id=f"s-{person}", user_id=person, home_id=home, refresh_hash="r", created_at=AT, expires_at=AT + HOUR
        )
        await stores.sessions.put_session(session)
        token = AccessToken(
            id=f"t-{person}", home_id=home, user_id=person, kind="client", name=word, token_hash=person,
            scopes=("read",), servers=(), created_at=AT,
        )  # fmt: skip
        await stores.sessions.put_token(token)
    if "conversations" in ports:
        said = Message(
            id=f"m-{person}", home_id=home, user_id=person, thread_id=f"t-{person}", turn_id="u", role="user",
            text=f"{word} is a secret", at=AT,
        )  # fmt: skip
        await stores.conversations.append(home, [said])
        await stores.conversations.set_context(home, person, said.thread_id, {"summary": word})
    if "memory" in ports:
        own = {"home_id": home, "source": "words", "said_by": person, "turn_id": f"turn-{person}", "at": AT}
        notes = [
            Memory(id=f"own-{person}", user_id=person, kind="fact", text=f"{word} likes tea", **own),
            Memory(id=f"said-{person}", user_id=SHARED, kind="fact", text=f"{word} said so", **own),
            Memory(id=f"pet-{person}", user_id=SHARED, kind="pet", text="A dog called Rex", **own),
        ]
        await stores.memory.change(home, person, put=notes)
    if "confirmations" in ports:
        card = Confirmation(
            id=f"q-{person}", home_id=home, user_id=person, text=f"Unlock for {word}?", detail=word, tier=3,
            effects=(Effect(kind="device", device_id="lamp", parameters={"query": word}),), created_at=AT,
            expires_at=AT + HOUR, caller="agent",
        )  # fmt: skip
        await stores.confirmations.ask(card)
    if "outbox" in ports:
        notice = Notice(
            id=f"n-{person}", home_id=home, at=AT, channel="app", recipient=person, priority="normal", title=word,
            text=word,
        )  # fmt: skip
        await stores.outbox.put([notice])
    if "audit" in ports:
        await stores.audit.write(
            home, at=AT, actor=f"person:{person}", action="unlock", decision="allow", rule="r", detail={}
        )
    if "pins" in ports:
        await stores.pins.put(Pin(home_id=home, pin_hash="p", set_by=person, set_at=AT))
        await stores.pins.attempt(home, person, AT)
    if "permissions" in ports:
        allowed = Permission(
            home_id=home, id=f"p-{person}", name="Fire", kind="fire_egress", device_ids=("lamp",),
            commands=("unlock",), created_by=person, created_at=AT,
        )  # fmt: skip
        await stores.permissions.put(allowed)
    if "automations" in ports:
        rule = Automation(
            id=f"r-{person}", home_id=home, name="Evening", trigger={}, actions=(), created_by=person, created_at=AT
        )
        await stores.automations.put(rule)
    if "events" in ports:
        left = Event(
            home_id=home, event_id=f"e-{person}", event_type="mode_changed", at=AT, received_at=AT, user_id=person,
            payload={"note": "away"},
        )  # fmt: skip
        await stores.events.append([left])
    if "contexts" in ports:
        await stores.contexts.put(home, person, {"summary": word})


async def seen(stores: Any, ports: Collection[str], home: str, person: str) -> dict[str, Any]:
    """Everything that can be read of a home and a person in it, by port."""
    found: dict[str, Any] = {}
    if "users" in ports:
        found["users"] = [await stores.users.user(person), await stores.users.home(home),
                          await stores.users.members(home), await stores.users.homes_of(person)]  # fmt: skip
    if "sessions" in ports:
        found["sessions"] = [await stores.sessions.session(f"s-{person}"), await stores.sessions.token_by_hash(person)]
    if "devices" in ports:
        found["devices"] = await stores.devices.of_home(home)
    if "live" in ports:
        found["live"] = await stores.live.all(home)
    if "readings" in ports:
        every = {"start": AT - HOUR, "end": AT + timedelta(days=9)}
        found["readings"] = [
            await stores.readings.metrics(home), await stores.readings.raw(home, "lamp", "power_w", **every),
            *[await stores.readings.windows(home, "lamp", "power_w", **every, every=timedelta(**{unit: 1}))
              for unit in ("minutes", "hours", "days")],
        ]  # fmt: skip
    if "events" in ports:
        found["events"] = [
            (await stores.events.query(home)).items, (await stores.events.query(home, device_id="lamp")).items,
            (await stores.events.query(home, event_types=["mode_changed"])).items, await stores.events.count(home),
            await stores.events.get(home, "b1"),
        ]  # fmt: skip
    if "anomalies" in ports:
        found["anomalies"] = [await stores.anomalies.query(home, **ALL),
                              await stores.anomalies.query(home, **ALL, device_id="lamp")]  # fmt: skip
    if "alerts" in ports:
        found["alerts"] = await stores.alerts.query(home, **ALL)
    if "conversations" in ports:
        found["conversations"] = [await stores.conversations.threads(home, person),
                                  await stores.conversations.messages(home, person, f"t-{person}")]  # fmt: skip
    if "memory" in ports:
        found["memory"] = [await stores.memory.of(home, person), await stores.memory.of(home, SHARED)]
    if "confirmations" in ports:
        found["confirmations"] = await stores.confirmations.all(home)
    if "outbox" in ports:
        found["outbox"] = await stores.outbox.query(home, **ALL)
    if "audit" in ports:
        found["audit"] = await stores.audit.rows(home)
    if "pins" in ports:
        found["pins"] = await stores.pins.get(home)
    if "permissions" in ports:
        found["permissions"] = await stores.permissions.of_home(home)
    if "automations" in ports:
        found["automations"] = await stores.automations.of_home(home)
    if "contexts" in ports:
        found["contexts"] = await stores.contexts.get(home, person)
    return found


def is_empty(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(is_empty(part) for part in value)
    return not value


#: Where a person's own words can stand, by the name that the embedded tables and the engines' share.
WORDY = {"users", "sessions", "conversations", "memory", "confirmations", "outbox", "contexts"}


async def test_a_person_of_a_shared_home_is_told_all_and_goes_while_the_others_stay(stores, ports):
    for home in ("h1", "h2"):
        await furnish(stores, ports, home)
    await move_in(stores, ports, "h2", "zoe", "zebra")
    await move_in(stores, ports, "h1", "ben", "badger")
    await move_in(stores, ports, "h1", "anna", "canary7391")
    apart = await seen(stores, ports, "h2", "zoe")
    ben = await seen(stores, ports, "h1", "ben")
    anna = Subject(user_id="anna", homes=("h1",))

    told = await stores.personal.export(anna)
    # it leaves as JSON
    assert msgspec.json.decode(msgspec.json.encode(told)) == told

    if WORDY & ports - {"contexts"}:
        assert "canary7391" in repr(told)
    if "events" in ports:
        assert "e-anna" in repr(told)
    for other in ("zebra", "badger", "hash of"):
        assert other not in repr(told)

    await stores.personal.erase(anna)
    await stores.personal.erase(anna)

    left = await seen(stores, ports, "h1", "anna")
    assert "canary7391" not in repr(left)
    assert "canary7391" not in repr(await stores.personal.export(anna))
    assert await seen(stores, ports, "h2", "zoe") == apart
    after = await seen(stores, ports, "h1", "ben")
    if "memory" in ports:
        # what she told of the household stays, and names her no more
        assert [m.text for m in after["memory"][1]].count("A dog called Rex") == 2
        assert [m.said_by for m in after["memory"][1] if m.id == "pet-anna"] == [""]
    for port in ("devices", "live", "readings", "anomalies", "alerts", "events", "automations", "audit"):
        if port in ports:
            assert after[port] == ben[port], port
    if "users" in ports:
        assert [m.user_id for m in after["users"][2]] == ["ben"]
    if "audit" in ports:
        assert await stores.audit.verify() == 3


async def test_a_home_with_nobody_else_goes_whole_and_another_does_not_change(opener, ports):
    async with opener() as stores:
        await furnish(stores, ports, "h2")
        await move_in(stores, ports, "h2", "zoe", "zebra")
        apart = await seen(stores, ports, "h2", "zoe")
        await furnish(stores, ports, "h1")
        await move_in(stores, ports, "h1", "anna", "canary7391")

        await stores.personal.erase(Subject(user_id="anna", homes=("h1",), sole_homes=("h1",)))

        assert {port: v for port, v in (await seen(stores, ports, "h1", "anna")).items() if not is_empty(v)} == {}
        assert await seen(stores, ports, "h2", "zoe") == apart
        # somebody may live there again
        await furnish(stores, ports, "h1")
        if "events" in ports:
            assert await stores.events.count("h1") == 1


@pytest.mark.parametrize("user", ["", "nobody", "%", "' OR 1=1 --"])
async def test_erasing_nobody_changes_nothing(stores, ports, user):
    await furnish(stores, ports, "h1")
    await move_in(stores, ports, "h1", "anna", "badger")
    before: Mapping[str, Any] = await seen(stores, ports, "h1", "anna")

    await stores.personal.erase(Subject(user_id=user, homes=("h1",)))

    assert await seen(stores, ports, "h1", "anna") == before
