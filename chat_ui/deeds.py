"""What the agent did for an answer and why, folded below it: calls and commands -> element properties. Pure."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chat_ui.languages import Words
from chat_ui.looks import LOOKS, named

Json = Mapping[str, Any]

_SPACE: Final = uuid.UUID("3b1c7a52-9f63-4f0d-8a55-1d2f6f1f8a90")
_RAW_LIMIT: Final = 4000
_WORDS_LIMIT: Final = 120
_PLACE: Final = ("device_name", "device", "device_id", "target", "area", "name")
#: What a call came to, where no command tells it.
_ENDS: Final = {"error": "failed", "failed": "failed", "refused": "refused", "denied": "denied", "asked": "card"}


@dataclass(slots=True)
class Deeds:
    """One turn's calls and commands so far. `said` is what the person wrote; `calls` are as the stream's `tool_start`
    and `tool_end` together, with `status` None while one runs."""

    said: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)

    def started(self, data: Json) -> None:
        self.calls.append({**data, "status": None, "result": None})

    def ended(self, data: Json) -> None:
        for call in self.calls:
            if call.get("id") == data.get("id"):
                call |= {"status": str(data.get("status") or "ok"), "result": data.get("result")}
                return
        self.calls.append({"arguments": {}, **data, "status": str(data.get("status") or "ok")})

    def came(self, command: Json) -> None:
        """What came of a command; told again, it replaces what was told."""
        self.commands = [c for c in self.commands if not _same(c, command)] + [dict(command)]

    @property
    def is_running(self) -> bool:
        return any(call["status"] is None for call in self.calls)


def element_id(turn_id: str) -> str:
    """The element of a turn's deeds: always the same, so that what comes later changes it in place."""
    return str(uuid.uuid5(_SPACE, turn_id))


def deed_props(deeds: Deeds, cards: Mapping[str, Json], words: Words, *, me: str = "") -> dict[str, Any]:
    """What `DeedList.jsx` draws: `{"head", "running", "rows": [{"text", "said", "look", "why", "raw"}], "words"}`.

    `cards` are the questions of this turn by id; who pressed them is part of why something was done.
    """
    rows = [_read(call, words) for call in deeds.calls if not _acts(call)]
    rows += [_command(command, deeds.said, cards, words, me) for command in deeds.commands]
    rows += [_waiting(effect, card, words) for card in cards.values() for effect in _undecided(card)]
    rows += [_unanswered(call, words) for call in deeds.calls if _acts(call) and not _told(call, deeds, cards)]
    running = next((call for call in reversed(deeds.calls) if call["status"] is None), None)
    return {
        "head": _title(running, words, done=False) if running else _head(rows, words),
        "running": running is not None,
        "rows": rows,
        "words": {"raw": words.say("deeds.raw")},
    }


def commands_of(card: Json) -> list[dict[str, Any]]:
    """The commands that an answered question led to; a row without its command is known by its device."""
    effects = {str(e.get("device_id") or ""): e for e in card.get("effects") or () if isinstance(e, Mapping)}
    told = []
    for row in card.get("outcome") or ():
        if isinstance(row, Mapping):
            effect = effects.get(str(row.get("device_id") or ""), {})
            named_by = {"command": effect.get("command"), "device": effect.get("device_name")}
            told.append({**named_by, **{k: v for k, v in row.items() if v is not None}})
    return told


def _head(rows: Sequence[Json], words: Words) -> str:
    return words.say("deeds.head" if any(row["kind"] == "command" for row in rows) else "deeds.looked")


def _read(call: Json, words: Words) -> dict[str, Any]:
    status = call["status"]
    look = "unsure" if status is None else "wrong" if status in ("error", "failed", "refused") else "done"
    said = words.say("deeds.no_answer") if look == "wrong" else ""
    raw = {"tool": call.get("tool"), "arguments": call.get("arguments") or {}, "result": call.get("result")}
    return _row("read", _title(call, words, done=True), said, look, "", raw)


def _command(command: Json, said: str, cards: Mapping[str, Json], words: Words, me: str) -> dict[str, Any]:
    outcome = str(command.get("outcome") or "")
    look = LOOKS.get(outcome, "unsure")
    told = words.find(f"outcome.{outcome}", outcome)
    reason = str(command.get("reason") or "") if look == "wrong" else ""
    text = named(str(command.get("command") or ""), str(command.get("device") or ""), words)
    why = _why(command, said, cards, words, me)
    return _row("command", text, f"{told}: {reason}" if reason else told, look, why, command)


def _why(command: Json, said: str, cards: Mapping[str, Json], words: Words, me: str) -> str:
    """The cause in words: what was said, and who pressed where words were not enough."""
    short = said if len(said) <= _WORDS_LIMIT else said[:_WORDS_LIMIT].rstrip() + "…"
    asked = words.say("why.asked", words=short) if short else ""
    card = next((c for c in cards.values() if any(_same(effect, command) for effect in c.get("effects") or ())), None)
    state = str((card or {}).get("state") or "")
    if card is None or state not in ("approved", "denied", "expired"):
        return asked
    by = str(card.get("decided_by") or "")
    who = "you" if by and by == me else "other"
    pressed = words.say("why.expired") if state == "expired" else words.say(f"why.{state}_{who}")
    return " ".join(part for part in (asked, pressed) if part)


def _waiting(effect: Json, card: Json, words: Words) -> dict[str, Any]:
    state = str(card.get("state") or "open")
    said = words.say("outcome.card") if state == "open" else words.find(f"outcome.{state}", state)
    text = named(str(effect.get("command") or effect.get("kind") or ""), str(effect.get("device_name") or ""), words)
    why = words.say("why.card") if state == "open" else ""
    return _row("command", text, said, "waiting" if state == "open" else "over", why, effect)


def _unanswered(call: Json, words: Words) -> dict[str, Any]:
    """A call that should have changed something, of which no command tells."""
    arguments = call.get("arguments") or {}
    end = _ENDS.get(str(call["status"]), "")
    text = named(str(arguments.get("command") or call.get("tool") or ""), _subject(arguments), words)
    said = words.find(f"outcome.{end}") if end else "" if call["status"] else words.say("outcome.approved")
    raw = {"tool": call.get("tool"), "arguments": arguments, "result": call.get("result")}
    return _row("command", text, said, LOOKS.get(end, "unsure"), "", raw)


def _title(call: Json, words: Words, *, done: bool) -> str:
    tool, arguments = str(call.get("tool") or ""), call.get("arguments") or {}
    if _acts(call):
        return words.say("deeds.acting", what=named(str(arguments["command"]), _subject(arguments), words))
    known = words.find(f"tool.{tool}.{'done' if done else 'running'}")
    return known or tool.replace("_", " ").strip().capitalize() or words.say("deeds.working")


def _subject(arguments: Json) -> str:
    found = next((v for k in _PLACE if isinstance(v := arguments.get(k), str) and v), "")
    return found.replace("_", " ")


def _acts(call: Json) -> bool:
    return isinstance((call.get("arguments") or {}).get("command"), str)


def _told(call: Json, deeds: Deeds, cards: Mapping[str, Json]) -> bool:
    """Whether a command or a question says what came of a call."""
    arguments = call.get("arguments") or {}
    wanted = [str(i) for i in arguments.get("device_ids") or ()] or [str(arguments.get("device_id") or "")]
    known = [*deeds.commands, *(effect for card in cards.values() for effect in card.get("effects") or ())]
    return call["status"] is None or any(
        k.get("command") == arguments.get("command") and str(k.get("device_id") or "") in wanted for k in known
    )


def _undecided(card: Json) -> list[Json]:
    """The effects of a question of which no command tells yet: it is open, or it ended without one."""
    if str(card.get("state") or "open") == "approved":
        return []
    return [effect for effect in card.get("effects") or () if isinstance(effect, Mapping)]


def _same(one: Json, other: Json) -> bool:
    """The same command to the same device, whether it came as an effect or as what became of it."""
    return all(str(one.get(k) or "") == str(other.get(k) or "") for k in ("device_id", "command"))


def _row(kind: str, text: str, said: str, look: str, why: str, raw: Json) -> dict[str, Any]:
    shown = json.dumps(raw, ensure_ascii=False, indent=2, default=str)
    if len(shown) > _RAW_LIMIT:
        shown = shown[:_RAW_LIMIT] + "\n…"
    return {"kind": kind, "text": text, "said": said, "look": look, "why": why, "raw": shown}
