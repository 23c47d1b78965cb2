"""What HomeGuard itself can be told to change, beside devices: the mode of a home, its automations, its device list.

Each takes the stored effect as it was judged, and the id that makes it happen once.
"""

from collections.abc import Mapping
from typing import Any

from homeguard.clock import Clock, iso
from homeguard.effects import fingerprint
from homeguard.errors import InvalidInput, NotFound
from homeguard.gate import is_sensitive
from homeguard.ids import derived_id
from homeguard.model import Automation, Effect, Event, Json, Principal
from homeguard.ports.automations import AutomationStore
from homeguard.ports.devices import DeviceStore
from homeguard.ports.live_state import Live, LiveFeed, LiveStateStore
from homeguard.ports.users import UserStore
from pipeline.command.words import Act
from pipeline.intake.intake import Intake


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
    ) -> None:
        self._users = users
        self._devices = devices
        self._live = live
        self._automations = automations
        self._feed = feed
        self._intake = intake
        self._clock = clock

    def registry(self) -> Mapping[str, Act]:
        """By the kind of the effect."""
        return {
            "set_mode": self.set_mode,
            "create_automation": self.create_automation,
            "delete_automation": self.delete_automation,
            "delete_device": self.delete_device,
        }

    async def set_mode(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        """Set the mode and the arm state that the effect names; tells both."""
        mode, arm_state = effect.parameters["mode"], effect.set["arm_state"]
        await self._users.set_mode(principal.home_id, mode, arm_state)  # type: ignore[arg-type]
        told: dict[str, Json] = {"mode": mode, "arm_state": arm_state}
        await self._intake.submit([self._event(principal, "mode_changed", told, act_id)])
        await self._feed.publish([Live(home_id=principal.home_id, kind="mode", data={"type": "mode", **told})])
        return told

    async def create_automation(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        """Store the automation of the effect's parameters, enabled; tells its id and name.

        An automation with sensitive effects got here by the card, so these are approved, exactly as they are.
        """
        given: Mapping[str, Any] = effect.parameters
        now = self._clock.now()
        automation = Automation(
            id=str(given.get("id") or derived_id("automation", act_id)),
            home_id=principal.home_id,
            name=str(given["name"]),
            trigger=given["trigger"],
            conditions=tuple(given.get("conditions") or ()),
            actions=tuple(given["actions"]),
            version=str(given.get("version") or ""),
            approved=tuple(fingerprint(e) for e in effect.contains if is_sensitive(e)),
            created_by=principal.user_id,
            created_at=now,
            updated_at=now,
        )
        await self._automations.put(automation)
        return {"automation_id": automation.id, "name": automation.name, "enabled": True}

    async def delete_automation(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        automation_id = str(effect.parameters.get("id") or "")
        if not await self._automations.delete(principal.home_id, automation_id):
            raise NotFound("this home has no such automation", code="AUTOMATION_NOT_FOUND")
        return {"automation_id": automation_id, "deleted": True}

    async def delete_device(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        device_id = effect.device_id
        if not device_id:
            raise InvalidInput("which device?", field="device_id")
        if not await self._devices.delete(principal.home_id, device_id):
            raise NotFound("this home has no such device", code="DEVICE_NOT_FOUND")
        await self._live.forget(principal.home_id, device_id)
        self._intake.forget_devices(principal.home_id)
        return {"device_id": device_id, "deleted": True}

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
