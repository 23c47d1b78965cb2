"""What stands for the card: the table of the fire, and a guest's window at its edges."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from homeguard import permissions
from homeguard.errors import InvalidInput
from homeguard.model import ArmState, Effect
from homeguard.permissions import (
    Circumstances,
    Evidence,
    Permission,
    Sighting,
    Source,
    checked,
    is_intrusion,
    ruling,
)

NOW = datetime(2024, 7, 18, 13, 58, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
TABLE = Path(__file__).parent / "fire_table.txt"
UNLOCK = Effect(
    kind="device", device_id="front", device_name="Front door", device_type="lock", command="unlock",
    set={"lock": "unlocked"}, before={"lock": "locked"},
)  # fmt: skip
FIRE = Permission(
    id="f", home_id="h", name="Way out", kind="fire_egress", device_ids=("front",), created_at=NOW - 30 * DAY
)
VISIT = Permission(
    id="g", home_id="h", name="Mom", kind="guest_window", device_ids=("front",), created_at=NOW - DAY,
    valid_from=NOW - 28 * MINUTE, valid_until=NOW + 242 * MINUTE, evidence=Evidence(person="Mom"),
)  # fmt: skip
SMOKE = Source(
    device_id="smoke_kitchen", hardware_id="a", kind="smoke", at=NOW, is_authenticated=True, is_healthy=True,
    joined_at=NOW - 30 * DAY,
)  # fmt: skip
HEAT = replace(SMOKE, device_id="heat_kitchen", hardware_id="b", kind="heat", at=NOW - 3 * timedelta(seconds=1))
BURNING = Circumstances(now=NOW, sources=(SMOKE, HEAT), is_occupied=True)
MOM = Sighting(by="face", who="Mom", at=NOW - timedelta(seconds=2), confidence=0.94)
AT_THE_DOOR = Circumstances(now=NOW, sighting=MOM)


def rows() -> list[list[str]]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return [line.split() for line in lines if not line.startswith(("#", "sources"))]


def verdict(row: list[str], rule: Callable[[Permission, Effect, Circumstances], permissions.Ruling] = ruling) -> str:
    sources, occupied, owner, armed, intrusion, link, sensors, joined = row[:8]
    arm_state: ArmState = "armed_night" if armed == "yes" else "disarmed"
    told = [
        replace(s, is_healthy=sensors == "fresh", joined_at=s.at - (30 * DAY if joined == "old" else 5 * MINUTE))
        for s in (SMOKE, HEAT)[: int(sources)]
    ]
    seen = Circumstances(
        now=NOW, sources=tuple(told), is_occupied=occupied == "yes", is_link_up=link == "up",
        intrusion=is_intrusion(arm_state, {"smoke", "glass_break"} if intrusion == "yes" else {"smoke"}),
    )  # fmt: skip
    permission = replace(FIRE, evidence=Evidence(when_away=owner == "also-away"))
    return "unlock" if rule(permission, UNLOCK, seen).allowed else "withhold"


def test_the_fire_opens_a_door_in_the_rows_of_the_table_and_in_no_other() -> None:
    found = [(row[:8], verdict(row)) for row in rows()]

    assert len({tuple(row[:8]) for row in rows()}) == 384
    assert [f for f, row in zip(found, rows(), strict=True) if f[1] != row[8]] == []
    assert sum(row[8] == "unlock" for row in rows()) == 6


def test_the_table_finds_a_rule_that_forgets_one_of_its_conditions() -> None:
    def forgets(**changed: object) -> Callable[[Permission, Effect, Circumstances], permissions.Ruling]:
        return lambda p, e, seen: ruling(p, e, replace(seen, **changed))  # type: ignore[arg-type]

    def trusts(p: Permission, e: Effect, seen: Circumstances, **changed: object) -> permissions.Ruling:
        told = tuple(replace(s, **changed) for s in seen.sources)  # type: ignore[arg-type]
        return ruling(p, e, replace(seen, sources=told))

    def one_is_enough(p: Permission, e: Effect, seen: Circumstances) -> permissions.Ruling:
        return ruling(p, e, replace(seen, sources=(*seen.sources, HEAT) if seen.sources else ()))

    mutants = [
        forgets(intrusion=False), forgets(is_link_up=True), forgets(is_occupied=True), one_is_enough,
        lambda p, e, seen: trusts(p, e, seen, is_healthy=True),
        lambda p, e, seen: trusts(p, e, seen, joined_at=NOW - 30 * DAY),
    ]  # fmt: skip
    assert all(any(verdict(row, mutant) != row[8] for row in rows()) for mutant in mutants)


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (replace(BURNING, sources=(SMOKE, replace(HEAT, hardware_id="a"))), "one housing"),
        (replace(BURNING, sources=(SMOKE, replace(SMOKE, hardware_id="b"))), "the same sensor twice"),
        (replace(BURNING, sources=(SMOKE, replace(HEAT, is_authenticated=False))), "not authenticated"),
        (replace(BURNING, sources=(SMOKE, replace(HEAT, kind="co"))), "carbon monoxide"),
        (replace(BURNING, sources=(SMOKE, replace(HEAT, at=NOW - 5 * MINUTE - timedelta(seconds=1)))), "too long ago"),
        (replace(BURNING, sources=(SMOKE, replace(HEAT, at=NOW + MINUTE))), "from the future"),
        (replace(BURNING, sources=(SMOKE, replace(HEAT, joined_at=None))), "nobody knows since when"),
        (replace(BURNING, sources=(SMOKE, replace(HEAT, joined_at=NOW - DAY + MINUTE))), "joined today"),
        (replace(BURNING, is_occupied=None), "nobody knows who is at home"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fire_that_is_told_by_less_opens_nothing(seen: Circumstances, why: str) -> None:
    assert ruling(FIRE, UNLOCK, BURNING).allowed
    assert not ruling(FIRE, UNLOCK, seen).allowed, why


@pytest.mark.parametrize(
    "effect",
    [
        replace(UNLOCK, device_id="back"),
        replace(UNLOCK, device_type="garage_door", command="open", set={"cover": "open"}),
        replace(UNLOCK, device_type="garage_door"),
        replace(UNLOCK, command="open"),
        replace(UNLOCK, set={"lock": "unlocked", "code": "1"}),
        replace(UNLOCK, kind="set_mode"),
        replace(UNLOCK, set={}),
    ],
)
def test_a_permission_is_for_its_own_lock_and_nothing_else(effect: Effect) -> None:
    assert not ruling(FIRE, effect, BURNING).allowed
    assert not ruling(VISIT, effect, AT_THE_DOOR).allowed


def test_a_permission_that_was_revoked_or_is_over_allows_nothing() -> None:
    for permission, seen in ((FIRE, BURNING), (VISIT, AT_THE_DOOR)):
        assert ruling(permission, UNLOCK, seen).allowed
        assert not ruling(replace(permission, revoked_at=NOW - DAY), UNLOCK, seen).allowed
        assert not ruling(replace(permission, valid_until=NOW), UNLOCK, seen).allowed
        assert not ruling(replace(permission, valid_from=NOW + MINUTE), UNLOCK, seen).allowed
        assert not ruling(permission, UNLOCK, replace(seen, intrusion=True)).allowed
        assert not ruling(permission, UNLOCK, replace(seen, is_link_up=False)).allowed


def test_a_third_source_may_be_asked_for() -> None:
    careful = replace(FIRE, evidence=Evidence(sources=3))
    third = replace(SMOKE, device_id="smoke_hall", hardware_id="c")

    assert not ruling(careful, UNLOCK, BURNING).allowed
    assert ruling(careful, UNLOCK, replace(BURNING, sources=(SMOKE, HEAT, third))).allowed


@pytest.mark.parametrize(
    ("seen", "allowed"),
    [
        (MOM, True),
        (replace(MOM, who=" mom "), True),
        (replace(MOM, confidence=0.85), True),
        (replace(MOM, confidence=0.8499), False),
        (replace(MOM, confidence=float("nan")), False),
        (replace(MOM, confidence=7.0), False),
        (replace(MOM, who="unknown"), False),
        (replace(MOM, who=""), False),
        (replace(MOM, by="code", who="c1"), False),
        (replace(MOM, at=NOW - 2 * MINUTE), False),
        (replace(MOM, at=NOW + MINUTE), False),
        (None, False),
    ],
)
def test_a_guest_is_let_in_by_their_face_when_it_is_certain(seen: Sighting | None, allowed: bool) -> None:
    assert ruling(VISIT, UNLOCK, replace(AT_THE_DOOR, sighting=seen)).allowed is allowed


@pytest.mark.parametrize(
    ("minutes", "allowed"), [(-29, False), (-28, True), (0, True), (241, True), (242, False), (362, False)]
)
def test_a_guest_is_let_in_within_the_window_only(minutes: int, allowed: bool) -> None:
    now = NOW + minutes * MINUTE
    assert ruling(VISIT, UNLOCK, Circumstances(now=now, sighting=replace(MOM, at=now))).allowed is allowed


def test_a_code_counts_for_the_window_that_names_it() -> None:
    plumber = replace(VISIT, evidence=Evidence(code_id="c1"))
    entered = Sighting(by="code", who="c1", at=NOW)

    assert ruling(plumber, UNLOCK, replace(AT_THE_DOOR, sighting=entered)).allowed
    assert not ruling(plumber, UNLOCK, replace(AT_THE_DOOR, sighting=replace(entered, who="c2"))).allowed
    assert not ruling(plumber, UNLOCK, AT_THE_DOOR).allowed


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"kind": "always"}, "kind"),
        ({"device_ids": ()}, "device_ids"),
        ({"device_ids": ("front", "front")}, "device_ids"),
        ({"device_ids": ("garage",)}, "device_ids"),
        ({"kind": "fire_egress", "evidence": Evidence(sources=1)}, "sources"),
        ({"evidence": Evidence()}, "person"),
        ({"evidence": Evidence(person="Mom", code_id="c1")}, "person"),
        ({"evidence": Evidence(person="Mom", confidence=0.5)}, "confidence"),
        ({"evidence": Evidence(person="Mom", confidence=float("nan"))}, "confidence"),
        ({"valid_from": None}, "valid_until"),
        ({"valid_until": None}, "valid_until"),
        ({"valid_until": NOW - 30 * MINUTE}, "valid_until"),
        ({"valid_from": NOW - 3 * DAY, "valid_until": NOW - 2 * DAY}, "valid_until"),
        ({"valid_until": NOW + 8 * DAY}, "valid_until"),
    ],
)
def test_what_may_not_be_asked_for_is_refused_by_its_field(changed: dict[str, object], field: str) -> None:
    good: dict[str, object] = {
        "kind": "guest_window", "device_ids": ("front",), "locks": {"front", "back"}, "now": NOW,
        "valid_from": VISIT.valid_from, "valid_until": VISIT.valid_until, "evidence": VISIT.evidence,
    }  # fmt: skip
    assert checked(**good) == "guest_window"  # type: ignore[arg-type]
    with pytest.raises(InvalidInput) as refused:
        checked(**(good | changed))  # type: ignore[arg-type]
    assert refused.value.details["field"] == field


@pytest.mark.parametrize(
    ("arm_state", "alarms", "expected"),
    [
        ("armed_night", set(), False), ("armed_night", {"smoke"}, False), ("disarmed", {"glass_break"}, True),
        ("pending", set(), True), ("triggered", set(), True), ("triggered", {"smoke"}, False),
        ("triggered", {"smoke", "door_open"}, True),
    ],
)  # fmt: skip
def test_an_alarm_about_people_is_told_from_one_about_fire(
    arm_state: ArmState, alarms: set[permissions.AlarmKind], expected: bool
) -> None:
    assert is_intrusion(arm_state, alarms) is expected
