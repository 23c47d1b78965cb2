"""A turn of the agent killed at every node: nothing is done twice, nothing is lost, and it ends in words."""

import asyncio
import os
import random
import signal
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx2
import pytest
from nursing import Nursery, furnish, nursery, stores_of
from tables import table
from turn_points import NODES, STEPS, WORDS

from homeguard.ids import derived_id

LONG = os.environ.get("HOMEGUARD_LONG") == "1"
KILLS: Final = 5 if LONG else 1
#: Kills at moments that nobody chose, within what such a turn takes.
ANYWHERE, SEED = (300 if LONG else 6), 20261122
#: How long a turn may take to come to its end after the last kill.
END_S: Final = 30.0
KEPT: Final = [f"{node}:kept" for node in NODES]
ALL: Final = [f"{step}:{side}" for step in STEPS for side in ("before", "after")] + KEPT
#: Where the sentence was not taken yet: nothing is known of it.
NOT_HEARD: Final = ("begin:before",)
#: Where it was kept, and is written into the conversation at the next start.
KEPT_UNHEARD: Final = ("begin:after", "hear:before")
#: One of each kind in the short form, every one in the long form.
SHORT: Final = ("hear:before", "think:before", "act:after", "wait:after", "send:after", "remember:after", *KEPT)


async def say(http: httpx2.AsyncClient, words: str, thread: str) -> None:
    """One message; the process may die of it."""
    with suppress(httpx2.TransportError):
        await http.post("/api/v1/ai/chat", json={"message": words, "thread_id": thread})


async def to_its_end(http: httpx2.AsyncClient, thread: str) -> str:
    """Answer what the turn asks, as a person would, until it has ended: its last words. `""`: it was never heard."""
    async with asyncio.timeout(END_S):
        while True:
            page = await http.get("/api/v1/ai/chat/history", params={"thread_id": thread})
            said = page.json()["items"] if page.status_code == 200 else []
            if not said:
                return ""
            turn_id = said[0]["turn_id"]
            last = derived_id("answered", turn_id, "end")
            found = next((m["text"] for m in said if m["id"] == last), None)
            cards = [c for c in (await http.get("/api/v1/confirmations")).json()["items"] if c["thread_id"] == thread]
            if found is not None and not cards:
                return str(found)
            for card in cards:
                if card["tier"] == 2:
                    await say(http, "yes", thread)
                else:
                    await http.post(f"/api/v1/confirmations/{card['id']}", json={"approve": True})
            await asyncio.sleep(0.02)


async def at_rest(server: Nursery) -> None:
    """Until no turn is under way: the last words of one are there before its last step is over."""
    async with asyncio.timeout(END_S):
        while await asyncio.to_thread(under_way, server.data / "checkpoints.db"):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


def under_way(checkpoints: Path) -> int:
    if not checkpoints.exists():
        return 0
    with closing(sqlite3.connect(f"file:{checkpoints}?mode=ro", uri=True)) as found:
        if not found.execute("SELECT 1 FROM sqlite_master WHERE name = 'checkpoints'").fetchone():
            return 0
        return int(found.execute("SELECT count(*) FROM checkpoints").fetchone()[0])


async def good_night(server: Nursery, die_at: Path, point: str, thread: str) -> tuple[bool, str]:
    """One turn that meets its point; whether it died there, and its last words in the end. The server runs before and
    after it."""
    words = ""
    await at_rest(server)  # or the turn before would die at this point in its place
    await asyncio.to_thread(die_at.write_text, point)
    async with server.client() as http:
        await say(http, WORDS, thread)
        with suppress(httpx2.TransportError):
            words = await to_its_end(http, thread)
    if await asyncio.to_thread(die_at.exists):
        return False, words
    assert await server.ended() == -signal.SIGKILL
    await server.start()
    async with server.client() as http:
        if point in KEPT_UNHEARD:
            await heard(http, thread)
        return True, await to_its_end(http, thread)


async def heard(http: httpx2.AsyncClient, thread: str, within_s: float = END_S) -> None:
    async with asyncio.timeout(within_s):
        while (await http.get("/api/v1/ai/chat/history", params={"thread_id": thread})).status_code != 200:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


async def counted(server: Nursery, home_id: str, sent: Path, threads: dict[str, str]) -> list[str]:
    """What is wrong: commands that were doubled or are missing, by the point that they belong to."""
    handed_over = Counter((await asyncio.to_thread(sent.read_text)).split())
    wrong = []
    async with stores_of(server.data) as stores:
        commands = await stores.journal.commands(home_id, since=datetime(2000, 1, 1, tzinfo=UTC), limit=100_000)
        cards = await stores.confirmations.all(home_id)
        for thread, point in threads.items():
            said = await stores.conversations.messages(home_id, home_id, thread)
            turn_id = said[0].turn_id if said else ""
            mine = [c for c in cards if c.thread_id == thread]
            causes = {c.id for c in mine}
            done = [c for c in commands if turn_id and (c.cause.startswith(f"{turn_id}/") or c.cause in causes)]
            wanted = ("lock", "close", "unlock", "set_mode") if said else ()
            for command in wanted:
                made = [c for c in done if c.command == command]
                times = sum(handed_over[c.id] for c in made)
                if len(made) != 1 or times > 1:
                    wrong.append(f"{'doubled' if len(made) > 1 or times > 1 else 'lost'}: {command} at {point}")
            if len(mine) > 2:
                wrong.append(f"doubled: {len(mine)} questions at {point}")
            unanswered = [c.state for c in mine if c.state != "approved"]
            if unanswered:
                wrong.append(f"lost: a question stayed {unanswered} at {point}")
    return wrong


async def kill_at(folder: Path, points: Sequence[str], *mutants: str) -> tuple[list[str], list[str], dict[str, str]]:
    """What was wrong, the points that were never met, and the last words at each."""
    home_id, die_at = await furnish(folder / "data"), folder / "die-at"
    missed, threads, words = [], {}, {}
    with nursery(folder, "dies_in_turns", *mutants, env={"HOMEGUARD_DIE_AT": str(die_at)}) as server:
        await server.start()
        for point in points:
            for number in range(KILLS):
                thread = f"t-{point.replace(' ', '-').replace(':', '-')}-{number}"
                threads[thread] = point
                died, words[point] = await good_night(server, die_at, point, thread)
                if not died:
                    missed.append(point)
                    await asyncio.to_thread(die_at.unlink)
        assert await server.end(signal.SIGTERM) == 0
        wrong = await counted(server, home_id, die_at.with_suffix(".sent"), threads)
    return wrong, missed, words


@pytest.mark.timeout(1800 if LONG else 300)
async def test_a_turn_that_is_killed_anywhere_acts_once_and_ends_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = ALL if LONG else SHORT
    wrong, missed, words = await kill_at(tmp_path, points)

    if LONG:
        with capsys.disabled():
            print(table("point,kills,last words", [(p, KILLS, words[p][:80]) for p in points]))
    assert (wrong, missed) == ([], [])
    assert [p for p in points if not words[p]] == [p for p in NOT_HEARD if p in points]


async def cut_short(server: Nursery, thread: str, after_s: float) -> str:
    """One turn whose process is killed so long after the words were sent; its last words, `""` if it was not taken."""

    async def visit() -> None:
        with suppress(httpx2.TransportError):
            async with server.client() as http:
                await say(http, WORDS, thread)
                await to_its_end(http, thread)

    async with server.client() as http:  # the assistant comes in behind `ready`
        assert (await http.get("/.well-known/oauth-protected-resource/mcp", timeout=90)).status_code == 200
    visiting = asyncio.ensure_future(visit())
    await asyncio.sleep(after_s)
    assert await server.end(signal.SIGKILL) == -signal.SIGKILL
    await visiting
    await server.start()
    async with server.client() as http:
        with suppress(TimeoutError):
            await heard(http, thread, within_s=2.0)
        return await to_its_end(http, thread)


@pytest.mark.timeout(1800 if LONG else 120)
async def test_a_turn_that_is_killed_at_any_moment_acts_once_and_ends_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance, home_id, die_at = random.Random(SEED), await furnish(tmp_path / "data"), tmp_path / "die-at"
    words: dict[str, str] = {}
    with nursery(tmp_path, "dies_in_turns", env={"HOMEGUARD_DIE_AT": str(die_at)}) as server:
        await server.start()
        for number in range(ANYWHERE):
            words[f"t-{number}"] = await cut_short(server, f"t-{number}", chance.uniform(0, 0.35))
        assert await server.end(signal.SIGTERM) == 0
        wrong = await counted(server, home_id, die_at.with_suffix(".sent"), {thread: thread for thread in words})

    if LONG:
        with capsys.disabled():
            print(table("turns,last words", [(n, said[:80]) for said, n in Counter(words.values()).most_common()]))
    assert wrong == []
    assert any(words.values())


@pytest.mark.timeout(120)
async def test_a_turn_whose_calls_have_no_lasting_cause_is_found_to_act_twice(tmp_path: Path) -> None:
    wrong, _, _ = await kill_at(tmp_path, ["act:after"], "forgets_its_causes")

    assert any(fault.startswith("doubled: lock") for fault in wrong)
