"""Records what a model answered, and plays it back without a network: for the same prompts, and for no others.

Ids and times differ from run to run, so they are told apart by their order only: a prompt is the same when nothing else
in it differs. A recording is one JSON document; it holds what was said, so record homes that may be shown.
"""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

from agent.graph.state import said_to_json
from agent.models.protocol import OFFLINE, Model, Prompt, Step, Token, ToolCall
from homeguard.clock import iso, parse_time
from homeguard.errors import HomeGuardError, NotFound

FORMAT: Final = 1
_ID: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_TIME: Final = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?")
_STOOD_FOR: Final = re.compile(r"<id (\d+)>")
_SHOWN: Final = 160


class RecordingDiffers(HomeGuardError):
    """What is asked is not what was recorded; the message says what differs."""

    code = "RECORDING_DIFFERS"


class Recording:
    """A model that answers as `model` does and keeps what it was asked and said. `secrets` never get into the file."""

    def __init__(self, model: Model, began_at: datetime, secrets: Sequence[str] = ()) -> None:
        self._model = model
        self._began_at = began_at
        self._secrets = [s for s in secrets if s]
        self._messages: dict[str, Any] = {}
        self._steps: list[dict[str, Any]] = []

    @property
    def name(self) -> str:
        return self._model.name

    async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
        """As the model's. What ends without a step is not kept."""
        ids = _Ids()
        asked, messages = _normal(prompt, ids)
        tokens: list[str] = []
        async with aclosing(cast(Any, self._model.stream(prompt))) as parts:
            async for part in parts:
                if isinstance(part, Token):
                    tokens.append(part.text)
                else:
                    self._messages |= messages
                    step = json.loads(ids.stand_in(json.dumps(asdict(part), ensure_ascii=False)))
                    self._steps.append({"prompt": asked, "tokens": tokens, "step": step})
                yield part

    def write(self, path: Path) -> None:
        """All so far, as one document."""
        document = {
            "format": FORMAT, "model": self.name, "began_at": iso(self._began_at), "messages": self._messages,
            "steps": self._steps,
        }  # fmt: skip
        text = json.dumps(document, ensure_ascii=False, indent=1)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        path.write_text(text + "\n", encoding="utf-8")


class RecordedModel:
    """Plays a recording: each prompt gets what it got then, as often as it got it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._messages: Mapping[str, Any] = document["messages"]
        self._left: list[Mapping[str, Any]] = list(document["steps"])
        self._count = len(self._left)
        self.name = str(document["model"])
        if self.name == OFFLINE:
            raise RecordingDiffers("a recording is of a language model, and none is called offline")
        #: When the recording began: replay it at that time.
        self.began_at = parse_time(document["began_at"])

    @classmethod
    def read(cls, path: Path) -> "RecordedModel":
        """The recording in this file.

        Raises:
            NotFound: there is none.
            RecordingDiffers: it is no recording, or of another format.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["format"] != FORMAT:
                raise RecordingDiffers(f"{path} is a recording of format {document['format']}, not {FORMAT}")
            return cls(document)
        except OSError as error:
            raise NotFound(f"{path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise RecordingDiffers(f"{path} is not a recording") from error

    @property
    def left(self) -> int:
        """How many recorded steps nobody has asked for yet."""
        return len(self._left)

    async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
        """As `Model.stream`. Raises RecordingDiffers: this was not recorded, or the recording is at its end."""
        ids = _Ids()
        asked, messages = _normal(prompt, ids)
        found = next((step for step in self._left if step["prompt"] == asked), None)
        if found is None:
            raise RecordingDiffers(self._difference(asked, messages))
        self._left.remove(found)
        for text in found["tokens"]:
            yield Token(text=text)
        told = json.loads(ids.put_back(json.dumps(found["step"], ensure_ascii=False)))
        yield Step(**{**told, "calls": tuple(ToolCall(**c) for c in told["calls"]),
                      "refusals": tuple(told["refusals"])})  # fmt: skip

    def _difference(self, asked: Mapping[str, Any], messages: Mapping[str, Any]) -> str:
        if not self._left:
            return f"the recording has {self._count} steps, and this is one more: record it again"
        then, number = self._left[0]["prompt"], self._count - len(self._left) + 1
        where = f"step {number} of the recording differs"
        if then["system"] != asked["system"]:
            return f"{where}: the system prompt is another"
        tools = sorted(n for n in {*then["tools"], *asked["tools"]} if then["tools"].get(n) != asked["tools"].get(n))
        if tools:
            return f"{where}: other tools, or told in other words: {', '.join(tools)}"
        for at, (old, new) in enumerate(zip(then["messages"], asked["messages"], strict=False)):
            if old != new:
                return f"{where} in message {at + 1}: {_between(self._messages.get(old), messages[new])}"
        more = len(asked["messages"]) - len(then["messages"])
        if more:
            return f"{where}: {abs(more)} messages {'more' if more > 0 else 'less'} than then"
        return f"{where}: {_between(then['place'], asked['place'])}"


class _Ids:
    """The ids of one prompt in the order in which they come."""

    def __init__(self) -> None:
        self._known: list[str] = []

    def stand_in(self, text: str) -> str:
        """With `<id 1>` and so on in their place; new ones are counted on."""

        def one(match: re.Match[str]) -> str:
            if match[0] not in self._known:
                self._known.append(match[0])
            return f"<id {self._known.index(match[0]) + 1}>"

        return _ID.sub(one, text)

    def put_back(self, text: str) -> str:
        def one(match: re.Match[str]) -> str:
            number = int(match[1])
            return self._known[number - 1] if number <= len(self._known) else match[0]

        return _STOOD_FOR.sub(one, text)


def _normal(prompt: Prompt, ids: _Ids) -> tuple[dict[str, Any], dict[str, Any]]:
    """What makes a prompt what it is, and its messages by their digests."""
    messages: dict[str, Any] = {}
    order = []
    for said in prompt.messages:
        text = _TIME.sub("<time>", ids.stand_in(json.dumps(said_to_json(said), ensure_ascii=False, sort_keys=True)))
        digest = _digest(text)
        messages[digest] = json.loads(text)
        order.append(digest)
    asked = {
        "system": _digest(prompt.system),
        "tools": {t.name: _digest(json.dumps([t.description, dict(t.input_schema)], sort_keys=True))
                  for t in prompt.tools},
        "messages": order,
        "place": [prompt.time_zone, prompt.unit_system, prompt.area, prompt.device_id],
    }  # fmt: skip
    return asked, messages


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _between(old: object, new: object) -> str:
    """The first place where two values differ, with a little of what stands around it."""
    before, after = (json.dumps(v, ensure_ascii=False, sort_keys=True) for v in (old, new))
    at = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after)))
    start = max(0, at - _SHOWN // 4)
    return f"it was ...{before[start : start + _SHOWN]} and is ...{after[start : start + _SHOWN]}"
