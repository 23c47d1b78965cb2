"""What a case's home is to us, and what comes of one turn in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from homeguard.model import Device, UnitSystem


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnResult:
    """`commands`: `{"device_id", "command", "parameters", "outcome"}` in order of sending; `changes`: device id -> the
    attributes that are different after the turn, with their values; `refused`: `{"text", "why"}` a part; `calls`: every
    tool that was called, `{"tool", "arguments"}`.
    """

    answer: str
    commands: Sequence[Mapping[str, Any]] = ()
    asked: Sequence[Any] = ()
    refused: Sequence[Mapping[str, str]] = ()
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    calls: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseHome:
    """A case's home in our vocabulary. `raw` holds, per device id, the case's own entry for the way back."""

    devices: tuple[Device, ...]
    states: Mapping[str, Mapping[str, Any]]
    unit_system: UnitSystem = "si"
    areas: tuple[str, ...] = ()
    floors: tuple[str, ...] = ()
    raw: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class PerformTurn(Protocol):
    """Says `words` to the assembled system in that home as its owner, pressing *yes* on every card."""

    async def __call__(
        self,
        devices: Sequence[Device],
        states: Mapping[str, Mapping[str, Any]],
        words: str,
        *,
        now: datetime | None,
        area: str,
        device_id: str,
        unit_system: UnitSystem = "si",
        areas: Sequence[str] = (),
        floors: Sequence[str] = (),
    ) -> TurnResult: ...


class Format(Protocol):
    """One kind of case file."""

    def home(self, case: Mapping[str, Any], raw: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> CaseHome:
        """The case's home as ours, in the state that the case begins with."""
        ...

    def outcome(
        self, case: Mapping[str, Any], home: CaseHome, turn: TurnResult
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """`(changes, commands)` in the words of the case's home."""
        ...
