-- Everything of a home that shares transactions. Times are microseconds since 1970 (UTC), structures are JSON.
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE homes (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    unit_system TEXT NOT NULL,
    mode TEXT NOT NULL,
    arm_state TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    home_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (home_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user_id);

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    home_id TEXT NOT NULL,
    refresh_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    home_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    servers TEXT NOT NULL,
    device_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
    home_id TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    capabilities TEXT NOT NULL,
    area TEXT NOT NULL,
    floor TEXT NOT NULL,
    aliases TEXT NOT NULL,
    hardware TEXT,
    config TEXT NOT NULL,
    binding TEXT NOT NULL,
    is_simulated INTEGER NOT NULL,
    created_at INTEGER,
    PRIMARY KEY (home_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE live_states (
    home_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (home_id, device_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE commands (
    home_id TEXT NOT NULL,
    id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    command TEXT NOT NULL,
    parameters TEXT NOT NULL,
    sets TEXT NOT NULL,
    was TEXT NOT NULL,
    tier INTEGER NOT NULL,
    caller TEXT NOT NULL,
    user_id TEXT NOT NULL,
    cause TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    finished_at INTEGER,
    grant_id TEXT NOT NULL,
    PRIMARY KEY (home_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX commands_by_time ON commands (home_id, requested_at);
CREATE INDEX commands_by_device ON commands (home_id, device_id, requested_at);
CREATE INDEX commands_pending ON commands (requested_at) WHERE outcome = 'pending';

CREATE TABLE confirmations (
    home_id TEXT NOT NULL,
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    text TEXT NOT NULL,
    detail TEXT NOT NULL,
    tier INTEGER NOT NULL,
    effects TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    caller TEXT NOT NULL,
    state TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    turn_id TEXT NOT NULL,
    cause TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    decided_at INTEGER,
    outcome TEXT NOT NULL,
    PRIMARY KEY (home_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX confirmations_open ON confirmations (home_id, created_at) WHERE state = 'open';

CREATE TABLE audit (
    home_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    decision TEXT NOT NULL,
    rule TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (home_id, seq)
) STRICT, WITHOUT ROWID;

-- The last row of each home's chain, so that rows cut off its end are missed too.
CREATE TABLE audit_heads (
    home_id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE automations (
    home_id TEXT NOT NULL,
    id TEXT NOT NULL,
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
    PRIMARY KEY (home_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE threads (
    home_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (home_id, user_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX threads_by_time ON threads (home_id, user_id, updated_at);

-- `number` keeps lines of equal time in the order in which they were said.
CREATE TABLE messages (
    number INTEGER PRIMARY KEY,
    home_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    id TEXT NOT NULL,
    turn_id TEXT NOT NULL,
    role TEXT NOT NULL,
    text TEXT NOT NULL,
    folded TEXT NOT NULL,
    at INTEGER NOT NULL,
    calls TEXT NOT NULL,
    commands TEXT NOT NULL,
    confirmations TEXT NOT NULL,
    UNIQUE (home_id, user_id, id),
    FOREIGN KEY (home_id, user_id, thread_id) REFERENCES threads (home_id, user_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX messages_by_thread ON messages (home_id, user_id, thread_id, at);

CREATE TABLE outbox (
    home_id TEXT NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    priority TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    cause TEXT NOT NULL,
    delivered_at INTEGER,
    PRIMARY KEY (home_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_by_time ON outbox (home_id, at);
CREATE INDEX outbox_undelivered ON outbox (at, id) WHERE delivered_at IS NULL;

CREATE TABLE alerts (
    home_id TEXT NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    device_id TEXT NOT NULL,
    event_ids TEXT NOT NULL,
    state TEXT NOT NULL,
    is_simulated INTEGER NOT NULL,
    PRIMARY KEY (home_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_by_time ON alerts (home_id, at);
