"""A small home behind the REST shapes that the chat uses: scripted turns, cards, a live stream. For tests only.

Run it with the chat in front: `python tests/e2e/fake_rest.py --port 20800 --state DIR --keep FILE`.
The routes below `/fake` stand for what happens elsewhere: an alert, a card pressed in a terminal, a revoked session.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import pickle
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

Json = dict[str, Any]
COOKIE = "homeguard_session"
PASSWORD = "demo123"
POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
STATIC = Path(__file__).parents[2] / "api" / "static"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class FakeHome:
    """Everything that the fake server knows. `secret` signs the cookies, `card_seconds` is how long a card is open,
    `cards_after_s` how long the answer takes how a card was when it was asked for; `cards_asked` counts those."""

    secret: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    card_seconds: int = 300
    cards_after_s: float = 0.0
    cards_asked: int = 0
    titles: dict[str, str] = field(default_factory=dict)
    #: Turn -> (thread, answer): what a turn that was cut off says when the server is back.
    unfinished: dict[str, tuple[str, str]] = field(default_factory=dict)
    mode: Json = field(default_factory=lambda: {"mode": "home", "arm_state": "disarmed"})
    measured: list[float] = field(default_factory=lambda: [20.0 + n % 12 / 4 for n in range(48)])
    pin: str | None = None
    sessions: dict[str, str] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    cards: dict[str, Json] = field(default_factory=dict)
    history: dict[str, list[Json]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    listeners: set[asyncio.Queue[tuple[str, Json]]] = field(default_factory=set)
    followed: asyncio.Event = field(default_factory=asyncio.Event)
    users: dict[str, Json] = field(
        default_factory=lambda: {
            "john@example.com": {"id": "u-john", "name": "John Miller", "role": "owner"},
            "sarah@example.com": {"id": "u-sarah", "name": "Sarah Lee", "role": "member"},
        }
    )
    devices: dict[str, Json] = field(
        default_factory=lambda: {
            d["id"]: d
            for d in (
                _device("front_door_lock", "Front Door Lock", "lock", {"lock": "locked"}, battery_pct=84),
                _device("back_door_lock", "Back Door Lock", "lock", {"lock": "unlocked"}, battery_pct=17),
                _device("living_room_motion", "Living Room Motion", "motion", {"motion": False}, battery_pct=91),
                _device("thermostat", "Thermostat", "thermostat", {"temperature_c": 21.2, "target_c": 21.0}),
                _device("garage_door", "Garage Door", "garage_door", {"cover": "closed", "position_pct": 0}),
            )
        }
    )

    def kept(self) -> Json:
        """What survives a restart."""
        return {k: v for k, v in vars(self).items() if k not in ("listeners", "followed")}

    def token(self, email: str) -> str:
        session = secrets.token_hex(8)
        self.sessions[session] = email
        user = self.users[email]
        claims = {
            "identifier": email, "display_name": user["name"], "sub": user["id"], "jti": session, "iss": "homeguard",
            "metadata": {"role": user["role"]}, "iat": int(time.time()), "exp": int(time.time()) + 43200,
        }  # fmt: skip
        return jwt.encode(claims, self.secret, "HS256")

    async def verify(self, token: str) -> Json | None:
        try:
            claims: Json = jwt.decode(token, self.secret, algorithms=["HS256"])
        except jwt.PyJWTError:
            return None
        known = claims["jti"] in self.sessions and claims["jti"] not in self.revoked
        return claims | {"session_id": claims["jti"]} if known else None

    def publish(self, name: str, data: Json) -> None:
        for listener in self.listeners:
            listener.put_nowait((name, data))

    def change(self, device_id: str, state: Json) -> None:
        self.devices[device_id]["state"] |= state
        said = {"device_id": device_id, "event_type": "state_changed", "state": state, "data": {}}
        self.publish("device_event", said | {"timestamp": now().isoformat()})

    def remember(self, thread: str, turn: str, role: str, text: str, **more: Any) -> None:
        item = {"id": secrets.token_hex(6), "thread_id": thread, "turn_id": turn, "role": role, "text": text}
        self.history.setdefault(thread, []).append(item | {"at": now().isoformat(), "calls": [], "commands": []} | more)

    def ask(self, thread: str, turn: str, device: Json, command: str, sets: Json) -> Json:
        made, name = now(), device["name"]
        card = {
            "id": secrets.token_hex(8), "text": f"{command.capitalize()} the {name.removesuffix(' Lock').lower()}?",
            "detail": f"{name} is locked now. Anyone can come in once it is unlocked.", "tier": "T3",
            "effects": [{"device_id": device["id"], "device_name": name, "command": command, "set": sets}],
            "state": "open", "created_at": made.isoformat(), "thread_id": thread, "turn_id": turn,
            "expires_at": (made + timedelta(seconds=self.card_seconds)).isoformat(), "decided_by": None, "outcome": [],
            "pin_required": self.pin is not None,
        }  # fmt: skip
        self.cards[card["id"]] = card
        self.publish("confirmation", card)
        return card

    async def finish_turns(self) -> None:
        """What was cut off goes on to its end, once somebody follows the home again."""
        if self.unfinished:
            await self.followed.wait()
        for turn, (thread, answer) in self.unfinished.items():
            self.remember(thread, turn, "assistant", answer)
            self.publish("agent_response", {"thread_id": thread, "turn_id": turn, "message": answer, "commands": []})
        self.unfinished.clear()

    async def decide(self, card: Json, email: str, approve: bool) -> None:
        card |= {"state": "approved" if approve else "denied", "decided_by": self.users[email]["id"]}
        effect = card["effects"][0]
        if approve:
            self.devices[effect["device_id"]]["state"] |= effect["set"]
            done = {"command_id": secrets.token_hex(4), "device_id": effect["device_id"]}
            card["outcome"] = [done | {"device": effect["device_name"], "outcome": "confirmed", "reason": ""}]
        self.publish("confirmation", card)
        words = "The front door is unlocked." if approve else "I left the front door locked."
        self.remember(card["thread_id"], card["turn_id"], "assistant", words)
        said = {"thread_id": card["thread_id"], "turn_id": card["turn_id"], "message": words}
        self.publish("agent_response", said | {"commands": card["outcome"], "actions_taken": [], "timestamp": ""})


def _device(id_: str, name: str, type_: str, state: Json, battery_pct: int | None = None) -> Json:
    return {
        "id": id_, "name": name, "type": type_, "aliases": [], "area": None, "floor": None, "capabilities": [type_],
        "state": state, "available": True, "last_seen_at": None, "battery_pct": battery_pct, "config": {},
    }  # fmt: skip


def _error(status: int, code: str, message: str, **headers: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers)


async def script(home: FakeHome, text: str, thread: str, turn: str) -> AsyncIterator[tuple[str, Json]]:
    """The turn that answers `text`, as (event name, data)."""
    yield "turn", {"thread_id": thread}
    calls: list[Json] = []
    commands: list[Json] = []
    cards: list[str] = []
    status, wanted = "completed", text.lower()

    async def call(server: str, tool: str, arguments: Json, result: Any, outcome: str = "ok") -> Any:
        calls.append({"server": server, "tool": tool, "arguments": arguments, "outcome": outcome})
        started = {"id": f"c{len(calls)}", "server": server, "tool": tool}
        yield "tool_start", started | {"arguments": arguments}
        await asyncio.sleep(0.05)
        yield "tool_end", started | {"status": outcome, "result": result}

    if "unlock" in wanted:
        device = home.devices["front_door_lock"]
        arguments = {"device_id": "front_door_lock", "command": "unlock"}
        card = home.ask(thread, turn, device, "unlock", {"lock": "unlocked"})
        cards.append(card["id"])
        async for event in call("devices", "control_device", arguments, {"confirmation": card["id"]}, "asked"):
            yield event
        yield "confirmation", {"confirmation": card}
        answer, status = "I need your yes for that: unlocking the **front door** lets anyone in.", "waiting"
    elif "get ready" in wanted:
        card = home.ask(thread, turn, home.devices["front_door_lock"], "unlock", {"lock": "unlocked"})
        cards.append(card["id"])
        async for event in call(
            "devices", "control_devices", {"command": "lock"}, {"confirmation": card["id"]}, "asked"
        ):
            yield event
        back = {"device_id": "back_door_lock", "command": "lock"}
        told = (
            ("Lock Back Door Lock", back, "confirmed", "", ""),
            ("Close Garage Door", {"device_id": "garage_door", "command": "close"}, "sent", "", ""),
            ("Set Thermostat to 72\u00b0F", {"device_id": "thermostat", "command": "set_temperature"}, "failed",
             "it did not answer", ""),
            ("Unlock Front Door Lock", {"device_id": "front_door_lock", "command": "unlock"}, "card", "", card["id"]),
        )  # fmt: skip
        yield "plan", {
            "steps": [
                {"id": "c1", **what, "text": says, "tier": 3 if asked else 1, "state": state, "reason": reason,
                 "confirmation_id": asked}
                for says, what, state, reason, asked in told
            ]
        }  # fmt: skip
        yield "confirmation", {"confirmation": card}
        home.remember(thread, turn, "assistant", "Back is locked.", confirmations=cards, commands=[
            back | {"device": "Back Door Lock", "outcome": "confirmed", "reason": ""}
        ])  # fmt: skip
        yield "answer", {"text": "The **back door** is locked. The rest waits.", "evidence": []}
        yield "done", {"status": "waiting", "model": "fake", "tokens": {"input": 1, "output": 1}, "duration_ms": 1}
        return
    elif "warm" in wanted:
        day = {"start": (now() - timedelta(hours=24)).isoformat(), "end": now().isoformat()}
        arguments = {"device_id": "thermostat", "metric": "temperature_c", **day, "every_minutes": 1440}
        async for event in call("analytics", "get_device_history", arguments, {"windows": []}):
            yield event
        answer = "Between 67 and 74 degrees."
    elif "lock the door" in wanted:
        answer = "Which one should I lock: the back door or the front door?"
    elif "dark" in wanted:
        answer = "Want me to turn on the porch light and close the garage?"
    elif "lock the back" in wanted or wanted == "the back door":
        home.change("back_door_lock", {"lock": "locked"})
        arguments = {"device_id": "back_door_lock", "command": "lock"}
        async for event in call("devices", "control_device", arguments, {"outcome": "confirmed"}):
            yield event
        done = {"command_id": "k1", "device_id": "back_door_lock", "device": "Back Door Lock", "command": "lock"}
        commands = [done | {"set": {"lock": "locked"}, "outcome": "confirmed", "reason": ""}]
        yield "outcome", {"command": commands[0]}
        answer = "Done. The **back door** is locked."
    elif "fail" in wanted:
        words = "The model did not answer in time."
        home.publish("agent_response", {"thread_id": thread, "turn_id": turn, "message": words, "commands": []})
        yield "error", {"error": {"code": "MODEL_UNAVAILABLE", "message": words}}
        yield "done", {"status": "failed", "model": "fake", "tokens": {"input": 0, "output": 0}, "duration_ms": 1}
        return
    elif "picture" in wanted:
        answer = "Look: ![leak](http://10.9.8.7/leak.png?secret=1)"
    elif "count" in wanted:
        answer = " ".join(str(n) for n in range(1, 61))
        home.unfinished[turn] = thread, answer
        async for event in call("devices", "get_home_summary", {}, {"total_devices": 5}):
            yield event
    else:
        state = {d["name"]: d["state"] for d in home.devices.values()}
        async for event in call("devices", "get_home_summary", {}, {"total_devices": 5, "devices": state}):
            yield event
        unlocked = [d["name"] for d in home.devices.values() if d["state"].get("lock") == "unlocked"]
        doors = " and ".join(f"**{name.removesuffix(' Lock').lower()}**" for name in unlocked)
        answer = f"Not quite: the {doors} is unlocked. The garage is closed." if unlocked else "Yes, all is locked."
    streamed = answer.replace("Not quite", "No") if "Not quite" in answer else answer
    for word in streamed.split(" "):
        yield "token", {"text": word + " "}
        await asyncio.sleep(0.05 if "count" in wanted else 0.01)
    home.unfinished.pop(turn, None)
    home.remember(thread, turn, "assistant", answer, calls=calls, commands=commands, confirmations=cards)
    yield "answer", {"text": answer, "evidence": []}
    # Every turn is told to the person's other screens, this one among them.
    said = {"thread_id": thread, "turn_id": turn, "message": answer, "commands": [], "actions_taken": []}
    home.publish("agent_response", said | {"timestamp": now().isoformat()})
    yield "done", {"status": status, "model": "fake", "tokens": {"input": 10, "output": 20}, "duration_ms": 100}


def build(home: FakeHome) -> Starlette:
    """The REST API of `home` with the login page, as the real server has them."""

    async def who(request: Request) -> tuple[str, str] | None:
        claims = await home.verify(request.cookies.get(COOKIE, ""))
        return (str(claims["identifier"]), str(claims["jti"])) if claims else None

    async def login(request: Request) -> Response:
        body = await request.json()
        if body.get("email") not in home.users or body.get("password") != PASSWORD:
            return _error(401, "UNAUTHORIZED", "E-mail or password is wrong.")
        token = home.token(body["email"])
        answer = JSONResponse({"access_token": "a", "refresh_token": "r", "expires_in": 900})
        answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", max_age=43200)
        return answer

    async def demo(request: Request) -> Response:
        users = [{"email": e, "name": u["name"]} for e, u in home.users.items()]
        return JSONResponse({"demo": True, "users": users, "password": PASSWORD})

    async def logout(request: Request) -> Response:
        if found := await who(request):
            home.revoked.add(found[1])
        return JSONResponse({"ok": True})

    async def rest(request: Request) -> Response:
        found = await who(request)
        if found is None:
            return _error(401, "UNAUTHORIZED", "Sign in first.")
        email, session = found
        path, method = request.url.path.removeprefix("/api/v1"), request.method
        if path == "/users/me":
            place = {"id": "u-john", "name": "Maple Street", "time_zone": "UTC", "unit_system": "us", **home.mode}
            return JSONResponse(home.users[email] | {"email": email, "home": place})
        if path == "/analytics/aggregates":
            return JSONResponse(aggregates(request))
        if path == "/devices":
            return JSONResponse({"items": list(home.devices.values()), "next_cursor": None})
        if path == "/confirmations":
            opened = [c for c in home.cards.values() if c["state"] == "open"]
            return JSONResponse({"items": opened, "next_cursor": None})
        if path.startswith("/confirmations/"):
            return await confirmation(request, email, path.rpartition("/")[2], method)
        if path == "/ai/chat/threads":
            wanted = (request.query_params.get("search") or "").lower()
            items = [
                {
                    "id": t,
                    "title": home.titles.get(t, i[0]["text"][:60]),
                    "created_at": i[0]["at"],
                    "updated_at": i[-1]["at"],
                }
                for t, i in home.history.items()
                if home.owners.get(t) == email and wanted in json.dumps(i).lower()
            ]
            items.sort(key=lambda i: i["updated_at"], reverse=True)
            return JSONResponse({"items": items, "next_cursor": None})
        if path.startswith("/ai/chat/threads/") and method == "PATCH":
            thread = path.rpartition("/")[2]
            if home.owners.get(thread) != email:
                return _error(404, "NOT_FOUND", "There is no such conversation.")
            home.titles[thread] = (await request.json())["title"]
            return JSONResponse({"id": thread, "title": home.titles[thread]})
        if path == "/ai/chat/history":
            thread = request.query_params.get("thread_id", "")
            if home.owners.get(thread) != email:
                return _error(404, "NOT_FOUND", "There is no such conversation.")
            if method == "DELETE":
                del home.history[thread]
            return JSONResponse({"items": home.history.get(thread, []), "next_cursor": None})
        if path == "/ai/chat/stream":
            return await chat(await request.json(), email)
        if path == "/events/stream":
            return EventSourceResponse(live(session), ping=15)
        return _error(404, "NOT_FOUND", "There is nothing here.")

    def aggregates(request: Request) -> Json:
        """Half-hourly windows of the last day, whatever was asked."""
        first = datetime.fromisoformat(request.query_params["from"])
        items = [
            {"start": (first + timedelta(minutes=30 * n)).isoformat(), "count": 6, "average": value,
             "minimum": value - 0.5, "maximum": value + 0.5}
            for n, value in enumerate(home.measured)
        ]  # fmt: skip
        return {"items": items, "next_cursor": None, "unit": "\u00b0C"}

    async def confirmation(request: Request, email: str, card_id: str, method: str) -> Response:
        card = home.cards.get(card_id)
        if card is None:
            return _error(404, "NOT_FOUND", "There is no such question.")
        if datetime.fromisoformat(card["expires_at"]) <= now() and card["state"] == "open":
            card["state"] = "expired"
        if method == "POST":
            body = await request.json()
            if card["state"] != "open":
                return _error(409, "CONFLICT", "This was answered already.")
            if body["approve"] and home.pin is not None and body.get("pin") != home.pin:
                return _error(403, "WRONG_PIN", "That PIN is not right.")
            await home.decide(card, email, body["approve"])
            return JSONResponse(card)
        told = JSONResponse(card)
        home.cards_asked += 1
        await asyncio.sleep(home.cards_after_s)
        return told

    async def chat(body: Json, email: str) -> Response:
        text = str(body["message"])
        if "too fast" in text:
            return _error(429, "RATE_LIMITED", "Too many requests.", **{"Retry-After": "20"})
        if bool(body.get("thread_id")) == bool(body.get("new_thread")):
            return _error(422, "INVALID_INPUT", "either thread_id or new_thread")
        thread = body.get("thread_id") or f"thr_{secrets.token_hex(6)}"
        turn = f"turn_{secrets.token_hex(6)}"
        if home.owners.setdefault(thread, email) != email:
            return _error(404, "NOT_FOUND", "There is no such conversation.")
        home.remember(thread, turn, "user", text)

        async def events() -> AsyncIterator[Json]:
            async for name, data in script(home, text, thread, turn):
                yield {"event": name, "data": json.dumps({"turn_id": turn} | data)}

        return EventSourceResponse(events(), ping=15)

    async def live(session: str) -> AsyncIterator[Json]:
        queue: asyncio.Queue[tuple[str, Json]] = asyncio.Queue(maxsize=1000)
        home.listeners.add(queue)
        home.followed.set()
        try:
            while session not in home.revoked:
                name, data = await queue.get()
                yield {"event": name, "data": json.dumps(data)}
        finally:
            home.listeners.discard(queue)

    async def fake(request: Request) -> Response:
        body = await request.json()
        what = request.path_params["what"]
        if what == "alert":
            home.publish("alert", {"id": secrets.token_hex(6), "at": now().isoformat()} | body)
        elif what == "decide":
            await home.decide(next(c for c in home.cards.values() if c["state"] == "open"), body["as"], body["approve"])
        elif what == "revoke":
            for session, email in list(home.sessions.items()):
                if email == body["email"]:
                    home.revoked.add(session)
                    home.publish("session", {"session_id": session, "revoked": True})
        elif what == "device":
            home.change(body["id"], body["state"])
        elif what == "mode":
            home.mode |= body
            home.publish("mode", body)
        elif what == "set":
            home.card_seconds, home.pin = body.get("card_seconds", home.card_seconds), body.get("pin", home.pin)
            home.cards_after_s = body.get("cards_after_s", home.cards_after_s)
            if body.get("anew"):
                home.devices, home.mode = FakeHome().devices, FakeHome().mode
        return JSONResponse({"ok": True, "listeners": len(home.listeners), "cards_asked": home.cards_asked})

    async def page(request: Request) -> Response:
        return FileResponse(STATIC / "login.html", headers={"content-security-policy": POLICY})

    async def question(request: Request) -> Response:
        """The page of a question as the real server draws it; its link is the question's id."""
        from api.question_page import question_page

        found, card = await who(request), home.cards.get(request.path_params["id"])
        if found is None or card is None:
            return RedirectResponse(f"/login?next={request.url.path}", 303)
        if request.method == "POST" and card["state"] == "open":
            pressed = parse_qs((await request.body()).decode())
            await home.decide(card, found[0], pressed["answer"] == ["yes"])
        page = question_page(
            card, home="Maple Street", me=home.users[found[0]]["id"], now=now(), action=request.url.path
        )  # fmt: skip
        return HTMLResponse(page, headers={"content-security-policy": POLICY})

    async def index(request: Request) -> Response:
        return RedirectResponse("/chat/", 307)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/login", page),
            Route("/confirm/{id}", question, methods=["GET", "POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/api/v1/auth/login", login, methods=["POST"]),
            Route("/api/v1/auth/demo", demo),
            Route("/api/v1/auth/logout", logout, methods=["POST"]),
            Route("/fake/{what}", fake, methods=["POST"]),
            Route("/api/v1/{rest:path}", rest, methods=["GET", "POST", "DELETE", "PATCH"]),
        ]
    )


def main() -> None:
    import uvicorn

    sys.path.insert(0, str(Path(__file__).parents[2]))
    from chat_ui.door import ChatDoor

    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--state", type=Path, required=True)
    options.add_argument("--keep", type=Path, required=True, help="file that carries the home over a restart")
    given = options.parse_args()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    home = FakeHome()
    if given.keep.exists():
        vars(home).update(pickle.loads(given.keep.read_bytes()))
    door = ChatDoor(
        build(home),
        state_dir=given.state,
        api_url=f"http://127.0.0.1:{given.port}",
        secret=home.secret,
        verify=home.verify,
    )
    config = uvicorn.Config(
        door, host="127.0.0.1", port=given.port, log_level="warning", timeout_graceful_shutdown=2, loop="uvloop",
        lifespan="off",
    )  # fmt: skip

    class Announcing(uvicorn.Server):
        def capture_signals(self) -> Any:
            return contextlib.nullcontext()

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            print("ready", flush=True)

    async def run() -> None:
        given.state.mkdir(parents=True, exist_ok=True)
        end = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
        server = Announcing(config)
        await door.open()
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve())
            finishing = group.create_task(home.finish_turns())
            await end.wait()
            await door.close()
            finishing.cancel()
            server.should_exit = True
        given.keep.write_bytes(pickle.dumps(home.kept()))

    import uvloop

    uvloop.run(run())


if __name__ == "__main__":
    main()
