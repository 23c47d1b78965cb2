"""`homeguard undo`: puts back what was last done in the home, by anyone of it."""

import argparse
import json
from typing import Any, Final

from deploy.cli.main import data_dir_option
from deploy.client import DEFAULT_PERSON, Client
from deploy.instance import the_running
from homeguard.settings import load

_MARKS: Final = {"confirmed": "✓", "sent": "…", "failed": "✗", "refused": "✗", "asked": "?"}


def arguments(parser: argparse.ArgumentParser) -> None:
    data_dir_option(parser)
    parser.add_argument("--as", dest="email", default=None, metavar="EMAIL", help="whose home, and who asks")
    parser.add_argument("--mine", action="store_true", help="only what this person did, not the others of the home")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    settings = load({"data_dir": options.data_dir})
    client = Client(the_running(settings.data_dir), settings.data_dir, options.email or DEFAULT_PERSON)
    try:
        told = client.post("/api/v1/undo", {"of": "me" if options.mine else "home"})
    finally:
        client.close()
    print(json.dumps(told) if options.json else "\n".join(_lines(told)))
    return 1 if any(r["outcome"] in ("failed", "refused") for r in told["results"]) else 0


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [told["text"]]
    for result in told["results"]:
        what = result["device_name"] or result["command"].replace("_", " ")
        why = f" ({result['reason']})" if result["reason"] else ""
        lines.append(f"  {_MARKS[result['outcome']]} {what}: {result['outcome']}{why}")
        if result["confirmation"] is not None:
            lines.append("    answer it with: homeguard chat, or on the chat's page")
    lines += [f"  - {left['name']}: left alone ({left['reason']})" for left in told["left_alone"]]
    return lines
