"""Reflex: raises an alert for what a person should know, and tells each story once and again when it gets worse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, Protocol

from homeguard.clock import Clock, HomeClocks
from homeguard.ids import derived_id
from homeguard.mode import FIRE, INTRUSION, alarm_of, is_graver, severity_of
from homeguard.model import Alert, Device, Event, Home, Metadata, Notice
from homeguard.ports.devices import DeviceStore
from homeguard.ports.events import AlertStore
from homeguard.ports.live_state import LiveFeed
from homeguard.ports.outbox import Outbox
from homeguard.ports.users import UserStore
from homeguard.units import value_text
from homeguard.vocabulary import CORE_EVENTS
from pipeline.detectors.bank import Finding, Key, SeriesBank
from pipeline.detectors.zscore import Series
from pipeline.envelope import OneMoment, sets_off_reflexes
from pipeline.handlers.notices import live_of, notices_of
from pipeline.handlers.observed import Heard, heard, local_time
from pipeline.processor import Batch

#: Alerts this close to the one before belong to its story.
STORY: Final = timedelta(seconds=60)
#: A number that goes in and out of its range is one story for longer.
READING_STORY: Final = timedelta(minutes=30)
READING: Final = "reading_anomaly"

#: Reports that carry a whole state, and what an attribute that became true in one is as an event.
_REPORTS: Final = frozenset(("state_changed", "telemetry", "heartbeat", "device_online"))
_BECAME: Final[Mapping[str, str]] = {
    "smoke": "smoke_detected", "heat": "heat_anomaly", "co": "co_detected", "gas": "gas_detected",
    "water_leak": "water_leak_detected", "tamper": "tamper_detected", "glass_break": "glass_break",
    "motion": "motion_detected", "open": "door_open",
}  # fmt: skip
_TITLES: Final[Mapping[str, str]] = {
    "glass_break": "Glass break", "smoke": "Smoke", "heat": "Dangerous heat", "co": "Carbon monoxide",
    "gas": "Gas", "water_leak": "Water leak", "tamper": "Tampering", "door_open": "Door opened",
    "window_open": "Window opened", "motion": "Motion", READING: "Unusual reading",
}  # fmt: skip


class Submit(Protocol):
    """The intake's way for HomeGuard's own events."""

    async def submit(self, events: Sequence[Event]) -> None: ...


@dataclass(slots=True)
class _HomeView:
    """What a batch needs to know of one home, asked once."""

    home: Home
    devices: dict[str, Device | None] = field(default_factory=dict)


class RaiseAlerts:
    """Alarms by the table of `homeguard.mode`, and strange readings from `|z| >= 4` on, at their onset.

    Each alert is stored, published and written to the log as `alert_raised`. The people get a message for the first
    of a story and for each that is graver than all before it. `bank=None`: readings are not judged.
    """

    def __init__(
        self,
        *,
        alerts: AlertStore,
        outbox: Outbox,
        users: UserStore,
        devices: DeviceStore,
        feed: LiveFeed,
        intake: Submit,
        clock: Clock,
        clocks: HomeClocks,
        bank: SeriesBank | None,
    ) -> None:
        self._alerts = alerts
        self._outbox = outbox
        self._users = users
        self._devices = devices
        self._feed = feed
        self._intake = intake
        self._clock = clock
        self._clocks = clocks
        self._bank = bank
        #: Watched attributes that were true when their device last reported them.
        self._true: dict[tuple[str, str], frozenset[str]] = {}

    async def __call__(self, batch: Batch) -> None:
        now = OneMoment(self._clocks)
        items = [
            item
            for item in heard(batch)
            for _, event in (item,)
            if event.device_id and event.event_type not in CORE_EVENTS and sets_off_reflexes(event, now(event.home_id))
        ]
        became: dict[tuple[str, str], frozenset[str]] = {}
        views: dict[str, _HomeView | None] = {}
        raised: dict[str, list[Alert]] = {}
        for item in items:
            event = item[1]
            for event_type in self._event_types(item, became):
                alert = await self._alarm(event, event_type, views)
                if alert is not None:
                    raised.setdefault(event.home_id, []).append(alert)
        findings, staged = self._judge(items)
        for finding, event in findings:
            view = await self._view(event.home_id, views)
            if view is not None:
                raised.setdefault(event.home_id, []).append(await self._strange(finding, event, view))
        for home_id, alerts in raised.items():
            await self._tell(home_id, alerts)
        # Only now: a batch that failed on the way is judged again from where it began.
        self._true.update(became)
        if self._bank is not None:
            self._bank.keep(staged)

    def _judge(self, items: Sequence[Heard]) -> tuple[list[tuple[Finding, Event]], Mapping[Key, Series]]:
        if self._bank is None:
            return [], {}
        findings, staged = self._bank.judge([reading for item in items for reading in item.readings])
        loud = [f for f in findings if f.score.severity in ("medium", "high") and f.score.is_onset]
        by_id = {(e.home_id, e.event_id): e for _, e in items} if loud else {}
        return [(f, by_id[f.reading.home_id, f.reading.event_id]) for f in loud], staged

    def _event_types(self, item: Heard, became: dict[tuple[str, str], frozenset[str]]) -> list[str]:
        """The event's own type, or for a report of a whole state what became true in it."""
        event = item[1]
        key = (event.home_id, event.device_id)
        said = {name: value for name, value in item.said.items() if name in _BECAME}
        if not said:
            return [] if event.event_type in _REPORTS else [event.event_type]
        before = became.get(key, self._true.get(key, frozenset()))
        now = frozenset(name for name, value in said.items() if value is True)
        became[key] = (before - said.keys()) | now
        return [_BECAME[name] for name in sorted(now - before)] if event.event_type in _REPORTS else [event.event_type]

    async def _view(self, home_id: str, views: dict[str, _HomeView | None]) -> _HomeView | None:
        if home_id not in views:
            home = await self._users.home(home_id)
            views[home_id] = None if home is None else _HomeView(home)
        return views[home_id]

    async def _device(self, view: _HomeView, device_id: str) -> Device | None:
        if device_id not in view.devices:
            view.devices[device_id] = await self._devices.get(view.home.id, device_id)
        return view.devices[device_id]

    async def _alarm(self, event: Event, event_type: str, views: dict[str, _HomeView | None]) -> Alert | None:
        view = await self._view(event.home_id, views)
        if view is None:
            return None
        # Most events are no alarm: the device is asked for only where it counts.
        is_door = event_type == "door_open"
        kind = alarm_of(event_type, view.home.arm_state, view.home.mode)
        if kind is None and not is_door:
            return None
        device = await self._device(view, event.device_id)
        if is_door and device is not None and _is_window(device):
            kind = alarm_of("window_open", view.home.arm_state, view.home.mode)
        if kind is None:
            return None
        strength = event.payload.get("intensity")
        measured = float(strength) if isinstance(strength, int | float) and not isinstance(strength, bool) else None
        name = device.name if device is not None else event.device_id
        where = f" in the {device.area.lower()}" if device is not None and device.area else ""
        clock = local_time(event.at, view.home.time_zone).strftime("%H:%M:%S")
        return Alert(
            id=derived_id("alert", event.home_id, event.event_id, kind),
            home_id=event.home_id,
            at=event.at,
            kind=kind,
            severity=severity_of(kind, strength=measured),
            title=f"{_TITLES[kind]}: {name}",
            text=f"{_TITLES[kind]} reported by {name}{where} at {clock}.",
            device_id=event.device_id,
            event_ids=(event.event_id,),
            is_simulated=event.metadata.is_simulated,
        )

    async def _strange(self, finding: Finding, event: Event, view: _HomeView) -> Alert:
        reading, score = finding.reading, finding.score
        device = await self._device(view, reading.device_id)
        name = device.name if device is not None else reading.device_id

        def shown(value: float) -> str:
            return value_text(reading.metric, value, view.home.unit_system)

        what = reading.metric.rsplit("_", 1)[0].replace("_", " ") if reading.unit else reading.metric.replace("_", " ")
        return Alert(
            id=derived_id("alert", event.home_id, event.event_id, READING, reading.metric),
            home_id=event.home_id,
            at=event.at,
            kind=READING,
            severity=score.severity or "low",
            title=f"{_TITLES[READING]}: {name}",
            text=f"{name} reads {shown(reading.value)} for {what}; usual is {shown(score.low)} to {shown(score.high)}.",
            device_id=reading.device_id,
            event_ids=(event.event_id,),
            is_simulated=reading.is_simulated,
        )

    async def _tell(self, home_id: str, alerts: Sequence[Alert]) -> None:
        start = min(a.at for a in alerts) - READING_STORY
        end = max(a.at for a in alerts) + timedelta(milliseconds=1)
        stored = {a.id: a for a in await self._alerts.query(home_id, start=start, end=end, limit=1000)}
        judged = in_stories(alerts, list(stored.values()))
        fresh = [alert for alert, _ in judged if alert.id not in stored]
        if fresh:
            await self._intake.submit([self._raised_event(alert) for alert in fresh])
            await self._alerts.raise_(fresh)
        # Those of alerts that were stored before a crash are put again: the outbox knows them by id.
        told = [alert for alert, is_told in judged if is_told]
        members = await self._users.members(home_id) if told else []
        notices: list[Notice] = [notice for alert in told for notice in notices_of(alert, members)]
        put = {notice.cause for notice in await self._outbox.put(notices)} if notices else set()
        ids = {alert.id for alert in fresh}
        shown = [live_of(a) for a, _ in judged if a.id in ids or not put.isdisjoint(a.event_ids)]
        if shown:
            await self._feed.publish(shown)

    def _raised_event(self, alert: Alert) -> Event:
        return Event(
            home_id=alert.home_id,
            event_id=derived_id("alert_raised", alert.id),
            event_type="alert_raised",
            at=alert.at,
            received_at=self._clock.now(),
            device_id=alert.device_id,
            payload={
                "alert_id": alert.id, "kind": alert.kind, "severity": alert.severity, "title": alert.title,
                "text": alert.text, "event_ids": list(alert.event_ids),
            },
            metadata=Metadata(is_simulated=alert.is_simulated),
            trust="core",
            cause=alert.event_ids[0],
        )  # fmt: skip


def in_stories(alerts: Sequence[Alert], known: Sequence[Alert]) -> list[tuple[Alert, bool]]:
    """The alerts by (at, id), each with its final severity and whether people are told of it.

    An intrusion that another device reported within the minute before is corroborated. Told are the first of a story
    and those that are graver than all of the story before. The answer is the same whether `known` holds some of
    `alerts` already or not.
    """
    ours = {alert.id for alert in alerts}
    line = sorted([*alerts, *(a for a in known if a.id not in ours)], key=lambda a: (a.at, a.id))
    judged: list[tuple[Alert, bool]] = []
    passed: list[Alert] = []
    for alert in line:
        story = _story(alert)
        span = READING_STORY if alert.kind == READING else STORY
        before = [a for a in passed if _story(a) == story and alert.at - a.at <= span]
        if alert.id in ours:
            if alert.kind in INTRUSION and any(a.device_id != alert.device_id for a in before):
                alert = replace(alert, severity="critical")
            judged.append((alert, all(is_graver(alert.severity, than=a.severity) for a in before)))
        passed.append(alert)
    return judged


def _story(alert: Alert) -> str:
    if alert.kind in INTRUSION:
        return "intrusion"
    if alert.kind in FIRE:
        return "fire"
    return f"{alert.kind}/{alert.device_id}"


def _is_window(device: Device) -> bool:
    return device.config.get("placement") == "window" or "window" in device.name.lower().split()
