"""The pages that are not the chat: sign in, confirm, the reference; all from this process, none from elsewhere."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse, RedirectResponse

STATIC: Final = Path(__file__).resolve().parent.parent / "static"
REFERENCE: Final = Path(__file__).resolve().parent.parent / "reference"
routes = APIRouter(include_in_schema=False)


@routes.get("/")
async def start() -> RedirectResponse:
    return RedirectResponse("/chat/", 307)


@routes.get("/login")
async def login() -> FileResponse:
    return FileResponse(STATIC / "login.html", headers={"Cache-Control": "no-cache"})


@routes.get("/confirm/{confirmation_id}")
async def confirm(confirmation_id: str) -> FileResponse:
    return FileResponse(STATIC / "confirm.html", headers={"Cache-Control": "no-cache"})


@routes.get("/docs")
async def docs() -> FileResponse:
    return FileResponse(REFERENCE / "reference.html", headers={"Cache-Control": "no-cache"})


@routes.get("/swagger-ui.html")
async def swagger() -> RedirectResponse:
    return RedirectResponse("/docs", 307)
