"""A question: answered from the summary, or by a reading call. Never a command."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from agent.models.offline import insights, measuring, reading
from agent.models.offline.act import Context
from agent.models.offline.asking_back import Found, history, past, pronoun
from agent.models.offline.comparing import comparing_part
from agent.models.offline.frames import Frame
from agent.models.offline.home import Home
from agent.models.offline.nowhere import not_here
from agent.models.offline.parts import Part, question, read, refusal
from agent.models.offline.people import presence_part, rooms_part
from agent.models.offline.question_kinds import question_kind
from agent.models.offline.talk import talk
from agent.models.offline.times import span
from agent.models.offline.wording import ARMED, listed, names_of, start, state_words, the
from agent.models.offline.words import those
from homeguard.kinds import name_words
from homeguard.model import Device
from homeguard.targets import Targets, resolve

#: What a forecast can be of here: batteries, and what wears out.
_WEARS: Final = re.compile(r"\b(?:batter\w+|last|lasts|die|dies|dying|dead|empty|replac\w+|maintenance"
                           r"|predict\w*|run out"
                           r"|attention|fail|fails|service|servicing|charge|charging)\b")  # fmt: skip
_SHORT_QUESTION: Final = 5
_DESCRIBED: Final = 6
_CANNOT_TELL: Final = "I can't tell when that will be: nothing here says so."
_SENSED: Final = those(
    "smoke motion gas carbon monoxide leak water movement fire tampering problem flood update updates noise sound"
)
_COUNTING: Final = those("devices device gadgets things control connected there list show have installed what got own")
_ALL_OF_IT: Final = those("in the all my here of house home")


def ask(label: str, found: Frame, spoken: str, home: Home, now: datetime, area: str, context: Context) -> Found:
    """The answer to a question and the devices it was about. `now` is local."""
    visitor = _at_the_door(found, spoken, home) or presence_part(found, spoken, home, now)
    if visitor is not None:
        return visitor
    deeds = insights.deeds_part(found.words, spoken, home, now)
    if deeds is not None:
        return deeds, ()
    changed = insights.last_set_part(found, spoken, home, area, now)
    if changed is not None:
        return changed[0], (changed[1],)
    named = _plain(found, home, area)
    compared = comparing_part(found, spoken, home, (named.devices or named.ambiguous) if named is not None else ())
    if compared is not None:
        return compared
    label = question_kind(label, found)
    if label == "ask_devices" and len(found.words) <= 2:
        label = "ask_state"
    if found.words[:1] == ("list",) and not reading.predicate_of(found):
        label = "ask_devices"
    if label == "other" and reading.predicate_of(found):
        label = "ask_state"
    if label in ("help", "yes", "other", "greet") and measuring.measured(found) and len(found.words) < _SHORT_QUESTION:
        label = "ask_value"
    if label in ("other", "time") and "set" in found.words and pronoun(found, context):
        label = "ask_state"
    if label in ("help", "time", "timer", "notes", "other", "greet"):
        weather = (
            tuple(d for d in home.devices if d.config.get("placement") == "weather") if "weather" in found.words else ()
        )
        named = _plain(found, home, area)
        if weather:
            here = tuple(d for d in weather if set(name_words(d.name)) & set(found.words)) or weather[:1]
            return Part(text=spoken, say=reading.describe(here, home)), here
        if named is None or not named.devices or not (found.held or label == "other"):
            return talk(label, spoken, home, now), ()
        label = "ask_value"
    if label == "ask_past":
        return past(found, spoken, home, now, area, context)
    if label == "ask_history":
        return history(found, spoken, home, now, area, context)
    if label == "ask_energy":
        days = 30 if "month" in found.words else 1 if {"today", "yesterday"} & set(found.words) else 7
        return read(spoken, "get_energy_insights", {"period_days": days}, lambda o: insights.energy_answer(o, days)), ()
    if label == "ask_anomalies":
        stretch = span(found.words, now)
        hours = max(1, min(24 * 30, int((now - stretch.start).total_seconds() // 3600) + 1)) if stretch else 24
        counted = "many" in found.words
        alerts_only = bool({"alert", "alerts", "alarm", "alarms", "warnings"} & set(found.words))
        return read(
            spoken, "get_anomalies", {"hours": hours},
            lambda o: insights.findings_answer(o, stretch, home.time_zone, now, alerts_only, counted=counted),
        ), ()  # fmt: skip
    if label == "ask_predictions" and not _WEARS.search(" ".join(found.words)):
        return refusal(spoken, _CANNOT_TELL), ()
    if label == "ask_predictions":
        named = _plain(found, home, area)
        only = {"device_id": named.devices[0].id} if named is not None and len(named.devices) == 1 else {}
        return read(spoken, "get_predictions", only, insights.predictions_answer), ()
    if label == "ask_overview" and "mode" in found.words and home.mode:
        return Part(text=spoken, say=reading.mode_said(home)), ()
    if label == "ask_overview":
        return Part(text=spoken, say=reading.overview(home)), ()
    if label == "ask_devices":
        return _devices(found, spoken, home, area)
    if label == "ask_value":
        return _value(found, spoken, home, area, context)
    return _state(label, found, spoken, home, area, context)


def _at_the_door(found: Frame, spoken: str, home: Home) -> Found | None:
    """ "Is anyone at the door?", "who is there at the front door?": what the doorbell or a camera sees."""
    words = set(found.words)
    if not (words & {"who", "anyone", "someone", "anybody", "somebody"} and {"at", "door"} <= words and "is" in words):
        return None
    seen = tuple(d for d in home.devices if d.type in ("doorbell", "camera") and "motion" in home.state(d))
    doors = tuple(d for d in seen if d.type == "doorbell") or seen
    if not doors:
        if any({"motion", "occupancy"} & set(d.capabilities) and "door" in name_words(d.name) for d in home.devices):
            return None
        return Part(text=spoken, say="I can't see who is at the door: this home has no doorbell and no camera."), ()
    moved = any(home.state(d)["motion"] for d in doors)
    opening = "" if "who" in words else "Yes, " if moved else "No, "
    sees = f"{names_of(doors)} {'sees' if len(doors) == 1 else 'see'} {'' if moved else 'no '}motion"
    return Part(text=spoken, say=start(f"{opening}{sees}.")), doors


def _plain(found: Frame, home: Home, area: str) -> Targets | None:
    words = [w for at, w in enumerate(found.words) if at in found.held or w in found.target]
    return resolve(words, home.devices, areas=home.areas, floors=home.floors, near_area=area) if words else None


def _state(label: str, found: Frame, spoken: str, home: Home, area: str, context: Context) -> Found:
    either = _either(found)
    predicate, noun = reading.predicate_of(either or found), reading.noun_of(either or found)
    found = either or found
    form = _form(label, found)
    checked = reading.check_of(predicate, noun)
    words = set(found.words)
    if checked is None and form in ("yes_no", "all") and measuring.measured(found):
        return _value(found, spoken, home, area, context)
    if predicate in ("hot", "cold") and not any(
        checked[0](d, home.state(d)) is not None for d in home.devices if checked
    ):
        return _value(found, spoken, home, area, context)
    if "alarm" in words and predicate in ("on", "off") and not any(d.type == "alarm_panel" for d in home.devices):
        predicate = "armed" if predicate == "on" else "disarmed"
    if predicate in ("armed", "disarmed") and not any("arm_state" in home.state(d) for d in home.devices):
        armed = home.arm_state not in ("", "disarmed")
        yes = armed == (predicate == "armed")
        return Part(
            text=spoken,
            say=f"{'Yes' if yes else 'No'}, the alarm is {ARMED.get(home.arm_state, 'disarmed')} "
            f"and the house is in {home.mode} mode.",
        ), ()
    if words & {"battery", "batteries"} and words & {"ok", "okay", "alright", "fine", "good"} and not predicate:
        return _value(found, spoken, home, area, context)
    well = words & {"ok", "okay", "alright", "fine", "working"}
    if (
        words & {"everything", "house", "home", "we"}
        and not found.held
        and (well or predicate in ("secure", "safe", "secured"))
    ):
        return Part(text=spoken, say=reading.overview(home, asked=True)), ()
    if well and predicate in ("", "working"):
        checked, predicate, noun = None, "", ""
    drop = [
        predicate,
        "ok",
        "okay",
        "fine",
        "alright",
        "working",
        "detected",
        "triggered",
        "noise",
        "update",
        "updates",
        "up",
        "date",
        "there",
        "someone",
        "anyone",
        "anybody",
        "at",
        "status",
        "state",
    ]
    if predicate == "home":
        drop.append("home")
    nouns = {n for n in _SENSED if noun and n in words}
    about = reading.subject(found, home, area, checked[0] if checked else None, drop)
    if checked is not None and (about.unmatched or not about.devices):
        lighter = reading.subject(
            found, home, area, checked[0], [*drop, *nouns, "sensor", "sensors", "floor", "thing", "people"]
        )
        about = lighter if lighter.devices or lighter.ambiguous or not about.ambiguous else about
    before = pronoun(found, context)
    if before and not [w for w in found.target if w not in ("it", "them", "that", predicate)]:
        about = Targets(devices=tuple(_or_its_lock(d, home) for d in before) if "lock" in predicate else before)
    if about.suggestions:
        return question(spoken, f"Did you mean {names_of(about.suggestions)}?"), ()
    if about.here_unknown:
        return question(spoken, "Which room are you in?"), ()
    devices = about.devices or about.ambiguous
    if not devices:
        if checked is not None and about.area and not about.unmatched:
            return Part(
                text=spoken, say=f"No, there is nothing {predicate or 'like that'} in the {about.area.lower()}."
            ), ()
        if checked is not None and not about.unmatched:
            opening = "Nothing" if form in ("which", "count") else "No, nothing"
            return Part(text=spoken, say=f"{opening} in this home is {predicate or noun.replace('_', ' ')}."), ()
        said = " ".join(about.said or about.unmatched)
        if form in ("any", "which", "count") and checked is not None and about.kind:
            where = f" in the {about.area.lower()}" if about.area else ""
            opening = "There" if form in ("which", "count") else "No, there"
            return Part(text=spoken, say=f"{opening} are no {said}{where or ' in this home'}."), ()
        if checked is not None and about.kind and form in ("yes_no", "all"):
            return Part(text=spoken, say=f"I can't tell: I know of no {said} in this home."), ()
        return refusal(spoken, not_here(said, home)), ()
    if checked is None and well and len(devices) == 1 and {"online", "ok", "okay", "working", "fine"} & words:
        offline = home.fact(devices[0], "online") is False
        answer = "No" if offline else "Yes"
        return Part(text=spoken, say=f"{answer}, {the(devices[0])} is {state_words(devices[0], home)}."), devices
    if checked is None:
        if form == "count":
            return Part(text=spoken, say=f"There are {len(devices)}: {names_of(devices)}."), devices
        if len(devices) > 6:
            return Part(text=spoken, say=f"{names_of(devices, 6)}: ask me about one of them."), devices
        return Part(text=spoken, say=reading.describe(devices, home)), devices
    if either is not None:
        return Part(text=spoken, say=reading.describe(devices, home)), devices
    if form == "yes_no" and about.ambiguous:
        about = Targets(devices=about.ambiguous, kind=about.kind)
    word = predicate or ("detected" if noun not in ("update_available",) else "available")
    if form == "yes_no" and len(devices) > 1 and (about.plural or noun or "there" in words):
        form = "any" if noun or words & {"any", "there"} else "all"
    return Part(text=spoken, say=reading.yes_no(form, word, about, checked[0], checked[1], home)), devices


def _or_its_lock(device: Device, home: Home) -> Device:
    """What is asked whether it is locked: the device, or of a door that only says whether it is open its lock."""
    if "lock" in home.state(device):
        return device
    named = set(name_words(device.name))
    locks = [d for d in home.devices if "lock" in home.state(d) and named <= set(name_words(d.name))]
    return locks[0] if len(locks) == 1 else device


def _either(found: Frame) -> Frame | None:
    """ "Is it open or closed?" as "is it open?"; `None` for another question."""
    words = found.words
    for at in range(1, len(words) - 1):
        if words[at] == "or" and words[at - 1] in reading.PREDICATES and words[at + 1] in reading.PREDICATES:
            rest = words[:at] + words[at + 2 :]
            target = tuple(w for w in found.target if w not in ("or", words[at + 1]))
            return replace(found, words=rest, target=target, held=frozenset(i for i in found.held if i < at))
    return None


def _form(label: str, found: Frame) -> str:
    words = list(found.words)
    if label == "ask_count" or ("how" in words and "many" in words):
        return "count"
    if label == "ask_which" or (words and words[0] in ("which", "who", "what", "list", "show")):
        return "which"
    if {"any", "anything", "anyone", "anybody"} & set(words):
        return "any"
    if {"all", "everything", "every", "both"} & set(words):
        return "all"
    return "yes_no"


def _value(found: Frame, spoken: str, home: Home, area: str, context: Context) -> Found:
    attributes = measuring.measured(found)
    before = pronoun(found, context)
    held = tuple(w for at, w in enumerate(found.words) if at in found.held)
    about = measuring.where(found, home, area, attributes)
    if held:
        exact = resolve(held, home.devices)
        single = [d for d in exact.devices if len([k for k in home.state(d) if k != "battery_pct"]) == 1]
        if (
            exact.by_name
            and single
            and (not attributes or not any(a in home.state(d) for a in attributes for d in exact.devices))
        ):
            rows = _closest(single, found, home)
            return Part(text=spoken, say=measuring.only_value(rows, home)), (rows,)
    if before and not about.devices:
        about = Targets(devices=before)
    devices = about.devices or about.ambiguous
    place = _plain(found, home, area) if not attributes and not devices else None
    if place is not None and place.area:
        near = tuple(d for d in home.devices if d.area == place.area)[:_DESCRIBED]
        return Part(text=spoken, say=reading.describe(near, home)), near
    if not devices and not about.said and attributes:
        devices = tuple(d for d in home.devices if any(a in home.state(d) for a in attributes))
    if not devices:
        if about.here_unknown:
            return question(spoken, "Which room are you in?"), ()
        said = " ".join(about.said or about.unmatched)
        if not attributes:
            return (
                (refusal(spoken, not_here(said, home)), ())
                if said
                else (Part(text=spoken, say=reading.overview(home)), ())
            )
        what = "the temperature" if attributes[0] == "temperature_c" else found.attribute or "that"
        outside = " outside" if "outside" in found.words else ""
        where = outside or f" in the {about.area.lower()}" if about.area else f' for "{said}"' if said else ""
        return refusal(spoken, f"Nothing here measures {what}{where}."), ()
    having, attribute = measuring.best(devices, attributes, home)
    if having:
        return Part(text=spoken, say=measuring.answer(having, attribute, home)), tuple(having)
    if len(devices) == 1:
        only = devices[0]
        return Part(text=spoken, say=f"{start(the(only))} is {state_words(only, home)}."), devices
    return Part(text=spoken, say=reading.describe(devices[:4], home)), devices


def _closest(rows: Sequence[Device], found: Frame, home: Home) -> Device:
    """Among devices of one name, the one whose attribute shares most words with the question."""
    words = set(found.words)
    return max(rows, key=lambda d: sum(bool(set(a.replace("_", " ").split()) & words) for a in home.state(d)))


def _devices(found: Frame, spoken: str, home: Home, area: str) -> Found:
    asked = set(found.words)
    words = [w for at, w in enumerate(found.target) if w not in _COUNTING and not (w == "many" and "how" in asked)]
    if "sensor" not in words and "sensors" in words and asked & {"all", "list"}:
        words = [w for w in words if w not in ("control", "connected")]
    if "how" in asked and words in (["rooms"], ["areas"], ["places"]):
        return rooms_part(spoken, home), ()
    named = [w for w in words if w not in _ALL_OF_IT]
    about = (
        resolve(words, home.devices, areas=home.areas, floors=home.floors, near_area=area)
        if named
        else Targets(devices=home.devices)
    )
    devices = about.devices or about.ambiguous
    yes_no = {"do", "have"} <= asked and not asked & {"how", "what", "which"}
    if not devices:
        said = " ".join(about.said or words)
        return Part(text=spoken, say=f"No, there {'are' if said.endswith('s') else 'is'} no {said} in this home."), ()
    noun = reading.kind_words(about, devices) if named else "devices"
    shown = listed([the(d).removeprefix("the ") for d in devices], 12)
    if len(devices) == 1:
        opening = "Yes, " if yes_no else "One: "
        return Part(text=spoken, say=start(f"{opening}{the(devices[0])}.")), devices
    opening = "Yes, " if yes_no else "You have "
    # "2 motion sensors" would tell of motions
    noun = "sensors" if noun.startswith(("motion", "smoke", "leak", "gas")) else noun
    return Part(text=spoken, say=f"{opening}{len(devices)} {noun}: {shown}."), devices
