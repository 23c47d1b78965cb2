"""A question: answered from the summary, or by a reading call. Never a command."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from agent.models.offline import looking_back as back
from agent.models.offline import measuring, reading
from agent.models.offline.act import Context
from agent.models.offline.frames import Frame
from agent.models.offline.home import Home
from agent.models.offline.parts import Part, question, read, refusal
from agent.models.offline.talk import talk
from agent.models.offline.times import clock_time, span
from agent.models.offline.wording import listed, names_of, start, state_words, the
from agent.models.offline.words import those
from homeguard.kinds import name_words
from homeguard.model import Device
from homeguard.targets import Targets, resolve

_PAST_WORDS: Final = those("was were did happened happen yesterday ago history")
_LOOKING_BACK: Final = those("when recent events activity log today tonight since anything")
_SENSED: Final = those(
    "smoke motion gas carbon monoxide leak water movement fire tampering problem flood update updates noise sound"
)
_ALL_OF_IT: Final = those("in the all my here of house home")
_AROUND: Final = those("the a my at in of for doorbell near")

Found = tuple[Part, tuple[Device, ...]]
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
    "anybody to with by packages alarm alarms alerts visit visited give summary of"
)


def ask(label: str, found: Frame, spoken: str, home: Home, now: datetime, area: str, context: Context) -> Found:
    """The answer to a question and the devices it was about. `now` is local."""
    visitor = _at_the_door(found, spoken, home)
    if visitor is not None:
        return visitor
    label = _kind(label, found, home)
    if label == "other" and reading.predicate_of(found):
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
        return _past(found, spoken, home, now, area, context)
    if label == "ask_history":
        return _history(found, spoken, home, now, area, context)
    if label == "ask_energy":
        days = 30 if "month" in found.words else 1 if {"today", "yesterday"} & set(found.words) else 7
        return read(spoken, "get_energy_insights", {"period_days": days}, lambda o: back.energy_answer(o, days)), ()
    if label == "ask_anomalies":
        stretch = span(found.words, now)
        hours = max(1, min(24 * 30, int((now - stretch.start).total_seconds() // 3600) + 1)) if stretch else 24
        return read(
            spoken, "get_anomalies", {"hours": hours}, lambda o: back.findings_answer(o, hours, home.time_zone, now)
        ), ()
    if label == "ask_predictions":
        named = _plain(found, home, area)
        only = {"device_id": named.devices[0].id} if named is not None and len(named.devices) == 1 else {}
        return read(spoken, "get_predictions", only, back.predictions_answer), ()
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
        return None
    moved = any(home.state(d)["motion"] for d in doors)
    opening = "" if "who" in words else "Yes, " if moved else "No, "
    sees = f"{names_of(doors)} {'sees' if len(doors) == 1 else 'see'} {'' if moved else 'no '}motion"
    return Part(text=spoken, say=start(f"{opening}{sees}.")), doors


def _kind(label: str, found: Frame, home: Home) -> str:
    """The model's label, corrected by words that leave no doubt."""
    words = set(found.words)
    text = " ".join(found.words)
    measures = measuring.measured(found)
    if "mode" in words and words & {"we", "house", "home"}:
        return "ask_overview"
    if words & {"alert", "alerts", "warnings", "anomalies"} and not found.held:
        return "ask_anomalies"
    if words & {"why"}:
        return "ask_past"
    if words & {"battery", "batteries"} and label in ("ask_devices", "ask_which") and not reading.predicate_of(found):
        return "ask_value"
    past = (
        bool(words & _PAST_WORDS)
        or "last night" in text
        or "last week" in text
        or re.search(
            r"\bha(?:s|ve|d) "
            r".*\b(?:been|opened|unlocked|locked|closed|triggered|come|left|rung|gone|entered)\b",
            text,
        )
        is not None
    )
    if re.search(r"\bdid (?:i|we|you|somebody|someone|anyone) (?:leave|forget)\b", text) or re.search(
        r"\b(?:did (?:i|we) (?:lock|close|shut|turn)|have (?:i|we) (?:locked|closed|shut|turned))\b", text
    ):
        return "ask_state"
    if (
        past
        and measures
        and measures[0] not in ("hue", "title")
        and (
            not words & {"did", "motion"}
            or "temperature" in words
            or "humidity" in words
            or words & {"warm", "cold", "hot", "humid"}
        )
        and not reading.predicate_of(found)
    ):
        return "ask_history"
    if (
        measures
        and clock_time(found.words)
        and words & {"temperature", "humidity", "warm", "hot", "cold", "power"}
        and past
    ):
        return "ask_history"
    when = clock_time(found.words) is not None and words & {"today", "yesterday", "morning", "night", "evening"}
    if when and (measures[:1] in (("temperature_c",), ("humidity_pct",)) or words & {"read", "measure", "measured"}):
        return "ask_history"
    if past and label == "ask_past" and not measures:
        return "ask_past"
    if past and label in (
        "ask_state",
        "ask_value",
        "ask_which",
        "ask_count",
        "other",
        "ask_overview",
        "ask_devices",
        "time",
        "notes",
        "help",
    ):
        return "ask_past"
    if re.search(r"\b(?:unusual|strange|odd|suspicious|weird|anomal\w+|abnormal)\b", text):
        return "ask_anomalies"
    sure = reading.predicate_of(found) or reading.noun_of(found)
    if label in ("ask_anomalies", "ask_overview") and sure and not words & {"ok", "okay", "everything"}:
        return "ask_state"
    if label == "ask_anomalies":
        return "ask_overview"
    if re.match(
        r"^who (?:has |had )?(?:unlocked|locked|opened|closed|rang|came|left|entered|turned|armed|disarmed|was)\b", text
    ):
        return "ask_past"
    if label == "ask_energy" and (found.held or measures[:1] not in (("power_w",), ("energy_kwh",), ())):
        return "ask_value"
    if label in ("ask_past", "ask_history") and not past and not words & _LOOKING_BACK:
        return "ask_value" if measures else "ask_state"
    if "how many" in text:
        return "ask_devices" if re.search(r"\b(?:do i have|do we have|are there|have i got)$", text) else "ask_count"
    if (
        re.match(r"^(?:which|what) .*\b(?:is|are)\b", text)
        and reading.predicate_of(found)
        and not re.match(r"^what (?:is|are) (?:the|my|our) ", text)
    ):
        return "ask_which"
    if (
        label in ("ask_state", "ask_which", "ask_overview")
        and measures
        and not reading.predicate_of(found)
        and not reading.noun_of(found)
        and re.match(r"^(?:please |tell me |hey )?(?:what|how|give|tell)", text)
    ):
        return "ask_value"
    if (
        label == "ask_value"
        and reading.predicate_of(found)
        and re.match(r"^(?:please |hey )?(?:is|are|do|does|tell me if|check)", text)
    ):
        return "ask_state"
    if label == "ask_value" and not measures and re.search(r"\b(?:status|state)\b", text):
        return "ask_state"
    if label in ("ask_predictions",) and re.match(r"^(?:what|how) (?:is|much|full)", text):
        return "ask_value"
    return label


def _plain(found: Frame, home: Home, area: str) -> Targets | None:
    words = [w for at, w in enumerate(found.words) if at in found.held or w in found.target]
    return resolve(words, home.devices, areas=home.areas, floors=home.floors, near_area=area) if words else None


def _pronoun(found: Frame, context: Context) -> tuple[Device, ...]:
    words = set(found.words)
    return context.devices if words & {"it", "them", "they", "that"} and not found.held else ()


def _state(label: str, found: Frame, spoken: str, home: Home, area: str, context: Context) -> Found:
    predicate, noun = reading.predicate_of(found), reading.noun_of(found)
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
            say=f"{'Yes' if yes else 'No'}, the house is {home.arm_state.replace('_', ' ') or 'disarmed'} "
            f"({home.mode} mode).",
        ), ()
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
    before = _pronoun(found, context)
    if before and not [w for w in found.target if w not in ("it", "them", "that", predicate)]:
        about = Targets(devices=before)
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
            return Part(text=spoken, say=f"No, nothing in this home is {predicate or noun.replace('_', ' ')}."), ()
        said = " ".join(about.said or about.unmatched)
        if form in ("any", "which", "count") and checked is not None and about.kind:
            where = f" in the {about.area.lower()}" if about.area else ""
            return Part(text=spoken, say=f"No, there are no {said}{where} here."), ()
        return refusal(spoken, f'No, I can\'t find "{said}" in this home.'), ()
    if checked is None:
        if form == "count":
            return Part(text=spoken, say=f"There are {len(devices)}: {names_of(devices)}."), devices
        if len(devices) > 6:
            return Part(text=spoken, say=f"{names_of(devices, 6)}: ask me about one of them."), devices
        return Part(text=spoken, say=reading.describe(devices, home)), devices
    if form == "yes_no" and about.ambiguous:
        about = Targets(devices=about.ambiguous, kind=about.kind)
    word = predicate or ("detected" if noun not in ("update_available",) else "available")
    if form == "yes_no" and len(devices) > 1 and (about.plural or noun or "there" in words):
        form = "any" if noun or words & {"any", "there"} else "all"
    return Part(text=spoken, say=reading.yes_no(form, word, about, checked[0], checked[1], home)), devices


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
    before = _pronoun(found, context)
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
    if not devices and not about.said and attributes:
        devices = tuple(d for d in home.devices if any(a in home.state(d) for a in attributes))
    if not devices:
        if about.here_unknown:
            return question(spoken, "Which room are you in?"), ()
        said = " ".join(about.said or about.unmatched)
        if not attributes:
            return (
                (refusal(spoken, f'I can\'t find "{said}" in this home.'), ())
                if said
                else (Part(text=spoken, say=reading.overview(home)), ())
            )
        what = found.attribute or "that"
        where = f" in the {about.area.lower()}" if about.area else f' for "{said}"' if said else ""
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
    words = [
        w
        for w in found.target
        if w
        not in (
            "devices",
            "device",
            "sensors" if "sensor" not in found.target else "",
            "gadgets",
            "things",
            "control",
            "connected",
            "there",
            "list",
            "show",
            "have",
            "installed",
            "what",
            "got",
        )
    ]
    about = (
        resolve(words, home.devices, areas=home.areas, floors=home.floors, near_area=area)
        if [w for w in words if w not in _ALL_OF_IT]
        else Targets(devices=home.devices)
    )
    devices = about.devices or about.ambiguous
    if not devices:
        return Part(text=spoken, say=f'No, I can\'t find "{" ".join(about.said or words)}" in this home.'), ()
    count = f"{len(devices)} device{'s' if len(devices) != 1 else ''}"
    return Part(text=spoken, say=f"{count}: {listed([the(d).removeprefix('the ') for d in devices], 12)}."), devices


def _past(found: Frame, spoken: str, home: Home, now: datetime, area: str, context: Context) -> Found:
    words = [
        w for at, w in enumerate(found.words)
        if at in found.held or (w not in _TIME_WORDS and w not in _PAST_VERBS and not w.replace(":", "").isdigit())
    ]  # fmt: skip
    types = back.event_types(found.words)

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
        before = _pronoun(found, context)
        about = Targets(devices=before) if before else about
    if about.ambiguous:
        about = Targets(devices=about.ambiguous, plural=True)
    if about.unmatched and not about.devices and not types:
        return refusal(spoken, f'I can\'t find "{" ".join(about.said)}" in this home.'), ()
    arguments, stretch = back.events_call(found.words, about, now)
    return read(
        spoken, "get_recent_events", arguments,
        lambda o: back.events_answer(o, found.words, about, stretch, now, home.time_zone, home),
    ), about.devices  # fmt: skip


def _history(found: Frame, spoken: str, home: Home, now: datetime, area: str, context: Context) -> Found:
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
    devices = about.devices or about.ambiguous or (context.devices if _pronoun(found, context) else ())
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
