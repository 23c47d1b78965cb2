"""The whole of HomeGuard killed at random moments: what it acknowledged is kept, once, and nothing is done twice."""

import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest
from brokers import MOSQUITTO
from instances import Up, until
from killing import run_and_kill
from ledger import Found, Ledger, faults, is_loss
from tables import table

#: Kills of one run: their moments come from the seed.
LONG = os.environ.get("HOMEGUARD_LONG") == "1"
KILLS = int(os.environ.get("HOMEGUARD_KILLS") or (500 if LONG else 50))
SEED = int(os.environ.get("HOMEGUARD_SEED") or 20261121)


@pytest.mark.timeout(max(420, 14 * KILLS))
async def test_kills_at_random_lose_nothing_that_was_acknowledged_and_do_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, broken = await run_and_kill(tmp_path, KILLS, SEED)

    if LONG:
        lost = sum(map(is_loss, broken))
        over_mqtt = sum(i.startswith("mqtt-") for i in ledger.acknowledged)
        row = (KILLS, len(ledger.acknowledged) - over_mqtt, over_mqtt, len(ledger.alarms), len(ledger.answers))
        with capsys.disabled():
            print(table("kills,over HTTP,over MQTT,alarms,commands,lost,doubled", [(*row, lost, len(broken) - lost)]))
    assert broken == []
    assert set(ledger.sent) == ledger.acknowledged
    assert len(ledger.acknowledged) > 20 * KILLS
    assert len(ledger.alarms) >= KILLS // 2
    assert len(ledger.answers) >= KILLS // 4
    assert MOSQUITTO is None or any(i.startswith("mqtt-") for i in ledger.acknowledged)


@pytest.mark.timeout(180)
async def test_the_same_run_finds_a_log_that_acknowledges_before_the_disk_has_it(tmp_path: Path) -> None:
    _, broken = await run_and_kill(tmp_path, 4, SEED, "acknowledges_before_the_disk", within_s=3)

    assert any(fault.startswith("lost: kill-") for fault in broken)


@pytest.mark.timeout(180)
async def test_the_same_run_finds_effects_whose_ids_do_not_follow_from_their_cause(tmp_path: Path) -> None:
    _, broken = await run_and_kill(tmp_path, 4, SEED, "forgets_what_it_told", within_s=5)

    assert any("runs of the automation" in fault or "alerts" in fault for fault in broken)


def test_the_judge_names_every_kind_of_broken_promise() -> None:
    def order(command_id: str, outcome: str) -> dict[str, Any]:
        return {"command_id": command_id, "outcome": outcome}

    def broken(stored: list[str], results: list[dict[str, Any]], executed: list[str], **more: Any) -> list[str]:
        return faults(kept, Found(stored=stored, results=results, executed=executed, **more))

    kept = Ledger(
        sent={"a": {}, "b": {}}, acknowledged={"a"}, orders={"o": {}, "p": {}},
        answers={"o": order("c1", "confirmed"), "p": order("c2", "failed")},
    )  # fmt: skip
    good = [order("c1", "confirmed"), order("c2", "failed")]
    assert broken(["a"], good, ["c1"]) == []
    assert broken(["a", "b"], good, ["c1"]) == []
    assert broken(["b"], good, ["c1"]) == ["lost: a"]
    assert broken(["a", "a"], good, ["c1"]) == ["stored 2 times: a"]
    assert broken(["a", "z"], good, ["c1"]) == ["never sent: z"]
    assert broken(["a"], [*good, good[0]], ["c1"]) == ["2 results of command c1"]
    assert broken(["a"], good[1:], []) == ["no result of command c1 (o)"]
    assert broken(["a"], [*good, order("c3", "sent")], ["c1"]) == ["a command that nobody sent: c3"]
    assert broken(["a"], good, ["c1", "c1"]) == ["executed 2 times: c1"]
    assert broken(["a"], good, ["c1", "c2"]) == ["failed and yet executed: c2"]
    assert broken(["a"], good, []) == ["confirmed and never executed: c1"]
    locked = {"set": {"lock": "locked"}, "requested_at": "2026-11-21T10:00:00.000Z"}
    first, later = {**good[0], **locked}, {**order("c2", "confirmed"), **locked, "requested_at": "2026-11-21T10:00:05Z"}
    kept.answers["p"] = order("c2", "confirmed")
    assert broken(["a"], [first, later], ["c2"]) == [], "the device said so, for whatever reason"
    other = {**later, "set": {"lock": "unlocked"}}
    assert broken(["a"], [first, other], ["c2"]) == ["confirmed and never executed: c1"]
    before = {**later, "requested_at": "2026-11-21T09:59:00.000Z"}
    assert broken(["a"], [first, before], ["c2"]) == ["confirmed and never executed: c1"]
    kept.answers["p"] = order("c2", "failed")
    assert broken(["a"], [order("c1", "failed"), good[1]], []) == ["o was answered confirmed and stands as failed"]
    kept.alarms.add("b")
    whole: dict[str, Any] = {"alerted": ["b"], "raised": ["b"], "ran": [("b", ["c3"])], "told": ["b"], "warned": ["b"]}
    with_rule = [*good, order("c3", "confirmed")]
    assert broken(["a", "b"], with_rule, ["c1", "c3"], **whole) == []
    for name, what in (
        ("alerted", "alerts"), ("raised", "alerts in the log"), ("told", "messages of the automation"),
    ):  # fmt: skip
        assert broken(["a", "b"], with_rule, ["c1", "c3"], **{**whole, name: []}) == [f"no {what} for b"]
        assert broken(["a", "b"], with_rule, ["c1", "c3"], **{**whole, name: ["b", "b"]}) == [f"2 {what} for b"]
        assert broken(["a", "b"], with_rule, ["c1", "c3"], **{**whole, name: ["b", "a"]}) == [f"{what} for nothing: a"]
    assert broken(["a", "b"], with_rule, ["c1", "c3"], **{**whole, "warned": ["b", "b"]}) == ["2 warnings for b"]
    assert broken(["a", "b"], good, ["c1"], **whole) == ["no result of command c3 (the automation, b)"]
    assert broken(["a", "b"], good, ["c1"], **{**whole, "ran": []}) == ["no runs of the automation for b"]


@pytest.mark.timeout(240)
def test_the_demo_is_whole_after_its_first_starts_were_killed(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    for _ in range(3):
        up = Up(tmp_path, "--no-simulator")
        chance_s = chance.uniform(0, 0.5)
        with up.http(up.token()) as http:
            body = {"device_id": "living_room_motion", "event_type": "motion_detected", "payload": {}}
            assert http.post("/api/v1/events", json=body, timeout=30).status_code == 202
        signal.sigtimedwait([], chance_s)  # history is being written behind it
        up.kill()
    up = Up(tmp_path, "--no-simulator")
    try:
        with up.http(up.token()) as http:
            until(lambda: http.get("/ready").json()["checks"]["history"]["written"], within_s=90)
            ids = [event["event_id"] for event in up.events(http)]
            assert len(ids) == len(set(ids))
            assert len([e for e in up.events(http, device_id="living_room_motion") if e["source"] == "http"]) == 3
            devices = {d["id"]: d["state"] for d in http.get("/api/v1/devices").json()["items"]}
        assert len(devices) == 5
        assert devices["front_door_lock"]["lock"] == "locked"
        assert devices["back_door_lock"]["lock"] == "unlocked"
        assert up.homeguard("audit", "verify").returncode == 0
        assert up.stop()[0] == 0
    finally:
        up.kill()
