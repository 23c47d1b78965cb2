"""The offline planner as a model: first the home, then its calls, then the answer from what came of them."""

from collections.abc import AsyncIterator, Sequence

from agent.models.offline.classifier import Classifier, classifier
from agent.models.offline.home import SUMMARY_TOOL, home_from, pages_of
from agent.models.offline.looking_back import local
from agent.models.offline.parts import Part, failures
from agent.models.offline.understand import Scene, understand
from agent.models.protocol import OFFLINE, Prompt, Said, Step, Token, ToolCall, ToolResult

_PAGE = 500
_MAX_PAGES = 20
#: A turn may make 20 calls; the home's pages are among them.
_MAX_CALLS = 18


class OfflinePlanner:
    """Understands requests about one home without any service: deterministic, in memory, no state between steps."""

    name = OFFLINE

    def __init__(self, model: Classifier | None = None) -> None:
        self._model = model

    async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
        """One step: a call for the home, the calls of the plan, or the answer."""
        step = self.step(prompt)
        for at, word in enumerate(step.text.split(" ") if step.text else ()):
            yield Token(text=word if at == 0 else f" {word}")
        yield step

    def step(self, prompt: Prompt) -> Step:
        """The same without streaming. Pure."""
        at = max((i for i, m in enumerate(prompt.messages) if m.role == "user"), default=-1)
        words = prompt.messages[at].text if at >= 0 else ""
        turn = prompt.messages[at + 1 :]
        wanted = _next_page(turn)
        if wanted is not None:
            return wanted
        broken = _broken_home(turn)
        if broken:
            return Step(text=f"I can't see the home right now: {broken.rstrip('. ')}.")
        parts = self._parts(prompt, words, prompt.messages[: max(at, 0)], turn)
        calls = _calls(parts)
        results = {r.call_id: r for m in turn for r in m.results if r.name != SUMMARY_TOOL}
        # a part that is asked back while others are done is one that was not done
        refused = [{"text": p.text, "why": p.why or p.say} for p in parts if p.why or (p.asks and len(parts) > 1)]
        if calls and not results:
            return Step(text="", calls=tuple(c for _, c in calls), refusals=tuple(refused))
        told = bool(calls)  # with the calls, so that they are known while one waits for a yes
        behind = _following(parts, calls, results)
        if any(c.id not in results for _, c in behind):
            return Step(text="", calls=tuple(c for _, c in behind))
        calls = [*calls, *behind]
        said, failed = _answer(parts, calls, results)
        return Step(text=said, refusals=(*(() if told else refused), *failed))

    def _parts(self, prompt: Prompt, words: str, before: Sequence[Said], turn: Sequence[Said]) -> list[Part]:
        home = home_from(pages_of(turn))
        zone = prompt.time_zone or home.time_zone
        scene = Scene(
            home=home, now=local(prompt.now, zone), area=prompt.area, device_id=prompt.device_id,
            model=self._model or classifier(),
            last_answer=next((m.text for m in reversed(before) if m.role == "assistant" and m.text), "")[:500],
        )  # fmt: skip
        earlier = [m.text for m in before if m.role == "user" and m.text]
        return understand(words, earlier[-3:], scene)


def _next_page(turn: Sequence[Said]) -> Step | None:
    """The call for the home's first or next page, `None` when it is complete or cannot be read."""
    results = [r for m in turn for r in m.results if r.name == SUMMARY_TOOL]
    if not results:
        return Step(text="", calls=(ToolCall(id="home1", name=SUMMARY_TOOL, arguments={"limit": _PAGE}),))
    cursor = results[-1].output.get("next_cursor") if results[-1].status == "ok" else None
    if cursor and len(results) < _MAX_PAGES and not any(r.name != SUMMARY_TOOL for m in turn for r in m.results):
        call = ToolCall(id=f"home{len(results) + 1}", name=SUMMARY_TOOL, arguments={"limit": _PAGE, "cursor": cursor})
        return Step(text="", calls=(call,))
    return None


def _broken_home(turn: Sequence[Said]) -> str:
    results = [r for m in turn for r in m.results if r.name == SUMMARY_TOOL]
    if results and not any(r.status == "ok" for r in results):
        return results[-1].error or "the home's summary did not come"
    return ""


def _calls(parts: Sequence[Part]) -> list[tuple[int, ToolCall]]:
    """The calls of all parts with the part's index, ids in order."""
    found: list[tuple[int, ToolCall]] = []
    for index, part in enumerate(parts):
        for call in part.calls:
            if len(found) < _MAX_CALLS:
                found.append((index, ToolCall(id=f"c{len(found) + 1}", name=call.name, arguments=call.arguments)))
    return found


def _following(
    parts: Sequence[Part], calls: Sequence[tuple[int, ToolCall]], results: dict[str, ToolResult]
) -> list[tuple[int, ToolCall]]:
    """What the parts want read once the results of their calls are here, with the part's index."""
    found: list[tuple[int, ToolCall]] = []
    for index, part in enumerate(parts):
        own = [results[c.id] for i, c in calls if i == index and c.id in results]
        for call in part.follow(own) if part.follow is not None and own else ():
            if len(calls) + len(found) < _MAX_CALLS:
                found.append((index, ToolCall(id=f"f{len(found) + 1}", name=call.name, arguments=call.arguments)))
    return found


def _answer(
    parts: Sequence[Part], calls: Sequence[tuple[int, ToolCall]], results: dict[str, ToolResult]
) -> tuple[str, list[dict[str, str]]]:
    said: list[str] = []
    failed: list[dict[str, str]] = []
    for index, part in enumerate(parts):
        own = [
            results.get(c.id) or ToolResult(call_id=c.id, name=c.name, status="error", error="the tool did not answer")
            for i, c in calls
            if i == index
        ]
        text = part.tell(own) if part.tell is not None and own else part.say
        failed += failures(part, own)
        if text and text not in said:
            said.append(text)
    if len(parts) and any(p.calls for p in parts) and len(calls) >= _MAX_CALLS:
        said.append("That was more than I do in one go; ask again for the rest.")
    return " ".join(said) or "Okay.", failed
