"""How much one person may ask, what the whole house takes in a second, and that the intake is not counted."""

from typing import Any

from homeguard.settings import Settings

EVENT = {"device_id": "hall_light", "event_type": "state_changed", "payload": {"on": True}}


async def test_a_person_may_ask_a_hundred_times_a_minute_and_twenty_more_at_once(open_one: Any) -> None:
    async with open_one(settings=Settings(rate_limits=True)) as world:
        ann = await world.token("ann")

        async def ask(times: int) -> list[int]:
            return [(await world.call("GET", "/users/me", token=ann)).status_code for _ in range(times)]

        assert await ask(121) == [200] * 120 + [429]
        world.clock.forward(seconds=30)
        assert await ask(51) == [200] * 50 + [429]
        world.clock.forward(minutes=10)
        assert await ask(121) == [200] * 120 + [429]


async def test_who_asks_too_often_is_told_when_to_come_back_and_may_then(open_one: Any) -> None:
    async with open_one(settings=Settings(rate_limits=True)) as world:
        ann = await world.token("ann")
        for _ in range(61):
            answer = await world.call("GET", "/events", token=ann)
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "RATE_LIMITED")
        world.clock.forward(seconds=int(answer.headers["retry-after"]))
        assert (await world.call("GET", "/events", token=ann)).status_code == 200


async def test_the_whole_house_takes_a_thousand_requests_a_second_and_intake_is_not_among_them(open_one: Any) -> None:
    async with open_one(settings=Settings(rate_limits=True)) as world:
        ann = await world.token("ann")
        world.clock.forward(seconds=10)
        async with world.client() as nobody:
            answers = [(await nobody.get("/auth/demo")).status_code for _ in range(1_001)]
            assert answers[-1] == 503
            # a person is refused with the rest, their devices are heard
            refused = await world.call("GET", "/users/me", token=ann)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "OVERLOADED")
            assert refused.headers["retry-after"] == "1"
            assert (await world.call("POST", "/api/v1/events", token=ann, json=EVENT)).status_code == 202
            assert (await world.call("GET", "/health")).status_code == 200
            world.clock.forward(seconds=1)
            assert (await world.call("GET", "/users/me", token=ann)).status_code == 200


async def test_without_limits_nobody_is_refused(open_one: Any) -> None:
    async with open_one(settings=Settings(rate_limits=False)) as world:
        ann = await world.token("ann")
        assert {(await world.call("GET", "/events", token=ann)).status_code for _ in range(130)} == {200}
