"""`homeguard chat`: the same conversation as in the browser, in a terminal or as one JSON object."""

import argparse
import getpass
import json
import sys
import time
from typing import Any

from deploy.cli.main import data_dir_option
from deploy.client import DEFAULT_PERSON, Client
from deploy.instance import running
from homeguard.errors import HomeGuardError
from homeguard.ids import new_id
from homeguard.settings import load

#: How the ids of the terminal's threads begin.
_TERMINAL = "terminal-"
_MARKS = {"confirmed": "✓", "sent": "…", "failed": "✗", "refused": "✗", "denied": "-", "expired": "-"}


def arguments(parser: argparse.ArgumentParser) -> None:
    data_dir_option(parser)
    parser.add_argument("--as", dest="email", default=None, metavar="EMAIL", help="who speaks")
    parser.add_argument("--once", metavar="TEXT", help="say this one thing and end")
    parser.add_argument("--json", action="store_true", help="with --once: print one JSON object")
    parser.add_argument("--new", action="store_true", help="start a new conversation")
    answer = parser.add_mutually_exclusive_group()
    answer.add_argument("--yes", dest="press", action="store_const", const=True, help="answer yes to a confirmation")
    answer.add_argument("--no", dest="press", action="store_const", const=False, help="answer no to a confirmation")


def run(options: argparse.Namespace) -> int:
    settings = load({"data_dir": options.data_dir})
    with running(settings.data_dir) as instance:
        client = Client(instance, settings.data_dir, options.email or DEFAULT_PERSON)
        try:
            if options.once is not None:
                return _once(client, options)
            return _talk(client, options)
        finally:
            client.close()


class _Turn:
    """One turn followed to where it ends or waits, and past its cards when someone answers them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._thread_id = ""
        self.answer = ""
        self.calls: list[dict[str, Any]] = []
        self.commands: list[dict[str, Any]] = []
        self.cards: list[dict[str, Any]] = []
        self.refusals: list[dict[str, Any]] = []
        self.done: dict[str, Any] = {}
        self.error = ""

    def say(self, text: str, thread_id: str, *, show: bool) -> None:
        self._thread_id = thread_id
        for name, data in self._client.events("/api/v1/ai/chat/stream", {"message": text, "thread_id": thread_id}):
            match name:
                case "tool_start":
                    self.calls.append(
                        {k: data[k] for k in ("server", "tool", "arguments")} | {"id": data["id"], "outcome": "started"}
                    )
                    if show:
                        sys.stderr.write(f"  · {data['tool']} {json.dumps(data['arguments'], ensure_ascii=False)}\n")
                case "tool_end":
                    for call in self.calls:
                        if call["id"] == data["id"]:
                            call["outcome"] = data["status"]
                case "outcome":
                    self.commands.append(data["command"])
                case "confirmation":
                    self.cards.append(data["confirmation"])
                case "answer":
                    self.answer, self.refusals = data["text"], data.get("refusals", [])
                case "error":
                    self.error = data["error"]["message"]
                case "done":
                    self.done = data

    @property
    def open_cards(self) -> list[dict[str, Any]]:
        return [c for c in self.cards if c["state"] == "open"]

    def press(self, approve: bool) -> None:
        """Answer every open card of this turn and wait for what the agent says then."""
        for card in self.open_cards:
            decided = _decide(self._client, card, approve)
            card.update(decided)
            self.commands += [dict(o) for o in decided.get("outcome", [])]
        self.answer = self._continuation(self.done.get("turn_id", "")) or self.answer

    def _continuation(self, turn_id: str) -> str:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            page = self._client.get("/api/v1/ai/chat/history", limit=20, thread_id=self._thread_id)
            said = [m for m in page["items"] if m["turn_id"] == turn_id and m["role"] == "assistant"]
            if len(said) > 1:
                return str(said[-1]["text"])
            time.sleep(0.05)
        return ""

    def as_json(self) -> dict[str, Any]:
        tokens = self.done.get("tokens", {"input": 0, "output": 0})
        return {
            "answer": self.answer,
            "calls": [{k: c[k] for k in ("server", "tool", "arguments", "outcome")} for c in self.calls],
            "commands": [
                {"id": c["command_id"], "device_id": c["device_id"], "set": c.get("set", {}), "outcome": c["outcome"]}
                for c in self.commands
                if c["outcome"] in ("confirmed", "sent", "failed", "refused")
            ],
            "asked": [{"text": c["text"], "effects": c["effects"]} for c in self.cards],
            "model": self.done.get("model", ""),
            "tokens": tokens,
            "duration_ms": self.done.get("duration_ms", 0),
        }


def _thread(client: Client, *, new: bool) -> str:
    """This person's last thread of the terminal, or a new one: those of other screens go on there."""
    if not new:
        for thread in client.get("/api/v1/ai/chat/threads", limit=1000)["items"]:
            if thread["id"].startswith(_TERMINAL):
                return str(thread["id"])
    return _TERMINAL + new_id()


def _once(client: Client, options: argparse.Namespace) -> int:
    turn = _Turn(client)
    turn.say(options.once, _thread(client, new=options.new), show=False)
    if options.press is not None and turn.open_cards:
        turn.press(options.press)
    if options.json:
        print(json.dumps(turn.as_json(), ensure_ascii=False))
    else:
        print(turn.answer)
    if turn.error:
        sys.stderr.write(f"homeguard chat: {turn.error}\n")
    return 1 if turn.error else 0


def _talk(client: Client, options: argparse.Namespace) -> int:
    me = client.get("/api/v1/users/me")
    print(f"HomeGuard · {me['name']} · {me['home']['name']}   (Ctrl-D ends, /new starts a new conversation)")
    for card in client.get("/api/v1/confirmations")["items"]:
        _ask(client, card)
    thread = _thread(client, new=options.new)
    while True:
        try:
            text = input("\n> ").strip()
        except EOFError:
            print()
            return 0
        if not text:
            continue
        if text == "/new":
            thread = _thread(client, new=True)
            continue
        turn = _Turn(client)
        try:
            turn.say(text, thread, show=sys.stderr.isatty())
        except HomeGuardError as error:
            print(f"! {error.message}")
            continue
        for command in turn.commands:
            mark = _MARKS.get(command["outcome"], "·")
            print(f"  {mark} {command['device']}: {command['command']} ({command['outcome']})")
        print(turn.answer)
        if turn.open_cards and _press_all(turn):
            print(turn.answer)


def _press_all(turn: _Turn) -> bool:
    try:
        word = input("  press y for yes, n for no, anything else to leave it open: ").strip().lower()
    except EOFError:
        return False
    if word not in ("y", "n"):
        return False
    try:
        turn.press(word == "y")
    except HomeGuardError as error:
        print(f"! {error.message}")
        return False
    return True


def _decide(client: Client, card: dict[str, Any], approve: bool) -> dict[str, Any]:
    """Press the card; its PIN is asked for where one is needed, and is never an argument or an echo."""
    body: dict[str, Any] = {"approve": approve}
    if approve and card.get("pin_required"):
        body["pin"] = getpass.getpass("  PIN of your home: ") if sys.stdin.isatty() else sys.stdin.readline().strip()
    decided: dict[str, Any] = client.post(f"/api/v1/confirmations/{card['id']}", body)["confirmation"]
    return decided


def _ask(client: Client, card: dict[str, Any]) -> None:
    print(f"! still open: {card['text']} (until {card['expires_at']})")
    try:
        word = input("  press y for yes, n for no, anything else to leave it open: ").strip().lower()
        if word in ("y", "n"):
            print(f"  {_decide(client, card, word == 'y')['state']}")
    except EOFError:
        return
    except HomeGuardError as error:
        print(f"! {error.message}")
