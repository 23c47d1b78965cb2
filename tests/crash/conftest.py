"""The kill tests use the processes of the command-line tests."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / "deploy"), str(Path(__file__).parent)]

from brokers import MOSQUITTO  # noqa: E402 - its folder is put on the path first


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a broker on this machine its tests are deselected, not skipped."""
    if MOSQUITTO is None:
        gone = [item for item in items if item.get_closest_marker("broker")]
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in gone]
