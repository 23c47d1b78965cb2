"""A clause that wants something done: which devices, which command for each, or why not. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from agent.models.offline.acting import UNSAID, Cannot, Order, able, cleaning_area, order
from agent.models.offline.frames import Frame
from agent.models.offline.home import Home
from agent.models.offline.nowhere import not_here
from agent.models.offline.parts import Part, control, question, refusal
from agent.models.offline.places import is_outdoors
from agent.models.offline.players import likely, play
from agent.models.offline.wording import in_order, listed, names_of, start, the, unlocked_name
from agent.models.offline.words import those
from homeguard.kinds import name_words, singular
from homeguard.model import Device
from homeguard.target_words import ALL, ARTICLES, HOUSE
from homeguard.targets import GUARDED_TYPES, Targets, resolve

Offer = tuple[tuple[Device, Order], ...]
_TRACK_WORDS: Final = those(
    "song track music episode item playback playing show movie video audio sound tune last previous next earlier "
    "songs what whats"
)
_CLEANING_WORDS: Final = those(
    "cleaning vacuuming floor floors base dock station charger mowing lawn home back cleaner"
)
_HOUSE_WORDS: Final = those("system house home security away night stay mode")
_NO_NAME: Final = those("the a in all of on my at to for")
_WATERING: Final = those("sprinkler irrigation watering valve hose")
_BRIGHTNESS_WORDS: Final = those("brighter dimmer darker brighten dim darken bright dark light")
_WARMTH_WORDS: Final = those("warmer cooler hotter colder cold hot warm heat cool")
_MEDIA = frozenset(("play", "pause", "next", "previous", "mute", "unmute", "play_media"))
_ATTRIBUTE_TYPES = {
    "brightness": ("light",), "color": ("light",), "color_temperature": ("light",), "volume": ("media_player",),
    "temperature": ("thermostat", "air_conditioner", "heater"), "target": ("thermostat", "air_conditioner", "heater"),
    "mode": ("thermostat", "air_conditioner"), "fan_speed": ("thermostat", "air_conditioner", "fan"), "speed": ("fan",),
    "humidity": ("humidifier", "dehumidifier"), "position": ("cover", "valve"), "tilt": ("cover",),
    "swing": ("air_conditioner", "fan"),
    "source": ("media_player",),
}  # fmt: skip
#: What makes a home safer may be done on one clear slip of the keyboard; everything else guarded is asked about.
_SAFER = frozenset(("lock", "close"))
#: What always takes a card that names it: there a slip does no harm.
_CARDED = frozenset(("unlock", "open", "disarm"))
_CLIMATE = ("thermostat", "air_conditioner", "heater")
_EVERY_DAY = (
    "light",
    "switch",
    "plug",
    "fan",
    "media_player",
    "diffuser",
    "humidifier",
    "dehumidifier",
    "air_purifier",
    "appliance",
    "group",
)


@dataclass(frozen=True, slots=True)
class Context:
    """What the conversation was about: the devices, the action and the clause that came last."""

    devices: tuple[Device, ...] = ()
    #: The devices of the last few requests, each once, the latest last.
    recent: tuple[Device, ...] = ()
    #: What the assistant asked for last, beside devices: "timer" with the label that it was to have.
    pending: tuple[str, ...] = ()
    action: str = ""
    frame: Frame = field(default_factory=lambda: Frame(words=()))
    label: str = ""
    asked: bool = False
    #: Of which of these the last sentence was asked, in the order in which they were told.
    offered: tuple[Device, ...] = ()
    #: The words of the sentence that were slips of the keyboard, as they were mended.
    mended: frozenset[str] = frozenset()
    #: What was offered last and waits for a yes.
    offer: Offer = ()
    #: An "if" that was said before: a part with words when it does not hold, without when it does.
    condition: Part | None = None

    def merged(self, now: Frame) -> Frame:
        """The earlier request with the new target (and value, if one was said)."""
        base = replace(self.frame, target=now.target, words=(*self.frame.words, *now.words), held=frozenset())
        if now.has_value:
            return replace(
                base, value=now.value, color=now.color, kelvin=now.kelvin, option=now.option, relative=now.relative
            )
        return base

    def again(self, devices: Sequence[Device], home: Home, text: str, found: Frame | None = None) -> Part:
        """The last action once more: for fewer devices, or with another frame."""
        wanted = found or self.frame
        orders = [(d, o) for d in devices if isinstance(o := order(self.action, wanted, home, d), Order)]
        return control(text, orders, home)

    def spoke_of(self, devices: Sequence[Device]) -> "Context":
        """The same with these as what was spoken of last."""
        if not devices:
            return self
        kept = tuple(d for d in self.recent if d not in devices)
        return replace(self, devices=tuple(devices), recent=(*kept, *devices)[-6:])

    def guess(self, found: Frame, home: Home) -> Callable[[Device], bool] | None:
        """Which devices a clause that is not carried out would have been about."""
        action = next((a for a in found.actions if a not in ("set", "raise", "lower")), "")
        return (lambda d: able(action, found, home, d)) if action else None


def act(
    action: str, found: Frame, spoken: str, home: Home, area: str, device_id: str, context: Context
) -> tuple[Part, Context]:
    """One clause with its action chosen."""
    if action == "play_media":
        part, players = play(found, spoken, home, area)
        return part, replace(context, devices=players or context.devices)
    wanted = targets(action, found, home, area, device_id, context)
    if action in _SAFER and len(wanted.suggestions) == 1 and not wanted.devices:
        wanted = replace(wanted, devices=wanted.suggestions, suggestions=(), unmatched=(), by_name=True)
    after = replace(context, action=action, frame=found, asked=False, label="")
    if wanted.devices and wanted.missing and not ALL & set(found.target):
        part, after = carry_out(action, found, spoken, home, wanted, after)
        return replace(part, also=tuple(refusal(name, not_here(name, home)) for name in wanted.missing)), after
    sides = set(found.words) & {"inside", "indoor", "indoors", "outside", "outdoor", "outdoors", "exterior", "interior"}
    everywhere = bool({"whole", "everywhere"} & set(found.words)) or len(sides) > 1
    if sides and not everywhere and len(wanted.devices) > 1:
        outdoors = bool(sides & {"outside", "outdoor", "outdoors", "exterior"})
        there = tuple(d for d in wanted.devices if is_outdoors(d) == outdoors)
        wanted = replace(wanted, devices=there or wanted.devices)
    slipped = [d for d in wanted.devices if d.type in GUARDED_TYPES and context.mended & {*name_words(d.name), action}]
    if slipped and action not in _SAFER and action not in _CARDED:
        wanted = Targets(suggestions=tuple(slipped))
    problem = _problem(action, found, spoken, home, wanted, context)
    if problem is not None:
        return problem, replace(
            after, devices=wanted.ambiguous or context.devices, asked=problem.asks, offered=in_order(wanted.ambiguous)
        )
    return carry_out(action, found, spoken, home, wanted, after)


def carry_out(
    action: str, found: Frame, spoken: str, home: Home, wanted: Targets, after: Context
) -> tuple[Part, Context]:
    """What is wanted of the devices that are meant."""
    tried = [(d, order(action, found, home, d)) for d in wanted.devices]
    orders = [(d, o) for d, o in tried if isinstance(o, Order)]
    there = [d for d, o in orders if already(o, home, d)]
    after = after.spoke_of(tuple(d for d, _ in orders) or wanted.devices)
    if there:
        how = _ALREADY[orders[0][1].command]
        told = f"{start(names_of(there, 4))} {'is' if len(there) == 1 else 'are'} {how} already."
        orders = [(d, o) for d, o in orders if d not in there]
        if not orders:
            return Part(text=spoken, say=told), after
        part = control(spoken, orders, home)
        rest = part.tell
        return replace(part, tell=lambda results: f"{told} {rest(results) if rest else ''}".strip()), after
    if orders:
        missing = [(d, o) for d, o in tried if isinstance(o, Cannot)] if wanted.by_name and len(tried) < 5 else []
        part = control(spoken, orders, home)
        if missing:
            why = f"{start(names_of([d for d, _ in missing]))} {missing[0][1].why}."
            tell = part.tell
            part = replace(part, why=why, tell=lambda results: f"{tell(results) if tell else ''} {why}")
        return part, after
    if all(isinstance(o, Cannot) and o.why == UNSAID for _, o in tried):
        return question(spoken, f"What should I set {names_of([d for d, _ in tried], 3)} to?"), replace(
            after, asked=True
        )
    return refusal(spoken, _why(tried, wanted, home)), after


_ALREADY = {"unlock": "unlocked", "open": "open", "disarm": "disarmed"}


def already(wanted: Order, home: Home, device: Device) -> bool:
    """Whether a command that a person would have to confirm would change nothing: the device says so, and is online."""
    state = home.state(device)
    if home.fact(device, "online") is False:
        return False
    if wanted.command == "unlock":
        return state.get("lock") == "unlocked"
    if wanted.command == "open" and device.type in ("garage_door", "gate"):
        return state.get("cover") == "open" and state.get("position_pct", 100) == 100
    return wanted.command == "disarm" and state.get("arm_state") == "disarmed"


def _why(tried: Sequence[tuple[Device, Order | Cannot]], wanted: Targets, home: Home) -> str:
    device, cannot = tried[0]
    why = cannot.why if isinstance(cannot, Cannot) else ""
    if len(tried) == 1 and device.type == "contact" and not home.fact(device, "commands"):
        lock = next((d for d in home.devices if d.type == "lock" and unlocked_name(d) in device.name.lower()), None)
        tip = f" I can lock or unlock {the(lock)}." if lock is not None else ""
        return f"{start(the(device))} has only a sensor: I see whether it is open, but I can't move it.{tip}"
    if len(tried) == 1:
        takes = sorted(str(c) for c in home.fact(device, "commands") or ())
        can = (
            f" It takes {listed([c.replace('_', ' ') for c in takes], 6)}."
            if takes and why.startswith("cannot")
            else ""
        )
        hint = ' Say "unlock" if you mean the lock.' if "but not opened" in why else can
        return f"{start(the(device))} {why}.{hint}"
    return f"{start(names_of([d for d, _ in tried], 3))} {why}."


def _problem(action: str, found: Frame, spoken: str, home: Home, wanted: Targets, context: Context) -> Part | None:
    if wanted.here_unknown:
        return question(spoken, "Which room are you in?")
    if wanted.suggestions:
        return question(spoken, f"Did you mean {names_of(wanted.suggestions)}? Please say it once more in full.")
    if wanted.ambiguous:
        verb = action.replace("_", " ") if action not in ("set", "raise", "lower") else "change"
        return question(spoken, f"Which one should I {verb}: {names_of(wanted.ambiguous, 6, 'or')}?")
    if wanted.unmatched or (not wanted.devices and wanted.said):
        words = " ".join(wanted.said) or " ".join(wanted.unmatched)
        place = wanted.area.lower() if wanted.area and wanted.area.lower() not in words else ""
        return refusal(spoken, not_here(words, home, place))
    if not wanted.devices:
        verb = action.replace("_", " ")
        if not found.target and action in (
            "turn_on",
            "turn_off",
            "open",
            "close",
            "lock",
            "unlock",
            "start",
            "stop",
            "toggle",
        ):
            if not any(able(action, found, home, d) for d in home.devices):
                return refusal(spoken, f"There is nothing in this home that I can {verb}.")
            return question(spoken, f"What should I {verb}?")
        if action in ("turn_on", "turn_off", "toggle") and found.target:
            return refusal(spoken, f"There is nothing in this home that I can {verb}.")
        if action in _MEDIA or found.attribute == "volume":
            return refusal(spoken, "There is no media player in this home.")
        return refusal(spoken, "There is nothing in this home that can do that.")
    return None


def targets(action: str, found: Frame, home: Home, area: str, device_id: str, context: Context) -> Targets:
    """The devices that a clause is about."""
    types = _implied_types(action, found)
    if found.attribute == "fan_speed" and any(d.type == "fan" for d in home.devices):
        types = ("fan",)

    watering = bool(set(found.words) & {"water", "watering"}) and action in ("turn_on", "turn_off", "stop", "start")

    def can(device: Device) -> bool:
        if watering and device.type not in types and not _WATERING & set(name_words(device.name)):
            return False
        return able(action, found, home, device)

    def implied(device: Device) -> bool:
        return (not types or device.type in types or watering) and can(device)

    words = [
        w for at, w in enumerate(found.target)
        if w not in ("it", "them", "that", "one", "again", "everyone")
        and not (w == "this" and found.target[at + 1 : at + 2] not in (("room",), ("space",), ("area",)))
    ]  # fmt: skip
    if found.attribute in ("volume",) or action in _MEDIA:
        words = [w for w in words if w not in _TRACK_WORDS or w in _held(found)]
    if action in ("start", "dock", "locate"):
        words = [w for w in words if w not in _CLEANING_WORDS or w in _held(found)]
    if action in ("start", "set") and not found.has_value:
        room = next((a for d in home.devices if (a := cleaning_area(found, home, d))), "")
        rest = [w for w in words if singular(w) not in (*name_words(room), "area")] if room else words
        others = [w for w in rest if w not in _NO_NAME and w not in ("vacuum", "robot", "hoover", "cleaner")]
        words = words if others else rest
    if "watering" in found.words or ("water" in found.words and "water" not in words):
        words = [w for w in words if w not in ("lawn", "grass", "plants", "flowers") or w in _held(found)]
    if action in ("arm", "disarm"):
        words = [w for w in words if w not in _HOUSE_WORDS]
    if action == "mute" or found.attribute == "mode" or found.option:
        words = [w for w in words if w not in ("sound", "mode")]
    if action == "lock" and (
        (set(found.words) & {"everything", "up"} and not words)
        or words in (["everything"], ["everything", "up"], ["house"], ["home"])
    ):
        return Targets(devices=tuple(d for d in home.devices if can(d)), plural=True)
    if (
        found.value is not None
        and not found.value.unit
        and not found.attribute
        and {*words} <= HOUSE | ARTICLES | {"it"}
    ):
        words = []
    if {"both", "two"} & set(words) and {"them", "those", "these"} & set(found.words) and len(context.recent) > 1:
        return Targets(devices=context.recent[-2:], plural=True)
    pronoun = bool({"it", "them", "that", "this"} & set(found.words)) or bool(context.asked)
    bare = [w for w in words if w not in _NO_NAME]
    if not bare and not (set(words) & {"all"} and types):
        return _unsaid(action, found, home, area, device_id, context, implied, can, pronoun)
    pool: Sequence[Device] = context.devices if context.asked and context.devices else home.devices
    result = resolve(
        words, pool, areas=home.areas, floors=home.floors, near_area=area, able=can, implied=implied, fuzzy=False
    )
    if not (result.devices or result.ambiguous) and pool is not home.devices:
        result = resolve(
            words, home.devices, areas=home.areas, floors=home.floors, near_area=area, able=can, implied=implied,
            fuzzy=False,
        )  # fmt: skip
    mixed = {d.type for d in result.devices}
    numbered = found.value is not None and not found.attribute and not found.value.unit
    if numbered and "light" in mixed and mixed & {*_CLIMATE}:
        result = replace(result, devices=tuple(d for d in result.devices if d.type == "light"))
    if {"everything", "device", "devices", "thing", "things"} & set(words):
        kept = tuple(
            d
            for d in result.devices
            if can(d) and (d.type in _EVERY_DAY or action not in ("turn_on", "turn_off", "toggle"))
        )
        result = replace(result, devices=kept)
    if result.ambiguous and not any(d.type in GUARDED_TYPES for d in result.ambiguous):
        picked = likely(action, result.ambiguous, home, found)
        if picked:
            return replace(result, ambiguous=(), devices=picked)
    if len(result.devices) > 1 and not result.plural and all(d.type == "media_player" for d in result.devices):
        result = replace(result, devices=likely(action, result.devices, home, found) or result.devices)
    if (
        len(result.devices) > 1
        and not result.plural
        and result.kind
        and all(d.type in _CLIMATE for d in result.devices)
        and not result.area
    ):
        rooms = [d for d in result.devices if {"living", "main", "hall", "hallway"} & set(name_words(d.area))]
        result = replace(result, devices=tuple(rooms[:1]) or result.devices)
    return result


def _held(found: Frame) -> set[str]:
    return {w for at, w in enumerate(found.words) if at in found.held}


def _implied_types(action: str, found: Frame) -> tuple[str, ...]:
    if action in _MEDIA:
        return ("media_player",)
    if found.attribute in _ATTRIBUTE_TYPES:
        return _ATTRIBUTE_TYPES[found.attribute]
    if found.color or found.kelvin or set(found.words) & _BRIGHTNESS_WORDS:
        return ("light",)
    if set(found.words) & {"water", "watering"} and action in ("turn_on", "turn_off", "stop", "start"):
        return ("sprinkler", "valve")
    if set(found.words) & {"louder", "quieter", "softer", "loud", "quiet"}:
        return ("media_player",)
    if set(found.words) & _WARMTH_WORDS:
        return _CLIMATE
    if found.value is not None and found.value.unit in ("F", "C", "degrees"):
        return _CLIMATE
    if action in ("turn_on", "turn_off", "toggle"):
        return _EVERY_DAY
    if action == "start":
        return ("vacuum", "mower")
    if action in ("raise", "lower", "set") and found.value is not None and found.value.unit == "percent":
        return ("light",)
    return ()


def _unsaid(
    action: str, found: Frame, home: Home, area: str, device_id: str, context: Context,
    implied: Callable[[Device], bool], can: Callable[[Device], bool], pronoun: bool,
) -> Targets:  # fmt: skip
    """No name was said: the last one spoken of, the surface's own device, or the only one that fits."""
    if pronoun or not found.target:
        before = tuple(d for d in context.devices if can(d))
        both = bool({"both", "them"} & set(found.words)) and len(context.recent) > 1 and len(context.devices) < 2
        if both and all(can(d) for d in context.recent[-2:]):
            return Targets(devices=context.recent[-2:], plural=True)
        steps = not found.target and (
            bool({"again", "back"} & set(found.words))
            or found.relative
            or action in ("raise", "lower")
            or (found.bare and found.has_value)
        )
        if before and (pronoun or context.asked or steps):
            return Targets(devices=before, plural=len(before) > 1)
        degrees = found.value is not None and found.value.unit in ("F", "C", "degrees")
        others = degrees and any(implied(d) for d in home.devices)  # "make it 68 degrees" after a lock
        if (
            pronoun
            and context.devices
            and not before
            and not others
            and all(d in context.recent for d in context.devices)
        ):
            return Targets(devices=context.devices, plural=len(context.devices) > 1)
    surface = tuple(d for d in home.devices if d.id == device_id and can(d))
    if surface and action not in ("turn_on", "turn_off"):
        return Targets(devices=surface)
    pool = [d for d in home.devices if implied(d)]
    if action in ("turn_on", "turn_off", "toggle") and not found.has_value:
        return Targets(devices=tuple(pool)) if len(pool) == 1 else Targets()
    if area:
        near = [d for d in pool if d.area.lower() == area.lower()]
        pool = near or pool
        if near and found.attribute in ("brightness", "color"):
            return Targets(devices=tuple(near))
    if not pool and found.value is not None:
        pool = [d for d in home.devices if can(d)]
    if (
        len(pool) > 1
        and found.value is not None
        and not found.attribute
        and not found.value.unit
        and not found.value.word
    ):
        climate = [d for d in pool if d.type in _CLIMATE]
        low, high = (40, 95) if home.unit == "F" else (5, 35)
        meant = climate if low <= found.value.number <= high else [d for d in pool if d.type not in _CLIMATE]
        pool = meant or pool
    if len(pool) > 1:
        picked = likely(action, pool, home, found)
        if picked:
            return Targets(devices=picked)
        if all(d.type in _CLIMATE for d in pool) or {"all", "everywhere"} & set(found.words):
            return Targets(devices=tuple(pool), plural=True)
        return Targets(ambiguous=tuple(pool))
    return Targets(devices=tuple(pool))
