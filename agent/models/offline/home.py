"""The home as its summary tool tells it: devices, their states, and what each can do."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from agent.models.protocol import Said
from homeguard.kinds import name_words
from homeguard.model import Device
from homeguard.vocabulary import CAPABILITIES

SUMMARY_TOOL: Final = "get_home_summary"
_SHOWN: Final = frozenset(("placement", "levels", "options", "ranges"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What one turn knows of the home. `states` and `facts` are keyed by device id; devices keep the tool's order."""

    name: str = ""
    mode: str = ""
    arm_state: str = ""
    unit_system: str = "si"
    time_zone: str = "UTC"
    devices: tuple[Device, ...] = ()
    states: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    areas: tuple[str, ...] = ()
    floors: tuple[str, ...] = ()

    def state(self, device: Device) -> Mapping[str, Any]:
        return self.states.get(device.id, {})

    def takes(self, device: Device, command: str) -> bool:
        return command in self.facts.get(device.id, {}).get("commands", ())

    def fact(self, device: Device, name: str) -> Any:
        return self.facts.get(device.id, {}).get(name)

    @property
    def unit(self) -> str:
        """What a bare temperature means here."""
        return "F" if self.unit_system == "us" else "C"

    @property
    def places(self) -> tuple[str, ...]:
        return (*self.areas, *self.floors)

    @property
    def named_words(self) -> frozenset[str]:
        """Every word of a name of this home: of devices, areas and floors."""
        return _words_of(
            tuple({n: None for d in self.devices for n in (d.name, *d.aliases, d.area, d.floor)}), self.places
        )


@lru_cache(maxsize=16)
def _words_of(names: tuple[str, ...], places: tuple[str, ...]) -> frozenset[str]:
    return frozenset(w for name in (*names, *places) if name for w in name_words(name))


def home_from(pages: Iterable[Mapping[str, Any]]) -> Home:
    """The home from the summary's pages, in order; what is malformed is left out."""
    devices: list[Device] = []
    states: dict[str, Mapping[str, Any]] = {}
    facts: dict[str, Mapping[str, Any]] = {}
    about: Mapping[str, Any] = {}
    areas: list[str] = []
    floors: list[str] = []
    for page in pages:
        about = _mapping(page.get("home")) or about
        areas += [str(a.get("name", "")) if isinstance(a, Mapping) else str(a) for a in page.get("areas") or ()]
        floors += [str(f) for f in page.get("floors") or ()]
        for raw in page.get("devices") or ():
            if not isinstance(raw, Mapping) or not raw.get("device_id") or raw["device_id"] in states:
                continue
            device = _device(raw)
            devices.append(device)
            states[device.id] = _mapping(raw.get("state"))
            facts[device.id] = {**raw, "commands": _commands(raw)}
    return Home(
        name=str(about.get("name") or ""), mode=str(about.get("mode") or ""),
        arm_state=str(about.get("arm_state") or ""), unit_system=str(about.get("unit_system") or "si"),
        time_zone=str(about.get("time_zone") or "UTC"), devices=tuple(devices), states=states, facts=facts,
        areas=tuple(areas), floors=tuple(floors),
    )  # fmt: skip


def pages_of(messages: Sequence[Said]) -> list[Mapping[str, Any]]:
    """The summary pages among a turn's tool results, in order."""
    return [
        r.output for m in messages for r in m.results if r.name == SUMMARY_TOOL and r.status == "ok" and r.output
    ]  # fmt: skip


def _device(raw: Mapping[str, Any]) -> Device:
    config = {k: raw[k] for k in _SHOWN if raw.get(k)}
    return Device(
        home_id="", id=str(raw["device_id"]), name=str(raw.get("name") or raw["device_id"]),
        type=str(raw.get("type") or ""), capabilities=tuple(str(c) for c in raw.get("capabilities") or ()),
        area=str(raw.get("area") or ""), floor=str(raw.get("floor") or ""),
        aliases=tuple(str(a) for a in raw.get("aliases") or ()), config=config,
    )  # fmt: skip


def _commands(raw: Mapping[str, Any]) -> frozenset[str]:
    given = raw.get("commands")
    if given is not None:
        return frozenset(str(c["name"]) if isinstance(c, Mapping) and "name" in c else str(c) for c in given)
    return frozenset(
        c for name in raw.get("capabilities") or () if name in CAPABILITIES for c in CAPABILITIES[name].commands
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
