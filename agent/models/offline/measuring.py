"""Which measured attribute a question means, where it is measured, and its value now. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from agent.models.offline.frames import Frame
from agent.models.offline.home import Home
from agent.models.offline.lexicon import FILLERS
from agent.models.offline.wording import start, state_words, the, value
from agent.models.offline.words import those
from homeguard.kinds import fold, singular
from homeguard.model import Device
from homeguard.target_words import slips
from homeguard.targets import Targets, resolve

#: Words -> attributes, the likeliest first.
MEASURES: Final[Mapping[str, tuple[str, ...]]] = {
    "temperature": ("temperature_c", "target_c"), "warm": ("temperature_c",), "cold": ("temperature_c",),
    "hot": ("temperature_c",),
    "temperatures": ("temperature_c",), "warmer": ("temperature_c",),
    "humidity": ("humidity_pct", "target_humidity_pct"),
    "humid": ("humidity_pct",), "damp": ("humidity_pct",), "battery": ("battery_pct",), "batteries": ("battery_pct",),
    "charge": ("battery_pct",), "juice": ("battery_pct",),
    "brightness": ("brightness_pct", "illuminance_lx"), "bright": ("brightness_pct", "illuminance_lx"),
    "dark": ("illuminance_lx",),
    "illuminance": ("illuminance_lx",), "lux": ("illuminance_lx",), "volume": ("volume_pct",), "loud": ("volume_pct",),
    "position": ("position_pct",), "degrees": ("temperature_c",),
    "power": ("power_w",), "watts": ("power_w",), "energy": ("energy_kwh",),
    "voltage": ("voltage_v",),
    "current": ("current_a",), "pressure": ("pressure_hpa",), "co2": ("co2_ppm",), "dioxide": ("co2_ppm",),
    "pm2.5": ("pm25_ugm3",),
    "voc": ("voc_ppb",), "signal": ("signal_dbm",), "speed": ("speed_pct", "speed"), "color": ("hue",),
    "frequency": ("frequency_hz",),
    "target": ("target_c", "target_humidity_pct"), "setpoint": ("target_c",), "mode": ("hvac_mode",),
    "source": ("source",),
    "playing": ("title", "playback"), "song": ("title",), "watching": ("title",), "motion": (),
    "density": ("density",), "air": ("pm25_ugm3", "co2_ppm", "voc_ppb"),
}  # fmt: skip
_IDLE: Final = FILLERS | those("so indoor indoors wise mean like need know check wonder i")
_ASKING: Final = those(
    "what how is are the tell me give show current currently reading measured indicated level levels percentage "
    "amount value it there now much does say read have left got inside indoors by set point like degrees do we at my "
    "right room's that stand charge of from get many percent relative report reads says status state last "
    "recorded know look up oclock"
)


def measured(wanted: Frame) -> tuple[str, ...]:
    """The attributes that a question names, the likeliest first, `()` for none."""
    text = list(wanted.words)
    if (
        "set" in text
        and ("to" in text or "at" in text)
        and not any(w in ("temperature", "battery", "humidity") for w in text)
    ):
        return ("target_c", "brightness_pct", "position_pct", "volume_pct", "speed_pct", "target_humidity_pct")
    free = [w for at, w in enumerate(text) if at not in wanted.held]
    if wanted.attribute == "target" or ("target" in free):
        return ("target_c", "target_humidity_pct")
    for words in (free, text):
        for word in words:
            if (
                word in MEASURES
                and MEASURES[word]
                and not (
                    word == "current"
                    and len(words) > words.index("current") + 1
                    and words is free
                    and words[words.index("current") + 1] in MEASURES
                )
            ):
                return MEASURES[word]
    mended = [m for at, w in enumerate(text) if at not in wanted.held and (m := _mended(w))]
    return MEASURES[mended[0]] if mended else ()


def _mended(word: str) -> str:
    """The long measure that a misspelt word is meant as, `""` for none."""
    if len(word) < 8 or word in MEASURES:
        return ""
    return next((k for k in ("temperature", "humidity", "brightness") if slips(word, k, 2)), "")


def where(wanted: Frame, home: Home, near_area: str, attributes: Sequence[str]) -> Targets:
    """The devices that measure it at the place or of the name that was said."""
    said = [
        w
        for at, w in enumerate(wanted.words)
        if at in wanted.held
        or (
            w not in _ASKING
            and (w not in MEASURES or w in ("battery",))
            and not _mended(w)
            and w not in ("average", "mean", "highest", "lowest", "maximum", "minimum", "peak")
        )
    ]
    held = {w for at, w in enumerate(wanted.words) if at in wanted.held}
    said = [w for w in said if (w not in ("in",) or "here" in said) and (w not in _IDLE or w in held)]

    def has(device: Device) -> bool:
        return any(_value(home, device, a) is not None for a in attributes)

    if said == ["battery"] or (said and "battery" in said and not any("battery" in fold(d.name) for d in home.devices)):
        said = [w for w in said if w != "battery"]
    plain = [
        w
        for w in said
        if singular(w) not in ("house", "home", "outside")
        or any(i in wanted.held for i, x in enumerate(wanted.words) if x == w)
    ]
    found = resolve(
        plain, home.devices, areas=home.areas, floors=home.floors, near_area=near_area, able=has, implied=has
    )
    if not found.devices and not found.ambiguous and found.unmatched:
        named = [w for at, w in enumerate(wanted.words) if at in wanted.held]
        if named and named != plain:
            again = resolve(named, home.devices, areas=home.areas, floors=home.floors, able=has, implied=has)
            if again.by_name or again.devices:
                return again
    return found


def best(found: Sequence[Device], attributes: Sequence[str], home: Home) -> tuple[list[Device], str]:
    """The devices that have the first attribute that any has; a thermostat or climate sensor before the rest."""
    for attribute in attributes:
        having = [d for d in found if _value(home, d, attribute) is not None]
        if having:
            rank = {"thermostat": 0, "sensor": 1, "air_conditioner": 2}
            if attribute in ("temperature_c", "humidity_pct") and len(having) > 1:
                first = min(rank.get(d.type, 3) for d in having)
                having = [d for d in having if rank.get(d.type, 3) == first or d.type == "sensor"]
            return having, attribute
    return [], attributes[0] if attributes else ""


def _value(home: Home, device: Device, attribute: str) -> object | None:
    found = home.state(device).get(attribute)
    if found is None and attribute == "battery_pct":
        found = home.fact(device, "battery")
    return found


def answer(devices: Sequence[Device], attribute: str, home: Home) -> str:
    """The value of one attribute on one or a few devices."""
    what = _called(attribute)
    if len(devices) == 1:
        device = devices[0]
        tail = "" if home.fact(device, "online") is not False else " (last known; it is offline)"
        shown = value(attribute, _value(home, device, attribute), home, device)
        return f"{start(the(device))} {_verb(attribute)} {shown}{what}{tail}."
    parts = [f"{the(d)} {value(attribute, _value(home, d, attribute), home, d)}" for d in devices[:4]]
    return f"{start(', '.join(parts))}."


def only_value(device: Device, home: Home) -> str:
    """What a device that measures one thing reads."""
    return f"{start(the(device))} is {state_words(device, home)}."


def _verb(attribute: str) -> str:
    return {
        "target_c": "is set to",
        "battery_pct": "has",
        "temperature_c": "reads",
        "humidity_pct": "reads",
        "title": "is playing",
    }.get(attribute, "is at")


def _called(attribute: str) -> str:
    return {"battery_pct": " battery", "humidity_pct": " humidity", "brightness_pct": " brightness",
        "volume_pct": " volume",
            "position_pct": " open", "target_humidity_pct": " target humidity"}.get(attribute, "")  # fmt: skip
