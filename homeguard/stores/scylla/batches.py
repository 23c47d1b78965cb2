"""Rows sorted into batches that each lie in one partition."""

from collections.abc import Iterable, Iterator

from homeguard.stores.scylla.cql import Batch, Values

_ROWS = 100
#: Characters; a server takes at least 4 MiB in one batch of a partition.
_TEXT = 256 * 1024


def in_partitions(text: str, width: int, rows: Iterable[Values], *, heavy: int | None = None) -> Iterator[Batch]:
    """Batches of the statement's rows, in the order of the rows; their first `width` values are the partition's key.

    `heavy` is the place of the one value that may be a long text: such rows are not many in a batch.
    """
    partitions: dict[Values, list[Values]] = {}
    for row in rows:
        partitions.setdefault(row[:width], []).append(row)
    for inside in partitions.values():
        if len(inside) == 1:
            yield text, inside
        else:
            yield from ((text, part) for part in _parts(inside, heavy))


def _parts(rows: list[Values], heavy: int | None) -> Iterator[list[Values]]:
    if heavy is None or sum(len(row[heavy]) for row in rows) <= _TEXT:
        yield from (rows[first : first + _ROWS] for first in range(0, len(rows), _ROWS))
        return
    part: list[Values] = []
    size = 0
    for row in rows:
        weight = len(row[heavy])
        if part and (len(part) >= _ROWS or size + weight > _TEXT):
            yield part
            part, size = [], 0
        part.append(row)
        size += weight
    yield part
