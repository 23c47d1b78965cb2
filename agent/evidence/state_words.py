"""The words by which four languages say how a thing is, and the kinds of things that they say it of."""

import re
from collections.abc import Mapping
from typing import Final

_ENDS: Final = r"(?=\s*(?:[.,;:!?)|*\"]|$|\n|(?:and|at|now|but|with|again|for|too|as|since|in|by)\b))"
_BE: Final = (
    r"(?:is|are|'s|'re|was|were|been|being|be|went|gone|goes|came|stays?|turned|switched|lights?|lamps?|fan|plug|heater"
    r"|now|all|both|it|them|:|\||→|->|=|\u2013)"
)
_FILL: Final = r"(?:\s+(?:now|back|both|all|already|still|currently|just|also))*"
#: (attribute, value) -> how it is said of a thing.
STATES: Final[Mapping[tuple[str, object], "re.Pattern[str]"]] = {
    key: re.compile(pattern, re.IGNORECASE)
    for key, pattern in {
        ("lock", "locked"): (
            r"\b(?:re)?locked\b|\bsecured\b|\bbolted\b|\bdeadbolted\b|\bverriegelt\b|\bab(?:geschlossen|gesperrt)\b"
            r"|\bzugesperrt\b|\bbloquead[oa]s?\b|\bcon llave\b|\bverrouill[ée]+s?\b|\bfermée?s? à clé\b|🔒"
            r"|\block (?:is )?engaged\b"
        ),
        ("lock", "unlocked"): (
            r"\bunlocked\b|\bunbolted\b|\bent(?:riegelt|sperrt)\b|\baufge(?:schlossen|sperrt)\b|\bdesbloquead[oa]s?\b"
            r"|\bdéverrouill[ée]+s?\b|🔓"
        ),
        ("open", True): r"\bopen(?:ed)?\b|\bajar\b|\boffen\b|\bgeöffnet\b|\babiert[oa]s?\b|\bouvert(?:e|es|s)?\b",
        ("open", False): (
            r"\bclosed\b|\bshut\b|\bgeschlossen\b|\b(?:ist|sind) zu\b|\bcerrad[oa]s?\b(?!.*con llave)"
            r"|\bfermée?s?\b(?!.*à clé)|\bcame down\b"
        ),
        ("on", True): rf"{_BE}{_FILL}\s*\bon{_ENDS}|\blit\b|\beingeschaltet\b|\b(?:ist|sind) an{_ENDS}"
        r"|\bencendid[oa]s?\b|\ballumée?s?\b|\bturned (?:it|them) on\b|\b(?:turned|switched) on\b",
        ("on", False): rf"{_BE}{_FILL}\s*\b(?:off|out){_ENDS}|\bdark\b|\bausgeschaltet\b|\b(?:ist|sind) aus{_ENDS}"
        r"|\bapagad[oa]s?\b|\béteinte?s?\b|\b(?:turned|switched) (?:it |them )?off\b|\bextinguished\b",
        ("armed", True): r"\barmed\b|\bscharf\b|\barmad[oa]s?\b|\barmée?s?\b",
        ("armed", False): r"\bdisarmed\b|\bunscharf\b|\bdesarmad[oa]s?\b|\bdésarmée?s?\b",
        ("online", False): r"\boffline\b|\bunreachable\b",
        ("online", True): r"\bonline\b",
    }.items()
}
SECURE: Final = re.compile(
    r"\b(?:secure|secured|safe and sound|locked up|locked down|protected|buttoned up|nobody can (?:get|come|walk) in"
    r"|no one can (?:get|come|walk) in|all safe|perfectly safe|(?:home|house|everything|everyone) is safe)\b",
    re.IGNORECASE,
)
SEALED: Final = re.compile(r"\b(?:can't|cannot|won't|can not|will not) (?:be )?open(?:ed)?\b", re.IGNORECASE)
#: That it was so before.
PAST: Final = re.compile(
    r"\b(?:was|were|had been|got|wurden?|wurde|fue|fueron|a été|ont été|earlier|last|ago|yesterday|saw|seen|sensed"
    r"|detected|happened|heard|has|have|hasn't|never)\b",
    re.IGNORECASE,
)
#: What says that a clause is about what is not so.
NOT: Final = re.compile(
    r"n['\u2019]t\b|\b(?:not|no|none|nobody|nothing|never|neither|nor|cannot|without|fail\w*|refused|denied|unable|unknown"
    r"|unclear|sorry|nicht|kein\w*|niemand|nichts|ningun[oa]?|ninguna?|nadie|nada|pas|aucune?|personne|rien|leave"
    r"|left(?! (?:wide )?(?:open|ajar|unlocked|on)\b)|keep|kept|could|waits? for|waiting|unconfirmed)\b",
    re.IGNORECASE,
)
#: Negations that deny nothing of the home.
COURTESY: Final = re.compile(
    r"\b(?:no (?:problems?|errors?|issues?|complaints?|surprises?|worries|trouble|sweat|doubt|need to worry)"
    r"|not a problem|not only|not to worry|without (?:any |a )?(?:problem|trouble|issue|hitch|error|delay|fail)s?"
    r"|nothing to worry about|sin problemas?|kein problem|pas de problème|couldn't be easier|you can be sure(?: that)?"
    r"|be assured(?: that)?|rest assured(?: that)?)\b",
    re.IGNORECASE,
)
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "door": ("door", "lock", "garage"), "doors": ("door", "lock", "garage"), "türen": ("door", "lock", "garage"),
    "tür": ("door", "lock", "garage"), "puertas": ("door", "lock", "garage"), "portes": ("door", "lock", "garage"),
    "puerta": ("door", "lock", "garage"), "porte": ("door", "lock", "garage"), "lock": ("lock",), "locks": ("lock",),
    "light": ("light", "lamp"), "lights": ("light", "lamp"), "lamp": ("light", "lamp"), "lamps": ("light", "lamp"),
    "lichter": ("light", "lamp"), "luces": ("light", "lamp"), "lumières": ("light", "lamp"),
    "window": ("window",), "windows": ("window",), "fenster": ("window",), "ventanas": ("window",),
    "fenêtres": ("window",), "garage": ("garage",), "camera": ("camera",), "cameras": ("camera",),
    "sensor": ("sensor", "motion", "contact"), "sensors": ("sensor", "motion", "contact"), "devices": ("",),
    "everything": ("",), "thermostat": ("thermostat",), "heating": ("thermostat",), "fan": ("fan",), "plug": ("plug",),
    "blind": ("blind", "cover"), "blinds": ("blind", "cover"),
}  # fmt: skip
