"""All verdicts of the gate and tiers of the policy, against the tables beside; and what no table may ever say."""

import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import gate_table
import policy_table
from gate_table import CALLERS, COLUMNS, EFFECTS, ROLES, SCOPES, principal, verdict

from homeguard import gate
from homeguard.gate import Verdict, decide, is_sensitive, tier_of
from homeguard.model import ALL_SCOPES, Device, Effect, Hardware
from homeguard.policy import CONTAINS, EVIDENCE_ENTRY, EVIDENCE_ENTRY_CLOSE, EVIDENCE_HEAT, RULES, UNLISTED

HERE = Path(__file__).parent
ALL = list(product(ROLES, CALLERS, SCOPES, COLUMNS))


@pytest.mark.parametrize("table", [gate_table, policy_table], ids=["gate", "policy"])
def test_every_verdict_is_the_one_in_the_table(table) -> None:
    written = (HERE / f"{table.__name__}.txt").read_text(encoding="utf-8").splitlines()
    changed = [f"- {was}\n+ {now}" for was, now in zip(written, table.rows(), strict=True) if was != now]
    assert not changed, f"{len(changed)} rows:\n" + "\n".join(changed[:10])


def test_without_a_grant_nobody_gets_a_sensitive_effect() -> None:
    for name in ("T3 unlock", "T4 roles"):
        for role, caller, scope, column in ALL:
            if verdict(EFFECTS[name], role, caller, scope, column).decision == "allow":
                assert column[0], (name, role, caller, scope)
                assert role in ("owner", "member")


def test_nobody_but_the_owner_in_person_ever_gets_what_is_the_owners() -> None:
    allowed = {
        (role, caller)
        for role, caller, scope, column in ALL
        if verdict(EFFECTS["T4 roles"], role, caller, scope, column).decision != "refuse"
    }
    assert allowed == {("owner", "person")}


def test_who_is_no_member_changes_nothing_whatever_is_granted() -> None:
    for name, effect in EFFECTS.items():
        for role, caller, scope, column in ALL:
            told = verdict(effect, role, caller, scope, column)
            if role in ("guest", "admin") and name != "T0 read":
                assert told.decision == "refuse"
            if caller == "stranger":
                assert told.rule == "unknown-caller"


def test_what_makes_the_home_safer_is_never_asked() -> None:
    for role, caller, scope, column in ALL:
        assert verdict(EFFECTS["T1 lock"], role, caller, scope, column).decision != "ask"


def test_in_a_tainted_turn_words_open_nothing_and_no_note_is_written() -> None:
    for role, scope, column in product(("owner", "member"), ("sensitive", "manage"), COLUMNS):
        granted, _, is_tainted, _ = column
        if is_tainted:
            assert verdict(EFFECTS["T1 remember"], role, "agent", scope, column).decision == "refuse"
            if not granted:
                assert verdict(EFFECTS["T2 heater on"], role, "agent", scope, column).decision == "ask"
            assert verdict(EFFECTS["T1 lock"], role, "agent", scope, column).decision == "allow"


@pytest.mark.parametrize("kind", ["create_automation", "delete_automation", "message_contact", "webhook"])
def test_a_tainted_turn_asks_before_it_writes_rules_or_speaks_to_others(kind: str) -> None:
    agent = principal("owner", "agent", ALL_SCOPES, is_tainted=True)
    told = decide(Effect(kind=kind), None, agent, stated=True, granted=False, recent_t3=0)
    assert told == Verdict(
        decision="ask", tier=2, rule="tainted",
        reason="others' text came up in this turn: a person of this home must confirm this",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["remember", "forget", "update_household"])
def test_a_tainted_turn_writes_no_memory(kind: str) -> None:
    tainted, clean = (principal("owner", "agent", ALL_SCOPES, is_tainted=t) for t in (True, False))
    told = decide(Effect(kind=kind), None, tainted, stated=True, granted=True, recent_t3=0)
    assert (told.decision, told.rule) == ("refuse", "tainted")
    assert decide(Effect(kind=kind), None, clean, stated=False, granted=False, recent_t3=0).decision == "allow"


def test_each_refusal_says_why_in_a_sentence() -> None:
    reasons = {}
    for effect in EFFECTS.values():
        for role, caller, scope, column in ALL:
            told = verdict(effect, role, caller, scope, column)
            if told.decision != "allow":
                reasons[told.rule, told.decision, told.tier] = told.reason
    assert {(rule, decision): reason for (rule, decision, _), reason in reasons.items()} == {
        ("unknown-caller", "refuse"): "HomeGuard does not know who this is",
        ("role-guest", "refuse"): "guests can look but not change anything",
        ("role-unknown", "refuse"): "only members of this home can change anything in it",
        ("scope-read", "refuse"): "this needs the scope 'read', which this caller does not have",
        ("scope-control", "refuse"): "this needs the scope 'control', which this caller does not have",
        ("scope-sensitive", "refuse"): "this needs the scope 'sensitive', which this caller does not have",
        ("scope-manage", "refuse"): "this needs the scope 'manage', which this caller does not have",
        ("never-for-others", "refuse"): "only the owner can do this, on HomeGuard's own screens",
        ("budget-t3", "refuse"): "too many sensitive actions in ten minutes; do this one yourself",
        ("no-grant", "refuse"): "no person approved this",
        ("tainted", "refuse"): "others' text came up in this turn: tell me again, in a sentence of its own",
        ("tainted", "ask"): "others' text came up in this turn: a person of this home must confirm this",
        ("heat-on", "ask"): "a person of this home must confirm this",
        ("unlock", "ask"): "a person of this home must confirm this",
        ("people-and-rights", "ask"): "",
    }


def test_every_row_of_the_policy_is_met_and_has_a_name_of_its_own() -> None:
    ids = [rule.id for rule in RULES]
    text = (HERE / "policy_table.txt").read_text(encoding="utf-8")
    assert len(set(ids)) == len(ids)
    assert [rule for rule in [*ids, UNLISTED.id] if f" {rule}(" not in text] == []


@pytest.mark.parametrize("index", range(len(RULES)), ids=[r.id for r in RULES])
def test_a_row_that_is_missing_or_milder_shows(monkeypatch: pytest.MonkeyPatch, index: int) -> None:
    written = (HERE / "policy_table.txt").read_text(encoding="utf-8").splitlines()
    rule = RULES[index]
    for mutant in ((), (replace(rule, tier=max(rule.tier - 1, 0) if rule.tier else 1),)):
        monkeypatch.setattr(gate, "RULES", (*RULES[:index], *mutant, *RULES[index + 1 :]))
        assert list(policy_table.rows()) != written


# -- evidence --------------------------------------------------------------------------------------------------------


def thing(kind: str, name: str = "Thing", **more: object) -> Device:
    return Device(home_id="h", id=str(more.pop("id", "d1")), name=name, type=kind,
                  capabilities=more.pop("capabilities", ("on_off",)), **more)  # type: ignore[arg-type]  # fmt: skip


def judged(device: Device, command: str = "turn_on", **values: object) -> tuple[int, str]:
    return tier_of(
        Effect(kind="device", device_type=device.type, command=command, set=values or {"on": True}),  # type: ignore[arg-type]
        device,
    )


ENTRY, HEAT, COMFORT = (3, EVIDENCE_ENTRY.id), (2, EVIDENCE_HEAT.id), (1, "comfort")
DIMMABLE = ("on_off", "brightness")


@pytest.mark.parametrize(
    ("device", "wanted"),
    [
        (thing("switch", "Garage door relay"), ENTRY),
        (thing("switch", "GarageDoor"), ENTRY),
        (thing("switch", "garagedoor"), ENTRY),
        (thing("light", "Gate opener"), ENTRY),
        (thing("plug", "DoorLock2"), ENTRY),
        (thing("switch", "Gаrage dооr"), ENTRY),  # noqa: RUF001 - three of the letters are Cyrillic
        (thing("switch", "Ｌｏｃｋ"), ENTRY),  # noqa: RUF001 - full-width letters
        (thing("switch", "ga\u200brage do\u0301or"), ENTRY),
        (thing("switch", "Türöffner"), ENTRY),
        (thing("appliance", "Alarm"), ENTRY),
        (thing("group", "Portón"), ENTRY),
        (thing("button", "Electric strike"), ENTRY),
        (thing("fan", "Serrure"), ENTRY),
        (thing("light", "Gate lamp"), ENTRY),
        (thing("switch", "Gate lamp", capabilities=DIMMABLE), ENTRY),
        # renamed: its id, its alias, its model and its name at its vendor's stay
        (thing("switch", "Lamp", id="garage_door_relay"), ENTRY),
        (thing("switch", "Lamp", aliases=("the gate",)), ENTRY),
        (thing("switch", "Lamp", hardware=Hardware(id="x", model="Garage door opener")), ENTRY),
        (thing("switch", "Lamp", binding={"driver": "mqtt", "topic": "garage/door/set"}), ENTRY),
        (thing("switch", "Lamp", binding={"driver": "mqtt", "vendor_name": "Gate"}), ENTRY),
        (thing("light", "Lamp", capabilities=DIMMABLE, binding={"topic": "door release"}), ENTRY),
        # where it is says what a relay is for
        (thing("switch", "Lamp", area="Garage", hardware=Hardware(id="x", model="Relay 1")), ENTRY),
        (thing("light", "Lamp relay", capabilities=DIMMABLE, area="Driveway"), ENTRY),
        (thing("switch", "Dry contact", area="Front door"), ENTRY),
        (thing("switch", "Lamp", config={"placement": "garage"}), ENTRY),
        (thing("switch", "Lamp", config={"placement": "gate"}), ENTRY),
        (thing("light", "Lamp", capabilities=DIMMABLE, config={"placement": "door"}), ENTRY),
        (thing("plug", "Oven"), HEAT),
        (thing("appliance", "Fireplace"), HEAT),
        (thing("switch", "Hot plate"), HEAT),
    ],
)  # fmt: skip
def test_what_a_thing_says_of_itself_raises_its_tier(device: Device, wanted: tuple[int, str]) -> None:
    assert judged(device) == (wanted if device.type not in ("group", "button") or wanted != ENTRY else (3, "unlisted"))


@pytest.mark.parametrize(
    "device",
    [
        thing("switch", "Clock"), thing("switch", "Blockchain rig"), thing("plug", "Alarm clock plug"),
        thing("plug", "Clock alarm"),
        thing("plug", "Garage alarm clock door"), thing("light", "Lock of hair lamp"),
        thing("switch", "Child lock lamp"),
        thing("plug", "Bottle opener"), thing("switch", "Gate valve lamp"), thing("switch", "Gateway"),
        thing("light", "Garage light"), thing("light", "Garage door light", capabilities=DIMMABLE),
        thing("light", "Gate lamp", capabilities=DIMMABLE), thing("switch", "Relay", area="Kitchen"),
        thing("switch", "Lamp", area="Garage"), thing("switch", "Lamp", config={"placement": "window"}),
        thing("fan", "Iron fan"), thing("light", "Oven light"),
        thing("switch", "Lamp", binding={"driver": "gate", "vendor": "Lock", "base": "gate", "pin": 7}),
        thing("plug", "Ironing room lamp"), thing("plug", "Ovenbird feeder"),
    ],
    ids=lambda d: d.name,
)  # fmt: skip
def test_odd_names_of_harmless_things_raise_nothing(device: Device) -> None:
    assert judged(device) == COMFORT


def test_the_verdict_looks_at_the_device_and_at_those_that_a_rule_contains() -> None:
    agent, opener = principal("owner", "agent"), thing("switch", "Gate opener", id="g")
    on = Effect(kind="device", device_id="g", device_type="switch", command="turn_on", set={"on": True})
    rule = Effect(kind="create_automation", contains=(on,))

    def said(effect: Effect, device: Device | None, **more: Any) -> str:
        return decide(effect, device, agent, stated=True, granted=False, recent_t3=0, **more).decision

    assert [said(on, None), said(on, opener)] == ["allow", "ask"]
    assert [said(rule, None), said(rule, None, devices={"g": opener})] == ["allow", "ask"]


@pytest.mark.parametrize("kind", ["plug", "switch", "appliance"])
def test_switching_a_heater_off_is_never_asked(kind: str) -> None:
    heater = thing(kind, "Space heater")
    for command in ("turn_off", "pause", "stop", "locate"):
        assert judged(heater, command, on=False) == COMFORT
    assert judged(heater, "set_level", level=3) == HEAT
    assert judged(thing("light", "Heater"), "turn_on") == COMFORT


@pytest.mark.parametrize(
    ("device", "opening"),
    [
        (thing("cover", "Sliding door"), EVIDENCE_ENTRY.id),
        (thing("cover", "Thing", aliases=("garage",)), EVIDENCE_ENTRY.id),
        (thing("cover", "Thing", config={"placement": "garage"}), EVIDENCE_ENTRY.id),
        (thing("cover", "Door blind", config={"placement": "door"}), EVIDENCE_ENTRY.id),
        (thing("cover", "Blind", id="gate"), EVIDENCE_ENTRY.id),
        (thing("cover", "Bedroom curtain door left"), EVIDENCE_ENTRY.id),
        (thing("cover", "Blind", binding={"topic": "garage/door"}), EVIDENCE_ENTRY.id),
        (thing("cover", "Blind", id="garage_blind"), "shading"),
        (thing("cover", "Door curtain"), "shading"),
        (thing("cover", "Garage roller shutter"), "shading"),
        (thing("cover", "Thing", config={"placement": "window"}), "shading"),
        (thing("cover", "Indoor pool cover"), "shading"),
    ],
)
def test_a_cover_that_is_a_door_opens_like_one(device: Device, opening: str) -> None:
    is_door = opening == EVIDENCE_ENTRY.id
    assert judged(device, "open", position_pct=100, cover="open") == (3 if is_door else 1, opening)
    assert judged(device, "set_position", position_pct=1, cover="open") == (3 if is_door else 1, opening)
    for command in ("close", "stop"):
        wanted = (2, EVIDENCE_ENTRY_CLOSE.id) if is_door else (1, "shading")
        assert judged(device, command, position_pct=0, cover="closed") == wanted


def test_evidence_only_raises_and_never_where_the_type_is_plain_enough() -> None:
    assert judged(thing("lock", "Lamp"), "unlock", lock="unlocked") == (3, "unlock")
    assert judged(thing("media_player", "Gate opener")) == COMFORT
    assert judged(thing("valve", "Gate valve"), "close", position_pct=0, cover="closed") == (1, "water-off")
    assert tier_of(Effect(kind="remember"), thing("switch", "Gate")) == (1, "memory")


def test_a_rule_is_as_sensitive_as_the_worst_that_it_contains_however_deep() -> None:
    opener = thing("switch", "Gate", id="g")
    harmless = Effect(kind="device", device_id="l", device_type="light", command="turn_on", set={"on": True})
    relay = replace(harmless, device_id="g", device_type="switch")
    off = Effect(kind="device", device_id="s", device_type="smoke", command="turn_off", set={"on": False})

    def rule(*contains: Effect) -> Effect:
        return Effect(kind="create_automation", contains=contains)

    assert tier_of(rule(harmless), None) == (2, "automation")
    assert tier_of(rule(), None) == (2, "automation")
    assert tier_of(rule(relay), None) == (2, "automation")
    assert tier_of(rule(harmless, relay), None, {"g": opener}) == (3, CONTAINS.id)
    assert tier_of(rule(rule(rule(relay))), None, {"g": opener}) == (3, CONTAINS.id)
    assert tier_of(rule(off), None) == (4, CONTAINS.id)
    assert tier_of(replace(rule(relay), kind="unheard_of"), None, {"g": opener}) == (3, "unlisted")
    assert is_sensitive(relay, opener)
    assert not is_sensitive(relay)
    assert not is_sensitive(harmless)


@pytest.mark.parametrize(
    ("effect", "wanted"),
    [
        (Effect(kind="set_mode", set={"arm_state": "disarmed"}, before={"arm_state": "armed_home"}), "guard-lowered"),
        (Effect(kind="set_mode", set={"arm_state": "armed_night"}, before={"arm_state": "pending"}), "guard-lowered"),
        (Effect(kind="set_mode", set={"arm_state": "armed_home"}, before={"arm_state": "no such"}), "guard-lowered"),
        (Effect(kind="set_mode", set={"arm_state": "no such"}, before={"arm_state": "disarmed"}), "guard-lowered"),
        (Effect(kind="set_mode", set={"arm_state": "armed_away"}), "mode"),
        (Effect(kind="set_mode", set={"arm_state": "armed_home"}, before={"arm_state": "disarmed"}), "mode"),
        (Effect(kind="set_mode", set={"mode": "party"}), "mode"),
        (Effect(kind="device", device_type="camera", command="x", set={"recording": False}), "camera-off"),
        (Effect(kind="device", device_type="camera", command="turn_off"), "camera-off"),
        (Effect(kind="device", device_type="lock", command="unlock"), "unlock"),
        (Effect(kind="device", device_type="gate", command="set_position",
                set={"position_pct": 1, "cover": "closed"}), "entry-open"),
        (Effect(kind="device", device_type="doorbell", command="x", set={"streaming": False}), "camera-off"),
        (Effect(kind="device", device_type="camera", command="x", set={"on": False}), "camera-off"),
        (Effect(kind="device", device_type="switch", command="set_option", set={"lock": "jammed"}), "unlock"),
        (Effect(kind="device", device_type="heater", command="set_hvac_mode", set={"hvac_mode": "auto"}), "heat-on"),
        (Effect(kind="device", device_type="thermostat", command="set_level", set={"temp": "hot"}), "hvac-beyond"),
        (Effect(kind="device", device_type="garage_door", command="close", set={"cover": "closed"}), "unlisted"),
        (Effect(kind="device", device_type="garage_door", command="close", set={"position_pct": 0}), "unlisted"),
        (Effect(kind="device", device_type="gate", command="set_position",
                set={"position_pct": "0", "cover": "closed"}), "entry-open"),
        (Effect(kind="device", device_type="valve", command="set_position", set={"position_pct": 5},
                before={"position_pct": "9"}), "water-on"),
    ],
)  # fmt: skip
def test_an_effect_is_judged_by_what_it_would_make_true(effect: Effect, wanted: str) -> None:
    assert tier_of(effect, None)[1] == wanted
