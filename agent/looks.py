"""Which tools only look."""

from typing import Final

_LOOKS: Final = ("get_", "list_", "find_", "recall", "explain")


def only_looks(tool: str) -> bool:
    """Whether a tool of this name changes nothing."""
    return tool.startswith(_LOOKS)
