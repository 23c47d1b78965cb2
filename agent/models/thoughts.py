"""Keeps what a model thinks aloud out of what it says: some write `<think>...</think>` before they answer."""

from typing import Final

_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"


class Thoughts:
    """One answer, piece by piece. Only at the very beginning a thought is a thought; later the word is a word."""

    def __init__(self) -> None:
        self._held = ""
        self._state = "before"

    def take(self, piece: str) -> str:
        """What of it is said, with what was held back before."""
        if self._state == "after":
            return piece
        self._held += piece
        if self._state == "before":
            begun = self._held.lstrip()
            if not begun.startswith(_OPEN):
                return "" if _OPEN.startswith(begun) else self._let_go()
            self._state = "inside"
        _, closed, after = self._held.partition(_CLOSE)
        if not closed:
            return ""
        self._held = after.lstrip()
        return self._let_go()

    def rest(self) -> str:
        """What is still held back at the end: words, never a thought."""
        return "" if self._state == "inside" else self._let_go()

    def _let_go(self) -> str:
        said, self._held, self._state = self._held, "", "after"
        return said
