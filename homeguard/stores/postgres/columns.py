"""Many rows of one statement, as arrays of columns."""

from collections.abc import Sequence


def by_column(rows: Sequence[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """The rows' columns, as `unnest` takes them; there is one row at least."""
    return list(zip(*rows, strict=True))
