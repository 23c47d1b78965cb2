"""Every table of the engines has its row in the data map: what a copy and an erasure do with it is written down."""

import re
from pathlib import Path

from homeguard.stores.mongo.personal import COLLECTIONS
from homeguard.stores.postgres.data_map import TABLES
from homeguard.stores.scylla.personal import STATEMENTS
from homeguard.stores.timescale import personal

STORES = Path(__file__).parents[2] / "homeguard" / "stores"


def schema(pattern: str) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted(STORES.glob(pattern)))


def test_every_table_of_postgresql_says_what_becomes_of_it() -> None:
    made = set(re.findall(r"CREATE TABLE (\w+)", schema("postgres/migrations/*.sql")))
    assert made == {table.name for table in TABLES}
    assert [t.name for t in TABLES if not (t.erase or t.home or t.stays)] == []
    for table in TABLES:
        for sql in (table.export, table.home, *table.erase):
            assert not sql or table.name in sql


def test_every_table_of_the_event_store_is_let_go_of_with_its_home() -> None:
    made = set(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", schema("scylla/migrations/*.cql")))
    erased = {m for text in STATEMENTS for m in re.findall(r"^DELETE FROM (\w+)", text)}
    assert made - {"schema_versions", "schema_lock"} == erased


def test_every_table_of_readings_is_let_go_of_with_its_home() -> None:
    made = set(re.findall(r"CREATE TABLE (\w+)", schema("timescale/migrations/plain_*.sql")))
    assert made - {"reading_ranges"} == {table for table, _ in personal._DELETE}


def test_every_collection_is_let_go_of() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in STORES.glob("mongo/*.py"))
    used = set(re.findall(r'link\["(\w+)"\]', source)) - {"schema"}
    assert used == set(COLLECTIONS)
