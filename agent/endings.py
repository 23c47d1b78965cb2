"""How a turn ends that did not come to its own last words: what it says then. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.evidence.outcomes import say_outcomes

Row = Mapping[str, Any]


def interrupted_text(done: Sequence[Row], *, begun: bool) -> str:
    """For a turn that was cut off too long ago to go on."""
    if done:
        return (
            f"I was interrupted before I could finish. {say_outcomes(done)} Tell me again if you still want the rest."
        )
    when = "finish" if begun else "start"
    return f"I was interrupted before I could {when}. Nothing was changed. Tell me again if you still want it."


def said_no_text(rows: Sequence[Row]) -> str:
    """For a turn whose questions were answered with a no in words."""
    return f"Okay, I stopped there. {say_outcomes(rows)}"


def still_open_text(cards: Sequence[Row]) -> str:
    """What still waits after a yes in words."""
    texts = [str(card["text"]).rstrip("?") for card in cards]
    if not texts:
        return ""
    return f"Still waiting for the press on the card: {'; '.join(texts)}."


def with_reasons(*found: Sequence[Row]) -> list[dict[str, Any]]:
    """Outcomes from several places, each command once: the first that is known in the end counts."""
    rows: dict[object, dict[str, Any]] = {}
    for row in (dict(r) for rows_ in found for r in rows_):
        key = row.get("command_id") or (row.get("device_id"), row.get("command"), row.get("outcome"))
        if key not in rows or rows[key].get("outcome") in ("sent", "pending"):
            rows[key] = row
    return list(rows.values())
