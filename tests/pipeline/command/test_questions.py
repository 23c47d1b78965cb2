"""What is done, asked or refused, at its edges: plans, words, questions that lapse, acts that break."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from homeguard.automation import compile as compile_automation
from homeguard.automation import parse
from homeguard.effects import fingerprint
from homeguard.errors import Conflict, InvalidInput, NotAllowed, NotFound, StoreUnavailable
from homeguard.ids import derived_id
from homeguard.model import Effect, Json, Principal, Turn
from homeguard.ports.live_state import Live
from pipeline.command.carrying import NOT_KNOWN_NOW
from pipeline.command.journalled import command_of
from pipeline.command.questions import Questions
from pipeline.command.service import MAX_REQUESTS, CommandService
from pipeline.command.words import Act, DeviceRequest

UNLOCK = DeviceRequest(device_id="front_door_lock", command="unlock")
HEAT = DeviceRequest(device_id="heater", command="turn_on")
LIGHT = DeviceRequest(device_id="lamp", command="turn_on")
AWAY = Effect(
    kind="set_mode", parameters={"mode": "away"}, set={"mode": "away", "arm_state": "armed_away"},
    before={"mode": "home", "arm_state": "disarmed"},
)  # fmt: skip
DISARM = Effect(
    kind="set_mode", parameters={"mode": "home"}, set={"mode": "home", "arm_state": "disarmed"},
    before={"mode": "away", "arm_state": "armed_away"},
)  # fmt: skip


def in_turn(world: Any, call: str = "c1", turn: str = "t1", **more: Any) -> Principal:
    asker: Principal = world.who(
        cause=f"{turn}/{call}", turn=Turn(id=turn, thread_id="th", words="make it cosy"), **more
    )
    return asker


async def journal(world: Any) -> list[Any]:
    found: list[Any] = await world.stores.journal.commands("h", since=world.clock.now() - timedelta(days=1))
    return found


# -- what is not even judged ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, MAX_REQUESTS + 1])
async def test_a_call_has_at_least_one_request_and_not_too_many(world: Any, count: int) -> None:
    with pytest.raises(InvalidInput, match=f"1 to {MAX_REQUESTS}"):
        await world.commands.perform(world.who("person"), [LIGHT] * count)
    assert await journal(world) == []


async def test_nothing_is_done_in_a_home_that_is_not_there(world: Any) -> None:
    stranger = world.who("person", home_id="elsewhere")
    with pytest.raises(NotFound) as missing:
        await world.commands.perform(stranger, [LIGHT])
    assert missing.value.code == "HOME_NOT_FOUND"
    with pytest.raises(NotFound):
        await world.commands.act(stranger, AWAY)


async def test_an_act_that_homeguard_does_not_know_is_none(world: Any) -> None:
    with pytest.raises(InvalidInput, match="cannot sell_house"):
        await world.commands.act(world.who("person"), Effect(kind="sell_house"))
    assert (await journal(world), await world.stores.audit.rows("h")) == ([], [])


# -- acts of the home -----------------------------------------------------------------------------------------------


async def test_an_act_that_the_gate_refuses_changes_nothing_and_stands_in_no_journal(world: Any) -> None:
    refused = await world.commands.act(world.who("person", "guest", "g"), AWAY)

    assert (refused.outcome, refused.rule) == ("refused", "role-guest")
    assert (await world.stores.users.home("h")).arm_state == "disarmed"
    assert await journal(world) == []


async def test_a_step_that_an_agent_runs_again_does_an_act_once_and_one_cut_off_is_done_then(world: Any) -> None:
    first = await world.commands.act(in_turn(world), AWAY)
    await world.stores.users.set_mode("h", "home", "disarmed")
    again = await world.commands.act(in_turn(world), AWAY)

    assert (first.outcome, again.outcome, again.command_id) == ("confirmed", "confirmed", first.command_id)
    assert (await world.stores.users.home("h")).arm_state == "disarmed"

    begun = command_of(
        AWAY, command_id=derived_id("act", "h", "t1/c2", fingerprint(AWAY)), home_id="h", tier=1, caller="agent",
        user_id="h", cause="t1/c2", now=world.clock.now(),
    )  # fmt: skip
    assert await world.stores.journal.begin(begun)
    assert (await world.commands.act(in_turn(world, "c2"), AWAY)).outcome == "confirmed"
    assert (await world.stores.users.home("h")).arm_state == "armed_away"
    assert (await world.stores.journal.command("h", begun.id)).outcome == "confirmed"


def with_acts(world: Any, acts: Mapping[str, Act]) -> CommandService:
    s = world.stores
    return CommandService(
        users=s.users, devices=s.devices, live=s.live, feed=s.feed, journal=s.journal,
        confirmations=s.confirmations, audit=s.audit, execution=world.execution, acts=acts, clock=world.clock,
    )  # fmt: skip


def breaking(error: Exception) -> dict[str, Act]:
    async def act(principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        raise error

    return {"set_mode": act}


BROKEN = [
    (StoreUnavailable("the store is away"), "failed", "the store is away"),
    (RuntimeError("never told"), "sent", NOT_KNOWN_NOW),
]


@pytest.mark.parametrize(("error", "outcome", "reason"), BROKEN)
async def test_an_act_that_breaks_is_raised_and_the_journal_says_how_it_ended(
    world: Any, error: Exception, outcome: str, reason: str
) -> None:
    service = with_acts(world, breaking(error))

    with pytest.raises(type(error)):
        await service.act(world.who("person"), AWAY)

    [command] = await journal(world)
    assert (command.outcome, command.reason) == (outcome, reason)


@pytest.mark.parametrize(("error", "outcome", "reason"), BROKEN)
async def test_an_act_that_breaks_behind_a_press_is_told_on_its_card_and_the_others_are_done(
    world: Any, error: Exception, outcome: str, reason: str
) -> None:
    await world.stores.users.set_mode("h", "away", "armed_away")
    service, person = with_acts(world, breaking(error)), world.who("person")
    async with service.gathering("h", "t1", 1) as asked:
        told = (await service.act(in_turn(world), DISARM)).confirmation
        await service.perform(in_turn(world, "c2"), [UNLOCK])
    assert told is not None

    decided = await service.decide(person, asked[told.id], approve=True)

    assert [(o["command"], o["outcome"], o["reason"]) for o in decided.outcome] == [
        ("set_mode", outcome, reason), ("unlock", "confirmed", ""),
    ]  # fmt: skip
    assert {(c.command, c.outcome) for c in await journal(world)} == {("set_mode", outcome), ("unlock", "confirmed")}


# -- the questions of one step --------------------------------------------------------------------------------------


async def test_a_step_asks_once_for_what_words_may_approve_and_once_for_what_takes_the_press(world: Any) -> None:
    await world.stores.users.set_mode("h", "away", "armed_away")
    async with world.commands.gathering("h", "t1", 1) as asked:
        [heat, light] = await world.commands.perform(in_turn(world), [HEAT, LIGHT])
        [unlock] = await world.commands.perform(in_turn(world, "c2"), [UNLOCK])
        disarm = await world.commands.act(in_turn(world, "c3"), DISARM)

        assert [r.outcome for r in (heat, light, unlock, disarm)] == ["asked", "confirmed", "asked", "asked"]
        assert (await world.commands.inbox(world.who("person")), asked) == ([], {})

    words, press = heat.confirmation.id, unlock.confirmation.id
    assert (disarm.confirmation.id, asked) == (press, {words: words, press: press})
    cards = {c.id: c for c in await world.commands.inbox(world.who("person"))}
    assert [(e.device_id, cards[words].tier) for e in cards[words].effects] == [("heater", 2)]
    assert [e.command or e.kind for e in cards[press].effects] == ["unlock", "set_mode"]
    assert (cards[press].tier, cards[press].turn_id) == (3, "t1")


async def test_a_step_that_is_run_again_asks_what_it_asked_whatever_the_home_is_like_by_then(world: Any) -> None:
    await world.stores.users.set_mode("h", "away", "armed_away")
    toggle = DeviceRequest(device_id="front_door_lock", command="toggle")
    async with world.commands.gathering("h", "t1", 1) as first:
        [unlock] = await world.commands.perform(in_turn(world), [toggle])
        await world.commands.act(in_turn(world, "c2"), DISARM)
    # a person has it unlocked meanwhile: a toggle would be "lock" by now
    [own] = await world.commands.perform(world.who("person"), [UNLOCK])
    await world.commands.decide(world.who("person"), own.confirmation.id, approve=True)
    assert await world.state("front_door_lock") == {"lock": "unlocked"}

    async with world.commands.gathering("h", "t1", 1) as again:
        [same] = await world.commands.perform(in_turn(world), [toggle])
        disarm = await world.commands.act(in_turn(world, "c2"), DISARM)

    assert (same.outcome, same.command, same.rule) == ("asked", "unlock", "asked-before")
    assert (disarm.outcome, disarm.rule) == ("asked", "asked-before")
    assert (same.confirmation.id, again) == (unlock.confirmation.id, first)
    assert len(await world.commands.inbox(world.who("person"))) == 1


async def test_a_step_that_breaks_off_has_asked_nothing(world: Any) -> None:
    with pytest.raises(RuntimeError):  # noqa: PT012
        async with world.commands.gathering("h", "t1", 1):
            await world.commands.perform(in_turn(world), [UNLOCK])
            raise RuntimeError("the turn was cut off")

    assert await world.commands.inbox(world.who("person")) == []
    [direct] = await world.commands.perform(in_turn(world), [UNLOCK])
    assert [c.id for c in await world.commands.inbox(world.who("person"))] == [direct.confirmation.id]


async def test_what_another_turn_does_meanwhile_is_not_gathered(world: Any) -> None:
    async with world.commands.gathering("h", "t1", 1):
        [other] = await world.commands.perform(in_turn(world, turn="t2"), [UNLOCK])
        assert [c.id for c in await world.commands.inbox(world.who("person"))] == [other.confirmation.id]


async def test_a_step_that_asks_what_is_open_already_leads_to_that_question(world: Any) -> None:
    [open_] = await world.commands.perform(in_turn(world, turn="t0"), [UNLOCK])

    async with world.commands.gathering("h", "t1", 1) as asked:
        [told] = await world.commands.perform(in_turn(world), [UNLOCK])

    assert asked == {told.confirmation.id: open_.confirmation.id}
    assert len(await world.commands.inbox(world.who("person"))) == 1


async def test_one_call_with_two_questions_asks_both_with_one_card(world: Any) -> None:
    [heat, light, unlock] = await world.commands.perform(world.who(), [HEAT, LIGHT, UNLOCK])

    assert (heat.confirmation.id, light.confirmation) == (unlock.confirmation.id, None)
    card = heat.confirmation
    assert (card.tier, card.text) == (3, "2 things need your yes: Turn on Heater; Unlock Front door lock")


@pytest.mark.parametrize(
    ("caller", "name", "says"),
    [("agent", "", "the assistant"), ("client", "Desk", "the app 'Desk'"), ("client", "", "the app 'MCP client'"),
     ("person", "", "you")],
)  # fmt: skip
async def test_a_card_says_who_asks(world: Any, caller: str, name: str, says: str) -> None:
    card = (await world.tell(world.who(caller, name=name), "front_door_lock", "unlock")).confirmation

    assert card.detail == f"Asked by {says}. Nothing happens until you press."


async def test_what_a_client_asks_for_bears_its_name_as_its_cause(world: Any) -> None:
    await world.tell(world.who("client", name="Desk"), "lamp", "turn_on")
    await world.tell(world.who("person", name="Ann"), "lamp", "turn_off")

    person, client = (c.cause for c in await journal(world))
    assert client.startswith("request:")
    assert client.endswith("/Desk")
    assert "/" not in person


# -- answers in words -----------------------------------------------------------------------------------------------


async def test_words_approve_t2_where_it_was_asked_and_never_t3(world: Any) -> None:
    async with world.commands.gathering("h", "t1", 1):
        [heat] = await world.commands.perform(in_turn(world), [HEAT])
        [unlock] = await world.commands.perform(in_turn(world, "c2"), [UNLOCK])
    person = world.who("person")

    with pytest.raises(NotAllowed, match="words never"):
        await world.commands.answer_by_words(person, unlock.confirmation.id, thread_id="th", approve=True)
    decided = await world.commands.answer_by_words(person, heat.confirmation.id, thread_id="th", approve=True)
    denied = await world.commands.answer_by_words(person, unlock.confirmation.id, thread_id="th", approve=False)

    assert (decided.state, denied.state) == ("approved", "denied")
    assert (await world.state("heater"), await world.state("front_door_lock")) == ({"on": True}, {"lock": "locked"})
    assert [(r["decision"], r["rule"]) for r in await world.stores.audit.rows("h", limit=2)] == [
        ("deny", "words"), ("approve", "words"),
    ]  # fmt: skip


@pytest.mark.parametrize("approve", [True, False])
@pytest.mark.parametrize(("user_id", "thread_id"), [("h", "another"), ("h", ""), ("m", "th")])
async def test_words_of_somebody_else_or_elsewhere_answer_nothing(
    world: Any, user_id: str, thread_id: str, approve: bool
) -> None:
    [heat] = await world.commands.perform(in_turn(world), [HEAT])

    with pytest.raises(NotAllowed, match="only there"):
        await world.commands.answer_by_words(
            world.who("person", user_id=user_id), heat.confirmation.id, thread_id=thread_id, approve=approve
        )
    assert (await world.commands.confirmation(world.who("person"), heat.confirmation.id)).state == "open"


async def test_a_question_without_a_conversation_is_not_answered_in_words(world: Any) -> None:
    card = (await world.tell(world.who(), "heater", "turn_on")).confirmation

    with pytest.raises(NotAllowed):
        await world.commands.answer_by_words(world.who("person"), card.id, thread_id="", approve=True)


# -- questions that end without an answer ---------------------------------------------------------------------------


async def test_a_question_whose_time_is_over_is_told_as_expired_and_carries_nothing_out(world: Any) -> None:
    card = (await world.tell(world.who(), "front_door_lock", "unlock")).confirmation
    world.clock.shift = timedelta(minutes=5)
    person = world.who("person")

    assert (await world.commands.confirmation(person, card.id)).state == "expired"
    assert await world.commands.inbox(person) == []
    with pytest.raises(Conflict, match="expired"):
        await world.commands.decide(person, card.id, approve=True)
    # an older question does not stand in for a new one
    assert (await world.tell(world.who(), "front_door_lock", "unlock")).confirmation.id != card.id


async def test_those_who_show_a_question_hear_that_it_lapsed_or_was_withdrawn(world: Any) -> None:
    async with world.stores.feed.subscribe("h") as items:
        lapsed = (await world.tell(world.who(), "front_door_lock", "unlock")).confirmation
        withdrawn = (await world.tell(world.who(), "heater", "turn_on")).confirmation
        await world.commands.withdraw("h", withdrawn.id, "no-member")
        await world.commands.withdraw("h", withdrawn.id, "no-member")
        world.clock.shift = timedelta(minutes=5)
        assert [c.id for c in await world.commands.expire_open()] == [lapsed.id]
        assert await world.commands.expire_open() == []
        told = [(i.data["confirmation"]["id"], i.data["confirmation"]["state"]) for i in await first(items, 4)]

    assert told == [(lapsed.id, "open"), (withdrawn.id, "open"), (withdrawn.id, "denied"), (lapsed.id, "expired")]
    rows = [(r["actor"], r["decision"], r["rule"]) for r in await world.stores.audit.rows("h")]
    assert rows.count(("system:homeguard", "deny", "no-member")) == 1
    with pytest.raises(Conflict):
        await world.commands.decide(world.who("person"), withdrawn.id, approve=True)


async def first(items: Any, count: int) -> list[Live]:
    found: list[Live] = []
    async for item in items:
        if item.kind == "confirmation":
            found.append(item)
        if len(found) == count:
            break
    return found


# -- what a card says must still be so at the press -----------------------------------------------------------------


async def test_a_card_whose_device_became_another_kind_of_thing_is_asked_again(world: Any) -> None:
    card = (await world.tell(world.who(), "heater", "turn_on")).confirmation
    heater = await world.stores.devices.get("h", "heater")
    await world.stores.devices.put([replace(heater, type="lock", capabilities=("lock",))])

    with pytest.raises(Conflict, match="changed meanwhile"):
        await world.commands.decide(world.who("person"), card.id, approve=True)
    assert await journal(world) == []


async def test_a_rule_is_asked_again_when_a_device_in_it_has_another_name_by_then(world: Any) -> None:
    card = (await rule_that_unlocks(world)).confirmation
    await world.rename("front_door_lock", "Cellar door")

    with pytest.raises(Conflict, match="changed meanwhile"):
        await world.commands.decide(world.who("person"), card.id, approve=True)
    assert await world.stores.automations.of_home("h") == []


async def test_a_rule_is_not_made_when_a_device_in_it_is_gone_by_then(world: Any) -> None:
    card = (await rule_that_unlocks(world)).confirmation
    await world.stores.devices.delete("h", "front_door_lock")

    with pytest.raises(Conflict, match="changed meanwhile"):
        await world.commands.decide(world.who("person"), card.id, approve=True)
    assert await world.stores.automations.of_home("h") == []


async def test_a_rule_is_asked_again_when_a_device_in_it_turns_out_to_open_something(world: Any) -> None:
    card = (await rule(world, world.who(), "lamp", "turn_on")).confirmation
    assert card.tier == 2
    lamp = await world.stores.devices.get("h", "lamp")
    await world.stores.devices.put([replace(lamp, config={"placement": "garage"})])

    with pytest.raises(Conflict, match="changed meanwhile"):
        await world.commands.decide(world.who("person"), card.id, approve=True)
    assert await world.stores.automations.of_home("h") == []


async def rule_that_unlocks(world: Any) -> Any:
    return await rule(world, world.who("person"), "front_door_lock", "unlock")


async def rule(world: Any, principal: Principal, device_id: str, command: str) -> Any:
    action = {"type": "device_command", "device_id": device_id, "command": command, "parameters": {}}
    trigger = {"type": "device_event", "event_type": "motion_detected"}
    body = {"name": "Evening", "trigger": trigger, "actions": [action]}
    made = parse(body, home_id="h", automation_id="x")
    given = {"name": made.name, "trigger": made.trigger, "conditions": [], "actions": list(made.actions)}
    effects = compile_automation(made, await world.stores.devices.of_home("h"))
    asked = await world.commands.act(principal, Effect(kind="create_automation", parameters=given, contains=effects))
    assert asked.outcome == "asked"
    return asked


# -- the planted fault ----------------------------------------------------------------------------------------------


async def test_questions_that_forget_who_asked_are_caught(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the asker, the assistant's question would be taken for a person's own, and the other way round."""
    mine = (await world.tell(world.who("person"), "front_door_lock", "unlock")).confirmation
    theirs = (await world.tell(world.who(), "front_door_lock", "unlock")).confirmation
    elsewhere = (await world.commands.perform(in_turn(world), [UNLOCK]))[0].confirmation
    assert len({mine.id, theirs.id, elsewhere.id}) == 3

    really = Questions._ask

    async def forgets(self: Questions, principal: Principal, *rest: Any) -> Any:
        return await really(self, replace(principal, caller="person", turn=None), *rest)

    monkeypatch.setattr(Questions, "_ask", forgets)
    assert (await world.tell(world.who(), "front_door_lock", "unlock")).confirmation.id == mine.id
