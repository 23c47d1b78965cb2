"""What only the operator's commands ask of an instance: tokens, replays, the log, scenarios. ASGI, at `/operator`."""

import asyncio
import logging
import math
import tempfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from deploy.data_plane import DataPlane
from homeguard.clock import Clock, iso, parse_time
from homeguard.errors import Conflict, HomeGuardError, InvalidInput, NotAllowed, NotFound, PayloadTooLarge
from homeguard.identity.identity import Identity
from homeguard.model import Home, Principal
from homeguard.ports.log import TOPICS
from homeguard.ports.stores import Stores
from homeguard.ports.users import AccessToken
from pipeline.topics import RECORD, TOPICS_OF
from scenarios.engine import ScenarioEngine
from scenarios.replay import replay

log = logging.getLogger("homeguard")

_Kind = TypeVar("_Kind", bound=msgspec.Struct)

_REPLAY_LIMIT: Final = 512 * 1024 * 1024
_EVERY_S: Final = 0.1
_LETTERS_LIMIT: Final = 1_000
#: Groups whose handlers store by the event's id, so that reading twice changes nothing.
_REPEATABLE: Final = frozenset((RECORD,))


class _NewToken(msgspec.Struct, forbid_unknown_fields=True):
    """`device_id` named: a device's token in `home`; else a client's, for `scopes` and `servers`."""

    name: Annotated[str, msgspec.Meta(max_length=100)] = ""
    scopes: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    device_id: str = ""
    home: str = ""
    expires_days: Annotated[float, msgspec.Meta(gt=0, le=36_500)] | None = None


class _Retry(msgspec.Struct, forbid_unknown_fields=True):
    """`limit` None: all that wait now."""

    limit: Annotated[int, msgspec.Meta(ge=1)] | None = None


class _Rewind(msgspec.Struct, forbid_unknown_fields=True, rename={"since": "from"}):
    """`from` is a time, or "start"."""

    since: str
    group: str = RECORD


class Operator:
    """The routes; every one takes an operator's token (`Identity.operator_token`), never a person's session."""

    def __init__(
        self, *, identity: Identity, stores: Stores, plane: DataPlane, scenarios: ScenarioEngine, clock: Clock
    ) -> None:
        self._identity = identity
        self._stores = stores
        self._plane = plane
        self._scenarios = scenarios
        self._clock = clock
        self.app = Starlette(
            routes=[
                Route("/tokens", self._tokens, methods=["GET", "POST"]),
                Route("/tokens/{token_id}", self._revoke, methods=["DELETE"]),
                Route("/replay", self._replay, methods=["POST"]),
                Route("/dead-letters", self._dead_letters, methods=["GET"]),
                Route("/dead-letters/retry", self._retry, methods=["POST"]),
                Route("/topics", self._topics, methods=["GET"]),
                Route("/topics/replay", self._rewind, methods=["POST"]),
                Route("/scenarios/{name}/start", self._scenario, methods=["POST"]),
            ],
            exception_handlers={HomeGuardError: _told},
        )

    async def _tokens(self, request: Request) -> Response:
        principal = await self._operator(request)
        if request.method == "GET":
            return JSONResponse({"items": [_shown(t) for t in await self._identity.list_tokens()]})
        try:
            wanted = msgspec.json.decode(await request.body(), type=_NewToken)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InvalidInput(f"this token cannot be made: {error}", field="body") from error
        expires = timedelta(days=wanted.expires_days) if wanted.expires_days is not None else None
        if wanted.device_id:
            home = await self._home(principal, wanted.home)
            device = await self._stores.devices.get(home.id, wanted.device_id)
            if device is None:
                raise NotFound(f"{home.name} has no device '{wanted.device_id}'", code="DEVICE_NOT_FOUND")
            owner = Principal(home_id=home.id, user_id=principal.user_id, role="owner", caller="person")
            row, token = await self._identity.create_device_token(
                owner, device.id, name=wanted.name, expires_in=expires
            )
        else:
            row, token = await self._identity.create_client_token(
                principal, wanted.name or "client", scopes=wanted.scopes, servers=wanted.servers, expires_in=expires
            )
        return JSONResponse({**_shown(row), "token": token})

    async def _revoke(self, request: Request) -> Response:
        await self._operator(request)
        if not await self._identity.revoke_token(request.path_params["token_id"]):
            raise NotFound("there is no such token", code="TOKEN_NOT_FOUND")
        return JSONResponse({"revoked": True})

    async def _scenario(self, request: Request) -> Response:
        principal = await self._operator(request)
        run = await self._scenarios.run(request.path_params["name"], principal.home_id)
        return JSONResponse({"scenario": run.scenario.name, "status": run.status})

    async def _replay(self, request: Request) -> Response:
        principal = await self._operator(request)
        home = await self._home(principal, request.query_params.get("home", ""))
        speed = _speed(request.query_params.get("speed", "max"))
        keep_times = request.query_params.get("keep_times") == "true"
        folder = tempfile.TemporaryDirectory(prefix="homeguard-replay-")
        path = Path(folder.name) / "log.jsonl"
        await _save(request, path)
        progress: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=1000)

        async def lines() -> AsyncIterator[bytes]:
            with folder:
                task = asyncio.create_task(self._run_replay(path, home, speed, keep_times, progress))
                try:
                    while True:
                        line = await progress.get()
                        yield msgspec.json.encode(line) + b"\n"
                        if "summary" in line or "error" in line:
                            return
                finally:
                    task.cancel()

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def _run_replay(
        self, path: Path, home: Home, speed: float, keep_times: bool, progress: asyncio.Queue[dict[str, Any]]
    ) -> None:
        told = 0.0

        def on_progress(done: int, total: int) -> None:
            nonlocal told
            now = self._clock.monotonic()
            if now - told >= _EVERY_S and not progress.full():
                told = now
                progress.put_nowait({"done": done, "total": total})

        try:
            summary = await replay(
                path, home, intake=self._plane.intake, devices=self._stores.devices,
                speed=speed, keep_times=keep_times, on_progress=on_progress,
            )  # fmt: skip
            await self._plane.caught_up()
        except HomeGuardError as error:
            await progress.put({"error": {"code": error.code, "message": error.message}})
        except Exception:
            # whoever follows waits for a last line
            log.exception("a replay failed")
            await progress.put({"error": {"code": "INTERNAL_ERROR", "message": "the replay failed; see the log"}})
        else:
            await progress.put({"summary": msgspec.to_builtins(summary)})

    async def _dead_letters(self, request: Request) -> Response:
        await self._operator(request)
        text = request.query_params.get("limit", "100")
        limit = int(text) if text.isdecimal() else 0
        if not 0 < limit <= _LETTERS_LIMIT:
            raise InvalidInput(f"limit is a number from 1 to {_LETTERS_LIMIT}", field="limit")
        return JSONResponse({"items": msgspec.to_builtins(await self._plane.dead_letters.list(limit))})

    async def _retry(self, request: Request) -> Response:
        await self._operator(request)
        wanted = await _body(request, _Retry)
        return JSONResponse(msgspec.to_builtins(await self._plane.dead_letters.retry(wanted.limit)))

    async def _topics(self, request: Request) -> Response:
        await self._operator(request)
        groups = {
            group: {"topics": list(topics), "lag": await self._plane.logs[group].lag(group),
                    "runs_here": group in self._plane.processors}
            for group, topics in TOPICS_OF.items()
        }  # fmt: skip
        readers = {topic: [g for g, told in TOPICS_OF.items() if topic in told] for topic in TOPICS}
        return JSONResponse({"topics": readers, "groups": groups})

    async def _rewind(self, request: Request) -> Response:
        """Only a group that does nothing but keep what it reads may read it twice."""
        await self._operator(request)
        wanted = await _body(request, _Rewind)
        if wanted.group not in TOPICS_OF:
            raise NotFound(f"there is no group '{wanted.group}', only {', '.join(TOPICS_OF)}", code="GROUP_NOT_FOUND")
        if wanted.group not in _REPEATABLE:
            raise InvalidInput(
                f"the group '{wanted.group}' acts on what it reads: reading it again would notify and command again; "
                f"only '{RECORD}' can",
                field="group",
            )
        processor = self._plane.processors.get(wanted.group)
        if processor is None:
            raise Conflict(f"this process does not run the group '{wanted.group}': ask the one that does")
        try:
            at = None if wanted.since == "start" else parse_time(wanted.since)
        except ValueError as error:
            raise InvalidInput(f"from: {error}, or the word start", field="from") from error
        await processor.rewind(at)
        lag = await self._plane.logs[wanted.group].lag(wanted.group)
        return JSONResponse({"group": wanted.group, "from": iso(at) if at is not None else None, "records": lag})

    async def _operator(self, request: Request) -> Principal:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        principal = await self._identity.principal(token)
        if principal.caller != "person" or principal.session_id:
            raise NotAllowed("this is for the operator's own commands")
        return principal

    async def _home(self, principal: Principal, name: str) -> Home:
        wanted = name.casefold() or principal.home_id
        if "@" in name:
            found = await self._stores.users.user_by_email(name)
            homes = await self._stores.users.homes_of(found[0].id) if found is not None else []
            wanted = homes[0].home_id if homes else wanted
        for home in await self._stores.users.homes():
            if wanted in (home.id, home.name.casefold()):
                return home
        raise NotFound(f"there is no home '{name}'", code="HOME_NOT_FOUND")


async def _body(request: Request, kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInput(f"this cannot be done: {error}", field="body") from error


def _speed(text: str) -> float:
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise InvalidInput("speed is a number above 0, or max", field="speed")
    return speed


async def _save(request: Request, path: Path) -> None:
    size = 0
    with path.open("wb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > _REPLAY_LIMIT:
                raise PayloadTooLarge(f"a recorded log has at most {_REPLAY_LIMIT} bytes")
            file.write(chunk)
    if not size:
        raise InvalidInput("the file is empty", field="file")


def _shown(row: AccessToken) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "kind": row.kind,
        "scopes": list(row.scopes),
        "servers": list(row.servers),
        "device_id": row.device_id,
        "created_at": iso(row.created_at),
        "expires_at": iso(row.expires_at) if row.expires_at is not None else None,
        "revoked_at": iso(row.revoked_at) if row.revoked_at is not None else None,
    }


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, HomeGuardError)
    body = {"error": {"code": error.code, "message": error.message, "details": dict(error.details)}}
    return JSONResponse(body, status_code=error.status)
