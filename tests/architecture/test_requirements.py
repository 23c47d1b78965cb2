"""Rows of the requirements and the tests that show them: every test exists, every delivered row is tied, both ways."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests" / "requirements.toml"
TEXT = FILE.read_text(encoding="utf-8")
DOCUMENT: dict[str, Any] = tomllib.loads(TEXT)
DELIVERED = [row for rows in DOCUMENT["delivered"].values() for row in rows]
ROWS: dict[str, Any] = {name: row for name, row in DOCUMENT.items() if name != "delivered"}
#: The requirements are kept outside of this repository; where they are at hand, ids are compared with them.
SOURCES = [ROOT.parent / "shared" / name for name in ("requirements.md", "acceptance.md")]


@cache
def _names_in(path: str) -> frozenset[str]:
    """Names of the test functions of a file, those in classes as `Class::name`."""
    found = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        within = node.body if isinstance(node, ast.ClassDef) else [node]
        mark = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        functions = [n for n in within if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        found |= {mark + n.name for n in functions if n.name.startswith("test_")}
    return frozenset(found)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_a_status_and_tests_that_exist(row: str) -> None:
    tied = ROWS[row]
    assert set(tied) <= {"status", "tests", "left"}
    assert tied["status"] in ("partial", "done")
    assert len(set(tied["tests"])) == len(tied["tests"]) > 0
    for test in tied["tests"]:
        path, _, name = test.partition("::")
        assert (ROOT / path).is_file(), f"{row}: there is no {path}"
        assert name in _names_in(path), f"{row}: {path} has no {name}"


@pytest.mark.parametrize("row", ROWS)
def test_a_partial_row_says_what_is_left_and_a_done_one_has_nothing_left(row: str) -> None:
    assert bool(ROWS[row].get("left", "").strip()) == (ROWS[row]["status"] == "partial")


def test_no_row_is_named_twice() -> None:
    assert len(set(DELIVERED)) == len(DELIVERED)
    headings = re.findall(r"^\[([^\[\]]+)\]$", TEXT, re.MULTILINE)
    assert len(set(headings)) == len(headings)


def test_every_delivered_row_is_tied_and_every_tied_row_is_delivered() -> None:
    assert sorted(DELIVERED) == sorted(ROWS)
    assert all(row.rpartition("-")[0] == kind for kind, rows in DOCUMENT["delivered"].items() for row in rows)


@pytest.mark.skipif(not all(path.is_file() for path in SOURCES), reason="the requirements are not beside this folder")
def test_every_row_is_a_row_of_the_requirements() -> None:
    known = set()
    for path in SOURCES:
        known |= set(re.findall(r"^\| \*{0,2}([A-Z]+-\d+)\b", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert set(ROWS) - known == set()
