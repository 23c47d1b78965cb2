"""Live states: decided here, mirrored there, whole again after any outage; and remembered where no reflexes run."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeguard.errors import StoreUnavailable
from homeguard.model import Home
from homeguard.ports.live_state import StateChange
from homeguard.staleness import collect
from homeguard.stores.guarded import live_state
from homeguard.stores.guarded.live_state import GuardedLive, learn_states, mirror


def change(rig, seconds, device_id="lamp", sequence=0, available=True, **attributes) -> StateChange:
    at = rig.clock.began + timedelta(seconds=seconds)
    return StateChange(
        home_id="h1", device_id=device_id, at=at, sequence=sequence, attributes=attributes, available=available
    )


@pytest.fixture
async def live(rig):
    await rig.local.users.put_home(Home(id="h1", name="Home"))
    async with mirror(rig.local.live, rig.engine, rig.clock, rig.local.users.homes) as mirrored:
        yield mirrored


async def level(rig, live) -> None:
    task = asyncio.ensure_future(live.level())
    await rig.until(task.done)


async def come_back(rig, live) -> None:
    rig.wire.mode = "ok"
    await rig.until(lambda: rig.engine.health().ok)
    await level(rig, live)


async def both(rig):
    here, there = await rig.local.live.all("h1"), await rig.remote.live.all("h1")
    assert there == here
    return here


async def test_a_folder_learns_at_its_start_what_it_has_not_heard_and_keeps_what_it_heard_later(rig):
    await rig.local.users.put_home(Home(id="h1", name="Home"))
    await rig.remote.live.apply(
        [change(rig, 5, "lock", locked=True), change(rig, 5, "lamp", on=False), change(rig, 5, "fan", on=True)]
    )
    await rig.local.live.apply([change(rig, 9, "lamp", on=True), change(rig, 1, "fan", on=False)])

    assert await learn_states(rig.local.live, rig.engine, rig.local.users.homes) == 2

    here = {name: dict(state.attributes) for name, state in (await rig.local.live.all("h1")).items()}
    assert here == {"lock": {"locked": True}, "lamp": {"on": True}, "fan": {"on": True}}


async def test_a_start_without_the_engine_learns_nothing_and_goes_on(rig):
    await rig.local.users.put_home(Home(id="h1", name="Home"))
    await rig.go_away()

    assert await learn_states(rig.local.live, rig.engine, rig.local.users.homes) == 0


async def test_a_change_is_true_here_at_once_and_there_soon(rig, live):
    (state,) = await live.apply([change(rig, 1, on=True)])
    assert await live.get("h1", "lamp") == state
    assert await live.all("h1") == {"lamp": state}
    await level(rig, live)
    assert await both(rig) == {"lamp": state}


@pytest.mark.parametrize("mode", ["refused", "hangs", "reset"])
async def test_nothing_here_waits_for_an_engine_that_is_away(rig, live, mode, monkeypatch):
    monkeypatch.setattr(live_state, "BATCH_LIMIT_S", 0.2)
    rig.wire.mode = mode
    async with asyncio.timeout(20):
        for second in range(100):
            await live.apply([change(rig, second, level=second)])
        assert (await live.get("h1", "lamp")).attributes == {"level": 99}
        assert await live.silent_since(rig.clock.began + timedelta(days=1)) == [await live.get("h1", "lamp")]
    assert live.waiting() == 1
    await come_back(rig, live)
    await both(rig)


async def test_an_engine_that_lost_its_memory_gets_all_states_when_it_returns(rig, live):
    for number in range(40):
        await live.apply(
            [change(rig, number, f"d{number}", on=True), change(rig, number + 0.5, f"d{number}", on=False)]
        )
    await level(rig, live)
    await rig.go_away()
    for number in range(40):
        await rig.remote.live.forget("h1", f"d{number}")
    await come_back(rig, live)
    assert len(await both(rig)) == 40


async def test_states_that_the_engine_lost_without_a_word_are_found_missing(rig, live):
    await live.apply([change(rig, 1, on=True)])
    await level(rig, live)
    await rig.remote.live.forget("h1", "lamp")
    await rig.until(lambda: rig.remote.live.get("h1", "lamp"), step_s=5)
    await both(rig)


async def test_a_forgotten_device_is_forgotten_there_too_and_can_speak_again(rig, live):
    await live.apply([change(rig, 1, on=True), change(rig, 1, "door", open=True)])
    await level(rig, live)
    await rig.go_away()
    await live.forget("h1", "lamp")
    await live.forget("h1", "door")
    await live.apply([change(rig, 2, "door", locked=True)])
    await come_back(rig, live)
    assert {d: dict(s.attributes) for d, s in (await both(rig)).items()} == {"door": {"locked": True}}


async def test_a_device_is_forgotten_there_though_the_first_tries_fail(rig, live):
    await live.apply([change(rig, 1, on=True)])
    await level(rig, live)
    rig.wire.errors = [StoreUnavailable("reset")] * 6
    await live.forget("h1", "lamp")
    await come_back(rig, live)
    assert rig.wire.errors == []
    assert await both(rig) == {}


async def test_an_older_word_that_comes_late_is_right_there_too(rig, live):
    """A whole state hides what the engine would need to place it."""
    await live.apply([change(rig, 1, a=1), change(rig, 10, b=1)])
    await rig.go_away()
    await come_back(rig, live)
    await live.apply([change(rig, 5, a=2)])
    await live.apply([change(rig, 10, sequence=1, b=2), change(rig, 10, sequence=0, b=3)])
    await level(rig, live)
    assert (await both(rig))["lamp"].attributes == {"a": 2, "b": 2}


async def test_a_burst_over_the_bounds_becomes_whole_states(rig, live, monkeypatch):
    monkeypatch.setattr(live_state, "CHANGES", 30)
    await rig.go_away()
    for second in range(50):
        await live.apply([change(rig, second, f"d{second % 4}", level=second, **{f"x{second}": True})])
    assert live.waiting() == 4
    assert sum(len(due.changes) for due in live._due.values()) <= 30
    await come_back(rig, live)
    await both(rig)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, 2), st.integers(0, 30), st.integers(0, 3), st.integers(0, 3)),
        st.tuples(st.just("gone"), st.integers(0, 2), st.integers(0, 30), st.just(0), st.just(0)),
        st.tuples(st.just("forget"), st.integers(0, 2), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.sampled_from(["refused", "reset", "lost", "ok"]), *[st.just(0)] * 4),
        st.tuples(st.just("wait"), *[st.just(0)] * 4),
    ),
    max_size=25,
)


@given(steps)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_order_of_words_and_outages_both_say_the_same_in_the_end(tmp_path_factory, rigging, given_steps):
    asyncio.run(_outages(rigging, tmp_path_factory.mktemp("live").name, given_steps))


async def _outages(rigging, name, given_steps):
    async with rigging(name) as rig:
        await rig.local.users.put_home(Home(id="h1", name="Home"))
        async with mirror(rig.local.live, rig.engine, rig.clock, rig.local.users.homes) as live:
            for sequence, (what, device, second, attribute, value) in enumerate(given_steps):
                if what == "say":
                    await live.apply([change(rig, second, f"d{device}", sequence, **{f"a{attribute}": value})])
                elif what == "gone":
                    await live.apply([change(rig, second, f"d{device}", sequence, available=False)])
                elif what == "forget":
                    await live.forget("h1", f"d{device}")
                elif what == "wait":
                    await rig.clock.advance(3)
                    await asyncio.sleep(0.005)
                else:
                    rig.wire.mode = what
            await come_back(rig, live)
            here, there = await rig.local.live.all("h1"), await rig.remote.live.all("h1")
            assert {d: (s.attributes, s.available, s.last_seen_at) for d, s in there.items()} == {
                d: (s.attributes, s.available, s.last_seen_at) for d, s in here.items()
            }


async def test_without_reflexes_the_states_seen_last_are_told_while_the_engine_is_away(rig):
    live = GuardedLive(rig.engine, rig.clock)
    await live.apply([change(rig, 1, on=True), change(rig, 1, "door", open=True)])
    before = await live.all("h1")
    seen_at = rig.clock.now()
    await live.apply([change(rig, 2, on=False)])
    newer = await live.get("h1", "lamp")
    await live.forget("h1", "door")
    await rig.go_away()
    with collect() as stale:
        assert await live.get("h1", "lamp") == newer
        assert await live.all("h1") == {"lamp": newer}
        assert await live.get("h1", "nobody") is None
    assert stale == {"live": seen_at}
    assert set(before) == {"lamp", "door"}
    for call in (live.all("h2"), live.get("h2", "lamp"), live.apply([change(rig, 3)]), live.silent_since(seen_at)):
        with pytest.raises(StoreUnavailable):
            await call
