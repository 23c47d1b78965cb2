"""Whoever leaves while an engine is away is gone from it when it is back, with what waited for it meanwhile."""

from types import SimpleNamespace
from typing import Any

import pytest

from homeguard.errors import StoreUnavailable
from homeguard.model import Home, Member, Message, User
from homeguard.ports.personal import Erasure, Subject
from homeguard.ports.spool import Entry
from homeguard.stores.guarded.conversations import GuardedConversations
from homeguard.stores.guarded.copies import LocalCopy
from homeguard.stores.guarded.personal import GuardedErasures, GuardedPersonalData
from homeguard.stores.guarded.replicas import UsersReplica

ANNA = Subject(user_id="anna", homes=("h1",), sole_homes=("h1",))
WORD = "canary7391"


@pytest.fixture
def people(rig: Any) -> LocalCopy[Any]:
    return LocalCopy("users", rig.local.users)


@pytest.fixture
def personal(rig: Any, people: LocalCopy[Any]) -> GuardedPersonalData:
    return GuardedPersonalData(
        {"The engine": rig.engine}, {"The engine": rig.forwarder}, [people], rig.spool, rig.clock,
        local=rig.local.personal, devices=rig.local.devices, live=rig.local.live,
    )  # fmt: skip


async def say(rig: Any, word: str = WORD) -> None:
    talk = GuardedConversations(rig.engine, rig.local.conversations, rig.forwarder)
    line = Message(
        id="m1", home_id="h1", user_id="anna", thread_id="t1", turn_id="", role="user", text=word, at=rig.clock.began
    )
    await talk.append("h1", [line])


async def told(store: Any) -> list[str]:
    return [m.text for m in await store.conversations.messages("h1", "anna", "t1")]


async def test_what_waits_for_an_engine_reaches_it_before_the_erasure_does(rig: Any, personal: Any) -> None:
    await rig.go_away()
    await say(rig)

    with pytest.raises(StoreUnavailable, match="The engine"):
        await rig.finish(personal.erase(ANNA))
    assert await told(rig.local) == []

    rig.wire.mode = "ok"
    await rig.until(lambda: rig.engine.is_up)
    await rig.finish(personal.erase(ANNA))
    await rig.come_back()
    assert await told(rig.remote) == []


async def test_an_erasure_that_overtakes_what_waits_is_undone_by_it(rig: Any) -> None:
    """The planted defect: the same without waiting."""
    await rig.go_away()
    await say(rig)
    await rig.remote.personal.erase(ANNA)
    await rig.come_back()
    assert await told(rig.remote) == [WORD]


async def test_what_an_engine_refused_for_good_is_forgotten_but_for_the_audit(rig: Any, personal: Any) -> None:
    await rig.go_away()
    entries = [Entry(concern="conversations", value=f'{{"user_id": "anna", "text": "{WORD}"}}'),
               Entry(concern="conversations", value='{"user_id": "ben"}'),
               Entry(concern="audit", value='{"actor": "person:anna"}')]  # fmt: skip
    await rig.spool.put("The engine", entries)
    for waiting in await rig.spool.next("The engine"):
        await rig.spool.set_aside("The engine", waiting.number)
    await rig.come_back()

    await rig.finish(personal.erase(ANNA))

    assert [w.entry for w in await rig.spool.aside("The engine")] == entries[1:]


async def test_a_copy_is_not_filled_again_with_what_was_read_before(
    rig: Any, personal: Any, people: LocalCopy[Any]
) -> None:
    anna = User(id="anna", email="anna@x.test", name="Anna", created_at=rig.clock.began)
    await rig.remote.users.put_user(anna, "hash")
    await rig.remote.users.put_home(Home(id="h1", name="Home"))
    await rig.remote.users.put_member(Member(home_id="h1", user_id="anna", role="owner"))
    replica = UsersReplica(rig.engine, people)
    await rig.finish(replica.catch_up(rig.clock.now()))
    assert await rig.local.users.user("anna") == anna

    version = people.version
    await rig.finish(personal.erase(ANNA))

    assert people.version > version
    assert [await s.users.user("anna") for s in (rig.local, rig.remote)] == [None, None]
    await rig.finish(replica.catch_up(rig.clock.now()))
    assert await rig.local.users.users() == []


async def test_every_folder_hears_of_an_erasure_once(rig: Any, rigging: Any) -> None:
    async def everyone() -> list[Erasure]:
        return await rig.remote.erasures.unfinished()

    class Shared:
        """The engine's list, which forgets nothing."""

        async def call(self, ask: Any) -> Any:
            if rig.wire.mode != "ok":
                raise StoreUnavailable("away")
            stores = SimpleNamespace(erasures=SimpleNamespace(begin=rig.remote.erasures.begin, all=everyone))
            return await ask(stores)

    engine: Any = Shared()
    erasure = Erasure(subject=ANNA, begun_at=rig.clock.began)
    async with rigging("other") as other:
        here, there = (GuardedErasures(engine, folder.local.erasures) for folder in (rig, other))
        await here.begin(erasure)
        assert (await here.unfinished(), await there.unfinished()) == ([erasure], [erasure])
        await here.finish("anna")
        assert (await here.unfinished(), await there.unfinished()) == ([], [erasure])
        again = GuardedErasures(engine, rig.local.erasures)
        assert await again.unfinished() == []
        rig.wire.mode = "refused"
        assert await there.unfinished() == [erasure]
        with pytest.raises(StoreUnavailable):
            await there.begin(erasure)
