-- The store. Times are UTC microseconds since 1970; payloads and outputs are JSON.

-- Where records came from: one row for each file imported, each simulation, each live stream.
CREATE TABLE source (
    id          INTEGER PRIMARY KEY,
    domain      TEXT    NOT NULL,
    kind        TEXT    NOT NULL,              -- file, simulation, live
    name        TEXT    NOT NULL,              -- file name, seed, or program
    hash        TEXT,                          -- BLAKE3 of the file
    mapping     TEXT,                          -- JSON: how columns became fields
    started_at  INTEGER NOT NULL,
    finished_at INTEGER                        -- NULL: still running, or stopped half way
) STRICT;

-- One input. Never changed after it was acknowledged.
CREATE TABLE record (
    id          INTEGER PRIMARY KEY,
    domain      TEXT    NOT NULL,
    external_id TEXT,                          -- the name that the user's own system gives it
    event_time  INTEGER NOT NULL,
    payload     TEXT    NOT NULL,              -- JSON object on one line
    source_id   INTEGER NOT NULL REFERENCES source (id),
    received_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX record_external_id ON record (domain, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX record_event_time ON record (domain, event_time, id);

-- A customer, a terminal, a patient, a clip: whatever records share.
CREATE TABLE entity (
    id     INTEGER PRIMARY KEY,
    domain TEXT NOT NULL,
    name   TEXT NOT NULL,                      -- customer_id
    value  TEXT NOT NULL,                      -- 596
    UNIQUE (domain, name, value)
) STRICT;

-- The past of an entity, in time order. Narrow, because history is read more than anything else.
CREATE TABLE record_key (
    entity_id  INTEGER NOT NULL,
    event_time INTEGER NOT NULL,
    record_id  INTEGER NOT NULL,
    PRIMARY KEY (entity_id, event_time, record_id)
) STRICT, WITHOUT ROWID;

-- What turned out to be true, and when that was known. Later rows overrule earlier ones.
CREATE TABLE label (
    id          INTEGER PRIMARY KEY,
    record_id   INTEGER NOT NULL REFERENCES record (id),
    name        TEXT    NOT NULL,
    value       ANY     NOT NULL,              -- 1 and 0 for true and false, a number, or a text
    known_at    INTEGER NOT NULL,
    source      TEXT    NOT NULL,              -- import, review, ...
    recorded_at INTEGER NOT NULL
) STRICT;
CREATE INDEX label_record ON label (record_id, name, known_at);

-- Encoded media, once each, by content.
CREATE TABLE blob (
    hash       TEXT    PRIMARY KEY,            -- BLAKE3, hexadecimal
    media_type TEXT    NOT NULL,
    bytes      INTEGER NOT NULL,
    data       BLOB,                           -- NULL: linked, not copied
    path       TEXT,                           -- where a linked blob stands
    CHECK ((data IS NULL) <> (path IS NULL))
) STRICT;
CREATE TABLE record_blob (
    record_id INTEGER NOT NULL REFERENCES record (id),
    field     TEXT    NOT NULL,
    hash      TEXT    NOT NULL REFERENCES blob (hash),
    PRIMARY KEY (record_id, field)
) STRICT, WITHOUT ROWID;

CREATE TABLE plugin_version (
    id            INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    domain        TEXT    NOT NULL,
    task          TEXT    NOT NULL,
    library_hash  TEXT    NOT NULL,
    manifest_hash TEXT    NOT NULL,
    manifest      TEXT    NOT NULL,            -- plugin.toml, whole
    first_used_at INTEGER NOT NULL,
    UNIQUE (name, version, library_hash, manifest_hash)
) STRICT;

CREATE TABLE model (
    id            INTEGER PRIMARY KEY,
    plugin        TEXT    NOT NULL,
    name          TEXT    NOT NULL,            -- the slot of the manifest that it fills
    hash          TEXT    NOT NULL,            -- BLAKE3 of the file
    file          TEXT    NOT NULL,
    bytes         INTEGER NOT NULL,
    first_used_at INTEGER NOT NULL,
    UNIQUE (plugin, name, hash)
) STRICT;

-- What produced predictions.
CREATE TABLE run (
    id                INTEGER PRIMARY KEY,
    plugin_version_id INTEGER NOT NULL REFERENCES plugin_version (id),
    config            TEXT    NOT NULL,        -- JSON
    config_hash       TEXT    NOT NULL,
    onnxruntime       TEXT    NOT NULL,        -- version of ONNX Runtime
    threads           INTEGER NOT NULL,
    program           TEXT    NOT NULL,        -- foretell-fraud 0.1.0
    author            TEXT    NOT NULL,        -- operating system user
    selection         TEXT    NOT NULL,        -- JSON: which records
    record_watermark  INTEGER NOT NULL,        -- highest record id that history could see
    label_watermark   INTEGER NOT NULL,        -- highest label id that history could see
    started_at        INTEGER NOT NULL,
    finished_at       INTEGER
) STRICT;
CREATE TABLE run_model (
    run_id   INTEGER NOT NULL REFERENCES run (id),
    model_id INTEGER NOT NULL REFERENCES model (id),
    PRIMARY KEY (run_id, model_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE prediction (
    run_id    INTEGER NOT NULL REFERENCES run (id),
    record_id INTEGER NOT NULL REFERENCES record (id),
    score     REAL,
    label     TEXT,
    output    TEXT,                            -- JSON: what the score and the label do not say
    PRIMARY KEY (run_id, record_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX prediction_record ON prediction (record_id);

-- Input that was refused, kept as it came, with the reason.
CREATE TABLE rejected_record (
    id          INTEGER PRIMARY KEY,
    source_id   INTEGER REFERENCES source (id),
    run_id      INTEGER REFERENCES run (id),
    record_id   INTEGER REFERENCES record (id),
    line        INTEGER,                       -- line of a text file, row of a Parquet file, from 1
    field       TEXT,
    reason      TEXT    NOT NULL,
    content     TEXT,                          -- the row as it came
    rejected_at INTEGER NOT NULL
) STRICT;
