"""Named points in a turn of the agent at which a process dies, and the model that makes the turn the same each time.

`dies_in_turns` is planted in the nursery: a process then dies at the point that the file named by `HOMEGUARD_DIE_AT`
holds, once. The points are `STEP:before` and `STEP:after`, and `NODE:kept`: what the node gave is kept, and the turn's
checkpoint behind it is not.
"""

import functools
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

WORDS: Final = "Good night"
#: Under these names langgraph keeps that a node asks, and what it was answered.
INTERRUPT, RESUME = "__interrupt__", "__resume__"
#: The nodes of the graph.
NODES: Final = ("recall", "think", "act", "wait", "answer", "remember")
#: They, what happens around the graph, and what it sets off.
STEPS: Final = ("begin", "hear", *NODES, "forget", "gather", "send", "by words")


def die_here(point: str) -> None:
    """Ends this process when it is the one that was asked for."""
    wanted = Path(os.environ["HOMEGUARD_DIE_AT"])
    if wanted.exists() and wanted.read_text() == point:
        wanted.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def sent_file() -> Path:
    """Where each command that was handed to its device has a line."""
    return Path(os.environ["HOMEGUARD_DIE_AT"]).with_suffix(".sent")


def watched(step: str, does: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(does)
    async def watching(*args: Any, **kwargs: Any) -> Any:
        die_here(f"{step}:before")
        if step == "send":
            with sent_file().open("a") as sent:
                sent.write(f"{args[2].id}\n")
        done = await does(*args, **kwargs)
        die_here(f"{step}:after")
        return done

    return watching


def watched_keeping(keep: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(keep)
    async def keeping(saver: Any, config: Any, writes: Sequence[tuple[str, Any]], task: str, path: str = "") -> None:
        await keep(saver, config, writes, task, path)
        if not {channel for channel, _ in writes} <= {INTERRUPT, RESUME}:  # no mere question, nor a mere answer to it
            die_here(f"{path.rpartition(' ')[2]}:kept")

    return keeping


def plays_good_night() -> None:
    """The model of these processes plays one script for any words: a lock, a mode, a close and an unlock."""
    from agent.models.offline import planner
    from agent.models.protocol import Step, ToolCall
    from agent.models.scripted import ScriptedModel

    wanted = (
        ("control_device", {"device_id": "back_door_lock", "command": "lock"}),
        ("control_device", {"device_id": "garage_door", "command": "close"}),
        ("control_device", {"device_id": "front_door_lock", "command": "unlock"}),
        ("set_home_mode", {"mode": "sleep"}),
    )
    calls = tuple(ToolCall(id=f"n{i}", name=name, arguments=args) for i, (name, args) in enumerate(wanted))
    script = {WORDS: [Step(text="", calls=calls), Step(text="Good night. The Back door lock is locked.")]}
    planner.OfflinePlanner = lambda: ScriptedModel(script)  # type: ignore[assignment,misc]


def dies_in_turns() -> None:
    """No defect: the process dies where it is told to, and has no budget, since it does the same again and again."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    import homeguard.gate
    import pipeline.command.grants
    from agent.graph import build
    from agent.graph.turns import Turns
    from agent.notebook import Notebook
    from pipeline.command.questions import Questions
    from pipeline.command.service import CommandService
    from pipeline.drivers.simulated import SimulatedDriver

    plays_good_night()
    homeguard.gate.AGENT_T3_BUDGET = pipeline.command.grants.AGENT_T3_BUDGET = 1_000_000  # type: ignore[misc]
    for node in NODES:
        setattr(build, node, watched(node, getattr(build, node)))
    AsyncSqliteSaver.aput_writes = watched_keeping(AsyncSqliteSaver.aput_writes)  # type: ignore[method-assign]
    for step, owner, name in (
        ("begin", Turns, "begin"),
        ("forget", Turns, "forget"),
        ("hear", Notebook, "hear"),
        ("gather", Questions, "_ask"),
        ("send", SimulatedDriver, "send"),
        ("by words", CommandService, "answer_by_words"),
    ):
        setattr(owner, name, watched(step, getattr(owner, name)))


def forgets_its_causes() -> None:
    """Every call has a new cause each time that it is made."""
    from dataclasses import replace

    from agent.graph import acting
    from homeguard.ids import new_id

    really = acting.acting

    def act_as(*args: Any, **kwargs: Any) -> Any:
        principal = really(*args, **kwargs)
        return replace(principal, cause=f"{principal.cause}-{new_id()}")

    acting.acting = act_as
