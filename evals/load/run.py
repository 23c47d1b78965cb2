"""A load run from its plan to its result: finds the devices, opens the connections, sends, counts."""

import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx2

from evals.load.events import Events, Source, source_of
from evals.load.http import HttpSender
from evals.load.mqtt import IN_FLIGHT, MqttLine, MqttSender
from evals.load.pace import Sender, paced
from evals.load.plan import Plan
from evals.load.result import Result
from homeguard.errors import InvalidInput, NotAllowed, NotFound, StoreUnavailable
from homeguard.ids import new_id
from pipeline.mqtt.address import parse_address


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the events go. `token` gives a bearer token that holds now, or a device's own; `mqtt_url` is for MQTT."""

    url: str
    token: Callable[[], str]
    mqtt_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The home of the token, and those of its devices that measure something."""

    home_id: str
    sources: Sequence[Source]


async def look(target: Target) -> Place:
    """The home and its devices, as the API tells them.

    Raises:
        NotAllowed: the token does not hold.
        StoreUnavailable: nothing answers there.
    """
    async with httpx2.AsyncClient(base_url=target.url, timeout=30, trust_env=False) as http:
        headers = {"Authorization": f"Bearer {target.token()}"}
        try:
            me = await http.get("/api/v1/users/me", headers=headers)
            found, cursor = [], ""
            while me.status_code == 200:
                params = {"limit": "1000", **({"cursor": cursor} if cursor else {})}
                page = (await http.get("/api/v1/devices", headers=headers, params=params)).json()
                found += page["items"]
                cursor = page["next_cursor"] or ""
                if not cursor:
                    break
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, KeyError) as error:
            raise StoreUnavailable(f"{target.url} does not answer as HomeGuard does: {error}") from error
        if me.status_code != 200:
            raise NotAllowed(f"{target.url} does not take the token (status {me.status_code})")
    home = me.json()["home"]
    if home is None:
        raise NotFound("this person has no home there", code="HOME_NOT_FOUND")
    sources = [source_of(d["id"], d.get("capabilities", ())) for d in found]
    return Place(home_id=home["id"], sources=[source for source in sources if source is not None])


async def run(plan: Plan, target: Target, place: Place, *, on_second: Callable[[Result], None] | None = None) -> Result:
    """Send what the plan says and wait for every answer; `on_second` is told how it stands, once a second.

    Raises:
        InvalidInput: an address cannot be read, or the home has no device.
        StoreUnavailable: the broker does not let us in.
    """
    if not place.sources:
        raise InvalidInput("the home has no device that measures anything: add --create-devices", field="devices")
    events = Events(place.sources[: plan.devices], run=f"load-{new_id()}", anomalies=plan.anomalies)
    result = Result()
    await paced(plan, await _senders(plan, target, place, events), result, on_second=on_second)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result.memory_mib = peak / (1 << 20) if sys.platform == "darwin" else peak / 1024
    return result


async def _senders(plan: Plan, target: Target, place: Place, events: Events) -> Sequence[Sender]:
    if plan.protocol == "http":
        return [HttpSender(target.url, target.token, events, plan) for _ in range(plan.connections)]
    if not target.mqtt_url:
        raise InvalidInput("say where the broker is: --mqtt-url mqtt://host:port", field="mqtt_url")
    address = parse_address(target.mqtt_url)
    lines = [MqttLine(address, plan.timeout_s) for _ in range(max(1, plan.connections // 16))]
    for line in lines:
        await line.open()
    return [MqttSender(line, place.home_id, events, plan) for line in lines for _ in range(IN_FLIGHT)]
