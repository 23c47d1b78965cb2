-- What waits for an engine that is away. Times are microseconds since 1970 (UTC), values are JSON.
-- AUTOINCREMENT: a number is never given twice, so that a late "taken" cannot take another row.
CREATE TABLE waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    engine TEXT NOT NULL,
    concern TEXT NOT NULL,
    value TEXT NOT NULL,
    kept_at INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    is_aside INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX waiting_by_engine ON waiting (engine, is_aside, number);
