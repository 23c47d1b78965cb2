"""The words by which people say that something happened, that nothing did, and who was there."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple


class Happening(NamedTuple):
    """A kind of thing that happens: how it is said, and the words of the events that are it, and that are its end.

    `main` is the word of those that are counted where there are such.
    """

    said: "re.Pattern[str]"
    main: str
    words: frozenset[str]
    unlike: frozenset[str]


def _happening(pattern: str, words: str, unlike: str = "cleared clear stopped left removed cancelled") -> Happening:
    wanted = words.split()
    return Happening(re.compile(pattern, re.IGNORECASE), wanted[0], frozenset(wanted), frozenset(unlike.split()))


_SOMEBODY: Final = "person people face visitor presence intruder"
#: What sensors notice. It is said of the home, with or without the sensor's name.
NOTICED: Final = (
    _happening(
        r"\bmotions?\b|\bmovements?\b|\bmoved around\b|(?:(?<=nobody )|(?<=no one )|(?<=anyone )|(?<=body ))moved\b"
        r"|\bsensors?\b(?: \w+){0,2} (?:triggered|tripped|activated)\b",
        "motion occupancy presence person moving",
    ),
    _happening(r"\bsmoke\b|\bon fire\b", "smoke fire"),
    _happening(r"\bglass\b", "glass glass_break"),
    _happening(r"\bleak\w*\b|\bwater\b|\bflood\w*", "leak water flood moisture"),
    _happening(
        r"\bdoorbell rang\b|\brang\b|\bdoorbell was\b|\bpressed\b|\bpresses\b",
        "doorbell ring pressed button press rang",
    ),
    _happening(
        r"\b(?:person|people|somebody|someone|stranger|visitor|intruder|burglar|man|woman)\b(?: \w+){0,2} "
        r"(?:was|were|is|are|came|seen|detected|spotted|entered|arrived|left|walked|broke)\b",
        _SOMEBODY,
        "",
    ),
    _happening(
        r"\bthere (?:is|was|are|were) (?:someone|somebody|a (?:person|man|woman|stranger|visitor)|people)\b"
        r"|\bsees? (?:a |some)?(?:person|people|one|body)",
        f"{_SOMEBODY} motion",
    ),
    _happening(r"\b(?:saw|spotted|detected|noticed) (?:a |some)?(?:person|people|one|body)\b", _SOMEBODY),
    _happening(r"\b(?:package|parcel)s?\b", "package parcel", ""),
    _happening(r"\bcarbon monoxide\b", "co carbon"),
    _happening(
        r"\b(?:alarm|siren)\b (?:\w+ )?(?:went off|going off|sounded|sounding|triggered|rang)\b",
        "triggered siren sounding alarm",
    ),
)
#: What is done to a thing, by the state that it leads to.
DONE: Final[Mapping[tuple[str, object], Happening]] = {
    ("lock", "locked"): _happening(r"\b(?:re)?lock(?:ed|ing)\b", "locked", "unlocked"),
    ("lock", "unlocked"): _happening(r"\bunlock(?:ed|ing|ings|s)\b", "unlocked"),
    ("open", True): _happening(r"\bopen(?:ed|ing|ings|s)\b", "open opened"),
    ("open", False): _happening(r"\b(?:closed|clos(?:ing|ings|es|ures?)|shut)\b", "closed"),
    ("on", True): _happening(r"\b(?:turned|switched|came|went) on\b", "on started"),
    ("on", False): _happening(r"\b(?:turned|switched|went) off\b", "off stopped", ""),
    ("armed", True): _happening(r"\barmed\b", "armed", ""),
    ("armed", False): _happening(r"\bdisarmed\b", "disarmed", ""),
    ("online", False): _happening(r"\b(?:went|dropped|was|were|fell) offline\b", "offline", ""),
    ("online", True): _happening(r"\b(?:came|went|was|were) (?:back )?online\b", "online", ""),
}
#: It is said that nothing happened, or nobody did.
ABSENT: Final = re.compile(
    r"^\W*(?:[\w ]{1,20}[,:!.]\W*)?(?:no,? )?(?:(?:nothing|nobody|no one|none|no-one)\b"
    r"|there (?:was|were|is|are|has been|have been) (?:no|nothing)\b|no (?:events?|activity|motion|movement|alerts?"
    r"|incidents?|one|doors?|visitors?)\b|nada\b|nadie\b|niemand\b|nichts\b|personne\b|rien\b|all (?:was |is )?quiet\b"
    r"|it (?:was|has been) quiet\b|everything was quiet\b)",
    re.IGNORECASE,
)
#: It is said that the assistant did nothing.
UNCHANGED: Final = re.compile(
    r"\bnothing (?:\w+ ){0,2}(?:changed|done|sent|moved|waiting|deleted|to (?:do|say))\b", re.IGNORECASE
)
#: That nothing at all happened.
QUIET: Final = re.compile(
    r"\b(?:nothing (?:at all )?(?:happened|occurred|to report|was recorded|has happened|unusual)"
    r"|no (?:events?|activity)|all (?:was |is )?quiet|(?:was|has been) quiet)\b",
    re.IGNORECASE,
)
#: Somebody who did something to a thing.
ACTOR: Final = re.compile(
    r"\b([A-Z][\w'\u2019-]+|somebody|someone|your (?:wife|husband|son|daughter|neighbou?r|partner|mother"
    r"|father))\s+(?:has\s+|had\s+|just\s+)?(?:un)?(?:locked|opened|closed|turned|switched|disarmed|armed|shut|entered"
    r"|left|arrived|came)\b"
)
