"""What a press on a card begins: the stored effects, looked at again, as the commands that the journal begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from homeguard import gate
from homeguard.clock import CORRECTION
from homeguard.effects import resolve
from homeguard.errors import Conflict, HomeGuardError
from homeguard.ids import derived_id
from homeguard.model import Command, Confirmation, Device, Effect, Home
from homeguard.named import device_named, home_named
from homeguard.policy import AGENT_T3_BUDGET, AGENT_T3_WINDOW, CONFIRMATION_TTL
from homeguard.ports.devices import DeviceStore
from homeguard.ports.journal import Journal
from homeguard.ports.live_state import LiveStateStore
from homeguard.ports.users import UserStore
from pipeline.command.journalled import command_of


@dataclass(frozen=True, slots=True)
class Grant:
    """What an approval begins: one command an effect, in their order, and the devices of those that have one, by the
    command's id."""

    commands: tuple[Command, ...]
    devices: Mapping[str, Device]


class Grants:
    """Looks at a card's effects again at the moment of the press."""

    def __init__(self, *, users: UserStore, devices: DeviceStore, live: LiveStateStore, journal: Journal) -> None:
        self._users = users
        self._devices = devices
        self._live = live
        self._journal = journal

    async def of(self, card: Confirmation, now: datetime) -> Grant:
        """The card's effects as commands, as they are to be carried out from `now` on.

        Raises:
            Conflict: one would be another effect by now, or the assistant has had too much done.
        """
        home = await home_named(self._users, card.home_id)
        commands, devices = [], {}
        for index, effect in enumerate(card.effects):
            command_id = grant_id(card, index)
            if effect.kind == "device":
                again, tier, device = await self._same_device(home, card, effect)
                devices[command_id] = device
            else:
                again, tier = effect, await self._same_act(home, card, effect)
            commands.append(
                command_of(
                    again, command_id=command_id, home_id=card.home_id, tier=tier, caller=card.caller,
                    user_id=card.user_id, cause=card.id, now=now, grant_id=card.id,
                )
            )  # fmt: skip
        await self._check_budget(card, commands, now)
        return Grant(tuple(commands), devices)

    async def _same_device(self, home: Home, card: Confirmation, effect: Effect) -> tuple[Effect, int, Device]:
        device = await device_named(self._devices, home.id, effect.device_id)
        state = await self._live.get(home.id, device.id)
        try:
            again = resolve(device, state, effect.command, effect.parameters, home.unit_system)
        except HomeGuardError as error:
            raise _outdated(effect.device_name) from error
        tier, _ = gate.tier_of(again, device)
        is_same = (again.set, device.name, device.type) == (effect.set, effect.device_name, effect.device_type)
        if not is_same or tier > card.tier:
            raise _outdated(effect.device_name)
        return again, tier, device

    async def _same_act(self, home: Home, card: Confirmation, effect: Effect) -> int:
        if effect.kind == "set_mode":
            before = effect.before.get("arm_state", home.arm_state)
            # an alarm that went off meanwhile makes the same words another effect; arming that came to its end does not
            if home.arm_state != before and (before, home.arm_state) != ("arming", "armed_away"):
                raise _outdated("the home")
        inner = {e.device_id: await self._devices.get(home.id, e.device_id) for e in effect.contains if e.device_id}
        for contained in effect.contains:
            device = inner.get(contained.device_id)
            if contained.device_id and (device is None or device.name != contained.device_name):
                raise _outdated(contained.device_name)
        tier, _ = gate.tier_of(effect, None, {i: d for i, d in inner.items() if d is not None})
        if tier > card.tier:
            raise _outdated("the home")
        return tier

    async def _check_budget(self, card: Confirmation, commands: Sequence[Command], now: datetime) -> None:
        sensitive = sum(command.tier >= 3 for command in commands)
        if card.caller != "agent" or not sensitive:
            return
        done = await self._journal.executed_since(card.home_id, 3, "agent", now - AGENT_T3_WINDOW)
        if done + sensitive > AGENT_T3_BUDGET:
            raise Conflict(
                f"the assistant has had {done} sensitive actions done in ten minutes, {AGENT_T3_BUDGET} are the limit: "
                "do this one yourself, or later",
                code="BUDGET_USED",
            )


def grant_id(card: Confirmation, index: int) -> str:
    """The id of the command of the card's effect at `index`: always the same, so it is begun once."""
    return derived_id("grant", card.id, str(index))


def is_over(card: Confirmation, now: datetime) -> bool:
    """Its time is over. One that would live longer than a question does was asked while the clock stood elsewhere."""
    return now >= card.expires_at or card.expires_at > now + CONFIRMATION_TTL + CORRECTION


def _outdated(what: str) -> Conflict:
    return Conflict(f"{what} changed meanwhile: ask again", code="CONFIRMATION_OUTDATED")
