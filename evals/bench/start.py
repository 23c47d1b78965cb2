"""How long HomeGuard takes to be ready, what it weighs before anyone chats, and how fast it lists its devices."""

import argparse
import asyncio
import compileall
import shutil
import sys
import tempfile
import time
from pathlib import Path

from evals.bench.instance import DEVICES, machine, pinned, prepare, serving, token_for
from evals.bench.load import drive, request
from evals.bench.table import Row, table

_ROOT = Path(__file__).parents[2]
_ROOMS = ("agent", "api", "chat_ui", "deploy", "homeguard", "mcp_servers", "memory", "pipeline", "scenarios", "tools")
_CONNECTIONS = 16


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--requests", type=int, default=3_000, help="of GET /api/v1/devices, a start")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="homeguard-bench-"))
    try:
        asyncio.run(_bench(folder / "data", options))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


async def _bench(data: Path, options: argparse.Namespace) -> None:
    cores = pinned()
    print(f"machine: {machine(cores)}")
    print(f"server: compiled, demo, simulator, broker and rate limits off, {DEVICES} devices; the chat is never opened")
    for room in _ROOMS:
        compileall.compile_dir(_ROOT / room, quiet=1)
    await prepare(data)
    rows: list[Row] = []
    for _ in range(options.repeat):
        async with serving(data, "", cores) as instance:
            await asyncio.sleep(1)
            idle_mib = instance.rss_mib()
            asked = [request("GET", "/api/v1/devices", b"", token_for(data))] * options.requests
            await drive(instance.port, asked[:50], connections=1, expected=200)
            cpu_s, begun = instance.cpu_s(), time.perf_counter()
            measured = await drive(instance.port, asked, connections=_CONNECTIONS, expected=200)
            elapsed_s = time.perf_counter() - begun
            rows.append(
                {
                    "ready s": instance.started_s,
                    "RSS MiB": idle_mib,
                    "GET devices/s": options.requests / elapsed_s,
                    "p50 ms": measured.quantile_ms(0.5),
                    "p99 ms": measured.quantile_ms(0.99),
                    "refused": measured.failed,
                    "CPU us/request": (instance.cpu_s() - cpu_s) / options.requests * 1e6,
                }
            )
    print(f"each figure: median (smallest-largest) of {options.repeat}; {_CONNECTIONS} connections\n")
    columns = {
        "ready s": 2, "RSS MiB": 0, "GET devices/s": 0, "p50 ms": 1, "p99 ms": 1, "refused": 0, "CPU us/request": 0,
    }  # fmt: skip
    print(table({"homeguard up": rows}, columns))


if __name__ == "__main__":
    sys.exit(main())
