"""Which concerns of a folder have been in step with their engine: what such an engine lacks was deleted there."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger("homeguard.engines")


class Followed:
    """A set of concerns, kept in a file. One that is not in it may be a home of its own, that was not moved yet."""

    def __init__(self, path: Path | None = None, places: Mapping[str, str] | None = None) -> None:
        """`places`: concern -> where its engine is. Another place, or none, and the folder is on its own again: it may
        have gone its own way meanwhile. Without a `path` nothing is kept."""
        self._path = path
        self._places = dict(places or {})
        self._kept: dict[str, str] = {}
        if path is None:
            return
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            self._kept = {concern: place for concern, place in found.items() if self._places.get(concern) == place}
        except FileNotFoundError:
            return
        except (OSError, ValueError, AttributeError):
            found = None
        if found != self._kept:
            self._write()

    def __contains__(self, concern: str) -> bool:
        return concern in self._kept

    def add(self, concern: str) -> None:
        if concern not in self._kept:
            self._kept[concern] = self._places.get(concern, "")
            self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        try:
            draft = self._path.with_suffix(".draft")
            draft.write_text(json.dumps(self._kept), encoding="utf-8")
            draft.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error.strerror)
