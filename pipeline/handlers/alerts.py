"""Reflex: raises an alert for what a person should know, and tells each story once and again when it gets worse."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import takewhile
from typing import Final, Protocol

from homeguard.clock import Clock, HomeClocks
from homeguard.ids import derived_id
from homeguard.mode import ALERT_TITLES, FIRE, INTRUSION, READING, alarm_of, is_graver, severity_of
from homeguard.model import Alert, Device, Event, Home, Metadata, Notice
from homeguard.ports.devices import DeviceStore
from homeguard.ports.events import AlertStore
from homeguard.ports.live_state import LiveFeed
from homeguard.ports.outbox import Outbox
from homeguard.ports.users import UserStore
from homeguard.units import value_text, wall_time
from homeguard.vocabulary import CORE_EVENTS, EVENT_OF_TRUE, REPORTS
from pipeline.detectors.bank import Finding, Key, SeriesBank
from pipeline.detectors.zscore import Series
from pipeline.handlers.notices import live_of, notices_of
from pipeline.handlers.observed import Heard, Lateness, heard, local_time
from pipeline.handlers.onsets import Word, hear
from pipeline.processor import Batch

#: Alerts this close to the one before belong to its story.
STORY: Final = timedelta(seconds=60)
#: A number that goes in and out of its range is one story for longer.
READING_STORY: Final = timedelta(minutes=30)


class Submit(Protocol):
    """The intake's way for HomeGuard's own events."""

    async def submit(self, events: Sequence[Event]) -> None: ...


@dataclass(slots=True)
class _HomeView:
    """What a batch needs to know of its home, asked once."""

    home: Home
    devices: dict[str, Device | None] = field(default_factory=dict)
    #: Event type -> it may be an alarm here now.
    alarming: dict[str, bool] = field(default_factory=dict)

    def may_alarm(self, event_type: str) -> bool:
        known = self.alarming.get(event_type)
        if known is None:
            # a door that opens may be a window
            known = event_type == "door_open" or alarm_of(event_type, self.home.arm_state, self.home.mode) is not None
            self.alarming[event_type] = known
        return known


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
        #: What each device last said of each watched attribute.
        self._words: dict[tuple[str, str, str], list[Word]] = {}
        #: Home -> held while it is judged and told.
        self._judging: dict[str, asyncio.Lock] = {}

    async def __call__(self, batch: Batch) -> None:
        judge = Lateness(self._clocks)
        by_home: dict[str, list[Heard]] = {}
        for item in heard(batch):
            event = item[1]
            if event.device_id and event.event_type not in CORE_EVENTS and judge.sets_off(event):
                by_home.setdefault(event.home_id, []).append(item)
        for home_id, items in by_home.items():
            # Several groups may share one: a home's story is told whole before what comes next is held against it.
            async with self._judging.setdefault(home_id, asyncio.Lock()):
                await self._raise(home_id, items)

    async def _raise(self, home_id: str, items: Sequence[Heard]) -> None:
        words: dict[tuple[str, str, str], list[Word]] = {}
        raised: list[Alert] = []
        home = await self._users.home(home_id)
        view = None if home is None else _HomeView(home)
        for item in items:
            for (_, event), event_type in self._happened(item, words):
                # Most events are no alarm: the rest is asked for only where it counts.
                if view is None or not view.may_alarm(event_type):
                    continue
                alert = await self._alarm(event, event_type, view)
                if alert is not None:
                    raised.append(alert)
        findings, staged = self._judge(items)
        if view is not None:
            raised += [await self._strange(finding, event, view) for finding, event in findings]
        if raised:
            await self._tell(home_id, raised)
        # Only now: what failed on the way is judged again from where it began.
        self._words.update(words)
        if self._bank is not None:
            self._bank.keep(staged)

    def _judge(self, items: Sequence[Heard]) -> tuple[list[tuple[Finding, Event]], Mapping[Key, Series]]:
        if self._bank is None:
            return [], {}
        findings, staged = self._bank.judge([reading for item in items for reading in item.readings])
        loud = [f for f in findings if f.score.severity in ("medium", "high") and f.score.is_onset]
        by_id = {e.event_id: e for _, e in items} if loud else {}
        return [(f, by_id[f.reading.event_id]) for f in loud], staged

    def _happened(self, item: Heard, words: dict[tuple[str, str, str], list[Word]]) -> list[tuple[Heard, str]]:
        """The event's own type, or for a report of a whole state what became true in it; and what is known only now to
        have become true with an earlier one. `words` are those of this batch."""
        event = item[1]
        is_report = event.event_type in REPORTS
        happened = [] if is_report else [(item, event.event_type)]
        for name, value in item.said.items():
            event_type = EVENT_OF_TRUE.get(name)
            if event_type is None:
                continue
            key = (event.home_id, event.device_id, name)
            known = words.get(key)
            if known is None:
                known = words[key] = list(self._words.get(key, ()))
            onset = hear(known, item, value is True)
            if onset is not None and (is_report or onset is not item):
                happened.append((onset, event_type))
        return happened

    async def _device(self, view: _HomeView, device_id: str) -> Device | None:
        if device_id not in view.devices:
            view.devices[device_id] = await self._devices.get(view.home.id, device_id)
        return view.devices[device_id]

    async def _alarm(self, event: Event, event_type: str, view: _HomeView) -> Alert | None:
        is_door = event_type == "door_open"
        kind = alarm_of(event_type, view.home.arm_state, view.home.mode)
        device = await self._device(view, event.device_id)
        if is_door and device is not None and _is_window(device):
            kind = alarm_of("window_open", view.home.arm_state, view.home.mode)
        if kind is None:
            return None
        strength = event.payload.get("intensity")
        measured = float(strength) if isinstance(strength, int | float) and not isinstance(strength, bool) else None
        name = device.name if device is not None else event.device_id
        where = f" in the {device.area.lower()}" if device is not None and device.area else ""
        clock = wall_time(local_time(event.at, view.home.time_zone), view.home.unit_system, seconds=True)
        return Alert(
            id=derived_id("alert", event.home_id, event.event_id, kind),
            home_id=event.home_id,
            at=event.at,
            kind=kind,
            severity=severity_of(kind, strength=measured),
            title=f"{ALERT_TITLES[kind]}: {name}",
            text=f"{ALERT_TITLES[kind]} reported by {name}{where} at {clock}.",
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
            title=f"{ALERT_TITLES[READING]}: {name}",
            text=f"{name} reads {shown(reading.value)} for {what}; usual is {shown(score.low)} to {shown(score.high)}.",
            device_id=reading.device_id,
            event_ids=(event.event_id,),
            is_simulated=reading.is_simulated,
        )

    async def _tell(self, home_id: str, alerts: Sequence[Alert]) -> None:
        start = min(a.at - _span(a) for a in alerts)
        end = max(a.at for a in alerts) + STORY + timedelta(milliseconds=1)
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

    An intrusion that another device reported within the minute before is corroborated, as is one that comes so late
    that what another device reported within the minute after is told already. Told are the first of a story and those
    that are graver than all of the story before. The answer is the same whether `known` holds some of `alerts` already
    or not, but that those are never late.
    """
    ours, stored = {alert.id for alert in alerts}, {alert.id for alert in known}
    told = [a for a in known if a.id not in ours]
    line = sorted([*alerts, *told], key=lambda a: (a.at, a.id))
    judged: list[tuple[Alert, bool]] = []
    passed: list[Alert] = []
    for alert in line:
        if alert.id in ours:
            # only these are judged: in a storm of alarms a home has a thousand others
            before = _before(alert, passed)
            others = before if alert.id in stored else [*before, *(a for a in told if _is_after(alert, a))]
            if alert.kind in INTRUSION and any(a.device_id != alert.device_id for a in others):
                alert = replace(alert, severity="critical")
            judged.append((alert, all(is_graver(alert.severity, than=a.severity) for a in before)))
        passed.append(alert)
    return judged


def _before(alert: Alert, passed: Sequence[Alert]) -> list[Alert]:
    """Of those that went before, by time, the ones of its story."""
    story, since = _story(alert), alert.at - _span(alert)
    return [a for a in takewhile(lambda a: a.at >= since, reversed(passed)) if _story(a) == story]


def _span(alert: Alert) -> timedelta:
    """How far before it its story can have begun."""
    return READING_STORY if alert.kind == READING else STORY


def _is_after(alert: Alert, other: Alert) -> bool:
    is_later = (other.at, other.id) > (alert.at, alert.id)
    return is_later and other.at - alert.at <= STORY and _story(other) == _story(alert)


def _story(alert: Alert) -> str:
    if alert.kind in INTRUSION:
        return "intrusion"
    if alert.kind in FIRE:
        return "fire"
    return f"{alert.kind}/{alert.device_id}"


def _is_window(device: Device) -> bool:
    return device.config.get("placement") == "window" or "window" in device.name.lower().split()
