"""Who the bearers of these tests are."""

from house_for_tools import ANN, BOB

from homeguard.errors import NotAllowed, NotSignedIn
from homeguard.model import Principal

_ANN = {"home_id": "ann", "user_id": "ann", "role": "owner", "caller": "person"}
#: token -> (principal, servers that it opens; empty: all)
TOKENS: dict[str, tuple[Principal, frozenset[str]]] = {
    "ann": (ANN, frozenset()),
    "bob": (BOB, frozenset()),
    "ann-reads": (Principal(**_ANN, scopes=frozenset(("read",))), frozenset()),  # type: ignore[arg-type]
    "ann-nothing": (Principal(**_ANN, scopes=frozenset()), frozenset()),  # type: ignore[arg-type]
    "ann-events-only": (Principal(**_ANN), frozenset(("events",))),  # type: ignore[arg-type]
}


async def authenticate(token: str, server: str) -> Principal:
    if token not in TOKENS:
        raise NotSignedIn("unknown token")
    principal, servers = TOKENS[token]
    if servers and server not in servers:
        raise NotAllowed("this token is not for this server")
    return principal
