"""What a Zigbee2MQTT topic is about, and how its payloads are read."""

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import msgspec

TopicKind: TypeAlias = Literal["devices", "groups", "bridge_state", "bridge_other", "availability", "echo", "state"]

#: `bridge/devices` lists a whole network; everything else is one small object.
MAX_BRIDGE_BYTES: Final = 8 * 1024 * 1024
MAX_STATE_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 32
MAX_KEYS: Final = 256

_PLAIN: Final = msgspec.json.Decoder()
#: Numbers that a strict decoder may read in another way than the library does.
_LONG_NUMBER: Final = re.compile(rb"[0-9]{15}")

_BRIDGE: Final[dict[str, TopicKind]] = {"devices": "devices", "groups": "groups", "state": "bridge_state"}


@dataclass(frozen=True, slots=True)
class Topic:
    """`name` is the friendly name (it may contain slashes), empty for the bridge's own topics."""

    kind: TopicKind
    name: str = ""


def classify(topic: str, base: str) -> Topic | None:
    """What this topic is under that base, `None` when it lies elsewhere.

    `echo` are our own orders (`<name>/set`, `<name>/get`) and the per-attribute output mode: nothing to read there.
    """
    if not topic.startswith(base + "/"):
        return None
    rest = topic[len(base) + 1 :]
    if rest == "bridge" or rest.startswith("bridge/"):
        return Topic(_BRIDGE.get(rest[len("bridge/") :], "bridge_other"))
    if rest.endswith("/availability"):
        return Topic("availability", rest[: -len("/availability")])
    parts = rest.split("/")
    if len(parts) >= 2 and (parts[-1] in ("set", "get") or parts[-2] in ("set", "get")):
        return Topic("echo", parts[0])
    return Topic("state", rest) if rest else None


def read_json(body: bytes, limit: int = MAX_STATE_BYTES) -> Any:
    """The payload as JSON.

    Raises:
        ValueError: it is not UTF-8 JSON, is too large or too deep, or holds a number that is none.
    """
    if len(body) > limit:
        raise ValueError(f"the payload has {len(body)} bytes, more than {limit}")
    if _is_plain(body):
        try:
            return _PLAIN.decode(body)
        except (ValueError, RecursionError):
            pass  # below it is told what is wrong
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("the payload is nested too deep") from error
    except UnicodeDecodeError as error:
        raise ValueError("the payload is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"the payload is not JSON: {error.msg} at {error.pos}") from error
    _bound(value, 0)
    return value


def _is_plain(body: bytes) -> bool:
    """Is nothing in it that the checks below could find? Then it is read in a tenth of the time."""
    return b"\\u" not in body and body.count(b"{") + body.count(b"[") <= MAX_DEPTH and _LONG_NUMBER.search(body) is None


def read_state(body: bytes) -> dict[str, Any]:
    """A state payload: an object of at most 256 keys.

    Raises:
        ValueError: it is something else.
    """
    value = read_json(body)
    if not isinstance(value, dict):
        raise ValueError("a state is a JSON object")  # noqa: TRY004 - one kind of error for one kind of fault
    if len(value) > MAX_KEYS:
        raise ValueError(f"the state has {len(value)} keys, more than {MAX_KEYS}")
    return value


def read_list(body: bytes) -> list[Any]:
    """A payload of the bridge that lists things.

    Raises:
        ValueError: it is something else.
    """
    value = read_json(body, MAX_BRIDGE_BYTES)
    if not isinstance(value, list):
        raise ValueError("the bridge lists things as a JSON array")  # noqa: TRY004 - as above
    return value


def read_availability(body: bytes) -> bool:
    """`online`/`offline`, bare or as `{"state": ...}`, in any case.

    Raises:
        ValueError: it says neither.
    """
    text = body[:200].decode("utf-8", "replace").strip()
    if text.startswith("{"):
        value = read_json(body)
        text = str(value.get("state", "")) if isinstance(value, dict) else ""
    word = text.strip('"').strip().lower()
    if word not in ("online", "offline"):
        raise ValueError("availability is online or offline")
    return word == "online"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _bound(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError("the payload is nested too deep")
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_surrogates(key)
            _bound(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _bound(item, depth + 1)
    elif isinstance(value, str):
        _refuse_surrogates(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is too large")


def _refuse_surrogates(text: str) -> None:
    if "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("a text holds NUL or a lone surrogate")
