"""The crash tests use the processes of the command-line tests, and a recorder that is compiled where one can."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / "deploy"), str(Path(__file__).parent)]

from brokers import MOSQUITTO  # noqa: E402 - its folder is put on the path first
from recording import COMPILER, compiled  # noqa: E402


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a broker or a C compiler on this machine the tests that need it are deselected, not skipped."""
    gone = [
        item
        for item in items
        if (MOSQUITTO is None and item.get_closest_marker("broker"))
        or (COMPILER is None and "recorder" in getattr(item, "fixturenames", ()))
    ]
    config.hook.pytest_deselected(items=gone)
    items[:] = [item for item in items if item not in gone]


def pytest_report_header() -> list[str]:
    missing = (
        [] if COMPILER is not None else ["no C compiler: the tests that record what a process writes are left out"]
    )
    return missing + ([] if MOSQUITTO is not None else ["no mosquitto: the tests with a broker are left out"])


@pytest.fixture(scope="session")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What LD_PRELOAD is set to."""
    return str(compiled(tmp_path_factory.mktemp("recorder")))
