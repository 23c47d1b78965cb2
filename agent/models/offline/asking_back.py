"""Questions about what was, with the devices they are about: to the events or to the readings. Never a command."""

from datetime import datetime
from typing import Final

from agent.models.offline import looking_back as back
from agent.models.offline import measuring
from agent.models.offline.act import Context
from agent.models.offline.frames import Frame
from agent.models.offline.home import Home
from agent.models.offline.nowhere import not_here
from agent.models.offline.parts import Part, read, refusal
from agent.models.offline.wording import listed, start, state_words, the, unlocked_name
from agent.models.offline.words import those
from homeguard.model import Device
from homeguard.targets import Targets, resolve

_WHO: Final = those("who anyone anybody someone somebody")
_MOVES: Final = those("open opened opens close closed closes shut")
_AROUND: Final = those("the a my at in of for doorbell near")
_TIME_WORDS: Final = those(
    "last night yesterday today morning evening afternoon week month hour hours day days ago past since recently "
    "lately earlier noon midnight am pm oclock during while out was were away overnight before after time times ever "
    "just minutes tonight this around about between monday tuesday wednesday thursday friday saturday sunday"
)
_PAST_VERBS: Final = those(
    "did someone somebody anyone anybody anything something everyone who when what happen happened history log recent "
    "events event activity there any been left come came in get got go went open opened unlock unlocked lock locked "
    "close closed ring rang rung motion movement move moved detected trigger triggered has have had long how many was "
    "were visitor visitors enter entered through me tell show list being happening or use used touch touched on off "
    "turned person people package delivery delivered shut seen i we broke break into using home house arrive arrived "
    "leave is are do you know notice see saw armed disarmed first latest report check if whether it them that one "
    "anybody to with by packages alarm alarms alerts visit visited give summary of often unlocks opens closes locks "
    "chart graph plot draw curve trend new miss missed news summarize summarise recap catch up bring my updates week"
)


Found = tuple[Part, tuple[Device, ...]]


def pronoun(found: Frame, context: Context) -> tuple[Device, ...]:
    words = set(found.words)
    return context.devices if words & {"it", "them", "they", "that"} and not found.held else ()


def past(found: Frame, spoken: str, home: Home, now: datetime, area: str, context: Context) -> Found:
    words = [
        w for at, w in enumerate(found.words)
        if at in found.held or (w not in _TIME_WORDS and w not in _PAST_VERBS and not w.replace(":", "").isdigit())
    ]  # fmt: skip
    asked = found.words
    if {"at", "door"} <= set(asked) and set(asked) & _WHO and not back.event_types(asked):
        asked, words = (*asked, "visitor"), []
    elif set(asked) & _WHO and not back.event_types(asked):
        asked = _moved(asked, words, home, area)
    types = back.event_types(asked)

    def fits(device: Device) -> bool:
        if {"door_unlocked", "door_locked"} & set(types):
            return device.type == "lock"
        if types and types[0].startswith(("door_o", "door_c")):
            return device.type in ("contact", "garage_door", "gate")
        if "motion_detected" in types:
            return "motion" in device.capabilities
        return True

    content = [w for w in words if w not in _AROUND]
    about = (
        resolve(words, home.devices, areas=home.areas, floors=home.floors, near_area=area, able=fits, implied=fits)
        if content
        else Targets()
    )
    if not about.devices and not about.ambiguous:
        before = pronoun(found, context)
        about = Targets(devices=before) if before else about
    if about.ambiguous:
        about = Targets(devices=about.ambiguous, plural=True)
    if about.unmatched and not about.devices and not types:
        return refusal(spoken, not_here(" ".join(about.said), home)), ()
    first = ""
    if (
        types[:1] in (("door_open",), ("door_closed",))
        and about.devices
        and all(d.type == "lock" for d in about.devices)
    ):
        # nothing tells when that door moves, but its lock knows when it could
        turned = "unlocked" if types[0] == "door_open" else "locked"
        asked = (*(w for w in asked if w not in _MOVES), turned)
        door = listed([f"the {unlocked_name(d)}" for d in about.devices])
        first = f"No sensor tells me when {door} {'opens' if turned == 'unlocked' else 'closes'}. "
    arguments, stretch = back.events_call(asked, about, now)
    if {"how", "long"} <= set(asked) and len(about.devices) == 1:
        first = f"{start(the(about.devices[0]))} is {state_words(about.devices[0], home)} now. "
    return read(
        spoken, "get_recent_events", arguments,
        lambda o: first + back.events_answer(o, asked, about, stretch, now, home.time_zone, home),
    ), about.devices  # fmt: skip


def _moved(asked: tuple[str, ...], words: list[str], home: Home, area: str) -> tuple[str, ...]:
    """ "Was anyone in the kitchen?" asks for motion where something senses it; the words of the question with that."""
    place = [w for w in words if w not in _WHO and w not in ("in", "the")]
    if not place:
        return asked
    about = resolve(place, home.devices, areas=home.areas, floors=home.floors, near_area=area)
    sensing = about.area and any("motion" in d.capabilities and d.area == about.area for d in home.devices)
    return (*asked, "motion") if sensing and not about.by_name else asked


def history(found: Frame, spoken: str, home: Home, now: datetime, area: str, context: Context) -> Found:
    attributes = measuring.measured(found) or ("temperature_c",)
    words = tuple(
        w
        for at, w in enumerate(found.words)
        if at in found.held or (w not in _TIME_WORDS and w not in _PAST_VERBS and not w.replace(":", "").isdigit())
    )
    from_here = Frame(
        words=words, target=found.target, held=frozenset(at for at, w in enumerate(words) if w in _held_words(found))
    )
    about = measuring.where(from_here, home, area, attributes)
    devices = about.devices or about.ambiguous or (context.devices if pronoun(found, context) else ())
    if not devices and not about.unmatched:
        devices = home.devices
    having, metric = measuring.best(devices, attributes, home)
    if not having:
        said = " ".join(about.unmatched)
        return refusal(spoken, f"Nothing here measures that{f' for {said}' if said else ''}."), ()
    device = having[0]
    arguments, at, stretch = back.history_call(found.words, device, metric, now)
    return read(
        spoken, "get_device_history", arguments,
        lambda o: back.history_answer(o, found.words, device, metric, at, stretch, now, home.time_zone, home),
    ), (device,)  # fmt: skip


def _held_words(found: Frame) -> set[str]:
    return {w for at, w in enumerate(found.words) if at in found.held}
