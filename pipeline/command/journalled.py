"""An effect as the journal begins it: one command of somebody, for a reason, that may be sent only so long."""

from datetime import datetime, timedelta
from typing import Final

from homeguard.model import Caller, Command, Effect
from homeguard.policy import COMMAND_TTL, SENSITIVE_TTL

#: Effects whose parameters the journal keeps; what others carry is a person's own (what to remember, a message).
KEPT_WHOLE: Final = frozenset(
    (
        "device", "set_mode", "create_automation", "update_automation", "delete_automation", "delete_device",
        "create_permission", "revoke_permission", "set_timer", "change_timer", "cancel_timer", "add_to_list",
        "complete_list_item", "remove_from_list",
    )
)  # fmt: skip


def command_of(
    effect: Effect,
    *,
    command_id: str,
    home_id: str,
    tier: int,
    caller: Caller,
    user_id: str,
    cause: str,
    now: datetime,
    grant_id: str = "",
) -> Command:
    """The command that carries out `effect`, begun `now`. `grant_id`: the card whose press allowed it."""
    return Command(
        id=command_id,
        home_id=home_id,
        device_id=effect.device_id,
        command=effect.command or effect.kind,
        parameters=effect.parameters if effect.kind in KEPT_WHOLE else {},
        set=effect.set,
        before=effect.before,
        tier=tier,
        caller=caller,
        user_id=user_id,
        cause=cause,
        requested_at=now,
        not_after=now + _time_to_send(tier),
        grant_id=grant_id,
    )


def _time_to_send(tier: int) -> timedelta:
    return SENSITIVE_TTL if tier >= 3 else COMMAND_TTL
