"""HomeGuard on all engines killed at random moments: the run of the embedded one, with the same judge."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))

from killing import run_and_kill
from ledger import is_loss
from tables import table

LONG = os.environ.get("HOMEGUARD_LONG") == "1"
KILLS = int(os.environ.get("HOMEGUARD_KILLS") or (500 if LONG else 10))
SEED = int(os.environ.get("HOMEGUARD_SEED") or 20261122)
#: The stream and its readers need some time behind the last start.
ARRIVES_S = 120.0


@pytest.mark.timeout(max(900, 30 * KILLS))
async def test_kills_at_random_lose_nothing_on_the_engines_and_do_nothing_twice(
    tmp_path: Path, engines: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, broken = await run_and_kill(tmp_path, KILLS, SEED, engines=engines, within_s=ARRIVES_S)

    if LONG:
        lost = sum(map(is_loss, broken))
        row = (KILLS, len(ledger.acknowledged), len(ledger.alarms), len(ledger.answers), lost, len(broken) - lost)
        with capsys.disabled():
            print(table("kills,acknowledged,alarms,commands,lost,doubled", [row]))
    assert broken == []
    assert set(ledger.sent) == ledger.acknowledged
    assert ledger.alarms
    assert ledger.answers
