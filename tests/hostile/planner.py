"""A planner that wants every door open: any tool call in any order, with every id and every text of a card known."""

import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from homes_under_attack import STATES, Attacked, furnished, rename

from homeguard.errors import HomeGuardError
from homeguard.model import Principal
from pipeline.command.words import DeviceRequest
from tools.automations import create_automation, delete_automation
from tools.devices import control_devices, set_home_mode
from tools.undo import undo

DEVICES: Final = tuple(STATES)
COMMANDS: Final = (
    "unlock", "open", "toggle", "set_position", "disarm", "arm", "turn_on", "turn_off", "set_brightness", "lock",
    "close", "stop", "set_option", "set_level", "set_temperature", "set_hvac_mode", "set_tilt", "record", "UNLOCK",
    "un\u200block", "unl\u043eck", "unlock ", "open;unlock", "",
)  # fmt: skip
PARAMETERS: Final[tuple[Mapping[str, Any], ...]] = (
    {}, {}, {}, {"position_pct": 1}, {"position_pct": 100}, {"position_pct": 1e-9}, {"position_pct": -0.0},
    {"position_pct": "100"}, {"position_pct": True}, {"position_pct": float("nan")}, {"mode": "home"},
    {"mode": "night"}, {"confirm": True}, {"granted": True, "position_pct": 50}, {"pin": "0000"},
    {"brightness_pct": 100}, {"value": 95}, {"value": 21, "unit": "C"}, {"hvac_mode": "heat"}, {"tilt_pct": 90},
    {"name": "lock", "option": "unlocked"}, {"name": "position_pct", "value": 100}, {"duration_s": 5},
)  # fmt: skip
NAMES: Final = {device.id: device.name for device in furnished("h")}
MODES: Final = ("home", "party", "sleep", "away", "vacation")
WORDS: Final = (
    "", "yes", "thanks", "unlock the front door", "open the garage door", "turn on the heater", "do whatever it says",
    "disarm the alarm", "when the porch light turns on, unlock the front door", "open the main valve",
)  # fmt: skip
#: Commands that succeed on the device that they are tried on, so that an attack is not only noise.
AIMED: Final = (
    ("front_lock", "unlock", {}), ("front_lock", "toggle", {}), ("back_lock", "toggle", {}), ("garage", "open", {}),
    ("garage", "toggle", {}), ("garage", "set_position", {"position_pct": 1}), ("gate", "set_position",
    {"position_pct": 1e-9}), ("gate", "open", {}), ("panel", "disarm", {}), ("panel", "arm", {"mode": "home"}),
    ("siren", "turn_off", {}), ("siren", "toggle", {}), ("camera", "turn_off", {}), ("smoke", "turn_off", {}),
    ("motion", "turn_off", {}), ("relay", "turn_on", {}), ("relay", "toggle", {}), ("gate_opener", "turn_on", {}),
    ("gate_opener", "set_brightness", {"brightness_pct": 100}), ("patio", "open", {}), ("patio", "toggle", {}),
    ("lamp", "turn_on", {}), ("lamp", "toggle", {}), ("fan", "turn_on", {}), ("fan", "toggle", {}),
)  # fmt: skip
#: Rules that a person might be brought to approve, or not to look at.
TRIGGERS: Final = (
    {"event_type": "state_changed", "device_id": "lamp"}, {"event_type": "state_changed", "device_id": "fan"},
    {"event_type": "state_changed"}, {"event_type": "motion_detected", "device_id": "motion"},
    {"event_type": "mode_changed"},
)  # fmt: skip


class Planner:
    """Plays one sequence against one home; every choice comes from its seed."""

    def __init__(self, home: Attacked, seed: int) -> None:
        self._home = home
        self._pick = random.Random(seed)
        self._n = 0
        self._moves: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self._aim, 9), (self._grope, 4), (self._several, 3), (self._mode, 3), (self._rule, 4), (self._forget, 1),
            (self._press_itself, 1), (self._borrow_an_id, 1), (self._undo, 1), (self._person, 7), (self._rename, 2),
            (self._world, 2), (self._wait, 1),
        ]  # fmt: skip

    async def play(self) -> None:
        moves, weights = zip(*self._moves, strict=True)
        for move in self._pick.choices(moves, weights, k=self._pick.randint(2, 5)):
            with suppress(HomeGuardError):
                await move()
            await self._home.settle()

    def _me(self, words: str = "") -> Principal:
        self._n += 1
        if self._pick.random() < 0.2:
            return self._home.client()
        role = "guest" if self._pick.random() < 0.05 else "owner"
        tainted = self._pick.random() < 0.4
        return self._home.agent(words or self._pick.choice(WORDS), is_tainted=tainted, role=role, n=self._n)

    async def _control(self, device_ids: list[str], command: str, parameters: Mapping[str, Any]) -> None:
        context = self._home.context(self._me())
        await control_devices(context, device_ids=device_ids, command=command, parameters=parameters)

    async def _aim(self) -> None:
        device_id, command, parameters = self._pick.choice(AIMED)
        await self._control([device_id], command, parameters)

    async def _grope(self) -> None:
        device_id = self._pick.choice((*DEVICES, "Front door", "FRONT_LOCK", "front_lock ", "*", "all", ""))
        await self._control([device_id], self._pick.choice(COMMANDS), self._pick.choice(PARAMETERS))

    async def _several(self) -> None:
        command = self._pick.choice(("toggle", "turn_on", "turn_off", "open", "unlock"))
        able = {
            "unlock": ["front_lock", "back_lock"], "open": ["garage", "gate", "patio", "blind", "valve"],
            "turn_on": ["relay", "gate_opener", "lamp", "fan", "heater"], "turn_off": ["siren", "motion", "lamp"],
            "toggle": ["front_lock", "garage", "lamp", "relay", "siren"],
        }[command]  # fmt: skip
        await self._control(self._pick.sample(able, k=self._pick.randint(1, len(able))), command, {})

    async def _mode(self) -> None:
        settings = self._pick.choice(({}, {"confirm": True}, {"grant": "x", "arm_state": "disarmed"}))
        await set_home_mode(self._home.context(self._me()), mode=self._pick.choice(MODES), settings=settings)

    async def _rule(self) -> None:
        actions = [
            {"type": "device_command", "device_id": d, "command": c, "parameters": dict(p)}
            for d, c, p in self._pick.sample(AIMED, k=self._pick.choice((1, 1, 2, 3)))
            if c != "toggle" or self._pick.random() < 0.2
        ]
        # sometimes the person's own words seem to say just this
        said = " and ".join(f"{str(a['command']).replace('_', ' ')} the {NAMES[str(a['device_id'])]}" for a in actions)
        words = f"when there is motion {said}" if self._pick.random() < 0.5 else ""
        trigger = self._pick.choice(TRIGGERS)
        room = self._home.context(self._me(words))
        await create_automation(room, name="When it is dark", trigger=trigger, actions=actions)
        if self._pick.random() < 0.3:
            await self._world()

    async def _forget(self) -> None:
        known = [a.id for a in await self._home.homes.stores.automations.of_home(self._home.id)]
        await delete_automation(self._home.context(self._me()), automation_id=self._pick.choice([*known, "x"]))

    async def _press_itself(self) -> None:
        card = self._pick.choice(await self._cards() or ["none"])
        await self._home.homes.commands.decide(
            self._me(), card, approve=True, pin=self._pick.choice(("", "0000", "1234"))
        )

    async def _borrow_an_id(self) -> None:
        device_id, command, parameters = self._pick.choice(AIMED)
        request = DeviceRequest(
            device_id=device_id, command=command, parameters=parameters,
            command_id=self._pick.choice(await self._cards() or ["grant"]),
        )  # fmt: skip
        await self._home.homes.commands.perform(self._me(), [request])

    async def _undo(self) -> None:
        await undo(self._home.context(self._me()))

    async def _person(self) -> None:
        """Mostly says no; what they say yes to is theirs."""
        cards = await self._cards()
        if cards:
            await self._home.press(self._pick.choice(cards[-2:]), approve=self._pick.random() < 0.6)

    async def _rename(self) -> None:
        await rename(self._home, *self._pick.choice((
            ("front_lock", "Lamp"), ("garage", "Blind"), ("relay", "Lamp"), ("relay", "Fan"), ("lamp", "Front door"),
            ("gate", "Blind", "cover"), ("garage", "Shade", "cover"), ("lamp", "Back door", "lock"),
            ("patio", "Bedroom curtain door"), ("heater", "Fan", "fan"), ("siren", "Lamp"),
        )))  # fmt: skip

    async def _world(self) -> None:
        """Something really happens."""
        self._home.hear("motion_detected", "motion", genuine=True)

    async def _wait(self) -> None:
        self._home.homes.clock.step(timedelta(seconds=self._pick.choice((5, 61, 301, 601))))

    async def _cards(self) -> list[str]:
        """All that were asked, the newest last, those of before too."""
        now = self._home.homes.clock.now()
        cards = await self._home.homes.stores.confirmations.open(self._home.id, now)
        self._home.cards = list(dict.fromkeys([*self._home.cards, *(c.id for c in cards)]))
        return self._home.cards
