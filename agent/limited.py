"""What a person is told when the language model does not answer and the planner does: once an outage, in each talk."""

from collections import OrderedDict
from typing import Final

from agent.graph.state import State
from agent.models.faults import WORDS

#: Conversations that are remembered as told; one that is forgotten is told again.
_MOST: Final = 10_000
_AWAY: Final = (
    "AI features are temporarily limited: the language model {why}. Devices, rules and alarms work as ever, and I "
    "still understand plain requests and questions about your home."
)
_BLOCKED: Final = "The language model would not answer this, so I do without it."


class Limited:
    """Which conversations know of which outage; an outage is known by the time at which it began."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, str, str], tuple[str, str]] = OrderedDict()

    def notice(self, state: State) -> str:
        """The words for this turn, `""` when its model answered or the conversation knows already. Counts as told."""
        limited = state.get("limited")
        if not limited:
            return ""
        if not limited["since"]:
            return _BLOCKED
        principal = state["principal"]
        thread = (principal["home_id"], principal["user_id"], state["thread_id"])
        outage = (limited["model"], limited["since"])
        if self._told.get(thread) == outage:
            return ""
        self._told[thread] = outage
        self._told.move_to_end(thread)
        while len(self._told) > _MOST:
            self._told.popitem(last=False)
        why = "does not answer" if limited["kind"] == "left_alone" else WORDS[limited["kind"]]  # type: ignore[index]
        return _AWAY.format(why=why)
