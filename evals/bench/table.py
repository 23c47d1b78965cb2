"""Repeated measurements as one table: the median of each figure, with the smallest and the largest beside it."""

import statistics
from collections.abc import Mapping

Row = Mapping[str, float]


def spread(values: list[float], digits: int) -> str:
    """`median (smallest-largest)`; the median alone when it was measured once."""
    middle = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"


def table(rows: Mapping[str, list[Row]], columns: Mapping[str, int]) -> str:
    """A line for each name; `columns` are the figures to show with their decimals, "-" where one was not measured."""
    lines = [["run", *columns]]
    for name, measured in rows.items():
        cells = [name]
        for column, digits in columns.items():
            values = [row[column] for row in measured if column in row]
            cells.append(spread(values, digits) if values else "-")
        lines.append(cells)
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)
