"""Options and marks for every test."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--services", default="", metavar="FILE", help="run on the real servers that this file names (make services)"
    )


def pytest_ignore_collect(collection_path, config: pytest.Config) -> bool | None:
    """Tests of `tests/services` are of the real servers only."""
    if collection_path.name == "services" and not config.getoption("services"):
        return True
    return None
