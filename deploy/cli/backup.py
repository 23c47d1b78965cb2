"""`homeguard backup`: a copy of everything as it is at one moment, also while HomeGuard runs."""

import argparse
import json
from contextlib import ExitStack
from pathlib import Path

from deploy.cli.main import data_dir_option
from deploy.version import VERSION
from homeguard.clock import SystemClock
from homeguard.errors import StartRefused
from homeguard.settings import load
from homeguard.stores.sqlite.backup import BACKUPS, DATABASES, Snapshot, faults_of, stamp, take
from homeguard.stores.sqlite.lock import hold, holder
from homeguard.stores.sqlite.open import schemas


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", type=Path, help="the new folder (default: backups/ in the data folder)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    data_dir_option(parser)


def run(options: argparse.Namespace) -> int:
    settings = load({"data_dir": options.data_dir, "demo": False})
    data_dir, now = settings.data_dir, SystemClock().now()
    if not (data_dir / "home.db").exists():
        raise StartRefused(f"{data_dir} holds no HomeGuard yet")
    target = options.to or data_dir / BACKUPS / f"full-{stamp(now)}"
    if target.exists():
        raise StartRefused(f"{target} is there already")
    with ExitStack() as stack:
        if holder(data_dir) is None:
            # nothing may start while the files are copied: it would mend or move them
            stack.enter_context(hold(data_dir))
        snapshot = take(data_dir, target, DATABASES, version=VERSION, now=now, with_log=True)
    faults = faults_of(snapshot, schemas())
    if faults:
        raise StartRefused(f"the backup {target} is not sound ({'; '.join(faults)}): look at homeguard doctor")
    print(json.dumps(_told(snapshot)) if options.json else _shown(snapshot))
    return 0


def _told(snapshot: Snapshot) -> dict[str, object]:
    parts = snapshot.manifest.parts
    return {
        "path": str(snapshot.path),
        "made_at": snapshot.manifest.made_at,
        "bytes": sum(part.size for part in parts.values()),
        "counts": {name: count for part in parts.values() for name, count in part.counts.items()},
        "offsets": snapshot.manifest.offsets,
        "log_end": snapshot.manifest.log_end,
    }


def _shown(snapshot: Snapshot) -> str:
    told = _told(snapshot)
    counts = told["counts"]
    assert isinstance(counts, dict)
    held = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return f"{told['path']}: {told['bytes']:,} bytes; {held}; checked. local.key is in it: keep it as safe as the home."
