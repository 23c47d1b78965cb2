"""The pages that are not the chat: sign in, confirm, the reference; all from this process, none from elsewhere."""

import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from api.access import COOKIE, Callers, Limits, is_ours, remote_of
from api.deps import ApiDeps, Deps
from api.headers import all_of, first_of
from api.pin_page import pin_page
from api.question_page import NO_SUCH_QUESTION, again_page, question_page, words_page
from api.strict import read_body
from homeguard.errors import Conflict, HomeGuardError, InvalidInput, NotAllowed, NotFound, NotSignedIn, RateLimited
from homeguard.model import Confirmation, Principal
from pipeline.command.show import show_confirmation

STATIC: Final = Path(__file__).resolve().parent.parent / "static"
REFERENCE: Final = Path(__file__).resolve().parent.parent / "reference"
_FORM_LIMIT: Final = 4096
_FORM: Final = "application/x-www-form-urlencoded"
#: Nobody's history, cache or back button keeps a question.
_UNKEPT: Final = {"Cache-Control": "no-store"}
routes = APIRouter(include_in_schema=False)


@routes.get("/")
async def start() -> RedirectResponse:
    return RedirectResponse("/chat/", 307)


@routes.get("/login")
async def login() -> FileResponse:
    return FileResponse(STATIC / "login.html", headers={"Cache-Control": "no-cache"})


@routes.get("/confirm/{token}")
async def confirm(token: str, request: Request, deps: Deps) -> Response:
    """One question, for a client that cannot ask. The link finds it and allows nothing: who opens it signs in as in the
    chat, and what they may answer is what they could answer there. It ends with the question."""
    try:
        principal, card = await _question(token, request, deps)
    except NotSignedIn:
        if first_of(request.scope, b"sec-fetch-site") == "cross-site":
            return HTMLResponse(again_page(), headers=_UNKEPT)
        return RedirectResponse(f"/login?next={quote(f'/confirm/{token}', safe='')}", 303)
    except NotFound:
        return HTMLResponse(words_page(NO_SUCH_QUESTION), 404, headers=_UNKEPT)
    return await _shown(card, principal, token, deps)


@routes.post("/confirm/{token}")
async def answer(token: str, request: Request, deps: Deps) -> Response:
    """The press on that page: only from the page itself."""
    if not _is_from_our_page(request, deps):
        raise NotAllowed("this page may not do that here", code="FOREIGN_ORIGIN")
    approve, pin = await _pressed(request)
    try:
        principal, card = await _question(token, request, deps)
    except NotSignedIn:
        return RedirectResponse(f"/login?next={quote(f'/confirm/{token}', safe='')}", 303)
    except NotFound:
        return HTMLResponse(words_page(NO_SUCH_QUESTION), 404, headers=_UNKEPT)
    try:
        card = await deps.commands.decide(principal, card.id, approve=approve, pin=pin)
    except HomeGuardError as error:
        status = 409 if isinstance(error, Conflict) else 429 if isinstance(error, RateLimited) else 403
        if not isinstance(error, Conflict | RateLimited | NotAllowed | NotFound):
            raise
        card = await deps.commands.confirmation(principal, card.id)
        answered = await _shown(card, principal, token, deps, problem=_sentence(error.message), status=status)
        if isinstance(error, RateLimited):
            answered.headers["Retry-After"] = str(error.details.get("retry_after_s", 1))
        return answered
    return await _shown(card, principal, token, deps)


@routes.get("/pin")
async def pin(request: Request, deps: Deps) -> Response:
    """The owner's screen for the PIN of their home."""
    try:
        principal = await _signed_in(request)
    except NotSignedIn:
        return RedirectResponse("/login?next=%2Fpin", 303)
    return await _pin_shown(principal, deps)


@routes.post("/pin")
async def change_pin(request: Request, deps: Deps) -> Response:
    """Set it, change it or remove it: with the password once more, and only from that page itself."""
    if not _is_from_our_page(request, deps):
        raise NotAllowed("this page may not do that here", code="FOREIGN_ORIGIN")
    fields = await _form(request)
    try:
        principal = await _signed_in(request)
    except NotSignedIn:
        return RedirectResponse("/login?next=%2Fpin", 303)
    try:
        done = await _change(principal, fields, remote_of(request), deps)
    except (InvalidInput, NotAllowed, NotFound, RateLimited) as error:
        status = {RateLimited: 429, InvalidInput: 422}.get(type(error), 403)
        shown = await _pin_shown(principal, deps, problem=_sentence(error.message), status=status)
        if isinstance(error, RateLimited):
            shown.headers["Retry-After"] = str(error.details.get("retry_after_s", 1))
        return shown
    return await _pin_shown(principal, deps, done=done)


@routes.get("/docs")
async def docs() -> FileResponse:
    return FileResponse(REFERENCE / "reference.html", headers={"Cache-Control": "no-cache"})


@routes.get("/swagger-ui.html")
async def swagger() -> RedirectResponse:
    return RedirectResponse("/docs", 307)


async def _signed_in(request: Request) -> Principal:
    """Raises NotSignedIn: nobody is, in this browser; a program's token opens no page."""
    callers: Callers = request.app.state.callers
    limits: Limits = request.app.state.limits
    if COOKIE not in request.cookies or all_of(request.scope, b"authorization"):
        raise NotSignedIn("sign in first")
    principal = (await callers.of(request.scope)).principal
    await limits.check_person(principal, f"{request.method} page")
    return principal


async def _change(principal: Principal, fields: Mapping[str, str], remote: str, deps: ApiDeps) -> str:
    """What was done, in words."""
    await deps.identity.check_password(principal, fields.get("password", ""), remote=remote)
    if fields.get("do") == "remove":
        await deps.pin.remove(principal)
        return "The PIN is removed."
    if fields.get("pin", "") != fields.get("again", ""):
        raise InvalidInput("the two PINs are not the same", field="again")
    await deps.pin.set(principal, fields.get("pin", ""))
    return "The PIN is set."


async def _pin_shown(
    principal: Principal, deps: ApiDeps, *, problem: str = "", done: str = "", status: int = 200
) -> Response:
    home = await deps.users.home(principal.home_id)
    page = pin_page(
        home=home.name if home is not None else "Your home",
        is_set=await deps.pin.is_set(principal.home_id),
        may=principal.role == "owner",
        problem=problem,
        done=done,
    )
    return HTMLResponse(page, status, headers=_UNKEPT)


async def _question(token: str, request: Request, deps: ApiDeps) -> tuple[Principal, Confirmation]:
    """Who looks, in the home of the question, and the question.

    Raises:
        NotSignedIn: nobody is signed in here.
        NotFound: none of this person's homes has it, or the link is another.
    """
    principal = await _signed_in(request)
    card_id, _, link = token.partition(".")
    for member in await deps.users.homes_of(principal.user_id) if len(token) <= 300 else ():
        there = principal
        if member.home_id != principal.home_id:
            there = await deps.identity.principal(request.cookies[COOKIE], home_id=member.home_id)
        try:
            card = await deps.commands.confirmation(there, card_id)
        except NotFound:
            continue
        if card.link and hmac.compare_digest(card.link.encode(), link.encode()):
            return there, card
    raise NotFound("there is no such confirmation", code="CONFIRMATION_NOT_FOUND")


async def _shown(
    card: Confirmation, principal: Principal, token: str, deps: ApiDeps, *, problem: str = "", status: int = 200
) -> Response:
    home = await deps.users.home(card.home_id)
    page = question_page(
        show_confirmation(card),
        home=home.name if home is not None else "Your home",
        me=principal.user_id,
        now=deps.clock.now(),
        problem=problem,
        action=f"/confirm/{quote(token, safe='.-_')}",
    )
    return HTMLResponse(page, status, headers=_UNKEPT)


def _is_from_our_page(request: Request, deps: ApiDeps) -> bool:
    """A browser always says where a form was sent from; whoever says nothing is none."""
    said = all_of(request.scope, b"origin") or all_of(request.scope, b"sec-fetch-site")
    return bool(said) and is_ours(request.scope, deps)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form of ours; of a name that comes twice, all that was said, which fits no answer."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise InvalidInput("send the form of the page", field="content-type")
    raw = await read_body(request, _FORM_LIMIT)
    try:
        fields = parse_qs(raw.decode(), max_num_fields=10, strict_parsing=bool(raw))
    except (UnicodeDecodeError, ValueError) as error:
        raise InvalidInput("the form cannot be read", field="body") from error
    return {name: ",".join(said) for name, said in fields.items()}


async def _pressed(request: Request) -> tuple[bool, str]:
    fields = await _form(request)
    if fields.get("answer") not in ("yes", "no"):
        raise InvalidInput("answer yes or no", field="answer")
    return fields["answer"] == "yes", fields.get("pin", "")[:32]


def _sentence(message: str) -> str:
    return f"{message[:1].upper()}{message[1:]}."
