"""Where the MCP servers answer: known without their library, which takes a while to load."""

from typing import Final

PREFIX: Final = "/mcp"
#: Below it clients are told how to sign in.
METADATA: Final = "/.well-known/oauth-protected-resource"
_BELOW: Final = (f"{PREFIX}/", f"{METADATA}{PREFIX}")


def owns(path: str) -> bool:
    """`/mcp`, everything below it, and what tells clients how to sign in there."""
    return path.startswith(_BELOW) or path.rstrip("/") == PREFIX
