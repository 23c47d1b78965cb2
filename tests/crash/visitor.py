"""Clients under whose hands the server dies: they keep the ledger, and send again what was not acknowledged."""

import asyncio
import itertools
import json
import queue
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

import httpx2
import paho.mqtt.client as paho
from ledger import Found, Ledger
from nursing import RULE
from paho.mqtt.enums import CallbackAPIVersion

from homeguard.clock import Clock, SystemClock, iso
from homeguard.model import Event
from homeguard.ports.log import EVENTS
from homeguard.ports.stores import Stores

#: The devices on which each kind of event is told.
PLAIN, ALARMS = "living_room_motion", "back_door_lock"
_ORDERED: Final = "thermostat"
_FIRST, _LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
#: A rule that runs more than 30 times a minute is held back as one that feeds itself.
_MOST_ALARMS: Final = 3
#: Messages that the broker may have without having acknowledged them.
_IN_FLIGHT: Final = 20


class Visitor:
    """Tells events and gives orders over HTTP."""

    def __init__(self, ledger: Ledger, clock: Clock | None = None) -> None:
        self.ledger = ledger
        self._clock = clock or SystemClock()
        #: Answers that were good, ever.
        self.answered = 0
        self._numbers = itertools.count()

    async def tell(self, http: httpx2.AsyncClient, size: int) -> None:
        """Events, one at a time or `size` at a time, until nobody answers."""
        while True:
            items = [self.ledger.again.pop() if self.ledger.again else self._event() for _ in range(size)]
            if not await self._post(http, items):
                return

    async def alarm(self, http: httpx2.AsyncClient, pause_s: float = 0.05) -> None:
        """A pane breaks, again and again, until nobody answers; seldom enough for the rule to follow each time."""
        for _ in range(_MOST_ALARMS):
            if not await self._post(http, [self._event(is_alarm=True)]):
                return
            await asyncio.sleep(pause_s)

    async def order(self, http: httpx2.AsyncClient) -> None:
        """Commands to the thermostat, until nobody answers."""
        while True:
            key = self.ledger.orders_again.pop() if self.ledger.orders_again else self._order()
            if not await self._command(http, key):
                return

    async def settle(self, http: httpx2.AsyncClient) -> None:
        """Send what was never acknowledged until all of it is."""
        while self.ledger.again:
            assert await self._post(http, [self.ledger.again.pop()])
        while self.ledger.orders_again:
            assert await self._command(http, self.ledger.orders_again.pop())

    async def _post(self, http: httpx2.AsyncClient, items: list[dict[str, Any]]) -> bool:
        try:
            answer = await http.post("/api/v1/events", json=items if len(items) > 1 else items[0])
        except httpx2.TransportError:
            self.ledger.again += items
            return False
        if answer.status_code == 503:
            # it is ending, or sheds load: nothing of it was taken
            self.ledger.again += items
            await asyncio.sleep(0.02)
            return True
        told = answer.json()
        assert (answer.status_code, told["accepted"], told["rejected"]) == (202, len(items), []), told
        at = time.monotonic_ns()
        self.answered += len(items)
        for item in items:
            self.ledger.acknowledged.add(item["event_id"])
            self.ledger.when.setdefault(item["event_id"], at)
        return True

    async def _command(self, http: httpx2.AsyncClient, key: str) -> bool:
        try:
            answer = await http.post(
                f"/api/v1/devices/{_ORDERED}/command", json=self.ledger.orders[key], headers={"Idempotency-Key": key}
            )
        except httpx2.TransportError:
            self.ledger.orders_again.append(key)
            return False
        if answer.status_code == 503:
            self.ledger.orders_again.append(key)
            await asyncio.sleep(0.02)
            return True
        assert answer.status_code == 200, answer.text
        self.answered += 1
        self.ledger.answers[key] = answer.json()
        self.ledger.when.setdefault(key, time.monotonic_ns())
        return True

    def _event(self, *, is_alarm: bool = False) -> dict[str, Any]:
        number = next(self._numbers)
        made: dict[str, Any] = {
            "event_id": f"kill-{number}", "device_id": PLAIN, "timestamp": iso(self._clock.now()),
            "event_type": "motion_stopped" if number % 2 else "motion_detected", "payload": {"intensity": 0.5},
        }  # fmt: skip
        if is_alarm:
            made |= {"event_id": f"alarm-{number}", "device_id": ALARMS, "event_type": "glass_break"}
            self.ledger.alarms.add(made["event_id"])
        self.ledger.sent[made["event_id"]] = made
        return made

    def _order(self) -> str:
        key = f"order-{len(self.ledger.orders)}"
        value = 62 + len(self.ledger.orders) % 16
        self.ledger.orders[key] = {"command": "set_temperature", "parameters": {"value": value, "unit": "F"}}
        return key


class Publisher:
    """Tells events to a broker with QoS 1, from a thread of its own; the broker outlives the server."""

    def __init__(self, ledger: Ledger, port: int, home_id: str) -> None:
        self.ledger = ledger
        self._topic = f"homeguard/{home_id}/{PLAIN}/events"
        self._numbers = itertools.count()
        self._open: dict[int, str] = {}
        self._answered: queue.Queue[tuple[int, int]] = queue.Queue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.max_queued_messages_set(0)
        self._client.on_publish = lambda c, u, mid, *_: self._answered.put((mid, time.monotonic_ns()))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._stop = threading.Event()

    async def tell(self, pause_s: float = 0.004) -> None:
        """One after the other, until cancelled; then until the broker has all of them."""
        try:
            while True:
                if len(self._open) < _IN_FLIGHT:
                    self._say()
                self._note()
                await asyncio.sleep(pause_s)
        finally:
            deadline = time.monotonic() + 10
            while self._open and time.monotonic() < deadline:
                self._note()
                time.sleep(0.002)  # noqa: ASYNC251 - the broker is local, and this is the end
            assert not self._open

    def _say(self) -> None:
        event_id = f"mqtt-{next(self._numbers)}"
        body = {
            "event_id": event_id,
            "event_type": "motion_detected",
            "payload": {},
            "timestamp": iso(datetime.now(UTC)),
        }
        self.ledger.sent[event_id] = body
        self._open[self._client.publish(self._topic, json.dumps(body), qos=1).mid] = event_id

    def _note(self) -> None:
        while not self._answered.empty():
            mid, at = self._answered.get()
            event_id = self._open.pop(mid)
            self.ledger.acknowledged.add(event_id)
            self.ledger.when[event_id] = at

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


async def everything(http: httpx2.AsyncClient, **wanted: str) -> list[dict[str, Any]]:
    """All events of the home that fit, page by page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = await http.get(
            "/api/v1/events", params={"limit": 1000, **wanted, **({"cursor": cursor} if cursor else {})}
        )
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next_cursor"] or ""
        if not cursor:
            return found


async def arrived(http: httpx2.AsyncClient, ledger: Ledger, within_s: float = 20.0) -> list[str]:
    """Ids of the events that the doors tell of, once all that was acknowledged is there or nothing more came for
    `within_s` seconds."""
    deadline, before = time.monotonic() + within_s, (0, 0, 0)
    while True:
        ids = [event["event_id"] for name in (PLAIN, ALARMS) for event in await everything(http, device_id=name)]
        ids = [i for i in ids if i.startswith(("kill-", "alarm-", "mqtt-"))]
        results = await everything(http, event_type="command_result")
        ran = await everything(http, event_type="automation_ran")
        is_whole = ledger.acknowledged <= set(ids) and len(ran) >= len(ledger.alarms & set(ids))
        if (is_whole and len(results) >= len(ledger.answers) + len(ran)) or time.monotonic() > deadline:
            return ids
        if before != (before := (len(ids), len(results), len(ran))):
            deadline = time.monotonic() + within_s
        await asyncio.sleep(0.1)


async def found_in(stores: Stores, home_id: str) -> Found:
    """What a folder (or its engines) holds when nobody works on it."""
    events: list[Event] = []
    cursor: str | None = None
    while True:
        page = await stores.events.query(home_id, limit=1000, cursor=cursor)
        events += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    alerts = []
    for start, end in _windows(sorted(event.at for event in events if event.device_id == ALARMS)):
        alerts += await stores.alerts.query(home_id, start=start, end=end, limit=1000)
    notices = await stores.outbox.query(home_id, start=_FIRST, end=_LAST, limit=100_000)
    return Found(
        stored=[e.event_id for e in events if e.device_id in (PLAIN, ALARMS) and e.trust != "core"],
        results=[e.payload for e in events if e.event_type == "command_result"],
        executed=await executed(stores, home_id),
        alerted=[cause for alert in alerts if alert.kind == "glass_break" for cause in alert.event_ids],
        raised=[e.cause for e in events if e.event_type == "alert_raised" and e.payload["kind"] == "glass_break"],
        ran=[(e.cause, _commands_of(e)) for e in events if e.event_type == "automation_ran"],
        told=[n.cause for n in notices if n.title == RULE["name"]],
        warned=[n.cause for n in notices if n.title != RULE["name"] and n.cause.startswith("alarm-")],
    )


def _windows(times: Sequence[datetime]) -> Iterable[tuple[datetime, datetime]]:
    """All of time in pieces of at most a few hundred of these moments: a query of alerts answers with 1,000."""
    bounds = [_FIRST, *dict.fromkeys(times[300::300]), _LAST]
    return pairwise(bounds)


def _commands_of(ran: Event) -> Sequence[str]:
    actions: Any = ran.payload["actions"]
    return [str(action["command_id"]) for action in actions if action["type"] == "device_command"]


async def executed(stores: Stores, home_id: str) -> list[str]:
    """Ids of commands that devices were told, once for each time: the log keeps also what stores drop as known."""
    found: list[str] = []
    await stores.log.seek("looking", None)
    while records := await stores.log.read("looking", [EVENTS], limit=10_000, wait_s=0):
        headers = [record.headers for record in records]
        found += [h["cause"] for h in headers if h.get("source") == "simulator" and h.get("cause")]
    return found
