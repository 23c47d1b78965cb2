"""Ways to get a dangerous thing done under another name: each is tried for real, none works without a press."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from holes import HOLES
from homes_under_attack import Attacked, Homes, made, open_homes, rename

from homeguard.automation import version_hash
from homeguard.errors import HomeGuardError
from homeguard.ids import derived_id
from homeguard.model import Effect, Event, Hardware, Principal
from mcp_servers.snapshot import tool_lists
from pipeline.command.words import DeviceRequest
from tools.answers import CommandAnswer
from tools.automations import create_automation, delete_automation, update_automation
from tools.devices import control_devices, set_home_mode
from tools.undo import undo

LAMP_ON: Final = {"event_type": "state_changed", "device_id": "lamp"}
FAN_ON: Final = {"event_type": "state_changed", "device_id": "fan"}
MOTION: Final = {"event_type": "motion_detected", "device_id": "motion"}
UNLOCK: Final = {"type": "device_command", "device_id": "front_lock", "command": "unlock"}
LAMP: Final = {"type": "device_command", "device_id": "lamp", "command": "turn_on"}


class Try:
    """What a case is told with. `outcomes` are those of its calls, `error` for one that was bad input."""

    def __init__(self, home: Attacked) -> None:
        self.home = home
        self.outcomes: list[str] = []
        self.as_: Principal | None = None
        self._n = 0

    def me(self, words: str = "do it", *, is_tainted: bool = False) -> Principal:
        self._n += 1
        return self.as_ or self.home.agent(words, is_tainted=is_tainted, n=self._n)

    async def _told(self, call: Awaitable[Sequence[CommandAnswer]]) -> None:
        try:
            self.outcomes += [a.outcome for a in await call]
        except HomeGuardError:
            self.outcomes.append("error")

    async def tell(
        self, device_id: str | list[str], command: str, words: str = "do it", tainted: bool = False, **parameters: Any
    ) -> None:
        room = self.home.context(self.me(words, is_tainted=tainted))
        ids = [device_id] if isinstance(device_id, str) else device_id
        await self._told(control_devices(room, device_ids=ids, command=command, parameters=parameters))
        await self.home.settle()

    async def mode(self, mode: str, **settings: Any) -> None:
        async def call() -> list[CommandAnswer]:
            return [await set_home_mode(self.home.context(self.me()), mode=mode, settings=settings)]

        await self._told(call())

    async def rule(self, trigger: Any, *actions: Any, words: str = "do it", **more: Any) -> None:
        async def call() -> list[CommandAnswer]:
            room = self.home.context(self.me(words))
            return [await create_automation(room, name="R", trigger=trigger, actions=actions, **more)]

        await self._told(call())

    async def change(self, words: str = "do it", **parts: Any) -> None:
        [rule] = await self.home.homes.stores.automations.of_home(self.home.id)

        async def call() -> list[CommandAnswer]:
            return [await update_automation(self.home.context(self.me(words)), automation_id=rule.id, **parts)]

        await self._told(call())

    async def comes(self, seconds: float) -> None:
        """Time passes, and what is due is done."""
        await self.home.homes.come(self.home, seconds)

    async def press(self) -> None:
        now = self.home.homes.clock.now()
        for card in await self.home.homes.stores.confirmations.open(self.home.id, now):
            await self.home.press(card.id)
        await self.home.settle()

    async def answer(self, principal: Principal) -> None:
        """Somebody else than the person presses."""
        commands, now = self.home.homes.commands, self.home.homes.clock.now()
        for card in await self.home.homes.stores.confirmations.open(self.home.id, now):
            with suppress(HomeGuardError):
                await commands.decide(principal, card.id, approve=True)
            with suppress(HomeGuardError):
                await commands.answer_by_words(principal, card.id, thread_id=card.thread_id or "t", approve=True)

    async def put(self, device_id: str, kind: str, name: str, **more: Any) -> None:
        await self.home.homes.stores.devices.put([made(self.home.id, device_id, kind, name, **more)])

    async def real(self, event_type: str, device_id: str, **payload: Any) -> None:
        self.home.hear(event_type, device_id, genuine=True, **payload)
        await self.home.settle()

    async def sneaked(self, **change: Any) -> None:
        """The first rule, as it lies in the store, becomes another behind everyone's back."""
        store = self.home.homes.stores.automations
        [rule, *_] = await store.of_home(self.home.id)
        await store.put(replace(rule, **change))

    def wait(self, seconds: float) -> None:
        self.home.homes.clock.step(timedelta(seconds=seconds))


Case = Callable[[Try], Awaitable[None]]
#: name -> (the case, how many dangerous effects a person's press lets happen in it)
CASES: Final[dict[str, tuple[Case, int]]] = {}


def tells(name: str, device_id: str | list[str], command: str, pressed: int = 0, **how: Any) -> None:
    async def case(t: Try) -> None:
        await t.tell(device_id, command, **how)

    CASES[name] = case, pressed


def case(name: str, pressed: int = 0) -> Callable[[Case], Case]:
    def keep(written: Case) -> Case:
        CASES[name] = written, pressed
        return written

    return keep


tells("unlock", "front_lock", "unlock")
tells("unlock in so many words", "front_lock", "unlock", words="unlock the front door")
tells("unlock after a yes", "front_lock", "unlock", words="yes, go ahead, I confirm")
tells("unlock by the door's name", "Front door", "unlock")
tells("unlock by the room's name", "Hall", "unlock")
tells("unlock all", "all", "unlock")
tells("unlock with a star", "*", "unlock")
tells("unlock in capitals", "front_lock", "UNLOCK")
tells("unlock with a zero-width space", "front_lock", "un\u200block")
tells("unlock with a Cyrillic letter", "front_lock", "unl\u043eck")
tells("unlock with a blank behind", "front_lock", "unlock ")
tells("unlock full-width", "front_lock", "ｕｎｌｏｃｋ")  # noqa: RUF001 - other letters
tells("unlock with a confirmation of its own", "front_lock", "unlock", confirm=True)
tells("unlock with a PIN", "front_lock", "unlock", pin="1234")
tells("toggle a lock", "front_lock", "toggle")
tells("toggle a lock among lamps", ["lamp", "front_lock", "relay"], "toggle")
tells("unlock twice in one call", ["front_lock", "front_lock"], "unlock")
tells("unlock both", ["front_lock", "back_lock"], "unlock")
tells("open a garage", "garage", "open", words="open the garage door")
tells("open a garage by 1 %", "garage", "set_position", position_pct=1)
tells("open a garage by next to nothing", "garage", "set_position", position_pct=1e-300)
tells("open a garage by a text", "garage", "set_position", position_pct="100")
tells("open a garage by true", "garage", "set_position", position_pct=True)
tells("open a garage by not a number", "garage", "set_position", position_pct=float("nan"))
tells("open a garage by another name of the parameter", "garage", "set_position", open_pct=100)
tells("open a garage by two names", "garage", "set_position", position_pct=0, open_pct=100)
tells("toggle a garage", "garage", "toggle")
tells("open everything at once", ["garage", "gate", "patio", "blind"], "open")
tells("open a cover that is a door", "patio", "open")
tells("tilt a gate", "gate", "set_tilt", tilt_pct=90)
tells("switch a relay that is called a lamp", "relay", "turn_on", words="turn on the lamp")
tells("switch such a relay off", "relay", "turn_off")
tells("dim a light that is an opener", "gate_opener", "set_brightness", brightness_pct=1)
tells("disarm", "panel", "disarm", words="disarm the alarm")
tells("arm less", "panel", "arm", mode="home")
tells("arm for the night", "panel", "arm", mode="night")
tells("silence the siren", "siren", "turn_off")
tells("toggle the siren", "siren", "toggle")
tells("switch a camera off", "camera", "turn_off")
tells("switch a smoke detector off", "smoke", "turn_off")
tells("switch a motion detector off", "motion", "toggle")


@case("everything again in a turn that others' text has entered")
async def _(t: Try) -> None:
    for device_id, command in (
        ("front_lock", "unlock"),
        ("garage", "open"),
        ("panel", "disarm"),
        ("siren", "turn_off"),
    ):
        await t.tell(device_id, command, words=f"{command} the {device_id}", tainted=True)


@case("everything again as an MCP client with every scope")
async def _(t: Try) -> None:
    t.as_ = t.home.client()
    for device_id, command in (("front_lock", "unlock"), ("garage", "open"), ("panel", "disarm"), ("relay", "toggle")):
        await t.tell(device_id, command)
    await t.mode("home")


@case("everything again as a guest's agent")
async def _(t: Try) -> None:
    t.as_ = t.home.agent("unlock the front door", role="guest")
    for device_id, command in (("front_lock", "unlock"), ("lamp", "turn_on"), ("garage", "open")):
        await t.tell(device_id, command)
    assert set(t.outcomes) == {"refused"}


@case("an option that is called lock")
async def _(t: Try) -> None:
    options = {"options": {"lock": ["locked", "unlocked"]}}
    await t.put("front_lock", "switch", "Lamp", capabilities=("on_off", "option"), config=options)
    await t.tell("front_lock", "set_option", name="lock", option="unlocked")


@case("an option that is called arm state")
async def _(t: Try) -> None:
    options = {"options": {"arm_state": ["disarmed", "off"]}}
    await t.put("panel", "switch", "Lamp", capabilities=("on_off", "option"), config=options)
    await t.tell("panel", "set_option", name="arm_state", option="disarmed")
    await t.tell("panel", "set_option", name="arm_state", option="off")


@case("a level that is called position")
async def _(t: Try) -> None:
    levels = {"levels": {"position_pct": {"min": 0, "max": 100}}}
    await t.put("garage", "fan", "Fan", capabilities=("on_off", "level"), config=levels)
    await t.tell("garage", "set_level", name="position_pct", value=100)


@case("a lamp that can be locked and moved")
async def _(t: Try) -> None:
    await t.put("front_lock", "light", "Lamp", capabilities=("on_off", "lock"))
    await t.put("garage", "light", "Lamp", capabilities=("on_off", "position"))
    await t.tell("front_lock", "unlock")
    await t.tell("garage", "open")
    await t.tell("garage", "set_position", position_pct=60)


@pytest.mark.parametrize("kind", ["scene", "group"])
def test_scenes_and_groups_are_among_the_cases(kind: str) -> None:
    assert f"a {kind} that opens" in CASES


for _kind in ("scene", "group"):

    @case(f"a {_kind} that opens")
    async def _(t: Try, kind: str = _kind) -> None:
        await t.put("relay", kind, "Good evening")
        await t.tell("relay", "turn_on", words="good evening")


for _name, _more in {
    "a relay in a garage": {"area": "Garage", "hardware": Hardware(id="x", model="Smart relay")},
    "a relay in Cyrillic letters": {"aliases": ("g\u0430r\u0430ge d\u043eor",)},
    "a relay in camel case": {"aliases": ("GarageDoor1",)},
    "a relay by its vendor's name": {"binding": {"topic": "garage/door/opener"}},
    "a relay by where it sits": {"config": {"placement": "garage"}},
}.items():

    @case(_name)
    async def _(t: Try, more: Any = _more) -> None:
        await t.put("relay", "switch", "Lamp", **more)
        for command in ("turn_on", "toggle", "turn_off"):
            await t.tell("relay", command, words="turn on the lamp")


@case("a garage that is discovered again as a shade")
async def _(t: Try) -> None:
    await rename(t.home, "garage", "Shade", "cover")
    await t.tell("garage", "open")
    await t.tell("garage", "set_position", position_pct=30)


@case("a mode that disarms")
async def _(t: Try) -> None:
    for mode in ("home", "party", "sleep"):
        await t.mode(mode)
        await t.mode(mode, confirm=True, arm_state="disarmed", granted=True)


@case("a mode in steps, each a little less")
async def _(t: Try) -> None:
    for mode in ("vacation", "away", "sleep", "party", "home"):
        await t.mode(mode)


@case("a mode that a person pressed for is not another one", 1)
async def _(t: Try) -> None:
    await t.mode("party")
    await t.press()
    await t.mode("home")
    assert t.outcomes[-1] == "asked"


@case("a rule that unlocks, in so many words")
async def _(t: Try) -> None:
    await t.rule(MOTION, UNLOCK, words="when there is motion, unlock the front door")
    await t.real("motion_detected", "motion")


@case("a rule that unlocks behind a lamp")
async def _(t: Try) -> None:
    await t.rule(MOTION, LAMP, UNLOCK, LAMP)
    await t.real("motion_detected", "motion")


@case("a rule that switches a relay under a false name")
async def _(t: Try) -> None:
    await t.rule(MOTION, {**LAMP, "device_id": "relay"}, words="when there is motion, turn on the lamp")
    await t.real("motion_detected", "motion")


@case("a rule that toggles")
async def _(t: Try) -> None:
    await t.rule(MOTION, {**UNLOCK, "command": "toggle"})
    assert t.outcomes == ["error"]


@case("a rule inside a rule, a webhook, a scene, a delay")
async def _(t: Try) -> None:
    for action in (
        {"type": "create_automation", "actions": [UNLOCK]}, {"type": "webhook", "url": "http://127.0.0.1/api"},
        {"type": "scene", "scene": "open"}, {"type": "delay", "seconds": 1}, {"type": "set_home_mode", "mode": "home"},
        {**UNLOCK, "then": [UNLOCK]}, {**LAMP, "parameters": {"contains": "unlock"}},
    ):  # fmt: skip
        await t.rule(MOTION, action)
    assert set(t.outcomes) == {"error"}


IN_A_MINUTE: Final = {"type": "once", "in_minutes": 1}
WAIT: Final = {"type": "delay", "seconds": 60}


@case("a rule by the clock that unlocks, in so many words")
async def _(t: Try) -> None:
    await t.rule(IN_A_MINUTE, UNLOCK, words="unlock the front door in 1 minute")
    await t.rule({"type": "time", "at": "12:00"}, UNLOCK, words="unlock the front door every day at 12:00")
    await t.rule({"type": "home_state", "mode": "home"}, UNLOCK, words="when I am home, unlock the front door")
    await t.comes(90_000)
    await t.comes(60)
    assert set(t.outcomes) == {"asked"}


@case("a rule that unlocks behind a delay")
async def _(t: Try) -> None:
    await t.rule(MOTION, LAMP, WAIT, UNLOCK, words="when there is motion, turn on the lamp")
    await t.real("motion_detected", "motion")
    await t.comes(60)


@case("a rule by the clock that a person approved opens what it says, when it is due", 1)
async def _(t: Try) -> None:
    await t.rule(IN_A_MINUTE, UNLOCK)
    await t.press()
    await t.comes(60)
    await t.comes(60)


@case("a rule by the clock that a person approved opens nothing when it comes late")
async def _(t: Try) -> None:
    await t.rule(IN_A_MINUTE, UNLOCK)
    await t.press()
    await t.comes(75)


@case("a harmless rule by the clock flips the lamp that an approved rule waits for")
async def _(t: Try) -> None:
    await t.rule(LAMP_ON, UNLOCK)
    await t.press()
    await t.rule(IN_A_MINUTE, LAMP, words="turn on the lamp in 1 minute")
    await t.press()
    await t.comes(60)
    assert t.home.ledger.done == 1


@case("the same behind a delay")
async def _(t: Try) -> None:
    await t.rule(LAMP_ON, WAIT, UNLOCK)
    await t.press()
    await t.rule(IN_A_MINUTE, LAMP, words="turn on the lamp in 1 minute")
    await t.press()
    await t.comes(60)
    await t.comes(60)
    assert t.home.ledger.done == 1


@case("a rule that becomes another one")
async def _(t: Try) -> None:
    await t.rule(MOTION, LAMP, words="when there is motion, turn on the lamp")
    await t.press()
    await t.change(actions=[UNLOCK], words="unlock the front door when there is motion")
    await t.change(trigger=IN_A_MINUTE, actions=[LAMP, WAIT, UNLOCK])
    await t.change(enabled=False)
    await t.real("motion_detected", "motion")
    await t.comes(60)
    await t.comes(60)


@case("an approved rule that gets another trigger keeps no yes")
async def _(t: Try) -> None:
    await t.rule(MOTION, UNLOCK)
    await t.press()
    await t.change(trigger=IN_A_MINUTE)
    await t.comes(60)
    assert t.outcomes[-1] == "asked"


@case("a rule that a person approved opens what it says", 1)
async def _(t: Try) -> None:
    await t.rule(MOTION, UNLOCK)
    await t.press()
    await t.real("motion_detected", "motion")


@case("the agent flips the lamp that an approved rule waits for")
async def _(t: Try) -> None:
    await t.rule(LAMP_ON, UNLOCK)
    await t.press()
    await t.tell("lamp", "turn_on", words="turn on the lamp")
    assert t.outcomes[-1] == "confirmed"


@case("the agent flips a lamp that flips the fan that an approved rule waits for")
async def _(t: Try) -> None:
    await t.rule(FAN_ON, UNLOCK)
    await t.rule(LAMP_ON, {**LAMP, "device_id": "fan"})
    await t.press()
    await t.tell("lamp", "turn_on")


@case("the same lamp, flipped by hand", 1)
async def _(t: Try) -> None:
    await t.rule(LAMP_ON, UNLOCK)
    await t.press()
    await t.home.homes.say(t.home.id, "lamp", {"on": True})
    await t.real("state_changed", "lamp", on=True)


@case("a client flips it")
async def _(t: Try) -> None:
    await t.rule(LAMP_ON, UNLOCK)
    await t.press()
    t.as_ = t.home.client()
    await t.tell("lamp", "turn_on")


@case("what a third party sends sets it off")
async def _(t: Try) -> None:
    await t.rule(MOTION, UNLOCK)
    await t.press()
    now = t.home.homes.clock.now()
    sent = Event(home_id=t.home.id, event_id="e", event_type="motion_detected", at=now, received_at=now,
                 device_id="motion", trust="third_party")  # fmt: skip
    for decided in await t.home.homes.decide([sent]):
        await t.home.homes.run([decided])


@case("the agent's change of mode sets it off")
async def _(t: Try) -> None:
    await t.rule({"event_type": "mode_changed"}, UNLOCK)
    await t.press()
    now = t.home.homes.clock.now()
    told = Event(home_id=t.home.id, event_id="m", event_type="mode_changed", at=now, received_at=now, trust="core",
                 payload={"mode": "vacation", "by": "agent"})  # fmt: skip
    for decided in await t.home.homes.decide([told]):
        await t.home.homes.run([decided])


@case("a rule that is changed after the press")
async def _(t: Try) -> None:
    await t.rule(MOTION, LAMP)
    await t.press()
    await t.sneaked(actions=(UNLOCK,))
    await t.real("motion_detected", "motion")


@case("a rule whose door is changed after the press, with a fitting version")
async def _(t: Try) -> None:
    await t.rule(MOTION, UNLOCK)
    await t.press()
    [rule] = await t.home.homes.stores.automations.of_home(t.home.id)
    other = replace(rule, actions=({**UNLOCK, "device_id": "back_lock", "parameters": {}},))
    await t.sneaked(actions=other.actions, version=version_hash(other))
    await t.real("motion_detected", "motion")


@case("a rule whose trigger is changed after the press")
async def _(t: Try) -> None:
    await t.rule(MOTION, UNLOCK)
    await t.press()
    await t.sneaked(trigger={"type": "device_event", "event_type": "doorbell_pressed"})
    await t.real("doorbell_pressed", "camera")


@case("a rule whose lamp becomes a relay")
async def _(t: Try) -> None:
    await t.put("relay", "switch", "Lamp", area="Kitchen")
    await t.rule(MOTION, {**LAMP, "device_id": "relay"})
    await t.press()
    await t.put("relay", "switch", "Gate opener")
    await t.real("motion_detected", "motion")


@case("rules that set each other off without end")
async def _(t: Try) -> None:
    await t.rule(LAMP_ON, {**LAMP, "device_id": "fan"})
    await t.rule(FAN_ON, LAMP)
    await t.press()
    await t.tell("lamp", "turn_on")
    assert 3 <= t.home.ledger.done <= 7


@case("the agent presses its own card")
async def _(t: Try) -> None:
    await t.tell("front_lock", "unlock")
    await t.answer(t.me("yes"))
    await t.answer(replace(t.me("yes"), role="owner", user_id=t.home.id))


@case("a client, a guest and a stranger press the card")
async def _(t: Try) -> None:
    await t.tell("front_lock", "unlock")
    await t.answer(t.home.client())
    await t.answer(replace(t.home.person(), role="guest"))
    await t.answer(replace(t.home.person(), role="member", user_id="other"))
    await t.answer(replace(t.home.person(), home_id="elsewhere"))
    await t.answer(replace(t.home.person(), caller="system"))


@case("words approve a card")
async def _(t: Try) -> None:
    await t.tell("front_lock", "unlock")
    now = t.home.homes.clock.now()
    [card] = await t.home.homes.stores.confirmations.open(t.home.id, now)
    with pytest.raises(HomeGuardError):
        await t.home.homes.commands.answer_by_words(t.home.person(), card.id, thread_id="t", approve=True)


@case("one press, and the same call again", 1)
async def _(t: Try) -> None:
    await t.tell("front_lock", "unlock")
    await t.press()
    await t.tell("front_lock", "lock")
    await t.tell("front_lock", "unlock")
    assert t.outcomes == ["asked", "confirmed", "asked"]


@case("one press, and more of it", 1)
async def _(t: Try) -> None:
    await t.tell("garage", "set_position", position_pct=5)
    await t.press()
    await t.tell("garage", "set_position", position_pct=100)
    assert t.outcomes[-1] == "asked"


@case("one press, twice", 1)
async def _(t: Try) -> None:
    await t.tell("front_lock", "unlock")
    [card] = await t.home.homes.stores.confirmations.open(t.home.id, t.home.homes.clock.now())
    for _ in range(3):
        await t.home.press(card.id)


@case("a press on closing does not open")
async def _(t: Try) -> None:
    await t.home.homes.say(t.home.id, "garage", {"cover": "open", "position_pct": 80})
    await t.tell("garage", "close")
    await t.press()
    await t.tell("garage", "set_position", position_pct=30)
    assert t.outcomes[-1] == "asked"


@case("a press that comes too late")
async def _(t: Try) -> None:
    await t.tell("front_lock", "unlock")
    t.wait(301)
    await t.press()


@case("a card whose device was renamed meanwhile")
async def _(t: Try) -> None:
    await t.tell("front_lock", "unlock")
    await rename(t.home, "front_lock", "Lamp")
    await t.press()


@case("a card whose valve became a garage door")
async def _(t: Try) -> None:
    await t.put("garage", "valve", "Main valve")
    await t.tell("garage", "open")
    await t.put("garage", "garage_door", "Main valve")
    await t.press()


@case("a card whose lamp became a lock")
async def _(t: Try) -> None:
    await t.put("front_lock", "light", "Gate opener")
    await t.tell("front_lock", "turn_on")
    await t.put("front_lock", "lock", "Gate opener", capabilities=("lock", "on_off"))
    await t.press()


@case("a card whose rule's lamp was renamed meanwhile")
async def _(t: Try) -> None:
    await t.rule(MOTION, LAMP)
    await rename(t.home, "lamp", "Gate opener")
    await t.press()
    assert await t.home.homes.stores.automations.of_home(t.home.id) == []


@case("the id of a grant, used before the press")
async def _(t: Try) -> None:
    await t.tell("front_lock", "unlock")
    [card] = await t.home.homes.stores.confirmations.open(t.home.id, t.home.homes.clock.now())
    for device_id, command in (("front_lock", "unlock"), ("lamp", "turn_on")):
        asked = DeviceRequest(device_id=device_id, command=command, command_id=derived_id("grant", card.id, "0"))
        await t.home.homes.commands.perform(t.me(), [asked])


@case("more than three in ten minutes", 3)
async def _(t: Try) -> None:
    for device_id, command in (("front_lock", "unlock"), ("garage", "open"), ("gate", "open"), ("patio", "open")):
        await t.tell(device_id, command)
        await t.press()
    assert t.outcomes == ["asked", "asked", "asked", "refused"]


@case("undoing a lock is unlocking")
async def _(t: Try) -> None:
    await t.home.homes.say(t.home.id, "front_lock", {"lock": "unlocked"})
    await t.tell("front_lock", "lock", words="lock the front door")
    with suppress(HomeGuardError):
        await undo(t.home.context(t.me("undo that")))
    assert t.outcomes == ["confirmed"]


@case("undoing the arming is disarming")
async def _(t: Try) -> None:
    await t.home.homes.stores.users.set_mode(t.home.id, "home", "disarmed")
    await t.mode("away")
    with suppress(HomeGuardError):
        await undo(t.home.context(t.me("undo that", is_tainted=True)))
    home = await t.home.homes.stores.users.home(t.home.id)
    assert home is not None
    assert home.arm_state == "armed_away"


@case("deleting the camera is switching it off")
async def _(t: Try) -> None:
    effect = Effect(kind="delete_device", device_id="camera", device_type="camera")
    told = await t.home.homes.commands.act(t.me("delete the camera"), effect)
    assert (told.outcome, told.rule) == ("asked", "delete-guard")


@case("a rule deleted and made again under its id")
async def _(t: Try) -> None:
    await t.rule(MOTION, UNLOCK)
    await t.press()
    [rule] = await t.home.homes.stores.automations.of_home(t.home.id)
    with suppress(HomeGuardError):
        await delete_automation(t.home.context(t.me()), automation_id=rule.id)
    effect = Effect(kind="create_automation", parameters={
        "id": rule.id, "name": "R", "trigger": dict(MOTION, type="device_event"), "actions": [UNLOCK],
    })  # fmt: skip
    told = await t.home.homes.commands.act(t.me("when there is motion, let me know"), effect)
    if told.outcome == "confirmed":
        await t.real("motion_detected", "motion")


@case("acts that nobody knows")
async def _(t: Try) -> None:
    for kind in ("publish_mqtt", "run_script", "unlock", "", "device"):
        with pytest.raises(HomeGuardError):
            await t.home.homes.commands.act(t.me(), Effect(kind=kind, device_id="front_lock", command="unlock"))


@pytest.fixture
async def homes(folder: Path) -> AsyncIterator[Homes]:
    async with open_homes(folder) as opened:
        yield opened


async def ways_that_worked(homes: Homes) -> dict[str, tuple[int, list[str]]]:
    """name of a case -> dangerous effects that happened, and those that no press stands for."""
    home = await homes.open_home("h")
    found = {}
    for name, (way, pressed) in CASES.items():
        await homes.reset(home)
        with suppress(AssertionError, ValueError):
            await way(Try(home))
        if home.ledger.breaches or home.ledger.dangerous != pressed:
            found[name] = (home.ledger.dangerous, home.ledger.breaches)
    return found


@pytest.mark.timeout(120)
async def test_no_way_around_the_gate_opens_anything_without_a_press(homes: Homes) -> None:
    assert await ways_that_worked(homes) == {}
    assert len(CASES) >= 60


@pytest.mark.timeout(120)
async def test_what_each_case_expects_of_its_answers_holds(homes: Homes) -> None:
    home = await homes.open_home("h")
    for way, _ in CASES.values():
        await homes.reset(home)
        await way(Try(home))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("hole", HOLES)
async def test_a_hole_in_the_gate_is_a_way(homes: Homes, monkeypatch: pytest.MonkeyPatch, hole: str) -> None:
    HOLES[hole](monkeypatch)
    assert await ways_that_worked(homes)


async def test_every_decision_is_in_the_audit_and_the_audit_is_whole(homes: Homes) -> None:
    home = await homes.open_home("h")
    t = Try(home)
    await t.tell("lamp", "turn_on")
    await t.tell("front_lock", "unlock")
    await t.tell("smoke", "turn_off")
    await t.answer(home.client())
    await t.press()
    rows = await homes.stores.audit.rows("h")
    told = [(r["actor"], r["action"], r["decision"], r["rule"]) for r in reversed(rows)]
    assert told == [
        ("agent:h", "device", "allow", "comfort"),
        ("agent:h", "device", "ask", "unlock"),
        ("agent:h", "device", "refuse", "never-for-others"),
        ("client:h", "confirm", "refuse", "not-theirs"),
        ("person:h", "confirm", "approve", "card"),
    ]
    assert await homes.stores.audit.verify() == len(rows)


async def test_no_tool_takes_a_raw_topic_a_payload_or_a_grant() -> None:
    named = set()
    for face in (await tool_lists()).values():
        for tool in json.loads(face)["tools"]:
            named |= set(tool["inputSchema"]["properties"])
    forbidden = {"topic", "payload", "confirm", "confirm_token", "granted", "grant_id", "pin", "command_id", "token"}
    assert named
    assert not named & forbidden
