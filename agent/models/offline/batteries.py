"""Batteries: which is the weakest, which are under a level, what runs on one at all. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from agent.models.offline.home import Home
from agent.models.offline.parts import Part
from agent.models.offline.wording import names_of, start, the
from homeguard.model import Device

_ABOUT: Final = re.compile(r"\b(?:battery|batteries|charge)\b")
_WORST: Final = re.compile(
    r"\b(?:worst|lowest|weakest|emptiest|lowest charge|least|flattest|dying 1st|die 1st"
    r"|go 1st|run out 1st)\b"
)
_LOW: Final = re.compile(r"\b(?:low|nearly (?:empty|dead|flat|gone)|almost (?:empty|dead|flat|gone)|dying)\b")
_BEST: Final = re.compile(r"\b(?:best|highest|fullest|strongest|most)\b")
_UNDER: Final = re.compile(r"\b(?:under|below|less than|lower than|beneath) (\d+)")
_OVER: Final = re.compile(r"\b(?:over|above|more than|higher than) (\d+)")
_POWERED: Final = re.compile(
    r"\b(?:battery (?:powered|operated|run|driven)|(?:runs?|run|running|works?|work) (?:on|off|from) (?:a "
    r")?batter(?:y|ies)|(?:has|have|with|use|uses|got) "
    r"(?:a )?batter(?:y|ies))\b"
)
_ASKS: Final = re.compile(
    r"^(?:(?:and|so|hey|ok|please|tell me|show me) )*(?:is|are|do|does|what|which|who|how"
    r"|any|list|name|show|tell)\b|\?$"
)


def batteries_part(words: Sequence[str], said: str, home: Home) -> tuple[Part, tuple[Device, ...]] | None:
    """The answer to a question that compares batteries, `None` for another."""
    text = " ".join(words)
    if not _ABOUT.search(text) or not _ASKS.search(text):
        return None
    levels = [
        (float(level), d) for d in home.devices if isinstance(level := home.state(d).get("battery_pct"), int | float)
    ]
    if _POWERED.search(text):
        having = [d for d in home.devices if "battery" in d.capabilities or "battery_pct" in home.state(d)]
        if not having:
            return Part(text=said, say="Nothing in this home tells me of a battery."), ()
        verb = "runs" if len(having) == 1 else "run"
        return Part(text=said, say=start(f"{names_of(having, 12)} {verb} on batteries.")), tuple(having)
    if _LOW.search(text) and levels and not any("battery_low" in home.state(d) for d in home.devices):
        weak = sorted((row for row in levels if row[0] < 20), key=lambda r: r[0])
        if not weak:
            return Part(text=said, say="No, none of the batteries are low."), ()
        return Part(text=said, say=start(f"{_levels(weak)}.")), tuple(d for _, d in weak)
    wanted = _UNDER.search(text) or _OVER.search(text)
    if not (wanted or _WORST.search(text) or _BEST.search(text)):
        return None
    if not levels:
        return Part(text=said, say="Nothing in this home tells me the level of a battery."), ()
    if wanted is not None:
        limit, under = float(wanted[1]), _UNDER.search(text) is not None
        fits = sorted((row for row in levels if (row[0] < limit if under else row[0] > limit)), key=lambda r: r[0])
        how = f"{'under' if under else 'over'} {limit:g}%"
        if not fits:
            return Part(text=said, say=f"No, no battery is {how}."), ()
        opening = "Yes: " if re.match(r"(?:any|is|are|do)\b", text) else ""
        return Part(text=said, say=start(f"{opening}{_levels(fits)}.")), tuple(d for _, d in fits)
    worst = _BEST.search(text) is None or _WORST.search(text) is not None
    level, device = (min if worst else max)(levels, key=lambda r: r[0])
    return Part(
        text=said, say=start(f"{the(device)} has the {'lowest' if worst else 'highest'} battery: {level:g}%.")
    ), (device,)


def _levels(rows: Sequence[tuple[float, Device]]) -> str:
    return "; ".join(f"{the(d)} has {level:g}% battery" for level, d in rows[:8])
