""" "If it is above 23 in the den, ...": the condition read from the home now, before anything is done."""

import re

from agent.models.offline import measuring, reading
from agent.models.offline.frames import Frame
from agent.models.offline.home import Home
from agent.models.offline.parts import Part, refusal
from agent.models.offline.wording import start, the, value
from homeguard.units import celsius_to_fahrenheit

_MORE = frozenset(("above", "over", "higher", "more", "warmer", "hotter", "greater"))
_LESS = frozenset(("below", "under", "lower", "less", "colder", "cooler"))


def condition_part(found: Frame, spoken: str, home: Home, area: str) -> Part:
    """An empty part when the condition holds; else the sentence that says why nothing is done."""
    words = [w for w in found.words if w != "if"]
    bare = Frame(
        words=tuple(words),
        target=tuple(w for w in found.target if w != "if"),
        held=frozenset(i - 1 for i in found.held if i),
    )
    if found.value is not None and (_MORE | _LESS) & set(words):
        return _compared(found, bare, spoken, home, area)
    predicate = reading.predicate_of(bare)
    checked = reading.check_of(predicate, reading.noun_of(bare))
    about = reading.subject(bare, home, area, checked[0] if checked else None, [predicate])
    devices = about.devices or about.ambiguous
    if checked is None or not devices:
        return refusal(spoken, f'I can\'t check "{" ".join(words)}" here.')
    told = [checked[0](d, home.state(d)) for d in devices]
    if any(told):
        return Part(text=spoken)
    return Part(text=spoken, say=f"{start(the(devices[0]))} is {checked[1] or 'not'}, so I did nothing.")


def _compared(found: Frame, bare: Frame, spoken: str, home: Home, area: str) -> Part:
    number = re.sub(r"[^\d. ]", "", " ".join(bare.words))
    plain = tuple(
        w for w in bare.words if w not in _MORE | _LESS | {"than", "degrees", "percent"} and w not in number.split()
    )
    attributes = measuring.measured(bare) or ("temperature_c",)
    about = measuring.where(Frame(words=plain, target=bare.target), home, area, attributes)
    having, attribute = measuring.best(about.devices or about.ambiguous, attributes, home)
    if not having or found.value is None:
        return refusal(spoken, f'I can\'t check "{" ".join(bare.words)}" here.')
    now = float(home.state(having[0]).get(attribute) or 0)
    shown = celsius_to_fahrenheit(now) if attribute.endswith("_c") and home.unit == "F" else now
    more = bool(_MORE & set(bare.words))
    if (shown > found.value.number) == more and shown != found.value.number:
        return Part(text=spoken)
    return Part(
        text=spoken, say=f"{start(the(having[0]))} reads {value(attribute, now, home, having[0])}, so I did nothing."
    )
