"""A question of the home as a page of its own: works without scripts, all text escaped. Pure."""

from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any, Final

from api.sheet import problem_line, sheet

#: command -> (yes, no)
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "unlock": ("Unlock", "Keep locked"),
    "open": ("Open", "Keep closed"),
    "close": ("Close", "Leave open"),
    "disarm": ("Disarm", "Keep armed"),
    "turn_on": ("Turn on", "Leave off"),
    "turn_off": ("Turn off", "Leave on"),
    "delete": ("Delete", "Keep"),
}
_OUTCOMES: Final = {
    "confirmed": "done", "sent": "sent, not confirmed yet", "failed": "did not work", "refused": "refused",
}  # fmt: skip
NO_SUCH_QUESTION: Final = "There is no such question in your home, or its time is over."
_TITLE: Final = "Your home asks"


def question_page(
    card: Mapping[str, Any], *, home: str, me: str, now: datetime, problem: str = "", action: str = ""
) -> str:
    """The page of a question as `show_confirmation` gives it. `me`: the user id of who looks; `action`: where the form
    goes; `problem`: what was wrong with the last press."""
    state, left_s = str(card["state"]), _seconds_left(card, now)
    if state == "open" and left_s <= 0:
        state = "expired"
    effects = card["effects"] if len(card["effects"]) > 1 else []
    lines = [
        f'    <h2 id="text">{_text(card["text"])}</h2>',
        f'    <p id="detail" class="soft">{_text(card["detail"])}</p>',
    ]
    if effects:
        items = "".join(f"<li>{_effect(effect)}</li>" for effect in effects)
        lines.append(f'    <ul id="effects">{items}</ul>')
    if state == "open":
        lines += _form(card, left_s, action)
    if problem:
        lines.append(problem_line(problem))
    if state != "open":
        lines += _result(card, state, me)
    return sheet(_TITLE, f"{home} asks", lines, refresh_s=left_s + 1 if state == "open" else None)


def words_page(words: str) -> str:
    """A page that says one thing."""
    return sheet(_TITLE, _TITLE, [problem_line(words)])


def again_page() -> str:
    """Loads its own address again: whoever follows a link of another site shows their cookie only then."""
    return sheet(_TITLE, _TITLE, ['    <p class="soft">One moment…</p>'], refresh_s=0)


def _form(card: Mapping[str, Any], left_s: int, action: str) -> list[str]:
    commands = {str(effect.get("command") or "") for effect in card["effects"]}
    yes, no = _WORDS.get(next(iter(commands)), ("", "")) if len(commands) == 1 else ("", "")
    lines = [
        f'    <p id="clock" class="clock">{_left(left_s)}</p>',
        f'    <form id="decide" method="post" action="{escape(action, quote=True)}">',
    ]
    if card["pin_required"]:
        lines.append(
            '      <div class="field"><label for="pin">PIN of your home</label>'
            '<input id="pin" name="pin" type="password" inputmode="numeric" autocomplete="off" maxlength="12"></div>'
        )
    lines += [
        '      <div class="buttons">',
        f'        <button type="submit" name="answer" value="yes" id="yes" class="primary">{yes or "Approve"}</button>',
        f'        <button type="submit" name="answer" value="no" id="no">{no or "Do not do it"}</button>',
        "      </div>",
        "    </form>",
    ]
    return lines


def _result(card: Mapping[str, Any], state: str, me: str) -> list[str]:
    by = card["decided_by"]
    who = "" if not by else " by you" if by == me else " by someone else of your home"
    words = {
        "approved": f"Approved{who}",
        "denied": f"Declined{who}. Nothing was changed.",
        "expired": "This question has expired. Nothing was changed.",
    }.get(state, state)
    told = [f"      <p>{_outcome(outcome)}</p>" for outcome in card["outcome"]]
    head = f'    <div id="result" class="result" data-state="{_text(state)}"><strong>{_text(words)}</strong>'
    return [head, *told, "    </div>"]


def _outcome(outcome: Mapping[str, Any]) -> str:
    word = str(outcome.get("outcome") or "")
    reason = str(outcome.get("reason") or "") if word in ("failed", "refused") else ""
    name = str(outcome.get("device") or outcome.get("device_id") or outcome.get("command") or "").replace("_", " ")
    return _text(f"{name} — {_OUTCOMES.get(word, word)}{f': {reason}' if reason else ''}")


def _effect(effect: Mapping[str, Any]) -> str:
    name = str(effect.get("device_name") or effect.get("device_id") or "")
    does = str(effect.get("command") or effect.get("kind") or "").replace("_", " ")
    return _text(f"{name}: {does}" if name else does)


def _left(left_s: int) -> str:
    return f"Open for another {left_s // 60}:{left_s % 60:02}"


def _seconds_left(card: Mapping[str, Any], now: datetime) -> int:
    return max(0, int((datetime.fromisoformat(str(card["expires_at"])) - now).total_seconds()))


def _text(value: object) -> str:
    return escape(str(value), quote=True)
