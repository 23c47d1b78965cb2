"""How a conversation is called in a list: by the words that it began with."""

from typing import Final

LENGTH: Final = 60


def title_of(text: str) -> str:
    """The first words of a text, up to 60 characters, cut between words where there is a gap."""
    words = " ".join(text.split())
    if len(words) <= LENGTH:
        return words
    cut = words[:LENGTH]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut[:-1]) + "…"
