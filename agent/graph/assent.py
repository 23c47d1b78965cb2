"""Whether a whole message is a plain yes or a plain no. In doubt it is neither. Pure."""

import re
import unicodedata
from typing import Final, Literal, TypeAlias

Assent: TypeAlias = Literal["yes", "no", ""]

_YES: Final = frozenset(
    (
        "yes", "yes please", "yes do it", "yes do that", "yes go ahead", "yes go on", "yep", "yeah", "yup", "go ahead",
        "please go ahead", "go for it", "do it", "please do", "do that", "sure", "sure go ahead", "ok do it",
        "okay do it", "ok go ahead", "okay go ahead", "yes ok", "yes okay", "yes sure", "confirmed", "i confirm",
        "approved", "i approve", "make it so", "ja", "ja bitte", "ja mach das", "mach das", "ja mach", "nur zu",
        "ja gerne", "einverstanden", "si", "si por favor", "adelante", "hazlo", "oui", "oui vas y", "vas y",
        "d accord",
    )
)  # fmt: skip
_NO: Final = frozenset(
    (
        "no", "no thanks", "no thank you", "nope", "nah", "no don t", "don t", "don t do it", "don t do that",
        "do not", "do not do it", "no do not", "please don t", "cancel", "cancel it", "cancel that", "cancel this",
        "please cancel", "no cancel", "never mind", "nevermind", "forget it", "stop", "stop it", "stop that",
        "no stop", "leave it", "abort", "drop it", "not now", "no not now", "nein", "nein danke", "abbrechen",
        "lass es", "doch nicht", "vergiss es", "no gracias", "cancela", "cancelar", "non", "non merci", "annule",
        "annuler", "laisse tomber",
    )
)  # fmt: skip
_LONGEST: Final = 60
_POLITE: Final = re.compile(r"^(?:(?:ok|okay|well|oh|hey|homeguard|hm) )+|(?: (?:please|thanks|thank you|homeguard))+$")


def assent(words: str) -> Assent:
    """`yes`, `no` or `""`: only for a message that is nothing else, and no question."""
    if len(words) > _LONGEST or "?" in words:
        return ""
    # what is invisible or only looks like a letter has no place in a yes
    if any(unicodedata.category(c) in ("Cf", "Cc", "Co", "Cn") for c in words.strip()):
        return ""
    plain = unicodedata.normalize("NFD", words.casefold().replace("\u2019", "'"))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    if not plain.isascii() and not all(c.isascii() or unicodedata.category(c)[0] in "PS" for c in plain):
        return ""
    text = " ".join(re.findall(r"[a-z0-9]+", plain))
    for said in (text, _POLITE.sub("", text).strip()):
        if said in _YES:
            return "yes"
        if said in _NO:
            return "no"
    return ""
