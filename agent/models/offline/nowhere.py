"""What is said when a home has nothing by the words that were used, or the words are no name at all. Pure."""

from typing import Final

from agent.models.offline.home import Home
from agent.models.offline.wording import start
from agent.models.offline.words import those
from homeguard.kinds import KINDS, name_words, singular

#: No name of a thing has these; a rest that does is a sentence that was not understood.
_NO_NAMES: Final = those(
    "do does did done doing am be been being have has had i you we they he she us me him her them "
    "to and or but if then than so same with without before after ago while until till since because not "
    "much many often long far ever never always again already still just really very too also maybe instead "
    "run runs ran running compare compared change changed changes call called turn turned go goes going gone went "
    "come came get got make made take took give gave want wanted need needed know knew think thought say said tell "
    "told mean meant happen happened matter worth cost costs pay expensive cheap good bad nice better worse best right "
    "wrong normal possible true that this it there here hour hours minute minutes second seconds time times moment "
    "today yesterday tomorrow tonight morning afternoon evening ones one"
)
_ASKING: Final = those("why what which who whom whose how when where is are was were the a an my our any")
_SOUNDS: Final = those("music song songs radio album playlist podcast track tune tunes volume jazz")
UNCLEAR: Final = (
    "I can't tell what you mean by that. Ask me about this home's doors, lights, climate or what happened, or say it "
    "in other words."
)


def not_here(said: str, home: Home, place: str = "") -> str:
    """The sentence for words that name nothing in the home; `place`: the area in which it was looked for."""
    words = said.split()
    while words and words[0] in _ASKING:
        words = words[1:]
    own = home.named_words
    if not words or any(w in _NO_NAMES and w not in own for w in words):
        return UNCLEAR
    if _SOUNDS & {*words} and not any(d.type == "media_player" for d in home.devices):
        return "I can't do that: there is no media player in this home."
    named = {singular(w) for w in words}
    for area in (*home.places, *dict.fromkeys(d.area for d in home.devices if d.area)):
        if named == {*name_words(area)}:
            return f"I can't do that: there is nothing for it in the {area.lower()}."
    kind = tuple(singular(w) for w in words)
    if kind in KINDS and words[-1] != kind[-1] and not any(KINDS[kind](d) for d in home.devices):
        return start(f"there are no {' '.join(words)} in this home.")
    return f'I can\'t find "{" ".join(words)}"{f" in the {place}" if place else ""} in this home.'
