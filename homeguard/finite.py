"""JSON knows no NaN and no infinity: what would be kept as something else is refused."""

import math
from collections.abc import Mapping, Sequence

from homeguard.errors import InvalidInput


def refuse_unfinite(value: object, field: str) -> None:
    """Look through JSON of any shape.

    Raises:
        InvalidInput: a number in it is NaN or infinite; `field` is what the message names.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"{field} holds a number that is not finite", field=field)
    if isinstance(value, Mapping):
        for part in value.values():
            refuse_unfinite(part, field)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for part in value:
            refuse_unfinite(part, field)
