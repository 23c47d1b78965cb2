"""Somebody else on the same instance: a connection that stays open, and must go on working whatever others send."""

import os
import socket
from pathlib import Path

#: Of every instance here: no limits that would hide an answer, and no past to page through.
SETTINGS = {"HOMEGUARD_RATE_LIMITS": "off", "HOMEGUARD_DEMO_HISTORY_DAYS": "0", "HOMEGUARD_LOG_LEVEL": "warning"}


class Neighbour:
    """One keep-alive HTTP connection of a well-behaved client."""

    def __init__(self, port: int, token: str) -> None:
        self._token = token
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._left = b""

    def is_served(self) -> bool:
        """Does the connection that was opened at the beginning still answer?"""
        self._socket.sendall(
            f"GET /api/v1/devices?limit=1 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {self._token}\r\n\r\n".encode()
        )
        head = self._until(b"\r\n\r\n").lower()
        at = head.index(b"content-length:") + 15
        length = int(head[at : head.index(b"\r\n", at)])
        while len(self._left) < length:
            self._left += self._more()
        self._left = self._left[length:]
        return head.startswith(b"http/1.1 200")

    def close(self) -> None:
        self._socket.close()

    def _until(self, end: bytes) -> bytes:
        while end not in self._left:
            self._left += self._more()
        head, _, self._left = self._left.partition(end)
        return head + b"\r\n"

    def _more(self) -> bytes:
        some = self._socket.recv(65_536)
        if not some:
            raise ConnectionError("the neighbour was hung up on")
        return some


def rss_mib(pid: int) -> float:
    """Resident memory of a process."""
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return resident * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def open_files(pid: int) -> int:
    """How many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))
