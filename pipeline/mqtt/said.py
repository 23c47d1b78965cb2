"""What a batch of messages amounts to, and which part of it is urgent."""

from dataclasses import dataclass, field

import msgspec

from homeguard.errors import InvalidInput
from homeguard.model import Event
from pipeline.intake.intake import Origin
from pipeline.intake.lanes import HomeLanes
from pipeline.intake.wire import read


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    topic: str
    body: bytes
    reason: str


class Own(msgspec.Struct, frozen=True, gc=False):
    """An event in our own form: as it goes to the intake, and as it came."""

    sent: tuple[Origin, bytes]
    topic: str
    body: bytes
    #: Its place in the message, -1 when it is all of it.
    place: int = -1

    def refused(self, reason: str) -> DeadLetter:
        return DeadLetter(
            topic=self.topic, body=self.body, reason=reason if self.place < 0 else f"item {self.place}: {reason}"
        )


@dataclass(slots=True)
class Said:
    """Events of bridges, events in our own form, and what could not be read; each in the order in which it came."""

    events: list[Event] = field(default_factory=list)
    own: list[Own] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)

    def __add__(self, more: "Said") -> "Said":
        return Said(self.events + more.events, self.own + more.own, self.dead + more.dead)


async def parted(said: Said, lanes: HomeLanes, home_id: str) -> tuple[Said, Said]:
    """What is urgent in that home, and the rest."""
    now = await lanes.of(home_id)
    urgent, others = Said(), Said(dead=said.dead)
    for event in said.events:
        is_urgent = now.lane(event.event_type, event.payload) == "safety"
        (urgent if is_urgent else others).events.append(event)
    for own in said.own:
        try:
            sent, payload = read(own.sent[1])
        except InvalidInput:
            is_urgent = False
        else:
            is_urgent = now.lane(sent.event_type or "", payload) == "safety"
        (urgent if is_urgent else others).own.append(own)
    return urgent, others
