"""What `home.db` and `events.db` keep about one person, told as it is and let go of, table by table of the data map."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import apsw

from homeguard.clock import iso
from homeguard.ports.personal import Subject
from homeguard.stores.json_text import json_text
from homeguard.stores.sqlite.automations import SqliteAutomations
from homeguard.stores.sqlite.columns import moment
from homeguard.stores.sqlite.contexts import MemoryContexts
from homeguard.stores.sqlite.data_map import TABLES, Table
from homeguard.stores.sqlite.database import Database
from homeguard.stores.sqlite.devices import SqliteDevices
from homeguard.stores.sqlite.live_state import SqliteLiveStates
from homeguard.stores.sqlite.users import SqliteUsers

_File = Literal["home", "events"]

#: A series keeps its number, since one that is given out again would mix two homes' readings.
_NAMELESS: Final = (
    "UPDATE series SET home_id = '', device_id = 'erased ' || id, metric = ''"
    " WHERE home_id IN (SELECT value FROM json_each(:homes))"
)
_EXPORTS: Final = tuple(
    (t, f"SELECT * FROM {t.name} WHERE {t.export} LIMIT 100000")  # noqa: S608 - literals of the data map
    for t in TABLES
    if t.export
)


def _whole_home(table: Table) -> str:
    if table.name == "series":
        return _NAMELESS
    return f"DELETE FROM {table.name} WHERE {table.by_home}"  # noqa: S608 - literals of the data map


#: The numbers of a series go before the series does.
_WHOLE_HOMES: Final = tuple(
    (table, _whole_home(table))
    for table in sorted(TABLES, key=lambda t: t.name == "series")
    if table.by_home and table.whose != "file"
)


class SqlitePersonalData:
    """A `PersonalData`. What it deletes is overwritten in the file, so that nothing of it is left to be found there."""

    def __init__(
        self,
        home: Database,
        events: Database,
        users: SqliteUsers,
        devices: SqliteDevices,
        automations: SqliteAutomations,
        live: SqliteLiveStates,
        contexts: MemoryContexts,
    ) -> None:
        """The stores after the files: what they hold in memory goes, too."""
        self._files: Mapping[_File, Database] = {"home": home, "events": events}
        self._users = users
        self._devices = devices
        self._automations = automations
        self._live = live
        self._contexts = contexts

    async def export(self, subject: Subject) -> Mapping[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        if not subject.user_id:
            return found
        for table, sql in _EXPORTS:

            def look(c: apsw.Connection, table: Table = table, sql: str = sql) -> list[dict[str, Any]]:
                cursor = c.execute(sql, {"user": subject.user_id})
                return [
                    _shown(
                        table, {column[0]: value for column, value in zip(cursor.get_description(), row, strict=True)}
                    )
                    for row in cursor
                ]

            found[table.name] = await self._files[table.file].read(look)
        known = [(home_id, await self._contexts.get(home_id, subject.user_id)) for home_id in subject.homes]
        found["contexts"] = [{"home_id": home_id, **context} for home_id, context in known if context]
        return found

    async def erase(self, subject: Subject) -> Mapping[str, int]:
        if not subject.user_id:
            return {}  # what has no person is the household's
        given = {"user": subject.user_id, "homes": json_text(sorted(subject.sole_homes))}
        # by itself: states are written behind, and one that is just being written would come after its home was gone
        for home_id in subject.sole_homes:
            for device_id in await self._live.all(home_id):
                await self._live.forget(home_id, device_id)
        gone = await self._files["events"].write(lambda c: _erase(c, "events", given))
        return gone | await self._files["home"].write(
            lambda c: _erase(c, "home", given), then=lambda _: self._let_go(subject)
        )

    def _let_go(self, subject: Subject) -> None:
        for home_id in subject.homes:
            self._contexts.let_go(home_id, subject.user_id)
        self._users.let_go(subject.user_id, subject.sole_homes)
        self._devices.let_go(subject.sole_homes)
        self._automations.let_go(subject.sole_homes)


def _erase(c: apsw.Connection, file: _File, given: Mapping[str, str]) -> dict[str, int]:
    gone: dict[str, int] = {}

    def run(table: str, sql: str) -> None:
        before = c.total_changes()
        c.execute(sql, {name: value for name, value in given.items() if f":{name}" in sql})
        gone[table] = gone.get(table, 0) + c.total_changes() - before

    c.execute("PRAGMA secure_delete = ON")
    for table in TABLES:
        for sql in table.erase if table.file == file else ():
            run(table.name, sql)
    for table, sql in _WHOLE_HOMES:
        if table.file == file:
            run(table.name, sql)
    if file == "home":
        c.execute("INSERT INTO memory_words (memory_words) VALUES ('optimize')")
    c.execute("PRAGMA secure_delete = OFF")
    return {name: count for name, count in gone.items() if count}


def _shown(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: iso(moment(value)) if isinstance(value, int) and (name == "at" or name.endswith("_at")) else value
        for name, value in row.items()
        if name not in table.hidden
    }
