"""`homeguard replay`: a recorded sensor log through the intake of the running instance."""

import argparse
import json
from pathlib import Path
from typing import Any

from deploy.cli.main import data_dir_option
from deploy.cli.progress import bar
from deploy.client import DEFAULT_PERSON, Client
from deploy.instance import running
from homeguard.errors import HomeGuardError, InvalidInput, NotFound
from homeguard.settings import load


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="JSON lines: ts, device_id, name, area, kind, state")
    parser.add_argument("--speed", default="max", help="times as fast as it happened, or max (default)")
    parser.add_argument("--home", default="", help="the home, by name, id or owner's e-mail (default: the first)")
    parser.add_argument("--keep-times", action="store_true", help="leave the times as recorded")
    parser.add_argument("--as", dest="email", default=None, metavar="EMAIL", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    data_dir_option(parser)


def run(options: argparse.Namespace) -> int:
    if options.speed != "max" and not _is_positive(options.speed):
        raise InvalidInput("--speed is a number above 0, or max", field="speed")
    try:
        body = options.file.read_bytes()
    except OSError as error:
        raise NotFound(f"{options.file}: {error.strerror}") from error
    settings = load({"data_dir": options.data_dir})
    with running(settings.data_dir) as instance:
        client = Client(instance, settings.data_dir, options.email or DEFAULT_PERSON)
        try:
            summary = _follow(client, body, options)
        finally:
            client.close()
    print(json.dumps(summary) if options.json else _table(summary))
    return 0


def _is_positive(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False


def _follow(client: Client, body: bytes, options: argparse.Namespace) -> dict[str, Any]:
    params = {"speed": options.speed, "home": options.home, "keep_times": str(options.keep_times).lower()}
    for line in client.lines("/operator/replay", body, **params):
        if "error" in line:
            raise HomeGuardError(line["error"]["message"], code=line["error"]["code"])
        if "summary" in line:
            bar(1, 1)
            return dict(line["summary"])
        bar(line["done"], line["total"])
    raise HomeGuardError("the replay ended without a summary")


def _table(summary: dict[str, Any]) -> str:
    rows = []
    for name, value in summary.items():
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        rows.append(f"{name.replace('_', ' '):18} {shown}")
    return "\n".join(rows)
