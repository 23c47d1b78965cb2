"""When text of third parties has entered a turn: a table of what is ours, and how the rest reads. Pure.

What a tool returns is ours by its shape (ids, numbers, times, words of our own tables); the texts in it are not, unless
their field is listed here. A plain name taints nothing, or every look at the home would.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from agent.graph.phrasing import is_noun_phrase, scripts, size
from agent.models.protocol import ToolResult
from homeguard.mode import ALERT_TITLES
from homeguard.vocabulary import CORE_EVENTS

#: Fields that hold ids, times, words of our tables or the caller's own arguments.
_CODED: Final = frozenset(
    (
        "device_id", "event_id", "event_ids", "command_id", "confirmation_id", "id", "type", "event_type", "kind",
        "severity", "priority", "outcome", "command", "commands", "capabilities", "mode", "active_mode", "arm_state",
        "unit", "unit_system", "time_zone", "at", "start", "end", "changed_at", "last_seen_at", "expires_at",
        "created_at", "updated_at", "next_cursor", "cursor", "url", "confirm_url", "code", "metric", "method",
        "caller", "role", "state_of", "rule", "direction", "window", "period", "trigger_type", "cause",
        "turn_id", "thread_id", "run_id", "version", "user_id", "home_id",
    )
)  # fmt: skip
#: Sentences that our own tools write; they may quote a name, so only what reads like an order counts in them.
_SENTENCES: Final = frozenset(
    (
        "reason", "text", "title", "detail", "explanation", "summary", "note", "message", "description",
        "recommendation", "recommendations", "evidence", "basis", "error", "sentence", "why", "how", "told",
        "chain", "forgot", "wording",
    )
)  # fmt: skip
#: What plays somewhere: titles are long, so only what reads like an order counts.
_TITLES: Final = frozenset(("media_title", "source", "query", "app", "channel"))
#: Below these, every text is the device's own.
_DEVICES_OWN: Final = frozenset(("state", "payload", "set", "before", "attributes"))
#: Tools whose texts are what people or devices wrote, whatever the field is called.
_QUOTING: Final = frozenset(("get_recent_events", "list_automations"))
#: Tools that say of each text who said it: what people of the home told is theirs.
_SAYING_WHOSE: Final = frozenset(("recall", "forget", "get_household"))

_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_NAME_WORDS, _NAME_LENGTH = 6, 60
#: A payload holds codes, numbers and at most somebody's name.
_PAYLOAD_WORDS = 2
_HABIT: Final = 3
#: Fields in which a home's own names stand.
_NAMES: Final = frozenset(("name", "area", "floor", "device", "aliases"))
_PUNCTUATED: Final = re.compile(r"[.!?;:]\s+\S|\n|https?:|www\.|[{}<>\[\]`|]|!\s*$|\?\s*$|\.\s*$")
_ORDER: Final = re.compile(
    r"\b(?:ignor\w*|disregard\w*|overrid\w*|instruct\w*|system (?:message|prompt)|developer mode|jailbreak|from now on"
    r"|you (?:must|should|are|will|need|can)|please|immediately|pretend|obey|comply|execute|invoke|call the"
    r"|grant\w* (?:access|permission)|approve\w*|authori[sz]e\w*|password|without (?:asking|confirmation)"
    r"|forward (?:all|the|my)|send (?:all|the|me|my)|upload|reveal|tell (?:the|me|him|her|them)|remember (?:that|to)"
    r"|delete (?:all|the|my|every)|disable (?:all|the|my|every)|unlock\w*|disarm\w*|turn (?:on|off)"
    r"|open (?:the|my|all|every)|switch (?:on|off|to)|deactivat\w*|silence (?:all|the|my))\b",
    re.IGNORECASE,
)
_TO_A_MODEL: Final = re.compile(
    r"\b(?:ignor\w* (?:all|any|every|the|your|previous|prior|earlier)|disregard\w*|(?:previous|new) instructions"
    r"|system (?:prompt|message)|you are now|you must|developer mode|jailbreak|without (?:asking|confirmation)"
    r"|strictly adhere|call the (?:tool|function)|as an? (?:ai|assistant))\b",
    re.IGNORECASE,
)

#: What a title of an alert of ours begins with.
_HEADS: Final = frozenset(ALERT_TITLES.values())
#: What no sentence of an alert of ours says by itself, so that somebody's name in it does.
_QUOTED: Final = re.compile(r"[<>{}\[\]|=]|\b(?:please|kindly|sudo|unlock|disarm|delete|open the)\b", re.IGNORECASE)


def taints(result: ToolResult, arguments: Mapping[str, Any] | None = None) -> bool:
    """Whether this result carries third-party text that reads like more than a name. What only repeats a text of the
    call's own `arguments` came from this side: before the call it was either the person's or had tainted the turn."""
    if result.error and (_TO_A_MODEL.search(result.error) or len(result.error) > 600):
        return True
    if result.name in _SAYING_WHOSE and "third_party" in result.output:
        return result.output["third_party"] is not False
    if result.name == "explain" and any(link.get("kind") == "client" for link in result.output.get("links", ())):
        return True  # an app has the name that it gave itself
    if result.name == "get_anomalies" and any(map(_quotes, _texts(result.output, "", False))):
        return True
    quoting = result.name in _QUOTING or result.name in _SAYING_WHOSE
    ours = {text for _, text, _ in _texts(arguments or {}, "", False)}
    texts = {told for told in _texts(result.output, "", False) if told[1] not in ours}
    usual = _usual(text for field, text, _ in texts if field in _NAMES)
    return any(_is_more(text, field, usual, quoting=quoting or own) for field, text, own in texts) or any(
        size(text) > _PAYLOAD_WORDS for text in _payload_texts(result.output)
    )


def _quotes(told: tuple[str, str, bool]) -> bool:
    """Whether a title or text of an alert says more than our sentence and a plain name: "Smoke: Kitchen detector"."""
    field, text, _ = told
    head, _, name = text.partition(": ")
    if field == "title" and more_than_a_name(name if head in _HEADS else text):
        return True
    return field in ("title", "text") and _QUOTED.search(text) is not None


def more_than_a_name(text: str, usual: Collection[str] = ()) -> bool:
    """Whether a text that a third party chose says more than what something is called. `usual`: the scripts in which
    the home's names are written beside the Latin one."""
    return (
        size(text) > _NAME_WORDS
        or len(text) > _NAME_LENGTH
        or _PUNCTUATED.search(text) is not None
        or orders(text)
        or not is_noun_phrase(text)
        or (size(text) > 1 and not scripts(text) <= {*usual, "LATIN"})
    )


def orders(text: str) -> bool:
    """Whether a text of several words reads like something to be done."""
    return len(_WORD.findall(text)) > 1 and _ORDER.search(text) is not None


def _usual(names: Iterator[str]) -> set[str]:
    """The scripts in which at least half of the names are written; one or two names show no habit."""
    written = [scripts(name) for name in names]
    if len(written) < _HABIT:
        return set()
    return {s for s in set().union(*written) if 2 * sum(s in found for found in written) >= len(written)}


def _payload_texts(value: Any) -> Iterator[str]:
    """What devices wrote into events, titles of what plays left out."""
    if isinstance(value, Mapping):
        payload = value.get("payload")
        if isinstance(payload, Mapping) and value.get("event_type") not in CORE_EVENTS:
            yield from (t for f, t, _ in _texts(payload, "", True) if f not in _TITLES and f != "title")
        value = tuple(v for k, v in value.items() if k != "payload")
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _payload_texts(inner)


def _is_more(text: str, field: str, usual: Collection[str], *, quoting: bool) -> bool:
    if field in _CODED and not (quoting and field in ("id", "type", "code", "method")):
        return False
    if field in _TITLES or (field == "title" and quoting):
        return orders(text) or _TO_A_MODEL.search(text) is not None
    if field in _SENTENCES and not quoting:
        return _TO_A_MODEL.search(text) is not None
    return more_than_a_name(text, usual)


def _texts(value: Any, field: str, own: bool) -> Iterator[tuple[str, str, bool]]:
    """(field, text, it is the device's own) of every text in it; a key that somebody else chose is a text too."""
    if isinstance(value, str):
        yield field, value, own
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(key, str) and (" " in key or len(key) > _NAME_LENGTH):
                yield "", key, True
            yield from _texts(inner, str(key), own or key in _DEVICES_OWN)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner, field, own)
