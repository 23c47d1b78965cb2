"""The JSON schema of a tool's arguments, in the words that language models' services take. Pure."""

from collections.abc import Mapping
from typing import Any, Final

#: What Gemini's `parametersJsonSchema` knows; others take it too.
_KNOWN: Final = frozenset(
    (
        "type", "format", "title", "description", "enum", "items", "prefixItems", "minItems", "maxItems", "minimum",
        "maximum", "anyOf", "oneOf", "properties", "additionalProperties", "required",
    )
)  # fmt: skip
_DEEPEST: Final = 12


def parameters(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object without references and without what the wire does not know; a default becomes part of
    the description, a `const` an `enum` of one."""
    definitions = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    told = _told(schema, definitions, _DEEPEST)
    told.setdefault("type", "object")
    told.setdefault("properties", {})
    return told


def _told(schema: Any, definitions: Mapping[str, Any], levels: int) -> dict[str, Any]:
    if not isinstance(schema, Mapping) or levels == 0:
        return {}
    if "$ref" in schema:
        target = definitions.get(str(schema["$ref"]).rpartition("/")[2], {})
        rest = {k: v for k, v in schema.items() if k != "$ref"}
        return _told({**target, **rest}, definitions, levels - 1)
    told: dict[str, Any] = {}
    for key, value in schema.items():
        if key not in _KNOWN:
            continue
        if key == "properties":
            told[key] = {name: _told(inner, definitions, levels - 1) for name, inner in value.items()}
        elif key in ("anyOf", "oneOf", "prefixItems"):
            told[key] = [_told(inner, definitions, levels - 1) for inner in value]
        elif key == "items" or (key == "additionalProperties" and isinstance(value, Mapping)):
            told[key] = _told(value, definitions, levels - 1)
        else:
            told[key] = value
    if "const" in schema:
        told["enum"] = [schema["const"]]
    if isinstance(schema.get("default"), str | int | float) and schema["default"] not in ("", None):
        said = str(told.get("description", ""))
        told["description"] = f"{said}{'; ' if said else ''}default {schema['default']}"
    return told
