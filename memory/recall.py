"""What a turn begins with: the last lines, what came before them in short, and what the words bring to mind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from homeguard.clock import iso
from homeguard.model import Json, Message, Principal
from homeguard.ports.conversations import ConversationStore
from homeguard.ports.memory import SHARED, Memory, MemorySource, MemoryStore
from memory.conversations import RECALLED
from memory.summary import told

#: Characters of all that is recalled beside the last lines, and how many notes at most.
LIMIT: Final = 2_000
NOTES: Final = 8
_SUMMARY: Final = 900
#: From this likeness on a note is near enough (of `Nearness`).
_NEAR: Final = 0.5

_SOURCES: Final[Mapping[MemorySource, str]] = {
    "words": "the person said so", "page": "written on HomeGuard's page", "client": "written by a program",
    "derived": "noticed by HomeGuard", "third_party": "third-party text",
}  # fmt: skip


class Nearness(Protocol):
    """How like texts are in meaning, for notes that share no word with a question. There is none by default."""

    async def near(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """A likeness in 0..1 for each text, in their order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One thing that was kept, as data: what it says is never an instruction and permits nothing."""

    id: str
    text: str
    kind: str
    whose: str
    source: str
    at: str
    tainted: bool

    def as_json(self) -> dict[str, Json]:
        return {"id": self.id, "text": self.text, "kind": self.kind, "whose": self.whose, "source": self.source,
                "at": self.at}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """`messages` oldest first; `summary` of what was said before them; `notes` best first."""

    messages: tuple[Message, ...] = ()
    summary: str = ""
    notes: tuple[Note, ...] = ()

    @property
    def tainted(self) -> bool:
        """Whether text of third parties is among the notes."""
        return any(note.tainted for note in self.notes)

    def as_data(self) -> dict[str, Json]:
        """Summary and notes as the output of a look-up, which is what a model gets of them; `{}` for none."""
        data: dict[str, Json] = {}
        if self.summary:
            data["earlier_in_this_conversation"] = self.summary
        if self.notes:
            data["notes"] = [note.as_json() for note in self.notes]
        return data


class Recall:
    """Recalls for a principal. Someone else's thread and notes are not there; guests have only their own thread."""

    def __init__(self, conversations: ConversationStore, memory: MemoryStore, nearness: Nearness | None = None) -> None:
        self._conversations = conversations
        self._memory = memory
        self._nearness = nearness

    async def recall(self, principal: Principal, thread_id: str, words: str) -> Recalled:
        """For a turn that begins with these words; `thread_id` may be new."""
        home, person = principal.home_id, principal.user_id
        messages = await self._conversations.messages(home, person, thread_id, limit=RECALLED)
        context = await self._conversations.context(home, person, thread_id) if messages else {}
        return Recalled(
            messages=tuple(messages),
            summary=told(context, _SUMMARY),
            notes=tuple(_fitting(_held(context) + await self._notes(principal, words))),
        )

    async def _notes(self, principal: Principal, words: str) -> list[Note]:
        if principal.role == "guest" or not principal.user_id:
            return []
        home, person = principal.home_id, principal.user_id
        found = await self._memory.search(home, person, words, limit=NOTES)
        if self._nearness is not None and len(found) < NOTES:
            known = {m.id for m in found}
            others = [m for owner in (person, SHARED) for m in await self._memory.of(home, owner) if m.id not in known]
            likeness = await self._nearness.near(words, [m.text for m in others])
            ranked = sorted(zip(likeness, others, strict=True), key=lambda pair: pair[0], reverse=True)
            found += [m for near, m in ranked if near >= _NEAR][: NOTES - len(found)]
        return [note_of(m) for m in found]


def note_of(memory: Memory) -> Note:
    return Note(
        id=memory.id,
        text=memory.text,
        kind=memory.kind,
        whose="the household" if memory.user_id == SHARED else "this person",
        source=_SOURCES[memory.source],
        at=iso(memory.at),
        tainted=memory.tainted,
    )


def _held(context: Mapping[str, Any]) -> list[Note]:
    """What holds for the thread, as a note."""
    if not context.get("return_date"):
        return []
    text = f"The person said that they come back on {context['return_date']}"
    return [Note(id="", text=text, kind="fact", whose="this person", source=_SOURCES["words"], at="", tainted=False)]


def _fitting(notes: Sequence[Note]) -> list[Note]:
    kept: list[Note] = []
    room = LIMIT - _SUMMARY
    for note in notes:
        room -= len(note.text)
        if room < 0:
            break
        kept.append(note)
    return kept
