"""The gate's verdicts, by effect and by who asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeguard.commands import commands_of
from homeguard.effects import resolve
from homeguard.gate import decide, tier_of
from homeguard.model import ALL_SCOPES, Device, Effect, LiveState, Principal
from homeguard.vocabulary import DEVICE_TYPES


def device(kind: str, name: str = "", **more: object) -> Device:
    return Device(
        home_id="h", id=f"{kind}_1", name=name or kind, type=kind, capabilities=DEVICE_TYPES[kind].capabilities, **more
    )  # type: ignore[arg-type]


def effect_on(d: Device, command: str, state: dict[str, object] | None = None, **parameters: object) -> Effect:
    live = LiveState(home_id="h", device_id=d.id, attributes=state or {})  # type: ignore[arg-type]
    return resolve(d, live, command, parameters, "us")


def who(caller: str = "agent", role: str = "owner", scopes: frozenset[str] = ALL_SCOPES) -> Principal:
    return Principal(home_id="h", user_id="u", role=role, caller=caller, scopes=scopes)  # type: ignore[arg-type]


TIERS = [
    ("lock", "lock", {}, {}, 1),
    ("lock", "unlock", {}, {}, 3),
    ("garage_door", "open", {"position_pct": 0}, {}, 3),
    ("garage_door", "close", {"position_pct": 100}, {}, 2),
    ("garage_door", "set_position", {"position_pct": 0}, {"position_pct": 1}, 3),
    ("garage_door", "set_position", {"position_pct": 80}, {"position_pct": 30}, 3),
    ("garage_door", "set_position", {}, {"position_pct": 30}, 3),
    ("garage_door", "toggle", {"cover": "closed", "position_pct": 0}, {}, 3),
    ("gate", "open", {}, {}, 3),
    ("alarm_panel", "arm", {"arm_state": "disarmed"}, {"mode": "away"}, 1),
    ("alarm_panel", "arm", {"arm_state": "armed_away"}, {"mode": "home"}, 3),
    ("alarm_panel", "disarm", {"arm_state": "armed_away"}, {}, 3),
    ("alarm_panel", "disarm", {}, {}, 3),
    ("siren", "turn_off", {}, {}, 3),
    ("camera", "turn_off", {}, {}, 3),
    ("camera", "record", {}, {"duration_s": 10}, 1),
    ("thermostat", "set_temperature", {}, {"value": 72}, 1),
    ("thermostat", "set_temperature", {}, {"value": 80}, 1),
    ("thermostat", "set_temperature", {}, {"value": 81}, 2),
    ("thermostat", "set_temperature", {}, {"value": 50}, 2),
    ("heater", "turn_on", {}, {}, 2),
    ("heater", "turn_off", {}, {}, 1),
    ("valve", "open", {}, {}, 2),
    ("valve", "close", {"position_pct": 100}, {}, 1),
    ("sprinkler", "turn_on", {}, {}, 2),
    ("light", "turn_off", {}, {}, 1),
    ("media_player", "set_volume", {}, {"volume_pct": 10}, 1),
    ("cover", "open", {}, {}, 1),
    ("scene", "turn_on", {}, {}, 3),
    ("group", "turn_on", {}, {}, 3),
]


@pytest.mark.parametrize(("kind", "command", "state", "parameters", "tier"), TIERS)
def test_each_effect_has_its_tier(
    kind: str, command: str, state: dict[str, object], parameters: dict[str, object], tier: int
) -> None:
    d = device(kind)

    assert tier_of(effect_on(d, command, state, **parameters), d)[0] == tier


@pytest.mark.parametrize(
    ("kind", "name", "tier"),
    [
        ("switch", "Garage door relay", 3),
        ("light", "Gate opener", 3),
        ("plug", "Space heater", 2),
        ("switch", "Clock", 1),
        ("light", "Garage light", 1),
        ("light", "Gate light", 1),
        ("switch", "Gate light", 3),
        ("plug", "Blockchain rig", 1),
    ],
)
def test_evidence_in_a_name_raises_the_tier_by_whole_words_only(kind: str, name: str, tier: int) -> None:
    d = device(kind, name)

    assert tier_of(effect_on(d, "turn_on"), d)[0] == tier


def test_a_sensitive_effect_is_asked_of_everyone_but_an_automation_that_no_one_approved() -> None:
    d = device("lock")
    unlock = effect_on(d, "unlock")
    verdicts = {c: decide(unlock, d, who(c), stated=True, granted=False, recent_t3=0).decision for c in
                ("person", "agent", "client", "automation", "system")}  # fmt: skip

    assert verdicts == {"person": "ask", "agent": "ask", "client": "ask", "automation": "refuse", "system": "refuse"}


def test_a_grant_lets_exactly_this_through() -> None:
    d = device("lock")

    assert decide(effect_on(d, "unlock"), d, who(), stated=False, granted=True, recent_t3=0).decision == "allow"


def test_the_agents_budget_holds_even_with_a_grant() -> None:
    d = device("lock")
    verdict = decide(effect_on(d, "unlock"), d, who(), stated=False, granted=True, recent_t3=3)

    assert (verdict.decision, verdict.rule) == ("refuse", "budget-t3")


def test_t2_runs_when_the_words_named_it_and_asks_when_they_did_not() -> None:
    d = device("heater")
    on = effect_on(d, "turn_on")

    assert decide(on, d, who("agent"), stated=True, granted=False, recent_t3=0).decision == "allow"
    assert decide(on, d, who("agent"), stated=False, granted=False, recent_t3=0).decision == "ask"
    assert decide(on, d, who("client"), stated=False, granted=False, recent_t3=0).decision == "ask"
    assert decide(on, d, who("person"), stated=False, granted=False, recent_t3=0).decision == "allow"


def test_a_guest_changes_nothing_and_a_token_does_only_what_its_scopes_say() -> None:
    lamp, lock = device("light"), device("lock")
    on, unlock = effect_on(lamp, "turn_on"), effect_on(lock, "unlock")
    default = frozenset(("read", "control"))

    assert decide(on, lamp, who(role="guest"), stated=True, granted=True, recent_t3=0).rule == "role-guest"
    assert decide(
        on, lamp, who("client", scopes=frozenset(("read",))), stated=False, granted=False, recent_t3=0
    ).rule == ("scope-control")
    assert decide(unlock, lock, who("client", scopes=default), stated=False, granted=False, recent_t3=0).rule == (
        "scope-sensitive"
    )


def test_an_automation_that_contains_an_unlock_is_as_sensitive_as_the_unlock() -> None:
    d = device("lock")
    rule = Effect(kind="create_automation", contains=(effect_on(d, "unlock"),))
    harmless = Effect(kind="create_automation", contains=(effect_on(device("light"), "turn_on"),))

    assert tier_of(rule, None)[0] == 3
    assert tier_of(harmless, None)[0] == 2


def test_lowering_the_guard_by_mode_is_sensitive_and_raising_it_is_not() -> None:
    down = Effect(kind="set_mode", set={"arm_state": "disarmed"}, before={"arm_state": "armed_away"})
    up = Effect(kind="set_mode", set={"arm_state": "armed_away"}, before={"arm_state": "disarmed"})
    unknown = Effect(kind="set_mode", set={"arm_state": "armed_home"})

    assert [tier_of(e, None)[0] for e in (down, up, unknown)] == [3, 1, 3]


@pytest.mark.parametrize("kind", ["change_user", "create_token", "set_pin", "firmware"])
def test_rights_are_never_changed_for_an_agent_a_client_or_an_automation(kind: str) -> None:
    for caller in ("agent", "client", "automation"):
        verdict = decide(Effect(kind=kind), None, who(caller), stated=True, granted=True, recent_t3=0)
        assert verdict.decision == "refuse"


@given(
    kind=st.text(max_size=30), command=st.text(max_size=30), caller=st.sampled_from(["agent", "client", "automation"])
)
def test_what_no_row_knows_is_never_simply_allowed(kind: str, command: str, caller: str) -> None:
    effect = Effect(kind=f"x-{kind}", command=command)

    assert decide(effect, None, who(caller), stated=True, granted=False, recent_t3=0).decision in ("ask", "refuse")


def test_every_command_of_every_type_has_a_tier_from_the_table_or_asks() -> None:
    for kind in DEVICE_TYPES:
        d = device(kind)
        for command in commands_of(d):
            tier, _ = tier_of(Effect(kind="device", device_type=kind, command=command), d)
            assert 1 <= tier <= 4, (kind, command)
