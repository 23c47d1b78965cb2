"""One instance with the demo homes for the tests that leave it running; the others start their own."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from brokers import MOSQUITTO, PAYLOADS, Broker
from compose_schema import compose_schema
from instances import Up, starting


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What this machine lacks (a broker, cases that nobody here wrote) is deselected, not skipped."""
    gone = [
        item
        for item in items
        if (MOSQUITTO is None and item.get_closest_marker("broker"))
        or (not PAYLOADS.is_file() and "foreign_payloads" in getattr(item, "fixturenames", ()))
        or ("schema_of_compose" in getattr(item, "fixturenames", ()) and compose_schema() is None)
    ]
    config.hook.pytest_deselected(items=gone)
    items[:] = [item for item in items if item not in gone]


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Demo homes whose devices do nothing by themselves."""
    running = Up(tmp_path_factory.mktemp("up"), "--no-simulator", env={"HOMEGUARD_RATE_LIMITS": "off"})
    yield running
    code, _, rest = running.stop()
    assert (code, rest) == (0, "")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Starts instances in the test's own folder; those that still run at its end are killed."""
    with starting(tmp_path) as begin:
        yield begin


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = Broker(tmp_path_factory.mktemp("mosquitto"))
    made.start()
    yield made
    made.stop()
