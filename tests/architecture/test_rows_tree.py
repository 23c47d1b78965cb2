"""The top of the tree is the product: the folders of the design card, and what stands beside them."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CARD = {"agent", "mcp_servers", "tools", "memory", "pipeline", "scenarios", "chat_ui", "evals", "deploy"}
BESIDE = {"homeguard", "api", "dashboard", "tests", "docs"}


def test_every_folder_of_the_card_is_there_and_says_what_it_is_for() -> None:
    assert (ROOT / "pyproject.toml").is_file()
    for room in CARD:
        assert (ROOT / room / "__init__.py").is_file(), room
        assert any(p.suffix == ".py" and p.name != "__init__.py" for p in (ROOT / room).rglob("*.py")), room


def test_no_other_folder_stands_beside_them() -> None:
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    folders = {path.partition("/")[0] for path in listed if "/" in path and not path.startswith(".")}
    assert folders <= CARD | BESIDE
