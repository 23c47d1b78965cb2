"""A crowd that sends far more than can be taken, and never waits as it is told to: `python -m evals.bench.flood`.

It runs as a process of its own, so that who measures beside it is not slowed down by it.
"""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass

from evals.bench.instance import DEVICES
from evals.bench.load import request


@dataclass(slots=True)
class Flooded:
    """Events that were `offered` and `accepted`; `shed` was refused for want of room, `failed` is anything else, both
    in events. `silent` refusals did not say when to come back."""

    offered: int = 0
    accepted: int = 0
    shed: int = 0
    failed: int = 0
    silent: int = 0
    elapsed_s: float = 0.0


async def flood(port: int, token: str, *, seconds: float, connections: int, batch: int) -> Flooded:
    """Batches of telemetry, one after the other on each connection, for so long; of one: single events."""
    told = Flooded()
    events = [
        {"device_id": f"sensor-{i % DEVICES}", "event_type": "telemetry", "payload": {"metrics": {"temperature": 20.5}}}
        for i in range(batch)
    ]
    raw = request("POST", "/api/v1/events", json.dumps(events if batch > 1 else events[0]).encode(), token)
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(connections):
            tasks.create_task(_one(port, raw, batch, begun + seconds, told))
    told.elapsed_s = time.perf_counter() - begun
    return told


async def _one(port: int, raw: bytes, batch: int, until: float, told: Flooded) -> None:
    while time.perf_counter() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
        except OSError:
            told.failed += batch
            await asyncio.sleep(0.05)
            continue
        try:
            while time.perf_counter() < until:
                writer.write(raw)
                await writer.drain()
                _count(*await _answer(reader), batch, told)
        except (OSError, EOFError):
            told.failed += batch
        finally:
            writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head (lower case) and body."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    at = head.index(b"content-length:") + 15
    return head, await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))


def _count(head: bytes, body: bytes, batch: int, told: Flooded) -> None:
    told.offered += batch
    status, says_when = int(head[9:12]), b"\r\nretry-after:" in head
    if status == 202:
        taken = int(json.loads(body)["accepted"])
        told.accepted += taken
        told.shed += batch - taken
        told.silent += taken < batch and not says_when
    elif status in (429, 503):
        told.shed += batch
        told.silent += not says_when
    else:
        told.failed += batch


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1_000)
    options = parser.parse_args()
    token = sys.stdin.readline().strip()
    told = asyncio.run(
        flood(
            options.port, token, seconds=options.seconds, connections=options.connections, batch=options.batch
        )
    )  # fmt: skip
    print(json.dumps(asdict(told)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
