"""What was found about a caller is believed for less than a second, and not beyond a revocation."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from api.recent import Recent
from homeguard.staleness import collect, note

SHOWN = ("bearer", "token", "")
EVENT = {"device_id": "hall_light", "event_type": "state_changed", "payload": {"on": True}}


class _Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def monotonic(self) -> float:
        return self.at


def test_an_answer_is_believed_for_less_than_a_second() -> None:
    clock = _Clock()
    recent: Recent[str] = Recent(clock)  # type: ignore[arg-type]
    recent.keep(SHOWN, clock.at, "ann")
    clock.at += 0.89
    assert recent.get(SHOWN) == "ann"
    clock.at += 0.02
    assert recent.get(SHOWN) is None


def test_what_was_asked_before_a_revocation_is_not_kept_after_it() -> None:
    clock = _Clock()
    recent: Recent[str] = Recent(clock)  # type: ignore[arg-type]
    asked_at = clock.at
    recent.forget()
    recent.keep(SHOWN, asked_at, "ann")
    assert recent.get(SHOWN) is None


def test_it_never_holds_more_answers_than_it_may() -> None:
    clock = _Clock()
    recent: Recent[int] = Recent(clock, keys=2)  # type: ignore[arg-type]
    for number in range(5):
        recent.keep((str(number),), clock.at, number)
    assert [recent.get((str(n),)) for n in range(5)] == [None, None, None, None, 4]


async def test_a_revoked_session_delivers_nothing_more_at_once(world: Any, ann: str) -> None:
    assert (await world.call("POST", "/api/v1/events", token=ann, json=EVENT)).status_code == 202
    await world.call("POST", "/auth/logout", token=ann)
    assert (await world.call("POST", "/api/v1/events", token=ann, json=EVENT)).status_code == 401


async def test_a_revoked_device_token_delivers_nothing_more_after_a_second(world: Any) -> None:
    row, token = await world.identity.create_device_token(await world.identity.as_user("ann@home.test"), "hall_light")
    headers = {"x-device-token": token}
    assert (await world.call("POST", "/api/v1/events", headers=headers, json=EVENT)).status_code == 202
    await world.identity.revoke_token(row.id)
    world.clock.forward(seconds=1)
    assert (await world.call("POST", "/api/v1/events", headers=headers, json=EVENT)).status_code == 401


async def test_a_revoked_session_reads_nothing_more_at_once(world: Any, ann: str) -> None:
    for path in ("/api/v1/devices", "/api/v1/devices/hall_light"):
        assert (await world.call("GET", path, token=ann)).status_code == 200
    await world.call("POST", "/auth/logout", token=ann)
    for path in ("/api/v1/devices", "/api/v1/devices/hall_light"):
        assert (await world.call("GET", path, token=ann)).status_code == 401


async def test_a_revoked_client_token_reads_nothing_more_at_once(world: Any) -> None:
    row, token = await world.identity.create_client_token(await world.identity.as_user("ann@home.test"), "Desk")
    assert (await world.call("GET", "/api/v1/devices", token=token)).status_code == 200
    await world.identity.revoke_token(row.id)
    assert (await world.call("GET", "/api/v1/devices", token=token)).status_code == 401


async def test_what_another_process_revoked_is_known_after_a_second(world: Any) -> None:
    signed_in = await world.identity.login("ann@home.test", "correct horse")
    assert (await world.call("GET", "/api/v1/devices", token=signed_in.access_token)).status_code == 200
    await world.stores.sessions.revoke_session(signed_in.session_id, world.clock.now())
    world.clock.forward(seconds=1)
    assert (await world.call("GET", "/api/v1/devices", token=signed_in.access_token)).status_code == 401


async def test_an_answer_from_a_copy_is_given_and_not_kept() -> None:
    clock = _Clock()
    recent: Recent[str] = Recent(clock)  # type: ignore[arg-type]
    asked = 0

    async def ask() -> str:
        nonlocal asked
        asked += 1
        note("users", datetime(2026, 11, 21, tzinfo=UTC))
        return "ann"

    for times in (1, 2):
        with collect() as stale:
            assert await recent.find(SHOWN, ask) == "ann"
        assert (asked, list(stale)) == (times, ["users"])


async def test_what_many_ask_at_the_same_time_is_asked_once() -> None:
    recent: Recent[str] = Recent(_Clock())  # type: ignore[arg-type]
    asked, answer = 0, asyncio.Event()

    async def ask() -> str:
        nonlocal asked
        asked += 1
        await answer.wait()
        return "ann"

    waiting = [asyncio.create_task(recent.find(SHOWN, ask)) for _ in range(20)]
    await asyncio.sleep(0)
    answer.set()
    assert set(await asyncio.gather(*waiting)) == {"ann"}
    assert asked == 1
