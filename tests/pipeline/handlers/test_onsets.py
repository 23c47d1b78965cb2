"""When something became true: the same onsets, whatever the order in which two lanes are heard."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from pipeline_fakes import NOW, event

from homeguard.ports.log import HEARTBEATS, Record
from pipeline.handlers.observed import Heard
from pipeline.handlers.onsets import REMEMBERED, Word, hear


def report(number: int) -> Heard:
    """The n-th report of a device, a second behind the one before."""
    at = NOW + timedelta(seconds=number)
    record = Record(
        topic=HEARTBEATS, partition=0, offset=number, key="h1/smoke", value=b"", headers={}, appended_at=at
    )  # fmt: skip
    return Heard((record, event("heartbeat", "smoke", at=at, event_id=f"e{number}")))


def onsets(said: list[tuple[int, bool]]) -> list[int]:
    """The numbers of the reports that are told as onsets, of (number, is it true) in the order of hearing."""
    words: list[Word] = []
    found = [hear(words, report(number), is_true) for number, is_true in said]
    assert words == sorted(words, key=lambda w: (w.at, w.offset))
    assert len(words) <= REMEMBERED
    return [item[0].offset for item in found if item is not None]


def test_only_the_first_of_a_time_of_being_true_is_an_onset():
    assert onsets([(0, True), (1, True), (2, False), (3, False), (4, True)]) == [0, 4]


def test_an_older_report_that_comes_late_makes_nothing_become_true_again():
    assert onsets([(5, True), (4, False), (6, True), (7, True)]) == [5]
    assert onsets([(5, True), (4, True), (6, True)]) == [5]


def test_a_report_that_comes_late_still_tells_of_what_was_true_between_two_that_were_not():
    assert onsets([(0, False), (4, False), (2, True)]) == [2]


def test_what_only_looked_like_the_same_alarm_is_told_when_the_quiet_word_between_comes():
    assert onsets([(0, True), (5, True), (6, True), (3, False)]) == [0, 5]
    assert onsets([(0, True), (5, True), (3, False), (2, False), (4, False)]) == [0, 5]


def test_the_same_report_twice_is_told_once():
    assert onsets([(0, True), (0, True), (1, False), (1, False), (2, True), (2, True)]) == [0, 2]


def test_two_words_of_one_moment_that_differ_are_both_heard():
    words: list[Word] = []
    assert hear(words, report(3), False) is None
    assert hear(words, report(3), True) is not None


@given(st.lists(st.booleans(), max_size=REMEMBERED), st.randoms(use_true_random=False))
def test_two_lanes_heard_at_their_own_pace_tell_the_same_onsets_as_one(truths, random):
    in_order = list(enumerate(truths))
    lanes = [[said for said in in_order if said[1]], [said for said in in_order if not said[1]]]
    shuffled = []
    while any(lanes):
        shuffled.append(random.choice([lane for lane in lanes if lane]).pop(0))

    assert sorted(onsets(shuffled)) == onsets(in_order)
