"""Runs external utterance cases against an assembled system, and scores them from the outcome alone."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from evals.formats.device_actions import DeviceActions
from evals.formats.home_assistant import HomeAssistant
from evals.formats.homebench import HomeBench
from evals.formats.scoring import judge
from evals.formats.turn import Format, PerformTurn, TurnResult
from homeguard.errors import InvalidInput

#: The id's first part -> how to read the case.
FORMATS: Final[Mapping[str, Format]] = {
    "hda": DeviceActions(),
    "hai": HomeAssistant(),
    "had": HomeAssistant(brightness_scale=255.0, volume_scale=1.0, position="current_position"),
    "hb": HomeBench(),
}


async def run_case(case: Mapping[str, Any], raw_home: Any, perform_turn: PerformTurn) -> dict[str, Any]:
    """One line of the result file. Nothing but the utterance, the home, where it is said and its `now` is passed on.

    Raises:
        InvalidInput: the case is of no known format.
    """
    known = FORMATS.get(str(case["id"]).split("-")[0])
    if known is None:
        raise InvalidInput(f"case {case['id']} is of no known format", field="id")
    home = known.home(case, raw_home)
    begun = time.perf_counter()
    try:
        turn = await perform_turn(
            home.devices, home.states, str(case["utterance"]), now=_moment(case.get("now")),
            area=str(case.get("satellite_area") or ""), device_id=_surface(case, home.raw),
            unit_system=home.unit_system, areas=home.areas, floors=home.floors,
        )  # fmt: skip
        why = ""
    except Exception as error:
        turn, why = TurnResult(answer=""), f"{type(error).__name__}: {error}"
    took = (time.perf_counter() - begun) * 1000
    changes, commands = known.outcome(case, home, turn)
    result: dict[str, Any] = {
        "id": case["id"], "set": set_of(case), "kind": case.get("kind") or case.get("type") or "action",
        "passed": False, "why": why,
        "changes": changes, "commands": commands, "refused": [dict(r) for r in turn.refused], "asked": list(turn.asked),
        "answer": turn.answer, "duration_ms": round(took, 2),
    }  # fmt: skip
    if not why:
        result["passed"], result["why"] = judge(case, result | {"calls": turn.calls}, home)
    return result


async def run_file(
    path: Path, homes_dir: Path | None, limit: int | None, perform_turn: PerformTurn
) -> list[dict[str, Any]]:
    """The results of the file's first `limit` cases (all for `None`), in order.

    `homes_dir` is `homes/` beside the file unless given; a case's home is `<home>.json` there, else the entry of that
    name in a `*_homes.json`.

    Raises:
        InvalidInput: the file or a home cannot be read.
    """
    folder = homes_dir or path.parent / "homes"
    homes: dict[str, Any] = {}
    results = []
    for case in _cases(path)[: limit if limit is not None else None]:
        name = str(case["home"])
        if name not in homes:
            homes[name] = _home(folder, name)
        results.append(await run_case(case, homes[name], perform_turn))
    return results


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Per set: n, share passed with its Wilson interval, median and 95th percentile of the duration."""
    rows = ["set                           n   passed   95 % interval     p50 ms   p95 ms"]
    for name in sorted({str(r["set"]) for r in results}):
        own = [r for r in results if r["set"] == name]
        share, low, high = wilson(sum(bool(r["passed"]) for r in own), len(own))
        times = sorted(float(r["duration_ms"]) for r in own)
        p50, p95 = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.95))]
        rows.append(f"{name:26} {len(own):5} {share:7.1f} %  [{low:5.1f}, {high:5.1f}] {p50:9.1f} {p95:8.1f}")
    return "\n".join(rows)


def wilson(passed: int, n: int) -> tuple[float, float, float]:
    """Share in percent with the 95 % score interval of Wilson (1927)."""
    if n == 0:
        return 0.0, 0.0, 0.0
    z, p = 1.96, passed / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return 100 * p, 100 * (middle - half), 100 * (middle + half)


def set_of(case: Mapping[str, Any]) -> str:
    """The set that a case is reported in."""
    kind = str(case["id"]).split("-")[0]
    if kind == "hai":
        main = case["kind"] in ("control", "query") and case["has_targets"]
        return "intents main" if main else f"intents {case['kind']}{'' if case['has_targets'] else ' none'}"
    if kind == "had":
        return f"{case['dataset']}{' (policy)' if 'ambiguous_must_ask' in case['flags'] else ''}"
    if kind == "hb":
        return f"homebench {'refuse' if case['must_refuse'] else 'multi' if case['n_sub'] > 1 else 'valid'}"
    return "device actions"


def _cases(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read as JSON lines: {error}", field="file") from error


def _home(folder: Path, name: str) -> Any:
    own = folder / f"{name}.json"
    try:
        if own.exists():
            return json.loads(own.read_text(encoding="utf-8"))
        for shared in sorted(folder.glob("*_homes.json")):
            homes = json.loads(shared.read_text(encoding="utf-8"))
            if name in homes:
                return homes[name]
    except (OSError, ValueError) as error:
        raise InvalidInput(f"the home {name} cannot be read: {error}", field="homes") from error
    raise InvalidInput(f"there is no home {name} in {folder}", field="homes")


def _moment(text: object) -> datetime | None:
    if not text:
        return None
    at = datetime.fromisoformat(str(text))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _surface(case: Mapping[str, Any], raw: Mapping[str, Mapping[str, Any]]) -> str:
    """The id of the device that the person speaks to, when the home has it."""
    wanted = str(case.get("context_device") or "")
    return next((i for i, e in raw.items() if wanted and wanted in (i, i.split(".")[-1], e.get("device"))), "")
