"""What a language model is told, whoever made it: its own steps, the rest as plain text, results that fit. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agent.models.protocol import Prompt, Said, ToolResult

#: A result is told up to this many bytes of JSON (about 6,000 tokens): a big home must not flood the prompt.
MOST_BYTES: Final = 24_000
#: What a call of an earlier turn came to, and with what, is told this short.
_MOST_EARLIER: Final = 400
#: What is left out of a list is told in so many bytes.
_NOTE: Final = 120
#: What a look-up before the turn brought is bounded by who looked it up.
_MOST_LOOKED_UP: Final = 8_000
_UNITS: Final = {"us": "Fahrenheit, US units", "si": "Celsius, SI units"}


def talk(prompt: Prompt, by: str) -> list[Said]:
    """The messages for a model that keeps its own steps under `opaque[by]`: those it gets back as they were, each
    followed by its results; what another model did, or a turn of before, becomes text of the user's side, as data.
    The situation stands before the person's last words."""
    at = max((i for i, m in enumerate(prompt.messages) if m.role == "user"), default=-1)
    told: list[Said] = []
    asides: list[str] = []
    is_own = False
    for index, said in enumerate(prompt.messages):
        if said.role == "assistant" and said.calls:
            is_own = index > at and by in (said.opaque or {})
            if is_own:
                told.append(said)
            else:
                _add(told, "assistant", said.text)
        elif said.role == "tool":
            if is_own:
                told.append(said)
            else:
                asides.append(_aside(prompt.messages[index - 1], said, is_now=index > at))
        elif said.role == "assistant":
            _add(told, "assistant", said.text)
        else:
            if index == at:
                asides.append(situation(prompt))
            _add(told, "user", "\n\n".join([*asides, said.text]))
            asides = []
    if asides:
        _add(told, "user", "\n\n".join(asides))
    if told and told[0].role != "user":  # the person's words that it answers are further back than what is recalled
        told.insert(0, Said(role="user", text="[The conversation began earlier.]"))
    return told


def _add(told: list[Said], role: Any, text: str) -> None:
    """Two of the same side in a row become one: not every server takes them apart."""
    if not text:
        return
    if told and told[-1].role == role and not told[-1].calls:
        text = f"{told.pop().text}\n\n{text}"
    told.append(Said(role=role, text=text))


def situation(prompt: Prompt) -> str:
    """When and where it is said, in one line of data."""
    try:
        now = prompt.now.astimezone(ZoneInfo(prompt.time_zone))
    except (ZoneInfoNotFoundError, ValueError):
        now = prompt.now
    parts = [f"{now:%A %Y-%m-%d %H:%M} ({prompt.time_zone or 'UTC'})", _UNITS[prompt.unit_system]]
    if prompt.area:
        parts.append(f"the person is in: {prompt.area}")
    if prompt.device_id:
        parts.append(f"the person speaks through the device: {prompt.device_id}")
    return f"[Situation: {'; '.join(parts)}]"


def _aside(called: Said, said: Said, *, is_now: bool) -> str:
    """Calls that are not the model's own, with what came of them. They are no pattern to follow, so they are not
    written as calls."""
    arguments = {c.id: c.arguments for c in called.calls}
    if any(r.call_id == "recalled" for r in said.results):
        data = [as_json(r.output)[:_MOST_LOOKED_UP] for r in said.results]
        return f"[Data that HomeGuard looked up for these words: {' '.join(data)}]"
    most = MOST_BYTES if is_now else _MOST_EARLIER
    lines = []
    for r in said.results:
        given = as_json(arguments.get(r.call_id, {}))[:_MOST_EARLIER]
        ended = as_json(result_of(r, most))[:most] if r.output or r.error else r.status
        lines.append(f"{r.name} with {given} came to {ended}")
    when = "in this turn" if is_now else "before"
    return f"[Data: what the assistant did {when}: {'; '.join(lines)}]"


def result_of(result: ToolResult, most: int = MOST_BYTES) -> dict[str, Any]:
    """A tool's result for a model: `output` for what was told, `error` when it came to nothing, with its status."""
    told: dict[str, Any] = {}
    if result.output:
        told["output"] = shortened(result.output, most)
    if result.status != "ok":
        told["status"] = result.status
        told["error"] = result.error or result.status
    if result.stale_since:
        told["only_known_since"] = dict(result.stale_since)
    return told or {"output": {}}


def shortened(output: Mapping[str, Any], most: int = MOST_BYTES) -> dict[str, Any]:
    """The output, at most about so many bytes of JSON: its long lists keep their heads, and `left_out` says so."""
    whole = dict(output)
    size = len(as_json(whole).encode())
    if size <= most:
        return whole
    lists = {k: len(as_json(v).encode()) for k, v in whole.items() if isinstance(v, list | tuple)}
    room = most - (size - sum(lists.values())) - _NOTE * len(lists)
    if not lists or room < most // 4:
        return {"beginning": as_json(whole)[: most // 2], "left_out": "the rest is too long; ask for less"}
    left_out = []
    for number, name in enumerate(sorted(lists, key=lambda k: lists[k])):
        items = whole[name]
        kept = _fitting(items, room // (len(lists) - number))
        room -= min(lists[name], room // (len(lists) - number))
        if kept < len(items):
            whole[name] = list(items[:kept])
            left_out.append(f"{len(items) - kept} of these {len(items)} {name}")
    # it stands behind the items that are not here
    whole.pop("next_cursor", None)
    how = "look for what is meant with find_devices" if "devices" in lists else "ask for less"
    whole["left_out"] = f"{', '.join(left_out)} are not shown: {how}"
    return whole


def _fitting(items: Sequence[Any], most: int) -> int:
    """How many of the first items fit."""
    size = 2
    for count, item in enumerate(items):
        size += len(as_json(item).encode()) + 1
        if size > most:
            return count
    return len(items)


def as_json(value: object) -> str:
    """As it is sent: short, in its own letters."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
