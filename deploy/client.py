"""The operator's own HTTP client of a running instance: who can read `local.key` may speak as any person of it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2

from deploy.instance import Instance
from homeguard.clock import SystemClock
from homeguard.errors import HomeGuardError, InvalidInput, NotFound, StoreUnavailable
from homeguard.identity.keys import local_key
from homeguard.identity.tokens import Tokens

DEFAULT_PERSON: Final = "john@demo.com"
_TIMEOUT: Final = httpx2.Timeout(30.0, read=130.0)


class Client:
    """Speaks as one person to one instance; errors of the API become ours."""

    def __init__(self, instance: Instance, data_dir: Path, email: str) -> None:
        self.email = email
        self._tokens = Tokens(local_key(data_dir), SystemClock())
        self._http = httpx2.Client(base_url=instance.url, timeout=_TIMEOUT, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        with _answering():
            return self._read(self._http.get(path, params=params, headers=self._headers()))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        with _answering():
            return self._read(self._http.post(path, json=dict(body or {}), headers=self._headers()))

    def delete(self, path: str) -> Any:
        with _answering():
            return self._read(self._http.delete(path, headers=self._headers()))

    def events(self, path: str, body: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The (name, data) of a POST that answers with server-sent events."""
        headers = {**self._headers(), "Accept": "text/event-stream"}
        with _answering(), self._http.stream("POST", path, json=dict(body), headers=headers) as answer:
            if answer.status_code >= 400:
                answer.read()
                self._read(answer)
            name, data = "message", []
            for line in answer.iter_lines():
                if line.startswith("event:"):
                    name = line[6:].strip()
                elif line.startswith("data:"):
                    data.append(line[5:].strip())
                elif not line and data:
                    yield name, json.loads("\n".join(data))
                    name, data = "message", []

    def lines(self, path: str, body: bytes, **params: Any) -> Iterator[dict[str, Any]]:
        """The lines of a POST that answers with NDJSON while it works; no time limit between them."""
        timeout = httpx2.Timeout(30.0, read=None, write=None)
        with (
            _answering(),
            self._http.stream(
                "POST", path, content=body, params=params, headers=self._headers(), timeout=timeout
            ) as answer,
        ):
            if answer.status_code >= 400:
                answer.read()
                self._read(answer)
            for line in answer.iter_lines():
                if line.strip():
                    yield json.loads(line)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens.operator(self.email, 'api')}"}

    def _read(self, answer: httpx2.Response) -> Any:
        try:
            body = answer.json() if answer.content else {}
        except ValueError as error:
            raise StoreUnavailable(f"HomeGuard answered {answer.status_code} with no JSON") from error
        if answer.status_code >= 400:
            told = body.get("error", {}) if isinstance(body, dict) else {}
            kind = (
                NotFound if answer.status_code == 404 else InvalidInput if answer.status_code < 500 else HomeGuardError
            )
            raise kind(str(told.get("message") or answer.status_code), code=str(told.get("code") or "ERROR"))
        return body


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except httpx2.HTTPError as error:
        raise StoreUnavailable(f"HomeGuard does not answer (any more): {error}") from error
