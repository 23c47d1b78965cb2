"""One message as it was delivered, and the name that makes a redelivery the same message.

A QoS 1 redelivery carries the packet id of the first delivery, so (session, round of packet ids, packet id, topic,
payload) names a message: the same after a lost acknowledgement, another one when the device says the same thing again.
The session changes when the broker has forgotten us (its packet ids start afresh); the round counts how often the
16-bit packet ids have wrapped. Both are kept in a small file where there is one, with the half of the round that the
ids were last in, so that a message that was taken and not acknowledged before a crash is recognised after it, also when
the ids had just wrapped. QoS 0 messages are never redelivered: each is a new one.
"""

import hashlib
import json
from pathlib import Path
from typing import Final

import msgspec

from homeguard.files import replace_file
from homeguard.ids import new_id

_HALF: Final = 32_768


class Delivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`token` is the name described above; `mid` is 0 for QoS 0."""

    topic: str
    body: bytes
    qos: int
    mid: int
    is_retained: bool
    #: The broker says that it sent this before.
    is_repeat: bool
    token: str


class DeliveryNames:
    """Hands out the tokens of one client's deliveries.

    Names may be used when `keep` has returned: until then a crash could give a redelivery another one.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._session, self._round = "", 0
        self._last = 0
        self._loose = 0
        self._process = new_id()
        #: Is there something that `keep` has yet to write?
        self.is_new = False
        if path is not None:
            self._load(path)

    def begin(self, *, session_present: bool) -> None:
        """A connection was accepted; without a session at the broker, packet ids start afresh."""
        if not session_present or not self._session:
            self._session, self._round, self._last = new_id(), 0, 0
            self.is_new = True

    def name(self, topic: str, body: bytes, qos: int, mid: int) -> str:
        if qos == 0:
            self._loose += 1
            return _digest(f"{self._process}/{self._loose}/{topic}/", body)
        turn, last = self._round, self._last
        if last and mid < last - _HALF:
            self._round = turn = turn + 1
        elif last and mid > last + _HALF:
            turn -= 1  # a redelivery from before the ids wrapped
        if turn == self._round:
            if mid // _HALF != last // _HALF or not last:
                self.is_new = True
            self._last = mid
        return _digest(f"{self._session}/{turn}/{mid}/{topic}/", body)

    def keep(self) -> None:
        """Write what a later process must know, where there is a file for it. It waits for the disk."""
        self.is_new = False
        if self._path is None:
            return
        kept = {"session": self._session, "round": self._round, "half": self._last // _HALF}
        replace_file(self._path, json.dumps(kept).encode())

    def _load(self, path: Path) -> None:
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            self._session, self._round = str(kept["session"]), int(kept["round"])
            # The middle of that half: what comes from the other one then lies on the right side of the wrap.
            self._last = int(kept.get("half", 0)) * _HALF + _HALF // 2
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self._session, self._round, self._last = "", 0, 0


def _digest(head: str, body: bytes) -> str:
    return hashlib.blake2b(head.encode("utf-8", "replace") + body, digest_size=16).hexdigest()
