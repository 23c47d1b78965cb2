"""What an assistant may write down for a person once others' text has come up in its turn: that person's own words."""

from collections.abc import Iterable

from homeguard.errors import NotAllowed
from homeguard.model import Principal
from homeguard.recollection import folded


def check_own_words(principal: Principal, texts: Iterable[str]) -> None:
    """Raises NotAllowed: in a tainted turn of an agent a text holds a word that the person did not say in it."""
    turn = principal.turn
    if principal.caller != "agent" or turn is None or not turn.tainted:
        return
    said = set(folded(turn.words).split())
    for text in texts:
        if not set(folded(text).split()) <= said:
            raise NotAllowed(
                "others' text came up in this turn, and this is not what the person said: ask them to say it in a "
                "sentence of its own",
                code="TAINTED",
            )
