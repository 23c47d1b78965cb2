"""What a turn keeps between its steps: JSON only, so that a checkpoint can be read by any later process."""

import operator
from collections.abc import Mapping
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
    messages: Annotated[list[dict[str, Any]], operator.add]
    recalled: int
    steps: int
    commands: Annotated[list[dict[str, Any]], operator.add]
    refusals: Annotated[list[dict[str, str]], operator.add]
    tokens: Annotated[list[list[int]], operator.add]
    model: str
    #: Call id -> confirmation id, of the calls that wait for a person.
    waiting: dict[str, str]
    #: Results of this step's calls, in their order; those that wait are filled in once answered.
    results: list[dict[str, Any]]
    #: Confirmations that this turn asked, in order.
    asked: Annotated[list[dict[str, Any]], operator.add]
    answer: str


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
    )


def principal_to_json(principal: Principal) -> dict[str, Any]:
    """The rights that the turn runs with; they are looked up again, not trusted, when a turn is resumed."""
    return {
        "home_id": principal.home_id,
        "user_id": principal.user_id,
        "role": principal.role,
        "scopes": sorted(principal.scopes),
        "name": principal.name,
    }


def acting(state: State, cause: str) -> Principal:
    """The agent acting for the person of this turn; `cause` makes what it does happen once."""
    kept = state["principal"]
    return Principal(
        home_id=kept["home_id"],
        user_id=kept["user_id"],
        role=kept["role"],
        caller="agent",
        scopes=frozenset(kept["scopes"]),
        name=kept["name"],
        turn=Turn(id=state["turn_id"], thread_id=state["thread_id"], words=state["words"]),
        cause=cause,
    )
