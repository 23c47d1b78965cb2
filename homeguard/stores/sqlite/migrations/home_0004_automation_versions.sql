-- What a rule was before it was changed or deleted, the highest number the newest: undoing it needs this.
CREATE TABLE automation_versions (
    home_id TEXT NOT NULL,
    id TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    conditions TEXT NOT NULL,
    trigger_ TEXT NOT NULL,
    actions TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    version TEXT NOT NULL,
    approved TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER,
    updated_at INTEGER,
    PRIMARY KEY (home_id, id, number)
) STRICT, WITHOUT ROWID;
