"""The devices of a home as JSON text: each one is encoded when it changed, the whole list when one of them did."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from api import shapes
from api.access import Callers, Limits, require
from api.deps import ApiDeps
from api.errors import answer_to
from api.query import page
from homeguard.errors import HomeGuardError
from homeguard.model import Device, LiveState

PATH: Final = "/api/v1/devices"
#: Devices of one answer, unless the request says another number.
PAGE: Final = 100
#: Homes whose texts are kept; the one that was asked for longest ago goes first.
_HOMES: Final = 200
_ENCODE: Final = msgspec.json.Encoder().encode
_JSON: Final = (b"content-type", b"application/json")


@dataclass(slots=True)
class _Home:
    """What was encoded last, and of what it was made: the parts by the device's id, in the order of the list."""

    devices: list[Device] = field(default_factory=list)
    states: dict[str, LiveState] = field(default_factory=dict)
    parts: dict[str, tuple[Device, LiveState | None, bytes]] = field(default_factory=dict)
    whole: bytes = b""


class DeviceTexts:
    """Keeps the text of each device for as long as neither it nor its state is another one.

    There is nothing to forget: what is kept is compared with what the stores say now, at each call.
    """

    def __init__(self) -> None:
        self._homes: OrderedDict[str, _Home] = OrderedDict()

    def first_page(self, home_id: str, devices: Sequence[Device], states: Mapping[str, LiveState]) -> bytes:
        """`{"items", "next_cursor"}`, as a request without parameters is answered."""
        home = self._home(home_id)
        # Values that are the same objects are equal without a look into them.
        if not home.whole or home.devices != devices or home.states != states:
            home.devices, home.states = list(devices), dict(states)
            shown, more = page(home.devices, lambda d: d.id, PAGE, None)
            home.parts = {d.id: self._part(home.parts.get(d.id), d, states.get(d.id)) for d in shown}
            items = b",".join([part[2] for part in home.parts.values()])
            home.whole = b'{"items":[' + items + b'],"next_cursor":' + _ENCODE(more) + b"}"
        return home.whole

    def _part(
        self, kept: tuple[Device, LiveState | None, bytes] | None, device: Device, state: LiveState | None
    ) -> tuple[Device, LiveState | None, bytes]:
        if kept is not None and _same(kept[0], device) and _same(kept[1], state):
            return kept
        return device, state, _ENCODE(shapes.device(device, state))

    def _home(self, home_id: str) -> _Home:
        home = self._homes.get(home_id)
        if home is None:
            home = self._homes[home_id] = _Home()
            if len(self._homes) > _HOMES:
                self._homes.popitem(last=False)
        else:
            self._homes.move_to_end(home_id)
        return home


class DeviceList:
    """`GET /api/v1/devices` without parameters, as a plain ASGI endpoint: the same answer as the route's, sooner."""

    def __init__(self, deps: ApiDeps, callers: Callers, limits: Limits, texts: DeviceTexts) -> None:
        self._deps = deps
        self._callers = callers
        self._limits = limits
        self._texts = texts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            caller = await self._callers.of(scope)
            await self._limits.check_person(caller.principal, f"GET {PATH}")
            home_id = require(caller.principal, "read").home_id
            devices = await self._deps.devices.of_home(home_id)
            body = self._texts.first_page(home_id, devices, await self._deps.live.all(home_id))
        except HomeGuardError as error:
            await answer_to(error, scope)(scope, receive, send)
            return
        headers = [_JSON, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _same(kept: object, now: object) -> bool:
    return kept is now or kept == now
