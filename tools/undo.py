"""Putting back what a person did last."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from homeguard.causes import state_words
from homeguard.clock import iso
from homeguard.model import UnitSystem
from pipeline.command.undo import Undo
from pipeline.command.words import CommandResult, Restored, Undone
from tools.answers import CommandAnswer, answer_of
from tools.context import ToolContext, the_home
from tools.shapes import SHAPE
from tools.text import clean


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftAlone:
    __pydantic_config__: ClassVar = SHAPE
    device_id: str
    """Empty for what concerns the whole home"""
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoAnswer:
    __pydantic_config__: ClassVar = SHAPE
    batch: str
    """What was put back: one turn, one request; empty: nothing, text says why"""
    done_at: str | None
    """When that was done (UTC)"""
    results: tuple[CommandAnswer, ...]
    """What was told to put it back, and what came of each"""
    left_alone: tuple[LeftAlone, ...]
    """What was not touched, and why: someone moved it since, or it is not known how it was before"""
    text: str
    """The same in words"""


async def undo(context: ToolContext, *, whole_home: bool = False) -> UndoAnswer:
    """Put back what this person did last; `whole_home`: what anyone of the home did last (the owner in person only).

    Raises:
        NotAllowed: `whole_home` by someone else.
    """
    undoing = Undo(
        commands=context.commands, journal=context.journal, devices=context.devices, live=context.live,
        users=context.users, automations=context.automations, clock=context.clock,
    )  # fmt: skip
    undone = await undoing.last(context.principal, whole_home=whole_home)
    return undo_answer(undone, context.base_url, (await the_home(context)).unit_system)


def answered(answers: Sequence[CommandAnswer]) -> UndoAnswer:
    """What came of an earlier call that a person had to confirm: its answers, with what they decided."""
    items = tuple(
        Restored(
            name=a.device or a.command.replace("_", " "), outcome=a.outcome, reason=a.reason, device_id=a.device_id,
            command=a.command, command_id=a.command_id, set=a.set,
        )
        for a in answers
    )  # fmt: skip
    text = clean(words_of(Undone(items=items)), 2000)
    return UndoAnswer(batch="", done_at=None, results=tuple(answers), left_alone=(), text=text)


def undo_answer(undone: Undone, base_url: str, unit_system: UnitSystem = "si") -> UndoAnswer:
    return UndoAnswer(
        batch=undone.batch,
        done_at=iso(undone.at) if undone.at is not None else None,
        results=tuple(answer_of(_result(i), base_url) for i in undone.items if i.outcome != "left_alone"),
        left_alone=tuple(
            LeftAlone(device_id=i.device_id, name=clean(i.name), reason=clean(i.reason, 400))
            for i in undone.items
            if i.outcome == "left_alone"
        ),
        text=clean(words_of(undone, unit_system), 2000),
    )


def _result(item: Restored) -> CommandResult:
    assert item.outcome != "left_alone"
    return CommandResult(
        command_id=item.command_id, outcome=item.outcome, device_id=item.device_id, device_name=item.name,
        command=item.command, set=item.set, reason=item.reason, confirmation=item.confirmation,
    )  # fmt: skip


def words_of(undone: Undone, unit_system: UnitSystem = "si") -> str:
    """What came of it, item by item; what was not done is said as such."""
    if not undone.items:
        note = undone.note or "there is nothing to undo"
        return f"{note[:1].upper()}{note[1:]}."
    return " ".join(_sentence(item, unit_system) for item in undone.items)


def _sentence(item: Restored, unit_system: UnitSystem) -> str:
    name = clean(item.name)
    named = f"{name[:1].upper()}{name[1:]}"
    reason = item.reason.rstrip(". ")
    behind = f" ({reason})" if reason else ""
    match item.outcome:
        case "confirmed":
            how = _how(item, unit_system)
            return f"{named} is {how} again{behind}." if how else f"{named} is put back{behind}."
        case "sent":
            how = _how(item, unit_system)
            return f"I sent {name} back{f' to {how}' if how else ''}, but it has not confirmed it yet."
        case "asked":
            return f"{named}: I need your OK on the card before I put that back."
        case "left_alone":
            return f"I left {name} alone: {reason}."
        case "refused":
            return f"I may not put {name} back: {reason or 'it is not allowed'}."
        case _:
            return f"I could not put {name} back: {reason or 'it did not work'}."


def _how(item: Restored, unit_system: UnitSystem) -> str:
    if item.command == "create_automation":
        return "there"
    if item.command in ("delete_automation", "cancel_timer"):
        return "gone"
    if item.command == "set_mode":
        armed = str(item.set.get("arm_state", "")).replace("_", " ")
        return f"{item.set.get('mode')} ({armed})"
    return state_words(item.set, unit_system)
