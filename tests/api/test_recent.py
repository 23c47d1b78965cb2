"""What was found about a caller is believed for less than a second, and not beyond a revocation."""

from typing import Any

from api.access import Recent

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
