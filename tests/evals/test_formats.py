"""External cases: homes are translated to our words and back, and scored from the outcome alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evals.cases import run_case, run_file, table, wilson
from evals.formats.device_actions import DeviceActions
from evals.formats.home_assistant import HomeAssistant
from evals.formats.homebench import HomeBench
from evals.formats.turn import TurnResult
from evals.virtual_home import perform_turn
from homeguard.errors import InvalidInput

ACTION_HOME = [
    {"id": "den_lamp", "name": "Den Lamp", "device_type": "light-dimmable", "area": "Den", "capabilities": []},
    {"id": "den_radio", "name": "Radio", "device_type": "smart-speaker", "area": "Den", "capabilities": []},
]
HA_HOME = {
    "floors": [], "areas": [{"id": "den", "name": "Den", "floor": None}],
    "devices": [
        {"id": "light.den", "name": "Den Lamp", "domain": "light", "area": "Den", "floor": None, "state": "off",
        "attributes": {}},
        {"id": "cover.den", "name": "Den Shade", "domain": "cover", "area": "Den", "floor": None, "state": "open",
         "attributes": {"device_class": "shade"}},
        {"id": "binary_sensor.leak", "name": "Sink sensor", "domain": "binary_sensor", "area": "Den", "floor": None,
        "state": "off",
         "attributes": {"device_class": "moisture"}},
        {"id": "sensor.flow", "name": "Pump flow", "domain": "sensor", "area": None, "floor": None, "state": "7",
         "attributes": {"device_class": "volume_flow_rate", "unit_of_measurement": "L/min"}},
        {"id": "todo.errands", "name": "Errands", "domain": "todo", "area": None, "floor": None, "state": "",
        "attributes": {}},
    ],
}  # fmt: skip
BENCH_HOME = {
    "rooms": ["den", "attic"],
    "devices": [
        {"id": "den.light", "room": "den", "device_type": "light", "state": "off",
         "attributes": {"brightness": {"value": 30, "lowest": "0", "highest": "100"}},
         "commands": ["set_brightness", "turn_off", "turn_on"]},
        {"id": "den.humidifier", "room": "den", "device_type": "humidifier", "state": "on",
         "attributes": {"intensity": {"value": 40, "lowest": 0, "highest": 100}},
         "commands": ["set_intensity", "turn_off", "turn_on"]},
    ],
}  # fmt: skip


def intent(utterance: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "hai-1", "utterance": utterance, "home": "h", "satellite_area": None, "expected": [],
        "expected_answer": None,
        "kind": "control", "has_targets": True, **more,
    }  # fmt: skip


async def test_a_device_action_is_scored_by_the_one_device_and_its_action() -> None:
    case = {
        "id": "hda-1",
        "utterance": "Den lamp to 40%",
        "home": "h",
        "target_ids": ["den_lamp"],
        "action": "Set brightness",
    }
    result = await run_case(case, ACTION_HOME, perform_turn)
    assert (result["passed"], result["commands"]) == (
        True, [{"device": "den_lamp", "command": "Set brightness", "args": [40.0]}],
    )  # fmt: skip
    wrong = await run_case({**case, "target_ids": ["den_radio"]}, ACTION_HOME, perform_turn)
    assert (wrong["passed"], wrong["why"]) == (False, "another device")


async def test_an_intent_changes_its_targets_and_nothing_else() -> None:
    effects = {"light.den": {"command": "turn_on", "state": "on"}}
    case = intent("switch the den lamp on", expected=[{"target_ids": ["light.den"], "effects": effects}])
    result = await run_case(case, HA_HOME, perform_turn)
    assert (result["passed"], result["changes"]) == (True, {"light.den": {"state": "on"}})
    other = await run_case({**case, "utterance": "close the den shade"}, HA_HOME, perform_turn)
    assert not other["passed"]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("is the sink sensor wet?", {"polarity": "no", "mentions": [], "numbers": []}),
        ("what does the pump flow read?", {"polarity": None, "mentions": ["Pump flow"], "numbers": ["7"]}),
        ("are any shades open in the den?", {"polarity": "yes", "mentions": ["Den Shade"], "numbers": []}),
    ],
)
async def test_a_question_is_scored_by_what_the_answer_says(words: str, answer: Mapping[str, Any]) -> None:
    result = await run_case(intent(words, kind="query", expected_answer=answer), HA_HOME, perform_turn)
    assert (result["why"], result["passed"]) == ("", True)


async def test_a_request_of_parts_does_the_possible_ones_and_refuses_the_others() -> None:
    case = {
        "id": "hb-1", "home": "h", "type": "multi3_mix", "n_sub": 3, "must_refuse": False,
        "utterance": "Raise the light in the den by 20%, set the humidifier intensity in the den to 55, "
        "and turn on the fan in the attic.",
        "expected": [
            {"device": "den.light", "command": "set_brightness", "args": ["50"]},
            {"device": "den.humidifier", "command": "set_intensity", "args": ["55"]},
            {"error": True},
        ],
    }  # fmt: skip
    result = await run_case(case, BENCH_HOME, perform_turn)
    assert (result["why"], result["passed"]) == ("", True)
    assert [r["text"] for r in result["refused"]] == ["turn on the fan in the attic"]


def test_a_home_is_told_in_our_words() -> None:
    home = HomeAssistant().home({}, HA_HOME)
    assert {d.id: d.type for d in home.devices} == {
        "light.den": "light", "cover.den": "cover", "binary_sensor.leak": "water_leak", "sensor.flow": "sensor",
    }  # fmt: skip
    assert home.states["cover.den"] == {"cover": "open"}
    assert home.states["binary_sensor.leak"] == {"water_leak": False}
    bench = HomeBench().home({}, BENCH_HOME)
    assert bench.devices[1].config["levels"] == {"intensity": {"min": 0.0, "max": 100.0}}
    assert [d.name for d in DeviceActions().home({}, ACTION_HOME).devices] == ["Den Lamp", "Radio"]


async def test_nothing_but_words_home_place_surface_and_time_reaches_the_turn() -> None:
    seen: list[Any] = []

    async def spy(devices: Any, states: Any, words: str, **more: Any) -> TurnResult:
        seen.append((sorted(d.id for d in devices), words, more))
        return TurnResult(answer="ok")

    case = {
        "id": "had-1", "dataset": "assist", "flags": [], "utterance": "go", "home": "h", "context_device": "light.den",
        "satellite_area": "Den", "now": "2026-01-05T08:00+01:00", "initial": {}, "kind": "control", "expected": [],
        "ignore": {}, "expect_response_any": ["secret"], "category": "c",
    }  # fmt: skip
    await run_case(case, HA_HOME, spy)
    (_, words, more), = seen  # fmt: skip
    assert words == "go"
    assert set(more) == {"now", "area", "device_id", "unit_system", "areas", "floors"}
    assert (more["area"], more["device_id"], more["now"].isoformat()) == (
        "Den",
        "light.den",
        "2026-01-05T08:00:00+01:00",
    )


async def test_a_turn_that_breaks_is_a_failed_case_and_not_the_end(tmp_path: Path) -> None:
    async def breaks(*_: Any, **__: Any) -> TurnResult:
        raise RuntimeError("boom")

    cases = tmp_path / "cases.jsonl"
    case = {"id": "hda-1", "utterance": "go", "home": "h", "target_ids": [], "action": "Open"}
    cases.write_text(json.dumps(case) + "\n" + json.dumps({**case, "id": "hda-2"}) + "\n")
    (tmp_path / "homes").mkdir()
    (tmp_path / "homes" / "all_homes.json").write_text(json.dumps({"h": ACTION_HOME}))
    results = await run_file(cases, None, None, breaks)
    assert [(r["id"], r["passed"], r["why"]) for r in results] == [
        ("hda-1", False, "RuntimeError: boom"), ("hda-2", False, "RuntimeError: boom"),
    ]  # fmt: skip
    assert len(await run_file(cases, tmp_path / "homes", 1, breaks)) == 1
    assert "device actions" in table(results)


async def test_a_file_that_cannot_be_read_is_said_in_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "cases.jsonl"
    broken.write_text("{nope")
    with pytest.raises(InvalidInput, match=r"cannot be read as JSON lines"):
        await run_file(broken, None, None, perform_turn)
    broken.write_text(json.dumps({"id": "hda-1", "utterance": "x", "home": "gone", "target_ids": [], "action": "Open"}))
    with pytest.raises(InvalidInput, match="no home gone"):
        await run_file(broken, None, None, perform_turn)


def test_the_interval_is_wilsons() -> None:
    assert [round(x, 1) for x in wilson(8, 10)] == [80.0, 49.0, 94.3]
    assert wilson(0, 0) == (0.0, 0.0, 0.0)
