"""One INSERT for many rows: a thread gives the interpreter back once a statement, and waits to get it again."""

from collections.abc import Sequence
from typing import Final

import apsw

from homeguard.stores.sqlite.columns import Cell

#: Rows of the statements that are prepared; the text of the longest stays below what apsw keeps prepared (16 KiB).
SIZES: Final = (1, 16, 128)


class ManyRows:
    """Inserts rows of `columns` cells each; a row begins with a cell that is never NULL.

    `into` is the statement up to its columns (`INSERT INTO t (a, b)`), `conflict` its ON CONFLICT clause.
    """

    def __init__(self, into: str, columns: int, conflict: str) -> None:
        self._columns = columns
        row = f"({','.join('?' * columns)})"
        # Rows that only fill a statement up are NULL from end to end, and left out.
        self._statements = [
            (size, f"{into} SELECT * FROM (VALUES {','.join([row] * size)}) WHERE column1 IS NOT NULL {conflict}")  # noqa: S608
            for size in SIZES
        ]

    def put(self, c: apsw.Connection, cells: Sequence[Cell]) -> int:
        """Insert the rows that lie one after the other in `cells`, in order; returns how many it changed."""
        changed, first, end = 0, 0, len(cells)
        largest, _ = self._statements[-1]
        while first < end:
            left = (end - first) // self._columns
            size, sql = next(s for s in self._statements if s[0] >= min(left, largest))
            part = cells[first : first + size * self._columns]
            first += len(part)
            if left < size:
                part = [*part, *((None,) * ((size - left) * self._columns))]
            c.execute(sql, part)
            changed += c.changes()
        return changed
