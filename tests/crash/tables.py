"""The tables that the long forms print."""

from collections.abc import Iterable, Sequence


def table(heads: str, rows: Iterable[Sequence[object]]) -> str:
    """Columns under their comma-separated heads, as wide as they need."""
    cells = [heads.split(","), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n" + "\n".join(lines)
