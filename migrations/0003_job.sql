-- Batch work that survives being killed, and which model answers.

-- 1: the predictions of this run are stored for comparison, and answer nobody.
ALTER TABLE run ADD COLUMN shadow INTEGER NOT NULL DEFAULT 0;

CREATE INDEX rejected_record_run ON rejected_record (run_id, record_id) WHERE run_id IS NOT NULL;

-- Batch work over records that were fixed when it was planned. What it predicts stands under its run.
CREATE TABLE job (
    id            INTEGER PRIMARY KEY,
    kind          TEXT    NOT NULL,              -- score
    run_id        INTEGER NOT NULL UNIQUE REFERENCES run (id),
    selection     TEXT    NOT NULL,              -- JSON: which records were asked for
    chunk_records INTEGER NOT NULL,
    timeout       INTEGER NOT NULL,              -- microseconds that the plugin may take for one call
    attempts_max  INTEGER NOT NULL,              -- of one chunk
    state         TEXT    NOT NULL,              -- planning, ready, paused, cancelled, failed, done
    complete      INTEGER NOT NULL,              -- 1: once done, every record up to the run's watermark is predicted or rejected
    created_at    INTEGER NOT NULL,
    finished_at   INTEGER
) STRICT;

-- A process that works on a job. It is alive while seen_at moves.
CREATE TABLE job_worker (
    id              INTEGER PRIMARY KEY,
    job_id          INTEGER NOT NULL REFERENCES job (id),
    host            TEXT    NOT NULL,
    process_id      INTEGER NOT NULL,
    process_started INTEGER NOT NULL,            -- seconds since 1970: process ids are used again
    started_at      INTEGER NOT NULL,
    seen_at         INTEGER NOT NULL,
    ended_at        INTEGER,
    read_time       INTEGER NOT NULL DEFAULT 0,  -- microseconds, of chunks that are done
    predict_time    INTEGER NOT NULL DEFAULT 0,
    write_time      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX job_worker_job ON job_worker (job_id);

-- A part of a job that is done in one transaction, in the order of (event time, record id).
CREATE TABLE job_chunk (
    job_id      INTEGER NOT NULL REFERENCES job (id),
    number      INTEGER NOT NULL,                -- from 1
    first_time  INTEGER NOT NULL,
    first_id    INTEGER NOT NULL,
    last_time   INTEGER NOT NULL,
    last_id     INTEGER NOT NULL,
    members     BLOB    NOT NULL,                -- record ids: a 64-bit Roaring bitmap in the portable format
    records     INTEGER NOT NULL,                -- members
    span        INTEGER NOT NULL,                -- records of the domain from the first to the last
    state       TEXT    NOT NULL DEFAULT 'free', -- free, leased, done, failed
    worker_id   INTEGER REFERENCES job_worker (id),
    attempts    INTEGER NOT NULL DEFAULT 0,      -- that failed, without those that a record is to blame for
    losses      INTEGER NOT NULL DEFAULT 0,      -- how often a worker was gone that held it, and nobody knows why
    suspect_id  INTEGER,                         -- the record at hand when a process was killed last
    careful     INTEGER NOT NULL DEFAULT 0,      -- 1: an attempt killed its process, so records go one by one
    poison      TEXT,                            -- JSON: records that killed a process, with the reasons
    problem     TEXT,                            -- why the last attempt failed
    predicted   INTEGER NOT NULL DEFAULT 0,
    rejected    INTEGER NOT NULL DEFAULT 0,
    finished_at INTEGER,
    PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_chunk_state ON job_chunk (job_id, state, careful, number);

-- Jobs as a person watches them.
CREATE VIEW job_progress AS
SELECT job.id                                                                      AS job_id,
       job.kind                                                                    AS kind,
       plugin_version.domain                                                       AS domain,
       plugin_version.name || '@' || plugin_version.version                        AS plugin,
       job.run_id                                                                  AS run_id,
       job.state                                                                   AS state,
       coalesce(sum(chunk.records), 0)                                             AS records,
       coalesce(sum(chunk.predicted), 0)                                           AS predicted,
       coalesce(sum(chunk.rejected), 0)                                            AS rejected,
       count(chunk.number)                                                         AS chunks,
       count(chunk.number) FILTER (WHERE chunk.state = 'done')                     AS chunks_done,
       count(chunk.number) FILTER (WHERE chunk.state = 'leased')                   AS chunks_leased,
       count(chunk.number) FILTER (WHERE chunk.state = 'failed')                   AS chunks_failed,
       job.created_at                                                              AS created_at,
       max(chunk.finished_at)                                                      AS last_chunk_at,
       job.finished_at                                                             AS finished_at
FROM job
JOIN run ON run.id = job.run_id
JOIN plugin_version ON plugin_version.id = run.plugin_version_id
LEFT JOIN job_chunk AS chunk ON chunk.job_id = job.id
GROUP BY job.id;

-- Which plugin version answers in a domain (the champion), and which one is only stored beside it (the challenger): a log, of
-- which the last row of a domain and a role holds. Rolling back goes to what held before the last deploy that is not undone.
CREATE TABLE deployment (
    id                INTEGER PRIMARY KEY,
    domain            TEXT    NOT NULL,
    role              TEXT    NOT NULL,          -- champion, challenger
    action            TEXT    NOT NULL,          -- deploy, roll back, withdraw
    plugin_version_id INTEGER REFERENCES plugin_version (id), -- NULL: none from now on
    config            TEXT,                      -- JSON: settings of the plugin
    author            TEXT    NOT NULL,
    deployed_at       INTEGER NOT NULL
) STRICT;
CREATE TABLE deployment_model (
    deployment_id INTEGER NOT NULL REFERENCES deployment (id),
    model_id      INTEGER NOT NULL REFERENCES model (id),
    PRIMARY KEY (deployment_id, model_id)
) STRICT, WITHOUT ROWID;

-- The view in which a domain's analyst reads records: what a condition on records can name. Every one has record_id.
CREATE TABLE readable_view (
    domain TEXT PRIMARY KEY,
    name   TEXT NOT NULL
) STRICT;
INSERT INTO readable_view (domain, name) VALUES ('fraud', 'fraud_transaction');

-- Records of any domain, with what was answered last; for domains without a view of their own.
CREATE VIEW readable_record AS
SELECT record.id                                                                     AS record_id,
       record.domain                                                                 AS domain,
       record.external_id                                                            AS external_id,
       record.event_time                                                             AS event_time,
       strftime('%Y-%m-%dT%H:%M:%fZ', record.event_time / 1000000.0, 'unixepoch')    AS time,
       record.payload                                                                AS payload,
       record.source_id                                                              AS source_id,
       record.received_at                                                            AS received_at,
       prediction.score                                                              AS score,
       prediction.label                                                              AS label,
       prediction.run_id                                                             AS run_id
FROM record
LEFT JOIN prediction
       ON prediction.record_id = record.id
      AND prediction.run_id = (SELECT max(latest.run_id) FROM prediction AS latest JOIN run ON run.id = latest.run_id
                               WHERE latest.record_id = record.id AND run.shadow = 0);

-- As before, but a challenger's prediction is no answer.
DROP VIEW fraud_transaction;
CREATE VIEW fraud_transaction AS
SELECT record.id                                                                     AS record_id,
       record.external_id                                                            AS transaction_id,
       record.event_time                                                             AS event_time,
       strftime('%Y-%m-%dT%H:%M:%fZ', record.event_time / 1000000.0, 'unixepoch')    AS time,
       record.payload ->> 'customer_id'                                              AS customer_id,
       record.payload ->> 'terminal_id'                                              AS terminal_id,
       record.payload ->> 'amount'                                                   AS amount,
       (SELECT label.value FROM label
        WHERE label.record_id = record.id AND label.name = 'fraud'
        ORDER BY label.known_at DESC, label.id DESC LIMIT 1)                         AS fraud,
       prediction.score                                                              AS score,
       prediction.label                                                              AS decision,
       prediction.run_id                                                             AS run_id
FROM record
LEFT JOIN prediction
       ON prediction.record_id = record.id
      AND prediction.run_id = (SELECT max(latest.run_id) FROM prediction AS latest JOIN run ON run.id = latest.run_id
                               WHERE latest.record_id = record.id AND run.shadow = 0)
WHERE record.domain = 'fraud';
