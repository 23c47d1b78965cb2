"""One instance for all hostile bytes, and a neighbour whose connection must not notice any of them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / "deploy"), str(Path(__file__).parent)]

from brokers import MOSQUITTO, Broker  # noqa: E402 - its folder is put on the path first
from instances import Up  # noqa: E402
from neighbour import SETTINGS, Neighbour  # noqa: E402


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a broker on this machine its tests are deselected, not skipped."""
    if MOSQUITTO is None:
        gone = [item for item in items if item.get_closest_marker("broker")]
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in gone]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The demo homes without their past; at the end it must still end well, with nothing unexpected in its log."""
    running = Up(tmp_path_factory.mktemp("fuzz"), "--no-simulator", env=SETTINGS)
    running.wait_for_the_assistant()
    yield running
    code, _, rest = running.stop()
    assert (code, rest) == (0, "")
    assert "Traceback" not in running.log.read_text()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = Broker(tmp_path_factory.mktemp("mosquitto"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def neighbour(up: Up) -> Iterator[Neighbour]:
    made = Neighbour(up.port, up.token())
    yield made
    made.close()
