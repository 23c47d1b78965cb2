"""The chain of an audit: every row's hash holds the hash of the row before it, so that a changed row shows. Pure.

Rows leave it for their age from its beginning only; what is left begins at an anchor, which is sealed with a key that
the rows' store does not have.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from homeguard.clock import iso, parse_time
from homeguard.errors import Conflict, InvalidInput

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

#: How long a row is kept at least; it leaves with its month.
KEPT: Final = timedelta(days=365)

#: Where a home's chain ends: number and hash of its last row.
Head = tuple[int, str]
#: The end of a chain that has no row.
EMPTY: Final[Head] = (0, "")


class Row(NamedTuple):
    """One row of a home's audit. `at_us` counts microseconds since 1970 (UTC), `detail` is canonical JSON."""

    home_id: str
    seq: int
    at_us: int
    actor: str
    action: str
    decision: str
    rule: str
    detail: str
    hash: str = ""


class Anchor(NamedTuple):
    """Where what is left of a home's chain begins: number and hash of the last row that left it, and when it did
    (microseconds since 1970). Rows are numbered from 1, so `seq` is also how many left."""

    home_id: str
    seq: int
    hash: str
    left_us: int
    seal: str = ""


def sealed(key: bytes, anchor: Anchor) -> Anchor:
    """The anchor with the seal of who has that key."""
    return anchor._replace(seal=_seal(key, anchor))


def leaves_before(now: datetime) -> datetime:
    """Rows before this leave: the beginning of the month that was current a year ago (UTC)."""
    return (now.astimezone(UTC) - KEPT).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def leaving(key: bytes, anchor: Anchor | None, rows: Sequence[Row], before_us: int, now_us: int) -> Anchor | None:
    """The anchor behind those of `rows`, the first of a chain that begins at `anchor`, that were written before then;
    None when none was.

    Raises:
        Conflict: one of them was changed, or one is missing: none may leave.
    """
    walk = Walk(key)
    walk.begin(() if anchor is None else (anchor,))
    last: Row | None = None
    for row in rows:
        if row.at_us >= before_us:
            break
        walk.step(row)
        last = row
    return None if last is None else sealed(key, Anchor(last.home_id, last.seq, last.hash, now_us))


def linked(head: Head, row: Row) -> Row:
    """The row as the next one behind `head`: numbered and hashed."""
    row = row._replace(seq=head[0] + 1)
    return row._replace(hash=_link(head[1], row))


def taken_over(head: Head, here: Mapping[int, str], rows: Sequence[Row], *, left: int = 0) -> list[Row]:
    """Those of another store's rows that go on behind `head`; `here` has this chain's own hashes by number, but for the
    first `left`, which left it.

    Raises:
        Conflict: one is not the row that is here under its number, or does not follow the one before it.
    """
    hashes = dict(here)
    new = []
    for row in rows:
        if row.seq <= left:
            continue
        if row.seq <= head[0]:
            if hashes.get(row.seq) != row.hash:
                raise Conflict(f"row {row.seq} of the audit of home {row.home_id} is another one here", seq=row.seq)
            continue
        if row.seq != head[0] + 1 or row.hash != _link(head[1], row):
            raise Conflict(f"row {row.seq} does not follow in the audit of home {row.home_id}", seq=row.seq)
        head = (row.seq, row.hash)
        hashes[row.seq] = row.hash
        new.append(row)
    return new


class Walk:
    """Checks the rows of all homes, each home's in order, and at the end that none is missing there."""

    def __init__(self, key: bytes = b"") -> None:
        """`key` is what anchors are sealed with."""
        self._key = key
        self._heads: dict[str, Head] = {}
        self._checked = 0

    def begin(self, anchors: Iterable[Anchor]) -> None:
        """Before the first row. Raises Conflict: an anchor was not sealed with this installation's key."""
        for anchor in anchors:
            if not hmac.compare_digest(anchor.seal, _seal(self._key, anchor)):
                raise Conflict(
                    f"the audit of home {anchor.home_id} begins behind row {anchor.seq}, and it was not this "
                    "installation that let the rows before it go",
                    home_id=anchor.home_id, seq=anchor.seq,
                )  # fmt: skip
            self._heads[anchor.home_id] = (anchor.seq, anchor.hash)

    def step(self, row: Row) -> None:
        """Raises Conflict when a row before this one is missing, or this one was changed."""
        last, before = self._heads.get(row.home_id, EMPTY)
        if row.seq != last + 1:
            raise _lacks(row.home_id, last + 1)
        if row.hash != _link(before, row):
            message = f"row {row.seq} of the audit of home {row.home_id} was changed"
            raise Conflict(message, home_id=row.home_id, seq=row.seq)
        self._heads[row.home_id] = (row.seq, row.hash)
        self._checked += 1

    def end(self, noted: Iterable[tuple[str, int, str]]) -> int:
        """Compare with the heads (home, number, hash) that were noted beside the rows; returns the rows checked.

        Raises:
            Conflict: rows were cut off the end of a home's chain, or it has an end that nobody noted.
        """
        for home_id, seq, hash_ in noted:
            last, before = self._heads.pop(home_id, EMPTY)
            if (last, before) != (seq, hash_):
                raise _lacks(home_id, min(last + 1, seq))
        for home_id, (seq, _) in self._heads.items():
            raise Conflict(f"the audit of home {home_id} lacks its end", home_id=home_id, seq=seq)
        return self._checked


def as_told(row: Row) -> dict[str, Any]:
    """The row as `Audit.rows` gives it: `at` as ISO 8601 for people, `at_us` exact, for another store to adopt."""
    return {
        "seq": row.seq, "at": iso(moment(row.at_us)), "at_us": row.at_us, "actor": row.actor,
        "action": row.action, "decision": row.decision, "rule": row.rule, "detail": msgspec.json.decode(row.detail),
        "hash": row.hash,
    }  # fmt: skip


def anchor_as_told(anchor: Anchor) -> dict[str, Any]:
    """The anchor as `Audit.anchor` gives it."""
    return {"seq": anchor.seq, "hash": anchor.hash, "left_us": anchor.left_us, "seal": anchor.seal}


def as_anchor(home_id: str, told: Mapping[str, Any]) -> Anchor:
    """What `anchor_as_told` gave, as an anchor again.

    Raises:
        InvalidInput: it is no such anchor.
    """
    try:
        return Anchor(home_id, int(told["seq"]), str(told["hash"]), int(told["left_us"]), str(told["seal"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput("this is not the anchor of an audit") from error


def as_row(home_id: str, told: Mapping[str, Any]) -> Row:
    """What `as_told` gave, as a row again. Without `at_us` the milliseconds of `at` count.

    Raises:
        InvalidInput: it is no such row.
    """
    try:
        at_us = told["at_us"] if "at_us" in told else microseconds(parse_time(told["at"]))
        texts = (told["actor"], told["action"], told["decision"], told["rule"])
        return Row(home_id, int(told["seq"]), int(at_us), *texts, canonical_json(told["detail"]), told["hash"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput("this is not a row of an audit") from error


def microseconds(at: datetime) -> int:
    """Since 1970; exact. `at` is aware."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at_us: int) -> datetime:
    """The aware UTC time of `microseconds`."""
    return _EPOCH + at_us * _MICROSECOND


def canonical_json(value: object) -> str:
    """JSON with sorted keys: the same value is the same text."""
    return msgspec.json.encode(value, order="deterministic", enc_hook=_plain).decode()


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _link(before: str, row: Row) -> str:
    """SHA-256 over the row before's hash and this row's fields, as a JSON array so that no two rows read the same."""
    return hashlib.sha256(canonical_json([before, *row[:-1]]).encode()).hexdigest()


def _seal(key: bytes, anchor: Anchor) -> str:
    return hmac.new(key, canonical_json(list(anchor[:-1])).encode(), hashlib.sha256).hexdigest()


def _lacks(home_id: str, seq: int) -> Conflict:
    return Conflict(f"the audit of home {home_id} lacks row {seq}", home_id=home_id, seq=seq)
