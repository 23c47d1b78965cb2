"""Asks the gate about an effect, with all that it must know of the home, and writes its word into the audit."""

from homeguard import gate
from homeguard.clock import Clock
from homeguard.effects import fingerprint
from homeguard.model import Device, Effect, Json, Principal
from homeguard.permissions import Circumstances
from homeguard.policy import AGENT_T3_WINDOW
from homeguard.ports.devices import DeviceStore
from homeguard.ports.journal import Journal
from homeguard.statement import names_effect
from pipeline.command.standing import Standing
from pipeline.command.trail import Trail


class Judging:
    """Without `standing` nothing is allowed beforehand."""

    def __init__(
        self, *, devices: DeviceStore, journal: Journal, standing: Standing | None, trail: Trail, clock: Clock
    ) -> None:
        self._devices = devices
        self._journal = journal
        self._standing = standing
        self._trail = trail
        self._clock = clock

    async def verdict(
        self, principal: Principal, effect: Effect, device: Device | None, seen: Circumstances | None = None
    ) -> gate.Verdict:
        """The gate's word on one resolved effect. `device`: the one that it is on; `seen`: as `CommandService.perform`.

        A permission that it relies on counts as used.
        """
        now, recent = self._clock.now(), 0
        if principal.caller == "agent":
            recent = await self._journal.executed_since(principal.home_id, 3, "agent", now - AGENT_T3_WINDOW)
        allowed = await self._standing.covering(principal, effect, seen, now) if self._standing is not None else None
        inner = [await self._devices.get(principal.home_id, e.device_id) for e in effect.contains]
        verdict = gate.decide(
            effect,
            device,
            principal,
            stated=await self._is_stated(principal, effect, device),
            granted=allowed is not None or fingerprint(effect) in principal.standing,
            recent_t3=recent,
            devices={d.id: d for d in inner if d is not None},
        )
        detail: dict[str, Json] = {
            "kind": effect.kind, "device_id": effect.device_id, "command": effect.command, "tier": verdict.tier,
            "set": dict(effect.set), "cause": principal.cause,
        }  # fmt: skip
        if allowed is not None:
            detail |= {"permission": allowed.id, "permission_name": allowed.name}
        await self._trail.write(principal, effect.kind, verdict.decision, verdict.rule, detail)
        return verdict

    async def _is_stated(self, principal: Principal, effect: Effect, device: Device | None) -> bool:
        if principal.turn is None or not principal.turn.words:
            return False
        return names_effect(principal.turn.words, effect, device, await self._devices.of_home(principal.home_id))
