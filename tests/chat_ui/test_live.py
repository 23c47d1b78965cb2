"""The live stream that the open chats of one session share."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from chat_ui.live import HomeStreams
from chat_ui.rest import RestProblem, SignedOut

ALERT = ("alert", {"id": "a1"})
GAP: tuple[str, dict[str, Any]] = ("gap", {})


class Home:
    """Streams that say what they are told to; `opened` counts them."""

    def __init__(self, *streams: list[Any]) -> None:
        self.streams = list(streams)
        self.opened = 0
        self.closed = asyncio.Event()

    async def live(self, token: str) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        self.opened += 1
        try:
            for said in self.streams.pop(0) if self.streams else []:
                if isinstance(said, Exception):
                    raise said
                yield said
            if not self.streams:
                await asyncio.Event().wait()
        finally:
            self.closed.set()


async def test_tabs_of_one_session_share_a_stream_that_ends_with_the_last() -> None:
    home = Home([("connected", {}), ALERT])
    streams = HomeStreams(home.live)

    async with streams.listen("t") as one:
        async with streams.listen("t") as two:
            assert [await one.get(), await one.get()] == [GAP, ALERT]
            assert [await two.get(), await two.get()] == [GAP, ALERT]
        async with streams.listen("t") as three:
            assert await three.get() == GAP, "what it missed before it came is looked up"
        assert not home.closed.is_set()
    await asyncio.wait_for(home.closed.wait(), 5)
    assert home.opened == 1


async def test_a_broken_stream_comes_back_and_says_that_something_may_be_missing() -> None:
    broken = RestProblem("away")
    home = Home([("connected", {}), broken], [broken], [("connected", {}), ALERT])

    async with HomeStreams(home.live, retry_s=(0.0,)).listen("t") as told:
        assert [await told.get() for _ in range(3)] == [GAP, GAP, ALERT]


async def test_a_session_that_is_over_is_told_and_not_tried_again() -> None:
    home = Home([("connected", {}), ALERT], [SignedOut()], [ALERT])

    async with HomeStreams(home.live, retry_s=(0.0,)).listen("t") as told:
        assert [await told.get() for _ in range(3)] == [GAP, ALERT, ("signed_out", {})]
        assert home.opened == 2


async def test_a_chat_that_falls_behind_gets_a_gap_and_the_newest() -> None:
    said = [("command", {"n": n}) for n in range(750)]
    home = Home([("connected", {}), *said, ("alert", {"id": "last"})])

    async with HomeStreams(home.live).listen("t") as told:
        first = await told.get()
        rest = [told.get_nowait() for _ in range(told.qsize())]

    assert first == GAP
    assert rest[-1] == ("alert", {"id": "last"})
    assert len(rest) < 500
