-- People, their homes, what was asked of a home and what came of it.
--
-- Keys are TEXT, not UUID: our ids are UUIDs in most places, but an id may also be derived ("anna" in a scenario, the id
-- of a person as that of their first home), and a home that moves here from another store keeps the ids it has.
-- COLLATE "C" orders by bytes, as every other store does, whatever the database's own language is.
-- Nothing references `users`: people, homes and sessions may be put in any order, as in every other store.
CREATE TABLE users (
    id TEXT COLLATE "C" PRIMARY KEY,
    email VARCHAR(255) NOT NULL UNIQUE,
    -- The e-mail without case, by the rules that the program uses when it looks for one.
    email_key TEXT COLLATE "C" NOT NULL UNIQUE,
    password_hash VARCHAR(255) NOT NULL,
    name VARCHAR(255) NOT NULL,
    role VARCHAR(50) NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE homes (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    unit_system TEXT NOT NULL,
    mode TEXT NOT NULL,
    arm_state TEXT NOT NULL
);

CREATE TABLE home_members (
    home_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (home_id, user_id)
);
CREATE INDEX home_members_by_user ON home_members (user_id);

-- `token_hash` is the SHA-256 of the one refresh token that is good now.
CREATE TABLE user_sessions (
    id TEXT COLLATE "C" PRIMARY KEY,
    user_id TEXT COLLATE "C" NOT NULL,
    home_id TEXT COLLATE "C" NOT NULL,
    token_hash VARCHAR(255) NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ
);
CREATE INDEX user_sessions_by_user ON user_sessions (user_id);

CREATE TABLE access_tokens (
    id TEXT COLLATE "C" PRIMARY KEY,
    home_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    scopes TEXT[] NOT NULL,
    servers TEXT[] NOT NULL,
    device_id TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    revoked_at TIMESTAMPTZ
);

-- Which plan a person has. Nothing is sold yet: the table is here for who keeps plans beside HomeGuard.
CREATE TABLE subscriptions (
    id TEXT COLLATE "C" PRIMARY KEY,
    user_id TEXT COLLATE "C" NOT NULL,
    plan TEXT NOT NULL,
    state TEXT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    ends_at TIMESTAMPTZ
);
CREATE INDEX subscriptions_by_user ON subscriptions (user_id);

-- JSON, not JSONB: what was written is read back letter by letter.
CREATE TABLE commands (
    home_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    device_id TEXT COLLATE "C" NOT NULL,
    command TEXT NOT NULL,
    parameters JSON NOT NULL,
    sets JSON NOT NULL,
    was JSON NOT NULL,
    tier INTEGER NOT NULL,
    caller TEXT NOT NULL,
    user_id TEXT NOT NULL,
    cause TEXT NOT NULL,
    requested_at TIMESTAMPTZ NOT NULL,
    not_after TIMESTAMPTZ NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    finished_at TIMESTAMPTZ,
    grant_id TEXT NOT NULL,
    PRIMARY KEY (home_id, id)
);
CREATE INDEX commands_by_time ON commands (home_id, requested_at, id);
CREATE INDEX commands_by_device ON commands (home_id, device_id, requested_at, id);
CREATE INDEX commands_pending ON commands (requested_at, id) WHERE outcome = 'pending';

CREATE TABLE confirmations (
    home_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    user_id TEXT NOT NULL,
    text TEXT NOT NULL,
    detail TEXT NOT NULL,
    tier INTEGER NOT NULL,
    effects JSON NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    caller TEXT NOT NULL,
    state TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    turn_id TEXT NOT NULL,
    cause TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    decided_at TIMESTAMPTZ,
    outcome JSON NOT NULL,
    PRIMARY KEY (home_id, id)
);
CREATE INDEX confirmations_by_time ON confirmations (home_id, created_at, id);
CREATE INDEX confirmations_open ON confirmations (expires_at) WHERE state = 'open';

-- `detail` is part of what the hash covers, so it is kept as the text that was hashed.
CREATE TABLE audit_logs (
    home_id TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    decision TEXT NOT NULL,
    rule TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (home_id, seq)
);

-- The last row of each home's chain, so that rows cut off its end are missed too. Who appends holds this row.
CREATE TABLE audit_heads (
    home_id TEXT COLLATE "C" PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL
);

CREATE TABLE outbox (
    home_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    priority TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    cause TEXT NOT NULL,
    delivered_at TIMESTAMPTZ,
    PRIMARY KEY (home_id, id)
);
CREATE INDEX outbox_by_time ON outbox (home_id, at, id);
CREATE INDEX outbox_undelivered ON outbox (at, id) WHERE delivered_at IS NULL;
