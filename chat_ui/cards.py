"""The confirmation card and the alert as the page shows them: REST answers -> element properties. Pure."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from chat_ui.hours import clock, moment_of
from chat_ui.languages import DEFAULT, Words, words_in
from chat_ui.looks import named

Json = Mapping[str, Any]

_SPACE: Final = uuid.UUID("6f0f0f57-2f53-4a3c-9b26-1f4f3d1a9c11")
#: command -> icon; its buttons are `press.<command>.yes` and `.no`.
_ICONS: Final[Mapping[str, str]] = {
    "unlock": "unlock", "open": "open", "close": "close", "disarm": "disarm", "turn_on": "power", "turn_off": "power",
    "set_temperature": "climate", "set_position": "open", "delete": "delete",
}  # fmt: skip
_LEVELS: Final = {"critical": "high", "emergency": "high", "high": "high", "low": "low", "info": "low"}


def element_id(card_id: str) -> str:
    """The element of a card: always the same, so that a later state changes it in place."""
    return str(uuid.uuid5(_SPACE, f"card/{card_id}"))


def message_id(card_id: str) -> str:
    return str(uuid.uuid5(_SPACE, f"card message/{card_id}"))


def card_props(card: Json, now: datetime, words: Words, *, me: str = "", problem: str = "") -> dict[str, Any]:
    """What `ConfirmCard.jsx` draws for the person with user id `me`. `left_s`: how long the question is still open."""
    effects = [e for e in card.get("effects") or [] if isinstance(e, Mapping)]
    yes, no, icon = _buttons(effects, words)
    left_s = _seconds_left(card, now)
    state = str(card.get("state") or "open")
    if state == "open" and left_s <= 0:
        state = "expired"
    return {
        "id": str(card.get("id", "")),
        "text": _question(card, effects, words),
        "detail": _detail(card, words),
        "who": words.say("card.who_pin" if card.get("pin_required") else "card.who"),
        "state": state,
        "yes": yes,
        "no": no,
        "icon": icon,
        "left_s": left_s,
        "expires_at": str(card.get("expires_at") or ""),
        "pin_required": bool(card.get("pin_required")),
        "effects": [_effect(e, words) for e in effects] if len(effects) > 1 else [],
        "before": _before(effects[0], words) if len(effects) == 1 else "",
        "result": _result(card, state, me, words),
        "outcome": [_outcome(o, words) for o in card.get("outcome") or [] if isinstance(o, Mapping)],
        "problem": problem,
        "words": {name: words.find(f"card.{name}") for name in _CARD_WORDS},
    }


#: What the card itself says while it stands; the seconds take the place of `{n}`.
_CARD_WORDS: Final = ("name", "left", "moment", "pin", "pin_first", "no_answer", "expired")


def alert_props(alert: Json, home: Json, words: Words, *, device: str = "") -> dict[str, Any]:
    """What `AlertCard.jsx` draws; `help` is what to do about it, `asks` are things to say. `device`: its name."""
    severity, kind = str(alert.get("severity") or "info").lower(), str(alert.get("kind") or "")
    at = moment_of(alert.get("at"))
    return {
        "level": _LEVELS.get(severity, "medium"),
        "severity": words.find(f"severity.{severity}", severity),
        "title": str(alert.get("title") or words.say("alert.title")),
        "text": str(alert.get("text") or alert.get("message") or ""),
        "device": device or str(alert.get("device_id") or "").replace("_", " "),
        "at": clock(at, home, words) if at is not None else "",
        "help": words.find(f"help.{kind}"),
        "asks": [{"label": words.say("alert.what_happened"), "message": "What happened in the last hour?"}],
        "words": {"help": words.say("alert.help")},
    }


def _buttons(effects: Sequence[Json], words: Words) -> tuple[str, str, str]:
    commands = {str(e.get("command") or "") for e in effects}
    command = next(iter(commands)) if len(commands) == 1 else ""
    if f"press.{command}.yes" not in words.texts:
        return words.say("press.yes"), words.say("press.no"), "shield"
    yes = words.say(f"press.{command}.yes")
    if len(effects) > 1:
        yes = words.say("press.all", yes=yes, n=len(effects))
    return yes, words.say(f"press.{command}.no"), _ICONS.get(command, "shield")


def _question(card: Json, effects: Sequence[Json], words: Words) -> str:
    """The home's own words of the effect; in another language ours, where every part of the effect is known to us."""
    text = str(card.get("text") or "") or words.say("card.text")
    if words.language == DEFAULT or len(effects) != 1:
        return text
    command, device = str(effects[0].get("command") or ""), str(effects[0].get("device_name") or "")
    if f"does.{command}" not in words.texts or not device or effects[0].get("parameters"):
        return text
    return words.say("card.question", what=named(command, device, words))


def _detail(card: Json, words: Words) -> str:
    """Who asks, as the home says it; the usual one in the person's language."""
    detail = str(card.get("detail") or "")
    return words.say("card.detail") if detail == words_in(DEFAULT).say("card.detail") else detail


def _before(effect: Json, words: Words) -> str:
    """How it is now, where that is one word we know."""
    for value in (effect.get("before") or {}).values():
        if isinstance(value, str) and (said := words.find(f"state.{value}")):
            return words.say("card.now", device=effect.get("device_name") or "", state=said)
    return ""


def _effect(effect: Json, words: Words) -> str:
    name = str(effect.get("device_name") or effect.get("device_id") or "")
    return named(str(effect.get("command") or effect.get("kind") or ""), name, words)


def _seconds_left(card: Json, now: datetime) -> int:
    try:
        expires = datetime.fromisoformat(str(card.get("expires_at")))
    except ValueError:
        return 0
    if expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    return max(0, int((expires - now).total_seconds()))


def _result(card: Json, state: str, me: str, words: Words) -> str:
    if state == "expired":
        return words.say("card.expired")
    if state not in ("approved", "denied"):
        return ""
    by = card.get("decided_by")
    if isinstance(by, Mapping):
        name, who = str(by.get("name") or ""), str(by.get("id") or "")
    else:
        name, who = "", str(by or "")
    if name:
        return words.say(f"card.{state}.named", name=name)
    return words.say(f"card.{state}.{'nobody' if not who else 'you' if who == me else 'other'}")


def _outcome(outcome: Json, words: Words) -> dict[str, str]:
    device = outcome.get("device")
    name = device.get("name") if isinstance(device, Mapping) else device
    word = str(outcome.get("outcome") or "")
    reason = str(outcome.get("reason") or "") if word in ("failed", "refused") else ""
    said = words.find(f"outcome.{word}", word) + (f": {reason}" if reason else "")
    return {"device": str(name or outcome.get("device_id") or ""), "said": said, "outcome": word}
