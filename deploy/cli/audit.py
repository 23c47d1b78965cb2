"""`homeguard audit verify`: checks the chain of the audit, with or without a running instance."""

import argparse
import asyncio

from deploy.cli.main import data_dir_option
from homeguard.clock import SystemClock
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
    from homeguard.runtime import audit_key
    from homeguard.stores.sqlite.audit import verify_file

    key = audit_key(settings) if (settings.data_dir / "local.key").exists() else b""
    rows = verify_file(path, key)
    print(f"{rows} rows, chain intact")
    if settings.postgres_url:
        print(f"{asyncio.run(_in_postgres(settings.postgres_url, key))} rows in PostgreSQL, chain intact")
    return 0


async def _in_postgres(url: str, key: bytes) -> int:
    from homeguard.stores.postgres.open import open_postgres

    async with open_postgres(url, SystemClock(), audit_key=key) as stores:
        return await stores.audit.verify()
