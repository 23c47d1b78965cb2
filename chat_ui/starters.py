"""The buttons of the first screen: things worth asking in this home, as it is now. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chat_ui.facts import facts_of, is_entrance, name_of
from chat_ui.languages import Words

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Starter:
    """What a button says, in the person's language; what it sends, in the words that every planner of ours knows; its
    icon in `public/icons`."""

    label: str
    message: str
    icon: str


def starters(devices: Sequence[Json], words: Words) -> list[Starter]:
    """Four at most, the most useful first; none is about something that this home does not have."""
    facts = facts_of(devices)
    return [*_to_do(devices, words), *_to_ask(devices, facts.locks, words)][:4]


def _to_do(devices: Sequence[Json], words: Words) -> list[Starter]:
    """What stands open can be shut: the one, or all of them."""
    facts = facts_of([d for d in devices if d.get("available") is not False])
    unlocked = [o.device for o in facts.open if o.how == "unlocked"]
    entrances = [o.device for o in facts.open if o.how == "open" and is_entrance(o.device)]
    found = []
    if len(unlocked) == 1:
        name = name_of(unlocked[0])
        found.append(Starter(words.say("starter.lock", name=name), f"Lock the {_spoken(name)}", "lock"))
    elif unlocked:
        found.append(Starter(words.say("starter.lock_all"), "Lock all the doors", "lock"))
    for device in entrances[:1]:
        name = name_of(device)
        found.append(Starter(words.say("starter.close", name=name), f"Close the {_spoken(name)}", "garage"))
    return found


def _to_ask(devices: Sequence[Json], locks: int, words: Words) -> list[Starter]:
    states = [d.get("state") or {} for d in devices]
    found = []
    if locks:
        found.append(Starter(words.say("starter.locked"), "Is everything locked?", "lock"))
    if any(d.get("type") == "light" and (d.get("state") or {}).get("on") is True for d in devices):
        found.append(Starter(words.say("starter.lights_off"), "Turn off all the lights", "light"))
    if any("temperature_c" in state for state in states):
        found.append(Starter(words.say("starter.warm"), "How warm was it in the last 24 hours?", "thermometer"))
    found.append(Starter(words.say("starter.today"), "What happened today?", "history"))
    if any("power_w" in state or "energy_kwh" in state for state in states):
        found.append(Starter(words.say("starter.energy"), "How much energy did we use this week?", "pulse"))
    if any(d.get("battery_pct") is not None for d in devices):
        found.append(Starter(words.say("starter.batteries"), "Which batteries are low?", "battery"))
    found.append(Starter(words.say("starter.unusual"), "Was there anything unusual in the last 24 hours?", "pulse"))
    return found


def _spoken(name: str) -> str:
    """`Back Door Lock` -> `back door lock`, as it is called in the home."""
    return name.replace("_", " ").lower()
