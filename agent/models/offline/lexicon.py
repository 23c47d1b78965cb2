"""The words by which an action shows: what must stand in a clause before anything is done."""

from collections.abc import Mapping
from typing import Final

from agent.models.offline.words import those

#: One word -> the actions that it can ask for. Only base forms: "unlocked" asks for nothing.
VERBS: Final[Mapping[str, tuple[str, ...]]] = {
    "activate": ("turn_on",), "enable": ("turn_on",), "illuminate": ("turn_on",), "launch": ("turn_on",),
    "trigger": ("turn_on",), "execute": ("turn_on",), "start": ("start", "turn_on", "play"),
    "run": ("turn_on", "start"),
    "deactivate": ("turn_off",), "disable": ("turn_off",), "kill": ("turn_off",), "extinguish": ("turn_off",),
    "stop": ("stop", "turn_off", "pause"), "toggle": ("toggle",),
    "lock": ("lock",), "bolt": ("lock",), "latch": ("lock",), "secure": ("lock",),
    "unlock": ("unlock",), "unbolt": ("unlock",), "unlatch": ("unlock",),
    "open": ("open",), "close": ("close",), "shut": ("close",), "raise": ("raise", "open"), "lift": ("open",),
    "lower": ("lower", "close"), "dim": ("lower",), "darken": ("lower",), "brighten": ("raise",),
    "brighter": ("raise",), "dimmer": ("lower",), "darker": ("lower",), "increase": ("raise",), "boost": ("raise",),
    "bump": ("raise",), "decrease": ("lower",), "reduce": ("lower",), "drop": ("lower",), "warmer": ("raise",),
    "hotter": ("raise",), "cooler": ("lower",), "colder": ("lower",), "louder": ("raise",), "quieter": ("lower",),
    "softer": ("lower",), "faster": ("raise",), "slower": ("lower",), "higher": ("raise",), "cool": ("set", "lower"),
    "set": ("set",), "change": ("set",), "adjust": ("set",), "make": ("set",), "put": ("set",), "turn": ("set",),
    "move": ("set",), "switch": ("set",), "bring": ("set",), "transition": ("set",), "heat": ("set", "raise"),
    "play": ("play",), "resume": ("play",), "continue": ("play",), "unpause": ("play",),
    "pause": ("pause",), "halt": ("pause", "stop"), "next": ("next",), "skip": ("next",), "forward": ("next",),
    "previous": ("previous",), "back": ("previous",), "replay": ("previous",), "rewind": ("previous",),
    "backward": ("previous",), "backwards": ("previous",),
    "mute": ("mute",), "silence": ("mute",), "unmute": ("unmute",),
    "vacuum": ("start",), "clean": ("start",), "sweep": ("start",), "mop": ("start",), "mow": ("start",),
    "pack": ("start",), "empty": ("start",), "compact": ("start",), "brew": ("start", "turn_on"),
    "maximize": ("set",), "maximise": ("set",), "minimize": ("set",), "minimise": ("set",),
    "begin": ("start", "turn_on"), "dock": ("dock",), "return": ("dock",), "send": ("dock",), "charge": ("dock",),
    "locate": ("locate",), "find": ("locate",), "arm": ("arm",), "disarm": ("disarm",),
    "snapshot": ("snapshot",), "photo": ("snapshot",), "picture": ("snapshot",), "record": ("record",),
    "film": ("record",), "apply": ("turn_on",), "water": ("turn_on",), "light": ("turn_on",), "watering": (),
    # The same in Spanish, French, German and Italian: names stay in the home's own language.
    "enciende": ("turn_on",), "encender": ("turn_on",), "prende": ("turn_on",), "activa": ("turn_on",),
    "apaga": ("turn_off",), "apagar": ("turn_off",),
    "desactiva": ("turn_off",), "apagadas": ("turn_off",), "pon": ("set", "turn_on"), "ajusta": ("set",),
    "cambia": ("set",), "sube": ("raise",), "baja": ("lower",),
    "abre": ("open",), "abrir": ("open",), "cierra": ("close",), "cerrar": ("close",), "bloquea": ("lock",),
    "desbloquea": ("unlock",), "allume": ("turn_on",),
    "allumer": ("turn_on",), "allumez": ("turn_on",), "eteins": ("turn_off",), "eteindre": ("turn_off",),
    "eteignez": ("turn_off",), "desactiver": ("turn_off",), "coupe": ("turn_off",),
    "activer": ("turn_on",), "active": ("turn_on",), "mets": ("set", "turn_on"), "regle": ("set",),
    "augmente": ("raise",), "baisse": ("lower",), "ouvre": ("open",), "ouvrir": ("open",),
    "ferme": ("close",), "fermer": ("close",), "verrouille": ("lock",), "verrouiller": ("lock",),
    "verrouillez": ("lock",), "deverrouille": ("unlock",), "deverrouiller": ("unlock",),
    "deverrouillez": ("unlock",), "einschalten": ("turn_on",), "ausschalten": ("turn_off",), "anmachen": ("turn_on",),
    "ausmachen": ("turn_off",), "accendi": ("turn_on",), "spegni": ("turn_off",), "apri": ("open",),
    "chiudi": ("close",),
}  # fmt: skip
#: Verbs that take "on" or "off" ("turn the lamp off").
PARTICLE_HEADS: Final = those("turn switch put power flip get bring shut leave kick fire toggle click")
#: Words before a command that change nothing about it.
LEAD_INS: Final = those(
    "please hey hi hello ok okay now just kindly homeguard then also and so can could would will you i want need like "
    "to go ahead lets let us we should must have get make sure ensure that well um uh yes yeah quickly immediately "
    "help me mind first instead finally next of all right por favor sil te plait vous svp bitte sorry would it too "
    "dark allow lastly afterwards 1st the"
)
#: Words that say nothing about which device is meant.
FILLERS: Final = frozenset(
    ("make", "needs", "nothing", "else", "please", "now", "just", "kindly", "hey", "hi", "ok", "okay", "can", "could",
    "would", "will", "you", "i", "want",
     "need", "like", "me", "us", "lets", "let", "we", "should", "must", "have", "get", "sure", "ensure", "thanks",
     "thank",
     "go", "ahead", "homeguard", "right", "away", "immediately", "again", "be", "is", "are", "it", "them", "so", "then",
     "instead", "as", "well", "currently", "still", "tonight", "today", "quickly", "bit", "little", "slightly", "lot",
     "much",
     "more", "some", "very", "bright", "percent", "degrees", "degree", "level", "value", "by", "to", "up", "here's",
     "too",
     "across", "throughout", "only", "set", "hello", "um", "uh", "well", "help", "mind", "state", "status", "yourself",
     "way", "fully", "completely", "entirely", "all-right", "somewhat", "halfway", "with", "use", "using", "going",
     "asap",
     "por", "favor", "sil", "te", "plait", "vous", "svp", "bitte", "per", "favore", "grazie", "merci", "gracias",
     "al", "au", "marche",
     "yeah", "yep", "gets", "getting", "increasing", "decreasing", "raising", "lowering", "reducing",
     "angle", "its", "their", "levels", "setting", "settings", "notch",
     "notches", "if", "possible", "possibly", "maybe", "moment", "minute", "second", "quick", "real", "really", "kind",
     "time", "allow", "let", "lets")
)  # fmt: skip
#: Attribute words -> what they set or ask for.
ATTRIBUTES: Final[Mapping[tuple[str, ...], str]] = {
    ("brightness",): "brightness", ("brightness", "level"): "brightness", ("light", "level"): "brightness",
    ("dimmer",): "", ("color",): "color", ("hue",): "color",
    ("color", "temperature"): "color_temperature", ("volume",): "volume", ("sound", "level"): "volume",
    ("sound",): "volume", ("temperature",): "temperature", ("temperatures",): "temperature", ("setpoint",): "target",
    ("target", "temperature"): "target", ("target",): "target", ("position",): "position", ("angle",): "position",
    ("opacity",): "position", ("degree",): "position",
    ("tilt",): "tilt", ("fan", "speed"): "fan_speed", ("fan", "mode"): "fan_speed", ("speed",): "speed",
    ("humidity",): "humidity", ("target", "humidity"): "humidity", ("swing",): "swing", ("swing", "mode"): "swing",
    ("preset",): "preset", ("mode",): "mode", ("hvac", "mode"): "mode", ("intensity",): "intensity",
    ("interval",): "interval", ("cleaning", "area"): "cleaning_area", ("area", "to", "clean"): "cleaning_area", (
        "source",):
        "source", (
        "input",):
        "source", (
        "channel",):
        "source",
    ("temperatura",): "temperature", ("brillo",): "brightness", ("luminosite",): "brightness",
}  # fmt: skip
NAMED_LEVELS: Final[Mapping[str, float]] = {
    "max": 100, "maximum": 100, "full": 100, "highest": 100, "brightest": 100, "min": 1, "minimum": 1, "lowest": 1,
    "dimmest": 1, "half": 50, "halfway": 50, "quarter": 25, "third": 33,
}  # fmt: skip
HVAC_WORDS: Final[Mapping[str, str]] = {
    "heat": "heat", "heating": "heat", "cool": "cool", "cooling": "cool", "auto": "auto", "automatic": "auto",
    "dry": "dry", "off": "off", "fan only": "fan_only", "fan": "fan_only",
}  # fmt: skip
NAMED_SPEEDS: Final = ("low", "medium", "high", "auto", "slow", "fast", "turbo", "silent", "quiet")
KELVINS: Final[Mapping[str, int]] = {
    "warm white": 2700, "soft white": 2700, "cool white": 4000, "cold white": 6000, "daylight": 5500,
    "neutral white": 3500, "candlelight": 2000,
}  # fmt: skip
HOME_MODES: Final[Mapping[str, str]] = {
    "home": "home", "away": "away", "vacation": "vacation", "holiday": "vacation", "party": "party", "sleep": "sleep",
    "night": "sleep", "sleeping": "sleep", "guest": "party",
}  # fmt: skip
