"""The PIN of a home: set by its owner on a screen of ours, asked for with every card that needs more than a press."""

import math
import re
from typing import Final

from homeguard import gate
from homeguard.clock import Clock
from homeguard.errors import InvalidInput, NotAllowed, NotFound, RateLimited
from homeguard.identity.passwords import Passwords
from homeguard.model import Effect, Principal
from homeguard.ports.journal import Audit
from homeguard.ports.pins import Pin, Pins
from pipeline.command.trail import Trail

#: Cards of this tier and above need the PIN, where one is set.
PIN_TIER: Final = 3
_SHAPE: Final = re.compile(r"[0-9]{4,12}")


class HomePin:
    """Sets, removes and checks it. The PIN itself is in no log, no audit row and no error."""

    def __init__(self, *, pins: Pins, passwords: Passwords, audit: Audit, clock: Clock) -> None:
        self._pins = pins
        self._passwords = passwords
        self._trail = Trail(audit, clock)
        self._clock = clock

    def close(self) -> None:
        """Let go of the thread that hashes."""
        self._passwords.close()

    async def is_set(self, home_id: str) -> bool:
        return await self._pins.get(home_id) is not None

    async def set(self, owner: Principal, pin: str) -> None:
        """Set it or change it. The caller has asked for the owner's password just now.

        Raises:
            NotAllowed: not the owner of this home, or not a person.
            InvalidInput: it has not 4 to 12 digits.
        """
        await self._judge(owner, "set_pin")
        if not _SHAPE.fullmatch(pin):
            raise InvalidInput("a PIN has 4 to 12 digits", field="pin")
        pin_hash = await self._passwords.hash(pin)
        now = self._clock.now()
        await self._pins.put(Pin(home_id=owner.home_id, pin_hash=pin_hash, set_by=owner.user_id, set_at=now))

    async def remove(self, owner: Principal) -> None:
        """The caller has asked for the owner's password just now.

        Raises:
            NotAllowed: not the owner of this home, or not a person.
            NotFound: this home has no PIN.
        """
        await self._judge(owner, "remove_pin")
        if not await self._pins.remove(owner.home_id):
            raise NotFound("this home has no PIN", code="PIN_NOT_SET")

    async def check(self, person: Principal, pin: str) -> None:
        """Returns when it is the PIN of the person's home. A try counts before it is judged, so that many at once are
        many.

        Raises:
            NotAllowed: none was given (`PIN_REQUIRED`), or it is another (`PIN_WRONG`).
            RateLimited: too many were wrong (`PIN_LOCKED`); `retry_after_s` says when to try again.
        """
        known = await self._pins.get(person.home_id)
        if known is None:
            return
        if not pin:
            raise NotAllowed("this needs the PIN of the home", code="PIN_REQUIRED")
        now = self._clock.now()
        until = await self._pins.attempt(person.home_id, person.user_id, now)
        if until is not None:
            await self._trail.write(person, "check_pin", "deny", "pin-locked", {})
            wait_s = max(1, math.ceil((until - now).total_seconds()))
            raise RateLimited(
                f"the PIN was wrong too often: try again in {_minutes(wait_s)}", code="PIN_LOCKED", retry_after_s=wait_s
            )
        is_right = _SHAPE.fullmatch(pin) is not None and (await self._passwords.verify(pin, known.pin_hash)).good
        if not is_right:
            await self._trail.write(person, "check_pin", "deny", "pin-wrong", {})
            raise NotAllowed("that is not the PIN of this home", code="PIN_WRONG")
        await self._pins.succeeded(person.home_id, person.user_id)

    async def _judge(self, owner: Principal, action: str) -> None:
        verdict = gate.decide(
            Effect(kind="set_pin"), None, owner, stated=False, granted=bool(owner.home_id), recent_t3=0
        )
        await self._trail.write(owner, action, verdict.decision, verdict.rule, {})
        if verdict.decision != "allow":
            raise NotAllowed(verdict.reason or "only the owner can do this, on HomeGuard's own screens")


def _minutes(seconds: int) -> str:
    minutes = math.ceil(seconds / 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"
