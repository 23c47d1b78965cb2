"""What a press may set going: exactly what was asked, once, in its time, by whom it concerns."""

import asyncio
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from homeguard.clock import SystemClock
from homeguard.errors import Conflict, DeviceNotFound, NotAllowed, NotFound, StartRefused
from homeguard.gate import Verdict
from homeguard.model import Command, Effect, Member, Principal, Turn
from homeguard.stores.sqlite.lock import hold
from homeguard.stores.sqlite.open import open_embedded
from pipeline.command.journalled import command_of
from pipeline.command.show import show_confirmation
from pipeline.command.words import DeviceRequest

ARMED = Effect(
    kind="set_mode", parameters={"mode": "away"}, set={"mode": "away", "arm_state": "armed_away"},
    before={"mode": "home", "arm_state": "disarmed"},
)  # fmt: skip
DISARM = Effect(
    kind="set_mode", parameters={"mode": "home"}, set={"mode": "home", "arm_state": "disarmed"},
    before={"mode": "away", "arm_state": "armed_away"},
)  # fmt: skip


async def asked(world: Any, **more: Any) -> Any:
    return (await world.tell(world.who(**more), "front_door_lock", "unlock")).confirmation


def begun(effect: Effect, *, tier: int, command_id: str, at: datetime) -> Command:
    return command_of(
        effect, command_id=command_id, home_id="h", tier=tier, caller="agent", user_id="h", cause="", now=at
    )


async def unlocks(world: Any) -> list[Any]:
    since = world.clock.now() - timedelta(days=9)
    return [c for c in await world.stores.journal.commands("h", since=since) if c.command == "unlock"]


async def is_locked(world: Any) -> bool:
    return bool((await world.state("front_door_lock"))["lock"] == "locked")


def answers(results: list[Any]) -> int:
    assert all(isinstance(r, Conflict) for r in results if isinstance(r, BaseException)), results
    return sum(not isinstance(r, BaseException) for r in results)


async def test_a_grant_is_used_once_however_often_it_is_played_again(world: Any) -> None:
    card = await asked(world)
    person = world.who("person")
    await world.commands.decide(person, card.id, approve=True)
    await world.tell(person, "front_door_lock", "lock")

    for approve in (True, False, True):
        with pytest.raises(Conflict):
            await world.commands.decide(person, card.id, approve=approve)

    assert (len(await unlocks(world)), await is_locked(world)) == (1, True)


async def test_fifty_presses_and_refusals_at_once_have_one_winner(world: Any) -> None:
    card = await asked(world)
    person = world.who("person")

    results = await asyncio.gather(
        *(world.commands.decide(person, card.id, approve=n % 2 == 0) for n in range(50)), return_exceptions=True
    )

    assert answers(results) == 1
    [winner] = [r for r in results if not isinstance(r, BaseException)]
    assert len(await unlocks(world)) == (1 if winner.state == "approved" else 0)


async def test_fifty_threads_that_use_one_grant_up_begin_one_command(world: Any) -> None:
    card = await asked(world)
    loop, stores, told, ready = asyncio.get_running_loop(), world.stores, [], threading.Barrier(50)
    [command] = (await world.commands._grants.of(card, world.clock.now())).commands

    def press() -> None:
        ready.wait(20)
        decided = stores.confirmations.decide(
            "h", card.id, approve=True, by="h", now=world.clock.now(), commands=[command]
        )
        told.append(asyncio.run_coroutine_threadsafe(decided, loop).result(20))

    threads = [threading.Thread(target=press) for _ in range(50)]
    for thread in threads:
        thread.start()
    await asyncio.gather(*(asyncio.to_thread(thread.join, 30) for thread in threads))

    assert (len(told), sum(t is not None for t in told), len(await unlocks(world))) == (50, 1, 1)


async def test_a_second_process_does_not_get_the_folder_and_so_no_grant_of_it(tmp_path: Path) -> None:
    with hold(tmp_path), pytest.raises(StartRefused):
        async with open_embedded(tmp_path, SystemClock()):
            pass


async def test_a_grant_is_of_one_home(world: Any) -> None:
    card = await asked(world)

    with pytest.raises(NotFound):
        await world.commands.decide(world.who("person", home_id="other"), card.id, approve=True)
    assert await is_locked(world)


@pytest.mark.parametrize(
    ("caller", "role", "user_id"),
    [("agent", "owner", "h"), ("client", "owner", "h"), ("automation", "owner", "h"), ("system", "owner", "h"),
     ("person", "guest", "h"), ("person", "member", "someone-else")],
)  # fmt: skip
async def test_a_grant_is_of_the_person_who_asked_or_the_owner_and_a_refused_press_is_in_the_audit(
    world: Any, caller: str, role: str, user_id: str
) -> None:
    card = await asked(world)

    with pytest.raises(NotAllowed):
        await world.commands.decide(world.who(caller, role, user_id), card.id, approve=True)

    [row] = await world.stores.audit.rows("h", limit=1)
    assert (row["action"], row["decision"], row["rule"]) == ("confirm", "refuse", "not-theirs")
    assert await is_locked(world)


async def test_a_question_of_one_conversation_is_not_that_of_another(world: Any) -> None:
    one = await asked(world, turn=Turn(id="t1", thread_id="one", words="unlock"))
    other = await asked(world, turn=Turn(id="t2", thread_id="other", words="unlock"))

    assert one.id != other.id
    await world.commands.decide(world.who("person"), one.id, approve=True)
    assert (await world.commands.confirmation(world.who("person"), other.id)).state == "open"


@pytest.mark.parametrize("moved", [timedelta(minutes=5, seconds=1), timedelta(days=400), -timedelta(hours=1)])
async def test_a_grant_is_over_after_five_minutes_and_after_a_clock_that_went_back(
    world: Any, moved: timedelta
) -> None:
    card = await asked(world)
    world.clock.shift = moved

    assert (await world.commands.confirmation(world.who("person"), card.id)).state == "expired"
    assert await world.commands.inbox(world.who("person")) == []
    with pytest.raises(Conflict):
        await world.commands.decide(world.who("person"), card.id, approve=True)
    assert await is_locked(world)


async def test_a_question_of_another_clock_is_asked_anew(world: Any) -> None:
    world.clock.shift = timedelta(hours=1)
    old = await asked(world)
    world.clock.shift = timedelta()
    new = await asked(world)

    assert new.id != old.id
    assert (await world.commands.decide(world.who("person"), new.id, approve=True)).state == "approved"


async def test_a_device_that_became_another_kind_of_thing_is_asked_again(world: Any) -> None:
    result = await world.tell(world.who(), "heater", "turn_on")
    [heater] = [d for d in await world.stores.devices.of_home("h") if d.id == "heater"]
    await world.stores.devices.put([replace(heater, type="siren")])

    with pytest.raises(Conflict, match="changed meanwhile"):
        await world.commands.decide(world.who("person"), result.confirmation.id, approve=True)


async def test_a_device_that_is_gone_is_not_driven(world: Any) -> None:
    card = await asked(world)
    await world.stores.devices.delete("h", "front_door_lock")

    with pytest.raises(DeviceNotFound):
        await world.commands.decide(world.who("person"), card.id, approve=True)
    assert await unlocks(world) == []


async def test_disarming_that_was_asked_before_the_alarm_is_asked_again_when_it_rings(world: Any) -> None:
    await world.commands.act(world.who(), ARMED)
    card = (await world.commands.act(world.who(), DISARM)).confirmation
    await world.stores.users.set_mode("h", "away", "triggered")

    with pytest.raises(Conflict, match="changed meanwhile"):
        await world.commands.decide(world.who("person"), card.id, approve=True)
    assert (await world.stores.users.home("h")).arm_state == "triggered"


async def test_an_approved_act_of_the_home_is_in_the_journal_with_its_grant(world: Any) -> None:
    await world.commands.act(world.who(), ARMED)
    card = (await world.commands.act(world.who(), DISARM)).confirmation
    await world.commands.decide(world.who("person"), card.id, approve=True)

    since = world.clock.now() - timedelta(minutes=1)
    disarmed, armed = await world.stores.journal.commands("h", since=since)
    assert (disarmed.command, disarmed.outcome, disarmed.grant_id, disarmed.tier) == (
        "set_mode", "confirmed", card.id, 3,
    )  # fmt: skip
    assert (armed.command, armed.outcome, armed.grant_id) == ("set_mode", "confirmed", "")


async def test_an_assistant_gets_no_more_than_its_budget_by_cards_either(world: Any) -> None:
    person = world.who("person")
    for _ in range(3):
        card = await asked(world)
        await world.commands.decide(person, card.id, approve=True)
        await world.tell(person, "front_door_lock", "lock")

    assert (await world.tell(world.who(), "front_door_lock", "unlock")).outcome == "refused"
    request = DeviceRequest(device_id="front_door_lock", command="unlock")
    [own] = await world.commands.perform(person, [request])
    assert (await world.commands.decide(person, own.confirmation.id, approve=True)).outcome[0]["outcome"] == "confirmed"


@pytest.mark.parametrize(
    ("was", "outcome", "arm_state"),
    [(timedelta(seconds=2), "confirmed", "armed_away"), (timedelta(hours=2), "failed", "disarmed")],
)
async def test_an_act_that_a_crash_cut_off_is_done_in_its_time_and_else_told_as_not_done(
    world: Any, was: timedelta, outcome: str, arm_state: str
) -> None:
    at: datetime = world.clock.now() - was
    command = begun(ARMED, tier=1, command_id="cut-off", at=at)
    await world.stores.journal.begin(command)

    await world.recovery.settle(await world.recovery.unfinished())

    assert (await world.stores.journal.command("h", "cut-off")).outcome == outcome
    assert (await world.stores.users.home("h")).arm_state == arm_state


async def test_an_act_that_was_done_before_the_crash_is_told_as_done(world: Any) -> None:
    at = world.clock.now() - timedelta(hours=2)
    command = begun(ARMED, tier=1, command_id="cut-off", at=at)
    await world.stores.journal.begin(command)
    await world.stores.users.set_mode("h", "away", "armed_away")

    await world.recovery.settle(await world.recovery.unfinished())

    assert (await world.stores.journal.command("h", "cut-off")).outcome == "confirmed"


async def test_a_member_presses_their_own_card(world: Any) -> None:
    await world.stores.users.put_member(Member(home_id="h", user_id="m", role="member"))
    card = await asked(world, role="member", user_id="m")
    member: Principal = world.who("person", "member", "m")

    assert (await world.commands.decide(member, card.id, approve=True)).state == "approved"


async def test_links_of_questions_are_long_random_and_never_listed(world: Any) -> None:
    first = await asked(world)
    second = (await world.tell(world.who(), "heater", "turn_on")).confirmation

    assert len({first.link, second.link}) == 2
    assert min(len(first.link), len(second.link)) >= 32
    assert first.link not in str(show_confirmation(first))


@pytest.mark.parametrize(
    ("tier", "seconds", "is_sent"), [(3, 10.5, False), (3, 0, True), (1, 59, True), (1, 61, False)]
)
async def test_an_order_that_was_issued_too_long_ago_is_not_sent(
    world: Any, tier: int, seconds: float, is_sent: bool
) -> None:
    lamp = await world.stores.devices.get("h", "silent_lamp")
    effect = Effect(kind="device", device_id="silent_lamp", command="turn_on", set={"on": True})
    command = begun(effect, tier=tier, command_id="late", at=world.clock.now())
    await world.stores.journal.begin(command)
    verdict = Verdict(decision="allow", tier=tier, rule="r")
    world.clock.shift = command.requested_at + timedelta(seconds=seconds) - SystemClock().now()
    result = await world.execution.drive(lamp, effect, command, verdict)

    assert (result.outcome, [c.id for c in world.silent.taken]) == (
        ("sent", ["late"]) if is_sent else ("failed", [])
    )  # fmt: skip
