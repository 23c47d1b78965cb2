"""Every table of this folder: whose it is, its purpose, how long it is kept, what an export and an erasure do with it.

A table that is not listed fails the tests. `:user` is the person; `:homes` the JSON list of homes that go with them.
"""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`whose`: a person's rows, a home's, or of the file itself. `export` selects what is about a person, `erase` are
    the statements that let go of it, in order; what has none says why in `stays`. `hidden` columns are never exported.
    `by_home` is the condition under which a row belongs to one of `:homes`."""

    file: Literal["home", "events"]
    name: str
    whose: Literal["person", "home", "file"]
    purpose: str
    kept: str
    export: str = ""
    erase: tuple[str, ...] = ()
    stays: str = ""
    hidden: tuple[str, ...] = ()
    by_home: str = "home_id IN (SELECT value FROM json_each(:homes))"


_UNTIL_DELETED: Final = "until deleted"
_ID: Final = "the id alone stays, and names nobody once the person's row is gone"

TABLES: Final[tuple[Table, ...]] = (
    Table(file="home", name="users", whose="person", purpose="who can sign in", kept=_UNTIL_DELETED,
          export="id = :user", erase=("DELETE FROM users WHERE id = :user",), hidden=("password_hash",), by_home=""),
    Table(file="home", name="homes", whose="home", purpose="a home, its mode and its zone", kept=_UNTIL_DELETED,
          export="id IN (SELECT home_id FROM members WHERE user_id = :user)",
          stays="a home with other members stays theirs", by_home="id IN (SELECT value FROM json_each(:homes))"),
    Table(file="home", name="members", whose="person", purpose="who belongs to a home", kept=_UNTIL_DELETED,
          export="user_id = :user", erase=("DELETE FROM members WHERE user_id = :user",)),
    Table(file="home", name="sessions", whose="person", purpose="sign-ins", kept="7 days after the last use",
          export="user_id = :user", erase=("DELETE FROM sessions WHERE user_id = :user",), hidden=("refresh_hash",)),
    Table(file="home", name="tokens", whose="person", purpose="tokens of programs and devices", kept=_UNTIL_DELETED,
          export="user_id = :user", hidden=("token_hash",),
          erase=("DELETE FROM tokens WHERE user_id = :user AND kind = 'client'",
                 "UPDATE tokens SET user_id = '' WHERE user_id = :user"),
          stays="a device of a home with other members goes on sending"),
    Table(file="home", name="devices", whose="home", purpose="what stands in the home", kept=_UNTIL_DELETED,
          stays="the home's"),
    Table(file="home", name="live_states", whose="home", purpose="how devices are", kept="the last state",
          stays="the home's"),
    Table(file="home", name="commands", whose="home", purpose="what was done, for undo and why",
          kept=_UNTIL_DELETED, export="user_id = :user",
          erase=("UPDATE commands SET parameters = '{}' WHERE user_id = :user AND parameters <> '{}'",), stays=_ID),
    Table(file="home", name="confirmations", whose="person", purpose="questions and their answers",
          kept=_UNTIL_DELETED, export="user_id = :user OR decided_by = :user",
          erase=("DELETE FROM confirmations WHERE user_id = :user",), stays=_ID, hidden=("link",)),
    Table(file="home", name="audit", whose="home", purpose="who was allowed what, chained by hashes",
          kept="as the audit's retention says",
          export="actor LIKE '%:' || :user OR detail LIKE '%' || :user || '%'",
          stays="a changed row would break the chain: " + _ID),
    Table(file="home", name="audit_heads", whose="home", purpose="the end of each chain", kept="with the chain",
          stays="names nobody"),
    Table(file="home", name="audit_anchors", whose="home", purpose="where each chain begins, once its first rows left",
          kept="with the chain", stays="names nobody"),
    Table(file="home", name="erasures", whose="file", purpose="an erasure that was cut off is taken up again",
          kept="until it is through; with engines the id for good, so that every process hears of it", stays=_ID,
          by_home=""),
    Table(file="home", name="automations", whose="home", purpose="the rules of the home", kept=_UNTIL_DELETED,
          export="created_by = :user", stays=_ID),
    Table(file="home", name="automation_versions", whose="home", purpose="what rules were before, for undo",
          kept="the last versions of each", export="created_by = :user", stays=_ID),
    Table(file="home", name="schedules", whose="person", purpose="timers, and when rules run next",
          kept="until it is due", export="user_id = :user",
          erase=("DELETE FROM schedules WHERE user_id = :user AND kind = 'timer'",
                 "UPDATE schedules SET user_id = '' WHERE user_id = :user"),
          stays="when a rule of the home runs next"),
    Table(file="home", name="list_items", whose="home", purpose="what people want to buy or do", kept=_UNTIL_DELETED,
          export="added_by = :user", erase=("UPDATE list_items SET added_by = '' WHERE added_by = :user",),
          stays="a list is the household's"),
    Table(file="home", name="messages", whose="person", purpose="what was said", kept="with the thread",
          export="user_id = :user", erase=("DELETE FROM messages WHERE user_id = :user",), hidden=("folded",)),
    Table(file="home", name="threads", whose="person", purpose="conversations and their summaries",
          kept=_UNTIL_DELETED, export="user_id = :user", erase=("DELETE FROM threads WHERE user_id = :user",)),
    Table(file="home", name="memories", whose="person", purpose="what was asked to be remembered, and the household",
          kept=_UNTIL_DELETED, export="user_id = :user OR said_by = :user", hidden=("folded",),
          erase=("DELETE FROM memories WHERE user_id = :user OR (said_by = :user AND kind IN ('fact', 'preference'))",
                 "UPDATE memories SET said_by = '', turn_id = '' WHERE said_by = :user"),
          stays="pets, contacts and the rest of a household stay with its other members"),
    Table(file="home", name="memory_words", whose="file", purpose="the index of memories", kept="with them",
          stays="follows memories by triggers"),
    Table(file="home", name="pins", whose="home", purpose="the home's PIN, hashed", kept=_UNTIL_DELETED,
          export="set_by = :user", hidden=("pin_hash",), stays=_ID),
    Table(file="home", name="pin_tries", whose="person", purpose="wrong PINs", kept="until the next right one",
          export="user_id = :user", erase=("DELETE FROM pin_tries WHERE user_id = :user",)),
    Table(file="home", name="permissions", whose="home", purpose="what was allowed beforehand", kept=_UNTIL_DELETED,
          export="created_by = :user OR revoked_by = :user", stays=_ID),
    Table(file="home", name="outbox", whose="person", purpose="messages to people", kept="until delivered, and shown",
          export="recipient = :user", erase=("DELETE FROM outbox WHERE recipient = :user",)),
    Table(file="home", name="alerts", whose="home", purpose="what people should know", kept=_UNTIL_DELETED,
          stays="the home's"),
    Table(file="events", name="events", whose="home", purpose="what happened", kept="as the retention says",
          export="user_id = :user", stays=_ID),
    Table(file="events", name="anomalies", whose="home", purpose="what was strange", kept="as the retention says",
          stays="the home's"),
    Table(file="events", name="series", whose="home", purpose="which numbers a device measures",
          kept="as the retention says", stays="the home's"),
    Table(file="events", name="readings", whose="home", purpose="measured numbers", kept="as the retention says",
          stays="the home's", by_home="series IN (SELECT id FROM series WHERE home_id IN "
          "(SELECT value FROM json_each(:homes)))"),
    Table(file="events", name="minutes", whose="home", purpose="numbers by the minute", kept="as the retention says",
          stays="the home's", by_home="series IN (SELECT id FROM series WHERE home_id IN "
          "(SELECT value FROM json_each(:homes)))"),
    Table(file="events", name="hours", whose="home", purpose="numbers by the hour", kept="as the retention says",
          stays="the home's", by_home="series IN (SELECT id FROM series WHERE home_id IN "
          "(SELECT value FROM json_each(:homes)))"),
)  # fmt: skip
