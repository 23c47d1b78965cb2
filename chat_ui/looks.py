"""How far something is, as every card and list of the page shows it, and what an effect is called. Pure."""

from collections.abc import Mapping
from typing import Final

from chat_ui.languages import Words

#: How far a step is -> how it looks; its words are `outcome.<how far>`.
LOOKS: Final[Mapping[str, str]] = {
    "confirmed": "done", "sent": "unsure", "approved": "unsure", "failed": "wrong", "refused": "wrong",
    "yes": "waiting", "card": "waiting", "denied": "over", "expired": "over",
}  # fmt: skip


def named(command: str, device: str, words: Words) -> str:
    """`Unlock Front Door Lock`: what a command does, in words; one that is not known keeps its name."""
    does = f"does.{command}"
    if does in words.texts and device:
        return words.say(does, device=device)
    return f"{command.replace('_', ' ').capitalize()} {device}".strip()
