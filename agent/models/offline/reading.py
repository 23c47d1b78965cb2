"""Questions about how things are now, answered from the home's summary. Pure; never acts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from agent.models.offline.frames import Frame
from agent.models.offline.home import Home
from agent.models.offline.wording import ARMED, listed, names_of, start, state_words, the, unlocked_name
from agent.models.offline.words import those
from homeguard.kinds import singular
from homeguard.model import Device
from homeguard.targets import Targets, resolve

_UNSURE: Final = those("on home off out close lock unlock low")

_DETECTS: Final = {
    "motion": "motion", "presence": "occupancy", "smoke": "smoke", "co": "co", "gas": "gas", "water_leak": "water_leak",
    "glass_break": "glass_break", "vibration": "vibration", "heat": "heat", "contact": "open",
}  # fmt: skip
_MINOR: Final = frozenset(("battery_low", "muted", "recording", "streaming", "tamper"))
#: Under this a battery is low, whatever the device itself calls so.
_LOW_PCT: Final = 20
State = Mapping[str, Any]
Check = Callable[[Device, State], bool | None]


def _detected(device: Device, state: State) -> bool | None:
    name = _DETECTS.get(device.type, "")
    if isinstance(state.get(name), bool):
        return bool(state[name])
    own = [v for n, v in state.items() if isinstance(v, bool) and n not in _MINOR and n != "on"]
    return own[0] if len(own) == 1 else None


def _on(device: Device, state: State) -> bool | None:
    if isinstance(state.get("on"), bool):
        return bool(state["on"])
    if "playback" in state:
        return str(state["playback"]) in ("playing", "paused")
    if "activity" in state:
        return str(state["activity"]) in ("cleaning", "returning")
    if "hvac_mode" in state:
        return str(state["hvac_mode"]) != "off"
    if "arm_state" in state:
        return str(state["arm_state"]) != "disarmed"
    if device.type in ("valve", "sprinkler"):
        return _open(device, state)
    return _detected(device, state)


def _open(device: Device, state: State) -> bool | None:
    if isinstance(state.get("open"), bool):
        return bool(state["open"])
    position = state.get("position_pct")
    if "cover" in state:
        return str(state["cover"]) in ("open", "opening") or (str(state["cover"]) == "stopped" and bool(position))
    return position > 0 if isinstance(position, int | float) else None


def _is(attribute: str, *values: str) -> Check:
    return lambda d, s: str(s[attribute]) in values if attribute in s else None


def _flag(*names: str) -> Check:
    return lambda d, s: next((bool(s[n]) for n in names if isinstance(s.get(n), bool)), None)


def _not(check: Check) -> Check:
    def turned(device: Device, state: State) -> bool | None:
        found = check(device, state)
        return None if found is None else not found

    return turned


def _low(device: Device, state: State) -> bool | None:
    level = state.get("battery_pct")
    if state.get("battery_low") is True or (isinstance(level, int | float) and level < _LOW_PCT):
        return True
    return False if isinstance(level, int | float) or isinstance(state.get("battery_low"), bool) else None


def _running(device: Device, state: State) -> bool | None:
    if isinstance(state.get("running"), bool):
        return bool(state["running"])
    if "activity" in state:
        return str(state["activity"]) == "cleaning"
    if "playback" in state:
        return str(state["playback"]) == "playing"
    return _on(device, state) if device.type in ("fan", "sprinkler", "appliance", "plug", "humidifier") else None


def _hot(device: Device, state: State) -> bool | None:
    return bool(state["heat"]) if isinstance(state.get("heat"), bool) else None


_AFFECTED = _flag("motion", "occupancy")
#: Words after "is it" -> how to tell, and the word for the opposite.
PREDICATES: Final[Mapping[str, tuple[Check, str]]] = {
    "locked": (_is("lock", "locked"), "unlocked"), "unlocked": (_is("lock", "unlocked"), "locked"),
    "jammed": (_is("lock", "jammed"), "fine"), "lock": (_is("lock", "locked"), "unlocked"),
    "unlock": (_is("lock", "unlocked"), "locked"),
    "open": (_open, "closed"), "opened": (_open, "closed"), "closed": (_not(_open), "open"),
    "shut": (_not(_open), "open"),
    "close": (_not(_open), "open"), "ajar": (_open, "closed"),
    "on": (_on, "off"), "off": (_not(_on), "on"), "out": (_not(_on), "on"),
    "playing": (_is("playback", "playing"), "not playing"),
    "paused": (_is("playback", "paused"), "not paused"), "muted": (_flag("muted"), "not muted"),
    "running": (_running, "not running"),
    "cleaning": (_is("activity", "cleaning"), "not cleaning"), "docked": (_is("activity", "docked"), "not docked"),
    "triggered": (_detected, "not triggered"), "detected": (_detected, "not detected"),
    "active": (_detected, "not active"),
    "tripped": (_detected, "not tripped"), "wet": (_flag("water_leak"), "dry"), "leaking": (_flag("water_leak"), "dry"),
    "flooded": (_flag("water_leak"), "dry"), "dry": (_not(_flag("water_leak")), "wet"),
    "occupied": (_AFFECTED, "not occupied"),
    "empty": (_not(_AFFECTED), "occupied"), "low": (_low, "not low"), "hot": (_hot, "not hot"),
    "cold": (_flag("cold"), "not cold"),
    "home": (_flag("home"), "away"), "away": (_not(_flag("home")), "home"),
    "charging": (_flag("charging", "battery_charging"), "not charging"),
    "connected": (_flag("connected", "connectivity"), "not connected"),
    "plugged": (_flag("plugged_in", "plug"), "unplugged"), "unplugged": (_not(_flag("plugged_in", "plug")),
    "plugged in"),
    "powered": (_flag("powered", "power"), "not powered"), "safe": (_not(_flag("unsafe", "safety")), "not safe"),
    "unsafe": (_flag("unsafe", "safety"), "safe"),
    "vibrating": (_flag("vibration"), "not vibrating"), "moving": (_flag("moving", "motion"), "not moving"),
    "recording": (_flag("recording"), "not recording"), "armed": (_not(_is("arm_state", "disarmed")), "disarmed"),
    "disarmed": (_is("arm_state", "disarmed"), "armed"), "secure": (_is("lock", "locked"), "unlocked"),
    "secured": (_is("lock", "locked"), "unlocked"),
    "available": (_flag("update_available"), "not available"),
}  # fmt: skip
#: Nouns that ask whether something is there: "is there smoke", "any motion".
_NOUNS: Final[Mapping[str, str]] = {
    "smoke": "smoke", "fire": "smoke", "motion": "motion", "movement": "motion", "gas": "gas", "monoxide": "co",
    "co": "co", "leak": "water_leak",
    "leakage": "water_leak", "water": "water_leak", "flood": "water_leak", "vibration": "vibration", "noise": "sound",
    "sound": "sound",
    "update": "update_available", "tampering": "tamper", "problem": "problem", "anyone": "occupancy",
    "someone": "occupancy", "anybody": "occupancy",
}  # fmt: skip
_LOOSE: Final = those(
    "about there any is are still turned switched currently right securely left in up to date right detected do "
    "have which "
    "what how many all of tell me if whether check that show list count number or no yes answer please with device "
    "plugged things thing devices not left it did leave have we i does currently really actually properly anything "
    "being"
)


def predicate_of(wanted: Frame) -> str:
    """The word that a yes-or-no question turns on, `""` for none."""
    words = [w for at, w in enumerate(wanted.words) if at not in wanted.held]
    if "up to date" in " ".join(words):
        return "up to date"
    found = [w for w in words if w in PREDICATES and w not in _UNSURE]
    if found:
        return found[0]
    for word in ("off", "home", "low", "lock", "unlock", "close"):
        if word in words and (word != "home" or words[-1] in ("home", "now")):
            return word
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else ""
        if (
            word == "on"
            and following
            in ("", "in", "at", "right", "now", "on", "upstairs", "downstairs", "here", "or", "?", "please", ",")
        ) or (word == "on" and at and words[at - 1] in ("turned", "switched")):
            return "on"
    return ""


def noun_of(wanted: Frame) -> str:
    """The attribute that "is there any ..." asks for, `""` for none."""
    for at, word in enumerate(wanted.words):
        if at not in wanted.held and singular(word) in _NOUNS:
            return _NOUNS[singular(word)]
    return ""


def check_of(predicate: str, noun: str = "") -> tuple[Check, str] | None:
    """How to tell, with the opposite word."""
    if predicate == "up to date":
        return _not(_flag("update_available")), "an update is available"
    if predicate in PREDICATES and not (noun and predicate in ("detected", "triggered", "available")):
        return PREDICATES[predicate]
    if noun == "occupancy":
        return _flag("occupancy", "motion"), "not occupied"
    return (_flag(noun), "not detected") if noun else None


def subject(wanted: Frame, home: Home, near_area: str, check: Check | None, drop: Sequence[str] = ()) -> Targets:
    """The devices that a question is about; those that can answer it are preferred."""
    words = [w for w in wanted.target if w not in _LOOSE or w in ("all", "any", "in")]
    words = [w for w in words if w not in drop or (wanted.words.index(w) in wanted.held)]

    if not words and check is _on:
        lit = tuple(d for d in home.devices if {"on", "playback", "activity"} & set(home.state(d)))
        return Targets(devices=lit, plural=True)

    def answers(device: Device) -> bool:
        return check is not None and check(device, home.state(device)) is not None

    return resolve(
        words or ["all"], home.devices, areas=home.areas, floors=home.floors, near_area=near_area,
        able=answers if check is not None else None, implied=answers if check is not None else None,
    )  # fmt: skip


def yes_no(form: str, word: str, found: Targets, check: Check, opposite: str, home: Home) -> str:
    """The answer to "is/are (any, all) ... <word>?", "which", "how many"."""
    known = [(d, told) for d in found.devices if (told := check(d, home.state(d))) is not None]
    unknown = [d for d in found.devices if check(d, home.state(d)) is None]
    true = [d for d, told in known if told]
    false = [d for d, told in known if not told]
    what = kind_words(found, [d for d, _ in known] or list(found.devices))
    word = _SPOKEN.get(word, word)
    if form == "count":
        return f"{len(true)} {what if len(true) != 1 else _one(what)} {'is' if len(true) == 1 else 'are'} {word}."
    if word == "detected" and found.kind and form in ("any", "yes_no", "all") and known:
        where = f" in the {found.area.lower()}" if found.area else ""
        thing = (
            _THINGS.get(found.kind[0], " ".join(found.kind))
            if found.kind[-1] not in ("sensor", "detector", "alarm")
            else ""
        )
        if thing and true:
            return f"Yes, {names_of(true, 3)} {'reports' if len(true) == 1 else 'report'} {thing}."
        if thing:
            return f"No, there is no {thing}{where} right now."
    if not known and unknown and word in ("open", "closed") and all("lock" in home.state(d) for d in unknown):
        return _only_locks(unknown, word, home)
    if not known:
        if not unknown:
            return f"No, there is nothing here that can be {word}."
        whom, be = names_of(unknown, 3), "is" if len(unknown) == 1 else "are"
        return f"I can't tell whether {whom} {be} {word}: it only reports that it is {state_words(unknown[0], home)}."
    if form == "which":
        return (
            f"{start(names_of(true))} {'is' if len(true) == 1 else 'are'} {word}."
            if true
            else _none(found, known, what, word, opposite, home)
        )
    if form == "any":
        return (
            f"Yes, {names_of(true, 3)} {'is' if len(true) == 1 else 'are'} {word}."
            if true
            else f"No, none of the {what} {'are' if what.endswith('s') else 'is'} {word}."
        )
    if form == "all" or len(known) > 1:
        if not true and found.kind and len(false) > 2 and what.endswith("s"):
            return f"No, none of the {what} are {word}."
        if not false:
            return f"Yes, all {what} are {word}." if len(true) > 1 else f"Yes, {the(true[0])} is {word}."
        return f"No, {names_of(false, 3)} {'is' if len(false) == 1 else 'are'} not {word}."
    device, told = known[0]
    tail = "" if home.fact(device, "online") is not False else " (it is offline; that is what it last said)"
    if told:
        return f"Yes, {the(device)} is {word}{tail}."
    return (
        f"No, {the(device)} is {opposite}{tail}."
        if opposite != "an update is available"
        else f"No, an update is available for {the(device)}."
    )


def _none(found: Targets, known: Sequence[tuple[Device, bool]], what: str, word: str, opposite: str, home: Home) -> str:
    """ "Which ... are on?" when none is."""
    if found.kind:
        return f"None of the {what} {'are' if what.endswith('s') or what == 'people' else 'is'} {word}."
    others = [d for d, _ in known]
    if 0 < len(others) <= 4:
        return f"Nothing is {word}: {names_of(others)} {'is' if len(others) == 1 else 'are'} {opposite}."
    return f"Nothing is {word}."


def _only_locks(locks: Sequence[Device], word: str, home: Home) -> str:
    """ "Is the door closed?" where only its lock can be read."""
    if len(locks) == 1:
        only = locks[0]
        state = state_words(only, home)
        return f"There is no sensor on the {unlocked_name(only)} that tells whether it is {word}; its lock is {state}."
    doors = listed([f"the {unlocked_name(d)}" for d in locks], 3)
    states = listed([f"{the(d)} is {state_words(d, home)}" for d in locks], 3)
    return f"There are no sensors on {doors} that tell whether they are {word}; {states}."


_SPOKEN: Final = {
    "plugged": "plugged in",
    "lock": "locked",
    "unlock": "unlocked",
    "close": "closed",
    "opened": "open",
    "out": "off",
}
_THINGS: Final = {"carbon": "carbon monoxide", "water": "leak", "flood": "leak", "movement": "motion"}


def kind_words(found: Targets, devices: Sequence[Device]) -> str:
    """What such devices are called: `lights`, `motion sensors`."""
    if found.kind:
        words = " ".join(found.kind)
        return words if words in ("people", "lighting", "music", "motion", "smoke") else _many(words)
    types = {d.type for d in devices}
    if len(types) == 1:
        kind = next(iter(types)).replace("_", " ")
        return (
            _many(kind)
            if kind not in ("contact", "presence", "co", "gas", "smoke", "motion", "heat")
            else f"{kind} sensors"
        )
    return "devices"


def _many(word: str) -> str:
    if word.endswith(("s", "x", "ch")):
        return word + "es"
    return word[:-1] + "ies" if word.endswith("y") and word[-2] not in "aeo" else word + "s"


def _one(many: str) -> str:
    return "person" if many == "people" else singular(many) if many != "switches" else "switch"


def describe(devices: Sequence[Device], home: Home) -> str:
    """How each of a few devices is."""
    if len(devices) == 1:
        only = devices[0]
        return f"{start(the(only))} is {state_words(only, home)}."
    return (
        "; ".join(
            f"{start(the(d)) if at == 0 else the(d)} is {state_words(d, home)}" for at, d in enumerate(devices[:6])
        )
        + "."
    )


def mode_said(home: Home) -> str:
    """The mode of the house and its alarm, as a sentence."""
    arm = f", and the alarm is {ARMED.get(home.arm_state, home.arm_state)}" if home.arm_state else ""
    return f"The house is in {home.mode} mode{arm}."


def overview(home: Home, asked: bool = False) -> str:
    """The home in a sentence or two, what is not secure first; `asked` opens with yes or no."""
    open_now = [d for d in home.devices if d.type in ("contact", "garage_door", "gate") and _open(d, home.state(d))]
    unlocked = [d for d in home.devices if home.state(d).get("lock") in ("unlocked", "jammed")]
    alarms = [
        d
        for d in home.devices
        if any(home.state(d).get(n) is True for n in ("smoke", "co", "gas", "water_leak", "heat", "glass_break"))
    ]
    offline = [d for d in home.devices if home.fact(d, "online") is False]
    said = []
    if alarms:
        said.append(f"Attention: {names_of(alarms)} {'is' if len(alarms) == 1 else 'are'} reporting an alarm.")
    if unlocked or open_now:
        parts = ([f"{names_of(unlocked)} {'is' if len(unlocked) == 1 else 'are'} unlocked"] if unlocked else []) + (
            [f"{names_of(open_now)} {'is' if len(open_now) == 1 else 'are'} open"] if open_now else []
        )
        said.append(start(" and ".join(parts)) + ".")
    else:
        said.append(
            "Everything is locked and closed." if any("lock" in home.state(d) for d in home.devices) else "All quiet."
        )
    if offline:
        said.append(f"{start(names_of(offline, 3))} {'is' if len(offline) == 1 else 'are'} offline.")
    lights = [d for d in home.devices if d.type == "light" and home.state(d).get("on") is True]
    if lights and not (unlocked or open_now):
        said.append(f"{len(lights)} light{'s are' if len(lights) > 1 else ' is'} on.")
    if home.mode:
        said.append(mode_said(home))
    if asked:
        said.insert(0, "No." if alarms or unlocked or open_now else "Yes.")
    return " ".join(said)
