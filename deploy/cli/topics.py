"""`homeguard topics`: who reads what of the log and how far, and letting a group read again."""

import argparse
import json
from pathlib import Path
from typing import Any

from deploy.cli.main import data_dir_option
from deploy.client import DEFAULT_PERSON, Client
from deploy.instance import the_running
from homeguard.settings import load


def arguments(parser: argparse.ArgumentParser) -> None:
    data_dir_option(parser)
    subparsers = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = subparsers.add_parser("list", help="topics, who reads them, and how many records each has yet to do")
    replay = subparsers.add_parser("replay", help="let a group read again from a time on")
    replay.add_argument(
        "--from", dest="since", required=True, metavar="TIME", help="ISO 8601 (without a zone: UTC), or start"
    )
    replay.add_argument("--group", default="record", help="which (default: record, the only one that may)")
    for sub in (listing, replay):
        sub.add_argument("--json", action="store_true", help="print one JSON object")
        sub.add_argument("--as", dest="email", default=None, metavar="EMAIL", help=argparse.SUPPRESS)
        sub.add_argument("--data-dir", type=Path, default=argparse.SUPPRESS, help="where HomeGuard keeps everything")


def run(options: argparse.Namespace) -> int:
    settings = load({"data_dir": options.data_dir})
    client = Client(the_running(settings.data_dir), settings.data_dir, options.email or DEFAULT_PERSON)
    try:
        if options.action == "list":
            told = client.get("/operator/topics")
            shown = _table(told)
        else:
            told = client.post("/operator/topics/replay", {"from": options.since, "group": options.group})
            shown = f"{told['group']} reads {told['records']} records again, from {told['from'] or 'the start'}"
    finally:
        client.close()
    print(json.dumps(told) if options.json else shown)
    return 0


def _table(told: dict[str, Any]) -> str:
    rows = [f"{'topic':18} read by"]
    rows += [f"{topic:18} {', '.join(groups) or '-'}" for topic, groups in told["topics"].items()]
    rows += ["", f"{'group':18} to do"]
    rows += [
        f"{group:18} {said['lag']}{'' if said['runs_here'] else '  (runs in another process)'}"
        for group, said in told["groups"].items()
    ]
    return "\n".join(rows)
