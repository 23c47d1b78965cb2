"""What a client was refused because it named somebody else's, or nobody's: a row of the home's audit, within bounds."""

import logging
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from homeguard.clock import Clock
from homeguard.errors import HomeGuardError, NotSignedIn
from homeguard.ports.journal import Audit
from mcp_servers.identity import current_principal
from tools.text import clean

log = logging.getLogger("homeguard.mcp")

#: Rows a minute in this process: someone who tries names by the thousand does not fill the disk.
MAX_ROWS: Final = 120
_WINDOW_S: Final = 60.0
_TOLD: Final = frozenset(
    ("HOME_MISMATCH", "DEVICE_NOT_FOUND", "AUTOMATION_NOT_FOUND", "EVENT_NOT_FOUND", "NOT_ALLOWED")
)
_NAMES: Final = ("user_id", "device_id", "device_ids", "automation_id", "event_id")


class Refusals:
    """Writes them down for whoever the transport says is calling; without an audit nowhere."""

    def __init__(self, audit: Audit | None, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock
        self._written: deque[float] = deque()

    async def note(self, tool: str, arguments: Mapping[str, Any], error: HomeGuardError) -> None:
        """Never fails: the refusal stands, written down or not."""
        if self._audit is None:
            return
        try:
            caller = current_principal()
        except NotSignedIn:
            return
        # a tool that takes no user_id refuses it as an unknown argument: that it was tried counts all the same
        another = arguments.get("user_id") not in (None, "", caller.user_id, caller.home_id)
        if not (another or error.code in _TOLD) or not self._has_room():
            return
        named = {name: clean(arguments[name], 100) for name in _NAMES if name in arguments}
        try:
            await self._audit.write(
                caller.home_id,
                at=self._clock.now(),
                actor=f"{caller.caller}:{caller.user_id or caller.name}",
                action=clean(tool, 64),
                decision="refuse",
                rule=error.code.lower().replace("_", "-"),
                detail={"code": error.code, **named},
            )
        except HomeGuardError as failed:
            log.warning("a refusal of %s could not be written down: %s", tool, failed.message)

    def _has_room(self) -> bool:
        now = self._clock.monotonic()
        while self._written and now - self._written[0] > _WINDOW_S:
            self._written.popleft()
        if len(self._written) >= MAX_ROWS:
            return False
        self._written.append(now)
        return True
