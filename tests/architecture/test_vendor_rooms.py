"""One room per vendor: an upgrade is one room, and nothing heavy slips into a serving process."""

import ast
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "agent",
    "api",
    "chat_ui",
    "deploy",
    "evals",
    "homeguard",
    "mcp_servers",
    "memory",
    "pipeline",
    "scenarios",
    "tools",
)

#: vendor -> the only places that may import it
VENDORS = {
    "apsw": ("homeguard/stores/sqlite/",),
    "asyncpg": ("homeguard/stores/postgres/", "homeguard/stores/timescale/", "homeguard/stores/postgresql.py"),
    "cassandra": ("homeguard/stores/scylla/",),
    "pymongo": ("homeguard/stores/mongo/",),
    "bson": ("homeguard/stores/mongo/",),
    "redis": ("homeguard/stores/redis/",),
    "aiokafka": ("homeguard/stores/kafka/",),
    "sqlite3": (),
    "aiosqlite": ("agent/graph/checkpoints.py",),
    "mcp": ("mcp_servers/", "agent/toolbox.py"),
    "langgraph": ("agent/graph/",),
    "google": ("agent/models/gemini.py",),
    "langchain_core": (),
    "sklearn": ("agent/models/offline/train.py",),
    "chainlit": ("chat_ui/",),
    "fastapi": ("api/",),
    "sse_starlette": ("api/",),
    "paho": ("pipeline/mqtt/",),
    "jwt": ("homeguard/identity/", "chat_ui/"),
    "argon2": ("homeguard/identity/",),
    "bcrypt": ("homeguard/identity/",),
    "opentelemetry": ("homeguard/telemetry.py",),
    "prometheus_client": ("homeguard/telemetry.py",),
}


def sources() -> list[Path]:
    """All of ours but `evals/bench`, which measures us against bare drivers."""
    found = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return [path for path in found if (ROOT / "evals" / "bench") not in path.parents]


def imported(path: Path) -> set[str]:
    """Every module that the file imports, inside functions and under TYPE_CHECKING too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return found


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_is_imported_in_its_own_room_only(vendor: str) -> None:
    strangers = [
        str(path.relative_to(ROOT))
        for path in sources()
        if any(name == vendor or name.startswith(vendor + ".") for name in imported(path))
        and not str(path.relative_to(ROOT)).startswith(VENDORS[vendor] or ("-",))
    ]

    assert strangers == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_ours_and_not_a_dependency_of_the_same_name(room: str) -> None:
    spec = importlib.util.find_spec(room)

    assert spec is not None
    assert spec.origin == str(ROOT / room / "__init__.py")


def test_there_is_no_tests_package() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_only_the_settings_read_the_environment() -> None:
    allowed = {"homeguard/settings.py", "agent/graph/checkpoints.py"}
    readers = {
        str(path.relative_to(ROOT))
        for path in sources()
        if not str(path.relative_to(ROOT)).startswith(("chat_ui/", "evals/bench/"))
        and any(word in path.read_text(encoding="utf-8") for word in ("os.environ", "os.getenv"))
    }

    assert readers <= allowed
