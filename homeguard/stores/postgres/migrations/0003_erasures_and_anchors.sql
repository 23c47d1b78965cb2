-- Who is being erased, and who was: each process finds here what it has to let go of. The ids name nobody any more.
CREATE TABLE erasures (
    user_id TEXT COLLATE "C" PRIMARY KEY,
    homes JSON NOT NULL,
    sole_homes JSON NOT NULL,
    begun_at TIMESTAMPTZ NOT NULL
);

-- Where the audit of a home begins now: number and hash of the last row that left it for its age. Rows are numbered from
-- 1, so the number is also how many left. `seal` shows that it was this installation that let them go.
CREATE TABLE audit_anchors (
    home_id TEXT COLLATE "C" PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL,
    left_at TIMESTAMPTZ NOT NULL,
    seal TEXT NOT NULL
);
