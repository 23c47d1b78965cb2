"""What came of a request, as every tool that acts tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, cast

from homeguard.clock import iso
from homeguard.model import Confirmation, Json, Value
from pipeline.command.words import CommandResult
from tools.shapes import SHAPE
from tools.text import clean, clean_json, clean_object

Told = Literal["confirmed", "sent", "failed", "refused", "asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question that only a signed-in person of the home can answer, on HomeGuard's own page."""

    __pydantic_config__: ClassVar = SHAPE
    id: str
    text: str
    detail: str
    expires_at: str
    """UTC; after this it has to be asked again"""
    confirm_url: str
    """The page where a person answers it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAnswer:
    __pydantic_config__: ClassVar = SHAPE
    command_id: str
    device_id: str
    """Empty for what concerns the whole home"""
    device: str
    """The device's name"""
    command: str
    set: Mapping[str, Value]
    """What was asked for, as absolute attribute values"""
    outcome: Told
    """confirmed: the device reported it; sent: no report yet; failed; refused; asked: a person must confirm first"""
    reason: str
    confirmation: Question | None = None
    """Only with outcome asked"""
    data: Mapping[str, Any] | None = None
    """What a change of the home itself has to tell, such as the automation that it made"""
    tier: int = 0
    """1: never asks; 2: asks unless the person's own words name it; 3: a person always presses a card"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActAnswer:
    """A `CommandAnswer` of an act of the home that nobody is asked about."""

    __pydantic_config__: ClassVar = SHAPE
    command_id: str
    command: str
    outcome: Literal["confirmed", "sent", "failed", "refused"]
    reason: str
    data: Mapping[str, Any] | None = None
    device_id: str = ""
    device: str = ""
    set: Mapping[str, Value] = field(default_factory=dict)
    tier: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAnswers:
    __pydantic_config__: ClassVar = SHAPE
    results: tuple[CommandAnswer, ...]
    """One per device, in the order asked"""


def answer_of(result: CommandResult, base_url: str) -> CommandAnswer:
    card = result.confirmation
    return CommandAnswer(
        command_id=result.command_id,
        device_id=result.device_id,
        device=clean(result.device_name),
        command=result.command,
        set=dict(result.set),
        outcome=result.outcome,
        reason=clean(result.reason, 400),
        confirmation=question_of(card, base_url) if card is not None else None,
        data=clean_object(result.data) if result.data else None,
        tier=result.tier,
    )


def act_answer_of(result: CommandResult) -> ActAnswer:
    """Of an act of T1, which the gate allows or refuses."""
    assert result.outcome != "asked"
    return ActAnswer(
        command_id=result.command_id, command=result.command, outcome=result.outcome, reason=clean(result.reason, 400),
        data=clean_object(result.data) if result.data else None, tier=result.tier,
    )  # fmt: skip


def question_of(card: Confirmation, base_url: str) -> Question:
    return Question(
        id=card.id,
        text=clean(card.text, 1000),
        detail=clean(card.detail, 400),
        expires_at=iso(card.expires_at),
        confirm_url=f"{base_url.rstrip('/')}/confirm/{card.id}.{card.link}" if card.link else base_url,
    )


def decided_answers(answers: Sequence[CommandAnswer], cards: Mapping[str, Confirmation]) -> list[CommandAnswer]:
    """The answers with each `asked` one replaced by what came of its question, where that is decided."""
    left = {card.id: list(card.outcome) for card in cards.values()}
    return [_decided(a, cards, left) for a in answers]


def _decided(
    answer: CommandAnswer, cards: Mapping[str, Confirmation], left: Mapping[str, list[Mapping[str, Json]]]
) -> CommandAnswer:
    card = cards.get(answer.confirmation.id) if answer.confirmation is not None else None
    if card is None or card.state == "open":
        return answer
    if card.state == "denied":
        return _ended(answer, "refused", "a person of this home said no")
    if card.state == "expired":
        return _ended(answer, "refused", "nobody confirmed it in time; it was not done")
    for entry in left[card.id]:
        same_command = entry.get("command") in (None, answer.command)
        if str(entry.get("device_id") or "") == answer.device_id and same_command:
            left[card.id].remove(entry)
            return _from_entry(answer, entry)
    return _ended(answer, "sent", "a person confirmed it; what came of it is not known yet")


def _ended(answer: CommandAnswer, outcome: Told, reason: str) -> CommandAnswer:
    return CommandAnswer(
        command_id=answer.command_id,
        device_id=answer.device_id,
        device=answer.device,
        command=answer.command,
        set=answer.set,
        outcome=outcome,
        reason=reason,
        tier=answer.tier,
    )


def _from_entry(answer: CommandAnswer, entry: Mapping[str, Json]) -> CommandAnswer:
    outcome = entry.get("outcome")
    told: Told = outcome if outcome in ("confirmed", "sent", "failed", "refused") else "sent"
    set_values, data = entry.get("set"), entry.get("data")
    return CommandAnswer(
        command_id=str(entry.get("command_id") or answer.command_id),
        device_id=answer.device_id,
        device=answer.device,
        command=answer.command,
        set=cast("Mapping[str, Value]", set_values) if isinstance(set_values, Mapping) else answer.set,
        outcome=told,
        reason=clean(entry.get("reason") or "", 400),
        data=clean_object(data) if isinstance(data, Mapping) and data else None,
        tier=answer.tier,
    )


def answer_from_json(value: Mapping[str, Any]) -> CommandAnswer:
    """The inverse of `answer_to_json`; only ever given what we sealed ourselves."""
    card = value.get("confirmation")
    return CommandAnswer(**{**value, "confirmation": Question(**card) if card else None})


def answer_to_json(answer: CommandAnswer) -> dict[str, Json]:
    card = answer.confirmation
    return {
        "command_id": answer.command_id,
        "device_id": answer.device_id,
        "device": answer.device,
        "command": answer.command,
        "set": dict(answer.set),
        "outcome": answer.outcome,
        "reason": answer.reason,
        "confirmation": {
            "id": card.id, "text": card.text, "detail": card.detail, "expires_at": card.expires_at,
            "confirm_url": card.confirm_url,
        } if card is not None else None,
        "data": clean_json(answer.data) if answer.data else None,
        "tier": answer.tier,
    }  # fmt: skip
