"""The bounds of what anyone may send: sizes, depth, keys, numbers and characters, checked before anything else."""

import re
from typing import Any, Final

import msgspec

from homeguard.errors import InvalidInput, PayloadTooLarge

MAX_EVENT_BYTES: Final = 64 * 1024
MAX_BODY_BYTES: Final = 8 * 1024 * 1024
MAX_ITEMS: Final = 10_000
MAX_DEPTH: Final = 32
MAX_KEYS: Final = 256
MAX_ID: Final = 128

_ANYTHING: Final = msgspec.json.Decoder()
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_LONG_NUMBER: Final = re.compile(rb"[0-9]{300}")


def split(body: bytes, *, ndjson: bool) -> tuple[list[bytes], bool]:
    """The items of a body, each still JSON text, and whether it was a single one.

    Raises:
        PayloadTooLarge: more than 8 MiB, or more than 10,000 items.
        InvalidInput: not an array and not an object; with `ndjson` every line that is not blank is an item.
    """
    if len(body) > MAX_BODY_BYTES:
        raise PayloadTooLarge(f"a body has at most {MAX_BODY_BYTES} bytes", limit_bytes=MAX_BODY_BYTES)
    if ndjson:
        items = [line for line in map(bytes.strip, body.split(b"\n")) if line]
    else:
        body = body.strip(b" \t\r\n")
        if not body.startswith(b"["):
            if not body.startswith(b"{"):
                raise InvalidInput("the body is a JSON object, an array of them, or NDJSON", field="body")
            return [body], True
        try:
            items = [bytes(item) for item in _ITEMS.decode(body)]
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"the body cannot be read: {_told(error)}", field="body") from error
    if len(items) > MAX_ITEMS:
        raise PayloadTooLarge(f"a batch has at most {MAX_ITEMS} events", limit=MAX_ITEMS)
    return items, False


def check(item: bytes) -> None:
    """One event's JSON text: well formed, in every part, and within the bounds.

    Raises:
        PayloadTooLarge: more than 64 KB.
        InvalidInput: not JSON, no object, nested deeper than 32, more than 256 keys, a number outside a double's
            range, a NUL or a lone surrogate.
    """
    if len(item) > MAX_EVENT_BYTES:
        raise PayloadTooLarge(f"an event has at most {MAX_EVENT_BYTES} bytes", limit_bytes=MAX_EVENT_BYTES)
    try:
        tree = _ANYTHING.decode(item)
    except RecursionError as error:
        raise InvalidInput(f"an event is nested at most {MAX_DEPTH} deep", field="body") from error
    except ValueError as error:
        raise InvalidInput(f"this is not JSON: {_told(error)}", field="body") from error
    if not isinstance(tree, dict):
        raise InvalidInput("an event is a JSON object", field="body")
    # Counting bytes gives upper bounds for free; only what could be out of bounds is walked.
    if (
        item.count(b"{") + item.count(b"[") > MAX_DEPTH
        or item.count(b":") > MAX_KEYS
        or b"\\u" in item
        or (len(item) > 300 and _LONG_NUMBER.search(item) is not None)
    ):
        _walk(tree)


def _walk(tree: Any) -> None:
    keys, level, depth = 0, [tree], 0
    while level:
        depth += 1
        below: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                keys += len(node)
                for name in node:
                    _check_text(name)
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
            elif isinstance(node, str):
                _check_text(node)
            elif isinstance(node, int) and abs(node) > 1e300:
                raise InvalidInput("a number is out of range", field="payload")
        if depth > MAX_DEPTH and any(isinstance(node, dict | list) for node in level):
            raise InvalidInput(f"an event is nested at most {MAX_DEPTH} deep", field="payload")
        if keys > MAX_KEYS:
            raise InvalidInput(f"an event has at most {MAX_KEYS} keys", field="payload")
        level = below


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise InvalidInput("a text holds a NUL character", field="payload")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("a text holds half of a surrogate pair", field="payload") from error


def _told(error: Exception) -> str:
    """What the decoder says, without the bytes that it was given."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error)[:200]
