"""The one way to act, on real stores: outcomes, questions, grants."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from homeguard.errors import Conflict, DeviceNotFound, InvalidInput, NotAllowed, NotFound
from homeguard.model import Effect, Turn
from pipeline.command.words import DeviceRequest

AWAY = Effect(
    kind="set_mode",
    parameters={"mode": "away"},
    set={"mode": "away", "arm_state": "armed_away"},
    before={"mode": "home", "arm_state": "disarmed"},
)
HOME = Effect(
    kind="set_mode",
    parameters={"mode": "home"},
    set={"mode": "home", "arm_state": "disarmed"},
    before={"mode": "away", "arm_state": "armed_away"},
)


async def test_confirmed_means_that_the_devices_own_report_came_through_the_log(world: Any) -> None:
    result = await world.tell(world.who(), "lamp", "turn_on")

    assert (result.outcome, await world.state("lamp")) == ("confirmed", {"on": True})


async def test_sent_means_that_the_device_has_not_said_so(world: Any) -> None:
    result = await world.tell(world.who(), "silent_lamp", "turn_on")

    assert result.outcome == "sent"
    assert "not confirmed" in result.reason
    assert (await world.stores.journal.command("h", result.command_id)).outcome == "sent"


@pytest.mark.parametrize(("device_id", "why"), [("broken_lamp", "radio"), ("lost_lamp", "no connection")])
async def test_failed_says_why(world: Any, device_id: str, why: str) -> None:
    result = await world.tell(world.who(), device_id, "turn_on")

    assert result.outcome == "failed"
    assert why in result.reason


async def test_nothing_is_written_when_any_request_is_bad(world: Any) -> None:
    good = DeviceRequest(device_id="lamp", command="turn_on")
    nan = {"brightness_pct": float("nan")}
    for bad, error in (
        (DeviceRequest(device_id="nobody", command="turn_on"), DeviceNotFound),
        (DeviceRequest(device_id="lamp", command="unlock"), InvalidInput),
        (DeviceRequest(device_id="thermostat", command="set_temperature", parameters={"value": 120}), InvalidInput),
        (DeviceRequest(device_id="lamp", command="set_brightness", parameters=nan), InvalidInput),
    ):
        with pytest.raises(error):
            await world.commands.perform(world.who(), [good, bad])

    assert await world.state("lamp") == {"on": False}


async def test_toggle_becomes_the_command_that_it_means_before_the_gate_sees_it(world: Any) -> None:
    lamp = await world.tell(world.who(), "lamp", "toggle")
    lock = await world.tell(world.who(), "front_door_lock", "toggle")

    assert (lamp.command, lamp.outcome) == ("turn_on", "confirmed")
    assert (lock.command, lock.outcome) == ("unlock", "asked")


async def test_an_unlock_is_asked_and_nothing_moves_until_the_press(world: Any) -> None:
    result = await world.tell(world.who(), "front_door_lock", "unlock")
    card = result.confirmation

    assert (result.outcome, await world.state("front_door_lock")) == ("asked", {"lock": "locked"})
    assert card.text == "Unlock Front door lock?"

    decided = await world.commands.decide(world.who("person"), card.id, approve=True)

    assert decided.state == "approved"
    assert [o["outcome"] for o in decided.outcome] == ["confirmed"]
    assert await world.state("front_door_lock") == {"lock": "unlocked"}


async def test_the_same_open_question_is_asked_once(world: Any) -> None:
    first = await world.tell(world.who(), "front_door_lock", "unlock")
    second = await world.tell(world.who(), "front_door_lock", "unlock")

    assert first.confirmation.id == second.confirmation.id
    assert len(await world.commands.inbox(world.who("person"))) == 1


async def test_a_question_is_answered_once_even_by_fifty_at_the_same_time(world: Any) -> None:
    card = (await world.tell(world.who(), "front_door_lock", "unlock")).confirmation
    person = world.who("person")

    answers = await asyncio.gather(
        *(world.commands.decide(person, card.id, approve=True) for _ in range(50)), return_exceptions=True
    )

    assert sum(not isinstance(a, BaseException) for a in answers) == 1
    assert all(isinstance(a, Conflict) for a in answers if isinstance(a, BaseException))
    commands = await world.stores.journal.commands("h", since=card.created_at - timedelta(seconds=5))
    assert [c.command for c in commands] == ["unlock"]


async def test_a_no_leaves_everything_as_it_is(world: Any) -> None:
    card = (await world.tell(world.who(), "front_door_lock", "unlock")).confirmation
    person = world.who("person")

    assert (await world.commands.decide(person, card.id, approve=False)).state == "denied"
    assert await world.state("front_door_lock") == {"lock": "locked"}
    with pytest.raises(Conflict):
        await world.commands.decide(person, card.id, approve=True)


async def test_only_a_person_of_the_home_can_say_yes(world: Any) -> None:
    card = (await world.tell(world.who(), "front_door_lock", "unlock")).confirmation

    for principal, error in (
        (world.who("agent"), NotAllowed),
        (world.who("client"), NotAllowed),
        (world.who("person", "guest", "g"), NotAllowed),
        (world.who("person", "member", "m"), NotAllowed),
        (world.who("person", home_id="other"), NotFound),
    ):
        with pytest.raises(error):
            await world.commands.decide(principal, card.id, approve=True)

    assert await world.state("front_door_lock") == {"lock": "locked"}


async def test_a_card_whose_device_was_renamed_meanwhile_is_asked_again(world: Any) -> None:
    card = (await world.tell(world.who(), "front_door_lock", "unlock")).confirmation
    await world.rename("front_door_lock", "Garden lamp")

    with pytest.raises(Conflict, match="changed meanwhile"):
        await world.commands.decide(world.who("person"), card.id, approve=True)

    assert await world.state("front_door_lock") == {"lock": "locked"}


async def test_a_command_id_happens_once(world: Any) -> None:
    request = DeviceRequest(device_id="silent_lamp", command="turn_on", command_id="once")

    await world.commands.perform(world.who(), [request])
    again = await world.commands.perform(world.who(), [request])

    assert [r.outcome for r in again] == ["sent"]
    assert [c.id for c in world.silent.taken] == ["once"]


async def test_words_that_name_the_effect_stand_for_t2_and_other_words_do_not(world: Any) -> None:
    def saying(words: str) -> Any:
        return world.who(turn=Turn(id="t", thread_id="th", words=words))

    assert (await world.tell(saying("it is cold"), "heater", "turn_on")).outcome == "asked"
    assert (await world.tell(saying("don't turn on the heater"), "heater", "turn_on")).outcome == "asked"
    assert (await world.tell(saying("is the heater on"), "heater", "turn_on")).outcome == "asked"
    assert (await world.tell(saying("please turn on the heater"), "heater", "turn_on")).outcome == "confirmed"


async def test_after_a_crash_nothing_is_carried_out_a_second_time(world: Any) -> None:
    result = await world.tell(world.who(), "silent_lamp", "turn_on")
    command = await world.stores.journal.command("h", result.command_id)
    assert await world.stores.journal.begin(replace(command, id="left", outcome="pending", finished_at=None))

    await world.recovery.settle(await world.recovery.unfinished())

    assert await world.recovery.unfinished() == []
    left = await world.stores.journal.command("h", "left")
    assert (left.outcome, left.reason) == ("sent", "HomeGuard stopped meanwhile: it is not known whether it was done")
    assert [c.id for c in world.silent.taken] == [result.command_id]


async def test_lowering_the_guard_takes_the_card_and_raising_it_does_not(world: Any) -> None:
    assert (await world.commands.act(world.who(), AWAY)).outcome == "confirmed"
    asked = await world.commands.act(world.who(), HOME)
    assert asked.outcome == "asked"
    assert (await world.stores.users.home("h")).arm_state == "armed_away"

    await world.commands.decide(world.who("person"), asked.confirmation.id, approve=True)

    assert (await world.stores.users.home("h")).arm_state == "disarmed"


async def test_every_verdict_is_in_the_audit_denials_too(world: Any) -> None:
    await world.tell(world.who(role="guest"), "lamp", "turn_on")
    await world.tell(world.who(), "lamp", "turn_on")

    rows = await world.stores.audit.rows("h")

    assert [(r["decision"], r["rule"]) for r in rows] == [("allow", "comfort"), ("refuse", "role-guest")]
    assert await world.stores.audit.verify() == 2


async def test_a_card_that_a_crash_cut_off_tells_what_the_journal_knows(world: Any) -> None:
    card = (await world.tell(world.who(), "front_door_lock", "unlock")).confirmation
    person = world.who("person")
    command_id = (await world.commands.decide(person, card.id, approve=True)).outcome[0]["command_id"]
    await world.stores.confirmations.settle("h", card.id, [])

    told = await world.commands.confirmation(person, card.id)

    assert [(o["command_id"], o["outcome"]) for o in told.outcome] == [(command_id, "confirmed")]


async def test_the_agents_budget_holds_at_the_press_too(world: Any) -> None:
    person, cards = world.who("person"), []
    for thread in "abcd":
        asker = world.who(turn=Turn(id=thread, thread_id=thread, words="unlock the front door"))
        cards.append((await world.tell(asker, "front_door_lock", "unlock")).confirmation)

    for card in cards[:3]:
        await world.commands.decide(person, card.id, approve=True)
    with pytest.raises(Conflict, match="limit"):
        await world.commands.decide(person, cards[3].id, approve=True)

    assert len({card.id for card in cards}) == 4
