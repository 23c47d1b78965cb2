-- What happened and what was measured. Times are microseconds since 1970 (UTC), structures are JSON.
CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    home_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    device_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    payload TEXT NOT NULL,
    firmware_version TEXT,
    signal_strength INTEGER,
    is_simulated INTEGER NOT NULL,
    source TEXT NOT NULL,
    trust TEXT NOT NULL,
    lane TEXT NOT NULL,
    cause TEXT NOT NULL,
    traceparent TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_id ON events (home_id, event_id);
CREATE INDEX events_by_time ON events (home_id, at);
-- The type rides along so that a device's events of one type are found without touching the others' rows.
CREATE INDEX events_by_device ON events (home_id, device_id, at, event_type);
CREATE INDEX events_by_type ON events (home_id, event_type, at);

CREATE TABLE anomalies (
    home_id TEXT NOT NULL,
    id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    score REAL NOT NULL,
    severity TEXT NOT NULL,
    explanation TEXT NOT NULL,
    event_id TEXT NOT NULL,
    metric TEXT NOT NULL,
    value REAL,
    expected_low REAL,
    expected_high REAL,
    PRIMARY KEY (home_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX anomalies_by_time ON anomalies (home_id, at);
CREATE INDEX anomalies_by_device ON anomalies (home_id, device_id, at);

-- One metric of one device: readings and rollups point here, so that their rows are small.
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    home_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    metric TEXT NOT NULL,
    unit TEXT NOT NULL,
    UNIQUE (home_id, device_id, metric)
) STRICT;

-- `unit` is kept only where it is not the series' own.
CREATE TABLE readings (
    series INTEGER NOT NULL,
    at INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    value REAL NOT NULL,
    is_simulated INTEGER NOT NULL,
    unit TEXT,
    PRIMARY KEY (series, at, event_id)
) STRICT, WITHOUT ROWID;

-- `slot` counts minutes since 1970. Sums and counts, not averages, so that late readings merge.
CREATE TABLE minutes (
    series INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    count INTEGER NOT NULL,
    total REAL NOT NULL,
    low REAL NOT NULL,
    high REAL NOT NULL,
    PRIMARY KEY (series, slot)
) STRICT, WITHOUT ROWID;

-- `slot` counts hours since 1970.
CREATE TABLE hours (
    series INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    count INTEGER NOT NULL,
    total REAL NOT NULL,
    low REAL NOT NULL,
    high REAL NOT NULL,
    PRIMARY KEY (series, slot)
) STRICT, WITHOUT ROWID;
