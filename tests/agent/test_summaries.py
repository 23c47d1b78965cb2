"""What is told of many things in one breath is judged thing by thing: true summaries stand, one wrong word is found."""

import random
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.evidence import check, happenings
from agent.evidence.check import UNSUPPORTED, checked, may_be_shown
from agent.evidence.facts import Facts, gather
from agent.evidence.sentences import split
from agent.graph.state import said_to_json
from agent.models.offline.planner import OfflinePlanner
from evals.virtual_home import VirtualHome, say
from homeguard.clock import iso
from homeguard.model import Device

sys.path.insert(0, str(Path(__file__).parent))
import summaries
from situations import event

NOW = datetime(2026, 11, 21, 22, 30, tzinfo=ZoneInfo("America/New_York"))
DAYS = 8
QUESTIONS = (
    "What happened today?", "What happened yesterday?", "What happened last night?", "What happened in the last hour?",
    "Was there any motion today?", "How often was the back door unlocked today?",
    "When was the front door last unlocked?",
    "Was the garage opened yesterday?", "Who was at the door today?",
)  # fmt: skip


def _device(device_id: str, name: str, kind: str, capabilities: Sequence[str], area: str, **config: Any) -> Device:
    return Device(
        home_id="h", id=device_id, name=name, type=kind, capabilities=tuple(capabilities), area=area, config=config
    )


HOUSE: dict[str, tuple[Device, dict[str, Any]]] = {
    "front_door_lock": (
        _device("front_door_lock", "Front door lock", "lock", ["lock"], "Entrance"),
        {"lock": "locked"},
    ),
    "back_door_lock": (_device("back_door_lock", "Back door lock", "lock", ["lock"], "Kitchen"), {"lock": "unlocked"}),
    "front_door": (
        _device("front_door", "Front door", "contact", ["contact"], "Entrance", placement="door"),
        {"open": False},
    ),
    "garage_door": (
        _device("garage_door", "Garage door", "garage_door", ["position"], "Garage"),
        {"cover": "closed", "position_pct": 0},
    ),
    "hall_motion": (_device("hall_motion", "Hallway motion", "motion", ["motion"], "Hallway"), {"motion": False}),
    "living_motion": (
        _device("living_motion", "Living room motion", "motion", ["motion"], "Living room"),
        {"motion": False},
    ),
    "doorbell": (_device("doorbell", "Doorbell", "doorbell", ["camera", "motion"], "Entrance"), {"motion": False}),
}
#: Device -> its kinds of events and how many in two days.
HABITS = {
    "front_door_lock": (("door_unlocked", "door_locked"), 12), "back_door_lock": (("door_unlocked", "door_locked"), 10),
    "front_door": (("door_open", "door_closed"), 12), "garage_door": (("garage_open", "garage_closed"), 8),
    "hall_motion": (("motion_detected", "motion_stopped"), 60), "living_motion": (("motion_detected",), 50),
    "doorbell": (("doorbell_pressed",), 4),
}  # fmt: skip


def two_days(seed: int) -> list[dict[str, Any]]:
    """What the devices reported until now, newest first; two events of one device are five minutes apart."""
    chance = random.Random(seed)
    rows = []
    for device_id, (kinds, most) in HABITS.items():
        minutes = sorted(chance.sample(range(1, 576), chance.randint(0, most)))
        for minute in minutes:
            at = iso(NOW - timedelta(minutes=5 * minute))
            name = HOUSE[device_id][0].name
            rows.append({**event(device_id, name, chance.choice(kinds), at), "event_id": f"{device_id}-{minute}"})
    return sorted(rows, key=lambda row: str(row["at"]), reverse=True)


async def told(seed: int, question: str) -> tuple[str, Facts]:
    """The planner's own words of such days, and what its turn knows."""
    page = {"get_recent_events": {"events": two_days(seed), "next_cursor": None, "truncated": False}}
    home = VirtualHome(
        [d for d, _ in HOUSE.values()],
        {i: s for i, (_, s) in HOUSE.items()},
        unit_system="us",
        time_zone="America/New_York",
        outputs=page,
    )
    turn, messages = await say(home, question, now=NOW)
    written = [said_to_json(m) for m in messages]
    return turn.answer, gather(
        [r for m in written for r in m.get("results", ())],
        (),
        calls=[c for m in written for c in m.get("calls", ())],
        words=question,
        now=NOW,
        zone=ZoneInfo("America/New_York"),
    )


@pytest.mark.parametrize("question", QUESTIONS)
async def test_what_the_planner_tells_of_a_day_is_shown_as_it_is(question: str) -> None:
    for seed in range(DAYS):
        answer, facts = await told(seed, question)
        assert checked(answer, (), facts)[0] == answer
        assert all(may_be_shown(s, (), facts) for s in split(answer)), answer


def falsified(answer: str) -> Iterator[str]:
    """The same answer with one thing wrong: the last count, the clocks of two parts, what was done."""
    first = split(answer)[0]
    parts = first.split("; ")
    counts = list(re.finditer(r"\b(?:once|twice|\d+ times)\b", first))
    if counts:
        last = counts[-1]
        said = {"once": "1", "twice": "2"}.get(last.group(0), last.group(0).split()[0])
        yield f"{first[: last.start()]}{int(said) + 1} times{first[last.end() :]}"
    clocks = [re.search(r"\d+:\d\d [AP]M", part) for part in parts]
    for one, other in zip(range(len(parts)), range(1, len(parts)), strict=False):
        a, b = clocks[one], clocks[other]
        days = ["yesterday" in parts[i].partition("recently")[2] for i in (one, other)]
        if a and b and a.group(0) != b.group(0) and days[0] == days[1]:
            swapped = list(parts)
            swapped[one] = parts[one].replace(a.group(0), b.group(0))
            swapped[other] = parts[other].replace(b.group(0), a.group(0))
            yield "; ".join(swapped)
            break
    for verb, contrary in (
        ("was unlocked", "was locked"),
        ("was opened", "was closed"),
        ("saw motion", "saw a person"),
    ):
        if verb in first and f"{verb} and" not in first and " and" not in first.partition(verb)[2].partition(";")[0]:
            yield first.replace(verb, contrary, 1)


async def survivors() -> tuple[int, list[str]]:
    """How many falsified summaries there were, and those that are shown."""
    made, shown = 0, []
    for question in QUESTIONS[:5]:
        for seed in range(DAYS):
            answer, facts = await told(seed, question)
            for lie in falsified(answer):
                made += 1
                if checked(lie, (), facts)[0].strip() == lie.strip() or may_be_shown(lie, (), facts):
                    shown.append(f"{question} {answer} -> {lie}")
    return made, shown


async def test_a_summary_with_one_wrong_count_clock_or_verb_is_mended() -> None:
    made, shown = await survivors()

    assert made >= 90
    # a night has no fixed beginning: one too many from eight o'clock on may be right from six
    assert len(shown) <= made // 100, shown


async def test_a_check_that_does_not_count_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(happenings, "miscounted", lambda *_: ("", set(range(100))))

    made, shown = await survivors()
    assert len(shown) > made // 4


def test_true_summaries_of_a_language_model_stand() -> None:
    told_of = summaries.answers()
    cut = [a for situation, a in told_of if checked(a, situation.commands, situation.facts())[0] != a]

    assert len(told_of) >= 80
    assert cut == []


def test_summaries_with_a_lie_in_them_lose_its_sentence() -> None:
    shown = []
    for situation, answer, lie in summaries.lies():
        facts = situation.facts()
        written = "".join(s for s in split(answer) if may_be_shown(s, situation.commands, facts))
        if lie in checked(answer, situation.commands, facts)[0] or lie in written:
            shown.append(answer)

    assert len(summaries.lies()) >= 80
    assert shown == []


def test_a_check_of_whole_sentences_would_let_the_lies_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_part_faults", lambda *_, computed=False: [])
    monkeypatch.setattr(happenings, "miscounted", lambda *_: ("", set()))

    assert all(may_be_shown(lie, s.commands, s.facts()) for s, _, lie in summaries.lies())


async def test_the_planners_summary_goes_through_a_whole_turn_unchanged(open_house: Any) -> None:
    async with open_house(models=[OfflinePlanner()]) as house:
        await house.say("Lock the back door")
        turn = await house.say("What happened today?")

    assert "ack door" in turn.answer
    assert UNSUPPORTED not in turn.answer
    assert "".join(str(t["text"]) for t in turn.all("token")) == turn.answer


async def test_a_part_that_is_not_done_is_told_once_as_refused(open_house: Any) -> None:
    """What is read and done on the way makes no second one of it."""
    async with open_house(models=[OfflinePlanner()]) as house:
        turn = await house.say("Lock the back door, turn on the sauna and tell me the temperature")

    assert [r["text"] for r in turn.all("answer")[0]["refusals"]] == ["turn on the sauna"]
