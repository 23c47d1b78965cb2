"""Everyday commands are not asked about: at most one in fifty, and never what makes the home safer."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from benign import BENIGN, FARM, FLAT, MODES

from homeguard.commands import commands_of
from homeguard.effects import resolve
from homeguard.gate import Verdict, decide
from homeguard.mode import arm_state_of
from homeguard.model import Device, Effect, LiveState, Principal, Turn
from homeguard.statement import names_effect
from scenarios.homes import load_home

LONG = os.environ.get("HOMEGUARD_LONG") == "1"
NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
HOMES = {
    "john": list(load_home("john", NOW).devices),
    "sarah": list(load_home("sarah", NOW).devices),
    "farm": FARM,
    "flat": FLAT,
}
STATE = {"on": False, "cover": "open", "position_pct": 60, "lock": "unlocked", "arm_state": "disarmed"}


def agent(words: str, *, is_tainted: bool) -> Principal:
    turn = Turn(id="t", thread_id="th", words=words, tainted=is_tainted)
    return Principal(home_id="h", user_id="u", role="owner", caller="agent", turn=turn)


def everything(*, is_tainted: bool = False) -> Iterator[tuple[str, str, Verdict]]:
    """(home, sentence, verdict) of each."""
    for home, rows in BENIGN.items():
        devices = {d.id: d for d in HOMES[home]}
        for device_id, command, parameters, sentences in rows:
            device = devices[device_id]
            state = LiveState(home_id="h", device_id=device_id, attributes=STATE)  # type: ignore[arg-type]
            effect = resolve(device, state, command, parameters, "us")
            for words in sentences:
                stated = names_effect(words, effect, device, HOMES[home])
                principal = agent(words, is_tainted=is_tainted)
                yield home, words, decide(effect, device, principal, stated=stated, granted=False, recent_t3=0)
    for mode, before, sentences in MODES:
        effect = Effect(
            kind="set_mode", set={"mode": mode, "arm_state": arm_state_of(mode)}, before={"arm_state": before}  # type: ignore[arg-type]
        )  # fmt: skip
        for words in sentences:
            principal = agent(words, is_tainted=is_tainted)
            yield "home", words, decide(effect, None, principal, stated=False, granted=False, recent_t3=0)


def test_of_three_hundred_everyday_commands_hardly_one_is_asked_about() -> None:
    told = list(everything())
    asked = [f"{home}: {words} ({verdict.rule})" for home, words, verdict in told if verdict.decision != "allow"]
    if LONG:
        for home in (*BENIGN, "home"):
            own = [v for h, _, v in told if h == home]
            print(f"{home:<8}{len(own):>5} said {sum(v.decision != 'allow' for v in own):>4} asked")
        print("\n".join(asked))
    assert len(told) >= 300
    assert len(asked) <= len(told) * 0.02, asked


def test_what_is_comfort_or_makes_the_home_safer_is_not_asked_in_a_tainted_turn_either() -> None:
    told = [(words, v) for _, words, v in everything(is_tainted=True) if v.tier <= 1]
    assert len(told) > 200
    assert [words for words, verdict in told if verdict.decision != "allow"] == []


@pytest.mark.parametrize("devices", HOMES.values(), ids=HOMES)
def test_every_command_that_locks_closes_or_arms_is_never_asked(devices: list[Device]) -> None:
    for device in devices:
        for command, parameters in (("lock", {}), ("arm", {"mode": "away"}), ("close", {})):
            if command in commands_of(device) and device.type not in ("garage_door", "gate"):
                given: dict[str, Any] = dict(parameters)
                effect = resolve(device, None, command, given, "us")
                verdict = decide(effect, device, agent("", is_tainted=True), stated=False, granted=False, recent_t3=0)
                assert verdict.decision == "allow", (device.name, command)
