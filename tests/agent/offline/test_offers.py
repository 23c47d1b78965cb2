"""A remark is answered with an offer that fits the home; only a yes carries it out, and only what it names."""

from typing import Any

import pytest

from evals.virtual_home import VirtualHome, say
from homeguard.model import Device

PORCH = Device(home_id="h", id="porch", name="Porch Light", type="light", capabilities=("on_off",), area="Porch")
GARAGE = Device(home_id="h", id="garage", name="Garage Door", type="garage_door", capabilities=("position",))


def home(*, lit: bool, stands_open: bool) -> VirtualHome:
    return VirtualHome(
        [PORCH, GARAGE],
        {
            "porch": {"on": lit},
            "garage": {"cover": "open" if stands_open else "closed", "position_pct": 100 * stands_open},
        },
    )  # fmt: skip


async def talk(lived: VirtualHome, *said: str) -> Any:
    history: list[Any] = []
    for words in said:
        turn, history = await say(lived, words, history=history)
    return turn


@pytest.mark.parametrize(
    ("lit", "stands_open", "offered"),
    [
        (False, True, ["turn on the porch light", "close the garage door"]),
        (False, False, ["turn on the porch light"]),
        (True, True, ["close the garage door"]),
        (True, False, []),
    ],
)
async def test_the_dark_is_answered_with_what_is_left_to_do(lit: bool, stands_open: bool, offered: list[str]) -> None:
    turn = await talk(home(lit=lit, stands_open=stands_open), "It's getting dark")
    assert not turn.commands
    wanted = f"Do you want me to {' and '.join(offered)}?"
    assert (wanted in turn.answer) == bool(offered)
    assert ("?" in turn.answer) == bool(offered)


@pytest.mark.parametrize(
    ("answer", "done"),
    [
        ("yes", [("porch", "turn_on"), ("garage", "close")]),
        ("sure, go ahead", [("porch", "turn_on"), ("garage", "close")]),
        ("just the light", [("porch", "turn_on")]),
        ("only the garage please", [("garage", "close")]),
        ("no thanks", []),
    ],
)
async def test_an_answer_carries_out_what_it_names(answer: str, done: list[tuple[str, str]]) -> None:
    turn = await talk(home(lit=False, stands_open=True), "It's getting dark", answer)
    assert [(c["device_id"], c["command"]) for c in turn.commands] == done


async def test_an_offer_is_over_with_the_next_sentence() -> None:
    turn = await talk(home(lit=False, stands_open=True), "It's getting dark", "is the garage open?", "yes")
    assert not turn.commands
