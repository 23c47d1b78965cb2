"""`homeguard load`: events at a given rate over HTTP or MQTT, with a report of what became of them."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from deploy.cli.main import data_dir_option
from deploy.cli.progress import bar
from deploy.client import DEFAULT_PERSON, Client
from deploy.instance import Instance, find
from evals.load.plan import PROFILES, Plan, seconds
from evals.load.result import Result
from evals.load.run import Place, Target, look
from evals.load.run import run as send
from homeguard.clock import SystemClock, iso
from homeguard.errors import InvalidInput, NotFound
from homeguard.identity.keys import local_key
from homeguard.identity.tokens import Tokens
from homeguard.settings import environment, load

#: An operator's token is made anew so often; it holds for five minutes.
_FRESH_S: Final = 60.0
#: Field of the plan -> the variable that sets it when no flag does.
_VARIABLES: Final[Mapping[str, str]] = {"rate": "RATE", "duration_s": "DURATION", "devices": "DEVICE_COUNT"}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", help="where HomeGuard answers (TARGET_URL; default: the one that runs on the folder)")
    parser.add_argument("--profile", choices=tuple(PROFILES), default="basic", help="what the flags leave open")
    parser.add_argument("--rate", help="events a second (RATE)")
    parser.add_argument("--duration", dest="duration_s", help="how long, such as 120s or 5m (DURATION)")
    parser.add_argument("--devices", help="how many devices send (DEVICE_COUNT)")
    parser.add_argument(
        "--anomalies", nargs="?", const="0.05", metavar="SHARE",
        help="share of values that lie far out, 0 to 1 (0.05 without a number)",
    )  # fmt: skip
    parser.add_argument("--protocol", choices=("http", "mqtt"))
    parser.add_argument("--mqtt-url", default="", metavar="URL", help="the broker, for --protocol mqtt (MQTT_URL)")
    parser.add_argument("--batch", help="events in each HTTP request (default 1)")
    parser.add_argument("--connections", help="HTTP connections side by side (default 16)")
    parser.add_argument("--token", default="", help="a bearer token (default: the operator's own, by the data folder)")
    parser.add_argument("--create-devices", action="store_true", help="make devices of the run's own, load-1 and so on")
    parser.add_argument("--as", dest="email", default=DEFAULT_PERSON, metavar="EMAIL", help="in whose home")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    data_dir_option(parser)


def run(options: argparse.Namespace) -> int:
    variables = environment()
    plan = _plan(options, variables)
    settings = load({"data_dir": options.data_dir})
    url = options.url or variables.get("TARGET_URL") or _found(settings.data_dir)
    token = (lambda: str(options.token)) if options.token else _operator(settings.data_dir, options.email)
    target = Target(url=url, token=token, mqtt_url=options.mqtt_url or settings.mqtt_url)
    if options.create_devices:
        _create(url, settings.data_dir, options.email, plan.devices)
    result = asyncio.run(_run(plan, target, own_only=options.create_devices))
    print(json.dumps(result.as_json()) if options.json else result.block())
    return 0 if result.accepted else 1


async def _run(plan: Plan, target: Target, *, own_only: bool) -> Result:
    place = await look(target)
    if own_only:
        own = [source for source in place.sources if source.id.startswith("load-")]
        place = Place(home_id=place.home_id, sources=own)

    def tell(result: Result) -> None:
        bar(result.requests, plan.requests, f"{result.rate:,.0f}/s")

    return await send(plan, target, place, on_second=tell if sys.stderr.isatty() else None)


def _plan(options: argparse.Namespace, variables: Mapping[str, str]) -> Plan:
    """The profile, then the environment, then the flags.

    Raises:
        InvalidInput: a value is no number, or out of its range.
    """
    chosen = PROFILES[options.profile]
    readers: Mapping[str, Callable[[str], Any]] = {
        "rate": float, "duration_s": seconds, "devices": int, "anomalies": float, "protocol": str, "batch": int,
        "connections": int,
    }  # fmt: skip
    values: dict[str, Any] = {}
    for name, read in readers.items():
        text = getattr(options, name) or variables.get(_VARIABLES.get(name, ""))
        try:
            values[name] = read(text) if text else getattr(chosen, name)
        except ValueError as error:
            flag = name.removesuffix("_s")
            raise InvalidInput(f"--{flag} {text} is no number", field=flag) from error
    return Plan(**values)


def _found(data_dir: Path) -> str:
    running = find(data_dir)
    return running.url if running is not None else "http://127.0.0.1:8000"


def _operator(data_dir: Path, email: str) -> Callable[[], str]:
    """Tokens of who can read the folder's key, each good for a minute.

    Raises:
        NotFound: no HomeGuard was ever started there.
    """
    if not (data_dir / "local.key").exists():
        raise NotFound(f"{data_dir} is no folder of HomeGuard: name it with --data-dir, or give --token")
    tokens = Tokens(local_key(data_dir), SystemClock())
    made_at, made = -_FRESH_S, ""

    def token() -> str:
        nonlocal made_at, made
        now = time.monotonic()
        if not made or now - made_at >= _FRESH_S:
            made_at, made = now, tokens.operator(email, "api")
        return made

    return token


def _create(url: str, data_dir: Path, email: str, count: int) -> None:
    """Devices of the run's own, by the replay of one line of each: those that are there already stay as they are."""
    at = iso(SystemClock().now())
    lines = [
        {
            "ts": at, "device_id": f"load-{i}", "name": f"Load {i}", "area": "Load test",
            "kind": "motion" if i % 2 else "temperature", "state": "off" if i % 2 else 21,
        }
        for i in range(1, count + 1)
    ]  # fmt: skip
    client = Client(Instance(pid=0, url=url), data_dir, email)
    try:
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        for told in client.lines("/operator/replay", body, speed="max"):
            if "error" in told:
                raise InvalidInput(f"the devices cannot be made: {told['error']['message']}", field="devices")
    finally:
        client.close()
