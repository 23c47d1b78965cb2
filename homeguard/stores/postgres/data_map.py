"""Every table in PostgreSQL: what a copy of a person's data and an erasure do with it.

A table that is not listed fails the tests. `$1` is the person; in `home` it is the homes that go with them.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`export` selects what is about the person, `erase` are statements that let go of it, `home` the one that lets go
    of what belongs to a home that goes; `stays` says why something is left. `hidden` columns are never exported."""

    name: str
    export: str = ""
    erase: tuple[str, ...] = ()
    home: str = ""
    stays: str = ""
    hidden: tuple[str, ...] = ()


_ID: Final = "the id alone stays, and names nobody once the person's row is gone"

#: In this order: the person's own row goes last.
TABLES: Final[tuple[Table, ...]] = (
    Table(name="subscriptions", export="SELECT * FROM subscriptions WHERE user_id = $1",
          erase=("DELETE FROM subscriptions WHERE user_id = $1",)),
    Table(name="user_sessions", export="SELECT * FROM user_sessions WHERE user_id = $1", hidden=("token_hash",),
          erase=("DELETE FROM user_sessions WHERE user_id = $1",),
          home="DELETE FROM user_sessions WHERE home_id = ANY($1::text[])"),
    Table(name="access_tokens", export="SELECT * FROM access_tokens WHERE user_id = $1", hidden=("token_hash",),
          erase=("DELETE FROM access_tokens WHERE user_id = $1 AND kind = 'client'",
                 "UPDATE access_tokens SET user_id = '' WHERE user_id = $1"),
          home="DELETE FROM access_tokens WHERE home_id = ANY($1::text[])",
          stays="a device of a home with other members goes on sending"),
    Table(name="commands", export="SELECT * FROM commands WHERE user_id = $1",
          erase=("UPDATE commands SET parameters = '{}' WHERE user_id = $1 AND parameters::text <> '{}'",),
          home="DELETE FROM commands WHERE home_id = ANY($1::text[])", stays=_ID),
    Table(name="confirmations", export="SELECT * FROM confirmations WHERE user_id = $1 OR decided_by = $1",
          hidden=("link",), erase=("DELETE FROM confirmations WHERE user_id = $1",),
          home="DELETE FROM confirmations WHERE home_id = ANY($1::text[])", stays=_ID),
    Table(name="audit_logs", export="SELECT * FROM audit_logs WHERE actor LIKE '%:' || $1 OR strpos(detail, $1) > 0",
          home="DELETE FROM audit_logs WHERE home_id = ANY($1::text[])",
          stays="a changed row would break the chain: " + _ID),
    Table(name="audit_heads", home="DELETE FROM audit_heads WHERE home_id = ANY($1::text[])", stays="names nobody"),
    Table(name="audit_anchors", home="DELETE FROM audit_anchors WHERE home_id = ANY($1::text[])", stays="names nobody"),
    Table(name="outbox", export="SELECT * FROM outbox WHERE recipient = $1",
          erase=("DELETE FROM outbox WHERE recipient = $1",),
          home="DELETE FROM outbox WHERE home_id = ANY($1::text[])"),
    Table(name="pins", export="SELECT * FROM pins WHERE set_by = $1", hidden=("pin_hash",),
          home="DELETE FROM pins WHERE home_id = ANY($1::text[])", stays=_ID),
    Table(name="pin_tries", export="SELECT * FROM pin_tries WHERE user_id = $1",
          erase=("DELETE FROM pin_tries WHERE user_id = $1",),
          home="DELETE FROM pin_tries WHERE home_id = ANY($1::text[])"),
    Table(name="permissions", export="SELECT * FROM permissions WHERE created_by = $1 OR revoked_by = $1",
          home="DELETE FROM permissions WHERE home_id = ANY($1::text[])", stays=_ID),
    Table(name="schedules", export="SELECT * FROM schedules WHERE user_id = $1",
          erase=("DELETE FROM schedules WHERE user_id = $1 AND kind = 'timer'",
                 "UPDATE schedules SET user_id = '' WHERE user_id = $1"),
          home="DELETE FROM schedules WHERE home_id = ANY($1::text[])", stays="when a rule of the home runs next"),
    Table(name="list_items", export="SELECT * FROM list_items WHERE added_by = $1",
          erase=("UPDATE list_items SET added_by = '' WHERE added_by = $1",),
          home="DELETE FROM list_items WHERE home_id = ANY($1::text[])", stays="a list is the household's"),
    Table(name="home_members", export="SELECT * FROM home_members WHERE user_id = $1",
          erase=("DELETE FROM home_members WHERE user_id = $1",),
          home="DELETE FROM home_members WHERE home_id = ANY($1::text[])"),
    Table(name="homes", home="DELETE FROM homes WHERE id = ANY($1::text[])",
          export="SELECT * FROM homes WHERE id IN (SELECT home_id FROM home_members WHERE user_id = $1)",
          stays="a home with other members stays theirs"),
    Table(name="users", export="SELECT * FROM users WHERE id = $1", hidden=("password_hash",),
          erase=("DELETE FROM users WHERE id = $1",)),
    Table(name="erasures", stays="every process finds there what it has to let go of: " + _ID),
)  # fmt: skip
