"""What a remark may want: "it's getting dark" is answered with what could be done, and done only on a yes. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agent.models.offline.acting import Order
from agent.models.offline.home import Home
from agent.models.offline.parts import Part, control, doing
from agent.models.offline.places import is_outdoors
from agent.models.offline.wording import listed, names_of, the
from agent.models.offline.words import those
from homeguard.kinds import name_words
from homeguard.model import Device

Offer = tuple[tuple[Device, Order], ...]
_DARK: Final = re.compile(
    r"^(?:(?:oh|wow|hm|hey|well|ok|so|,) )*(?:it|its|it is|it has|is it)? ?(?:is |gets |got |has |been "
    r")?(?:getting |become |becoming |growing |so |pretty |quite |a bit |very |too )*"
    r"(?:dark|gloomy|dim)(?: (?:outside|out there|already|now|early|in here|out|here))*(?: [.!])?$|^(?:the "
    r")?sun is (?:setting|going down|down)\b"
)
_COLD: Final = re.compile(
    r"^(?:(?:brr+|oh|wow|hm|hey|ugh|well|,) )*(?:i am|we are|it is|its|it feels|im) (?:so |a bit |a little "
    r"|pretty |quite |really |very |too |getting |freezing )*"
    r"(?:cold|chilly|freezing|cool)(?: (?:in here|today|tonight|now|here|already))*(?: [.!])?$"
)
_HOT: Final = re.compile(
    r"^(?:(?:oh|wow|phew|hm|hey|ugh|well|,) )*(?:i am|we are|it is|its|it feels|im) (?:so |a bit |a little "
    r"|pretty |quite |really |very |too |getting |boiling )*"
    r"(?:hot|warm|boiling|stuffy|sweltering)(?: (?:in here|today|tonight|now|here|already))*(?: [.!])?$"
)
_YES: Final = re.compile(
    r"^(?:(?:yes|yeah|yep|yup|sure|ok|okay|please|do|go|ahead|both|all|that|it|would|be|great|nice|good|idea"
    r"|thanks|lovely|perfect|of|course|sounds|, ) ?)+[.!]?$"
)
_NO: Final = re.compile(
    r"^(?:no|nope|nah|not now|no thanks|no thank you|leave it|never ?mind|neither|none"
    r"|that is (?:way |far |a bit )?too (?:much|little|hot|warm|cold|cool|low|high))\b"
)
_ONLY: Final = those("just only but not except the a please yes yeah ok okay one do turn on off close that then")


@dataclass(frozen=True, slots=True)
class Answer:
    """Which of the offered orders are wanted; none at all: `()`."""

    orders: Offer


def offered_part(words: Sequence[str], said: str, home: Home) -> tuple[Part, Offer] | None:
    """What to offer to a remark, `None` for another sentence."""
    text = " ".join(w for w in words if w not in ("?",))
    if _DARK.match(text):
        return _for_the_dark(said, home)
    cold, hot = _COLD.match(text), _HOT.match(text)
    if cold or hot:
        return _for_comfort(said, home, warmer=cold is not None)
    return None


def _for_the_dark(said: str, home: Home) -> tuple[Part, Offer]:
    outside = [d for d in home.devices if d.type == "light" and is_outdoors(d)]
    lights = outside or [d for d in home.devices if d.type == "light"][:1]
    wanted = [(d, Order("turn_on")) for d in lights if home.state(d).get("on") is not True]
    wanted += [
        (door, Order("close"))
        for door in home.devices
        if door.type in ("garage_door", "gate")
        and (home.state(door).get("cover") == "open" or (home.state(door).get("position_pct") or 0) > 0)
    ]
    wanted = [(d, o) for d, o in wanted if home.takes(d, o.command)]
    if not wanted:
        on = [d for d in lights if home.state(d).get("on") is True]
        told = f"{names_of(on, 3)} {'is' if len(on) == 1 else 'are'} on already" if on else "there is nothing to do"
        return Part(text=said, say=f"Yes, it is; {told}, and nothing that I could close stands open."), ()
    return _offering("It is getting dark.", wanted, said, home)


def _for_comfort(said: str, home: Home, *, warmer: bool) -> tuple[Part, Offer]:
    for device in home.devices:
        target = home.state(device).get("target_c")
        if not home.takes(device, "set_temperature") or not isinstance(target, int | float):
            continue
        step = 1.0 if warmer else -1.0
        value = round(target * 1.8 + 32 + 2 * step) if home.unit == "F" else round(target + step, 1)
        order = Order("set_temperature", {"value": value, "unit": home.unit})
        reads = home.state(device).get("temperature_c")
        shown = ""
        if isinstance(reads, int | float):
            shown = f" ({reads * 1.8 + 32:.0f}°F inside)" if home.unit == "F" else f" ({reads:.1f}°C inside)"
        return _offering(f"I could make it {'warmer' if warmer else 'cooler'}{shown}.", [(device, order)], said, home)
    return Part(text=said, say="There is no heating or cooling here that I could set."), ()


def _offering(opening: str, wanted: Sequence[tuple[Device, Order]], said: str, home: Home) -> tuple[Part, Offer]:
    deeds = [doing(o.command, o.parameters, home, the(d)) for d, o in wanted]
    return Part(text=said, say=f"{opening} Do you want me to {listed(deeds)}?", asks=True), tuple(wanted)


def answered(words: Sequence[str], offer: Offer) -> Answer | None:
    """What of an offer is wanted by an answer to it; `None` when the words are none."""
    text = " ".join(w for w in words if w not in (",", ".", "!", "?"))
    if _NO.match(text):
        return Answer(())
    content = {w for w in text.split() if w not in _ONLY}
    named = tuple((d, o) for d, o in offer if content & ({*name_words(d.name), d.type.partition("_")[0]} - {"the"}))
    if named and content <= {w for d, _ in named for w in (*name_words(d.name), *d.type.split("_"))} | {"for", "now"}:
        if re.search(r"\b(?:not|except|but not)\b", text):
            return Answer(tuple(row for row in offer if row not in named))
        return Answer(named)
    if _YES.match(text):
        return Answer(offer)
    return None


def done_part(answer: Answer, said: str, home: Home) -> Part:
    """What the answer wants, carried out."""
    if not answer.orders:
        return Part(text=said, say="Okay, I won't do anything.")
    return control(said, answer.orders, home)
