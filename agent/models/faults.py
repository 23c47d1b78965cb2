"""How asking a language model can go wrong, whoever made it: one list for all of them."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, TypeAlias

from homeguard.errors import ModelUnavailable

Kind: TypeAlias = Literal[
    "unreachable", "silent", "slow", "too_many", "broken", "key_refused", "unknown_model", "not_accepted", "cut",
    "empty", "unreadable", "blocked", "left_alone",
]  # fmt: skip

#: What each means, as the end of "the language model ...".
WORDS: Final[Mapping[Kind, str]] = {
    "unreachable": "cannot be reached",
    "silent": "says nothing",
    "slow": "takes too long",
    "too_many": "takes no more requests for now",
    "broken": "is out of order",
    "key_refused": "does not accept the key",
    "unknown_model": "is not known by that name there",
    "not_accepted": "does not accept what it is asked",
    "cut": "broke off in the middle",
    "empty": "gave an empty answer",
    "unreadable": "answered what cannot be read",
    "blocked": "would not answer this",
    "left_alone": "did not answer lately and is left alone for a while",
}
#: May be over in a moment: worth asking again.
_PASSING: Final = frozenset(("unreachable", "too_many", "broken"))


class ModelFault(ModelUnavailable):
    """One request to a model that came to nothing. `told` is what its service said, for operators only.

    `passes`: asking again at once may help; `retry_after_s` is how long the service wants to be left alone first.
    `outage_since` is set by who watches the model: since when it has not answered anybody.
    """

    def __init__(
        self, kind: Kind, told: str = "", *, passes: bool | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(f"the language model {WORDS[kind]}")
        self.kind: Final = kind
        self.told = " ".join(told.split())[:300]
        self.passes: Final = kind in _PASSING if passes is None else passes
        self.retry_after_s: Final = retry_after_s
        self.model = ""
        self.outage_since: datetime | None = None

    @property
    def is_about_the_words(self) -> bool:
        """It concerns what was said, and nothing else that will be asked."""
        return self.kind == "blocked"


def fault_of_status(status: int, told: str = "", retry_after_s: float | None = None) -> ModelFault:
    """For an answer over HTTP that is none."""
    match status:
        case 401 | 403:
            return ModelFault("key_refused", told)
        case 404:
            return ModelFault("unknown_model", told)
        case 408 | 504:
            return ModelFault("slow", told, passes=True, retry_after_s=retry_after_s)
        case 429:
            return ModelFault("too_many", told, retry_after_s=retry_after_s)
        case _ if status >= 500:
            return ModelFault("broken", told, retry_after_s=retry_after_s)
        case _:
            return ModelFault("not_accepted", told)


def retry_after(header: str) -> float | None:
    """A Retry-After in seconds; a date is further away than anybody waits."""
    return float(header) if re.fullmatch(r"\d+(?:\.\d+)?", header.strip()) else None
