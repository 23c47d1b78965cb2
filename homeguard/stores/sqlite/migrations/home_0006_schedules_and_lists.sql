-- Where a home stands, in degrees: by this the sun rises and sets there.
ALTER TABLE homes ADD COLUMN latitude REAL;
ALTER TABLE homes ADD COLUMN longitude REAL;

-- What is to be done at a time. `taken_by` is at it until `taken_until`; a paused timer has no time.
CREATE TABLE schedules (
    home_id TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    due_at INTEGER,
    user_id TEXT NOT NULL,
    made_from TEXT NOT NULL,
    detail TEXT NOT NULL,
    created_at INTEGER,
    taken_by TEXT NOT NULL DEFAULT '',
    taken_until INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (home_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedules_due ON schedules (due_at, home_id, id) WHERE due_at IS NOT NULL;

-- What people keep lists of.
CREATE TABLE list_items (
    home_id TEXT NOT NULL,
    id TEXT NOT NULL,
    list TEXT NOT NULL,
    text TEXT NOT NULL,
    done INTEGER NOT NULL,
    added_by TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (home_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX list_items_by_list ON list_items (home_id, list, added_at, id);
