"""What a turn keeps between its steps: JSON only, so that a checkpoint can be read by any later process."""

import operator
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from typing_extensions import TypedDict

from agent.models.protocol import Said, ToolCall, ToolResult
from homeguard.model import Principal, Turn


class State(TypedDict, total=False):
    """One turn. `messages` are `Said` as JSON: what was recalled first (`recalled` of them), then this turn's own."""

    turn_id: str
    thread_id: str
    words: str
    principal: dict[str, Any]
    place: dict[str, str]
    #: When it began, and when it last did something (ISO, system time).
    began_at: str
    at: str
    #: Set when the words answer open questions: `{"cards": [ids], "turn_id", "approve"}`.
    answering: dict[str, Any]
    messages: Annotated[list[dict[str, Any]], operator.add]
    recalled: int
    steps: int
    commands: Annotated[list[dict[str, Any]], operator.add]
    refusals: Annotated[list[dict[str, str]], operator.add]
    tokens: Annotated[list[list[int]], operator.add]
    model: str
    #: The last model that was asked in vain: `{"model", "kind", "since"}`; `since` (ISO) when nobody is answered by it.
    limited: dict[str, str]
    #: Text of third parties has entered the turn; it never leaves it.
    tainted: Annotated[bool, operator.or_]
    #: Call id -> why its arguments cannot be used, of the calls of the last step.
    unreadable: dict[str, str]
    #: Which cap the turn ran into, as a sentence.
    stopped: str
    #: What the last step would change, as `agent.graph.plan.plan_of` has it.
    plan: list[dict[str, Any]]
    #: Call id -> confirmation ids, of the calls that wait for a person.
    waiting: dict[str, list[str]]
    #: Results of this step's calls, in their order; those that wait are filled in once answered.
    results: list[dict[str, Any]]
    #: Confirmations that this turn asked, in order.
    asked: Annotated[list[dict[str, Any]], operator.add]
    answer: str
    evidence: list[str]


def said_to_json(said: Said) -> dict[str, Any]:
    """As JSON, without what is empty; outputs are shared, not copied."""
    data: dict[str, Any] = {"role": said.role}
    if said.text:
        data["text"] = said.text
    if said.calls:
        data["calls"] = [{"id": c.id, "name": c.name, "arguments": dict(c.arguments)} for c in said.calls]
    if said.results:
        data["results"] = [result_to_json(r) for r in said.results]
    if said.opaque is not None:
        data["opaque"] = dict(said.opaque)
    if said.by:
        data["by"] = said.by
    return data


def result_to_json(result: ToolResult) -> dict[str, Any]:
    return {
        "call_id": result.call_id,
        "name": result.name,
        "status": result.status,
        "output": dict(result.output),
        "error": result.error,
        "stale_since": dict(result.stale_since),
    }


def said_from_json(data: Mapping[str, Any]) -> Said:
    return Said(
        role=data["role"],
        text=data.get("text", ""),
        calls=tuple(ToolCall(**call) for call in data.get("calls", ())),
        results=tuple(ToolResult(**result) for result in data.get("results", ())),
        opaque=data.get("opaque"),
        by=data.get("by", ""),
    )


def own(state: State) -> list[Said]:
    """What was said in this turn itself, the person's words first."""
    return [said_from_json(m) for m in state.get("messages", [])[state.get("recalled", 0) :]]


def calls_of(state: State, server_of: Callable[[str], str]) -> list[dict[str, Any]]:
    """The calls of this turn as a conversation keeps them: `{"server", "tool", "arguments", "outcome"}`, in order.

    `tainted` is added when text of third parties was in the turn: whoever recalls it has that text before them.
    """
    said = own(state)
    ended = {r["call_id"]: r["status"] for r in state.get("results", ())}
    ended |= {r.call_id: r.status for m in said for r in m.results}
    mark = {"tainted": True} if state.get("tainted") else {}
    return [
        {"server": server_of(c.name), "tool": c.name, "arguments": dict(c.arguments),
         "outcome": ended.get(c.id, "started"), **mark}
        for m in said for c in m.calls
    ]  # fmt: skip


def principal_to_json(principal: Principal) -> dict[str, Any]:
    """The rights that the turn runs with; they are looked up again, not trusted, when a turn is resumed."""
    return {
        "home_id": principal.home_id,
        "user_id": principal.user_id,
        "role": principal.role,
        "scopes": sorted(principal.scopes),
        "name": principal.name,
    }


def acting(state: State, cause: str, *, tainted: bool) -> Principal:
    """The agent acting for the person of this turn; `cause` makes what it does happen once."""
    kept = state["principal"]
    turn = Turn(id=state["turn_id"], thread_id=state["thread_id"], words=state["words"], tainted=tainted)
    return Principal(
        home_id=kept["home_id"],
        user_id=kept["user_id"],
        role=kept["role"],
        caller="agent",
        scopes=frozenset(kept["scopes"]),
        name=kept["name"],
        turn=turn,
        cause=cause,
    )
