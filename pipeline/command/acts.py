"""What HomeGuard itself can be told to change, beside devices: the mode of a home, its automations, its device list.

Each takes the stored effect as it was judged, and the id that makes it happen once.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from homeguard.automation import is_timed, version_hash
from homeguard.clock import Clock, HomeClocks, iso
from homeguard.effects import fingerprint
from homeguard.errors import Conflict, InvalidInput, NotFound
from homeguard.gate import is_sensitive
from homeguard.ids import derived_id
from homeguard.model import Automation, Command, Effect, Event, Json, Principal
from homeguard.policy import lowers_guard
from homeguard.ports.automations import AutomationStore
from homeguard.ports.devices import DeviceStore
from homeguard.ports.live_state import Live, LiveFeed, LiveStateStore
from homeguard.ports.permissions import Permissions
from homeguard.ports.users import UserStore
from homeguard.triggers import settled
from pipeline.command.standing import permission_of
from pipeline.command.undo_home import is_as_made
from pipeline.command.words import Act
from pipeline.intake.intake import Intake
from pipeline.planning import first


class Acts:
    """The home-level acts over the stores that they change."""

    def __init__(
        self,
        *,
        users: UserStore,
        devices: DeviceStore,
        live: LiveStateStore,
        automations: AutomationStore,
        feed: LiveFeed,
        intake: Intake,
        clock: Clock,
        permissions: Permissions | None = None,
        clocks: HomeClocks | None = None,
        planned: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """`planned` is told the home whose rules changed, so that those that go by the clock get their time; `clocks`:
        what minutes that are to pass are counted by."""
        self._clocks = clocks or HomeClocks(clock)
        self._planned = planned
        self._permissions = permissions
        self._users = users
        self._devices = devices
        self._live = live
        self._automations = automations
        self._feed = feed
        self._intake = intake
        self._clock = clock

    def registry(self) -> Mapping[str, Act]:
        """By the kind of the effect."""
        acts: dict[str, Act] = {
            "set_mode": self.set_mode,
            "create_automation": self.create_automation,
            "update_automation": self.update_automation,
            "delete_automation": self.delete_automation,
            "delete_device": self.delete_device,
        }
        if self._permissions is not None:
            acts |= {"create_permission": self.create_permission, "revoke_permission": self.revoke_permission}
        return acts

    async def is_done(self, command: Command) -> bool | None:
        """Was this act, as the journal has it, carried out? None: that cannot be seen."""
        home_id, given = command.home_id, command.parameters
        match command.command:
            case "set_mode":
                home = await self._users.home(home_id)
                return home is not None and (home.mode, home.arm_state) == (
                    given.get("mode"), command.set.get("arm_state")
                )  # fmt: skip
            case "create_automation":
                automation_id = str(given.get("id") or derived_id("automation", command.id))
                return await self._automations.get(home_id, automation_id) is not None
            case "update_automation":
                rule = await self._automations.get(home_id, str(given.get("id") or ""))
                if rule is None or "trigger" not in given:
                    return None
                is_same = (rule.name, rule.enabled) == (given.get("name"), given.get("enabled"))
                return is_same and is_as_made(rule, given)
            case "delete_automation":
                return await self._automations.get(home_id, str(given.get("id") or "")) is None
            case "delete_device":
                return await self._devices.get(home_id, command.device_id) is None
            case "create_permission" if self._permissions is not None:
                return await self._permissions.get(home_id, derived_id("permission", command.id)) is not None
            case "revoke_permission" if self._permissions is not None:
                found = await self._permissions.get(home_id, str(given.get("id") or ""))
                return found is None or found.revoked_at is not None
            case _:
                return None

    async def set_mode(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        """Set the mode and the arm state that the effect names; tells both."""
        mode, arm_state = effect.parameters["mode"], effect.set["arm_state"]
        await self._check_guard(principal.home_id, effect)
        await self._users.set_mode(principal.home_id, mode, arm_state)  # type: ignore[arg-type]
        told: dict[str, Json] = {"mode": mode, "arm_state": arm_state}
        await self._intake.submit([self._event(principal, "mode_changed", told, act_id)])
        await self._feed.publish([Live(home_id=principal.home_id, kind="mode", data={"type": "mode", **told})])
        return told

    async def create_automation(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        """Store the automation of the effect's parameters, enabled unless they say not; tells its id and name, and when
        it runs next where it goes by the clock.

        An automation with sensitive effects got here by the card, so these are approved, exactly as they are. Minutes
        that are to pass are counted from now on.
        """
        given: Mapping[str, Any] = effect.parameters
        now = self._clock.now()
        automation = Automation(
            id=str(given.get("id") or derived_id("automation", act_id)),
            home_id=principal.home_id,
            name=str(given["name"]),
            trigger=settled(given["trigger"], self._clocks.now(principal.home_id)),
            conditions=tuple(given.get("conditions") or ()),
            actions=tuple(given["actions"]),
            version=str(given.get("version") or ""),
            enabled=given.get("enabled") is not False,
            approved=await self._approved(principal.home_id, effect),
            created_by=principal.user_id,
            created_at=now,
            updated_at=now,
        )
        return await self._keep(automation)

    async def update_automation(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        """Make the automation of that id what the parameters say; tells the same. What was approved with it stays only
        while it does what it did."""
        given: Mapping[str, Any] = effect.parameters
        before = await self._automations.get(principal.home_id, str(given["id"]))
        if before is None:
            raise NotFound("this home has no such automation", code="AUTOMATION_NOT_FOUND")
        does_the_same = version_hash(before) == given["version"]
        automation = replace(
            before,
            name=str(given["name"]),
            trigger=settled(given["trigger"], self._clocks.now(principal.home_id)),
            conditions=tuple(given["conditions"]),
            actions=tuple(given["actions"]),
            enabled=given["enabled"] is not False,
            version=str(given["version"]),
            approved=before.approved if does_the_same else await self._approved(principal.home_id, effect),
            created_by=before.created_by if does_the_same else principal.user_id,
            updated_at=self._clock.now(),
        )
        return await self._keep(automation)

    async def _approved(self, home_id: str, effect: Effect) -> tuple[str, ...]:
        devices = {device.id: device for device in await self._devices.of_home(home_id)}
        return tuple(fingerprint(e) for e in effect.contains if is_sensitive(e, devices.get(e.device_id)))

    async def _keep(self, automation: Automation) -> Mapping[str, Json]:
        automation = replace(automation, version=version_hash(automation))
        await self._automations.put(automation)
        told: dict[str, Json] = {
            "automation_id": automation.id, "name": automation.name, "enabled": automation.enabled,
        }  # fmt: skip
        if is_timed(automation):
            await self._plan(automation.home_id)
            home = await self._users.home(automation.home_id)
            now = self._clocks.now(automation.home_id)
            next_at = first(automation, now, home) if home is not None and automation.enabled else None
            told["next_run_at"] = iso(next_at) if next_at is not None else None
        return told

    async def _plan(self, home_id: str) -> None:
        if self._planned is not None:
            await self._planned(home_id)

    async def delete_automation(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        automation_id = str(effect.parameters.get("id") or "")
        if not await self._automations.delete(principal.home_id, automation_id):
            raise NotFound("this home has no such automation", code="AUTOMATION_NOT_FOUND")
        await self._plan(principal.home_id)
        return {"automation_id": automation_id, "deleted": True}

    async def delete_device(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        device_id = effect.device_id
        if not device_id:
            raise InvalidInput("which device?", field="device_id")
        is_gone = await self._devices.delete(principal.home_id, device_id)
        await self._live.forget(principal.home_id, device_id)
        self._intake.forget_devices(principal.home_id)
        if not is_gone:
            raise NotFound("this home has no such device", code="DEVICE_NOT_FOUND")
        return {"device_id": device_id, "deleted": True}

    async def _check_guard(self, home_id: str, effect: Effect) -> None:
        """Raises Conflict: somebody armed the home meanwhile, so what was judged as no lowering would be one now."""
        home = await self._users.home(home_id)
        if home is None or lowers_guard(effect):
            return
        if lowers_guard(replace(effect, before={**effect.before, "arm_state": home.arm_state})):
            raise Conflict("the home was armed meanwhile: say it again", code="CONFIRMATION_OUTDATED")

    async def create_permission(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        """Keep what the card said; tells its id and name."""
        assert self._permissions is not None
        permission = permission_of(
            effect, permission_id=derived_id("permission", act_id), home_id=principal.home_id, by=principal.user_id,
            now=self._clock.now(),
        )  # fmt: skip
        await self._permissions.put(permission)
        return {"permission_id": permission.id, "name": permission.name}

    async def revoke_permission(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        assert self._permissions is not None
        permission_id = str(effect.parameters.get("id") or "")
        now = self._clock.now()
        if await self._permissions.revoke(principal.home_id, permission_id, by=principal.user_id, at=now) is None:
            raise NotFound("this home has no such permission", code="PERMISSION_NOT_FOUND")
        return {"permission_id": permission_id, "revoked": True}

    def _event(self, principal: Principal, event_type: str, payload: Mapping[str, Json], act_id: str) -> Event:
        now = self._clock.now()
        return Event(
            home_id=principal.home_id,
            event_id=derived_id(event_type, principal.home_id, act_id),
            event_type=event_type,
            at=now,
            received_at=now,
            user_id=principal.user_id,
            payload={**payload, "by": principal.caller, "at": iso(now)},
            source="core",
            trust="core",
            cause=principal.cause or act_id,
        )
