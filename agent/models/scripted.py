"""A model that plays recorded steps: it tests the graph and the gate, and understands nothing."""

from collections.abc import AsyncIterator, Mapping, Sequence

from agent.models.protocol import Prompt, Step, Token
from homeguard.errors import ModelUnavailable


class ScriptedModel:
    """Plays one list of steps for each sentence that it knows; raises for any other.

    `scripts` maps a person's words to the steps of that turn, in order; `*` answers any words.
    """

    name = "scripted"

    def __init__(self, scripts: Mapping[str, Sequence[Step]]) -> None:
        self._scripts = scripts

    async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
        index = max(i for i, m in enumerate(prompt.messages) if m.role == "user")
        words = prompt.messages[index].text
        done = sum(m.role == "assistant" for m in prompt.messages[index:])
        steps = self._scripts.get(words, self._scripts.get("*", ()))
        if done >= len(steps):
            raise ModelUnavailable(f"the script has no step {done + 1} for these words")
        step = steps[done]
        for word in step.text.split(" ") if step.text else ():
            yield Token(text=word + " ")
        yield step
