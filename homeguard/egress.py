"""The one client for requests that leave this installation: bounded, follows no redirect, goes where it was told."""

import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import httpx2

CONNECT_S: Final = 2.0
#: From one piece of an answer to the next; whoever asks has a shorter patience of its own.
READ_S: Final = 60.0


def open_client(url: str, headers: Mapping[str, str] | None = None) -> httpx2.AsyncClient:
    """A client for what lies at this address; the caller closes it. The proxies of the environment are used for other
    machines only: what is meant for this one, or for this network, never goes to a proxy."""
    return httpx2.AsyncClient(
        headers=dict(headers or {}),
        timeout=httpx2.Timeout(READ_S, connect=CONNECT_S, write=10.0, pool=5.0),
        follow_redirects=False,
        trust_env=not is_near(url),
    )


def is_near(url: str) -> bool:
    """Whether an address names this machine or a private network, as far as its text shows."""
    host = (urlsplit(url).hostname or "").lower()
    if host in ("", "localhost") or host.endswith((".localhost", ".local", ".lan", ".internal", ".home.arpa")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return address.is_private or address.is_loopback or address.is_link_local
