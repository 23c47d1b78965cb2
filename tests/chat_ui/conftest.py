"""The fake REST server for the chat's tests, as a module and as a running process."""

import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

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


def _free_port() -> int:
    # not one that the kernel gives away while the server is down, nor one that another worker looks at as well
    for port in range(20300 + os.getpid() % 50 * 10, 21000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RuntimeError("no free port")
