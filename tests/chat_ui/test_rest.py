"""The client of the REST API: whose session it uses, and what it says when something goes wrong."""

from types import ModuleType
from typing import Any

import httpx2
import pytest

from chat_ui.languages import words_in
from chat_ui.rest import Rest, RestProblem, SignedOut, identifier, user_id


@pytest.fixture
def home(fake_rest: ModuleType) -> Any:
    return fake_rest.FakeHome()


@pytest.fixture
def rest(fake_rest: ModuleType, home: Any) -> Rest:
    return Rest("http://home.local", transport=httpx2.ASGITransport(app=fake_rest.build(home)))


async def test_a_turn_arrives_event_by_event_and_continues_in_its_thread(rest: Rest, home: Any) -> None:
    token = home.token("john@example.com")

    first = [event async for event in rest.turn(token, "Is everything locked?", None)]
    names = [name for name, _ in first]
    assert [n for n in names if n != "token"] == ["turn", "tool_start", "tool_end", "answer", "done"]
    assert names.count("token") > 3
    thread = first[0][1]["thread_id"]

    second = [event async for event in rest.turn(token, "Lock the back door", thread)]
    assert second[0][1]["thread_id"] == thread
    assert [i["role"] for i in await rest.history(token, thread)] == ["user", "assistant", "user", "assistant"]


async def test_each_call_uses_the_session_it_was_given_and_keeps_no_cookie(rest: Rest, home: Any) -> None:
    john, sarah = home.token("john@example.com"), home.token("sarah@example.com")

    assert [(await rest.me(t))["email"] for t in (john, sarah, john)] == [
        "john@example.com", "sarah@example.com", "john@example.com",
    ]  # fmt: skip
    with pytest.raises(SignedOut):
        await rest.me("")


async def test_a_cookie_set_for_one_person_does_not_travel_with_the_next() -> None:
    seen: list[str | None] = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers.get("cookie"))
        return httpx2.Response(200, json={}, headers={"set-cookie": "homeguard_session=john; Path=/"})

    rest = Rest("http://home.local", transport=httpx2.MockTransport(serve))
    await rest.me("one")
    await rest.me("two")

    assert seen == ["homeguard_session=one", "homeguard_session=two"]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            httpx2.Response(429, headers={"retry-after": "20"}),
            "That was a lot at once. Please try again in 20 seconds.",
        ),
        (httpx2.Response(500, text="Traceback"), "Something went wrong in your home's server. Please try again."),
        (httpx2.Response(403, json={"error": {"code": "X", "message": "Not for guests."}}), "Not for guests."),
        (httpx2.Response(404, text="<html>"), "That did not work."),
    ],
)
async def test_a_refusal_becomes_a_plain_sentence(answer: httpx2.Response, sentence: str) -> None:
    rest = Rest("http://home.local", transport=httpx2.MockTransport(lambda request: answer))

    for call in (rest.me("t"), anext(rest.turn("t", "hello", None)), anext(rest.live("t"))):
        with pytest.raises(RestProblem) as caught:
            await call
        assert caught.value.sentence(words_in("en")) == sentence


async def test_a_home_that_is_not_there_becomes_a_plain_sentence() -> None:
    def away(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    rest = Rest("http://home.local", transport=httpx2.MockTransport(away))
    with pytest.raises(RestProblem) as caught:
        await anext(rest.turn("t", "hello", None))
    assert (caught.value.status, caught.value.sentence(words_in("en"))) == (
        0, "Your home did not answer. Please try again in a moment.",
    )  # fmt: skip


async def test_a_card_id_cannot_leave_its_place_in_the_address() -> None:
    paths: list[str] = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        paths.append(request.url.raw_path.decode())
        return httpx2.Response(200, json={})

    await Rest("http://home.local", transport=httpx2.MockTransport(serve)).card("t", "../users/me?x=1")

    assert paths == ["/api/v1/confirmations/..%2Fusers%2Fme%3Fx%3D1"]


def test_the_name_in_a_session_cookie_is_read_and_nonsense_is_nobody(home: Any) -> None:
    assert identifier(home.token("john@example.com")) == "john@example.com"
    assert user_id(home.token("john@example.com")) == "u-john"
    assert [identifier(t) for t in ("", "a.b", "a.!!.c", "a.e30.c")] == ["", "", "", ""]
