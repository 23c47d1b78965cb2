"""`homeguard up`: everything in one process, until a signal ends it."""

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import signal
import sys
from datetime import UTC, datetime

from deploy.cli.main import data_dir_option
from homeguard.clock import iso
from homeguard.settings import Settings, load


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1: this machine only)")
    parser.add_argument("--port", type=int, help="port to listen on (default 8000)")
    data_dir_option(parser)
    demo = parser.add_mutually_exclusive_group()
    demo.add_argument("--demo", dest="demo", action="store_true", default=None, help="with the demo homes")
    demo.add_argument("--no-demo", dest="demo", action="store_false", default=None, help="without the demo homes")
    parser.add_argument(
        "--no-simulator", dest="simulator", action="store_false", default=None, help="devices do nothing by themselves"
    )
    parser.add_argument(
        "--role", choices=("all", "api", "ingest", "processor", "agent"),
        help="run one part only, beside other processes on the same engines (default all)",
    )  # fmt: skip
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    parser.add_argument("--idle-exit-s", type=float, default=None, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    flags = {k: getattr(options, k) for k in ("host", "port", "data_dir", "demo", "simulator", "log_level", "role")}
    settings = load(flags)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper())
    # what a library warns of while it is loaded is a line of JSON as well
    logging.captureWarnings(True)
    for noisy in (
        "httpx2", "httpcore2", "mcp", "engineio", "socketio", "aiosqlite", "asyncio", "aiokafka", "kafka", "cassandra",
        "pymongo", "asyncpg", "redis", "google_genai",
    ):  # fmt: skip
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # the driver repeats the server's advice at every statement
    logging.getLogger("cassandra.protocol").setLevel(logging.ERROR)
    # and this one says ten times a second that no broker answers, which is told once by who asked it
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:
        runner = asyncio.Runner()
    with runner:
        return runner.run(_serve(settings, options.idle_exit_s))


class _JsonLines(logging.Formatter):
    """One JSON object a line, also for what has a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": iso(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname,
            "service": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _settle_in() -> None:
    """What was built until now stays: the collector need not walk it again and again while events flow.

    The thresholds make it look less often at what is new: most of that is freed by its reference count. A thread that
    has something on disk gets its turn within half a millisecond instead of five: an acknowledgement takes several.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    sys.setswitchinterval(0.0005)


async def _first(*events: asyncio.Event) -> None:
    """Returns when one of them is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _serve(settings: Settings, idle_exit_s: float | None) -> int:
    from deploy.one_process import open_homeguard

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    with contextlib.suppress(asyncio.CancelledError):
        async with open_homeguard(settings, stop=stop, idle_exit_s=idle_exit_s) as running:
            for line in running.welcome():
                print(line)
            print(f"ready {settings.base_url}", flush=True)
            _settle_in()
            # the agent's libraries come in behind the start, and stay as well
            await _first(running.arrived, stop)
            gc.freeze()
            await stop.wait()
    return 0
