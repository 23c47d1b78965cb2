"""Every verdict of the gate as a table: run it and put its output into `gate_table.txt` when a change is meant."""

from collections.abc import Iterator
from itertools import product
from typing import Any, Final

from homeguard.gate import Verdict, decide
from homeguard.model import ALL_SCOPES, Effect, Principal, Turn

ROLES: Final = ("owner", "member", "guest", "admin")
CALLERS: Final = ("person", "agent", "client", "automation", "system", "stranger")
#: By what a token holds at most.
SCOPES: Final = ("none", "read", "control", "sensitive", "manage")
EFFECTS: Final = {
    "T0 read": Effect(kind="read"),
    "T1 lock": Effect(kind="device", device_type="lock", command="lock", set={"lock": "locked"}),
    "T1 remember": Effect(kind="remember"),
    "T2 heater on": Effect(kind="device", device_type="heater", command="turn_on", set={"on": True}),
    "T3 unlock": Effect(kind="device", device_type="lock", command="unlock", set={"lock": "unlocked"}),
    "T4 roles": Effect(kind="change_role"),
}
#: The columns, in this order: granted, stated, tainted, budget used up.
COLUMNS: Final = tuple(product((False, True), repeat=4))
_LETTERS: Final = {
    "role-guest": "g", "role-unknown": "u", "unknown-caller": "c", "never-for-others": "o", "budget-t3": "b",
    "no-grant": "n", "tainted": "t",
}  # fmt: skip


def scopes_up_to(name: str) -> frozenset[str]:
    return frozenset(SCOPES[1 : SCOPES.index(name) + 1])


def principal(role: str, caller: str, scopes: frozenset[str] = ALL_SCOPES, *, is_tainted: bool = False) -> Principal:
    turn = Turn(id="t", thread_id="th", words="", tainted=is_tainted) if caller == "agent" else None
    rest: dict[str, Any] = {"role": role, "caller": caller, "scopes": scopes}
    return Principal(home_id="h", user_id="u", turn=turn, **rest)


def verdict(effect: Effect, role: str, caller: str, scope: str, column: tuple[bool, ...]) -> Verdict:
    granted, stated, is_tainted, is_used_up = column
    return decide(
        effect,
        None,
        principal(role, caller, scopes_up_to(scope), is_tainted=is_tainted),
        stated=stated,
        granted=granted,
        recent_t3=3 if is_used_up else 2,
    )


def letter(verdict: Verdict) -> str:
    """`A` allow, `?` ask, `T` ask because of taint, small letters are refusals by their rule (`s` a scope)."""
    if verdict.decision == "allow":
        return "A"
    if verdict.decision == "ask":
        return "T" if verdict.rule == "tainted" else "?"
    return "s" if verdict.rule.startswith("scope-") else _LETTERS[verdict.rule]


def rows() -> Iterator[str]:
    yield "# columns: " + " ".join(
        "+".join(name for name, is_so in zip(("granted", "stated", "tainted", "used-up"), column, strict=True) if is_so)
        or "-"
        for column in COLUMNS
    )
    yield "# A allow, ? ask, T ask: tainted; refused: s scope, g guest, u no member, c unknown caller, o owner only,"
    yield "#   b budget, n nobody approved, t tainted"
    for name, role, caller, scope in product(EFFECTS, ROLES, CALLERS, SCOPES):
        cells = "".join(letter(verdict(EFFECTS[name], role, caller, scope, column)) for column in COLUMNS)
        yield f"{name:<13}{role:<7}{caller:<11}{scope:<10}{cells}"


if __name__ == "__main__":
    print("\n".join(rows()))
