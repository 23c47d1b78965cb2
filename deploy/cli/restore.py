"""`homeguard restore`: a backup takes the place of the data folder's files, which are put aside."""

import argparse
import sys
from pathlib import Path

from deploy.cli.main import data_dir_option
from homeguard.clock import SystemClock
from homeguard.errors import InvalidInput, StartRefused
from homeguard.settings import load
from homeguard.stores.sqlite.backup import faults_of, read_snapshot
from homeguard.stores.sqlite.lock import hold
from homeguard.stores.sqlite.open import schemas
from homeguard.stores.sqlite.recovery import ACCEPT_LOSS
from homeguard.stores.sqlite.restore import restore


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, nargs="?", help="the folder that homeguard backup has made")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--check", action="store_true", help="only check it; change nothing")
    parser.add_argument(
        "--accept-loss", action="store_true",
        help="without PATH: let the next start begin anew what is damaged and has no backup",
    )  # fmt: skip
    data_dir_option(parser)


def run(options: argparse.Namespace) -> int:
    settings = load({"data_dir": options.data_dir, "demo": False})
    data_dir = settings.data_dir
    if (options.path is None) != options.accept_loss:
        raise InvalidInput("name the backup, or say --accept-loss", field="path")
    if options.accept_loss:
        if not data_dir.is_dir():
            raise StartRefused(f"{data_dir} holds no HomeGuard yet")
        with hold(data_dir):
            (data_dir / ACCEPT_LOSS).touch(mode=0o600)
        print("the next start begins anew what is damaged and has no backup; the damaged files go to quarantine/")
        return 0
    snapshot = read_snapshot(options.path)
    told = f"{options.path} of {snapshot.manifest.made_at} (HomeGuard {snapshot.manifest.version})"
    if options.check:
        faults = faults_of(snapshot, schemas())
        if faults:
            raise InvalidInput(f"{told} is not sound: {'; '.join(faults)}", field="path")
        print(f"{told} is sound")
        return 0
    if not options.yes and not _agrees(f"Put {told} in the place of what is in {data_dir}? [y/N] "):
        raise InvalidInput("nothing was changed (say y, or --yes)", field="yes")
    with hold(data_dir):
        done = restore(snapshot, data_dir, schemas(), SystemClock().now())
    log = "the folder's own log" if done.is_from_own_log else "the backup's log"
    print(f"restored {told}; the files from before are in {done.aside}")
    print(f"the next start reads {done.replayed:,} records of {log} on top of it; nothing is carried out twice")
    return 0


def _agrees(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(question).strip().casefold() in ("y", "yes")
