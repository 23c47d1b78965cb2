-- Where a home stands, in degrees: by this the sun rises and sets there.
ALTER TABLE homes ADD COLUMN latitude DOUBLE PRECISION;
ALTER TABLE homes ADD COLUMN longitude DOUBLE PRECISION;

-- What is to be done at a time. `taken_by` is at it until `taken_until`; a paused timer has no time.
CREATE TABLE schedules (
    home_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    due_at TIMESTAMPTZ,
    user_id TEXT COLLATE "C" NOT NULL,
    made_from TEXT NOT NULL,
    detail JSON NOT NULL,
    created_at TIMESTAMPTZ,
    taken_by TEXT NOT NULL DEFAULT '',
    taken_until TIMESTAMPTZ,
    PRIMARY KEY (home_id, id)
);
CREATE INDEX schedules_due ON schedules (due_at, home_id, id) WHERE due_at IS NOT NULL;

-- What people keep lists of.
CREATE TABLE list_items (
    home_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    list TEXT COLLATE "C" NOT NULL,
    text TEXT NOT NULL,
    done BOOLEAN NOT NULL,
    added_by TEXT COLLATE "C" NOT NULL,
    added_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (home_id, id)
);
CREATE INDEX list_items_by_list ON list_items (home_id, list, added_at, id);
