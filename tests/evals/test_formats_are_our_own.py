"""No row of the external cases stands in our code, training phrases or probes: no shared run of eight words."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = ROOT.parent / "shared" / "evals"
OURS = (
    *sorted((ROOT / "agent" / "models" / "offline").glob("*.py")),
    *sorted((ROOT / "evals").glob("*.py")),
    *sorted((ROOT / "evals" / "formats").glob("*.py")),
    *sorted((ROOT / "evals" / "cases").glob("*.yaml")),
    *sorted((ROOT / "tests" / "agent" / "offline").glob("*.py")),
    *sorted((ROOT / "tests" / "evals").glob("*.py")),
    ROOT / "homeguard" / "targets.py",
    ROOT / "homeguard" / "kinds.py",
)
RUN = 8


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9]+", text.lower())
    for at in range(len(words) - RUN + 1):
        yield tuple(words[at : at + RUN])


@pytest.mark.skipif(not CASES.is_dir(), reason="the external cases are not on this machine")
def test_no_eight_words_in_a_row_are_shared_with_the_external_cases() -> None:
    theirs: set[tuple[str, ...]] = set()
    for path in CASES.glob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            for key in ("utterance", "text", "phrase", "expected_response"):
                theirs.update(_runs(str(row.get(key) or "")))
    assert theirs
    shared = {
        (path.name, " ".join(run)) for path in OURS for run in _runs(path.read_text(encoding="utf-8")) if run in theirs
    }
    assert shared == set()
