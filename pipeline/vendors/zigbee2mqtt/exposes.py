"""A definition's `exposes`, flattened: one entry a property, whatever the nesting."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

GROUPS: Final = ("light", "switch", "lock", "cover", "climate", "fan")
_MAX_FEATURES: Final = 400
_MAX_DEPTH: Final = 6
_TEXT: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One property of a device. `group` is the specific type around it (`light`, ...), `""` for a plain one.

    `features` are the parts of a composite (`color`, `warning`).
    """

    name: str
    prop: str
    kind: str
    group: str = ""
    endpoint: str = ""
    access: int = 0
    unit: str = ""
    low: float | None = None
    high: float | None = None
    step: float | None = None
    on: Any = True
    off: Any = False
    values: tuple[str, ...] = ()
    features: tuple["Feature", ...] = ()

    @property
    def is_settable(self) -> bool:
        return bool(self.access & 2)

    @property
    def is_reported(self) -> bool:
        return bool(self.access & 1)


def flatten(exposes: object) -> list[Feature]:
    """Every property in the order of the list; entries that cannot be read are left out."""
    found: list[Feature] = []
    for feature in _walk(exposes, "", "", 0):
        found.append(feature)
        if len(found) >= _MAX_FEATURES:
            break
    return found


def _walk(exposes: object, group: str, endpoint: str, depth: int) -> Iterator[Feature]:
    if not isinstance(exposes, list) or depth > _MAX_DEPTH:
        return
    for entry in exposes:
        if not isinstance(entry, Mapping):
            continue
        kind = _text(entry.get("type"))
        own = _text(entry.get("endpoint")) or endpoint
        if kind in GROUPS:
            yield from _walk(entry.get("features"), kind, own, depth + 1)
            continue
        name, prop = _text(entry.get("name")), _text(entry.get("property"))
        if not prop:
            continue
        parts = tuple(_walk(entry.get("features"), group, own, depth + 1)) if kind == "composite" else ()
        access = entry.get("access")
        values = entry.get("values")
        yield Feature(
            name=name or prop, prop=prop, kind=kind, group=group, endpoint=own,
            access=access if isinstance(access, int) else 0,
            unit=_text(entry.get("unit")),
            low=_number(entry.get("value_min")), high=_number(entry.get("value_max")),
            step=_number(entry.get("value_step")),
            on=_scalar(entry.get("value_on"), True), off=_scalar(entry.get("value_off"), False),
            values=tuple(str(v)[:_TEXT] for v in values[:100]) if isinstance(values, list) else (),
            features=parts,
        )  # fmt: skip


def _text(value: object) -> str:
    return value.strip()[:_TEXT] if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _scalar(value: object, default: bool) -> Any:
    return value if isinstance(value, str | bool | int | float) else default
