"""What the chat says of a home before it is asked: one sentence to open with, and the card that stands beside. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from chat_ui.facts import Facts, Open, temperature
from chat_ui.languages import Words

Tone = Literal["good", "notice", "alarm"]

_NAMED: Final = 3
_ARMED: Final = ("armed_home", "armed_away", "armed_night", "arming")


@dataclass(frozen=True, slots=True)
class Opening:
    """What the agent says first: `text` is a sentence or two, `tone` how it looks."""

    text: str
    tone: Tone


def opening(facts: Facts, words: Words) -> Opening:
    """Alarms, then what is open or unlocked, then what needs care: true of `facts`, and nothing more."""
    care = _care(facts, words)
    if facts.alarms:
        parts = [words.say(f"alarm.{attribute}", name=name) for name, attribute in facts.alarms]
        return Opening(_sentences([_counted(parts, words), *_open(facts.open, words), *care]), "alarm")
    if facts.open:
        return Opening(_sentences([words.enumerate(_open(facts.open, words)), *care]), "notice")
    if not facts.devices:
        return Opening(words.say("opening.no_devices"), "notice")
    said = words.say("opening.secure" if facts.is_secure else "opening.quiet")
    return Opening(_sentences([said, *care]), "notice" if facts.silent else "good")


def home_card(facts: Facts, home: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """The card of the home: `{"tone", "head", "short", "rows": [{"icon", "label", "value", "tone"}]}`; `short` is what
    a narrow page shows of it while it is folded."""
    said = opening(facts, words)
    units, arm = str(home.get("unit_system") or ""), str(home.get("arm_state") or "")
    mode = str(home.get("mode") or "")
    rows = [_row("alarm", words.say("home.alarm"), words.say(f"alarm.{a}", name=n), "alarm") for n, a in facts.alarms]
    if facts.guarded:
        rows.append(_doors(facts, words))
    if arm:
        state = words.find(f"arm.{arm}", arm.replace("_", " "))
        value = words.say("home.mode_and_alarm", mode=words.find(f"mode.{mode}", mode), alarm=state) if mode else state
        rows.append(_row("shield", words.say("home.guard"), value, "alarm" if arm == "triggered" else "plain"))
    inside = "" if facts.inside_c is None else temperature(facts.inside_c, units)
    if inside:
        target = "" if facts.target_c is None else words.say("home.set_to", value=temperature(facts.target_c, units))
        rows.append(_row("climate", words.say("home.inside"), " · ".join(v for v in (inside, target) if v), "plain"))
    if facts.lights:
        rows.append(_row("light", words.say("home.lights"), words.count("home.lights_on", facts.lights_on), "plain"))
    low = sorted(facts.low, key=lambda pair: pair[1])
    rows += [
        _row("battery", words.say("home.battery"), f"{name} · {pct:.0f}\u00a0%", "notice") for name, pct in low[:3]
    ]
    if facts.silent:
        value = words.enumerate(facts.silent) if len(facts.silent) <= _NAMED else str(len(facts.silent))
        rows.append(_row("silent", words.say("home.silent"), value, "notice"))
    short = [_short(facts, words), words.find(f"arm.{arm}") if arm in _ARMED or arm == "triggered" else "", inside]
    return {
        "tone": said.tone,
        "head": str(home.get("name") or words.say("home.home")),
        "short": " · ".join(part for part in short if part),
        "rows": rows,
    }


def _doors(facts: Facts, words: Words) -> dict[str, str]:
    if facts.open:
        return _row("open", words.say("home.doors"), " · ".join(_open(facts.open, words)), "notice")
    return _row("lock", words.say("home.doors"), words.say("home.shut" if facts.locks else "home.closed"), "good")


def _short(facts: Facts, words: Words) -> str:
    if facts.alarms:
        return words.count("home.alarms", len(facts.alarms))
    if facts.open:
        return _open(facts.open, words)[0] if len(facts.open) == 1 else words.say("home.things_open", n=len(facts.open))
    return words.say("home.secure" if facts.is_secure else "home.quiet")


def _row(icon: str, label: str, value: str, tone: str) -> dict[str, str]:
    return {"icon": icon, "label": label, "value": value, "tone": tone}


def _open(found: Sequence[Open], words: Words) -> list[str]:
    """`Front Door and Garage are open`, by what they are; more than three are counted."""
    names: dict[str, list[str]] = {}
    for thing in found:
        how = thing.how if f"open.{thing.how}.one" in words.texts else "not_locked"
        names.setdefault(how, []).append(thing.name)
    told = []
    for how, who in names.items():
        listed = words.enumerate(who) if len(who) <= _NAMED else words.say("opening.things", n=len(who))
        told.append(words.say(f"open.{how}.{'one' if len(who) == 1 else 'many'}", names=listed))
    return told


def _care(facts: Facts, words: Words) -> list[str]:
    silent = [words.say("opening.silent", name=name) for name in facts.silent]
    low = sorted(facts.low, key=lambda pair: pair[1])
    return [*silent, *(words.say("opening.battery", name=name, pct=f"{pct:.0f}") for name, pct in low)][:_NAMED]


def _counted(parts: Sequence[str], words: Words) -> str:
    if len(parts) > _NAMED:
        parts = [*parts[:2], words.say("opening.more", n=len(parts) - 2)]
    return words.enumerate(parts)


def _sentences(parts: Sequence[str]) -> str:
    return " ".join(part[0].upper() + part[1:] + ("" if part.endswith(".") else ".") for part in parts)
