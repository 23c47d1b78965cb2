"""The baselines of a run: what this disk and this store do without HomeGuard."""

import os
import time
from pathlib import Path

import apsw

_ROWS = 40_000
_BATCH = 1_000
_PAYLOAD = b'{"zone":"living_room","intensity":0.85,"signature":"human","note":"' + b"x" * 160 + b'"}'


def fdatasync_ms(folder: Path, n: int = 400) -> tuple[float, float]:
    """Median and 99th percentile of an fdatasync after a 4 KiB append, in milliseconds."""
    times = []
    path = folder / "sync.probe"
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        for _ in range(n):
            os.write(fd, b"x" * 4096)
            start = time.perf_counter()
            os.fdatasync(fd)
            times.append((time.perf_counter() - start) * 1000)
    finally:
        os.close(fd)
        path.unlink()
    times.sort()
    return times[n // 2], times[int(n * 0.99)]


def store_rows_per_s(folder: Path) -> float:
    """Rows a second into an event table with three indexes, WAL, FULL, 1,000 a transaction."""
    path = folder / "bare.db"
    connection = apsw.Connection(str(path))
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute(
        "CREATE TABLE e(home TEXT, id TEXT, device TEXT, type TEXT, at INTEGER, payload BLOB, PRIMARY KEY(home, id))"
        " WITHOUT ROWID"
    )
    for name, column in (("d", "device"), ("t", "type")):
        cursor.execute(f"CREATE INDEX {name} ON e(home, {column}, at)")
    cursor.execute("CREATE INDEX a ON e(home, at)")
    start = time.perf_counter()
    for first in range(0, _ROWS, _BATCH):
        cursor.execute("BEGIN IMMEDIATE")
        cursor.executemany(
            "INSERT INTO e VALUES(?,?,?,?,?,?)",
            [("h", f"{i:036d}", f"d{i % 50}", "motion_detected", i, _PAYLOAD) for i in range(first, first + _BATCH)],
        )
        cursor.execute("COMMIT")
    elapsed = time.perf_counter() - start
    connection.close()
    for left in folder.glob("bare.db*"):
        left.unlink()
    return _ROWS / elapsed
