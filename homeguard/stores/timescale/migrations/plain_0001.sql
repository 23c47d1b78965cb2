-- Readings on plain PostgreSQL: partitions by week, rollups beside them.
--
-- Ids of homes and devices are text of any length here, so `user_id` (which holds the home's id) is text; `device_id`
-- is the UUID that HomeGuard derives from home and device. Texts that are sorted by are compared byte by byte.
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
) PARTITION BY RANGE (time);
CREATE INDEX idx_sensor_device ON sensor_readings (device_id, time DESC);
CREATE INDEX idx_sensor_user ON sensor_readings (user_id, time DESC);

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
) PARTITION BY RANGE (slot);

CREATE TABLE reading_hours (
    device_id UUID NOT NULL,
    reading_type TEXT COLLATE "C" NOT NULL,
    slot TIMESTAMPTZ NOT NULL,
    count BIGINT NOT NULL,
    total DOUBLE PRECISION NOT NULL,
    low DOUBLE PRECISION NOT NULL,
    high DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (device_id, reading_type, slot)
) PARTITION BY RANGE (slot);

-- A day also knows when the last of its readings came: that is how long its partition is kept.
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

-- The same ranges cut all three partitioned tables.
CREATE TABLE reading_ranges (
    starts TIMESTAMPTZ PRIMARY KEY,
    ends TIMESTAMPTZ NOT NULL
);

-- Makes partitions for those of the times that have none: weeks, and for what is older than a year calendar years, so
-- that clocks that are wrong cannot fill the catalog. A new range takes no more than what its neighbours leave free.
-- Makes a few ranges at a time, so that no call takes long; says whether all of the times have one now.
CREATE FUNCTION add_reading_ranges(times TIMESTAMPTZ[], today TIMESTAMPTZ) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
DECLARE
    made INTEGER := 0;
    wanted TIMESTAMPTZ;
    span TEXT;
    first TIMESTAMPTZ;
    behind TIMESTAMPTZ;
    parent TEXT;
    part TEXT;
BEGIN
    LOCK TABLE reading_ranges IN SHARE ROW EXCLUSIVE MODE;
    FOR wanted IN SELECT DISTINCT t FROM unnest(times) AS t ORDER BY t LOOP
        CONTINUE WHEN EXISTS (SELECT FROM reading_ranges WHERE starts <= wanted AND wanted < ends);
        IF made = 16 THEN
            RETURN false;
        END IF;
        made := made + 1;
        span := CASE WHEN wanted < today - INTERVAL '1 year' THEN 'year' ELSE 'week' END;
        first := date_trunc(span, wanted, 'UTC');
        -- Counted in UTC: a day is not always 24 hours where the server lives.
        behind := (first AT TIME ZONE 'UTC' + ('1 ' || span)::INTERVAL) AT TIME ZONE 'UTC';
        first := greatest(first, (SELECT max(ends) FROM reading_ranges WHERE ends <= wanted));
        behind := least(behind, (SELECT min(starts) FROM reading_ranges WHERE starts > wanted));
        FOREACH parent IN ARRAY ARRAY['sensor_readings', 'reading_minutes', 'reading_hours'] LOOP
            part := parent || to_char(first AT TIME ZONE 'UTC', '_YYYYMMDD');
            -- Attached, because a table that is created as a partition stops all readers of its parent.
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
            EXECUTE format(
                'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part, first, behind
            );
        END LOOP;
        INSERT INTO reading_ranges VALUES (first, behind);
    END LOOP;
    RETURN true;
END $$;

-- Drops the range that begins there, rollups and all, when none of its readings was received since; says whether.
CREATE FUNCTION drop_reading_range(first TIMESTAMPTZ, received_since TIMESTAMPTZ) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
DECLARE
    behind TIMESTAMPTZ;
    parent TEXT;
BEGIN
    -- Nobody appends while this is decided. In the order in which `append` takes them.
    LOCK TABLE reading_ranges IN SHARE ROW EXCLUSIVE MODE;
    LOCK TABLE ONLY sensor_readings, ONLY reading_minutes, ONLY reading_hours IN ACCESS EXCLUSIVE MODE;
    SELECT ends INTO behind FROM reading_ranges WHERE starts = first;
    IF behind IS NULL OR EXISTS (
        SELECT FROM reading_days WHERE slot >= first AND slot < behind AND received_at >= received_since
    ) THEN
        RETURN false;
    END IF;
    FOREACH parent IN ARRAY ARRAY['sensor_readings', 'reading_minutes', 'reading_hours'] LOOP
        EXECUTE format('DROP TABLE %I', parent || to_char(first AT TIME ZONE 'UTC', '_YYYYMMDD'));
    END LOOP;
    DELETE FROM reading_days WHERE slot >= first AND slot < behind;
    DELETE FROM reading_ranges WHERE starts = first;
    RETURN true;
END $$;

-- What TimescaleDB keeps as continuous aggregates, by the same names and columns.
CREATE VIEW hourly_events AS
SELECT slot AS bucket, device_id, reading_type, count AS event_count, total / count AS avg_value,
    low AS min_value, high AS max_value
FROM reading_hours;

CREATE VIEW daily_events AS
SELECT slot AS bucket, device_id, reading_type, count AS event_count, total / count AS avg_value,
    low AS min_value, high AS max_value
FROM reading_days;
