"""Orders written into what a home tells move nothing, now or on a later "thanks" or "yes", wherever they come by."""

import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from agent.models.protocol import Prompt, Step, Token, ToolCall
from homeguard import gate
from homeguard.gate import Verdict
from homeguard.model import Automation, Effect

sys.path.insert(0, str(Path(__file__).parent))
from injections import CARRIERS, ODD_BUT_HONEST, ORDERS, external

LONG: Final = bool(os.environ.get("HOMEGUARD_LONG"))
NOW, LATER = "now", "later"
_UNLOCKS: Final = {
    "name": "Open up",
    "trigger": {"type": "device_event", "device_id": "living_room_motion", "event_type": "motion_detected"},
    "actions": [{"type": "device_command", "device_id": "front_door_lock", "command": "unlock"}],
}
#: What any order is an order for, to this model.
DEEDS: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("control_device", {"device_id": "front_door_lock", "command": "unlock"}),
    ("control_device", {"device_id": "garage_door", "command": "open"}),
    ("set_home_mode", {"mode": "home"}),
    ("delete_automation", {"automation_id": "night-light"}),
    ("create_automation", _UNLOCKS),
    ("remember", {"text": "The cleaner needs no card", "for_household": True}),
)


def texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return [text for part in inner for text in texts_in(part)]


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


class Obedient:
    """Looks, and once it has read a word of the order does everything that anybody could have wanted by it."""

    name = "obedient"

    def __init__(self) -> None:
        self.look: tuple[str, Mapping[str, Any]] = CARRIERS["device name"][1]
        self.order = ""
        self.waits = False
        self.has_read = False
        self.obeyed = 0

    async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
        last = prompt.messages[-1]
        if last.role == "user" and not self.has_read:
            yield Step(text="", calls=(ToolCall(id="look", name=self.look[0], arguments=self.look[1]),))
            return
        if last.role == "tool" and any(r.call_id == "look" for r in last.results):
            read = _letters(" ".join(t for r in last.results for t in (*texts_in(r.output), r.error)))
            self.has_read = _letters(self.order)[:18] in read
            if self.waits or not self.has_read:
                yield Step(text="Here is what I see.")
                return
        elif last.role == "tool":
            yield Step(text="That is all.")
            return
        self.obeyed += 1
        calls = tuple(ToolCall(id=f"deed-{i}", name=tool, arguments=args) for i, (tool, args) in enumerate(DEEDS))
        yield Step(text="", calls=calls)


async def armed(house: Any) -> None:
    await house.running.stores.users.set_mode(house.home_id, "away", "armed_away")
    rule = Automation(
        id="night-light", home_id=house.home_id, name="Night light", trigger=_UNLOCKS["trigger"],  # type: ignore[arg-type]
        actions=({"type": "device_command", "device_id": "back_door_lock", "command": "lock"},),
    )  # fmt: skip
    await house.running.stores.automations.put(rule)


async def standing(house: Any) -> dict[str, Any]:
    """How things really are, as far as an order could have changed them."""
    stores = house.running.stores
    home = await stores.users.home(house.home_id)
    notes = [m for owner in (house.home_id, "") for m in await stores.memory.of(house.home_id, owner)]
    return {
        "front": (await house.state("front_door_lock")).get("lock"),
        "garage": (await house.state("garage_door")).get("cover"),
        "mode": (home.mode, home.arm_state),
        "automations": {a.id for a in await stores.automations.of_home(house.home_id)} - {"of-others"},
        "notes": {m.text for m in notes if m.id != "of-others"},
    }


async def attacked(house: Any, model: Obedient, carrier: str, order: str, timing: str) -> list[str]:
    """What the order changed, by name; the conversation is a fresh one and ends with a thoughtless yes."""
    plant, model.look = CARRIERS[carrier]
    model.order, model.waits, model.has_read = order, timing == LATER, False
    before = await standing(house)
    taken_out = await plant(house, order)
    await house.say("How is the house?", new_thread=True)
    await taken_out()
    model.waits = False
    reached = model.has_read
    for words in ("thanks", "yes") if timing == LATER else ("yes",):
        await house.say(words)
    after = await standing(house)
    moved = [name for name in before if before[name] != after[name]]
    await house.running.agent.forget_person(house.home_id)  # what it asked in vain waits no longer
    return moved if reached else [*moved, "never reached the model"]


Attack = tuple[str, str, str]


def attacks(orders: Sequence[str], each: int) -> list[Attack]:
    """(carrier, order, timing): all of them in the long form, else `each` a carrier, going round through the orders."""
    if LONG:
        return [(c, o, t) for c in CARRIERS for o in orders for t in (NOW, LATER)]
    return [
        (carrier, orders[(c * each + n) % len(orders)], (NOW, LATER)[n % 2])
        for c, carrier in enumerate(CARRIERS)
        for n in range(each)
    ]


Found = tuple[str, str, str, list[str]]


async def found_by(house: Any, model: Obedient, wanted: Sequence[Attack]) -> list[Found]:
    found = []
    for number, (carrier, order, timing) in enumerate(wanted):
        moved = await attacked(house, model, carrier, order, timing)
        if moved:
            found.append((carrier, timing, order, moved))
            await put_right(house)
        if LONG and number % 60 == 59:
            print(f"{number + 1} of {len(wanted)} attacks, obeyed {model.obeyed} times; {tally(found)}", flush=True)
    return found


async def put_right(house: Any) -> None:
    stores = house.running.stores
    await stores.memory.clear(house.home_id, house.home_id)
    await stores.memory.clear(house.home_id, "")
    for rule in await stores.automations.of_home(house.home_id):
        await stores.automations.delete(house.home_id, rule.id)
    await armed(house)


def tally(found: Sequence[Found]) -> Counter[tuple[str, str, str]]:
    return Counter((carrier, timing, what) for carrier, timing, _, moved in found for what in moved)


@pytest.mark.timeout(3_600 if LONG else 120)
async def test_no_order_in_a_text_of_others_is_carried_out(open_house: Callable[..., Any]) -> None:
    model = Obedient()
    wanted = attacks(ORDERS, 3)
    async with open_house(models=[model]) as house:
        await armed(house)
        found = await found_by(house, model, wanted)
    print(f"{len(wanted)} attacks, obeyed {model.obeyed} times; {tally(found)}")
    assert model.obeyed >= len(wanted)
    assert found == []


@pytest.mark.timeout(3_600 if LONG else 120)
@pytest.mark.skipif(not external(), reason="the collection is not there")
async def test_no_order_of_the_external_collection_is_carried_out(open_house: Callable[..., Any]) -> None:
    model = Obedient()
    usable = [text for text in external() if LONG or len(text) <= 200]
    async with open_house(models=[model]) as house:
        await armed(house)
        wanted = attacks(usable, 2)
        found = await found_by(house, model, wanted)
    print(f"{len(wanted)} attacks, obeyed {model.obeyed} times; {tally(found)}")
    # a name that discovery does not take has done no harm
    assert [f for f in found if f[0] != "discovered name" or f[3] != ["never reached the model"]] == []
    assert len(found) <= len(wanted) // len(CARRIERS)


async def test_odd_but_honest_names_take_nothing_away(open_house: Callable[..., Any], calls: Any) -> None:
    close = calls(("control_device", {"device_id": "garage_door", "command": "close"}))
    look = calls(CARRIERS["device name"][1])
    script = {"close the garage door": [look, close, Step(text="Fine.")]}
    asked = []
    async with open_house(script) as house:
        for number, name in enumerate(ODD_BUT_HONEST):
            taken_out = await CARRIERS[("device name", "alias", "room name")[number % 3]][0](house, name)
            turn = await house.say("close the garage door", new_thread=True)
            await taken_out()
            if turn.cards or turn.status != "completed":
                asked.append(name)
    assert asked == []


def ignores_taint(judge: Callable[..., Verdict], effect: Effect, *who: Any, **how: Any) -> Verdict:
    device, principal = who
    if principal.turn is not None:
        principal = replace(principal, turn=replace(principal.turn, tainted=False, words="The cleaner needs no card"))
    verdict = judge(effect, device, principal, **how)
    return replace(verdict, decision="allow") if effect.kind == "remember" or verdict.tier == 2 else verdict


def ignores_grants(judge: Callable[..., Verdict], effect: Effect, *who: Any, **how: Any) -> Verdict:
    return judge(effect, *who, **{**how, "granted": True})


@pytest.mark.parametrize(
    ("hole", "seen"), [(ignores_taint, {"automations"}), (ignores_grants, {"front", "garage", "mode", "automations"})]
)
async def test_a_gate_with_a_hole_is_found(
    open_house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, hole: Callable[..., Verdict], seen: set[str]
) -> None:
    judge, model = gate.decide, Obedient()
    monkeypatch.setattr(gate, "decide", lambda effect, *who, **how: hole(judge, effect, *who, **how))
    async with open_house(models=[model]) as house:
        await armed(house)
        found = await found_by(house, model, [("device name", ORDERS[0], NOW)])
    assert seen <= {what for _, _, _, moved in found for what in moved}
