"""What may be said: every "done" is held against the journal's outcomes before a person reads it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

#: Sentences that claim that something was changed.
_CLAIM: Final = re.compile(
    r"(✅|☑|\bdone\b|\ball set\b|\btaken care of\b|\bsuccess(?:ful|fully)\b"
    r"|\b(?:i|i've|i have|we|we've|we have)\s+(?:just\s+|now\s+|also\s+)*"
    r"(?:locked|unlocked|turned|switched|opened|closed|shut|armed|disarmed|set|dimmed|started|stopped|changed|created"
    r"|added|deleted|removed|activated|deactivated|adjusted|lowered|raised)\b"
    r"|\b(?:has|have)\s+been\s+\w+ed\b|\b(?:is|are)\s+now\s+\w+)",
    re.IGNORECASE,
)
_SENTENCE: Final = re.compile(r"[^.!?\n]+[.!?]*\s*|\n")
_PAST: Final[Mapping[str, str]] = {
    "turn_on": "on", "turn_off": "off", "lock": "locked", "unlock": "unlocked", "open": "open", "close": "closed",
    "arm": "armed", "disarm": "disarmed", "play": "playing", "pause": "paused", "start": "running",
}  # fmt: skip


def claims_done(text: str) -> bool:
    """Whether any sentence claims that something was changed."""
    return _CLAIM.search(text) is not None


def say_outcome(command: Mapping[str, Any]) -> str:
    """One command in plain words, by its outcome and nothing else."""
    name = str(command.get("device") or command.get("device_id") or "it")
    verb = str(command.get("command", "")).replace("_", " ")
    reason = str(command.get("reason") or "").rstrip(".")
    match command.get("outcome"):
        case "confirmed":
            state = _PAST.get(str(command.get("command")))
            return f"{name} is {state}." if state else f"{name}: {verb}, confirmed."
        case "sent":
            return f"I sent '{verb}' to {name}, but it has not confirmed it."
        case "refused":
            return f"{name}: '{verb}' was refused{f': {reason}' if reason else ''}."
        case "denied":
            return f"{name} stays as it is: you said no."
        case "expired":
            return f"{name} stays as it is: nobody confirmed in time."
        case _:
            return f"{name}: '{verb}' failed{f': {reason}' if reason else ''}."


def say_outcomes(commands: Sequence[Mapping[str, Any]]) -> str:
    return " ".join(say_outcome(c) for c in commands) or "Nothing was changed."


def sentences(text: str) -> tuple[list[str], str]:
    """The whole sentences of a text that is still being written, and the beginning of the next."""
    parts = _SENTENCE.findall(text)
    if parts and not parts[-1].rstrip(" ").endswith((".", "!", "?", "\n")):
        return parts[:-1], parts[-1]
    return parts, ""


def may_be_shown(sentence: str, commands: Sequence[Mapping[str, Any]]) -> bool:
    """A sentence that claims no change, or one that the outcomes so far bear out."""
    return not claims_done(sentence) or _borne_out(sentence, commands)


def checked(text: str, commands: Sequence[Mapping[str, Any]]) -> tuple[str, list[str]]:
    """The text with every claim that the outcomes do not bear out replaced, and the ids of what bears the rest out.

    A sentence that claims a change stands only when every command that it can mean was confirmed: those whose device
    it names, or all of the turn's when it names none. What was not confirmed is said, whatever the text says.
    """
    confirmed = [str(c["command_id"]) for c in commands if c.get("outcome") == "confirmed"]
    kept: list[str] = []
    dropped = False
    for sentence in _SENTENCE.findall(text):
        if not may_be_shown(sentence, commands):
            dropped = True
            continue
        kept.append(sentence)
    result = "".join(kept).strip()
    missing = [c for c in commands if c.get("outcome") != "confirmed" and not _told(result, c)]
    if dropped:
        said = say_outcomes([c for c in commands if c in missing or c.get("outcome") == "confirmed"])
        result = f"{result} {said}".strip()
    elif missing:
        result = f"{result} {say_outcomes(missing)}".strip()
    return result, confirmed


def _borne_out(sentence: str, commands: Sequence[Mapping[str, Any]]) -> bool:
    lowered = sentence.casefold()
    named = [c for c in commands if str(c.get("device", "")).casefold() and str(c["device"]).casefold() in lowered]
    meant = named or list(commands)
    return bool(meant) and all(c.get("outcome") == "confirmed" for c in meant)


def _told(text: str, command: Mapping[str, Any]) -> bool:
    """The text names the device in a sentence that says that it is not done."""
    name = str(command.get("device", "")).casefold()
    hedge = re.compile(
        r"\b(not|n't|no|fail|failed|refused|could|cannot|can't|sent|wait|stays?|denied|confirm)", re.IGNORECASE
    )
    return any(name in s.casefold() and hedge.search(s) for s in _SENTENCE.findall(text))
