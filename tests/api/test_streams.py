"""The live stream: who may open it, what it carries, when it ends."""

import asyncio
from typing import Any

import pytest

from homeguard.ports.live_state import Live

STREAM = "/api/v1/events/stream"
SSE = {"accept": "text/event-stream"}


def _happened(home: str = "ann", kind: str = "device_event", user: str = "", **data: Any) -> Live:
    return Live(home_id=home, kind=kind, data={"type": kind, **data}, user_id=user)


async def _open(socket: Any) -> None:
    assert (await socket.said())["type"] == "websocket.accept"
    # The answer to a ping is sent by the same connection, so it is listening from here on.
    await socket.send({"action": "ping"})
    assert await socket.message() == {"type": "pong"}


async def _refused(socket: Any) -> int:
    said = await socket.said()
    assert said["type"] == "websocket.http.response.start", said
    return int(said["status"])


async def test_a_socket_by_header_gets_what_happens_in_its_home_only(world: Any, ann: str) -> None:
    async with world.socket(STREAM, authorization=f"Bearer {ann}") as socket:
        await _open(socket)
        await world.stores.feed.publish([_happened("bob", device_id="attic_lamp"), _happened(device_id="hall_light")])
        assert await socket.message() == {"type": "device_event", "device_id": "hall_light"}


async def test_what_is_for_one_person_reaches_no_other_of_the_home(world: Any) -> None:
    async with world.socket(STREAM, authorization=f"Bearer {await world.token('gus')}") as socket:
        await _open(socket)
        items = [_happened(kind="agent_response", user="ann", message="secret"), _happened(device_id="hall_light")]
        await world.stores.feed.publish(items)
        assert (await socket.message())["type"] == "device_event"


@pytest.mark.parametrize("path", ["/events/stream", "/api/events/stream"])
async def test_the_aliases_carry_the_socket_too(world: Any, ann: str, path: str) -> None:
    async with world.socket(path, authorization=f"Bearer {ann}") as socket:
        await _open(socket)


async def test_subscribing_narrows_the_stream(world: Any, ann: str) -> None:
    async with world.socket(STREAM, authorization=f"Bearer {ann}") as socket:
        await _open(socket)
        await socket.send({"action": "subscribe", "channels": ["alerts", "agent"]})
        assert await socket.message() == {"type": "subscribed", "channels": ["agent", "alerts"]}
        await world.stores.feed.publish([_happened(device_id="hall_light"), _happened(kind="alert", title="Smoke")])
        assert await socket.message() == {"type": "alert", "title": "Smoke"}


@pytest.mark.parametrize(
    "bad",
    ["", "{", "[]", "null", '"x"', '{"action": "fly"}', '{"action": "subscribe"}', "[" * 2000, "x" * 5000,
     '{"action": "subscribe", "channels": "events"}', '{"action": "subscribe", "channels": [1]}',
     '{"action": "subscribe", "channels": []}', '{"action": "subscribe", "channels": ["everything"]}',
     '{"action": "subscribe", "channels": ["events", {}]}', '{"action": NaN}'],
)  # fmt: skip
async def test_a_message_that_cannot_be_read_is_told_and_the_stream_goes_on(world: Any, ann: str, bad: str) -> None:
    async with world.socket(STREAM, authorization=f"Bearer {ann}") as socket:
        await _open(socket)
        await socket.send(bad)
        told = await socket.message()
        assert (told["type"], told["error"]["code"]) == ("error", "INVALID_INPUT")
        await world.stores.feed.publish([_happened(device_id="hall_light")])
        assert (await socket.message())["type"] == "device_event"


async def test_who_sends_only_noise_is_disconnected(world: Any, ann: str) -> None:
    async with world.socket(STREAM, authorization=f"Bearer {ann}") as socket:
        await _open(socket)
        for _ in range(20):
            await socket.send("noise")
            await socket.message()
        assert (await socket.said()) == {"type": "websocket.close", "code": 1008, "reason": ""}


async def test_a_ticket_opens_one_socket(world: Any, ann: str) -> None:
    ticket = (await world.call("POST", "/auth/ticket", token=ann)).json()["ticket"]
    async with world.socket(f"{STREAM}?ticket={ticket}") as socket:
        await _open(socket)
    async with world.socket(f"{STREAM}?ticket={ticket}") as socket:
        assert await _refused(socket) == 401


async def test_a_ticket_opens_nothing_but_a_socket(world: Any, ann: str) -> None:
    ticket = (await world.call("POST", "/auth/ticket", token=ann)).json()["ticket"]
    assert (await world.call("GET", f"{STREAM}?ticket={ticket}", headers=SSE)).status_code == 401


async def test_a_cookie_opens_a_socket_only_for_our_own_page(world: Any) -> None:
    token = (await world.identity.login("ann@home.test", "correct horse")).chat_token
    cookie = f"homeguard_session={token}"
    async with world.socket(STREAM, cookie=cookie, origin="http://home.test") as socket:
        await _open(socket)
    async with world.socket(STREAM, cookie=cookie, origin="http://evil.test") as socket:
        assert await _refused(socket) == 403


@pytest.mark.parametrize("shown", [{}, {"authorization": "Bearer nonsense"}, {"cookie": "homeguard_session=nonsense"}])
async def test_a_socket_without_a_caller_is_refused_before_it_opens(world: Any, shown: dict) -> None:
    async with world.socket(STREAM, **shown) as socket:
        assert await _refused(socket) == 401


async def test_signing_out_closes_the_open_socket_with_4401(world: Any, ann: str) -> None:
    other = await world.token("ann")
    async with (
        world.socket(STREAM, authorization=f"Bearer {ann}") as socket,
        world.socket(STREAM, authorization=f"Bearer {other}") as kept,
    ):
        await _open(socket)
        await _open(kept)
        await world.call("POST", "/auth/logout", token=ann)
        told = await socket.message()
        assert (told["type"], told["revoked"]) == ("session", True)
        assert await socket.said() == {"type": "websocket.close", "code": 4401, "reason": ""}
        assert await kept.message() == told
        await world.stores.feed.publish([_happened(device_id="hall_light")])
        assert (await kept.message())["type"] == "device_event"


async def test_a_session_that_is_revoked_elsewhere_ends_the_stream_at_the_next_look(open_one: Any) -> None:
    async with open_one(recheck_s=0.01) as world:
        signed_in = await world.identity.login("ann@home.test", "correct horse")
        async with world.socket(STREAM, authorization=f"Bearer {signed_in.access_token}") as socket:
            await _open(socket)
            await world.stores.sessions.revoke_session(signed_in.session_id, world.clock.now())
            assert await socket.said() == {"type": "websocket.close", "code": 4401, "reason": ""}


async def test_a_revoked_client_token_ends_its_stream(open_one: Any) -> None:
    async with open_one(recheck_s=0.01) as world:
        row, token = await world.identity.create_client_token(await world.identity.as_user("ann@home.test"), "Desk")
        async with world.socket(STREAM, authorization=f"Bearer {token}") as socket:
            await _open(socket)
            await world.identity.revoke_token(row.id)
            assert await socket.said() == {"type": "websocket.close", "code": 4401, "reason": ""}


async def test_a_revoked_caller_is_cut_off_in_a_busy_home_too(open_one: Any) -> None:
    async with open_one(recheck_s=0.05) as world:
        row, token = await world.identity.create_client_token(await world.identity.as_user("ann@home.test"), "Desk")
        async with world.socket(STREAM, authorization=f"Bearer {token}") as socket:
            await _open(socket)
            await world.identity.revoke_token(row.id)
            async with asyncio.timeout(10):
                while True:
                    await world.stores.feed.publish([_happened(n=1)])
                    said = await socket.said()
                    if said["type"] == "websocket.close":
                        break
            assert said["code"] == 4401


async def test_who_falls_behind_gets_one_gap_and_goes_on(world: Any, ann: str) -> None:
    async with world.socket(STREAM, authorization=f"Bearer {ann}") as socket:
        await _open(socket)
        await world.stores.feed.publish([_happened(n=n) for n in range(2000)])
        types = []
        while not types or types[-1] != 1999:
            message = await socket.message()
            types.append(message.get("n", message["type"]))
        assert types.count("gap") == 1
        assert len(types) < 300


async def test_open_sockets_are_counted(world: Any, ann: str) -> None:
    async with world.socket(STREAM, authorization=f"Bearer {ann}") as socket:
        await _open(socket)
        assert "websocket_connections_active 1.0" in (await world.call("GET", "/metrics")).text
    assert "websocket_connections_active 0.0" in (await world.call("GET", "/metrics")).text


async def _subscribed(reading: Any) -> None:
    assert await reading.status() == 200
    first = await reading.said()
    assert first["body"].startswith(b": connected")


async def test_server_sent_events_are_named_by_their_kind(world: Any, ann: str) -> None:
    async with world.reading(STREAM, authorization=f"Bearer {ann}", **SSE) as reading:
        await _subscribed(reading)
        await world.stores.feed.publish([_happened("bob"), _happened(kind="alert", title="Smoke")])
        assert await reading.event() == ("alert", {"type": "alert", "title": "Smoke"})


async def test_server_sent_events_can_be_narrowed(world: Any, ann: str) -> None:
    async with world.reading(f"{STREAM}?channels=agent", authorization=f"Bearer {ann}", **SSE) as reading:
        await _subscribed(reading)
        await world.stores.feed.publish([_happened(), _happened(kind="confirmation", confirmation={"id": "1"})])
        assert (await reading.event())[0] == "confirmation"


async def test_signing_out_ends_the_server_sent_events(world: Any, ann: str) -> None:
    async with world.reading(STREAM, authorization=f"Bearer {ann}", **SSE) as reading:
        await _subscribed(reading)
        await world.call("POST", "/auth/logout", token=ann)
        assert (await reading.event())[0] == "session"
        with pytest.raises(EOFError):
            await reading.event()
