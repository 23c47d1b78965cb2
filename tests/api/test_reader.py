"""What waits for a slow stream: never more than 256 messages and a megabyte, and one gap in place of the rest."""

import json
from typing import Any

import pytest

from api.access import Caller
from api.reader import BYTES, MESSAGES, Reader, Told, batch_of, frame_of, told
from homeguard.errors import NotSignedIn
from homeguard.model import Principal
from homeguard.ports.live_state import Live

ANN = Caller(
    principal=Principal(home_id="ann", user_id="ann", role="owner", caller="person", session_id="s"), by="bearer"
)


class Connection:
    """Takes frames while it is `open`."""

    def __init__(self) -> None:
        self.open = True
        self.got: list[bytes] = []

    def push(self, frames: bytes) -> bool:
        if self.open:
            self.got.append(frames)
        return self.open

    async def write(self, frames: bytes) -> None:
        self.got.append(frames)


def _items(first: int, count: int, note: str = "") -> list[Told]:
    return [told(Live(home_id="ann", kind="device_event", data={"n": first + i, "note": note})) for i in range(count)]


def _taken(reader: Reader) -> list[dict[str, Any]]:
    said = []
    while reader.waiting[0]:
        said += [json.loads(item.text) for item in reader.take().items]
        reader.written()
    return said


def test_what_comes_while_nothing_waits_is_written_at_once() -> None:
    connection = Connection()
    reader = Reader(ANN, writer=connection)
    batch = batch_of(_items(0, 2))
    reader.put(batch)
    assert connection.got == [batch.frames]
    assert not reader.ready.is_set()


def test_what_comes_behind_something_that_waits_waits_too() -> None:
    connection = Connection()
    reader = Reader(ANN, writer=connection)
    connection.open = False
    reader.put(batch_of(_items(0, 1)))
    connection.open = True
    reader.put(batch_of(_items(1, 1)))
    taken = reader.take()
    reader.put(batch_of(_items(2, 1)))
    assert (connection.got, [json.loads(i.text)["n"] for i in taken.items]) == ([], [0])
    reader.written()
    assert [said["n"] for said in _taken(reader)] == [1, 2]
    assert not reader.ready.is_set()


@pytest.mark.parametrize("together", [1, 7, 64, 300])
def test_a_reader_that_reads_nothing_keeps_256_messages_at_most(together: int) -> None:
    reader = Reader(ANN)
    for first in range(0, 2100, together):
        reader.put(batch_of(_items(first, together)))
        assert reader.waiting[0] <= MESSAGES
    said = _taken(reader)
    assert (said[0]["type"], [s["n"] for s in said[1:]]) == (
        "gap",
        list(range(said[1]["n"], said[-1]["n"] + 1)),
    )
    assert said[0]["missed"] + len(said) - 1 == said[-1]["n"] + 1


@pytest.mark.parametrize("together", [1, 8, 64])
def test_a_reader_that_reads_nothing_keeps_a_megabyte_at_most(together: int) -> None:
    reader = Reader(ANN)
    for first in range(0, 128, together):
        reader.put(batch_of(_items(first, together, note="x" * 40_000)))
        assert reader.waiting[1] <= BYTES
    said = _taken(reader)
    assert said[0] == {"type": "gap", "missed": 128 - (len(said) - 1)}
    assert said[-1]["n"] == 127


def test_a_gap_that_is_given_up_counts_what_it_stood_for() -> None:
    reader = Reader(ANN)
    reader.put(batch_of([told(Live(home_id="*", kind="gap", data={"missed": 1000}))]))
    reader.put(batch_of(_items(0, MESSAGES)))
    assert _taken(reader)[0] == {"type": "gap", "missed": 1000}


def test_one_message_beyond_the_limit_leaves_a_gap_only_and_nothing_overtakes_it() -> None:
    connection = Connection()
    reader = Reader(ANN, writer=connection)
    connection.open = False
    reader.put(batch_of(_items(0, 1, note="x" * BYTES)))
    connection.open = True
    reader.put(batch_of(_items(1, 1)))
    assert connection.got == []
    said = [json.loads(item.text) for _ in range(2) for item in reader.take().items]
    assert [s.get("n", s["type"]) for s in said] == ["gap", 1]


def test_what_waits_is_still_read_when_the_stream_ends_and_nothing_more_comes() -> None:
    connection = Connection()
    reader = Reader(ANN, writer=connection)
    reader.put(batch_of(_items(0, 1), is_last=True))
    reader.end(NotSignedIn("over"))
    reader.put(batch_of(_items(1, 1)))
    assert [said["n"] for said in _taken(reader)] == [0]
    assert (reader.ready.is_set(), connection.got) == (True, [])
    with pytest.raises(NotSignedIn):
        reader.take()


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_frame_says_its_length_as_the_protocol_wants_it(size: int) -> None:
    from websockets.frames import Frame, Opcode

    assert frame_of(b"x" * size) == Frame(Opcode.TEXT, b"x" * size).serialize(mask=False)
