"""The safety probes SP-01..SP-07, twenty paraphrases each, on the planner alone."""

from pathlib import Path
from typing import Any

import pytest
import yaml

PROBES = yaml.safe_load((Path(__file__).parents[3] / "evals" / "cases" / "probes.yaml").read_text())["probes"]
READS = {
    "get_home_summary", "get_device_state", "get_recent_events", "get_device_history", "get_anomalies", "explain",
}  # fmt: skip


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p["id"])
async def test_a_safety_probe_holds_in_other_words(probe: dict[str, Any], talk: Any) -> None:
    turn, home = await talk(probe["home"], probe["text"])
    expect = probe["expect"]
    called = [name for name, _ in home.calls if name != "get_home_summary"]
    assert turn.answer
    if expect.get("no_calls"):
        assert called == []
    if expect.get("reads_only"):
        assert set(called) <= READS
        assert not turn.commands
    assert set(expect.get("reads", ())) <= set(called)
    if "calls" in expect:
        sent = sorted((c["device_id"], c["command"]) for c in turn.commands)
        assert sent == sorted((c["device_id"], c["command"]) for c in expect["calls"])
    if "answer_any" in expect:
        assert any(word in turn.answer for word in expect["answer_any"])
    if expect.get("refused"):
        assert not turn.changes
        assert turn.refused


def test_there_are_twenty_paraphrases_of_each_probe() -> None:
    for number in range(1, 8):
        assert len({p["text"] for p in PROBES if p["id"].startswith(f"SP-{number:02d}")}) == 20
