"""The command line: `services.sh start|stop|restart|kill|wipe|status|check [NAME...]`; no name is all of them."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.services.site import ENGINES, Outcome, Site
from homeguard.settings import environment

_FOLDER: Final = Path(__file__).parents[2] / ".services"
_VERBS: Final = ("start", "stop", "restart", "kill", "wipe", "status", "check")


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all that this machine can run are as asked; 1: one is not; 2: wrong use."""
    parser = argparse.ArgumentParser(prog="services.sh", description="Real servers on this machine, for the tests.")
    parser.add_argument("verb", choices=_VERBS)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ENGINES)}; all when left out")
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.names if name not in ENGINES]:
        parser.error(f"no server is called {unknown[0]!r}: there are {', '.join(ENGINES)}")
    folder = Path(environment().get("HOMEGUARD_SERVICES_DIR", _FOLDER)).absolute()
    site = Site(folder, Path(environment().get("HOMEGUARD_SERVICES_CACHE", folder / "cache")).absolute())
    names = asked.names or list(ENGINES)
    if asked.verb == "check":
        return _check(site)
    began = time.monotonic()
    if asked.verb in ("stop", "restart"):
        outcomes = site.stop(names)
    if asked.verb in ("start", "restart"):
        outcomes = site.start(names)
    elif asked.verb == "kill":
        outcomes = site.kill(names)
    elif asked.verb == "wipe":
        outcomes = site.wipe(names)
    elif asked.verb == "status":
        outcomes = site.look(names)
    print(_table(outcomes))
    if asked.verb in ("start", "restart"):
        print(f"{time.monotonic() - began:.1f} s in all; addresses: {site.env}")
    for outcome in outcomes:
        if outcome.state in ("failed", "left out"):
            sys.stderr.write(f"{outcome.name} {outcome.state.upper()}: {outcome.note}\n")
    return 1 if any(outcome.state in ("failed", "ill") for outcome in outcomes) else 0


def _check(site: Site) -> int:
    """Whether the servers run of which the tests will be told."""
    if not site.env.is_file():
        sys.stderr.write("no servers: start them with `make services`\n")
        return 1
    told = site.env.read_text()
    for seen in site.look(list(ENGINES)):
        room = site.room(seen.name)
        if seen.state != "ready" and room.is_furnished and f"127.0.0.1:{room.port}" in told:
            sys.stderr.write(f"{seen.name} is {seen.state}: start it with `make services`\n")
            return 1
    return 0


def _table(outcomes: Sequence[Outcome]) -> str:
    lines = [f"{'name':<11} {'state':<9} {'address':<16} {'pid':>8} {'MiB':>6} {'ready in':>9}"]
    for o in outcomes:
        address, pid = (f"127.0.0.1:{o.port}", str(o.pid)) if o.pid else ("-", "-")
        ready = f"{o.ready_s:.1f} s" if o.ready_s else "-"
        lines.append(f"{o.name:<11} {o.state:<9} {address:<16} {pid:>8} {o.memory_mib or 0:>6.0f} {ready:>9}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
