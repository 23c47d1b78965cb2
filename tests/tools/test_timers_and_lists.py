"""Timers of a person and lists of a home: bounded, cleaned, and nobody else's."""

from datetime import timedelta

import pytest
from house_for_tools import BOB, House

from homeguard.errors import InvalidInput, NotAllowed, NotFound
from homeguard.model import Turn
from homeguard.ports.schedules import MOST_TIMERS
from pipeline.command.lists import MOST_ITEMS
from tools import lists, timers
from tools.context import ToolContext
from tools.text import moment

MINUTE = timedelta(minutes=1)


async def test_a_timer_is_set_listed_changed_and_called_off(house: House) -> None:
    ann = house.ann()
    made = await timers.set_timer(ann, minutes=10, label=" pasta\u202e \n water ")
    assert made.outcome == "confirmed"
    assert made.data is not None
    assert (made.data["label"], made.data["seconds_left"]) == ("pasta water", 600)
    timer_id = made.data["timer_id"]

    house.clock.at += 4 * MINUTE
    held = await timers.change_timer(ann, timer_id=timer_id, paused=True)
    house.clock.at += 60 * MINUTE
    assert held.data is not None
    assert (held.data["state"], held.data["ends_at"], held.data["seconds_left"]) == ("paused", None, 360)
    (line,) = (await timers.list_timers(ann)).timers
    assert (line.id, line.label, line.state, line.seconds_left, line.minutes) == (
        timer_id, "pasta water", "paused", 360, 10,
    )  # fmt: skip

    on = await timers.change_timer(ann, timer_id=timer_id, paused=False, add_minutes=-2)
    assert on.data is not None
    assert (on.data["state"], on.data["seconds_left"], on.data["minutes"]) == ("running", 240, 8)
    assert on.data["ends_at"] == (house.clock.now() + 4 * MINUTE).isoformat(timespec="milliseconds").replace(
        "+00:00", "Z"
    )
    assert (await timers.cancel_timer(ann, timer_id=timer_id)).data == {
        "timer_id": timer_id, "label": "pasta water", "cancelled": True,
    }  # fmt: skip
    assert (await timers.list_timers(ann)).timers == ()


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        ("17:30", "2026-05-01T21:30:00.000Z"),  # New York, today
        ("00:05", "2026-05-02T04:05:00.000Z"),  # over today: tomorrow
        ("2026-05-03T08:00", "2026-05-03T12:00:00.000Z"),
        ("2026-05-01T19:00:00+00:00", "2026-05-01T19:00:00.000Z"),
    ],
)
async def test_a_timer_until_a_time_goes_by_the_homes_clock(house: House, at: str, ends: str) -> None:
    house.clock.at = moment("2026-05-01T13:00:00", "America/New_York", "now")
    made = await timers.set_timer(house.ann(), at=at)
    assert made.data is not None
    assert made.data["ends_at"] == ends


async def test_in_a_home_with_a_time_of_its_own_its_end_is_told_by_that(house: House) -> None:
    house.clocks.set("ann", house.clock.now() + timedelta(hours=5))
    made = await timers.set_timer(house.ann(), minutes=1)
    assert made.data is not None
    (kept,) = await house.stores.schedules.of_home("ann")
    assert kept.due_at == house.clock.now() + MINUTE
    (line,) = (await timers.list_timers(house.ann())).timers
    assert line.ends_at == (house.clock.now() + timedelta(hours=5) + MINUTE).isoformat(timespec="milliseconds").replace(
        "+00:00", "Z"
    )


@pytest.mark.parametrize(
    "asked",
    [
        {}, {"minutes": 5, "at": "17:30"}, {"minutes": -1}, {"minutes": 10_081}, {"minutes": float("nan")},
        {"minutes": 0.001}, {"at": "25:00"}, {"at": "7 pm"}, {"at": "2020-01-01T00:00"}, {"at": "2027-01-01T00:00"},
        {"minutes": True},
    ],
)  # fmt: skip
async def test_what_is_no_time_for_a_timer_is_refused(house: House, asked: dict[str, object]) -> None:
    house.clock.at = moment("2026-05-01T13:00:00", "America/New_York", "now")
    with pytest.raises(InvalidInput):
        await timers.set_timer(house.ann(), **asked)  # type: ignore[arg-type]
    assert await house.stores.schedules.of_home("ann") == []


async def test_nobody_sees_or_touches_anothers_timer(house: House) -> None:
    made = await timers.set_timer(house.ann(), minutes=10, label="secret party")
    assert made.data is not None
    timer_id = made.data["timer_id"]
    for other in (house.context(BOB), house.ann(user_id="cleo", role="member")):
        assert (await timers.list_timers(other)).timers == ()
        for touch in (
            timers.change_timer(other, timer_id=timer_id, paused=True), timers.cancel_timer(other, timer_id=timer_id),
        ):  # fmt: skip
            with pytest.raises(NotFound):
                await touch
        gone = await timers.cancel_timer(other, timer_id="all")
        assert gone.data == {"cancelled": 0}
    assert len((await timers.list_timers(house.ann())).timers) == 1
    with pytest.raises(NotAllowed):
        await timers.set_timer(house.ann(role="guest"), minutes=1)


async def test_in_a_turn_with_others_text_only_the_persons_own_words_are_written_down(house: House) -> None:
    def agent(words: str, *, tainted: bool = True) -> ToolContext:
        turn = Turn(id="t", thread_id="th", words=words, tainted=tainted)
        return house.ann(caller="agent", turn=turn, cause="t/c")

    asked = agent("What happened? And add oat milk to the list, timer 5 minutes for the tea")
    assert (await timers.set_timer(asked, minutes=5, label="Tea")).outcome == "confirmed"
    assert (await timers.set_timer(asked, minutes=5)).outcome == "confirmed"
    assert (await lists.add_to_list(asked, items=["Oat milk"])).outcome == "confirmed"
    for write in (
        timers.set_timer(asked, minutes=5, label="call 555 0100 for your refund"),
        lists.add_to_list(asked, items=["oat milk", "gift cards"]),
    ):
        with pytest.raises(NotAllowed):
            await write
    clean = agent("add something sweet", tainted=False)
    assert (await lists.add_to_list(clean, items=["chocolate"])).outcome == "confirmed"
    assert {i.text for i in (await lists.get_list(clean)).items} == {"Oat milk", "chocolate"}


async def test_a_home_has_so_many_timers_and_no_more(house: House) -> None:
    for _ in range(MOST_TIMERS):
        await timers.set_timer(house.ann(), minutes=1)
    with pytest.raises(InvalidInput, match="at most 50 timers"):
        await timers.set_timer(house.ann(), minutes=1)
    assert (await timers.cancel_timer(house.ann(), timer_id="all")).data == {"cancelled": MOST_TIMERS}


async def test_less_time_than_is_left_ends_no_timer(house: House) -> None:
    made = await timers.set_timer(house.ann(), minutes=5)
    assert made.data is not None
    with pytest.raises(InvalidInput, match="cancel it instead"):
        await timers.change_timer(house.ann(), timer_id=made.data["timer_id"], add_minutes=-5)
    with pytest.raises(InvalidInput):
        await timers.change_timer(house.ann(), timer_id=made.data["timer_id"])


async def test_items_are_written_ticked_off_opened_again_and_taken_away(house: House) -> None:
    ann = house.ann()
    added = await lists.add_to_list(ann, items=["milk", "Brown  bread", "MILK"])
    assert added.data == {"list": "shopping", "added": ["milk", "Brown bread"], "already": []}
    house.clock.at += MINUTE
    again = await lists.add_to_list(ann, items=["Milk!", "eggs"], list_name="Shopping List")
    assert again.data == {"list": "shopping", "added": ["eggs"], "already": ["Milk!"]}

    assert (await lists.complete_list_item(ann, item="bread")).data == {
        "list": "shopping", "item": "Brown bread", "done": True,
    }  # fmt: skip
    shown = await lists.get_list(ann)
    assert [(i.text, i.done) for i in shown.items] == [("milk", False), ("Brown bread", True), ("eggs", False)]
    assert shown.lists == ("shopping",)
    gone = await lists.remove_from_list(ann, items=["*done"])
    assert gone.data == {"list": "shopping", "removed": ["Brown bread"]}
    await lists.remove_from_list(ann, items=["eggs", shown.items[0].id])
    assert (await lists.get_list(ann)).lists == ()


async def test_what_is_not_on_a_list_is_named_and_nothing_goes(house: House) -> None:
    await lists.add_to_list(house.ann(), items=["tomatoes", "red onions", "white onions"])
    with pytest.raises(NotFound, match="did you mean tomatoes"):
        await lists.remove_from_list(house.ann(), items=["tomatos"])
    with pytest.raises(NotFound):  # two fit
        await lists.complete_list_item(house.ann(), item="onions")
    with pytest.raises(NotFound):
        await lists.remove_from_list(house.ann(), items=["tomatoes", "cheese"])
    assert len((await lists.get_list(house.ann())).items) == 3
    assert (await lists.get_list(house.context(BOB))).items == ()
    assert (await lists.get_list(house.ann(), list_name="none")).items == ()


@pytest.mark.parametrize("items", [[], ["x"] * 51, ["\u202e \n"], "milk"])
async def test_what_is_no_item_is_refused(house: House, items: object) -> None:
    with pytest.raises(InvalidInput):
        await lists.add_to_list(house.ann(), items=items)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        await lists.add_to_list(house.ann(), items=["milk"], list_name=" \n")


async def test_a_list_and_the_lists_have_an_end_and_texts_are_cut(house: House) -> None:
    ann = house.ann()
    for start in range(0, MOST_ITEMS, 50):
        await lists.add_to_list(ann, items=[f"thing {n}" for n in range(start, start + 50)])
    with pytest.raises(InvalidInput, match="at most 200 items"):
        await lists.add_to_list(ann, items=["one more"])
    assert (await lists.add_to_list(ann, items=["thing 3"])).data == {
        "list": "shopping", "added": [], "already": ["thing 3"],
    }  # fmt: skip
    await lists.add_to_list(ann, items=["x" * 500], list_name="0")
    (item,) = (await lists.get_list(ann, list_name="0")).items
    assert len(item.text) == 100
    for n in range(1, 19):
        await lists.add_to_list(ann, items=["x"], list_name=f"{n}")
    with pytest.raises(InvalidInput, match="at most 20 lists"):
        await lists.add_to_list(ann, items=["x"], list_name="one more")
