"""`homeguard models`: which language model is configured, and what it can do."""

import argparse
import asyncio
import json
from dataclasses import asdict

from deploy.cli.main import data_dir_option
from deploy.model_check import Finding, look
from deploy.models import OnDemand, chosen
from homeguard.clock import SystemClock
from homeguard.settings import load

_NONE = Finding(
    "model", "ok",
    "no language model is configured: the offline planner answers. It understands plain requests and questions about "
    "the home, costs nothing, and nothing leaves this machine; it does not converse freely. See docs/models.md",
)  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    subparsers = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = subparsers.add_parser("check", help="ask the configured model what it can do (no data of a home is sent)")
    check.add_argument("--json", action="store_true", help="print one JSON object")
    data_dir_option(check)


def run(options: argparse.Namespace) -> int:
    return asyncio.run(_check(options))


async def _check(options: argparse.Namespace) -> int:
    settings, clock = load({"data_dir": options.data_dir}), SystemClock()
    found = chosen(settings)
    findings = [] if found is not None else [_NONE]
    if found is not None:
        findings.append(Finding("model", "ok", f"{found.name} at {found.where}"))
        model = OnDemand(found)
        try:
            async for finding in look(model, settings, clock, model.context):
                findings.append(finding)
                if not options.json and len(findings) == 2:
                    _show(findings[0])
                if not options.json:
                    _show(finding)
        finally:
            await model.close()
    elif not options.json:
        _show(_NONE)
    ok = all(f.state != "bad" for f in findings)
    if options.json:
        name = found.name if found is not None else "offline"
        print(json.dumps({"ok": ok, "model": name, "findings": [asdict(f) for f in findings]}, ensure_ascii=False))
    return 0 if ok else 1


def _show(finding: Finding) -> None:
    print(f"{finding.state:5} {finding.name:9} {finding.text}", flush=True)
