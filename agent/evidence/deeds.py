"""Whether what is said to have been done was done: by a confirmed command, or by a tool that said yes."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from agent.evidence import deed_words, state_words
from agent.evidence.clauses import ALL, Key
from agent.evidence.facts import Facts, Thing
from agent.evidence.outcomes import all_confirmed
from agent.evidence.standing import holds

_DOES: Final[Mapping[Key, tuple[str, ...]]] = {
    ("lock", "locked"): ("lock",), ("lock", "unlocked"): ("unlock",),
    ("open", True): ("open", "set_position", "unlock"), ("open", False): ("close", "set_position", "lock"),
    ("on", True): ("turn_on", "play", "start", "set_brightness", "set_color"),
    ("on", False): ("turn_off", "stop", "pause"),
    ("armed", True): ("arm", "set_mode"), ("armed", False): ("disarm", "set_mode"),
}  # fmt: skip


def undone(text: str, commands: Sequence[Mapping[str, Any]], facts: Facts) -> bool:
    """Whether the sentence as a whole claims a deed that nothing of this turn did."""
    denied = state_words.NOT.search(text)
    for pattern, tools in deed_words.DEEDS.items():
        found = pattern.search(text)
        if found and not (denied and denied.start() < found.end()) and not tools & facts.acts:
            return True
    if denied:
        return False
    if deed_words.WORKED.search(text) and not (all_confirmed(commands) if commands else facts.acts):
        return True
    deed = deed_words.ACTIVE.search(text)
    idle = not facts.acts and not any(c.get("outcome") == "confirmed" for c in commands)
    return idle and deed is not None and deed.group("verb").casefold() not in deed_words.LOOKED


def did(key: Key, text: str, named: Sequence[Thing], commands: Sequence[Mapping[str, Any]], facts: Facts) -> bool:
    """Confirmed commands did this to every thing that is meant: two of them where the text says "both" or "all"."""
    done = [c for c in commands if c.get("outcome") == "confirmed" and _means(c, key)]
    if named:
        ids = {str(c.get("device_id")) for c in done}
        return all(any(facts.things.get(i) is t for i in ids) for t in named)
    return len(done) >= (2 if ALL.search(text) else 1)


def _means(command: Mapping[str, Any], key: Key) -> bool:
    values = command.get("set")
    if isinstance(values, Mapping) and values and holds(Thing(values=dict(values)), key) is True:
        return True
    return str(command.get("command")) in _DOES.get(key, ())
