"""The fake REST server for the chat's tests, as a module and as a running process."""

import importlib.util
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
FAKE = Path(__file__).parents[1] / "e2e" / "fake_rest.py"


@pytest.fixture(scope="session")
def fake_rest() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fake_rest", FAKE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fake_rest"] = module
    spec.loader.exec_module(module)
    return module


class Running:
    """A fake home with the real chat in front of it, in a process of its own; started in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        # Variables that would switch on the chat library's own stores: the chat must not care.
        poison = {"DATABASE_URL": "postgresql://127.0.0.1:9/none", "LITERAL_API_KEY": "none", "SLACK_BOT_TOKEN": "n"}
        command = [sys.executable, str(FAKE), "--port", str(self.port), "--state", "state", "--keep", "kept"]
        with (self.folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, env={**os.environ, **poison}, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", self.log()

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(timeout=20) == 0, self.log()

    def log(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("chat"))
    running.start()
    yield running
    running.stop()
    assert "Traceback" not in running.log(), running.log()
    assert sorted(p.name for p in running.folder.iterdir()) == ["kept", "log", "state"], "wrote outside of its folder"
    assert not (running.folder / "state" / ".files").exists()


@pytest.fixture(scope="module")
def address(server: Running) -> str:
    return server.address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from visit import CHROMIUM, playwright

    with playwright.sync_playwright() as engine:
        launched = engine.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield launched
        launched.close()


@pytest.fixture
def sign_in(browser: Any, address: str) -> Iterator[Any]:
    """Opens the chat as somebody, by the login page; fails if any page asked another host or broke."""
    from visit import JOHN, KEEP_SOCKETS, expect, reached, told

    contexts, foreign, broken = [], [], []

    def watch(page: Any) -> None:
        own = (address, address.replace("http", "ws"), "data:", "blob:")
        page.on("request", lambda request: request.url.startswith(own) or foreign.append(request.url))
        # What our own policy stopped has not left the browser.
        page.on("requestfailed", lambda request: request.failure == "csp" and foreign.remove(request.url))
        page.on("pageerror", lambda error: broken.append(str(error)))

    def sign_in(email: str = JOHN, path: str = "/chat/", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 800}, **options})
        contexts.append(context)
        context.set_default_timeout(20_000)
        context.add_init_script(KEEP_SOCKETS)
        page = context.new_page()
        watch(page)
        before = told(page, address)["listeners"]
        page.goto(address + path)
        expect(page).to_have_url(re.compile("/login"))
        page.select_option("#demo-user", email)
        page.click("#go")
        page.wait_for_url(f"**{path}")
        if path == "/chat/":
            # whatever happens from now on, this page hears of it
            reached(page, address, "listeners", before + 1)
        return page

    yield sign_in
    for context in contexts:
        context.close()
    assert foreign == []
    assert broken == []


@pytest.fixture
def clean(browser: Any, address: str) -> Iterator[None]:
    """A test that begins with no open card and ends with what it set taken back."""
    from visit import JOHN

    yield
    context = browser.new_context()
    signed = context.request.post(f"{address}/api/v1/auth/login", data={"email": JOHN, "password": "demo123"})
    assert signed.ok
    for card in context.request.get(f"{address}/api/v1/confirmations").json()["items"]:
        context.request.post(f"{address}/api/v1/confirmations/{card['id']}", data={"approve": False})
    context.request.post(
        f"{address}/fake/set", data={"card_seconds": 300, "pin": None, "cards_after_s": 0, "anew": True}
    )
    context.close()


def _free_port() -> int:
    # not one that the kernel gives away while the server is down, nor one that another worker looks at as well
    for port in range(20300 + os.getpid() % 50 * 10, 21000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RuntimeError("no free port")
