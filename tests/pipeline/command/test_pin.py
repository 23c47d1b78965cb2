"""The PIN of a home: who sets it, what needs it, and what happens to those who guess."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from homeguard.errors import InvalidInput, NotAllowed, NotFound, RateLimited
from homeguard.model import Effect
from pipeline.command.words import DeviceRequest

PIN = "246813"
HEATER = DeviceRequest(device_id="heater", command="turn_on")


async def asked(world: Any, device_id: str = "front_door_lock", command: str = "unlock") -> Any:
    return (await world.tell(world.who(), device_id, command)).confirmation


async def test_without_a_pin_the_press_is_enough(world: Any) -> None:
    card = await asked(world)

    assert not card.pin_required
    assert (await world.commands.decide(world.who("person"), card.id, approve=True)).state == "approved"


async def test_a_card_for_what_lowers_security_needs_the_pin_once_one_is_set(world: Any) -> None:
    card, person = await asked(world), world.who("person")
    await world.pin.set(person, PIN)

    assert (await world.commands.confirmation(person, card.id)).pin_required
    assert [c.pin_required for c in await world.commands.inbox(person)] == [True]
    with pytest.raises(NotAllowed) as missing:
        await world.commands.decide(person, card.id, approve=True)
    assert missing.value.code == "PIN_REQUIRED"
    for wrong in ("246814", " 246813", "\uff12\uff14\uff16\uff18\uff11\uff13", "x" * 30):
        with pytest.raises(NotAllowed) as refused:
            await world.commands.decide(person, card.id, approve=True, pin=wrong)
        assert refused.value.code == "PIN_WRONG"
    assert await world.state("front_door_lock") == {"lock": "locked"}

    decided = await world.commands.decide(person, card.id, approve=True, pin=PIN)
    assert [o["outcome"] for o in decided.outcome] == ["confirmed"]


async def test_a_no_and_a_lesser_question_need_no_pin(world: Any) -> None:
    person = world.who("person")
    await world.pin.set(person, PIN)
    unlock, heat = await asked(world), await asked(world, "heater", "turn_on")

    assert (unlock.pin_required, heat.pin_required) == (True, False)
    assert (await world.commands.decide(person, unlock.id, approve=False)).state == "denied"
    assert (await world.commands.decide(person, heat.id, approve=True)).state == "approved"


async def test_five_wrong_ones_lock_for_ten_minutes_also_against_the_right_one(world: Any) -> None:
    card, person = await asked(world), world.who("person")
    await world.pin.set(person, PIN)
    for _ in range(5):
        with pytest.raises(NotAllowed):
            await world.pin.check(person, "0000")

    with pytest.raises(RateLimited) as locked:
        await world.commands.decide(person, card.id, approve=True, pin=PIN)

    assert locked.value.code == "PIN_LOCKED"
    assert 590 <= locked.value.details["retry_after_s"] <= 600
    assert await world.state("front_door_lock") == {"lock": "locked"}
    world.clock.shift = timedelta(minutes=10, seconds=1)
    await world.pin.check(person, PIN)


async def test_fifty_guesses_at_once_are_five(world: Any) -> None:
    person = world.who("person")
    await world.pin.set(person, PIN)

    told = await asyncio.gather(*(world.pin.check(person, f"{n:04}") for n in range(50)), return_exceptions=True)

    assert sum(isinstance(t, NotAllowed) for t in told) == 5
    assert sum(isinstance(t, RateLimited) for t in told) == 45


async def test_a_right_one_begins_the_count_anew(world: Any) -> None:
    person = world.who("person")
    await world.pin.set(person, PIN)
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(NotAllowed):
                await world.pin.check(person, "1111")
        await world.pin.check(person, PIN)


@pytest.mark.parametrize(
    ("caller", "role"),
    [("person", "member"), ("person", "guest"), ("agent", "owner"), ("client", "owner"), ("automation", "owner"),
     ("system", "owner")],
)  # fmt: skip
async def test_only_the_owner_in_person_sets_or_removes_it(world: Any, caller: str, role: str) -> None:
    await world.pin.set(world.who("person"), PIN)
    for change in (lambda w: world.pin.set(w, "9999"), world.pin.remove):
        with pytest.raises(NotAllowed):
            await change(world.who(caller, role))

    await world.pin.check(world.who("person"), PIN)


@pytest.mark.parametrize("pin", ["", "123", "1" * 13, "12a4", "١٢٣٤", "1234\n", "-123", "12 34"])
async def test_a_pin_is_four_to_twelve_digits(world: Any, pin: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await world.pin.set(world.who("person"), pin)

    assert not pin or pin not in refused.value.message
    assert not await world.pin.is_set("h")


async def test_it_is_changed_and_removed(world: Any) -> None:
    person = world.who("person")
    await world.pin.set(person, PIN)
    await world.pin.set(person, "9999")
    with pytest.raises(NotAllowed):
        await world.pin.check(person, PIN)
    await world.pin.check(person, "9999")
    await world.pin.remove(person)

    assert not await world.pin.is_set("h")
    with pytest.raises(NotFound):
        await world.pin.remove(person)


async def test_the_audit_tells_of_every_try_and_the_pin_is_in_none_of_its_rows(world: Any) -> None:
    card, person = await asked(world), world.who("person")
    await world.pin.set(person, PIN)
    for _ in range(5):
        with pytest.raises(NotAllowed):
            await world.commands.decide(person, card.id, approve=True, pin="135791")
    with pytest.raises(RateLimited):
        await world.commands.decide(person, card.id, approve=True, pin=PIN)

    rows = await world.stores.audit.rows("h")
    assert [(r["action"], r["rule"]) for r in rows][:7] == [
        ("check_pin", "pin-locked"), *[("check_pin", "pin-wrong")] * 5, ("set_pin", "people-and-rights"),
    ]  # fmt: skip
    kept = str(rows) + str(await world.stores.pins.get("h"))
    assert PIN not in kept
    assert "135791" not in kept
    assert (await world.stores.pins.get("h")).pin_hash.startswith("$argon2id$")


async def test_an_assistant_has_no_way_to_say_a_pin(world: Any) -> None:
    await world.pin.set(world.who("person"), PIN)
    with pytest.raises(InvalidInput):
        await world.tell(world.who(), "front_door_lock", "unlock", pin=PIN)
    with pytest.raises(InvalidInput):
        await world.commands.act(world.who(), Effect(kind="set_pin", parameters={"pin": "1111"}))
