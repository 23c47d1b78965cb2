"""What would happen if: "if I said unlock the front door, what would you do?" is answered; nothing is done. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from agent.models.offline.frames import frame
from agent.models.offline.home import Home
from agent.models.offline.parts import Part
from agent.models.offline.verbs import base_form
from homeguard.targets import resolve

_SUPPOSING: Final = re.compile(
    r"^(?:(?:so|and|but|hypothetically|ok|okay|just curious|out of curiosity|,) )*"
    r"(?:(?:(?<!should )if|suppose|supposing|imagine|assuming|say|let us say|lets say|what if|pretend)(?: that)? "
    r"(?:i|we|you|someone|somebody|anyone|a |my |the |he |she |they )"
    r"|what (?:would|will|does|do|happens?|happened)\b.*\b(?:if|when) (?:i|we|you|someone|somebody|anyone) "
    r"|(?:would|could|can|will) you (?:really |actually |ever )?(?:just )?(?:do it|unlock|open|obey"
    r"|listen)\b.*\bif (?:i|we|someone|a stranger|somebody) )"
)
_IMAGINED: Final = re.compile(
    r"^(?:(?:so|and|but|ok|okay|hypothetically|,) )*(?:suppose|supposing|imagine|pretend|assuming|what if)(?: that)? "
    r"(?:i|we|you|someone|somebody|he|she|they|a \w+|my \w+) (?:\w+ )?(?:said|say|told|tell|asked|ask|wanted"
    r"|were|was|had)\b"
)
_WISE: Final = re.compile(
    r"^(?:and |so |but )*(?:would|is|was|will) it (?:be )?(?:an? )?(?:bad|good|ok|okay|safe|wise|fine|wrong"
    r"|silly|smart|alright|dangerous|better|stupid)\b"
)
_HOW_DO_I: Final = re.compile(
    r"^(?:and |so )?how (?:do|would|can|could|should|might) (?:i|we) (?:go about |get you to |make you |ask you "
    r"to |tell you to )?(?P<what>.+?)(?: (?:through|with|via|using) (?:you|this|the app))?(?: [?.!])?$"
)
_COULD_YOU: Final = re.compile(
    r"^(?:(?:so|and|hey|ok|okay|just curious|out of curiosity|,) )*(?:could|would|can|will) you (?P<what>.+?),? "
    r"if (?:i|we) (?:ever |really |actually )*(?:wanted|asked|needed|liked|told you)\b"
)
_ASKS: Final = re.compile(r"\b(?:would|could|will|what|happens?|do you|can you|should)\b")
_HOW_TO_SAY: Final = re.compile(
    r"^(?:so )?(?:what|how) (?:would|do|should|must|can|could) (?:i|we) (?:have to |need to )?(?:say|tell you"
    r"|ask(?: you)?|phrase it|word it)"
    r"(?: (?:it|this|something))? (?:to (?:get|make|have|let)|so that|for|if i want(?:ed)?(?: to)?|to) (?:you "
    r"to |you )?(?P<what>.+?)(?: [?.!])?$"
)


def supposed_part(words: Sequence[str], said: str, home: Home) -> Part | None:
    """The answer to a hypothetical question, `None` for another sentence."""
    text = " ".join(words).rstrip(" ?.!")
    how = _HOW_TO_SAY.match(text)
    if how is not None:
        what = re.sub(r"^(.+?) to go (\w+)$", r"make \1 \2", how["what"])
        return Part(text=said, say=f'Say it as you would to a person, for example: "{what}".')
    able = _COULD_YOU.match(text)
    if able is not None and frame(able["what"].split(), home.devices, home.places).actions:
        return Part(text=said, say=f'If you want it, say it: "{able["what"]}". I did nothing now.')
    asked = _HOW_DO_I.match(text)
    if asked is not None:
        what = re.sub(r"^(\w+?)ing\b", lambda m: base_form(m[0]), asked["what"])
        if frame(what.split(), home.devices, home.places).actions:
            return Part(text=said, say=f'Just say it to me: "{what}".')
    if _WISE.match(text):
        return Part(text=said, say="I can't judge that for you. I did nothing: tell me plainly if you want it done.")
    if not (_IMAGINED.match(text) or (_SUPPOSING.match(text) and _ASKS.search(text))):
        return None
    if re.search(r"\bi (?:would |will )?(?:want|like|need|love|prefer)\b", text) and not _IMAGINED.match(text):
        return None
    inner = re.sub(
        r"^.*?\b(?:said|say|told you to|tell you to|asked you to|ask you to|to say)\b(?: something "
        r"like| the words?)?[ ,]*",
        "",
        text,
    )
    parts = [p for p in re.split(r" [,?] | (?:what|would) ", inner) if p.strip()]
    for piece in parts:
        found = frame(piece.split(), home.devices, home.places)
        actions = frame(
            [w for w in piece.split() if w not in ("were", "was", "if", "i", "we", "you")], home.devices, home.places
        ).actions
        if not (found.actions or actions):
            continue
        named = (
            resolve(found.target, home.devices, areas=home.areas, floors=home.floors, fuzzy=False).devices
            if found.target
            else ()
        )
        sensitive = bool({"unlock", "disarm"} & set(found.actions or actions)) or (
            "open" in (found.actions or actions) and any(d.type in ("garage_door", "gate", "lock") for d in named)
        )
        if sensitive:
            say = (
                "I would ask for your OK on a card first, and nothing would move until somebody of this home "
                "presses it. "
                "I did nothing now."
            )
        else:
            say = "If you asked for that, I would do it at once and tell you what came of it. I did nothing now."
        return Part(text=said, say=say)
    return Part(text=said, say="I did nothing: that was only a question. I can't tell what would come of it.")
