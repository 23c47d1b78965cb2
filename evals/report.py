"""Results as a table for people, JSON for programs and JUnit for CI."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement

from evals.cases import wilson
from evals.harness import Result


def table(results: Sequence[Result], mode: str) -> str:
    """A line a group: n, passed, its 95 % interval, median time; then each failure with its words."""
    rows = [f"{'evaluation':14} {'n':>4} {'passed':>8}   {'95 % interval':16} {'p50 ms':>7}   ({mode})"]
    for group in dict.fromkeys(r.case.group for r in results):
        own = [r for r in results if r.case.group == group]
        passed = sum(r.passed for r in own)
        _, low, high = wilson(passed, len(own))
        middle = sorted(r.duration_ms for r in own)[len(own) // 2]
        rows.append(f"{group:14} {len(own):4} {passed:4}/{len(own):<4}  [{low:5.1f}, {high:5.1f}] % {middle:9.0f}")
    rows += [
        f"  FAILED {r.case.id}: {r.case.text!r}: {'; '.join(r.problems)} (said: {r.said[:200]!r})"
        for r in results
        if not r.passed
    ]
    good = sum(r.passed for r in results)
    rows.append(f"{good} of {len(results)} passed")
    return "\n".join(rows)


def as_json(results: Sequence[Result], mode: str) -> dict[str, Any]:
    return {
        "mode": mode,
        "passed": sum(r.passed for r in results),
        "total": len(results),
        "results": [_row(r) for r in results],
    }


def _row(result: Result) -> Mapping[str, Any]:
    return {
        "id": result.case.id,
        "group": result.case.group,
        "text": result.case.text,
        "passed": result.passed,
        "problems": list(result.problems),
        "said": result.said,
        "duration_ms": round(result.duration_ms, 1),
    }


def write_json(path: Path, results: Sequence[Result], mode: str) -> None:
    path.write_text(json.dumps(as_json(results, mode), indent=1, ensure_ascii=False), encoding="utf-8")


def write_junit(path: Path, results: Sequence[Result]) -> None:
    """One suite; a case a result, a failure with its problems."""
    failed = sum(not r.passed for r in results)
    seconds = sum(r.duration_ms for r in results) / 1000
    suite = Element(
        "testsuite", name="homeguard eval", tests=str(len(results)), failures=str(failed), time=f"{seconds:.3f}"
    )
    for r in results:
        case = SubElement(suite, "testcase", classname=r.case.group, name=r.case.id, time=f"{r.duration_ms / 1000:.3f}")
        if not r.passed:
            SubElement(case, "failure", message="; ".join(r.problems)[:500]).text = f"{r.case.text}\n{r.said}"
    ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
