"""Writes the OpenAPI document that the tests hold the API to: `python -m api.snapshot`."""

import json
from pathlib import Path
from typing import Final

from api.app import routed

SNAPSHOT: Final = Path(__file__).resolve().parent.parent / "tests" / "api" / "openapi.json"


def current() -> str:
    """The document as it is now, as text."""
    return json.dumps(routed().openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    SNAPSHOT.write_text(current(), encoding="utf-8")


if __name__ == "__main__":
    main()
