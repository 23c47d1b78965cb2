"""Follows a chain of causes through what is stored: link by link, bounded, and honest where it ends."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from homeguard.causes import (
    ANSWERS_WITHIN,
    AT_ONCE,
    SCHEDULE,
    UNDO,
    Changed,
    Kind,
    Link,
    call_of,
    changes,
    client_of,
    commands_behind,
    set_off_by,
    state_words,
    undone_batch,
)
from homeguard.effects import describe
from homeguard.errors import NotFound
from homeguard.ids import derived_id
from homeguard.model import Command, Confirmation, Device, Effect, Event, UnitSystem
from tools.context import ToolContext
from tools.text import clean

#: Links of one chain, pages of events and rows of the journal that are looked through.
MAX_LINKS: Final = 20
_PAGES: Final = 5
_PAGE: Final = 500
_ROWS: Final = 2_000
_LED_TO: Final = timedelta(minutes=10)
#: Stores keep times to the millisecond.
_INSTANT: Final = timedelta(milliseconds=1)
#: A device that has just come back says how it is, whoever made it so.
_CAME_BACK: Final = timedelta(seconds=60)
_OUTSIDE: Final = (
    "What made it so, I don't know: nothing of HomeGuard's caused it. It was a hand on it, its own app, or the device "
    "itself."
)
_LOST: Final = "Further back I don't know: that is not in what HomeGuard has kept."


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """`links` lead back from the event, the nearest first; `unknown` says why there are no more when not known."""

    links: tuple[Link, ...]
    also: tuple[Link, ...]
    set_off: tuple[Link, ...]
    is_known: bool
    unknown: str


class Tracer:
    """One question's way through the stores of its context."""

    def __init__(self, context: ToolContext, unit_system: UnitSystem) -> None:
        self._context = context
        self._units = unit_system
        self._home = context.home_id
        self._seen: set[str] = set()
        self._names: dict[str, str] = {}

    async def newest(self, device: Device, until: datetime, attribute: str) -> Changed | None:
        """The newest change at or before `until`; None when no event of this device says of any."""
        return await self._search(device, until, attribute)

    async def changed(self, device: Device, event: Event) -> Changed | None:
        """What this event changed of its device; None when it only said again what was known."""
        return await self._search(device, event.at + _INSTANT, "", event.event_id)

    async def trace(self, event: Event, device: Device | None, changed: Changed | None) -> Trace:
        links, also, unknown = await self._behind(event, device, changed)
        set_off = await self._led_to(event, {link.id for link in links if link.kind == "command"})
        return Trace(
            links=tuple(links[:MAX_LINKS]), also=tuple(also), set_off=tuple(set_off), is_known=not unknown,
            unknown=unknown,
        )  # fmt: skip

    # -- events --------------------------------------------------------------------------------------------------

    async def _search(self, device: Device, until: datetime, attribute: str, event_id: str = "") -> Changed | None:
        events: list[Event] = []
        cursor: str | None = None
        for _ in range(_PAGES):
            page = await self._context.events.query(
                self._home, end=until, device_id=device.id, limit=_PAGE, cursor=cursor
            )
            events += page.items
            found = changes(device, events, attribute)
            if event_id:
                found = [c for c in found if c.event.event_id == event_id]
            # the oldest event of all says nothing of what was before it
            if page.next_cursor is None or (found and found[-1].event.event_id != events[-1].event_id):
                return found[-1] if found else None
            cursor = page.next_cursor
        return found[-1] if found else None

    async def _behind(
        self, event: Event, device: Device | None, changed: Changed | None
    ) -> tuple[list[Link], list[Link], str]:
        """The links behind an event, those of other causes at the same time, and why the chain ends (`""`: at a
        person, or at what a sensor saw)."""
        self._seen.add(event.event_id)
        told = event.payload.get("command_id")
        if event.event_type == "command_result" and isinstance(told, str):
            links, unknown = await self._from_id(told, event)
            return links, [], unknown
        by_clock = _by_clock(event)
        if by_clock is not None:
            return [by_clock], [], ""
        if changed is None and not event.cause:
            return [], [], _OUTSIDE
        if event.device_id == "" or changed is None or device is None:
            links, unknown = await self._from_cause(event.cause, event.user_id, _caller(event), event.at)
            return links, [], unknown
        since = event.received_at - ANSWERS_WITHIN - AT_ONCE
        commands = await self._context.journal.commands(self._home, since=since, device_id=device.id, limit=_ROWS)
        if event.cause and not any(c.id == event.cause for c in commands):
            named = await self._context.journal.command(self._home, event.cause)
            commands += [named] if named is not None else []
        behind = commands_behind(changed, commands)
        if not behind:
            if event.cause:
                links, unknown = await self._from_cause(event.cause, event.user_id, _caller(event), event.at)
                if links:
                    return links, [], unknown
            return await self._from_around(event, device)
        links, unknown = await self._from_command(*behind[0])
        also: list[Link] = []
        for command, _ in behind[1:4]:
            other, _ = await self._from_command(command, is_certain=True)
            also.append(_shortened(other))
        return links, also, unknown

    async def _from_around(self, event: Event, device: Device) -> tuple[list[Link], list[Link], str]:
        """What the moment around speaks for, when no command does: a scene, a restart, what the device itself said."""
        hints: list[Link] = []
        since = event.received_at - AT_ONCE
        for command in reversed(await self._context.journal.commands(self._home, since=since, limit=_ROWS)):
            if command.requested_at > event.received_at or command.outcome in ("failed", "refused"):
                continue
            other = await self._context.devices.get(self._home, command.device_id) if command.device_id else None
            if other is not None and other.id != device.id and other.type in ("scene", "group"):
                links, unknown = await self._from_command(command, is_certain=False)
                first = replace(
                    links[0], text=f"{clean(other.name)} was told to {_words(command, self._units)}, which can do this"
                )
                return [first, *links[1:]], [], unknown
        page = await self._context.events.query(
            self._home, start=event.at - _CAME_BACK, end=event.at + _INSTANT, device_id=device.id,
            event_types=("device_online",), limit=1,
        )  # fmt: skip
        if page.items:
            back = page.items[0]
            hints.append(
                Link(kind="event", id=back.event_id, at=back.at, text=f"{clean(device.name)} had just come back online")
            )
        own = _own_words(event)
        if own:
            hints.append(
                Link(kind="report", id=event.event_id, at=None, text=f"{clean(device.name)} itself says: {own}")
            )
        return hints, [], _OUTSIDE

    async def _led_to(self, event: Event, commands: set[str]) -> list[Link]:
        page = await self._context.events.query(
            self._home, start=event.at - timedelta(seconds=1), end=event.at + _LED_TO, limit=_PAGE
        )
        others = [e for e in page.items if e.event_id != event.event_id]
        # what its own command's outcome says is no consequence of it
        found = [e for e in set_off_by(frozenset((event.event_id,)), others) if e.event_type in _CONSEQUENCES]
        return [await self._consequence(e) for e in found[:MAX_LINKS] if e.cause not in commands]

    async def _consequence(self, event: Event) -> Link:
        match event.event_type:
            case "command_requested":
                text = f"the rule '{clean(event.payload.get('name') or '')}'"
            case "alert_raised":
                text = f"the alert '{clean(event.payload.get('title') or event.payload.get('kind') or '')}'"
            case _:
                device = await self._context.devices.get(self._home, event.device_id)
                name = clean(device.name) if device is not None else clean(event.device_id)
                found = await self.changed(device, event) if device is not None else None
                how = state_words(found.now, self._units) if found is not None else event.event_type.replace("_", " ")
                text = f"{name}: {clean(how)}"
        kind: Kind = "automation" if event.event_type == "command_requested" else "event"
        return Link(kind=kind, id=event.event_id, at=event.at, text=text)

    # -- commands and what is behind them ------------------------------------------------------------------------

    async def _from_id(self, command_id: str, event: Event) -> tuple[list[Link], str]:
        command = await self._context.journal.command(self._home, command_id)
        return await self._from_command(command) if command is not None else ([], _LOST)

    async def _from_command(self, command: Command, is_certain: bool = True) -> tuple[list[Link], str]:
        if command.id in self._seen:
            return [], _LOST
        self._seen.add(command.id)
        outcome = {"sent": ", which it had not confirmed", "failed": ", which failed"}.get(command.outcome, "")
        name = await self._device_name(command.device_id)
        text = f"HomeGuard told {name} to {_words(command, self._units)}{outcome}"
        link = Link(kind="command", id=command.id, at=command.requested_at, text=text, is_certain=is_certain)
        cause = command.grant_id or command.cause
        links, unknown = await self._from_cause(cause, command.user_id, command.caller, command.requested_at)
        return [link, *links], unknown

    async def _from_cause(self, cause: str, user_id: str, caller: str, at: datetime) -> tuple[list[Link], str]:
        """The links from a cause on; the second part is `""` when they end at a person or at what a sensor saw."""
        if cause in self._seen or len(self._seen) > MAX_LINKS:
            return [], _LOST
        who = await self._name(user_id)
        if cause.startswith(UNDO):
            return await self._from_undo(cause, at)
        if client_of(cause):
            name = clean(client_of(cause), 60)
            return [Link(kind="client", id=cause, at=at, text=f"The app '{name}' asked for it, for {who}")], ""
        if cause.startswith("request:"):
            if caller == "client":
                return [Link(kind="client", id=cause, at=at, text=f"An app asked for it, for {who}")], ""
            return [Link(kind="request", id=cause, at=at, text=f"{who} asked for it directly")], ""
        if not cause:
            if caller == "person" and user_id:
                return [Link(kind="request", id="", at=at, text=f"{who} asked for it directly")], ""
            return [], _LOST
        self._seen.add(cause)
        if "/" not in cause:
            found = await self._from_kept(cause, user_id)
            if found is not None:
                return found
        if caller == "agent" or "/" in cause:
            return [await self._turn(call_of(cause)[0], user_id, at)], ""
        return [], _LOST

    async def _from_kept(self, cause: str, user_id: str) -> tuple[list[Link], str] | None:
        """A cause that is the id of a card, an event, a run of a rule or a command; None when it is none of these."""
        try:
            card = await self._context.commands.confirmation(self._context.principal, cause)
        except NotFound:
            card = None
        if card is not None:
            links, unknown = await self._from_cause(
                card.cause or card.turn_id, card.user_id, card.caller, card.created_at
            )
            return [await self._card(card), *links], unknown
        event = await self._context.events.get(self._home, cause)
        if event is not None:
            return await self._from_event(event)
        command = await self._context.journal.command(self._home, cause)
        return await self._from_command(command) if command is not None else None

    async def _from_event(self, event: Event) -> tuple[list[Link], str]:
        by_clock = _by_clock(event)
        if by_clock is not None:
            return [by_clock], ""
        if event.event_type == "command_requested" and "automation_id" in event.payload:
            name = clean(event.payload.get("name") or "")
            rule = Link(
                kind="automation", id=str(event.payload["automation_id"]), at=None, text=f"The rule '{name}' wanted it"
            )
            trigger_id = str(event.payload.get("event_id") or event.cause)
            trigger = await self._context.events.get(self._home, trigger_id)
            if trigger is None or trigger.event_id in self._seen:
                return [rule], _LOST
            links, unknown = await self._from_event(trigger)
            return [rule, *links], unknown
        device = await self._context.devices.get(self._home, event.device_id) if event.device_id else None
        changed = await self.changed(device, event) if device is not None else None
        name = clean(device.name) if device is not None else "the home"
        how = state_words(changed.now, self._units) if changed is not None else event.event_type.replace("_", " ")
        link = Link(kind="event", id=event.event_id, at=event.at, text=f"That was set off by {name}: {clean(how)}")
        links, _, unknown = await self._behind(event, device, changed)
        # what set off a rule is its cause, also when nobody knows who moved that
        return [link, *links], "" if unknown == _OUTSIDE else unknown

    async def _from_undo(self, cause: str, at: datetime) -> tuple[list[Link], str]:
        """The marker of the undo in the journal says who wanted it."""
        self._seen.add(cause)
        batch, marker = undone_batch(cause), None
        for attempt in range(20):
            marker_id = derived_id("undo", self._home, batch, str(attempt))
            known = await self._context.journal.command(self._home, marker_id)
            if known is None or known.requested_at > at:
                break
            marker = known
        if marker is None:
            return [Link(kind="undo", id=cause, at=at, text="It was an undo of what was done before")], _LOST
        who = await self._name(marker.user_id)
        link = Link(
            kind="undo", id=marker.id, at=marker.requested_at, text=f"{who} had what was done before put back (an undo)"
        )
        links, unknown = await self._from_cause(marker.cause, marker.user_id, marker.caller, marker.requested_at)
        return [link, *links], unknown

    async def _card(self, card: Confirmation) -> Link:
        who = await self._name(card.decided_by)
        text = f"{who} said yes to the question '{clean(card.text)}'"
        return Link(kind="confirmation", id=card.id, at=card.decided_at, text=text)

    async def _turn(self, turn_id: str, user_id: str, at: datetime) -> Link:
        """A person's words in a chat; another person's are not told, only that they asked."""
        who, words = await self._name(user_id), ""
        if user_id == self._context.principal.user_id:
            words = await self._words_of(turn_id, user_id, at)
        asked = f"{who} asked the assistant for it" + (f': "{clean(words)}"' if words else ", in a chat")
        return Link(kind="turn", id=turn_id, at=at, text=asked)

    async def _words_of(self, turn_id: str, user_id: str, at: datetime) -> str:
        store = self._context.conversations
        for thread in await store.threads(self._home, user_id, limit=20) if store is not None else ():
            if thread.updated_at + timedelta(minutes=1) < at or thread.created_at > at + timedelta(minutes=1):
                continue
            for message in await store.messages(self._home, user_id, thread.id) if store is not None else ():
                if message.turn_id == turn_id and message.role == "user":
                    return message.text
        return ""

    async def _name(self, user_id: str) -> str:
        if user_id not in self._names:
            user = await self._context.users.user(user_id) if user_id else None
            self._names[user_id] = clean(user.name) if user is not None and user.name else "someone of the home"
        return self._names[user_id]

    async def _device_name(self, device_id: str) -> str:
        if not device_id:
            return "the home"
        device = await self._context.devices.get(self._home, device_id)
        return clean(device.name) if device is not None else clean(device_id)


_CONSEQUENCES: Final = frozenset(
    ("command_requested", "alert_raised", "state_changed", "door_locked", "door_unlocked", "garage_open",
     "garage_closed", "mode_changed", "arm_state_changed")
)  # fmt: skip
_SAID_BY_DEVICES: Final = ("method", "source", "user", "by", "person", "code_name", "slot")


def _by_clock(event: Event) -> Link | None:
    """The rule behind a run that was set off by its time; None for any other event."""
    if not event.cause.startswith(SCHEDULE) or "automation_id" not in event.payload:
        return None
    name, due = clean(event.payload.get("name") or ""), clean(event.payload.get("schedule") or "then")
    text = f"The rule '{name}' wanted it: it was due {due}"
    return Link(kind="automation", id=str(event.payload["automation_id"]), at=None, text=text)


def _own_words(event: Event) -> str:
    """What the device itself says of how it came: data, cleaned and short."""
    said = [
        f"{key} {clean(event.payload[key], 60)}"
        for key in _SAID_BY_DEVICES
        if isinstance(event.payload.get(key), str | int) and str(event.payload[key]) not in ("", "remote")
    ]
    return ", ".join(said)


def _words(command: Command, unit_system: UnitSystem) -> str:
    """The command as the end of "told it to ...": `turn on`, `go to 21°C`."""
    effect = Effect(
        kind="device" if command.device_id else command.command, device_name="\0", command=command.command,
        parameters=command.parameters, set=command.set,
    )  # fmt: skip
    text = describe(effect, unit_system)
    plain = " ".join(text.replace("\0", " ").split())
    plain = f"{plain[:1].lower()}{plain[1:]}"
    return f"go to {plain.removeprefix('set to ')}" if plain.startswith("set to ") else plain


def _caller(event: Event) -> str:
    by: object = event.payload.get("by")
    return str(by) if isinstance(by, str) and by else ("person" if event.user_id else "")


def _shortened(links: Sequence[Link]) -> Link:
    """A second chain in one sentence: its command and its root."""
    if len(links) < 2:
        return links[0] if links else Link(kind="unknown", id="", at=None, text="something else")
    return replace(links[0], text=f"{links[0].text}; {links[1].text[:1].lower()}{links[1].text[1:]}", is_certain=True)
