"""The baselines of a run: what this disk, this processor and this store do without HomeGuard."""

import hashlib
import json
import os
import re
import statistics
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


def woken(n: int = 300, pause_s: float = 0.002) -> float:
    """How many times as long a little work of an interpreter takes after a pause as in a loop (medians).

    What comes one by one is done after pauses. Where others use the processor's caches meanwhile (another virtual
    machine on the same core), each event pays for that, and many that come together share it.
    """
    body = json.dumps({"device_id": "sensor-1", "payload": {"zone": "hall", "values": list(range(20))}})

    def work() -> float:
        begun = time.perf_counter()
        said = json.loads(body)
        re.sub(r"[a-m]+(\d)", r"\1", body)
        hashlib.sha256(json.dumps(sorted(said["payload"].items())).encode()).hexdigest()
        return time.perf_counter() - begun

    def after_a_pause() -> float:
        time.sleep(pause_s)
        return work()

    in_a_loop = statistics.median(work() for _ in range(10 * n))
    return statistics.median(after_a_pause() for _ in range(n)) / in_a_loop


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
