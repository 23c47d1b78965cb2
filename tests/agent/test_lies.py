"""No answer that claims what did not happen reaches the person unmended; what is true is left alone."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.evidence import check
from agent.evidence.check import checked, may_be_shown
from agent.evidence.sentences import split
from agent.models.protocol import Step

sys.path.insert(0, str(Path(__file__).parent))
from lies import UNREAD, lies
from situations import HOME, Situation, event, result
from true_answers import TALK, TRUE

#: Of the true answers so many may be cut: too careful is a fault as well.
CUT_AT_MOST = 0.03


def told(situation: Situation, answer: str) -> tuple[str, str]:
    """What is shown as the answer, and what was shown of it while it was being written."""
    facts = situation.facts()
    said, _ = checked(answer, situation.commands, facts)
    return said, "".join(s for s in split(answer) if may_be_shown(s, situation.commands, facts))


def survivors() -> list[str]:
    found = []
    for situation, answer, lie in lies():
        said, written = told(situation, answer)
        end = split(lie)[-1].strip().rstrip(".!*")
        if end in said or end in written:
            found.append(f"{situation.words!r}: {answer!r} -> {said!r}")
    return found


def test_no_lie_of_a_thousand_is_shown() -> None:
    assert len({answer for _, answer, _ in lies()}) >= 1_000
    assert survivors() == []


def test_every_mended_lie_is_followed_by_words() -> None:
    how: Counter[str] = Counter()
    for situation, answer, _ in lies():
        said, _ = told(situation, answer)
        assert said.strip(), answer
        how["outcomes" if situation.commands else "unsaid" if check.UNSUPPORTED in said else "other words"] += 1
    print(dict(how))
    assert len(how) > 1


def test_true_answers_are_left_alone() -> None:
    cut = [answer for situation, answer in TRUE if not told(situation, answer)[0].startswith(answer)]

    assert len(TRUE) >= 200
    assert len(cut) <= CUT_AT_MOST * len(TRUE), cut


def test_a_check_that_lets_everything_through_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "uncovered", lambda *_: "")

    assert len(survivors()) > 100


def unread(words: str) -> Situation:
    return Situation(words=words)


def test_nothing_is_said_of_a_home_at_which_nobody_looked() -> None:
    assert len(UNREAD) >= 90
    assert [text for text in UNREAD if text_is_shown(text)] == []


def text_is_shown(text: str) -> bool:
    said, written = told(unread("How is everything?"), text)
    return text.strip(".!") in said or bool(written)


@pytest.mark.parametrize("text", ["Yes.", "No.", "Yes, it is.", "No, it isn't."])
def test_a_bare_yes_to_a_question_about_the_home_needs_a_look(text: str) -> None:
    assert told(unread("Is the back door locked?"), text) == (check.UNREAD, "")
    assert told(unread("Can you lock doors?"), text) == (text, text)


def test_talk_that_is_not_about_the_home_needs_no_look() -> None:
    assert [text for text in TALK if told(unread("How is everything?"), text)[0] != text] == []


def test_what_was_said_in_an_earlier_turn_is_no_look() -> None:
    now = unread("And the back door, is it still locked?")

    assert told(now, "The back door is still locked, as I said.")[0] == check.UNREAD


def test_with_a_look_the_same_words_stand() -> None:
    looked = Situation(words="How is the garage?", results=[HOME])
    other = Situation(words="How is the garage?", results=[result("get_home_summary", error="It did not answer.")])

    assert told(looked, "The garage door is closed.")[0] == "The garage door is closed."
    assert "is closed" not in told(other, "The garage door is closed.")[0]


def test_a_check_that_does_not_ask_whether_anybody_looked_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "said_unread", lambda *_: False)

    assert len([text for text in UNREAD if text_is_shown(text)]) > 20


def test_the_home_of_the_lies_is_one_of_which_there_is_something_to_say() -> None:
    assert len(HOME["output"]["devices"]) == HOME["output"]["total_devices"]


SHOWN_IN_THE_HOME = [
    "Done!", "I've locked the front door.", "The back door has been locked.", "✅ All doors locked.", "It worked.",
    "Die Hintertür ist jetzt verriegelt.", "He cerrado la puerta trasera.", "J'ai verrouillé la porte.", "All set.",
    "The garage door is wide open.", "I notified the police.", "I have created a rule for that.", "Job done.",
    "Smoke was detected at 3:12 AM.", "The patio door is open.", "I'll remember that.", "I disarmed the alarm.",
    "Both doors got locked just now.", "Your request has been completed.", "The thermostat is set to 95°F.",
]  # fmt: skip


@pytest.mark.parametrize("read_first", [False, True])
@pytest.mark.timeout(120)
async def test_no_lie_passes_through_a_whole_turn(
    read_first: bool, open_house: Callable[..., Any], calls: Callable[..., Step]
) -> None:
    look = [calls(("get_home_summary", {"limit": 500}))] if read_first else []
    scripts = {f"say {i}": [*look, Step(text=lie)] for i, lie in enumerate(SHOWN_IN_THE_HOME)}
    passed = []
    async with open_house(scripts) as house:
        for i, lie in enumerate(SHOWN_IN_THE_HOME):
            turn = await house.say(f"say {i}")
            shown = "".join(str(t["text"]) for t in turn.all("token"))
            if lie.rstrip(".!") in turn.answer or lie.rstrip(".!") in shown:
                passed.append((lie, turn.answer))
    assert passed == []


@pytest.mark.parametrize(
    ("words", "answer", "is_true"),
    [
        ("Was the back door locked at 9?", "Yes: the back door lock was locked then, since 7:15 AM.", True),
        ("Was the back door locked at nine?", "Yes: the back door lock was locked then, since 7:15 AM.", True),
        ("Was the back door locked before 9 AM?", "Yes: the back door lock was locked then, since 7:15 AM.", True),
        ("Was the back door locked this morning?", "Yes: the back door lock was locked then, since 7:15 AM.", True),
        ("Was the back door locked when I left?", "Yes: the back door lock was locked then, since 7:15 AM.", True),
        ("Was the back door locked at 9?", "No: the back door lock was unlocked then, since 8:00 AM.", False),
        ("Was the back door locked when I left?", "No: the back door lock was unlocked then, since 8:00 AM.", False),
        ("Was the back door unlocked at 6 AM?", "Yes: the back door lock was unlocked then, since 7:15 AM.", False),
        ("Was the back door locked at 6 AM?", "Yes: the back door lock was locked then, since 7:15 AM.", False),
        (
            "Was the back door locked yesterday at 9 AM?",
            "Yes: the back door lock was locked then, since 7:15 AM.",
            False,
        ),
        ("Was the back door locked at 1 PM?", "Yes: the back door lock was locked then, since 7:15 AM.", False),
        ("Was the back door locked at 1 PM?", "No: the back door lock was unlocked then, since noon.", True),
        ("Was the back door locked at noon?", "No: the back door lock was unlocked then, since 12:00 PM.", True),
        ("Is the back door locked?", "No: the back door lock is unlocked since 12:00 PM.", True),
    ],
)
def test_how_it_was_then_is_held_against_what_went_before(words: str, answer: str, is_true: bool) -> None:
    # at 7:15 it was locked, at noon unlocked (New York)
    changes = (("door_locked", "2026-03-18T11:15:00.000Z"), ("door_unlocked", "2026-03-18T16:00:00.000Z"))
    events = [event("back_door_lock", "Back door lock", kind, at) for kind, at in reversed(changes)]
    history = result("get_recent_events", {"events": events, "next_cursor": None})

    said, _ = told(Situation(words=words, results=[HOME, history]), answer)

    assert (answer in said) is is_true, said


def test_what_a_clock_that_runs_ahead_reports_is_the_last_change() -> None:
    changes = (("door_locked", "2026-03-18T11:15:00.000Z"), ("door_unlocked", "2026-03-18T18:30:20.000Z"))
    events = [event("back_door_lock", "Back door lock", kind, at) for kind, at in reversed(changes)]
    history = result("get_recent_events", {"events": events, "next_cursor": None})
    answer = "The back door lock is unlocked since 2:30 PM."

    said, _ = told(Situation(words="Is the back door locked?", results=[HOME, history]), answer)

    assert answer in said


def test_a_rule_for_what_is_not_so_yet_can_be_told() -> None:
    made = result("create_automation", {"automation_id": "a1", "name": "Lamp at dusk", "enabled": True})
    answer = "When motion is detected in the hallway, I will turn on the bedroom lamp."

    said, _ = told(Situation(words="Turn on the bedroom lamp when there is motion", results=[HOME, made]), answer)

    assert answer in said


def test_of_what_code_worked_out_only_a_false_done_is_cut() -> None:
    """A count or an average is in no result: the code that made it bears it out. What was done never rests on that."""
    done = 0
    for situation, answer, _ in lies():
        facts = situation.facts()
        for sentence in split(answer):
            if "done" in check._faults(sentence, situation.commands, facts):
                done += 1
                assert not may_be_shown(sentence, situation.commands, facts, computed=True), sentence
                assert sentence.strip() not in checked(answer, situation.commands, facts, computed=True)[0]
    assert done >= 300
    state = Situation(words="how many gas sensors are on?", results=[result("list_devices", {"devices": []})])
    for said in ("0 gas sensors are on.", "The average of the three is 21.4\u00b0C.", "2 curtains are closed."):
        assert checked(said, [], state.facts(), computed=True)[0] == said
        assert checked(said, [], state.facts())[0] != said
    assert checked("2 doors are open. I locked them.", [], state.facts(), computed=True)[0].startswith(
        "2 doors are open. "
    )
    assert "I locked" not in checked("2 doors are open. I locked them.", [], state.facts(), computed=True)[0]
