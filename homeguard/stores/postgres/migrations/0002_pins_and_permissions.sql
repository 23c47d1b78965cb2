-- The PIN of a home, as an argon2id hash, and who tried it in vain.
CREATE TABLE pins (
    home_id TEXT COLLATE "C" PRIMARY KEY,
    pin_hash TEXT NOT NULL,
    set_by TEXT NOT NULL,
    set_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE pin_tries (
    home_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    tries JSON NOT NULL,
    locked_until TIMESTAMPTZ,
    PRIMARY KEY (home_id, user_id)
);

-- What was allowed beforehand. A row is never deleted: what was done by it must be explained later.
CREATE TABLE permissions (
    home_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    device_ids JSON NOT NULL,
    commands JSON NOT NULL,
    valid_from TIMESTAMPTZ,
    valid_until TIMESTAMPTZ,
    evidence JSON NOT NULL,
    created_by TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    revoked_by TEXT NOT NULL,
    revoked_at TIMESTAMPTZ,
    uses INTEGER NOT NULL,
    last_used_at TIMESTAMPTZ,
    PRIMARY KEY (home_id, id)
);

-- What finds a question on its page; it allows nothing.
ALTER TABLE confirmations ADD COLUMN link TEXT NOT NULL DEFAULT '';
