"""Reflex: messages to the people of a home, written to the outbox once and shown to those who watch."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from homeguard.clock import HomeClocks, iso
from homeguard.ids import derived_id
from homeguard.model import Alert, Event, Member, Notice, Priority, Severity
from homeguard.ports.devices import DeviceStore
from homeguard.ports.live_state import Live, LiveFeed
from homeguard.ports.outbox import Outbox
from homeguard.ports.users import UserStore
from pipeline.handlers.observed import Lateness, attributes_said
from pipeline.processor import Batch

PRIORITY_OF: Final[Mapping[Severity, Priority]] = {
    "low": "log", "medium": "normal", "high": "high", "critical": "critical",
}  # fmt: skip
#: A low battery is told once in this time.
BATTERY_EVERY: Final = timedelta(hours=24)


def notices_of(alert: Alert, members: Sequence[Member], priority: Priority | None = None) -> list[Notice]:
    """One message to each member; the ids follow from the alert's, so telling twice tells once."""
    return [
        Notice(
            id=derived_id("notice", alert.id, member.user_id),
            home_id=alert.home_id,
            at=alert.at,
            channel="app",
            recipient=member.user_id,
            priority=priority or PRIORITY_OF[alert.severity],
            title=alert.title,
            text=alert.text,
            cause=alert.event_ids[0] if alert.event_ids else "",
        )
        for member in members
    ]


def live_of(alert: Alert) -> Live:
    """The alert as watchers get it."""
    return Live(
        home_id=alert.home_id,
        kind="alert",
        data={
            "type": "alert",
            "id": alert.id,
            "at": iso(alert.at),
            "kind": alert.kind,
            "severity": alert.severity,
            "title": alert.title,
            "text": alert.text,
            "device_id": alert.device_id,
            "is_simulated": alert.is_simulated,
            "event_ids": list(alert.event_ids),
        },
    )


class TellBatteryLow:
    """A `battery_low` becomes one message of normal priority a day and device."""

    def __init__(
        self, *, outbox: Outbox, users: UserStore, devices: DeviceStore, feed: LiveFeed, clocks: HomeClocks
    ) -> None:
        self._outbox = outbox
        self._users = users
        self._devices = devices
        self._feed = feed
        self._clocks = clocks

    async def __call__(self, batch: Batch) -> None:
        judge = Lateness(self._clocks)
        for _, event in batch:
            if event.event_type == "battery_low" and judge.sets_off(event):
                await self._tell(event)

    async def _tell(self, event: Event) -> None:
        device = await self._devices.get(event.home_id, event.device_id)
        if device is None:
            return
        title = f"Battery low: {device.name}"
        notice_ids = {n.id for n in await self._told(event, title)}
        level = attributes_said(event).get("battery_pct")
        left = f"has {level:g}% left" if isinstance(level, int | float) else "says that its battery is low"
        message = Alert(
            id=derived_id("battery_low", event.home_id, event.event_id),
            home_id=event.home_id,
            at=event.at,
            kind="battery_low",
            severity="low",
            title=title,
            text=f"{device.name} {left}. Replace its batteries soon.",
            device_id=device.id,
            event_ids=(event.event_id,),
            is_simulated=event.metadata.is_simulated,
        )
        notices = notices_of(message, await self._users.members(event.home_id), "normal")
        if notice_ids - {n.id for n in notices}:
            return
        if await self._outbox.put(notices):
            await self._feed.publish([live_of(message)])

    async def _told(self, event: Event, title: str) -> list[Notice]:
        start, end = event.at - BATTERY_EVERY, event.at + timedelta(milliseconds=1)
        notices = await self._outbox.query(event.home_id, start=start, end=end, limit=1000)
        return [n for n in notices if n.title == title]
