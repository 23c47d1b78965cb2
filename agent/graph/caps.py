"""How far one turn may go, in time and in size. What ends at a cap is told to the person in words."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The bounds of every turn of an installation."""

    #: From asking a model to its first word, and from one word to the next; then the next model is asked.
    first_token_s: float = 8.0
    #: From a turn's begin, or from its going on after a card, to its end; waiting for a person is not counted.
    turn_s: float = 30.0
    #: One step of a model; what is left of the turn is for whoever takes over.
    step_s: float = 20.0
    #: One call of a tool.
    tool_s: float = 10.0
    #: How often a model may be asked.
    steps: int = 8
    calls: int = 20
    #: What the models of one turn read and write together.
    tokens: int = 200_000
    arguments_bytes: int = 64 * 1024
    shown_characters: int = 20_000
