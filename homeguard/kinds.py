"""Words of things: how names are folded, and which words name which kind of device. Pure."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from homeguard.model import Device

Test = Callable[[Device], bool]
Words = tuple[str, ...]

_NUMBERS: Final = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
    "nine": "9", "ten": "10", "first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th",
}  # fmt: skip


def fold(text: str) -> str:
    """Lower case without accents or apostrophes, `_` and `-` as blanks."""
    plain = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    plain = re.sub(r"'s?(?=\s|$|[.,?!])", "", plain.replace("_", " ").replace("`", "'"))
    return re.sub(r"[^a-z0-9.%]+", " ", plain.replace("'", "")).strip()


#: Two words for one thing; the second is kept.
_SAME: Final = {"refrigerator": "fridge", "television": "tv", "couch": "sofa"}


def singular(word: str) -> str:
    """The word as names and kinds are compared: in the singular, one word for one thing."""
    return _SAME.get(found := _singular(word), found)


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies") and word not in ("series", "movies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "stairs")):
        return word[:-1]
    if len(word) == 3 and word.endswith("s") and word in ("tvs", "acs"):
        return word[:-1]
    return word


def plain_words(text: str) -> list[str]:
    """The words of a phrase: folded, numbers as digits, plurals kept."""
    return [_NUMBERS.get(w, w) for w in (w.strip(".") for w in fold(text).split()) if w]


@lru_cache(maxsize=8192)
def name_words(name: str) -> Words:
    """The words of a name, singular, without articles."""
    words = tuple(singular(w) for w in plain_words(name))
    return tuple(w for w in words if w not in ("the", "a", "an", "my")) or words


def _typed(*types: str) -> Test:
    return lambda d: d.type in types


def _placed(types: Sequence[str], *words: str) -> Test:
    """Of a type, and of that kind where the device says which it is (`placement`), else by its name."""

    def test(d: Device) -> bool:
        if d.type not in types:
            return False
        placement = str(d.config.get("placement") or "").replace("_", " ")
        if placement:
            return any(w in placement.split() for w in words)
        return any(w in name_words(d.name) for w in words) or d.type not in ("contact", "sensor")

    return test


def _has(*capabilities: str) -> Test:
    return lambda d: any(c in d.capabilities for c in capabilities)


def _or(*tests: Test) -> Test:
    return lambda d: any(t(d) for t in tests)


_COVER: Final = ("cover",)
_SENSORS: Final = (
    "sensor", "motion", "presence", "contact", "smoke", "heat", "co", "gas", "water_leak", "glass_break", "vibration",
)  # fmt: skip
_DOORS: Final = _or(
    _typed("lock", "garage_door", "gate"), _placed(("contact",), "door", "garage", "opening"), _placed(_COVER, "door")
)
#: Words (singular) that name a kind of device -> which devices are of that kind.
KINDS: Final[Mapping[Words, Test]] = {
    ("light",): _typed("light"), ("lamp",): _typed("light"), ("lighting",): _typed("light"), ("bulb",): _typed("light"),
    ("luz",): _typed("light"), ("luce",): _typed("light"), ("lampara",): _typed("light"), ("lumiere",): _typed("light"),
    ("lampe",): _typed("light"), ("licht",): _typed("light"), ("serrure",): _typed("lock"),
    ("cerradura",): _typed("lock"),
    ("lock",): _typed("lock"), ("deadbolt",): _typed("lock"), ("door",): _DOORS, ("door", "lock"): _typed("lock"),
    ("window",): _placed(("contact", "cover"), "window"),
    ("opening",): _placed(("contact",), "opening"), ("door", "sensor"): _placed(("contact",), "door", "garage"),
    ("window", "sensor"): _placed(("contact",), "window"), ("contact", "sensor"): _typed("contact"),
    ("blind",): _placed(_COVER, "blind", "shade"), ("curtain",): _placed(_COVER, "curtain"),
    ("drape",): _placed(_COVER, "curtain"), ("shade",): _placed(_COVER, "shade", "blind"),
    ("shutter",): _placed(_COVER, "shutter"), ("awning",): _placed(_COVER, "awning"), ("cover",): _typed("cover"),
    ("garage",): _typed("garage_door"), ("garage", "door"): _typed("garage_door"), ("gate",): _typed("gate"),
    ("thermostat",): _typed("thermostat"), ("hvac",): _typed("thermostat", "air_conditioner"),
    ("heating",): _typed("thermostat", "heater"), ("heating", "system"): _typed("thermostat", "heater"),
    ("heat",): _typed("thermostat", "heater"),
    ("air", "conditioner"): _typed("air_conditioner"), ("air", "conditioning"): _typed("air_conditioner"),
    ("ac",): _typed("air_conditioner"), ("aircon",): _typed("air_conditioner"), ("heater",): _typed("heater"),
    ("climate",): _typed("thermostat", "air_conditioner"), ("radiator",): _typed("heater"),
    ("water", "heater"): _typed("water_heater"), ("boiler",): _typed("water_heater"), ("fan",): _typed("fan"),
    ("humidifier",): _typed("humidifier"), ("dehumidifier",): _typed("dehumidifier"),
    ("air", "purifier"): _typed("air_purifier"), ("purifier",): _typed("air_purifier"),
    ("diffuser",): _typed("diffuser"), ("aromatherapy",): _typed("diffuser"), ("switch",): _typed("switch"),
    ("plug",): _typed("plug"), ("outlet",): _typed("plug"), ("socket",): _typed("plug"),
    ("smart", "plug"): _typed("plug"), ("camera",): _typed("camera", "doorbell"), ("doorbell",): _typed("doorbell"),
    ("motion", "sensor"): _has("motion"), ("motion", "detector"): _has("motion"), ("motion",): _has("motion"),
    ("occupancy", "sensor"): _has("occupancy"), ("presence", "sensor"): _has("occupancy"),
    ("smoke",): _has("smoke"), ("smoke", "detector"): _has("smoke"), ("smoke", "alarm"): _has("smoke"),
    ("smoke", "sensor"): _has("smoke"), ("carbon", "monoxide"): _has("co"), ("co", "sensor"): _has("co"),
    ("carbon", "monoxide", "sensor"): _has("co"), ("carbon", "monoxide", "detector"): _has("co"),
    ("gas", "sensor"): _has("gas"), ("gas", "detector"): _has("gas"), ("leak",): _has("water_leak"),
    ("leak", "sensor"): _has("water_leak"), ("water", "sensor"): _has("water_leak"),
    ("water", "leak", "sensor"): _has("water_leak"), ("vibration", "sensor"): _has("vibration"),
    ("glass", "break", "sensor"): _has("glass_break"), ("sensor",): _typed(*_SENSORS),
    ("siren",): _typed("siren"), ("alarm",): _typed("alarm_panel"), ("alarm", "panel"): _typed("alarm_panel"),
    ("alarm", "system"): _typed("alarm_panel"), ("security", "system"): _typed("alarm_panel"),
    ("tv",): _placed(("media_player",), "tv", "television"),
    ("television",): _placed(("media_player",), "tv", "television"),
    ("speaker",): _placed(("media_player",), "speaker"), ("music",): _typed("media_player"),
    ("stereo",): _typed("media_player"), ("media", "player"): _typed("media_player"),
    ("sound",): _typed("media_player"), ("audio",): _typed("media_player"), ("movie",): _typed("media_player"),
    ("show",): _typed("media_player"), ("song",): _typed("media_player"), ("track",): _typed("media_player"),
    ("valve",): _typed("valve"), ("water", "valve"): _typed("valve"), ("water",): _typed("valve", "sprinkler"),
    ("sprinkler",): _typed("sprinkler"), ("sprinkler", "system"): _typed("sprinkler"),
    ("irrigation",): _typed("sprinkler", "valve"), ("vacuum",): _typed("vacuum"), ("robot",): _typed("vacuum"),
    ("vacuum", "cleaner"): _typed("vacuum"), ("robot", "vacuum"): _typed("vacuum"), ("hoover",): _typed("vacuum"),
    ("vacuum", "robot"): _typed("vacuum"), ("mower",): _typed("mower"), ("lawn", "mower"): _typed("mower"),
    ("meter",): _typed("meter"), ("breaker",): _typed("breaker"), ("scene",): _typed("scene"),
    ("script",): _typed("scene"), ("appliance",): _typed("appliance", "plug"), ("battery",): _has("battery"),
    ("people",): lambda d: d.type == "presence" and d.config.get("placement") == "person",
    ("person",): lambda d: d.type == "presence" and d.config.get("placement") == "person",
}  # fmt: skip
