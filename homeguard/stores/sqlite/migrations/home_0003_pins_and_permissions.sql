-- The PIN of a home, as an argon2id hash, and who tried it in vain.
CREATE TABLE pins (
    home_id TEXT PRIMARY KEY,
    pin_hash TEXT NOT NULL,
    set_by TEXT NOT NULL,
    set_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pin_tries (
    home_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    tries TEXT NOT NULL,
    locked_until INTEGER,
    PRIMARY KEY (home_id, user_id)
) STRICT, WITHOUT ROWID;

-- What was allowed beforehand. A row is never deleted: what was done by it must be explained later.
CREATE TABLE permissions (
    home_id TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    device_ids TEXT NOT NULL,
    commands TEXT NOT NULL,
    valid_from INTEGER,
    valid_until INTEGER,
    evidence TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_by TEXT NOT NULL,
    revoked_at INTEGER,
    uses INTEGER NOT NULL,
    last_used_at INTEGER,
    PRIMARY KEY (home_id, id)
) STRICT, WITHOUT ROWID;

-- What finds a question on its page; it allows nothing.
ALTER TABLE confirmations ADD COLUMN link TEXT NOT NULL DEFAULT '';
