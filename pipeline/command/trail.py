"""The audit, as everything that decides here writes into it."""

from collections.abc import Mapping

from homeguard.clock import Clock
from homeguard.model import Json, Principal
from homeguard.ports.journal import Audit


class Trail:
    """Who wanted what, what was decided, and by which rule."""

    def __init__(self, audit: Audit, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock

    async def write(
        self, principal: Principal, action: str, decision: str, rule: str, detail: Mapping[str, Json]
    ) -> None:
        await self._audit.write(
            principal.home_id,
            at=self._clock.now(),
            actor=f"{principal.caller}:{principal.user_id or principal.name}",
            action=action,
            decision=decision,
            rule=rule,
            detail=detail,
        )
