"""Rows sorted into batches that each lie in one partition."""

from collections.abc import Iterable, Iterator

from homeguard.stores.scylla.cql import Batch, Values

_ROWS = 100
#: Characters; a server takes at least 4 MiB in one batch of a partition.
_TEXT = 256 * 1024


def in_partitions(text: str, width: int, rows: Iterable[Values]) -> Iterator[Batch]:
    """Batches of the statement's rows, in the order of the rows; their first `width` values are the partition's key."""
    partitions: dict[Values, list[Values]] = {}
    for row in rows:
        partitions.setdefault(row[:width], []).append(row)
    for inside in partitions.values():
        yield from ((text, part) for part in _parts(inside))


def _parts(rows: list[Values]) -> Iterator[list[Values]]:
    part: list[Values] = []
    size = 0
    for row in rows:
        weight = sum(len(value) for value in row if isinstance(value, str))
        if part and (len(part) >= _ROWS or size + weight > _TEXT):
            yield part
            part, size = [], 0
        part.append(row)
        size += weight
    yield part
