"""What was damaged in a data folder, and what became of it: told until a person has seen it."""

import logging
from pathlib import Path
from typing import Final, Literal

import msgspec

from homeguard.clock import Clock, iso
from homeguard.files import replace_file
from homeguard.ids import new_id

_INCIDENTS: Final = "incidents.json"
#: Incidents that are kept.
_KEPT: Final = 100

_log = logging.getLogger(__name__)


class Incident(msgspec.Struct, frozen=True):
    """Something that was damaged. `text` says what and what became of it; `is_loss`: something may be gone for good."""

    id: str
    at: str
    part: str
    text: str
    is_loss: bool
    quarantine: str = ""
    is_seen: bool = False

    @property
    def severity(self) -> Literal["low", "high"]:
        return "high" if self.is_loss else "low"


class Incidents:
    """Those of one folder."""

    def __init__(self, data_dir: Path, clock: Clock) -> None:
        self._data_dir = data_dir
        self._clock = clock

    def tell(self, part: str, text: str, *, is_loss: bool, quarantine: str = "") -> None:
        """Keep an incident for `/ready`, the doctor and the home's people. Raises OSError."""
        _log.error("%s", text)
        kept = incidents_of(self._data_dir)
        if any(i.text == text and not i.is_seen for i in kept):
            return
        made = Incident(
            id=new_id(), at=iso(self._clock.now()), part=part, text=text, is_loss=is_loss, quarantine=quarantine
        )
        replace_file(self._data_dir / _INCIDENTS, msgspec.json.encode([*kept, made][-_KEPT:]))

    def waiting(self) -> list[Incident]:
        """The losses that nobody has seen yet, oldest first."""
        return [i for i in incidents_of(self._data_dir) if not i.is_seen and i.is_loss]


def incidents_of(data_dir: Path) -> list[Incident]:
    """Oldest first; none when the file cannot be read."""
    try:
        return msgspec.json.decode((data_dir / _INCIDENTS).read_bytes(), type=list[Incident])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        _log.warning("%s cannot be read: %s", data_dir / _INCIDENTS, error)
        return []


def mark_seen(data_dir: Path) -> int:
    """A person has read them all; how many were new. Raises OSError."""
    kept = incidents_of(data_dir)
    new = [i for i in kept if not i.is_seen]
    if new:
        replace_file(
            data_dir / _INCIDENTS, msgspec.json.encode([msgspec.structs.replace(i, is_seen=True) for i in kept])
        )
    return len(new)
