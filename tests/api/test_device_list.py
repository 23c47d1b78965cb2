"""The list of devices by its short way: the same answer as the route gives, and never an old one."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from api import shapes
from api.device_list import PAGE, DeviceTexts
from homeguard.model import Device, LiveState
from homeguard.ports.live_state import StateChange
from homeguard.settings import Settings

SHORT, ROUTE = "/api/v1/devices", f"/api/v1/devices?limit={PAGE}"


def _shown(answer: Any) -> tuple[int, dict[str, str], Any]:
    headers = {k: v for k, v in answer.headers.items() if k != "x-trace-id"}
    body = answer.json()
    if "error" in body:
        body["error"].pop("trace_id")
        body["error"].pop("timestamp")
        headers.pop("content-length")
    return answer.status_code, headers, body


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"authorization": "Bearer nonsense"}, {"authorization": "Basic x"}, {"authorization": "Bearer"},
        {"cookie": "homeguard_session=nonsense"}, {"x-home-id": "ann"}, {"traceparent": "nonsense"},
    ],
)  # fmt: skip
async def test_who_is_not_signed_in_is_refused_alike(world: Any, headers: dict[str, str]) -> None:
    async with world.client(**headers) as client:
        assert _shown(await client.get(SHORT)) == _shown(await client.get(ROUTE))


@pytest.mark.parametrize("who", ["ann", "bob", "gus"])
@pytest.mark.parametrize(
    "headers", [{}, {"x-home-id": "ann"}, {"x-home-id": "nowhere"}, {"origin": "http://evil.test"}]
)
async def test_each_gets_the_same_answer_both_ways(world: Any, who: str, headers: dict[str, str]) -> None:
    token = await world.token(who)
    cookie = (await world.identity.login(f"{who}@home.test", "correct horse")).chat_token
    async with world.client(token, **headers) as client:
        assert _shown(await client.get(SHORT)) == _shown(await client.get(ROUTE))
    async with world.client(cookie=f"homeguard_session={cookie}", **headers) as client:
        assert _shown(await client.get(SHORT)) == _shown(await client.get(ROUTE))


async def test_a_trace_id_of_the_caller_is_kept_and_another_made(world: Any, ann: str) -> None:
    given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answer = await world.call("GET", SHORT, token=ann, headers={"traceparent": given})
    assert answer.headers["x-trace-id"] == given.split("-")[1]
    assert len((await world.call("GET", SHORT, token=ann)).headers["x-trace-id"]) == 32


async def test_both_ways_are_counted_as_one_address(world: Any, ann: str) -> None:
    for path in (SHORT, ROUTE, "/devices", "/api/devices/"):
        await world.call("GET", path, token=ann)
    told = (await world.call("GET", "/metrics")).text
    line = 'http_requests_total{endpoint="/api/v1/devices",method="GET",service="api-gateway",status="200"} 4.0'
    assert line in told


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD"])
async def test_another_method_is_still_refused(world: Any, ann: str, method: str) -> None:
    assert (await world.call(method, SHORT, token=ann)).status_code == 405


async def test_what_changes_is_in_the_very_next_answer(world: Any, ann: str) -> None:
    async def same() -> dict[str, Any]:
        short, route = await world.call("GET", SHORT, token=ann), await world.call("GET", ROUTE, token=ann)
        assert short.content == route.content
        return {d["id"]: d for d in short.json()["items"]}

    assert (await same())["hall_light"]["state"] == {"on": True}
    change = StateChange(
        home_id="ann", device_id="hall_light", at=world.clock.now() + timedelta(seconds=1), sequence=2,
        attributes={"on": False}, available=True,
    )  # fmt: skip
    await world.stores.live.apply([change])
    assert (await same())["hall_light"]["state"] == {"on": False}
    device = await world.stores.devices.get("ann", "hall_light")
    await world.stores.devices.put([replace(device, name="A lamp")])
    assert (await same())["hall_light"]["name"] == "A lamp"
    await world.stores.devices.put([replace(device, id="new_one", name="New one")])
    assert "new_one" in await same()
    await world.stores.devices.delete("ann", "new_one")
    await world.stores.live.forget("ann", "hall_light")
    shown = await same()
    assert "new_one" not in shown
    assert shown["hall_light"]["available"] is False


def _device(number: int) -> Device:
    return Device(home_id="h", id=f"d{number:03}", name=f"D {number:03}", type="light", capabilities=("on_off",))


def test_a_store_that_changes_what_it_gave_is_seen_too() -> None:
    texts, states = DeviceTexts(), {}
    devices = [_device(0)]
    before = texts.first_page("h", devices, states)
    states["d000"] = LiveState(home_id="h", device_id="d000", attributes={"on": True}, changed_at={}, available=True)
    after = texts.first_page("h", devices, states)
    assert b'"on":true' in after
    assert after != before
    devices.append(_device(1))
    assert b"d001" in texts.first_page("h", devices, states)


def test_an_unchanged_device_is_not_encoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[str] = []
    shown = shapes.device
    monkeypatch.setattr("api.shapes.device", lambda d, s: encoded.append(d.id) or shown(d, s))
    texts, devices = DeviceTexts(), [_device(n) for n in range(3)]
    for _ in range(3):
        texts.first_page("h", list(devices), {})
    assert encoded == ["d000", "d001", "d002"]
    texts.first_page("h", [*devices[:2], replace(devices[2], area="hall")], {})
    assert encoded[3:] == ["d002"]


def test_more_than_one_page_has_a_cursor() -> None:
    many = [_device(n) for n in range(PAGE + 1)]
    texts = DeviceTexts()
    assert b'"next_cursor":null' in texts.first_page("h", many[:PAGE], {})
    assert b'"next_cursor":null' not in texts.first_page("h", many, {})


async def test_requests_for_the_list_count_against_the_persons_limit(open_one: Any) -> None:
    async with open_one(settings=Settings(rate_limits=True)) as world:
        token = await world.token("ann")
        async with world.client(token) as client:
            statuses = [(await client.get(SHORT)).status_code for _ in range(125)]
            refused = await client.get(SHORT)
    assert statuses.count(200) == 120
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "RATE_LIMITED")
    assert int(refused.headers["retry-after"]) >= 1
