"""Moves what a home has from one set of stores to another: piece by piece, safe to stop and to repeat."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from homeguard.clock import iso
from homeguard.ports.memory import SHARED

_BATCH: Final = 1_000
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER: Final = datetime(9998, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)
_LIMIT: Final = 1_000_000
_PART: Final = 9_000

#: What is moved, by the names in `Stores`. What is due stays in the folder, where a process that is alone keeps it
#: beside any engine; so do the log, the live feed and what lives for an hour at most.
CONCERNS: Final = frozenset((
    "users", "sessions", "devices", "automations", "live", "journal", "confirmations", "pins",
    "permissions", "audit", "outbox", "lists", "alerts", "anomalies", "conversations", "memory", "events", "readings",
))  # fmt: skip
#: Stores by their names in `Stores`; only those that differ between the two sides are moved.
Side = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`moved` of `total` things of a concern are on the other side; `total` is counted before."""

    concern: str
    moved: int
    total: int


@dataclass(slots=True, kw_only=True)
class Count:
    """What one concern has on each side after the move."""

    concern: str
    source: int
    target: int


class Ledger:
    """Which pieces are done, in a file, so that a run that was cut off goes on where it stood.

    Every piece may be moved twice without harm; the file only saves time.
    """

    def __init__(self, path: Path, direction: str) -> None:
        self._path = path
        self._direction = direction
        self._done: dict[str, int] = {}
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["direction"] == direction:
                self._done = {str(k): int(v) for k, v in kept["done"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self._done = {}

    def done(self, piece: str) -> int | None:
        """How many things the piece held, None while it is not moved."""
        return self._done.get(piece)

    def note(self, piece: str, count: int) -> None:
        self._done[piece] = count
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps({"direction": self._direction, "done": self._done}), encoding="utf-8")
        draft.replace(self._path)

    def finish(self) -> None:
        """Everything is moved: the next run begins anew."""
        self._path.unlink(missing_ok=True)


@dataclass(slots=True)
class Migration:
    """Reads from `source` and writes to `target`. Times, ids, outcomes and the audit's chain stay what they are.

    What both sides have is afterwards as the source says. `is_return`: the target is where the home was before, so what
    it has and the source has not was deleted since, and goes.
    """

    source: Side
    target: Side
    ledger: Ledger
    told: Callable[[Progress], None] = lambda _: None
    is_return: bool = False
    _homes: Sequence[str] = field(default_factory=tuple)

    async def run(self) -> list[Count]:
        """Move every concern that both sides keep, then count both.

        Raises:
            StoreUnavailable: a side did not answer; what was moved is noted, and the next run goes on behind it.
            Conflict: the target has an audit that is not the beginning of this one.
        """
        self._homes = [home.id for home in await self.source["users"].homes()]
        for concern, move, count in self._steps():
            if not self._moves(concern):
                continue
            total = await count(self.source)
            moved = 0
            async for done in move():
                moved += done
                self.told(Progress(concern=concern, moved=min(moved, total), total=total))
            self.told(Progress(concern=concern, moved=total, total=total))
        counts = [
            Count(concern=concern, source=await count(self.source), target=await count(self.target))
            for concern, _, count in self._steps()
            if self._moves(concern)
        ]
        if all(c.source <= c.target for c in counts):
            self.ledger.finish()
        return counts

    def _moves(self, concern: str) -> bool:
        source, target = self.source.get(concern), self.target.get(concern)
        return source is not None and target is not None and source is not target

    def _steps(
        self,
    ) -> list[tuple[str, Callable[[], AsyncIterator[int]], Callable[[Side], Awaitable[int]]]]:
        """In the order in which they are needed: who lives there before what happened there."""
        return [
            ("users", self._users, self._count_users),
            ("sessions", self._sessions, self._count_sessions),
            ("devices", self._devices, self._per_home(lambda s, h: s["devices"].of_home(h))),
            ("automations", self._automations, self._per_home(lambda s, h: s["automations"].of_home(h))),
            ("live", self._live, self._per_home(lambda s, h: s["live"].all(h))),
            ("journal", self._journal, self._per_home(_commands)),
            ("confirmations", self._confirmations, self._per_home(lambda s, h: s["confirmations"].all(h))),
            ("pins", self._pins, self._per_home(_pin)),
            ("permissions", self._permissions, self._per_home(lambda s, h: s["permissions"].of_home(h))),
            ("audit", self._audit, self._per_home(lambda s, h: s["audit"].rows(h, limit=_LIMIT))),
            ("outbox", self._outbox, self._per_home(_notices)),
            ("lists", self._lists, self._per_home(_items)),
            ("alerts", self._alerts, self._per_home(_alerts)),
            ("anomalies", self._anomalies, self._per_home(_anomalies)),
            ("conversations", self._conversations, self._count_lines),
            ("memory", self._memory, self._count_memory),
            ("events", self._events, self._count_events),
            ("readings", self._readings, self._count_readings),
        ]

    # --- one concern each

    async def _users(self) -> AsyncIterator[int]:
        source, target = self.source["users"], self.target["users"]
        for home in await source.homes():
            await target.put_home(home)
            yield 1
        for user in await source.users():
            found = await source.user_by_email(user.email)
            if found is not None:
                await target.put_user(*found)
            yield 1
        for home_id in self._homes:
            for member in await source.members(home_id):
                await target.put_member(member)
                yield 1

    async def _count_users(self, side: Side) -> int:
        users = side["users"]
        members = [len(await users.members(home)) for home in self._homes]
        return len(await users.homes()) + len(await users.users()) + sum(members)

    async def _sessions(self) -> AsyncIterator[int]:
        source, target = self.source["sessions"], self.target["sessions"]
        sessions = {session.id: session for session in await target.sessions()}
        for session in await source.sessions():
            await target.put_session(_as_ended(session, sessions.get(session.id)))
            yield 1
        tokens = {token.id: token for token in await target.tokens()}
        for token in await source.tokens():
            await target.put_token(_as_ended(token, tokens.get(token.id)))
            yield 1

    async def _count_sessions(self, side: Side) -> int:
        return len(await side["sessions"].sessions()) + len(await side["sessions"].tokens())

    async def _devices(self) -> AsyncIterator[int]:
        for home_id in self._homes:
            devices = await self.source["devices"].of_home(home_id)
            for part in _parts(devices):
                await self.target["devices"].put(part)
                yield len(part)
            for device in await self._gone("devices", home_id, {d.id for d in devices}):
                await self.target["devices"].delete(home_id, device.id)
                await self.target["live"].forget(home_id, device.id)

    async def _automations(self) -> AsyncIterator[int]:
        for home_id in self._homes:
            automations = await self.source["automations"].of_home(home_id)
            for automation in automations:
                await self.target["automations"].put(automation)
                yield 1
            for automation in await self._gone("automations", home_id, {a.id for a in automations}):
                await self.target["automations"].delete(home_id, automation.id)

    async def _gone(self, concern: str, home_id: str, kept: Set[str]) -> list[Any]:
        there = await self.target[concern].of_home(home_id) if self.is_return else []
        return [thing for thing in there if thing.id not in kept]

    async def _live(self) -> AsyncIterator[int]:
        for home_id in self._homes:
            for part in _parts(list((await self.source["live"].all(home_id)).values())):
                await self.target["live"].adopt(part)
                yield len(part)

    async def _journal(self) -> AsyncIterator[int]:
        for home_id in self._homes:
            for part in _parts(await _commands(self.source, home_id)):
                await self.target["journal"].adopt(part)
                for command in part:
                    # adopting leaves a `sent` as it is; finishing raises it, and changes no other
                    if command.outcome == "confirmed":
                        await self.target["journal"].finish(
                            home_id, command.id, command.outcome, command.reason, command.finished_at
                        )
                yield len(part)

    async def _confirmations(self) -> AsyncIterator[int]:
        for home_id in self._homes:
            for part in _parts(await self.source["confirmations"].all(home_id)):
                await self.target["confirmations"].adopt(part)
                for card in part:
                    await self._answer(home_id, card)
                yield len(part)

    async def _answer(self, home_id: str, card: Any) -> None:
        """A question that is still open there, and was answered or went by here."""
        store = self.target["confirmations"]
        there = await store.get(home_id, card.id)
        if there.state == "open" and card.state in ("approved", "denied"):
            await store.decide(
                home_id, card.id, approve=card.state == "approved", by=card.decided_by, now=card.decided_at, commands=()
            )
            there = await store.get(home_id, card.id)
        if there.state == "open" and card.state == "expired":
            await store.expire(card.expires_at)
        if card.outcome and tuple(there.outcome) != tuple(card.outcome):
            await store.settle(home_id, card.id, card.outcome)

    async def _audit(self) -> AsyncIterator[int]:
        for home_id in self._homes:
            rows = await self.source["audit"].rows(home_id, limit=_LIMIT)
            anchor = await self.source["audit"].anchor(home_id)
            for part in _parts(list(reversed(rows))):
                await self.target["audit"].adopt(home_id, part, anchor=anchor)
                yield len(part)

    async def _pins(self) -> AsyncIterator[int]:
        """A home whose PIN was taken away here has none there either; tries are not counted on."""
        for home_id in self._homes:
            pin = await self.source["pins"].get(home_id)
            if pin is not None:
                await self.target["pins"].put(pin)
                yield 1
            else:
                await self.target["pins"].remove(home_id)

    async def _permissions(self) -> AsyncIterator[int]:
        """What was revoked on either side is revoked."""
        for home_id in self._homes:
            for permission in await self.source["permissions"].of_home(home_id):
                await self.target["permissions"].put(permission)
                if permission.revoked_at is not None:
                    await self.target["permissions"].revoke(
                        home_id, permission.id, by=permission.revoked_by, at=permission.revoked_at
                    )
                yield 1

    async def _outbox(self) -> AsyncIterator[int]:
        for home_id in self._homes:
            for part in _parts(await _notices(self.source, home_id)):
                new = {notice.id for notice in await self.target["outbox"].put(part)}
                for notice in part:
                    # known there as waiting, and sent from here
                    if notice.delivered_at is not None and notice.id not in new:
                        await self.target["outbox"].delivered(home_id, notice.id, notice.delivered_at)
                yield len(part)

    async def _lists(self) -> AsyncIterator[int]:
        for home_id in self._homes:
            items = await _items(self.source, home_id)
            there = await _items(self.target, home_id)
            gone = {i.id for i in there} - {i.id for i in items} if self.is_return else set()
            # what is on both sides is afterwards as here, ticked off or open
            await self.target["lists"].remove(home_id, gone | {i.id for i in items})
            for part in _parts(items):
                await self.target["lists"].add(part)
                yield len(part)

    async def _alerts(self) -> AsyncIterator[int]:
        for home_id in self._homes:
            for part in _parts(await _alerts(self.source, home_id)):
                await self.target["alerts"].raise_(part)
                yield len(part)

    async def _anomalies(self) -> AsyncIterator[int]:
        for home_id in self._homes:
            for part in _parts(await _anomalies(self.source, home_id)):
                await self.target["anomalies"].append(part)
                yield len(part)

    async def _conversations(self) -> AsyncIterator[int]:
        source, target = self.source["conversations"], self.target["conversations"]
        async for home_id, user_id in self._people():
            threads = await source.threads(home_id, user_id, limit=_LIMIT)
            kept = {thread.id for thread in threads}
            for thread in await target.threads(home_id, user_id, limit=_LIMIT) if self.is_return else ():
                if thread.id not in kept:
                    await target.clear(home_id, user_id, thread.id)
            for thread in reversed(threads):
                lines = await source.messages(home_id, user_id, thread.id, limit=_LIMIT)
                for part in _parts(lines):
                    await target.append(home_id, part)
                    yield len(part)
                if context := await source.context(home_id, user_id, thread.id):
                    await target.set_context(home_id, user_id, thread.id, context)

    async def _count_lines(self, side: Side) -> int:
        store, count = side["conversations"], 0
        async for home_id, user_id in self._people():
            for thread in await store.threads(home_id, user_id, limit=_LIMIT):
                count += len(await store.messages(home_id, user_id, thread.id, limit=_LIMIT))
        return count

    async def _memory(self) -> AsyncIterator[int]:
        source, target = self.source["memory"], self.target["memory"]
        async for home_id, owner in self._owners():
            kept = await source.of(home_id, owner)
            known = {memory.id for memory in kept}
            there = await target.of(home_id, owner) if self.is_return else []
            gone = [memory.id for memory in there if memory.id not in known]
            await target.change(home_id, owner, put=kept, forget=gone)
            yield len(kept)

    async def _count_memory(self, side: Side) -> int:
        return sum([len(await side["memory"].of(home_id, owner)) async for home_id, owner in self._owners()])

    async def _owners(self) -> AsyncIterator[tuple[str, str]]:
        """Whose memories there are: each person's, and each household's."""
        async for home_id, user_id in self._people():
            yield home_id, user_id
        for home_id in self._homes:
            yield home_id, SHARED

    async def _people(self) -> AsyncIterator[tuple[str, str]]:
        for home_id in self._homes:
            for member in await self.source["users"].members(home_id):
                yield home_id, member.user_id

    async def _events(self) -> AsyncIterator[int]:
        """Newest first, page by page; a home that is done is not read again by the next run."""
        for home_id in self._homes:
            piece, total = f"events/{home_id}", await self.source["events"].count(home_id)
            # some may have come since the run that was cut off
            if self.ledger.done(piece) == total:
                yield total
                continue
            cursor, moved = None, 0
            while True:
                page = await self.source["events"].query(home_id, limit=_BATCH, cursor=cursor)
                if page.items:
                    await self.target["events"].append(page.items)
                    moved += len(page.items)
                    yield len(page.items)
                cursor = page.next_cursor
                if cursor is None:
                    break
            self.ledger.note(piece, moved)

    async def _count_events(self, side: Side) -> int:
        return sum([await side["events"].count(home) for home in self._homes])

    async def _readings(self) -> AsyncIterator[int]:
        """A day of a series at a time; finished days are not read again by the next run."""
        source, target = self.source["readings"], self.target["readings"]
        for home_id in self._homes:
            for device_id, metric, _ in await source.metrics(home_id):
                for day in await source.windows(home_id, device_id, metric, start=_EVER, end=_NEVER, every=_DAY):
                    piece = f"readings/{home_id}/{device_id}/{metric}/{iso(day.start)}"
                    if self.ledger.done(piece) == day.count:
                        yield day.count
                        continue
                    async for part in _raw(source, home_id, device_id, metric, day.start, day.start + _DAY):
                        await target.append(part)
                        yield len(part)
                    self.ledger.note(piece, day.count)

    async def _count_readings(self, side: Side) -> int:
        store, count = side["readings"], 0
        for home_id in self._homes:
            for device_id, metric, _ in await store.metrics(home_id):
                days = await store.windows(home_id, device_id, metric, start=_EVER, end=_NEVER, every=_DAY)
                count += sum(day.count for day in days)
        return count

    def _per_home(self, rows: Callable[[Side, str], Awaitable[Any]]) -> Callable[[Side], Awaitable[int]]:
        async def count(side: Side) -> int:
            return sum([len(await rows(side, home)) for home in self._homes])

        return count


def _as_ended(moved: Any, there: Any) -> Any:
    """A session or a token that was ended on either side has ended: the source may be a folder that went its own way,
    or a copy from before."""
    if there is None or there.revoked_at is None or moved.revoked_at is not None:
        return moved
    return replace(moved, revoked_at=there.revoked_at)


async def _pin(side: Side, home_id: str) -> list[Any]:
    found = await side["pins"].get(home_id)
    return [found] if found is not None else []


async def _commands(side: Side, home_id: str) -> list[Any]:
    found: list[Any] = await side["journal"].commands(home_id, since=_EVER, limit=_LIMIT)
    return found


async def _notices(side: Side, home_id: str) -> list[Any]:
    found: list[Any] = await side["outbox"].query(home_id, start=_EVER, end=_NEVER, limit=_LIMIT)
    return found


async def _items(side: Side, home_id: str) -> list[Any]:
    return [item for name in await side["lists"].names(home_id) for item in await side["lists"].of(home_id, name)]


async def _alerts(side: Side, home_id: str) -> list[Any]:
    found: list[Any] = await side["alerts"].query(home_id, start=_EVER, end=_NEVER, limit=_LIMIT)
    return found


async def _anomalies(side: Side, home_id: str) -> list[Any]:
    found: list[Any] = await side["anomalies"].query(home_id, start=_EVER, end=_NEVER, limit=_LIMIT)
    return found


async def _raw(
    source: Any, home_id: str, device_id: str, metric: str, start: datetime, end: datetime
) -> AsyncIterator[list[Any]]:
    """All readings of a span in parts: the store gives the newest of a span, so the span shrinks from its end."""
    while start < end:
        part = await source.raw(home_id, device_id, metric, start=start, end=end, limit=_PART)
        if not part:
            return
        yield part
        if len(part) < _PART:
            return
        # the oldest moment of this part may go on before it: that moment is read again, and stored once
        first = part[0].at
        end = first + timedelta(microseconds=1) if first + timedelta(microseconds=1) < end else first


def _parts(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[first : first + _BATCH] for first in range(0, len(items), _BATCH)]
