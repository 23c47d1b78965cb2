"""The chat's own words: step titles, the status line of a home, starters. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Json = Mapping[str, Any]

#: tool -> (while it runs, when it is done, icon)
_TOOLS: Final[Mapping[str, tuple[str, str, str]]] = {
    "get_home_summary": ("Looking at your home", "Looked at your home", "house"),
    "get_device_state": ("Checking", "Checked", "search"),
    "control_device": ("Operate", "Operate", "zap"),
    "control_devices": ("Operate", "Operate", "zap"),
    "get_recent_events": ("Reading what happened", "Read what happened", "history"),
    "get_device_history": ("Reading the measurements", "Read the measurements", "chart-line"),
    "get_anomalies": ("Looking for anything unusual", "Looked for anything unusual", "activity"),
    "get_predictions": ("Working out the forecast", "Worked out the forecast", "trending-down"),
    "get_energy_insights": ("Adding up the energy", "Added up the energy", "plug"),
    "create_automation": ("Preparing the automation", "Prepared the automation", "workflow"),
    "list_automations": ("Looking through your automations", "Looked through your automations", "workflow"),
    "delete_automation": ("Removing the automation", "Removed the automation", "workflow"),
    "set_home_mode": ("Changing the mode", "Changed the mode", "shield"),
}
_SUFFIX: Final = {
    "refused": " · refused",
    "asked": " · waits for your yes",
    "denied": " · declined",
    "error": " · did not work",
    "failed": " · did not work",
}
_PLACE: Final = ("device_name", "device", "device_id", "target", "area", "name")


def step_title(tool: str, arguments: Json | None, status: str | None) -> str:
    """What a tool call is called in the chat; `status` is None while it runs."""
    given = arguments or {}
    subject = next((v for k in _PLACE if isinstance(v := given.get(k), str) and v), "").replace("_", " ")
    command = given.get("command")
    if isinstance(command, str) and command:
        title = f"{command.replace('_', ' ').capitalize()} {subject}".strip()
        return title + (" …" if status is None else _SUFFIX.get(status, " · done"))
    running, done, _ = _TOOLS.get(tool, (*_plain(tool), ""))
    title = running if status is None else done
    if subject and tool not in ("create_automation", "set_home_mode"):
        title += f" {subject}"
    return title + _SUFFIX.get(status or "", "")


def step_icon(tool: str) -> str:
    return _TOOLS.get(tool, ("", "", "wrench"))[2]


def _plain(tool: str) -> tuple[str, str]:
    words = tool.replace("_", " ").strip().capitalize() or "Working"
    return words, words


@dataclass(frozen=True, slots=True)
class HomeStatus:
    """The line on the first screen: `tone` is good, notice or alarm; `details` says what is not as it should be."""

    text: str
    tone: str
    details: tuple[str, ...] = ()


_ALARMS: Final = {
    "smoke": "reports smoke",
    "co": "reports carbon monoxide",
    "gas": "reports gas",
    "heat": "reports heat",
    "water_leak": "reports a water leak",
    "glass_break": "reports breaking glass",
    "tamper": "was tampered with",
}
#: The attributes that `home_status` looks at.
WATCHED: Final = frozenset((*_ALARMS, "lock", "open", "cover", "battery_pct"))
_LOW_BATTERY_PCT: Final = 20


def home_status(devices: Sequence[Json]) -> HomeStatus:
    """What a person wants to know at a glance: alarms, then what is open or unlocked, then batteries and absences."""
    alarms: list[str] = []
    open_: list[tuple[str, str]] = []
    care: list[str] = []
    guarded = 0
    for device in devices:
        name, state = str(device.get("name") or device.get("id") or "A device"), device.get("state") or {}
        alarms += [f"{name} {says}" for attribute, says in _ALARMS.items() if state.get(attribute) is True]
        lock, cover = state.get("lock"), state.get("cover")
        guarded += lock is not None or "open" in state or _entrance(device)
        if lock is not None and lock != "locked":
            open_.append((name, str(lock)))
        if state.get("open") is True or (_entrance(device) and cover in ("open", "opening", "stopped")):
            open_.append((name, "open"))
        if device.get("available") is False:
            care.append(f"{name} does not answer")
        battery = device.get("battery_pct", state.get("battery_pct"))
        if isinstance(battery, int | float) and battery <= _LOW_BATTERY_PCT:
            care.append(f"{name}: battery at {battery:.0f} %")
    if alarms:
        return HomeStatus(_sentence(alarms), "alarm", tuple(_grouped(open_) + care))
    if open_:
        return HomeStatus(_sentence(_grouped(open_)), "notice", tuple(care))
    if guarded and not any("does not answer" in c for c in care):
        return HomeStatus("Your home is secure.", "good", tuple(care))
    if not devices:
        return HomeStatus("No devices yet. They appear here as soon as they report.", "notice")
    return HomeStatus("Everything is quiet.", "good", tuple(care))


def _entrance(device: Json) -> bool:
    return device.get("type") in ("garage_door", "gate")


def _grouped(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """`(Front Door, open), (Garage, open)` -> `Front Door and Garage are open`; more than three are counted."""
    names: dict[str, list[str]] = {}
    for name, word in pairs:
        names.setdefault(word, []).append(name)
    return [
        f"{_listed(who) if len(who) <= 3 else f'{len(who)} things'} {'is' if len(who) == 1 else 'are'} {word}"
        for word, who in names.items()
    ]


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _sentence(parts: Sequence[str]) -> str:
    if len(parts) > 3:
        parts = [*parts[:2], f"{len(parts) - 2} more things need a look"]
    joined = _listed(parts)
    return joined[0].upper() + joined[1:] + "."


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A button of the first screen: what it says, what it sends, its icon in `public/icons`."""

    label: str
    message: str
    icon: str


def suggestions(devices: Sequence[Json]) -> list[Suggestion]:
    """Four things worth asking in this home, the most useful first."""
    found = [Suggestion("Is everything locked?", "Is everything locked?", "lock")]
    for device in devices:
        state = device.get("state") or {}
        if state.get("lock") == "unlocked" and len(found) == 1:
            name = _spoken(device)
            found.append(Suggestion(f"Lock the {name}", f"Lock the {name}", "lock"))
    if any(d.get("type") == "light" for d in devices):
        found.append(Suggestion("Turn off all the lights", "Turn off all the lights", "light"))
    if any(_entrance(d) for d in devices):
        found.append(Suggestion("Is the garage door closed?", "Is the garage door closed?", "garage"))
    if any("temperature_c" in (d.get("state") or {}) for d in devices):
        question = "What is the temperature inside?"
        found.append(Suggestion("How warm is it inside?", question, "thermometer"))
    for extra in (
        Suggestion("What happened today?", "What happened at home today?", "history"),
        Suggestion("Anything unusual?", "Was there anything unusual in the last 24 hours?", "pulse"),
        Suggestion("Which batteries are low?", "Which batteries are low?", "battery"),
    ):
        if len(found) < 4:
            found.append(extra)
    return found[:4]


def _spoken(device: Json) -> str:
    """`Back Door Lock` -> `back door`: how people say it."""
    name = str(device.get("name") or device.get("id") or "door").replace("_", " ").lower()
    return name.removesuffix(" lock") or name
