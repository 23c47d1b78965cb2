"""Which model an evaluation asks: the planner, the configured one alone, or what a configured one once answered."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from agent.models.protocol import Model
from agent.models.recorded import RecordedModel, Recording
from deploy.models import chosen, models_of
from homeguard.clock import SystemClock
from homeguard.errors import InvalidInput
from homeguard.settings import load

#: What a language model may be called without its name.
_CONFIGURED: Final = ("live", "gemini", "model")


@asynccontextmanager
async def answering(
    mode: str, data_dir: Path | None, record: Path | None = None, recording: Path | None = None, *, named: str = "live"
) -> AsyncIterator[tuple[Sequence[Model] | None, datetime | None]]:
    """The models of this mode (None: the planner) and the time at which to begin, when that matters.

    `live` asks the configured model and nobody else, so that its figures are its own.

    Raises:
        InvalidInput: none is configured, or another one than was named.
    """
    if mode == "rules":
        yield None, None
        return
    if mode == "scripted" and recording is not None:
        played = RecordedModel.read(recording)
        yield (played,), played.began_at
        return
    settings = load({"data_dir": data_dir})
    found = chosen(settings)
    if found is None:
        raise InvalidInput(
            "no language model is configured: set HOMEGUARD_MODEL_URL and HOMEGUARD_MODEL_NAME, or GEMINI_API_KEY"
        )
    if named not in (*_CONFIGURED, found.name) or (named in ("gemini", "model") and named != found.family):
        raise InvalidInput(f"the configured model is {found.name}, not {named}", field="model")
    clock = SystemClock()
    models = models_of(settings, clock, lambda family, asked: None)
    assert models.guarded is not None
    began_at = clock.now()
    recorder = Recording(models.guarded, began_at, (settings.gemini_api_key, settings.model_key))
    try:
        yield ((recorder if record is not None else models.guarded),), began_at
    finally:
        await models.close()
        if record is not None:
            recorder.write(record)
