"""What the tools on energy, oddities, batteries and HomeGuard's own acts found, as sentences."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from agent.models.offline.acting import Order
from agent.models.offline.frames import Frame
from agent.models.offline.home import Home
from agent.models.offline.looking_back import local
from agent.models.offline.parts import Call, Part, doing, unread
from agent.models.offline.times import Span
from agent.models.offline.wording import listed, names_of, start, the, when
from agent.models.protocol import ToolResult
from homeguard.clock import parse_time
from homeguard.model import Device
from homeguard.targets import resolve
from homeguard.units import celsius_to_fahrenheit

_MY_DEEDS: Final = re.compile(
    r"^(?:so |and |ok |okay )?what (?:did|have) you (?:just )?(?:do|done|change|changed|switch|lock)\b(?!.*\brecord)"
    r"|^what was that(?: for)?$"
    r"|^did you (?:just )?(?:do|change) (?:anything|something|that)\b|^what was your last action\b"
    r"|^(?:which|what) (?:ones?|lights?|lamps?|doors?|locks?|devices?|things?) (?:did|have) (?:you|i|we) (?:just )?"
    r"(?:turn|turned|switch|switched|lock|locked|close|closed|set|change|changed)\b(?! (?:yesterday|last|this))"
)
_LAST_SET: Final = re.compile(
    r"^when (?:did|have) (?:i|we|you|anyone|anybody|someone|somebody) last (?:change|changed|touch|touched|adjust"
    r"|adjusted|set|use|used|move|moved|turn (?:up|down)) (?P<what>.+)$"
    r"|^when (?:was|were) (?P<which>.+?) last (?:changed|touched|adjusted|set|used|moved|turned (?:up|down))$"
)
_LAST_DAYS: Final = 30
#: What belongs to one request: commands so close together.
_TOGETHER_S: Final = 10
_SOON_DAYS: Final = 60


def energy_answer(output: Mapping[str, Any], period_days: int) -> str:
    """What the energy tool found."""
    total = next(
        (output[k] for k in ("total_kwh", "energy_kwh", "kwh") if isinstance(output.get(k), int | float)), None
    )
    days = f"the last {period_days} days" if period_days > 1 else "the last day"
    if total is None:
        return f"I have no energy readings for {days}."
    rows = [d for d in output.get("devices") or output.get("by_device") or () if isinstance(d, Mapping)]
    ranked = sorted(rows, key=_kwh, reverse=True)
    said = [f"You used {total:.1f} kWh in {days}."]
    if len(ranked) == 1:
        said = [f"You used {total:.1f} kWh in {days}, all measured by the {_name(ranked[0]).lower()}."]
    elif ranked:
        parts = [f"the {_name(r).lower()} ({_kwh(r):.1f} kWh)" for r in ranked[:3]]
        said.append(f"Most went to {listed(parts)}.")
    tip = next((r.get("title") for r in output.get("recommendations") or () if isinstance(r, Mapping)), "")
    return " ".join([*said, f"A tip: {str(tip)[:1].lower()}{str(tip)[1:].rstrip('.')}."] if tip else said)


def _kwh(row: Mapping[str, Any]) -> float:
    return float(row.get("energy_kwh") or row.get("kwh") or 0)


def _name(row: Mapping[str, Any]) -> str:
    return str(row.get("device") or row.get("name") or row.get("device_id") or "unnamed device")


def findings_answer(
    output: Mapping[str, Any],
    stretch: Span | None,
    zone: str,
    now: datetime,
    alerts_only: bool = False,
    *,
    counted: bool = False,
) -> str:
    """What the anomaly tool found in that stretch (the last day for `None`), the gravest first."""
    said = stretch.said if stretch is not None else "in the last 24 hours"
    rows: list[tuple[datetime | None, Mapping[str, Any]]] = []
    for key in ("alerts",) if alerts_only else ("alerts", "anomalies"):
        for row in output.get(key) or ():
            if not isinstance(row, Mapping):
                continue
            try:
                at = local(parse_time(row.get("at")), zone)
            except ValueError:
                at = None
            if stretch is None or at is None or stretch.start <= at <= stretch.end:
                rows.append((at, row))
    if not rows:
        no = "None: there" if counted else "No, there"
        return f"{no} were no alerts {said}." if alerts_only else f"No, I noticed nothing unusual {said}."
    grave = {"critical": 0, "high": 1, "medium": 2, "low": 3}
    rows.sort(key=lambda r: grave.get(str(r[1].get("severity")), 4))
    lines = []
    for at, row in rows[:3]:
        what = str(row.get("explanation") or row.get("title") or row.get("kind") or "something unusual").rstrip(".")
        lines.append(f"{what}{f' {when(at, now)}' if at is not None else ''}")
    more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
    noun = "alert" if alerts_only else "unusual thing"
    opening = "" if counted else "Yes, "
    count = f"{len(rows)} {noun}{'s' if len(rows) != 1 else ''}"
    return f"{opening}{count} {said}: {'; '.join(lines)}{more}."


def predictions_answer(output: Mapping[str, Any]) -> str:
    """When batteries run out, the soonest first."""
    rows = [p for p in output.get("batteries") or output.get("predictions") or () if isinstance(p, Mapping)]
    dated = sorted((r for r in rows if isinstance(r.get("days_left"), int | float)), key=lambda r: r["days_left"])
    open_ended = [r for r in rows if not isinstance(r.get("days_left"), int | float)]
    if dated:
        said = [f"the {_name(r).lower()}'s about {_long(float(r['days_left']))}" for r in dated[:3]]
        said[0] = said[0].replace("'s about", "'s battery should last about", 1)
        more = f" {len(dated) - 3} more last longer." if len(dated) > 3 else ""
        text = f"{start(listed(said))}.{more}"
        soon = float(dated[0]["days_left"]) <= _SOON_DAYS
        return text if soon else f"No battery needs attention soon. {text}"
    levels = [
        f"{_name(r).lower()} {float(r['level_pct']):.0f}%"
        for r in open_ended
        if isinstance(r.get("level_pct"), int | float)
    ]
    if not rows:
        return "No device in this home reports a battery."
    return f"No battery needs attention soon ({listed(levels, 4)})." if levels else "No battery needs attention soon."


def _long(days: float) -> str:
    if days < 1.5:
        return "a day"
    if days < 60:
        return f"{days:.0f} days"
    return f"{days / 30.4:.0f} months" if days < 550 else f"{days / 365:.0f} years"


def deeds_part(words: Sequence[str], spoken: str, home: Home, now: datetime) -> Part | None:
    """ "What did you just do?" from the journal's results; `None` for another question."""
    if not _MY_DEEDS.search(" ".join(w for w in words if w not in ("?", "."))):
        return None
    calls = tuple(
        Call("get_recent_events", {"event_type": kind, "hours": 24, "limit": 50})
        for kind in ("command_result", "mode_changed")
    )
    return Part(text=spoken, calls=calls, tell=lambda results: _deeds(results, home, now))


def last_set_part(found: Frame, spoken: str, home: Home, area: str, now: datetime) -> tuple[Part, Device] | None:
    """ "When did I last change the thermostat?" from the journal's results; `None` for another question."""
    asked = _LAST_SET.match(" ".join(w for w in found.words if w not in ("?", ".", ",")))
    if asked is None:
        return None
    words = (asked["what"] or asked["which"]).split()
    about = resolve(words, home.devices, areas=home.areas, floors=home.floors, near_area=area)
    if len(about.devices) != 1:
        return None
    device = about.devices[0]

    def tell(results: Sequence[ToolResult]) -> str:
        if not results or results[0].status != "ok":
            return unread(results)
        for event in results[0].output.get("events") or ():
            payload = event.get("payload") if isinstance(event, Mapping) else None
            if isinstance(payload, Mapping) and payload.get("outcome") == "confirmed":
                order = _order(payload, home)
                at = local(parse_time(event.get("at")), home.time_zone)
                deed = doing(order.command, order.parameters, home, the(device))
                whose = {"agent": "me", "automation": "a rule"}.get(str(payload.get("caller")), "a person")
                return f"The last command to {the(device)} was {when(at, now)}, from {whose}: {deed}."
        return start(f"{the(device)} had no command from here in the last {_LAST_DAYS} days.")

    call = Call(
        "get_recent_events",
        {"event_type": "command_result", "hours": 24 * _LAST_DAYS, "limit": 20, "device_id": device.id},
    )
    return Part(text=spoken, calls=(call,), tell=tell), device


def _order(payload: Mapping[str, Any], home: Home) -> Order:
    """The command of a result, with its value as this home says it."""
    command = str(payload.get("command") or "")
    parameters = dict(payload.get("parameters") or payload.get("set") or {})
    target = parameters.pop("target_c", None)
    if command == "set_temperature" and isinstance(target, int | float):
        shown = round(celsius_to_fahrenheit(target)) if home.unit == "F" else target
        parameters = {"value": shown, "unit": home.unit}
    return Order(command, parameters)


def _deeds(results: Sequence[ToolResult], home: Home, now: datetime) -> str:
    rows: list[tuple[datetime, Mapping[str, Any], Mapping[str, Any]]] = []
    for event in (e for r in results if r.status == "ok" for e in r.output.get("events") or ()):
        payload = event.get("payload") if isinstance(event, Mapping) else None
        if not isinstance(payload, Mapping) or "agent" not in (payload.get("caller"), payload.get("by")):
            continue
        try:
            rows.append((local(parse_time(event.get("at")), home.time_zone), event, payload))
        except ValueError:
            continue
    if not rows:
        return "Nothing: I have changed nothing in this home in the last 24 hours."
    rows.sort(key=lambda r: r[0], reverse=True)
    newest = rows[0][0]
    names = {d.id: d for d in home.devices}
    worked: dict[str, list[Device]] = {}
    failed: list[str] = []
    for at, event, payload in rows:
        if (newest - at).total_seconds() > _TOGETHER_S or ((worked or failed) and at.date() != newest.date()):
            break
        device = names.get(str(event.get("device_id")))
        if event.get("event_type") == "mode_changed":
            worked.setdefault(f"switch the house to {payload.get('mode')} mode", [])
        elif device is not None:
            order = _order(payload, home)
            if payload.get("outcome") == "confirmed":
                same = worked.setdefault(doing(order.command, order.parameters, home, "\0"), [])
                same += [device] if device not in same else []
            else:
                outcome = str(payload.get("outcome") or "unknown")
                failed.append(f"{doing(order.command, order.parameters, home, the(device))} ({outcome})")
    done = [deed.replace("\0", names_of(devices)) for deed, devices in worked.items()]
    said = f"My last act was {when(newest, now)}: {'; '.join(done)}." if done else ""
    tried = (
        f"{start(f'I tried this {when(newest, now)}') if not done else 'I also tried'}: {listed(failed)}."
        if failed
        else ""
    )
    return f"{said} {tried}".strip()
