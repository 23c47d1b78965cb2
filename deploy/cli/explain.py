"""`homeguard explain`: why a device is as it is, link by link."""

import argparse
import json
from typing import Any

from deploy.cli.main import data_dir_option
from deploy.client import DEFAULT_PERSON, Client
from deploy.instance import the_running
from homeguard.errors import InvalidInput
from homeguard.settings import load


def arguments(parser: argparse.ArgumentParser) -> None:
    data_dir_option(parser)
    parser.add_argument("device", nargs="?", default="", help="a device by name or id (default: what happened last)")
    parser.add_argument("--event", default="", metavar="ID", help="one event instead of a device")
    parser.add_argument("--at", default="", metavar="TIME", help="as it was then (ISO 8601)")
    parser.add_argument("--attribute", default="", metavar="NAME", help="only this one; mode or arm_state of the home")
    parser.add_argument("--as", dest="email", default=None, metavar="EMAIL", help="who asks")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    settings = load({"data_dir": options.data_dir})
    client = Client(the_running(settings.data_dir), settings.data_dir, options.email or DEFAULT_PERSON)
    try:
        device_id = _device(client, options.device) if options.device else ""
        told = client.get(
            "/api/v1/explain", device_id=device_id, event_id=options.event, at=options.at, attribute=options.attribute
        )
    finally:
        client.close()
    print(json.dumps(told) if options.json else "\n".join(_lines(told)))
    return 0


def _device(client: Client, wanted: str) -> str:
    """The id of the one device of that id or name. Raises InvalidInput: there is none, or more than one."""
    cursor, found = "", []
    while True:
        page = client.get("/api/v1/devices", limit=500, **({"cursor": cursor} if cursor else {}))
        found += [d for d in page["items"] if wanted.casefold() in (d["id"].casefold(), d["name"].casefold())]
        cursor = page["next_cursor"]
        if not cursor:
            break
    if len(found) != 1:
        raise InvalidInput(f"{len(found) or 'no'} devices are called '{wanted[:80]}'", field="device")
    return str(found[0]["id"])


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [told["text"]]
    for mark, key in (("because", "links"), ("also", "also"), ("led to", "set_off")):
        for link in told[key]:
            sure = "" if link["is_certain"] else " (probably)"
            lines.append(f"  {mark:8} {link['at'] or '':24}  {link['kind']:12}  {link['text']}{sure}")
    return lines
