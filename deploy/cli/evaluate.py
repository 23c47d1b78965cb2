"""`homeguard eval`: scenarios, probes and external cases against the assembled system."""

import argparse
import asyncio
import json
import logging
import sys
from pathlib import Path

from deploy.cli.main import data_dir_option
from deploy.eval_models import answering
from homeguard.errors import InvalidInput, NotFound

_MODES = ("rules", "scripted", "live")


def arguments(parser: argparse.ArgumentParser) -> None:
    subparsers = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = subparsers.add_parser("list", help="what can be run")
    run_ = subparsers.add_parser("run", help="replay scenarios and probes; good only if all of them pass")
    run_.add_argument("names", nargs="*", metavar="NAME", help="scenarios or probes (default: all)")
    run_.add_argument("--probes", type=Path, metavar="FILE", help="run the probes of this YAML file instead")
    run_.add_argument("--mode", choices=_MODES, default="rules", help="which model answers (default: rules, offline)")
    run_.add_argument("--record", type=Path, metavar="FILE", help="with --mode live: keep what the model answered")
    run_.add_argument("--recording", type=Path, metavar="FILE", help="with --mode scripted: play what was recorded")
    run_.add_argument("--repeat", type=int, default=1, metavar="N")
    run_.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    run_.add_argument("--junit", type=Path, metavar="FILE", help="write the results as JUnit XML")
    cases = subparsers.add_parser("cases", help="external utterance cases, scored from the outcome")
    cases.add_argument("file", type=Path)
    cases.add_argument("--homes", type=Path, metavar="DIR", help="the cases' homes (default: homes/ beside the file)")
    cases.add_argument("--limit", type=int, metavar="N")
    cases.add_argument("--model", default="offline", help="offline (default), or the one that is configured: live")
    cases.add_argument("--out", type=Path, metavar="FILE", help="one JSON line a case")
    cases.add_argument("--failures", action="store_true", help="print what failed, and why")
    for sub in (listing, run_, cases):
        data_dir_option(sub)


def run(options: argparse.Namespace) -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    if options.action == "list":
        return _list()
    if options.action == "run":
        return asyncio.run(_run(options))
    return asyncio.run(_cases(options))


def _list() -> int:
    from evals.harness import cases

    counts: dict[str, list[str]] = {}
    for case in cases():
        counts.setdefault(case.group, []).append(case.text or case.kind)
    for group, texts in counts.items():
        print(f"{group:12} {len(texts):3}  {texts[0]}")
    return 0


async def _run(options: argparse.Namespace) -> int:
    from deploy.assembled import assembled
    from evals import harness, report

    if options.record is not None and options.mode != "live":
        raise InvalidInput("--record goes with --mode live")
    if (options.recording is not None) != (options.mode == "scripted"):
        raise InvalidInput("--mode scripted plays a recording: it goes with --recording FILE, which --record made")
    if options.probes is not None:
        try:
            wanted = harness.read_probes(options.probes.read_text(encoding="utf-8"))
        except OSError as error:
            raise NotFound(f"{options.probes}: {error.strerror}") from error
    else:
        wanted = harness.chosen(options.names)

    def show(result: harness.Result) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("." if result.passed else "F")
            sys.stderr.flush()

    async with (
        answering(options.mode, options.data_dir, options.record, options.recording) as (models, began_at),
        assembled(models, began_at=began_at) as system,
    ):
        results = await harness.run(system, wanted, repeat=options.repeat, on_result=show)
    mode = options.mode if models is None else f"{options.mode}, {models[0].name}"
    print(report.table(results, mode))
    if options.json is not None:
        report.write_json(options.json, results, options.mode)
    if options.junit is not None:
        report.write_junit(options.junit, results)
    return 0 if results and all(r.passed for r in results) else 1


async def _cases(options: argparse.Namespace) -> int:
    from deploy.assembled import assembled
    from evals.cases import run_file, table

    if options.limit is not None and options.limit < 1:
        raise InvalidInput("--limit is 1 or more", field="limit")
    mode = "rules" if options.model == "offline" else "live"
    async with answering(mode, options.data_dir, named=options.model) as (models, _), assembled(models) as system:
        results = await run_file(options.file, options.homes, options.limit, system.perform_turn)
    if options.out is not None:
        lines = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in results)
        options.out.write_text(lines, encoding="utf-8")
    print(table(results))
    for result in (r for r in results if not r["passed"]) if options.failures else ():
        print(f"  - {result['id']}: {result['why']} | {result['answer'][:160]}")
    return 0
