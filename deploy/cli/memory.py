"""`homeguard memory`: what is remembered, the household, and a copy of all that is kept about a person."""

import argparse
import json
from pathlib import Path
from typing import Any

from deploy.cli.main import data_dir_option
from deploy.client import DEFAULT_PERSON, Client
from deploy.instance import running
from homeguard.settings import load

_API = "/api/v1"


def arguments(parser: argparse.ArgumentParser) -> None:
    data_dir_option(parser)
    subparsers = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = subparsers.add_parser("list", help="what is remembered, newest first")
    listing.add_argument("words", nargs="*", help="only what shares a word with these, best first")
    add = subparsers.add_parser("add", help="remember a sentence")
    add.add_argument("words", nargs="+")
    add.add_argument("--household", action="store_true", help="everyone who lives here may see it")
    forget = subparsers.add_parser("forget", help="forget one thing by its id")
    forget.add_argument("id")
    household = subparsers.add_parser("household", help="who and what belongs to the home")
    export = subparsers.add_parser("export", help="everything that is kept about a person, as JSON")
    export.add_argument("--to", type=Path, metavar="FILE", help="write it there (default: print it)")
    for sub in (listing, household):
        sub.add_argument("--json", action="store_true", help="print one JSON object")
    for sub in (listing, add, forget, household, export):
        sub.add_argument("--as", dest="email", default=None, metavar="EMAIL", help="whose")
        sub.add_argument("--data-dir", type=Path, default=argparse.SUPPRESS, help="where HomeGuard keeps everything")


def run(options: argparse.Namespace) -> int:
    settings = load({"data_dir": options.data_dir})
    with running(settings.data_dir) as instance:
        client = Client(instance, settings.data_dir, options.email or DEFAULT_PERSON)
        try:
            return _act(client, options)
        finally:
            client.close()


def _act(client: Client, options: argparse.Namespace) -> int:
    if options.action == "add":
        text = " ".join(options.words)
        made = client.post(f"{_API}/memory", {"text": text, "for_household": options.household})
        print(f"remembered: {made['text']}  ({made['id']})")
    elif options.action == "forget":
        client.delete(f"{_API}/memory/{options.id}")
        print("forgotten")
    elif options.action == "export":
        text = json.dumps(client.get(f"{_API}/users/me/export"), ensure_ascii=False, indent=1)
        if options.to is None:
            print(text)
        else:
            options.to.write_text(text + "\n", encoding="utf-8")
            options.to.chmod(0o600)
            print(f"written to {options.to}")
    elif options.action == "household":
        found = client.get(f"{_API}/household")
        print(json.dumps(found) if options.json else _household(found))
    else:
        found = client.get(f"{_API}/memory", query=" ".join(options.words))
        print(json.dumps(found) if options.json else _notes(found))
    return 0


def _notes(found: dict[str, Any]) -> str:
    rows = [f"{n['id']}  {n['at'][:16]}  {n['whose']:13}  {n['text']}  ({n['source']})" for n in found["items"]]
    return "\n".join(rows) or "nothing is remembered"


def _household(found: dict[str, Any]) -> str:
    lines = [f"{kind}: {row['text']}  ({row['id']})" for kind in ("residents", "pets", "contacts", "vehicles")
             for row in found[kind]]  # fmt: skip
    hours = found["quiet_hours"]
    lines += [f"address: {found['address']}"] if found["address"] else []
    lines += [f"quiet hours: {hours['start']} to {hours['end']}"] if hours else []
    return "\n".join([*lines, f"time zone: {found['time_zone']}"])
