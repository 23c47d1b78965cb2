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


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A fake home with the real chat in front of it, in a process of its own; started in an empty folder."""
    folder = tmp_path_factory.mktemp("chat")
    port = _free_port()
    # Variables that would switch on the chat library's own stores: the chat must not care.
    poison = {"DATABASE_URL": "postgresql://127.0.0.1:9/none", "LITERAL_API_KEY": "none", "SLACK_BOT_TOKEN": "none"}
    process = subprocess.Popen(
        [sys.executable, str(FAKE), "--port", str(port), "--state", str(folder / "state")],
        cwd=folder,
        env={**os.environ, **poison},
        stdout=subprocess.PIPE,
        stderr=(folder / "log").open("w"),
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", (folder / "log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        ended = process.wait(timeout=20)
    assert ended == 0, (folder / "log").read_text()
    assert "Traceback" not in (folder / "log").read_text(), (folder / "log").read_text()
    assert sorted(p.name for p in folder.iterdir()) == ["log", "state"], "the chat wrote outside of its folder"
    assert not (folder / "state" / ".files").exists()


def _free_port() -> int:
    for port in range(20300, 21000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RuntimeError("no free port")
