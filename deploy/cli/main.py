"""`homeguard`: reads the command line and hands over to one subcommand."""

import argparse
import importlib
import sys
from pathlib import Path
from typing import Final, NoReturn

from homeguard.errors import HomeGuardError

#: Subcommand -> (module in this folder, one line of help).
COMMANDS: Final = {
    "up": ("up", "start HomeGuard here: API, chat, MCP, simulator"),
    "chat": ("chat", "talk to your home in the terminal"),
    "mcp": ("mcp", "an MCP server on stdio, for desktop clients"),
    "token": ("token", "tokens for MCP clients and devices"),
    "replay": ("replay", "play a recorded sensor log through the intake"),
    "dead-letters": ("dead_letters", "records that could not be processed: list them, send them again"),
    "topics": ("topics", "the log: how far its readers are; let one read again"),
    "load": ("load", "send events at a rate, and report what became of them"),
    "eval": ("evaluate", "replay scenarios and probes, score external cases"),
    "migrate": ("migrate", "move a home to real engines, or back"),
    "backup": ("backup", "copy everything as it is now, also while HomeGuard runs"),
    "restore": ("restore", "put a backup in the place of the data folder's files"),
    "models": ("models", "the language model: what it can do"),
    "doctor": ("doctor", "look at the port, the folder, the lock, the versions, the clock"),
    "undo": ("undo", "put back what was last done in the home"),
    "explain": ("explain", "why a device is as it is"),
    "memory": ("memory", "what is remembered, the household, a copy of all that is kept about you"),
    "audit": ("audit", "check the chain of the audit"),
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{self.prog}: {message} (see {self.prog} --help)\n")
        raise SystemExit(2)


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand; 0 good, 1 it failed and says why in one line, 2 wrong use."""
    arguments = sys.argv[1:] if argv is None else argv
    parser = _Parser(prog="homeguard", description="A home-security platform that you talk to.")
    parser.add_argument("--version", action="store_true", help="print the version and end")
    subparsers = parser.add_subparsers(dest="subcommand", metavar="COMMAND", parser_class=_Parser)
    name = next((a for a in arguments if not a.startswith("-")), "")
    for command, (module, line) in COMMANDS.items():
        sub = subparsers.add_parser(command, help=line, description=line)
        if command == name:
            importlib.import_module(f"deploy.cli.{module}").arguments(sub)
    parsed = parser.parse_args(arguments)
    if parsed.version:
        from deploy.version import VERSION

        print(VERSION)
        return 0
    if parsed.subcommand is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        return int(importlib.import_module(f"deploy.cli.{COMMANDS[parsed.subcommand][0]}").run(parsed))
    except HomeGuardError as error:
        sys.stderr.write(f"homeguard {parsed.subcommand}: {error.message}\n")
        return 1
    except PermissionError as error:
        sys.stderr.write(f"homeguard {parsed.subcommand}: {error.filename}: {error.strerror}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1


def data_dir_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path, help="where HomeGuard keeps everything (default: your data folder)")


if __name__ == "__main__":
    sys.exit(main())
