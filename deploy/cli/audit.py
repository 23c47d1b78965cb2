"""`homeguard audit verify`: checks the chain of the audit, with or without a running instance."""

import argparse

from deploy.cli.main import data_dir_option
from homeguard.errors import StartRefused
from homeguard.settings import load


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("verify",))
    data_dir_option(parser)


def run(options: argparse.Namespace) -> int:
    settings = load({"data_dir": options.data_dir})
    path = settings.data_dir / "home.db"
    if not path.exists():
        raise StartRefused(f"{settings.data_dir} holds no HomeGuard yet")
    from homeguard.stores.sqlite.audit import verify_file

    rows = verify_file(path)
    print(f"{rows} rows, chain intact")
    return 0
