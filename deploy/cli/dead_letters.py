"""`homeguard dead-letters`: records that could not be processed, and sending them on their way again."""

import argparse
import json
from pathlib import Path
from typing import Any

from deploy.cli.main import data_dir_option
from deploy.client import DEFAULT_PERSON, Client
from deploy.instance import the_running
from homeguard.errors import InvalidInput
from homeguard.settings import load


def arguments(parser: argparse.ArgumentParser) -> None:
    data_dir_option(parser)
    subparsers = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = subparsers.add_parser("list", help="the last ones, newest last")
    listing.add_argument("--limit", type=int, default=100, help="at most so many (default: 100)")
    retry = subparsers.add_parser("retry", help="send those that wait back to their topics, oldest first")
    retry.add_argument("count", nargs="?", type=int, metavar="N", help="so many of them")
    retry.add_argument("--all", action="store_true", help="all of them")
    for sub in (listing, retry):
        sub.add_argument("--json", action="store_true", help="print one JSON object")
        sub.add_argument("--as", dest="email", default=None, metavar="EMAIL", help=argparse.SUPPRESS)
        sub.add_argument("--data-dir", type=Path, default=argparse.SUPPRESS, help="where HomeGuard keeps everything")


def run(options: argparse.Namespace) -> int:
    if options.action == "retry" and (options.count is None) != options.all:
        raise InvalidInput("say how many to retry, or --all", field="count")
    settings = load({"data_dir": options.data_dir})
    client = Client(the_running(settings.data_dir), settings.data_dir, options.email or DEFAULT_PERSON)
    try:
        told = _retry(client, options) if options.action == "retry" else _list(client, options)
    finally:
        client.close()
    print(json.dumps(told[0]) if options.json else told[1])
    return 0


def _list(client: Client, options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    told = client.get("/operator/dead-letters", limit=options.limit)
    return told, "\n".join(map(_line, told["items"])) or "no dead letters"


def _retry(client: Client, options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    told = client.post("/operator/dead-letters/retry", {"limit": None if options.all else options.count})
    if not told["letters"]:
        return told, "no dead letter waits"
    left = f"; {told['unreadable']} do not say where they came from" if told["unreadable"] else ""
    return told, f"{told['letters']} letters, {told['sent']} records sent again{left}"


def _line(letter: dict[str, Any]) -> str:
    state = "waits" if letter["is_waiting"] else "sent again"
    place = f"{letter['topic']} {letter['offset']}"
    return (
        f"{letter['died_at']:24}  {state:10}  {letter['group']:8}  {place:24}  {letter['key'][:40]:40}  "
        f"{letter['size']:6} B  {letter['reason']}"
    )
