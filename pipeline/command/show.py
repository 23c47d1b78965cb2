"""A command's result and a confirmation as every door shows them."""

from collections.abc import Mapping

from homeguard.clock import iso
from homeguard.model import Command, Confirmation, Effect, Json
from pipeline.command.words import CommandResult


def show_result(result: CommandResult) -> Mapping[str, Json]:
    """`{"command_id", "outcome", "device_id", "device", "command", "set", "reason", "data"?}`."""
    shown: dict[str, Json] = {
        "command_id": result.command_id,
        "outcome": result.outcome,
        "device_id": result.device_id,
        "device": result.device_name,
        "command": result.command,
        "set": dict(result.set),
        "reason": result.reason,
    }
    if result.data:
        shown["data"] = dict(result.data)
    return shown


def show_command(command: Command, device_name: str) -> Mapping[str, Json]:
    """A command of the journal in the form of `show_result`; one that is pending may still come to its device."""
    is_pending = command.outcome == "pending"
    return {
        "command_id": command.id,
        "outcome": "sent" if is_pending else command.outcome,
        "device_id": command.device_id,
        "device": device_name,
        "command": command.command,
        "set": dict(command.set),
        "reason": "it is not known whether it was done" if is_pending else command.reason,
        "tier": command.tier,
    }


def show_effect(effect: Effect) -> Mapping[str, Json]:
    return {
        "kind": effect.kind,
        "device_id": effect.device_id,
        "device_name": effect.device_name,
        "device_type": effect.device_type,
        "command": effect.command,
        "parameters": dict(effect.parameters),
        "set": dict(effect.set),
        "before": dict(effect.before),
    }


def show_confirmation(card: Confirmation) -> Mapping[str, Json]:
    """The question as REST, chat and live streams show it; never its link."""
    return {
        "id": card.id,
        "text": card.text,
        "detail": card.detail,
        "tier": card.tier,
        "effects": [show_effect(e) for e in card.effects],
        "state": card.state,
        "created_at": iso(card.created_at),
        "expires_at": iso(card.expires_at),
        "thread_id": card.thread_id,
        "turn_id": card.turn_id,
        "user_id": card.user_id,
        "decided_by": card.decided_by,
        "outcome": [dict(o) for o in card.outcome],
        "pin_required": card.pin_required,
    }
