"""What a long conversation was about: who asked what, and what was done, as extracts and never in other words. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from homeguard.clock import iso
from homeguard.model import Json, Message

#: Turns that a summary keeps; those in which something was done stay longest.
ENTRIES: Final = 40
ASKED: Final = 120
_DEEDS: Final = 4


def grown(context: Mapping[str, Json], older: Sequence[Message]) -> dict[str, Json]:
    """`{"summary", "summed"}` with these lines added, oldest first; `{}` when there is nothing new.

    `summary` has one entry a turn: `{"turn_id", "at", "asked", "did", "ids"}`; `summed` is the id of the last line.
    """
    known: list[Any] = list(context.get("summary") or ())  # type: ignore[arg-type]
    last = context.get("summed")
    ids = [line.id for line in older]
    fresh = older[ids.index(last) + 1 :] if last in ids else older
    if not fresh:
        return {}
    entries = {str(entry["turn_id"]): dict(entry) for entry in known}
    for line in fresh:
        _add(entries, line)
    rows = list(entries.values())
    while len(rows) > ENTRIES:
        rows.remove(next((row for row in rows if not row["did"]), rows[0]))
    return {"summary": rows, "summed": fresh[-1].id}


def told(context: Mapping[str, Json], limit: int) -> str:
    """The summary as text of at most so many characters, the newest turns first to be kept; `""` without one."""
    entries: Sequence[Any] = context.get("summary") or ()  # type: ignore[assignment]
    lines: list[str] = []
    room = limit
    for entry in reversed(entries):
        done = f" Done: {'; '.join(entry['did'])}." if entry["did"] else ""
        line = f'{entry["at"][:16].replace("T", " ")} asked: "{entry["asked"]}".{done}'
        room -= len(line) + 1
        if room < 0:
            break
        lines.append(line)
    return "\n".join(reversed(lines))


def _add(entries: dict[str, dict[str, Any]], line: Message) -> None:
    entry = entries.setdefault(
        line.turn_id, {"turn_id": line.turn_id, "at": iso(line.at), "asked": "", "did": [], "ids": []}
    )
    entry["ids"] = [*entry["ids"], line.id][-_DEEDS:]
    if line.role == "user":
        words = " ".join(line.text.split())
        entry["asked"] = words if len(words) <= ASKED else words[: ASKED - 1] + "…"
        return
    deeds = [_deed(command) for command in line.commands]
    entry["did"] = list(dict.fromkeys([*entry["did"], *deeds]))[:_DEEDS]


def _deed(command: Mapping[str, Any]) -> str:
    what = str(command.get("command") or "").replace("_", " ")
    name = str(command.get("device") or "the home")
    return f"{name[:60]}: {what[:40]}, {command.get('outcome')}"
