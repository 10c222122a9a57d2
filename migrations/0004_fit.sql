-- Models that are learned from stored records, and what a shop's analyst reads.

-- A job of kind fit: what it was asked for and, once it is done, what it has come to.
CREATE TABLE fit (
    job_id                 INTEGER PRIMARY KEY REFERENCES job (id),
    base_plugin_version_id INTEGER NOT NULL REFERENCES plugin_version (id), -- the plugin without what it learns
    seed                   INTEGER NOT NULL,                        -- 64 bits: one of 2^63 or more is negative here
    update_of              INTEGER REFERENCES fit (job_id),         -- the fit that it goes on from; NULL: it learns everything
    anew                   TEXT,                                    -- why it learns everything although an update was asked for
    version                TEXT,                                    -- what it installs; NULL until everything is learned
    plugin_version_id      INTEGER REFERENCES plugin_version (id),  -- what it has installed; NULL until it is done
    records                INTEGER,                                 -- learned
    total                  INTEGER,                                 -- learned, with those of the fits that it went on from
    first_time             INTEGER,                                 -- event time of the first of these; NULL if there is none
    last_time              INTEGER,                                 -- and of the last one
    fitted_at              INTEGER
) STRICT;
CREATE INDEX fit_plugin_version ON fit (plugin_version_id) WHERE plugin_version_id IS NOT NULL;

-- The files that a fit wrote.
CREATE TABLE fit_model (
    job_id   INTEGER NOT NULL REFERENCES fit (job_id),
    model_id INTEGER NOT NULL REFERENCES model (id),
    PRIMARY KEY (job_id, model_id)
) STRICT, WITHOUT ROWID;

-- Fitted models as a person reads them: one row for each file that a fit wrote.
CREATE VIEW fitted_model AS
SELECT fit.job_id                              AS job_id,
       job.run_id                              AS run_id,
       base.domain                             AS domain,
       base.name || '@' || base.version        AS base,
       fitted.name || '@' || fitted.version    AS plugin,
       model.name                              AS model,
       model.hash                              AS hash,
       model.bytes                             AS bytes,
       job.selection                           AS selection,
       fit.records                             AS records,
       fit.total                               AS total,
       fit.seed                                AS seed,
       fit.update_of                           AS update_of,
       fit.anew                                AS anew,
       run.record_watermark                    AS record_watermark,
       fit.first_time                          AS first_time,
       fit.last_time                           AS last_time,
       fit.fitted_at                           AS fitted_at
FROM fit
JOIN job ON job.id = fit.job_id
JOIN run ON run.id = job.run_id
JOIN plugin_version AS base ON base.id = fit.base_plugin_version_id
JOIN plugin_version AS fitted ON fitted.id = fit.plugin_version_id
JOIN fit_model ON fit_model.job_id = fit.job_id
JOIN model ON model.id = fit_model.model_id;

-- Purchases as a person reads them, and questions, which have no item: one row for each, with what was recommended last.
--
-- Select by record_id or event_time (microseconds): these have an index. `time` is the same moment as text. The title is that of
-- the newest record of the item in the catalogue.
CREATE VIEW retail_purchase AS
SELECT record.id                                                                     AS record_id,
       record.event_time                                                             AS event_time,
       strftime('%Y-%m-%dT%H:%M:%fZ', record.event_time / 1000000.0, 'unixepoch')    AS time,
       record.payload ->> 'customer'                                                 AS customer,
       record.payload ->> 'item'                                                     AS item,
       (SELECT described.payload ->> 'title'
        FROM entity
        CROSS JOIN record_key ON record_key.entity_id = entity.id
        CROSS JOIN record AS described ON described.id = record_key.record_id
        WHERE entity.domain = 'retail-catalogue' AND entity.name = 'item' AND entity.value = record.payload ->> 'item'
        ORDER BY record_key.event_time DESC, record_key.record_id DESC LIMIT 1)      AS title,
       record.payload ->> 'basket'                                                   AS basket,
       record.payload ->> 'quantity'                                                 AS quantity,
       record.payload ->> 'price'                                                    AS price,
       prediction.label                                                              AS recommended,
       prediction.score                                                              AS score,
       prediction.run_id                                                             AS run_id
FROM record
LEFT JOIN prediction
       ON prediction.record_id = record.id
      AND prediction.run_id = (SELECT max(latest.run_id) FROM prediction AS latest JOIN run ON run.id = latest.run_id
                               WHERE latest.record_id = record.id AND run.shadow = 0)
WHERE record.domain = 'retail';

-- The catalogue as a person reads it: one row for each time that an item was described. The newest one holds.
CREATE VIEW retail_item AS
SELECT record.id                            AS record_id,
       record.payload ->> 'item'            AS item,
       record.payload ->> 'title'           AS title,
       record.payload ->> 'brand'           AS brand,
       record.payload ->> 'category'        AS category,
       record.payload ->> 'price'           AS price,
       record.payload ->> 'in_stock'        AS in_stock,
       record.event_time                    AS event_time,
       record.id = (SELECT record_key.record_id
                    FROM entity CROSS JOIN record_key ON record_key.entity_id = entity.id
                    WHERE entity.domain = 'retail-catalogue' AND entity.name = 'item'
                      AND entity.value = record.payload ->> 'item'
                    ORDER BY record_key.event_time DESC, record_key.record_id DESC LIMIT 1) AS newest
FROM record
WHERE record.domain = 'retail-catalogue';

INSERT INTO readable_view (domain, name)
VALUES ('retail', 'retail_purchase'), ('retail-catalogue', 'retail_item');
