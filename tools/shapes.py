"""Settings that every result type shares: the text under a field is its description in the tool's schema."""

from typing import Final

SHAPE: Final = {"use_attribute_docstrings": True}
