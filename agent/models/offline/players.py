"""Which player is meant when several could be, and "play <title> on the tv". Pure."""

import re
from collections.abc import Sequence
from typing import Final

from agent.models.offline.acting import Order
from agent.models.offline.frames import Frame
from agent.models.offline.home import Home
from agent.models.offline.parts import Part, control, question, refusal
from agent.models.offline.wording import names_of
from agent.models.offline.words import those
from homeguard.kinds import name_words
from homeguard.model import Device
from homeguard.targets import resolve

_GENERIC: Final = those(
    "music song songs track tracks playing playback again movie show video on in the a some my it something this that "
    "tune tv audio from of for"
)


def likely(action: str, pool: Sequence[Device], home: Home, found: Frame) -> tuple[Device, ...]:
    """The one that is meant when several fit and nothing can go wrong; `()` when a person must say.

    Players: the one that plays (or is paused, to go on), a speaker for songs, a screen for films, the main room's, the
    first. Lights of one name: the main bedroom's.
    """
    main = [d for d in pool if {"master", "main", "primary"} & set(name_words(d.area))]
    if all(d.type == "light" for d in pool):
        return (main[0],) if len(main) == 1 else ()
    if not all(d.type == "media_player" for d in pool):
        return ()
    wanted = ("paused", "idle") if action == "play" else ("playing",)
    for state in wanted:
        named = [d for d in pool if home.state(d).get("playback") == state]
        if len(named) == 1:
            return (named[0],)
        pool = named or pool
    words = set(found.words)
    screens = [
        d
        for d in pool
        if d.config.get("placement") == "tv" or {"tv", "television", "projector"} & set(name_words(d.name))
    ]
    if words & {"movie", "film", "show", "episode", "tv", "video"}:
        exact = [d for d in screens if "tv" in name_words(d.name)] if "tv" in words else []
        pool = exact or screens or pool
    else:
        pool = [d for d in pool if d not in screens] or pool
    rooms = [d for d in pool if {"living", "family", "lounge", "great"} & set(name_words(d.area))]
    return ((rooms or list(pool))[0],)


def titled(found: Frame, home: Home) -> bool:
    """Whether "play ..." names something to play, not only a player, a place or "the music"."""
    generic = _GENERIC
    words = [w for at, w in enumerate(found.words) if at not in found.held and w in found.target and w not in generic]
    if not words or "play" not in found.words:
        return False
    named = resolve(words, home.devices, areas=home.areas, floors=home.floors, fuzzy=False)
    return not (named.devices or named.ambiguous)


#: What kind of thing a title is, said behind it: "the Queen album".
_CLASS: Final = re.compile(
    r"(?<=\w) (?:tracks?|songs?|albums?|artist|band|playlist|podcast|movie|film|(?:tv "
    r")?(?:show|series))$"
)


def play(found: Frame, spoken: str, home: Home, area: str) -> tuple[Part, tuple[Device, ...]]:
    """ "Play <title> on the tv": the title is what is neither a player nor a place."""
    text = " ".join(found.words)
    match = re.search(r"\b(?:play|put on|start)\b(.*)$", text)
    query = (match[1] if match else text).strip()
    where = ""
    split = re.match(r"^(.*?) (?:on|in) (?:the |my )?(.+)$", query)
    if split:
        named = resolve(
            split[2],
            home.devices,
            areas=home.areas,
            floors=home.floors,
            implied=lambda d: d.type == "media_player",
            able=lambda d: home.takes(d, "play_media"),
        )
        if named.devices:
            query, where = split[1], split[2]
    pool = tuple(d for d in home.devices if home.takes(d, "play_media"))
    if where:
        pool = tuple(d for d in named.devices if home.takes(d, "play_media"))
    elif area:
        pool = tuple(d for d in pool if d.area.lower() == area.lower()) or pool
    query = _CLASS.sub("", re.sub(r"^(?:the|some|a|an) ", "", query))
    if not pool:
        return refusal(spoken, "There is no media player in this home that can play that."), ()
    if len(pool) > 1:
        pool = likely("play", pool, home, found) or pool
    if len(pool) > 1:
        return question(spoken, f"Where should I play it: {names_of(pool)}?"), ()
    return control(spoken, [(pool[0], Order("play_media", {"query": query or "music"}))], home), pool
