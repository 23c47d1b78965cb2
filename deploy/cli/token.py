"""`homeguard token`: makes, lists and revokes the tokens of MCP clients and devices."""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from deploy.cli.main import data_dir_option
from deploy.client import DEFAULT_PERSON, Client
from deploy.instance import running
from homeguard.errors import InvalidInput
from homeguard.settings import load

_UNITS = {"d": 1.0, "h": 1 / 24, "m": 1 / 1440}


def arguments(parser: argparse.ArgumentParser) -> None:
    data_dir_option(parser)
    subparsers = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = subparsers.add_parser("create", help="make a token; it is shown this once")
    create.add_argument("--name", default="", help="what it is for")
    create.add_argument("--servers", default="", help="MCP servers, with commas between (default: all)")
    create.add_argument("--scopes", default="", help="read, control, sensitive, manage (default: read,control)")
    create.add_argument("--expires", default="", help="such as 30d or 12h (default: never)")
    create.add_argument("--device", default="", metavar="ID", help="a token with which this device sends")
    create.add_argument("--home", default="", help="with --device: the home, by name, id or owner's e-mail")
    create.add_argument("--as", dest="email", default=None, metavar="EMAIL", help="for whom the client acts")
    create.add_argument("--json", action="store_true", help="print one JSON object")
    listing = subparsers.add_parser("list", help="all tokens, newest first")
    listing.add_argument("--json", action="store_true", help="print one JSON object")
    revoke = subparsers.add_parser("revoke", help="end a token")
    revoke.add_argument("id")
    for sub in (create, listing, revoke):
        sub.add_argument("--data-dir", type=Path, default=argparse.SUPPRESS, help="where HomeGuard keeps everything")


def run(options: argparse.Namespace) -> int:
    settings = load({"data_dir": options.data_dir})
    with running(settings.data_dir) as instance:
        client = Client(instance, settings.data_dir, getattr(options, "email", None) or DEFAULT_PERSON)
        try:
            return _act(client, options)
        finally:
            client.close()


def _act(client: Client, options: argparse.Namespace) -> int:
    if options.action == "revoke":
        client.delete(f"/operator/tokens/{options.id}")
        print("revoked")
        return 0
    if options.action == "list":
        items = client.get("/operator/tokens")["items"]
        if options.json:
            print(json.dumps({"items": items}))
        for item in () if options.json else items:
            print(_line(item))
        return 0
    body: dict[str, Any] = {
        "name": options.name,
        "servers": _words(options.servers),
        "scopes": _words(options.scopes),
        "device_id": options.device,
        "home": options.home,
        "expires_days": _days(options.expires),
    }
    made = client.post("/operator/tokens", body)
    print(json.dumps(made) if options.json else made["token"])
    return 0


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _days(text: str) -> float | None:
    if not text:
        return None
    match = re.fullmatch(r"(\d+)([dhm])", text)
    if match is None:
        raise InvalidInput("--expires is a number with d, h or m behind it, such as 30d", field="expires")
    return int(match[1]) * _UNITS[match[2]]


def _line(item: dict[str, Any]) -> str:
    state = "revoked" if item["revoked_at"] else f"until {item['expires_at']}" if item["expires_at"] else "no end"
    scope = item["device_id"] or ",".join(item["scopes"])
    return f"{item['id']}  {item['kind']:6}  {item['name'][:30]:30}  {scope:24}  {state}"
