"""Questions that compare: the brightest light, what is offline, what lies outdoors, which colour a light has. Pure."""

import re
from collections.abc import Sequence
from typing import Any, Final

from agent.models.offline.frames import Frame
from agent.models.offline.home import Home
from agent.models.offline.parts import Part
from agent.models.offline.places import is_outdoors
from agent.models.offline.wording import names_of, start, the
from homeguard.model import Device
from homeguard.vocabulary import COLORS

Found = tuple[Part, tuple[Device, ...]]
_AWAY: Final = re.compile(r"\b(?:offline|unreachable|not responding|disconnected|unavailable)\b")
_THERE: Final = re.compile(r"\b(?:online|reachable|responding)\b")
_WHITES: Final = ("a warm one", "a neutral one", "a cool one")
_MOST: Final = re.compile(r"\b(brightest|dimmest|darkest|warmest|hottest|coldest|coolest|loudest|quietest)\b")
_BY: Final = {
    "brightest": ("brightness_pct", True, "%"), "dimmest": ("brightness_pct", False, "%"),
    "darkest": ("brightness_pct", False, "%"), "loudest": ("volume_pct", True, "%"), "quietest": ("volume_pct", False,
        "%"),
    "warmest": ("temperature_c", True, ""), "hottest": ("temperature_c", True, ""),
    "coldest": ("temperature_c", False, ""), "coolest": ("temperature_c", False, ""),
}  # fmt: skip


def comparing_part(found: Frame, said: str, home: Home, named: Sequence[Device]) -> Found | None:
    """The answer to such a question about `named` (none: the whole home), `None` for another."""
    text = " ".join(found.words)
    pool = tuple(named) or home.devices
    if _AWAY.search(text) or _THERE.search(text):
        return _offline(text, said, home, pool)
    most = _MOST.search(text)
    if most is not None and not re.search(r"\b(?:was|were|did|yesterday|last)\b", text):
        name, highest, unit = _BY[most[1]]
        rows = [
            (float(v), d) for d in pool if isinstance(v := home.state(d).get(name), int | float) and _is_on(home, d)
        ]
        if not rows:
            return None
        value, device = (max if highest else min)(rows, key=lambda r: r[0])
        shown = f"{value:g}%" if unit else _degrees(value, home)
        ahead = "more" if highest else "less"
        where = f"{shown} brightness" if name == "brightness_pct" else shown
        return Part(text=said, say=start(f"{the(device)} is at {where}, {ahead} than the others.")), (device,)
    if re.search(
        r"^(?:what|which) (?:things |devices )?(?:do i have|have i got|is|are)(?: there)? (?:outside"
        r"|outdoors?)$",
        text,
    ):
        outside = tuple(d for d in pool if is_outdoors(d))
        if outside:
            return Part(text=said, say=f"Outdoors you have {names_of(outside, 12)}."), outside
    if "color" in found.words and len(pool) == 1 and "color" in pool[0].capabilities:
        shade = color_of(home.state(pool[0]))
        if shade:
            kelvin = home.state(pool[0]).get("color_temperature_k")
            told = f"shows white at {kelvin:g} K, {shade}" if shade in _WHITES else f"is {shade}"
            return Part(text=said, say=start(f"{the(pool[0])} {told}.")), pool
    return None


def _is_on(home: Home, device: Device) -> bool:
    return home.state(device).get("on") is not False


def _degrees(celsius: float, home: Home) -> str:
    return f"{celsius * 1.8 + 32:.0f}°F" if home.unit == "F" else f"{celsius:.1f}°C"


def _offline(text: str, said: str, home: Home, pool: Sequence[Device]) -> Found:
    gone = tuple(d for d in pool if home.fact(d, "online") is False)
    if len(pool) == 1:
        is_gone = bool(gone)
        yes = is_gone == bool(_AWAY.search(text))
        word = "offline" if is_gone else "online"
        return Part(text=said, say=f"{'Yes' if yes else 'No'}, {the(pool[0])} is {word}."), tuple(pool)
    if _THERE.search(text) and not gone:
        return Part(text=said, say=f"Yes, all {len(pool)} are online."), ()
    if not gone:
        return Part(text=said, say="No, nothing is offline."), ()
    be = "is" if len(gone) == 1 else "are"
    opening = "No, " if _THERE.search(text) else "Yes, "
    return Part(text=said, say=f"{opening}{names_of(gone, 6)} {be} offline."), gone


def color_of(state: Any) -> str:
    """The colour of a light in words, `""` when it does not say."""
    saturation, hue = state.get("saturation_pct"), state.get("hue")
    if isinstance(hue, int | float) and isinstance(saturation, int | float) and saturation > 15:
        return min(COLORS, key=lambda name: _apart(COLORS[name], hue, saturation))
    kelvin = state.get("color_temperature_k")
    if isinstance(kelvin, int | float):
        return _WHITES[0] if kelvin < 3300 else _WHITES[1] if kelvin < 5000 else _WHITES[2]
    return ""


def _apart(shade: tuple[int, int], hue: float, saturation: float) -> float:
    """How far a named colour is from hue and saturation, both in degrees or percent."""
    return abs((shade[0] - hue + 180) % 360 - 180) + abs(shade[1] - saturation) / 2
