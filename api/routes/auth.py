"""Signing in and out."""

from fastapi import Request, Response

from api import shapes, wire
from api.access import COOKIE, SignedIn, remote_of
from api.deps import ApiDeps, Deps
from api.routes.users import homes_of
from api.routing import public_router, reply, router
from homeguard.errors import NotAllowed
from homeguard.identity.identity import SignIn
from homeguard.identity.tickets import TTL_S
from homeguard.identity.tokens import CHAT_TTL

public = public_router("/auth", "auth")
routes = router("/auth", "auth")


@public.post("/login", response_model=wire.SignedInAnswer)
async def login(body: wire.Login, request: Request, deps: Deps) -> Response:
    """Sign in: tokens in the answer, and the cookie that chat and pages use."""
    signed_in = await deps.identity.login(body.email, body.password, remote=remote_of(request))
    return _signed_in(signed_in, request, deps)


@public.post("/refresh", response_model=wire.SignedInAnswer)
async def refresh(body: wire.Refresh, request: Request, deps: Deps) -> Response:
    """New tokens for a refresh token, which is used up; using one twice ends the session."""
    return _signed_in(await deps.identity.refresh(body.refresh_token), request, deps)


@public.get("/demo", response_model=wire.Demo)
async def demo(deps: Deps) -> Response:
    """The people of the demo homes, when the demo is on."""
    users = [{"email": u["email"], "name": u.get("name", "")} for u in deps.demo_users]
    password = deps.demo_users[0].get("password", "") if deps.demo_users else ""
    return reply({"demo": bool(users), "users": users, "password": password})


@routes.post("/logout", response_model=wire.SignedOut)
async def logout(principal: SignedIn, request: Request, deps: Deps) -> Response:
    """End the session: its tokens and the cookie stop working at once, open streams are closed."""
    await deps.identity.logout(principal)
    response = reply({"signed_out": True})
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=_is_https(request, deps))
    return response


@routes.post("/ticket", response_model=wire.Ticket)
async def ticket(principal: SignedIn, deps: Deps) -> Response:
    """A ticket that opens one WebSocket within 30 seconds."""
    if not principal.home_id:
        raise NotAllowed("you have no home here yet")
    return reply({"ticket": deps.identity.issue_ticket(principal), "expires_in": int(TTL_S)})


@routes.get("/session", response_model=wire.SessionView)
async def session(principal: SignedIn, deps: Deps) -> Response:
    """Who is signed in here: for the chat, which is a client of this API."""
    person, homes = await homes_of(principal, deps)
    here = next((h for h in homes if h["id"] == principal.home_id), None)
    return reply(
        {"user": shapes.user(person), "home": here, "session_id": principal.session_id, "role": principal.role}
    )


def _signed_in(signed_in: SignIn, request: Request, deps: ApiDeps) -> Response:
    response = reply(
        {
            "access_token": signed_in.access_token,
            "refresh_token": signed_in.refresh_token,
            "token_type": "bearer",
            "expires_in": signed_in.expires_in,
            "user": shapes.user(signed_in.user),
            "home_id": signed_in.home.id if signed_in.home else None,
        }
    )
    response.headers["Cache-Control"] = "no-store"
    response.set_cookie(
        COOKIE,
        signed_in.chat_token,
        max_age=int(CHAT_TTL.total_seconds()),
        path="/",
        httponly=True,
        samesite="strict",
        secure=_is_https(request, deps),
    )
    return response


def _is_https(request: Request, deps: ApiDeps) -> bool:
    return request.url.scheme == "https" or deps.settings.base_url.startswith("https://")
