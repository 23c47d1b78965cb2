"""Every fault of a language model under a real conversation: what the person sees, and how long it takes (R6).

`HOMEGUARD_LONG=1 HOMEGUARD_MODEL_FAULTS_TABLE=FILE` waits as long as an installation does and writes the table.
"""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from model_server import KEY, Fault, Heard, ModelServer, Reply, model_server
from wires import of_wire

from agent.graph.caps import Caps
from agent.models.faults import WORDS
from agent.models.guarded import Guarded
from agent.models.offline.planner import OfflinePlanner
from homeguard.clock import SystemClock

IS_LONG = os.environ.get("HOMEGUARD_LONG") == "1"
TABLE = os.environ.get("HOMEGUARD_MODEL_FAULTS_TABLE", "")
CAPS = Caps()
#: Where a model says nothing, or does not end, the short form waits a tenth as long.
HURRIED = Caps() if IS_LONG else Caps(first_token_s=0.8, step_s=2.0)
LINGERING = frozenset(("no_head", "silent", "stall", "endless"))
NOTICE = "AI features are temporarily limited"
LOCK = ("control_device", {"device_id": "back_door_lock", "command": "lock"})
WORDS_OF_PERSON = "lock the back door"

pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A fault, and what becomes of it: how often it is asked again, and whether the person is told of an outage."""

    name: str
    fault: Fault | None = None
    #: Instead of a fault of the service: nobody listens, nobody takes the connection, it dies behind its call.
    place: str = ""
    requests: int = 1
    kind: str
    notice: bool = True


CASES = (
    Case(name="nobody listens", place="refused", requests=4, kind="unreachable"),
    Case(name="nobody takes the connection", place="black hole", requests=1, kind="unreachable"),
    Case(name="429", fault=Fault("status", 429), requests=4, kind="too_many"),
    Case(name="429, again in 0.3 s", fault=Fault("status", 429, "0.3"), requests=3, kind="too_many"),
    Case(name="429, again in 30 s", fault=Fault("status", 429, "30"), kind="too_many"),
    Case(name="500", fault=Fault("status", 500), requests=4, kind="broken"),
    Case(name="502, a page instead of JSON", fault=Fault("html", 502), requests=4, kind="broken"),
    Case(name="503", fault=Fault("status", 503), requests=4, kind="broken"),
    Case(name="504", fault=Fault("status", 504), requests=4, kind="slow"),
    Case(name="400", fault=Fault("status", 400), kind="not_accepted"),
    Case(name="401, a wrong key", fault=Fault("status", 401), kind="key_refused"),
    Case(name="403", fault=Fault("status", 403), kind="key_refused"),
    Case(name="404, no such model", fault=Fault("status", 404), kind="unknown_model"),
    Case(name="no answer at all", fault=Fault("no_head"), kind="silent"),
    Case(name="no first word", fault=Fault("silent"), kind="silent"),
    Case(name="stalls in the middle", fault=Fault("stall"), kind="silent"),
    Case(name="goes on without end", fault=Fault("endless"), kind="slow"),
    Case(name="cut in the middle, in good order", fault=Fault("cut"), kind="cut"),
    Case(name="torn in the middle", fault=Fault("torn"), kind="cut"),
    Case(name="an error in the middle", fault=Fault("broken_midway"), kind="broken"),
    Case(name="no JSON in the middle", fault=Fault("garbage"), kind="unreadable"),
    Case(name="an empty answer", fault=Fault("empty"), kind="empty"),
    Case(name="a call that cannot be read (Gemini)", fault=Fault("malformed"), kind="unreadable"),
    Case(name="the words are blocked", fault=Fault("blocked"), kind="blocked", notice=False),
    Case(name="its answer is blocked", fault=Fault("safety"), kind="blocked", notice=False),
    Case(name="dies behind its call", place="dies", requests=5, kind="broken"),
)


@contextmanager
def black_hole() -> Iterator[str]:
    """An address of this machine at which connections are not taken: its line is full."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def brain_for(case: Case, server: ModelServer) -> Any:
    def brain(heard: Heard) -> Reply:
        if case.place == "dies":
            server.always = Fault("status", 503)
            return Reply(calls=[LOCK])
        return Reply(texts=["This ", "is ", "a ", "long ", "answer ", "of ", "many ", "words."])

    return brain


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_person_is_answered_and_nothing_is_done_twice(open_house: Any, case: Case) -> None:
    async with model_server(lambda heard: Reply()) as server:
        server.brain = brain_for(case, server)
        server.always = case.fault
        with black_hole() as hole:
            address = {"refused": "http://127.0.0.1:1", "black hole": hole}.get(case.place, server.url)
            model = of_wire("gemini", address)
            told: list[Any] = []
            guarded = Guarded(model, SystemClock(), told.append)
            async with open_house(models=[guarded, OfflinePlanner()]) as house:
                agent = (await house.running.agent._late.here()).agent
                lingers = case.fault is not None and case.fault.how in LINGERING
                agent._answering._running._caps = HURRIED if lingers else CAPS
                begun = time.perf_counter()
                turn = await house.say(WORDS_OF_PERSON)
                took = time.perf_counter() - begun
                rows = await house.running.stores.journal.commands(
                    house.home_id, since=SystemClock().now().replace(year=2020)
                )
                state = await house.state("back_door_lock")
                later = await once_it_is_left_alone(house, guarded, turn)
        await model.close()

    assert turn.status == "completed"
    assert state["lock"] == "locked"
    assert [(r.device_id, r.command) for r in rows] == [("back_door_lock", "lock")]
    assert (NOTICE in turn.answer) == case.notice
    assert KEY not in turn.answer
    assert len(told) >= case.requests
    assert [a.status for a in told[: case.requests]][-1] == case.kind
    if IS_LONG:
        assert took < CAPS.turn_s
    _write(case, turn, took, later, guarded)


async def once_it_is_left_alone(house: Any, guarded: Guarded, turn: Any) -> float | None:
    """Seconds of a turn after two more that failed; None when the fault does not count."""
    thread = turn.all("turn")[0]["thread_id"]
    if not IS_LONG or guarded.outage is None:
        return None
    while guarded.state != "open":
        await house.say("is the back door locked?", thread_id=thread)
    begun = time.perf_counter()
    after = await house.say("is the back door locked?", thread_id=thread)
    assert after.all("done")[0]["model"] == "offline"
    assert NOTICE not in after.answer
    return time.perf_counter() - begun


def _write(case: Case, turn: Any, took: float, later: float | None, guarded: Guarded) -> None:
    if not TABLE:
        return
    path = Path(TABLE)
    if not path.exists():
        path.write_text(
            f"{'fault':36} {'known as':14} {'answered s':>10} {'left alone s':>12} {'state':8} what the person sees\n"
        )
    seen = turn.answer.replace(f"{NOTICE}: ", "[notice] ").replace(
        " Devices, rules and alarms work as ever, and I still understand plain requests and questions about your home.",
        "",
    )
    after = f"{later:.2f}" if later is not None else "-"
    line = f"{case.name:36} {case.kind:14} {took:10.2f} {after:>12} {guarded.state:8} {seen}\n"
    with path.open("a") as table:
        table.write(line)


def test_every_kind_of_fault_has_its_words() -> None:
    assert {case.kind for case in CASES} | {"left_alone"} == set(WORDS)
