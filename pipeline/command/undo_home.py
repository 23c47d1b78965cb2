"""The half of an undo that concerns the home itself: its mode, its automations, a timer."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

from homeguard.automation import compile as compile_automation
from homeguard.automation import version_hash
from homeguard.errors import HomeGuardError
from homeguard.ids import derived_id
from homeguard.model import Attributes, Automation, Command, Effect, Json, Principal
from homeguard.ports.automations import AutomationStore
from homeguard.ports.devices import DeviceStore
from homeguard.ports.users import UserStore
from pipeline.command.batches import Batch
from pipeline.command.waiting import matches
from pipeline.command.words import Commands, Restored

_ARM_STATES: Final = ("disarmed", "armed_home", "armed_away", "armed_night")


class UndoHome:
    """Changes the home only through `commands`."""

    def __init__(
        self, *, commands: Commands, users: UserStore, devices: DeviceStore, automations: AutomationStore
    ) -> None:
        self._commands = commands
        self._users = users
        self._devices = devices
        self._automations = automations

    async def restore(self, acting: Principal, batch: Batch) -> list[Restored]:
        """The mode as one, then one row an act, the latest first."""
        acts = batch.acts
        modes = [c for c in acts if c.command == "set_mode"]
        told: list[Restored] = []
        if modes:
            told += await self._mode(acting, modes[0].before, modes[-1].set)
        for act in reversed(acts):
            if act.command in ("create_automation", "update_automation", "delete_automation"):
                told.append(await self._automation(acting, act))
            elif act.command == "set_timer":
                label = str(act.parameters.get("label") or "")[:80]
                given: dict[str, Json] = {"timer_id": derived_id("timer", act.id), "label": label}
                effect = Effect(kind="cancel_timer", command="cancel_timer", parameters=given)
                told.append(await self._act(acting, effect, f"the timer '{label}'" if label else "the timer"))
            elif act.command != "set_mode":
                what = act.command.replace("_", " ")
                told.append(Restored(name=f"'{what}'", outcome="left_alone", reason="this cannot be undone"))
        return told

    async def _mode(self, acting: Principal, before: Attributes, left: Attributes) -> list[Restored]:
        name, home = "the home's mode", await self._users.home(acting.home_id)
        if home is None or matches(left, before):
            return []
        now: Attributes = {"mode": home.mode, "arm_state": home.arm_state}
        if not matches({k: v for k, v in left.items() if k in now}, now):
            reason = "it is as it was before" if matches(before, now) else "it was changed since"
            return [Restored(name=name, outcome="left_alone", reason=reason)]
        if before.get("arm_state") not in _ARM_STATES or "mode" not in before:
            return [Restored(name=name, outcome="left_alone", reason="it cannot be put back to how it was")]
        effect = Effect(kind="set_mode", parameters={"mode": before["mode"]}, set=dict(before), before=now)
        return [await self._act(acting, effect, name)]

    async def _automation(self, acting: Principal, act: Command) -> Restored:
        parameters = cast("Mapping[str, Any]", act.parameters)
        automation_id = str(parameters.get("id") or derived_id("automation", act.id))
        name = f"the automation '{str(parameters.get('name') or '')[:80]}'"
        now = await self._automations.get(acting.home_id, automation_id)
        if act.command == "delete_automation":
            if now is not None:
                return Restored(name=name, outcome="left_alone", reason="there is one again")
            return await self._bring_back(acting, automation_id, "", name, None)
        if now is None:
            return Restored(name=name, outcome="left_alone", reason="it was deleted since")
        if not is_as_made(now, parameters):
            return Restored(name=name, outcome="left_alone", reason="it was changed since")
        if "version" in act.before:
            return await self._bring_back(acting, automation_id, str(act.before["version"]), name, now)
        effect = Effect(kind="delete_automation", parameters={"id": now.id, "name": now.name})
        return await self._act(acting, effect, name)

    async def _bring_back(
        self, acting: Principal, automation_id: str, version: str, name: str, now: Automation | None
    ) -> Restored:
        """The newest kept version (of that hash), through the gate as if it were made anew: what is sensitive asks."""
        kept = await self._automations.versions(acting.home_id, automation_id)
        rule = next((a for a in kept if not version or version_hash(a) == version), None)
        home = await self._users.home(acting.home_id)
        if rule is None or home is None:
            return Restored(name=name, outcome="left_alone", reason="no earlier version of it is kept")
        devices = await self._devices.of_home(acting.home_id)
        try:
            contains = compile_automation(rule, devices, "F" if home.unit_system == "us" else "C")
        except HomeGuardError as error:
            return Restored(name=name, outcome="failed", reason=error.message)
        parameters: dict[str, Json] = {
            "id": rule.id, "name": rule.name, "trigger": rule.trigger, "conditions": list(rule.conditions),
            "actions": list(rule.actions), "version": version_hash(rule), "enabled": rule.enabled,
        }  # fmt: skip
        before: Attributes = {"version": version_hash(now)} if now is not None else {}
        effect = Effect(kind="create_automation", parameters=parameters, contains=contains, before=before)
        return await self._act(acting, effect, name)

    async def _act(self, acting: Principal, effect: Effect, name: str) -> Restored:
        try:
            result = await self._commands.act(acting, effect)
        except HomeGuardError as error:
            return Restored(name=name, outcome="failed", reason=error.message, command=effect.kind, set=effect.set)
        return Restored(
            name=name, outcome=result.outcome, reason=result.reason, command=result.command,
            command_id=result.command_id, set=effect.set, confirmation=result.confirmation,
        )  # fmt: skip


def is_as_made(now: Automation, parameters: Mapping[str, Any]) -> bool:
    """It reads as it was made. Minutes that were to pass have become a moment meanwhile."""
    made = parameters.get("trigger")
    if isinstance(made, Mapping) and "in_minutes" in made:
        now = replace(now, trigger=made)
    return version_hash(now) == parameters.get("version")
