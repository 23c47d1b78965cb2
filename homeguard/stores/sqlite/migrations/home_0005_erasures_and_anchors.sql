-- Who is being erased: what a crash cut off is taken up again. Of those that others must hear of, the id stays.
CREATE TABLE erasures (
    user_id TEXT PRIMARY KEY,
    homes TEXT NOT NULL,
    sole_homes TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    finished_at INTEGER
) STRICT, WITHOUT ROWID;

-- Where the audit of a home begins now: number and hash of the last row that left it for its age. Rows are numbered from
-- 1, so the number is also how many left. `seal` shows that it was this installation that let them go.
CREATE TABLE audit_anchors (
    home_id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL,
    left_at INTEGER NOT NULL,
    seal TEXT NOT NULL
) STRICT, WITHOUT ROWID;
