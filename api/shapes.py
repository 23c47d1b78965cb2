"""The home's values as the JSON objects of `api.wire`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from homeguard.clock import iso
from homeguard.model import Alert, Automation, Device, Event, Home, LiveState, Member, Message, Thread, User, Window
from pipeline.command.show import show_confirmation
from pipeline.command.words import CommandResult

Shown = dict[str, Any]


def user(person: User) -> Shown:
    return {"id": person.id, "email": person.email, "name": person.name, "role": person.role}


def home(place: Home, member: Member) -> Shown:
    return {
        "id": place.id,
        "name": place.name,
        "time_zone": place.time_zone,
        "unit_system": place.unit_system,
        "mode": place.mode,
        "arm_state": place.arm_state,
        "role": member.role,
    }


def device(thing: Device, state: LiveState | None) -> Shown:
    """What it is and how it is; a device that never spoke has an empty state and is not available."""
    attributes = state.attributes if state else {}
    battery = attributes.get("battery_pct")
    hardware = thing.hardware
    return {
        "id": thing.id,
        "name": thing.name,
        "aliases": list(thing.aliases),
        "type": thing.type,
        "area": thing.area,
        "floor": thing.floor,
        "capabilities": list(thing.capabilities),
        "state": dict(attributes),
        "available": state.available if state else False,
        "last_seen_at": _time(state.last_seen_at if state else None),
        "battery_pct": battery if isinstance(battery, int | float) else None,
        "hardware": {
            "id": hardware.id,
            "vendor": hardware.vendor,
            "model": hardware.model,
            "firmware": hardware.firmware,
        }
        if hardware
        else None,
        "config": dict(thing.config),
        "is_simulated": thing.is_simulated,
    }


def command(result: CommandResult) -> Shown:
    return {
        "command_id": result.command_id,
        "outcome": result.outcome,
        "device": result.device_id,
        "device_name": result.device_name,
        "command": result.command,
        "set": dict(result.set),
        "reason": result.reason,
    }


def asked(result: CommandResult) -> Shown:
    assert result.confirmation is not None
    return {
        "confirmation": show_confirmation(result.confirmation),
        "command_id": result.command_id,
        "outcome": "asked",
        "device": result.device_id,
    }


def decided(card: Mapping[str, Any]) -> Shown:
    """The outcome of an answered question: of several commands the worst, with the first reason."""
    outcomes: Sequence[Mapping[str, Any]] = card["outcome"]
    worst = next(
        (o for kind in ("failed", "refused", "sent") for o in outcomes if o.get("outcome") == kind),
        outcomes[0] if outcomes else {},
    )
    effects: Sequence[Mapping[str, Any]] = card["effects"]
    is_denied = card["state"] != "approved"
    return {
        "outcome": "refused" if is_denied else str(worst.get("outcome", "sent")),
        "command_id": str(worst.get("command_id", "")),
        "device": str(worst.get("device_id") or (effects[0]["device_id"] if effects else "")),
        "reason": "a person said no" if is_denied else str(worst.get("reason", "")),
        "confirmation": card,
    }


def event(happened: Event) -> Shown:
    metadata = happened.metadata
    return {
        "event_id": happened.event_id,
        "home_id": happened.home_id,
        "device_id": happened.device_id,
        "user_id": happened.user_id,
        "event_type": happened.event_type,
        "timestamp": iso(happened.at),
        "received_at": iso(happened.received_at),
        "payload": dict(happened.payload),
        "metadata": {
            "firmware_version": metadata.firmware_version,
            "signal_strength": metadata.signal_strength,
            "is_simulated": metadata.is_simulated,
        },
        "source": happened.source,
        "cause": happened.cause,
    }


def alert(raised: Alert) -> Shown:
    return {
        "id": raised.id,
        "at": iso(raised.at),
        "kind": raised.kind,
        "severity": raised.severity,
        "title": raised.title,
        "text": raised.text,
        "device_id": raised.device_id,
        "event_ids": list(raised.event_ids),
        "state": raised.state,
        "is_simulated": raised.is_simulated,
    }


def window(part: Window) -> Shown:
    return {
        "start": iso(part.start),
        "count": part.count,
        "average": part.average,
        "minimum": part.minimum,
        "maximum": part.maximum,
    }


def automation(rule: Automation, next_run_at: datetime | None) -> Shown:
    return {
        "id": rule.id,
        "name": rule.name,
        "trigger": dict(rule.trigger),
        "conditions": [dict(c) for c in rule.conditions],
        "actions": [dict(a) for a in rule.actions],
        "enabled": rule.enabled,
        "next_run_at": _time(next_run_at),
        "created_at": _time(rule.created_at),
        "updated_at": _time(rule.updated_at),
    }


def message(said: Message) -> Shown:
    return {
        "id": said.id,
        "thread_id": said.thread_id,
        "turn_id": said.turn_id,
        "role": said.role,
        "text": said.text,
        "at": iso(said.at),
        "calls": [dict(c) for c in said.calls],
        "commands": [dict(c) for c in said.commands],
        "confirmations": list(said.confirmations),
    }


def thread(conversation: Thread) -> Shown:
    return {
        "id": conversation.id,
        "title": conversation.title,
        "created_at": iso(conversation.created_at),
        "updated_at": iso(conversation.updated_at),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else iso(at)
