"""What was allowed beforehand, through the one way to act: given by a card, counted, listed, taken back."""

from datetime import timedelta
from typing import Any

import pytest

from homeguard.model import Effect, Principal
from homeguard.permissions import Circumstances, Evidence, Permission, Sighting, Source
from pipeline.command.standing import asked_permission, described
from pipeline.command.words import DeviceRequest

UNLOCK = DeviceRequest(device_id="front_door_lock", command="unlock")


async def given(world: Any, **more: Any) -> Permission:
    """A permission that a person asked for and pressed the card of."""
    now = world.clock.now()
    kind = more.pop("kind", "fire_egress")
    window = {} if kind == "fire_egress" else {"valid_from": now - timedelta(hours=1), "valid_until": now + HOUR}
    effect = asked_permission(
        await world.stores.users.home("h"), await world.stores.devices.of_home("h"), name="Way out", kind=kind,
        device_ids=["front_door_lock"], **{"valid_from": None, "valid_until": None, **window},
        evidence=Evidence(**more), now=now,
    )  # fmt: skip
    person = world.who("person")
    asked = await world.commands.act(person, effect)
    assert asked.outcome == "asked"
    assert await world.stores.permissions.of_home("h") == []
    await world.commands.decide(person, asked.confirmation.id, approve=True)
    [permission] = await world.stores.permissions.of_home("h")
    return permission


HOUR = timedelta(hours=1)


def fire(world: Any, sources: int = 2) -> Circumstances:
    now = world.clock.now()
    told = [
        Source(device_id=f"s{n}", hardware_id=f"h{n}", kind="smoke", at=now, is_authenticated=True, is_healthy=True,
               joined_at=now - timedelta(days=9))
        for n in range(sources)
    ]  # fmt: skip
    return Circumstances(now=now, sources=tuple(told), is_occupied=True)


def reflex(world: Any) -> Principal:
    return world.who("system", user_id="", name="fire")  # type: ignore[no-any-return]


async def test_a_fire_that_two_sensors_tell_of_opens_the_door_and_the_audit_names_the_permission(world: Any) -> None:
    permission = await given(world)

    [result] = await world.commands.perform(reflex(world), [UNLOCK], seen=fire(world))

    assert result.outcome == "confirmed"
    assert await world.state("front_door_lock") == {"lock": "unlocked"}
    rows = [r for r in await world.stores.audit.rows("h") if r["detail"].get("permission")]
    assert [(r["decision"], r["detail"]["permission"]) for r in rows] == [("allow", permission.id)]
    [used] = await world.stores.permissions.of_home("h")
    assert (used.uses, used.last_used_at is not None) == (1, True)


async def test_one_sensor_no_circumstances_or_no_permission_open_nothing(world: Any) -> None:
    [none] = await world.commands.perform(reflex(world), [UNLOCK], seen=fire(world))
    await given(world)
    [one] = await world.commands.perform(reflex(world), [UNLOCK], seen=fire(world, 1))
    [blind] = await world.commands.perform(reflex(world), [UNLOCK])

    assert [r.outcome for r in (none, one, blind)] == ["refused"] * 3
    assert await world.state("front_door_lock") == {"lock": "locked"}
    assert (await world.stores.permissions.of_home("h"))[0].uses == 0


@pytest.mark.parametrize("caller", ["agent", "client", "person"])
async def test_nobody_but_a_reflex_relies_on_a_permission(world: Any, caller: str) -> None:
    await given(world)

    [result] = await world.commands.perform(world.who(caller), [UNLOCK], seen=fire(world))

    assert result.outcome == "asked"


async def test_a_guest_is_let_in_by_their_face(world: Any) -> None:
    await given(world, kind="guest_window", person="Mom")
    now = world.clock.now()

    def seen(confidence: float) -> Circumstances:
        return Circumstances(now=now, sighting=Sighting(by="face", who="Mom", at=now, confidence=confidence))

    [doubtful] = await world.commands.perform(reflex(world), [UNLOCK], seen=seen(0.84))
    [certain] = await world.commands.perform(reflex(world), [UNLOCK], seen=seen(0.94))

    assert (doubtful.outcome, certain.outcome) == ("refused", "confirmed")


async def test_a_permission_that_is_taken_back_is_gone_at_once_without_a_card(world: Any) -> None:
    permission = await given(world)
    effect = Effect(kind="revoke_permission", parameters={"id": permission.id, "name": permission.name})

    assert (await world.commands.act(world.who("person"), effect)).outcome == "confirmed"
    [result] = await world.commands.perform(reflex(world), [UNLOCK], seen=fire(world))

    assert result.outcome == "refused"
    assert (await world.stores.permissions.of_home("h"))[0].revoked_by == "h"


async def test_giving_one_takes_the_pin_where_one_is_set_and_is_never_done_twice(world: Any) -> None:
    person = world.who("person")
    permission = await given(world)
    await world.pin.set(person, "2468")
    again = await world.commands.act(
        person,
        asked_permission(
            await world.stores.users.home("h"), await world.stores.devices.of_home("h"), name="Second",
            kind="fire_egress", device_ids=["front_door_lock"], valid_from=None, valid_until=None,
            evidence=Evidence(), now=world.clock.now(),
        ),
    )  # fmt: skip

    assert again.confirmation.pin_required
    [row] = await world.stores.journal.commands("h", since=world.clock.now() - HOUR)
    assert (row.command, row.outcome, row.tier) == ("create_permission", "confirmed", 3)
    await world.acts.create_permission(
        person, (await world.commands.confirmation(person, row.grant_id)).effects[0], row.id
    )
    assert await world.stores.permissions.of_home("h") == [permission]


async def test_a_card_and_a_list_say_it_in_words(world: Any) -> None:
    permission = await given(world, when_away=True, sources=3)
    home = await world.stores.users.home("h")
    cards = await world.stores.confirmations.all("h")

    words = described(permission, home, {"front_door_lock": "Front door lock"})
    assert words == (
        "Unlock Front door lock without asking on 3 sensors' word, also when nobody is at home"
    )  # fmt: skip
    assert cards[-1].text == f"From now on: {words}?"
