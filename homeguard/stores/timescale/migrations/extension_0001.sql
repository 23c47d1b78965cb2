-- Readings on TimescaleDB: the same tables as on plain PostgreSQL, as hypertables of the same weeks.
--
-- Ids of homes and devices are text of any length here, so `user_id` (which holds the home's id) is text; `device_id`
-- is the UUID that HomeGuard derives from home and device. Texts that are sorted by are compared byte by byte.
CREATE EXTENSION IF NOT EXISTS timescaledb;

CREATE TABLE reading_series (
    device_id UUID NOT NULL,
    reading_type TEXT COLLATE "C" NOT NULL,
    home_id TEXT COLLATE "C" NOT NULL,
    -- The device's own id in its home.
    device TEXT COLLATE "C" NOT NULL,
    unit TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (device_id, reading_type)
);
CREATE INDEX reading_series_by_home ON reading_series (home_id, device, reading_type);

CREATE TABLE sensor_readings (
    time TIMESTAMPTZ NOT NULL,
    device_id UUID NOT NULL,
    user_id TEXT NOT NULL,
    reading_type TEXT COLLATE "C" NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    unit TEXT NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    is_simulated BOOLEAN NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (device_id, reading_type, time, event_id)
);
SELECT create_hypertable('sensor_readings', 'time',
    chunk_time_interval => INTERVAL '7 days', create_default_indexes => false);
CREATE INDEX idx_sensor_device ON sensor_readings (device_id, time DESC);
CREATE INDEX idx_sensor_user ON sensor_readings (user_id, time DESC);

-- Ordered within a device so that one metric over a span of time touches few compressed rows.
ALTER TABLE sensor_readings SET (
    timescaledb.compress,
    timescaledb.compress_segmentby = 'device_id',
    timescaledb.compress_orderby = 'reading_type, time, event_id'
);
SELECT add_compression_policy('sensor_readings', INTERVAL '7 days');

-- Sums and counts, not averages, so that late readings merge. `slot` is where the minute, hour or day (UTC) begins.
CREATE TABLE reading_minutes (
    device_id UUID NOT NULL,
    reading_type TEXT COLLATE "C" NOT NULL,
    slot TIMESTAMPTZ NOT NULL,
    count BIGINT NOT NULL,
    total DOUBLE PRECISION NOT NULL,
    low DOUBLE PRECISION NOT NULL,
    high DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (device_id, reading_type, slot)
);
SELECT create_hypertable('reading_minutes', 'slot',
    chunk_time_interval => INTERVAL '7 days', create_default_indexes => false);

CREATE TABLE reading_hours (
    device_id UUID NOT NULL,
    reading_type TEXT COLLATE "C" NOT NULL,
    slot TIMESTAMPTZ NOT NULL,
    count BIGINT NOT NULL,
    total DOUBLE PRECISION NOT NULL,
    low DOUBLE PRECISION NOT NULL,
    high DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (device_id, reading_type, slot)
);
SELECT create_hypertable('reading_hours', 'slot',
    chunk_time_interval => INTERVAL '7 days', create_default_indexes => false);

-- A day also knows when the last of its readings came: that is how long its chunk is kept.
CREATE TABLE reading_days (
    device_id UUID NOT NULL,
    reading_type TEXT COLLATE "C" NOT NULL,
    slot TIMESTAMPTZ NOT NULL,
    count BIGINT NOT NULL,
    total DOUBLE PRECISION NOT NULL,
    low DOUBLE PRECISION NOT NULL,
    high DOUBLE PRECISION NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (device_id, reading_type, slot)
);
CREATE INDEX reading_days_by_slot ON reading_days (slot);

-- For dashboards and for people who ask in SQL. A continuous aggregate learns of late readings when it is refreshed;
-- HomeGuard answers at once and for all of the past, so it reads the tables above, which every append brings up to date
-- in its own transaction. (An average of their own would overflow at values that nobody measured, and stop the job.)
CREATE MATERIALIZED VIEW hourly_events
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket(INTERVAL '1 hour', time) AS bucket, device_id, reading_type, count(*) AS event_count,
    sum(greatest(-1e290, least(1e290, value))) / count(*) AS avg_value, min(value) AS min_value, max(value) AS max_value
FROM sensor_readings GROUP BY 1, 2, 3
WITH NO DATA;
SELECT set_chunk_time_interval('hourly_events', INTERVAL '7 days');
SELECT add_continuous_aggregate_policy('hourly_events',
    start_offset => INTERVAL '3 hours', end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '1 hour');

CREATE MATERIALIZED VIEW daily_events
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket(INTERVAL '1 day', time) AS bucket, device_id, reading_type, count(*) AS event_count,
    sum(greatest(-1e290, least(1e290, value))) / count(*) AS avg_value, min(value) AS min_value, max(value) AS max_value
FROM sensor_readings GROUP BY 1, 2, 3
WITH NO DATA;
SELECT set_chunk_time_interval('daily_events', INTERVAL '7 days');
SELECT add_continuous_aggregate_policy('daily_events',
    start_offset => INTERVAL '3 days', end_offset => INTERVAL '1 day', schedule_interval => INTERVAL '1 day');

-- The policies look back three hours and three days; once a day what came later than that follows.
CREATE PROCEDURE refresh_late_events(job_id INTEGER, config JSONB) LANGUAGE plpgsql AS $$
BEGIN
    CALL refresh_continuous_aggregate('hourly_events', NULL, now() - INTERVAL '2 hours');
    CALL refresh_continuous_aggregate('daily_events', NULL, now() - INTERVAL '2 days');
END $$;
SELECT add_job('refresh_late_events', INTERVAL '1 day');

CREATE VIEW reading_ranges AS
SELECT range_start AS starts, range_end AS ends FROM timescaledb_information.chunks
WHERE hypertable_schema = current_schema() AND hypertable_name = 'sensor_readings';

-- Drops the chunk that begins there, rollups and all, when none of its readings was received since; says whether.
-- A retention policy of TimescaleDB would go by the readings' own time and drop what came late as soon as it came.
CREATE FUNCTION drop_reading_range(first TIMESTAMPTZ, received_since TIMESTAMPTZ) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
DECLARE
    behind TIMESTAMPTZ;
BEGIN
    -- Nobody appends while this is decided. In the order in which `append` takes them.
    LOCK TABLE ONLY sensor_readings, ONLY reading_minutes, ONLY reading_hours IN SHARE ROW EXCLUSIVE MODE;
    SELECT ends INTO behind FROM reading_ranges WHERE starts = first;
    IF behind IS NULL OR EXISTS (
        SELECT FROM reading_days WHERE slot >= first AND slot < behind AND received_at >= received_since
    ) THEN
        RETURN false;
    END IF;
    PERFORM drop_chunks('sensor_readings', older_than => behind, newer_than => first);
    PERFORM drop_chunks('reading_minutes', older_than => behind, newer_than => first);
    PERFORM drop_chunks('reading_hours', older_than => behind, newer_than => first);
    PERFORM drop_chunks('hourly_events', older_than => behind, newer_than => first);
    PERFORM drop_chunks('daily_events', older_than => behind, newer_than => first);
    DELETE FROM reading_days WHERE slot >= first AND slot < behind;
    RETURN true;
END $$;
