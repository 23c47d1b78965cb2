"""The confirmation card and the alert as the page shows them: REST answers -> element properties. Pure."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

Json = Mapping[str, Any]

_SPACE: Final = uuid.UUID("6f0f0f57-2f53-4a3c-9b26-1f4f3d1a9c11")
#: command -> (yes, no, icon)
_WORDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "unlock": ("Unlock", "Keep locked", "unlock"),
    "open": ("Open", "Keep closed", "open"),
    "close": ("Close", "Leave open", "close"),
    "disarm": ("Disarm", "Keep armed", "disarm"),
    "turn_on": ("Turn on", "Leave off", "power"),
    "turn_off": ("Turn off", "Leave on", "power"),
    "set_temperature": ("Change it", "Leave as it is", "climate"),
    "set_position": ("Move it", "Leave as it is", "open"),
    "delete": ("Delete", "Keep", "delete"),
}
_OUTCOMES: Final = {
    "confirmed": "done",
    "sent": "sent, not confirmed yet",
    "failed": "did not work",
    "refused": "refused",
}


def element_id(card_id: str) -> str:
    """The element of a card: always the same, so that a later state changes it in place."""
    return str(uuid.uuid5(_SPACE, f"card/{card_id}"))


def message_id(card_id: str) -> str:
    return str(uuid.uuid5(_SPACE, f"card message/{card_id}"))


def card_props(card: Json, now: datetime, *, me: str = "", problem: str = "") -> dict[str, Any]:
    """What `ConfirmCard.jsx` draws for the person with user id `me`. `left_s`: how long the question is still open."""
    effects = [e for e in card.get("effects") or [] if isinstance(e, Mapping)]
    yes, no, icon = _buttons(effects)
    left_s = _seconds_left(card, now)
    state = str(card.get("state") or "open")
    if state == "open" and left_s <= 0:
        state = "expired"
    return {
        "id": str(card.get("id", "")),
        "text": str(card.get("text") or "May I do this?"),
        "detail": str(card.get("detail") or ""),
        "state": state,
        "yes": yes,
        "no": no,
        "icon": icon,
        "left_s": left_s,
        "expires_at": str(card.get("expires_at") or ""),
        "pin_required": bool(card.get("pin_required")),
        "effects": [_effect(e) for e in effects] if len(effects) > 1 else [],
        "result": _result(card, state, me),
        "outcome": [_outcome(o) for o in card.get("outcome") or [] if isinstance(o, Mapping)],
        "problem": problem,
    }


def alert_props(alert: Json) -> dict[str, Any]:
    """What `AlertCard.jsx` draws."""
    return {
        "severity": str(alert.get("severity") or "info").lower(),
        "title": str(alert.get("title") or "Something needs a look"),
        "text": str(alert.get("text") or alert.get("message") or ""),
        "device": str(alert.get("device_name") or alert.get("device_id") or "").replace("_", " "),
        "at": str(alert.get("at") or ""),
    }


def _buttons(effects: Sequence[Json]) -> tuple[str, str, str]:
    commands = {str(e.get("command") or "") for e in effects}
    if len(commands) == 1 and (words := _WORDS.get(next(iter(commands)))):
        yes, no, icon = words
        return (yes if len(effects) == 1 else f"{yes} all {len(effects)}"), no, icon
    return "Approve", "Don't do it", "shield"


def _effect(effect: Json) -> str:
    name = str(effect.get("device_name") or effect.get("device_id") or "")
    command = str(effect.get("command") or "").replace("_", " ")
    return f"{name}: {command}" if name and command else name or command


def _seconds_left(card: Json, now: datetime) -> int:
    try:
        expires = datetime.fromisoformat(str(card.get("expires_at")))
    except ValueError:
        return 0
    if expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    return max(0, int((expires - now).total_seconds()))


def _result(card: Json, state: str, me: str) -> str:
    by = card.get("decided_by")
    who = by.get("name") or by.get("id") or "" if isinstance(by, Mapping) else str(by or "")
    if isinstance(by, Mapping) and by.get("name"):
        ending = f" by {who}"
    elif who:
        ending = " by you" if who == me else " by someone else of your home"
    else:
        ending = ""
    return {
        "approved": f"Approved{ending}",
        "denied": f"Declined{ending}. Nothing was changed.",
        "expired": "This question has expired. Nothing was changed.",
    }.get(state, "")


def _outcome(outcome: Json) -> dict[str, str]:
    device = outcome.get("device")
    name = device.get("name") if isinstance(device, Mapping) else device
    word = str(outcome.get("outcome") or "")
    reason = str(outcome.get("reason") or "") if word in ("failed", "refused") else ""
    said = _OUTCOMES.get(word, word) + (f": {reason}" if reason else "")
    return {"device": str(name or outcome.get("device_id") or ""), "said": said, "outcome": word}
