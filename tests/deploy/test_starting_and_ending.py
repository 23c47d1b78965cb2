"""`homeguard up` from outside: what it says, whom it refuses, and how it ends."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
import websockets.sync.client as websockets
from instances import END_S, JOHN, Up, command, free_port, is_free, logged, one_line_says, until

pytestmark = pytest.mark.timeout(180)
ROOT = Path(__file__).parents[2]
Start = Callable[..., Up]


def test_it_says_where_everything_is_then_ready_and_then_nothing(start: Start) -> None:
    up = start()
    assert up.said[-1] == f"ready {up.url}"
    assert [line for line in up.said if line.startswith("ready ")] == [up.said[-1]]
    before = "\n".join(up.said[:-1])
    for told in (f"{up.url}/chat", f"{up.url}/docs", f"{up.url}/mcp", "john@demo.com / demo123", str(up.data)):
        assert told in before
    with up.login() as http:
        assert http.get("/ready").status_code == 200
        assert http.get("/docs").status_code == 200
        assert http.get("/api/v1/users/me").json()["email"] == JOHN
        assert http.post("/api/v1/ai/chat", json={"message": "Is everything locked?"}).status_code == 200
        assert http.post("/telemetry", content=b"{").status_code in range(400, 500)
    code, took_s, rest = up.stop()
    assert (code, rest) == (0, "")
    assert took_s < END_S
    lines = logged(up)
    assert lines
    assert all(set(line) == {"timestamp", "level", "service", "message"} for line in lines)
    assert is_free(up.data)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_time_while_people_are_connected(start: Start, by: signal.Signals) -> None:
    up = start()
    connected = threading.Event()
    with up.login() as http:
        token = http.headers["Authorization"]
        cookie = f"homeguard_session={http.cookies['homeguard_session']}"

        def listen() -> None:
            with up.http(Authorization=token, Accept="text/event-stream") as mine:
                try:
                    with mine.stream("GET", "/api/v1/events/stream", timeout=60) as answer:
                        for _ in answer.iter_lines():
                            connected.set()
                except httpx2.HTTPError:
                    return

        listener = threading.Thread(target=listen)
        listener.start()
        assert http.get("/chat/", headers={"Accept": "text/html"}).status_code == 200
        until(lambda: http.get("/chat/project/settings").status_code == 200)
        with (
            websockets.connect(
                f"ws://127.0.0.1:{up.port}/api/v1/events/stream", additional_headers={"Authorization": token}
            ),
            websockets.connect(
                f"ws://127.0.0.1:{up.port}/chat/ws/socket.io/?EIO=4&transport=websocket",
                additional_headers={"Cookie": cookie, "Origin": up.url},
            ) as chat,
        ):
            assert str(chat.recv(timeout=10)).startswith("0")
            chat.send('40{"clientType":"webapp","sessionId":"a-test","chatProfile":"","userEnv":"{}"}')
            assert str(chat.recv(timeout=10)).startswith("40")
            assert connected.wait(10)
            code, took_s, rest = up.stop(by)
    listener.join(10)
    assert (code, rest) == (0, "")
    assert took_s < END_S
    assert "Traceback" not in up.log.read_text()
    assert is_free(up.data)


def test_what_was_there_is_there_after_a_restart(start: Start) -> None:
    first = start("--no-simulator")
    with first.client() as client:
        assert client.post("/api/v1/devices/back_door_lock/command", {"command": "lock"})["outcome"] == "confirmed"
    first.stop()
    second = start("--no-simulator")
    with second.client() as client:
        assert client.get("/api/v1/devices/back_door_lock")["state"]["lock"] == "locked"
        assert len(client.get("/api/v1/devices")["items"]) == 5
    second.stop()


def test_a_second_one_on_the_same_folder_is_refused_in_one_line(up: Up) -> None:
    second = up.homeguard("up", "--port", str(free_port()))
    assert one_line_says(second, "already in use", str(up.process.pid))
    assert up.http().get("/live").status_code == 200


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert one_line_says(command(tmp_path, "up", "--port", port, "--data-dir", tmp_path / "d"), port, "--port")
    assert is_free(tmp_path / "d")


def test_the_demo_is_not_shown_to_other_machines_unasked(tmp_path: Path) -> None:
    refused = command(tmp_path, "up", "--host", "0.0.0.0", "--port", str(free_port()), "--data-dir", tmp_path / "d")
    assert one_line_says(refused, "--no-demo", "--demo")
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"HOMEGUARD_PORT": "many"}, ("HOMEGUARD_PORT",)), ({"ENABLE_DEMO_MODE": "perhaps"}, ("ENABLE_DEMO_MODE",))],
)
def test_a_setting_that_cannot_be_read_is_named(tmp_path: Path, settings: dict[str, str], words: tuple[str]) -> None:
    assert one_line_says(command(tmp_path, "up", "--data-dir", tmp_path / "d", env=settings), *words)


def test_a_folder_that_is_a_file_or_from_another_program_is_one_line(tmp_path: Path) -> None:
    port = str(free_port())
    (tmp_path / "file").write_text("not a folder")
    assert one_line_says(command(tmp_path, "up", "--port", port, "--data-dir", tmp_path / "file"), "file")
    assert one_line_says(command(tmp_path, "chat", "--once", "hello", "--data-dir", tmp_path / "file"), "file")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "home.db").write_bytes(b"this is no database at all, and it is long enough to be one" * 99)
    assert one_line_says(command(tmp_path, "up", "--port", port, "--data-dir", tmp_path / "broken"), "home.db")
    (tmp_path / "newer").mkdir()
    with sqlite3.connect(tmp_path / "newer" / "home.db") as database:
        database.execute("PRAGMA user_version = 9999")
    assert one_line_says(command(tmp_path, "up", "--port", port, "--data-dir", tmp_path / "newer"), "newer")


@pytest.mark.parametrize(
    "arguments",
    [
        (), ("fly",), ("up", "--port", "many"), ("up", "--demo", "--no-demo"), ("chat", "--yes", "--no"), ("token",),
        ("replay",), ("mcp", "kitchen"), ("audit", "forget"), ("doctor", "--loud"), ("mcp", "config", "--client", "x"),
    ],
)  # fmt: skip
def test_wrong_use_is_2_with_a_hint_on_stderr(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = command(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_the_settings_of_a_dotenv_file_and_the_default_folder_are_used(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / ".env").write_text(f'HOMEGUARD_PORT="{port + 1}"\nHOMEGUARD_DEMO=no\n')
    up = Up(tmp_path, "--no-simulator", port=port, data=tmp_path / "data")
    try:
        assert not any("login" in line for line in up.said)
    finally:
        up.stop()
    told = json.loads(command(tmp_path, "doctor", "--json", env={"XDG_DATA_HOME": str(tmp_path / "x")}).stdout)
    folder = next(f for f in told["findings"] if f["name"] == "folder")
    assert str(tmp_path / "x" / "homeguard") in folder["text"]
    assert str(port + 1) in next(f for f in told["findings"] if f["name"] == "port")["text"]


def test_before_the_first_visit_of_the_chat_no_heavy_library_is_loaded(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from deploy.one_process import open_homeguard\n"
        "from homeguard.settings import Settings\n"
        "async def main():\n"
        "    settings = Settings(data_dir=Path(sys.argv[1]), simulator=False)\n"
        "    async with open_homeguard(settings, stop=asyncio.Event(), serve=False):\n"
        "        print(*sorted({m.partition('.')[0] for m in sys.modules}))\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "d")], capture_output=True, text=True, cwd=ROOT, timeout=90,
        check=True,
    )  # fmt: skip
    loaded = set(done.stdout.split())
    assert {"apsw", "langgraph", "mcp"} <= loaded
    assert not loaded & {"chainlit", "sklearn", "pandas", "scipy", "matplotlib", "pytest", "google"}
