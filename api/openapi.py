"""The OpenAPI document: the routes, the intake that is no route, who may call what, and the one error body."""

from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api import wire
from api.access import COOKIE
from api.routing import API

_DESCRIPTION: Final = (
    "HomeGuard's REST API. Sign in at `/api/v1/auth/login` and send `Authorization: Bearer <access_token>`. "
    "Times are ISO 8601 in UTC with milliseconds. Lists answer `items` and `next_cursor`. "
    "Every error has the same body. Paths also answer below `/api` and without a prefix."
)
_PUBLIC: Final = frozenset(
    (
        f"{API}/auth/login", f"{API}/auth/refresh", f"{API}/auth/demo", "/health", "/live", "/ready", "/metrics",
    )
)  # fmt: skip
_ERROR: Final = {
    "description": "what went wrong",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}},
}


def documented(app: FastAPI, title: str, version: str) -> Callable[[], dict[str, Any]]:
    """The function that makes the app's document, once."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=title, version=version, description=_DESCRIPTION, routes=app.routes)
            app.openapi_schema = _completed(made)
        return app.openapi_schema

    return document


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for model in (wire.ErrorBody, wire.Taken):
        made = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(made.pop("$defs", {}))
        schemas[model.__name__] = made
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
        "device": {"type": "apiKey", "in": "header", "name": "X-Device-Token"},
    }
    document["paths"].setdefault(f"{API}/events", {})["post"] = _intake("send_events")
    document["paths"]["/telemetry"] = {"post": _intake("send_telemetry")}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation.setdefault("security", [] if path in _PUBLIC else [{"bearer": []}, {"cookie": []}])
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = _ERROR
    document["paths"] = dict(sorted(document["paths"].items()))
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document


def _intake(name: str) -> dict[str, Any]:
    envelope = {
        "type": "object",
        "description": "an event (KF-07), or a reading: device_id, ts, metrics",
        "properties": {
            "event_id": {"type": "string"},
            "device_id": {"type": "string"},
            "event_type": {"type": "string"},
            "timestamp": {"type": "string", "format": "date-time"},
            "payload": {"type": "object"},
            "metadata": {"type": "object"},
        },
    }
    return {
        "tags": ["intake"],
        "summary": "Send events",
        "description": "One object, an array, or NDJSON. 202 once everything accepted is on disk.",
        "operationId": name,
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"oneOf": [envelope, {"type": "array", "items": envelope}]}},
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
        },
        "responses": {
            "202": {
                "description": "taken",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Taken"}}},
            }
        },
        "security": [{"device": []}, {"bearer": []}],
    }
