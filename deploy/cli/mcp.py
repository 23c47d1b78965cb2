"""`homeguard mcp`: a stdio MCP server that speaks for the running instance; `install` and `config` for the clients."""

import argparse
import asyncio
import json
import os
import shutil
import sys
from contextlib import closing
from pathlib import Path

from deploy.cli.main import data_dir_option
from deploy.client import DEFAULT_PERSON, Client
from deploy.instance import IDLE_EXIT_S, Instance, find, start, wait_for
from homeguard.clock import SystemClock
from homeguard.errors import InvalidInput, StartRefused
from homeguard.identity.keys import local_key
from homeguard.identity.tokens import Tokens
from homeguard.settings import environment, load
from mcp_servers.catalog import ALL, SERVERS
from mcp_servers.clients import CLIENTS, Launch, client_config, config_path, install, launch


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "server", nargs="?", default=ALL, choices=(*SERVERS, ALL, "install", "config"),
        help="which tools to serve on stdio; or install / config for a client",
    )  # fmt: skip
    parser.add_argument("--as", dest="email", default=None, metavar="EMAIL", help="for whom the client acts")
    parser.add_argument("--client", choices=CLIENTS, help="install, config: for which client")
    data_dir_option(parser)


def run(options: argparse.Namespace) -> int:
    if options.server in ("install", "config"):
        return _configure(options)
    settings = load({"data_dir": options.data_dir})

    def instance() -> Instance:
        """The one that runs, or one that is started now and ends when no client is left."""
        return find(settings.data_dir) or wait_for(settings.data_dir, start(settings.data_dir, idle_exit_s=IDLE_EXIT_S))

    email = options.email or DEFAULT_PERSON
    known = instance()
    with closing(Client(known, settings.data_dir, email)) as client:
        client.get("/api/v1/users/me")  # someone whom nobody knows is told now, not at the first call
    tokens = Tokens(local_key(settings.data_dir), SystemClock())
    from mcp_servers.proxy import run_stdio

    asyncio.run(
        run_stdio(known.url, lambda: tokens.operator(email, "mcp"), [options.server], revive=lambda: instance().url)
    )
    return 0


def _configure(options: argparse.Namespace) -> int:
    if options.client is None:
        raise InvalidInput(f"--client is one of {', '.join(CLIENTS)}", field="client")
    launches = {"homeguard": _launch(options)}
    if options.server == "config":
        print(json.dumps(client_config(options.client, launches), indent=2))
        return 0
    path = config_path(
        options.client, home=Path.home(), project=Path.cwd(), platform=sys.platform, environ=environment()
    )
    done = install(path, client_config(options.client, launches))
    sys.stderr.write(f"{done.path}: {'written' if done.changed else 'was up to date'}")
    sys.stderr.write(f" (before: {done.backup})\n" if done.backup is not None else "\n")
    return 0


def _launch(options: argparse.Namespace) -> Launch:
    command = shutil.which("homeguard", path=os.path.dirname(sys.executable)) or shutil.which("homeguard")
    if command is None:
        raise StartRefused("the homeguard command is not installed beside this Python")
    return launch(
        os.path.abspath(command),
        data_dir=str(options.data_dir.absolute()) if options.data_dir is not None else "",
        person=options.email or "",
        environ=environment(),
    )
