"""What a simulated device reports after a command: the state that was asked for, with the command as its cause."""

from datetime import UTC, datetime
from typing import Any

import pytest

from homeguard.commands import attributes_of, commands_of, resolve_command
from homeguard.model import Command, Device
from homeguard.observations import attributes_from
from homeguard.vocabulary import CAPABILITIES, DEVICE_TYPES
from pipeline.drivers.simulated import report_of

NOW = datetime(2026, 5, 6, tzinfo=UTC)
_SAMPLES: dict[str, Any] = {"name": "red", "query": "jazz", "source": "radio", "fan_mode": "low", "swing_mode": "both",
                            "preset": "eco", "unit": "C"}  # fmt: skip


def every_command() -> list[tuple[str, str]]:
    return [
        (kind, name)
        for kind, spec in DEVICE_TYPES.items()
        for capability in spec.capabilities
        for name in CAPABILITIES[capability].commands
        if capability not in ("level", "option")
    ]


def a_device(kind: str) -> Device:
    return Device(home_id="h", id="d", name="D", type=kind, capabilities=DEVICE_TYPES[kind].capabilities)


def a_command(device: Device, name: str) -> Command:
    _, spec = commands_of(device)[name]
    parameters: dict[str, Any] = {}
    for parameter, slot in spec.parameters.items():
        if name == "set_speed" and parameter == "speed":
            continue
        if slot.kind == "number":
            parameters[parameter] = 21 if parameter == "value" else max(slot.low or 0, 30)
        elif slot.kind == "choice":
            parameters[parameter] = "C" if parameter == "unit" else slot.choices[0]
        else:
            parameters[parameter] = _SAMPLES[parameter]
    return Command(
        id="c", home_id="h", device_id="d", command=name, parameters=parameters, before={},
        set=resolve_command(device, name, parameters), tier=1, caller="person", user_id="u", cause="",
        requested_at=NOW, not_after=NOW,
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), sorted(set(every_command())))
def test_every_command_of_the_vocabulary_is_carried_out_as_it_was_asked(kind: str, name: str) -> None:
    device = a_device(kind)
    command = a_command(device, name)
    event_type, payload = report_of(device, command)
    state = attributes_from(event_type, payload)
    assert {k: state.get(k) for k in command.set} == dict(command.set)
    assert set(command.set) <= set(attributes_of(device)) | {"on"}


@pytest.mark.parametrize(
    ("kind", "name", "event_type"),
    [
        ("lock", "lock", "door_locked"),
        ("lock", "unlock", "door_unlocked"),
        ("garage_door", "open", "garage_open"),
        ("garage_door", "close", "garage_closed"),
        ("garage_door", "set_position", "state_changed"),
        ("light", "turn_on", "state_changed"),
    ],
)
def test_what_has_a_word_of_its_own_is_reported_by_it(kind: str, name: str, event_type: str) -> None:
    device = a_device(kind)
    assert report_of(device, a_command(device, name))[0] == event_type
